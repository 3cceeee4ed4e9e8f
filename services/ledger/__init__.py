"""The ledger: what every payment did to the merchant's books, for ever.

Owns (schema `ledger`): each tenant's chart of accounts and who plays which role in it, journal entries, postings, standing
balances, holds, closed periods and the hash chain over all of them; exchange rates and conversions.

Hears (from the gateway): `PaymentCaptured`, `RefundSucceeded`, `RefundFailed`, `DisputeOpened`, `DisputeWon`, `DisputeLost`,
`ProcessorFeeCharged`, `PayoutCreated`, `PayoutPaid`, `PayoutFailed`, each of which it posts; (from the api)
`TenantProvisioned`, for whom it opens the default accounts.

Says: `JournalEntryPosted`, which settles the payment or completes its refund; `InvariantBroken`, when its books are not as
they were written.

Is asked (by the api): `ListAccounts`, `OpenAccount`, `ListEntries`, `ListBalances`; everything in `ledger_books`: holds,
reversals, closed periods, balances at an instant, verification; and everything in `ledger_money`: roles, rates, conversions,
balances in one currency.

A journal entry is never changed and never removed. The runtime role has no right to, and a trigger refuses it even to
the owner of the schema. It posts by the functions of the schema alone.
"""
