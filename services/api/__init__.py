"""The api owns payment intents and decides who may change them; clients of the platform use it alone.

Owns: tenants, their feature flags, users, roles, policies, payment intents, idempotency keys, the audit log.
Handles: what the gateway reports of payments, refunds and disputes; `ledger.JournalEntryPosted`, `InvariantBroken` and
`BooksSigned`; and, each process for itself, its own `AccessChanged`.
Publishes: the life of every payment intent (public), `TenantProvisioned`, `AccessChanged`; commands to the gateway to
authorize, capture, void and refund. Requests books and accounts of the ledger, webhook endpoints of the notifier and
processor accounts of the gateway, over the broker.
"""
