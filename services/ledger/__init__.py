"""The ledger: what every payment did to the merchant's books, for ever.

Owns (schema `ledger`): each tenant's chart of accounts and who plays which role in it, journal entries, postings, standing
balances, holds, closed periods, the hash chain over all entries, exchange rates and conversions, report views, and
proposals of entries, policies of what nobody does alone, the sealed changes of all these; what the api published of
payments, until it is compared.

Handles (from the gateway): `PaymentCaptured`, `RefundSucceeded`, `RefundFailed`, `DisputeOpened`, `DisputeWon`, `DisputeLost`,
`ProcessorFeeCharged`, `PayoutCreated`, `PayoutPaid`, `PayoutFailed`, `PayoutDebited`, `MovementRecorded`, `MovementAvailable`,
each of which it posts; (from the api)
`TenantProvisioned`, for whom it opens the default accounts, `PaymentSettled` and `PaymentRefunded`, which it compares with its books.

Publishes: `JournalEntryPosted`, which settles the payment or completes its refund; `InvariantBroken`, when its books are not as
they were written, or not what the api published of payments; `BooksSigned`, where its chains end.

Answers (the api): `ListAccounts`, `OpenAccount`, `ListEntries`, `ListBalances`; everything in `ledger_books`: holds,
reversals, closed periods, balances at an instant, verification; everything in `ledger_roles`; everything in `ledger_money`: exchange
rates, conversions, consolidated balances; everything in `ledger_journal`: to post, propose, approve and reject what
people enter by hand; everything in `ledger_policy`; everything in `ledger_reports`: reports, and to refresh them.

A journal entry is never changed and never removed. The runtime role has no right to, and a trigger refuses it even to
the owner of the schema. It posts by the functions of the schema alone.
"""
