"""The api owns payment intents and who may touch them; it is the only door for clients.

Owns: tenants, their feature flags, users, roles, policies, payment intents, idempotency keys, the audit log.
Hears: `gateway.PaymentAuthorized`, `AuthorizationDeclined`, `PaymentCaptured`, `CaptureFailed`; `ledger.JournalEntryPosted`;
and, each process for itself, its own `AccessChanged`.
Says: the life of every payment intent (public), `TenantProvisioned`, `AccessChanged`; asks the gateway by `AuthorizePayment` and
`CapturePayment`; asks the ledger for books and accounts and the notifier for webhook endpoints, over the broker.
"""
