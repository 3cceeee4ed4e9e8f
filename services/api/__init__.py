"""The api owns payment intents and who may touch them; it is the only door for clients.

Owns: tenants, users, roles, policies, payment intents, idempotency keys, the audit log.
Hears: `gateway.PaymentAuthorized`, `AuthorizationDeclined`, `PaymentCaptured`, `CaptureFailed`; `ledger.JournalEntryPosted`.
Says: the life of every payment intent (public), `TenantProvisioned`; asks the gateway by `AuthorizePayment` and
`CapturePayment`; asks the ledger for books and accounts and the notifier for webhook endpoints, over the broker.
"""
