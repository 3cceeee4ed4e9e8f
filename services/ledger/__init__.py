"""The ledger: what every payment did to the merchant's books, for ever.

Owns (schema `ledger`): each tenant's chart of accounts, journal entries, postings, standing balances, holds, closed periods
and the hash chain over all of them.

Hears: `PaymentCaptured` (gateway), which it posts; `TenantProvisioned` (api), for whom it opens the default accounts.

Says: `JournalEntryPosted`, which settles the payment; `InvariantBroken`, when its books are not as they were written.

Is asked (by the api): `ListAccounts`, `OpenAccount`, `ListEntries`, `ListBalances`, and everything in
`ledger_books`: holds, reversals, closed periods, balances at an instant, verification.

A journal entry is never changed and never removed. The runtime role has no right to, and a trigger refuses it even to
the owner of the schema. It posts by the functions of the schema alone.
"""
