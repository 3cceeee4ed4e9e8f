"""The ledger: what every payment did to the merchant's books, for ever.

Owns (schema `ledger`): each tenant's chart of accounts, journal entries, postings, standing balances, report views, and
proposals of entries.

Hears: `PaymentCaptured` (gateway), which it posts; `TenantProvisioned` (api), for whom it opens the default accounts.

Says: `JournalEntryPosted`, which settles the payment.

Is asked (by the api): `ListAccounts`, `OpenAccount`, `ListEntries`, `ListBalances`; for reports (`Report...`) and to
refresh them; to post, propose, approve and reject what people enter by hand.

A journal entry is never changed and never removed. The runtime role has no right to, and a trigger refuses it even to
the owner of the schema.
"""
