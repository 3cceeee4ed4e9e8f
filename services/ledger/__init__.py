"""The ledger: what every payment did to the merchant's books, for ever.

Owns (schema `ledger`): each tenant's chart of accounts and who plays which role in it, journal entries, postings and
standing balances.

Hears (from the gateway): `PaymentCaptured`, `RefundSucceeded`, `RefundFailed`, `DisputeOpened`, `DisputeWon`, `DisputeLost`,
`ProcessorFeeCharged`, `PayoutCreated`, `PayoutPaid`, `PayoutFailed`, each of which it posts; (from the api)
`TenantProvisioned`, for whom it opens the default accounts.

Says: `JournalEntryPosted`, which settles the payment or completes its refund.

Is asked (by the api): `ListAccounts`, `OpenAccount`, `ListEntries`, `ListBalances`, `ListAccountRoles`, `GetAccountRole`,
`AssignAccountRole`.

A journal entry is never changed and never removed. The runtime role has no right to, and a trigger refuses it even to
the owner of the schema.
"""
