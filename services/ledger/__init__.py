"""The ledger: what every payment did to the merchant's books, for ever.

Owns (schema `ledger`): each tenant's chart of accounts and who plays which role in it, journal entries, postings and
standing balances, exchange rates and conversions, report views, and proposals of entries.

Hears (from the gateway): `PaymentCaptured`, `RefundSucceeded`, `RefundFailed`, `DisputeOpened`, `DisputeWon`, `DisputeLost`,
`ProcessorFeeCharged`, `PayoutCreated`, `PayoutPaid`, `PayoutFailed`, each of which it posts; (from the api)
`TenantProvisioned`, for whom it opens the default accounts.

Says: `JournalEntryPosted`, which settles the payment or completes its refund.

Is asked (by the api): `ListAccounts`, `OpenAccount`, `ListEntries`, `ListBalances`, `ListAccountRoles`, `GetAccountRole`,
`AssignAccountRole`, `ListExchangeRates`, `RecordExchangeRate`, `GetConvertedAmount`, `PostConversion`, `GetConversion`,
`GetConsolidatedBalances`; for reports (`Report...`) and to refresh them; to post, propose, approve and reject what people
enter by hand.

A journal entry is never changed and never removed. The runtime role has no right to, and a trigger refuses it even to
the owner of the schema.
"""
