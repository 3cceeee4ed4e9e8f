"""The schemas of the document.

Generated: do not edit.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field
from payments_client.values import Amount, OpenEnum

__all__ = [
    "AccountBalanceItem",
    "AccountBody",
    "AccountRoleBody",
    "AccountRoleHistoryBody",
    "AccountType",
    "AddOwnUnitBody",
    "Address",
    "AgesBody",
    "ApiKeyBody",
    "ApiKeyList",
    "ApprovalPolicyBody",
    "ApprovalRuleBody",
    "Assign",
    "AssignRole",
    "AttemptBody",
    "AuditLine",
    "AuditLines",
    "BalanceBody",
    "Basis",
    "BesideBody",
    "BillingDetails",
    "BoletoBody",
    "BoletoDisplayDetails",
    "CalendarBody",
    "CaptureHoldBody",
    "CaptureMethod",
    "CaptureRequest",
    "ChainBody",
    "ChangeBody",
    "ChangeChainBody",
    "ChangeCustomer",
    "ChangeFindingBody",
    "ChangePassword",
    "ChangeUser",
    "ChangeVerification",
    "ChangeWebhook",
    "CircuitBody",
    "ClearingBody",
    "ClientActionBody",
    "CloseMonth",
    "ClosePeriodBody",
    "CloseYearBody",
    "ClosedMonthBody",
    "ClosingOutcome",
    "ColumnBody",
    "ConfirmPaymentIntent",
    "ConsolidatedBalanceBody",
    "ConsolidatedBody",
    "ConversionBody",
    "ConversionEntriesBody",
    "ConvertAmount",
    "ConvertedBody",
    "CreateAccount",
    "CreateApiKey",
    "CreateConversion",
    "CreateCustomer",
    "CreateGatewayConfig",
    "CreatePaymentIntent",
    "CreateUser",
    "CreateWebhook",
    "CustomerBody",
    "CustomerList",
    "DeadEventBody",
    "DeadLetterBody",
    "DeadLetterQueueBody",
    "DeadLettersBody",
    "DecideMany",
    "DecidePolicyChange",
    "DecideProposal",
    "DeliveryAttemptBody",
    "DeliveryBody",
    "DeliveryPage",
    "DiscrepancyBody",
    "DiscrepancyFound",
    "DiscrepancyFoundWebhook",
    "DiscrepancyHistoryBody",
    "DisputeBody",
    "DisputeLost",
    "DisputeLostWebhook",
    "DisputeOpened",
    "DisputeOpenedWebhook",
    "DisputeStatus",
    "DisputeWon",
    "DisputeWonWebhook",
    "Disturbance",
    "EndpointBody",
    "EntriesPostedBody",
    "EntryBody",
    "EntryItem",
    "EntryLine",
    "EntryLineBody",
    "EntryResultBody",
    "ExchangeRateBody",
    "ExpandedPaymentIntent",
    "Feature",
    "FeatureFlag",
    "FieldMap",
    "FileFaultBody",
    "FileImportBody",
    "FinancialStatementBody",
    "FindingBody",
    "GapBody",
    "GatewayConfigBody",
    "GatewayEventBody",
    "HealthBody",
    "HeldBody",
    "HoldBody",
    "HoldState",
    "IdentityProviderBody",
    "InStageBody",
    "InquiryClosed",
    "InquiryClosedWebhook",
    "InquiryOpened",
    "InquiryOpenedWebhook",
    "JournalBody",
    "JournalItem",
    "KeyMode",
    "LedgerSettings",
    "Liveness",
    "MatchBody",
    "MatchByHand",
    "MatchedBody",
    "Me",
    "Mode",
    "MovedBody",
    "NewApiKeyBody",
    "NewApprovalRule",
    "NewEntry",
    "NewThreshold",
    "NextActionBody",
    "NoMembers",
    "OpenBody",
    "OrderPayment",
    "Outcome",
    "OwnUnitBody",
    "PartBody",
    "PaymentAuthorized",
    "PaymentAuthorizedWebhook",
    "PaymentCaptured",
    "PaymentCapturedWebhook",
    "PaymentExpired",
    "PaymentExpiredWebhook",
    "PaymentFailed",
    "PaymentFailedWebhook",
    "PaymentIntentBody",
    "PaymentIntentCreated",
    "PaymentIntentCreatedWebhook",
    "PaymentIntentPage",
    "PaymentMethodType",
    "PaymentPeriodBody",
    "PaymentRefunded",
    "PaymentRefundedWebhook",
    "PaymentReportBody",
    "PaymentRequiresAction",
    "PaymentRequiresActionWebhook",
    "PaymentSettled",
    "PaymentSettledWebhook",
    "PaymentVoided",
    "PaymentVoidedWebhook",
    "PeriodBody",
    "PixBody",
    "PixDisplayQrCode",
    "PlaceHoldBody",
    "PolicyBody",
    "PolicyChangeBody",
    "PolicyChangeStatus",
    "PolicyChangesBody",
    "PostLedgerEntries",
    "ProposalBody",
    "ProposalStatus",
    "ProposalsBody",
    "ProposeApprovalPolicy",
    "ProposeLedgerEntries",
    "ProposedEntry",
    "ProposedLine",
    "PutIdentityProvider",
    "PutPolicy",
    "PutRole",
    "PutRules",
    "PutSource",
    "PutTenant",
    "QueueBody",
    "QuoteBody",
    "RateLegBody",
    "Readiness",
    "RecordRate",
    "RedrivenBody",
    "RefreshBody",
    "RefundBody",
    "RefundFailed",
    "RefundFailedWebhook",
    "RefundRequest",
    "RefundStatus",
    "Repair",
    "ReplayBody",
    "ReplayWebhook",
    "ReportBody",
    "RequestLine",
    "RequestLines",
    "ResultBody",
    "RevaluationBody",
    "RevalueBody",
    "RevenueItem",
    "Role",
    "RoleBody",
    "RoleChangeBody",
    "RotateApiKey",
    "RotateKeys",
    "RotateWebhookSecret",
    "RuleBody",
    "RuleKind",
    "RuleOfSource",
    "RulesBody",
    "RunBody",
    "SavedMethodBody",
    "SealBody",
    "SealCheckBody",
    "SealedMonthBody",
    "ServiceHealthBody",
    "SetCalendarBody",
    "SetFeatureFlag",
    "Settle",
    "SetupActionBody",
    "SetupIntentBody",
    "ShownDeadLetterBody",
    "Side",
    "SourceBody",
    "SourceFields",
    "StartFileImport",
    "StartRun",
    "StartSetupIntent",
    "StatementBody",
    "StatementCurrencyBody",
    "StatementItem",
    "StatementLineBody",
    "StatementResultBody",
    "StatementRowBody",
    "StatementSectionBody",
    "StatementSummaryBody",
    "Status",
    "TakeApart",
    "TenantBody",
    "TenantList",
    "TenantRevenueItem",
    "TenantStatus",
    "TestData",
    "TestDataWebhook",
    "TestSentBody",
    "ThresholdBody",
    "TimelineEventBody",
    "TokenRequest",
    "TokenResponse",
    "TotalsBody",
    "TrialBalanceBody",
    "TrialBalanceItem",
    "TrialBalanceTotal",
    "UnknownOutcomeBody",
    "UserBody",
    "UserList",
    "ValuedBody",
    "VerificationBody",
    "WebhookEndpointDisabled",
    "WebhookEndpointDisabledWebhook",
    "WebhookEndpointFailing",
    "WebhookEndpointFailingWebhook",
    "YearEndBody",
]


class AccountBalanceItem(Struct, frozen=True, kw_only=True):
    """What one account held in one currency, or turned over in a period."""

    account: str
    account_type: AccountType
    balance: str
    """Credits minus debits, whatever the type of account."""
    credits_total: str
    currency: str
    debits_total: str
    normal_balance: str
    """Positive in the account's normal direction."""
    normal_side: Side


class AccountBody(Struct, frozen=True, kw_only=True):
    """An account of the tenant's chart."""

    account_type: AccountType
    ceiling_minor: int | None
    code: str
    currencies: list[str] | None
    floor_minor: int | None
    id: str
    is_default: bool
    label: str


class AccountRoleBody(Struct, frozen=True, kw_only=True):
    """A role in the posting rules, and the account that plays it."""

    account: str
    """Code of the account that plays it."""
    account_type: AccountType
    account_types: list[AccountType]
    """The types that may play it."""
    changed_at: str | None
    """When it was changed last."""
    changed_by: str | None
    """Who changed it last."""
    is_default: bool
    """Played by the platform's own account."""
    role: Role


class AccountRoleHistoryBody(Struct, frozen=True, kw_only=True):
    """A role with its latest changes."""

    account: str
    """Code of the account that plays it."""
    account_type: AccountType
    account_types: list[AccountType]
    """The types that may play it."""
    changed_at: str | None
    """When it was changed last."""
    changed_by: str | None
    """Who changed it last."""
    changes: list[RoleChangeBody]
    """Newest first, at most 100."""
    is_default: bool
    """Played by the platform's own account."""
    role: Role


class AccountType(OpenEnum):
    """The five types of account; the type fixes the normal balance."""

    ASSET = "ASSET"
    EQUITY = "EQUITY"
    EXPENSE = "EXPENSE"
    LIABILITY = "LIABILITY"
    REVENUE = "REVENUE"


class AddOwnUnitBody(Struct, frozen=True, kw_only=True):
    """An own unit that is to be added. It never changes."""

    code: str
    """Two capital letters and a digit, whose place says the decimals: at the end it is their number (`PT2` has 2), in
    the middle ten more, up to 18 (`E8T`).
    """
    name: str
    """Its name for people."""


class Address(Struct, frozen=True, kw_only=True):
    """Where the customer lives."""

    city: str
    """City."""
    country: str | UnsetType = UNSET
    """ISO 3166-1 code."""
    line1: str
    """Street and number."""
    postal_code: str
    """CEP."""
    state: str
    """State, two letters: `SP`."""


class AgesBody(Struct, frozen=True, kw_only=True):
    """A balance by how long it has stood there: less than a day, a week, 30 days, or longer."""

    day: str
    month: str
    older: str
    week: str


class ApiKeyBody(Struct, frozen=True, kw_only=True):
    """An API key as clients see it: without its secret."""

    created_at: str
    created_by: str
    """Who made it: a login name, or `key:<id>`."""
    expires_at: str | None
    hint: str
    """The last four characters of the secret."""
    id: str
    is_active: bool
    """Whether it is accepted."""
    last_used_at: str | None
    """When it was used last, to the minute."""
    mode: KeyMode
    name: str
    responsible: str
    """The person who made it; of a key that a key made, whoever made the first one."""
    revoked_at: str | None
    rotated_to: str | None
    """The key that replaces it."""
    scopes: list[str]


class ApiKeyList(Struct, frozen=True, kw_only=True):
    """A page of keys, newest first."""

    data: list[ApiKeyBody]
    next_cursor: str | None


class ApprovalPolicyBody(Struct, frozen=True, kw_only=True):
    """What the tenant lets nobody do alone."""

    approved_by: str | None
    changed_at: str | None
    changed_by: str | None
    revision: int
    """The tenant's policies are numbered from 1; 0: there was none."""
    rules: list[ApprovalRuleBody]
    """What any of them matches needs a second person."""


class ApprovalRuleBody(Struct, frozen=True, kw_only=True):
    """What nobody may do alone."""

    account: str | None
    at_least: list[ThresholdBody]
    kind: RuleKind | None
    role: Role | None


class Assign(Struct, frozen=True, kw_only=True):
    """Who looks at it."""

    assignee: str
    """Who looks at it from now on."""
    note: str | UnsetType = UNSET
    """Why, in your words."""


class AssignRole(Struct, frozen=True, kw_only=True):
    """Who is to play a role."""

    account: str
    """Code of an account in the chart."""


class AttemptBody(Struct, frozen=True, kw_only=True):
    """One operation that was requested of a processor."""

    amount: str
    asked_at: str | None
    asks: int
    created_at: str
    currency: str
    decided_at: str | None
    detail: str
    gateway_ref: str
    id: str
    next_ask_at: str | None
    operation: str
    processor: str
    reason: str
    status: str


class AuditLine(Struct, frozen=True, kw_only=True):
    """One line of the audit log."""

    action: str
    actor: str
    at: str
    correlation_id: str
    detail: dict[str, str]
    id: str
    outcome: str
    target: str
    tenant_id: str


class AuditLines(Struct, frozen=True, kw_only=True):
    """A page of the audit log, newest first."""

    data: list[AuditLine]
    next_cursor: str | None


class BalanceBody(Struct, frozen=True, kw_only=True):
    """What one account holds in one currency."""

    account: str
    account_type: AccountType
    available: str | None
    """`normal_balance` less what is held against it; null but for the present."""
    balance: str
    """Credits minus debits, whatever the type of account."""
    credits_total: str
    currency: str
    debits_total: str
    normal_balance: str
    """Positive in the account's normal direction."""
    normal_side: Side
    pending_credits: str | None
    """Held for credits; null but for the present."""
    pending_debits: str | None
    """Held for debits; null but for the present."""


class Basis(OpenEnum):
    """By which of its two times a posting belongs to a period."""

    EFFECTIVE = "effective"
    RECORD = "record"


class BesideBody(Struct, frozen=True, kw_only=True):
    """All statements in one currency beside the accounts in the books that mirror them: `difference` is the books less
    the statements.
    """

    books: str
    currency: str
    difference: str
    statements: str


class BillingDetails(Struct, frozen=True, kw_only=True):
    """Who pays: a boleto names them, by law (https://docs.stripe.com/payments/boleto)."""

    address: Address
    email: str
    """Where the slip can be sent."""
    name: str
    """Full name of a person or company."""
    tax_id: str
    """CPF or CNPJ: 11 or 14 digits, with or without the usual dots and dashes."""


class BoletoBody(Struct, frozen=True, kw_only=True):
    """A boleto that the customer pays at a bank."""

    expires_at: str | None
    """Until when it can be paid."""
    hosted_voucher_url: str
    """A page that shows the slip, or empty."""
    number: str
    """The number of the slip."""
    pdf: str
    """The slip as a PDF, or empty."""


class BoletoDisplayDetails(Struct, frozen=True, kw_only=True):
    """Show a slip, which the customer pays at a bank."""

    expires_at: str | None | UnsetType = UNSET
    """Until when it can be paid."""
    hosted_voucher_url: str = ""
    """A page of the processor that shows the slip; empty where there is none."""
    number: str
    """The number of the slip."""
    pdf: str = ""
    """The slip as a PDF; empty where the processor has none."""
    type: str


class CalendarBody(Struct, frozen=True, kw_only=True):
    """By which calendar the books are kept."""

    changed_at: str | None
    changed_by: str | None
    zone: str
    """IANA time zone; `UTC` where none was chosen."""


class CaptureHoldBody(Struct, frozen=True, kw_only=True):
    """How much of a hold is to be posted."""

    amount: Amount | UnsetType = UNSET
    """Above zero; a JSON number or a numeric string, read exactly."""


class CaptureMethod(OpenEnum):
    """When held funds are taken."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class CaptureRequest(Struct, frozen=True, kw_only=True):
    """How much to take; without an amount, all that is authorized."""

    amount: Amount | UnsetType = UNSET
    """Above zero; a JSON number or a numeric string, read exactly."""


class ChainBody(Struct, frozen=True, kw_only=True):
    """How far one hash chain has been recomputed."""

    chain: int
    checked_at: str | None
    groups: int
    """Groups of entries that it has."""
    verified: int
    """Groups that were recomputed, from the first."""


class ChangeBody(Struct, frozen=True, kw_only=True):
    """One step in the life of a discrepancy."""

    actor: str
    changed_at: str
    note: str | None
    reason: str | None
    state: str


class ChangeChainBody(Struct, frozen=True, kw_only=True):
    """A chain of sealed changes, and what was proved of it."""

    changes: int
    """How many it has."""
    checked_at: str | None
    """When."""
    signed: int
    """Up to which one its end was signed; 0: nothing was."""
    statement: int | None
    """The number of the signed statement that has it."""
    tenant_id: str
    """Whose it is; empty: of what is no tenant's, such as roles and policies."""
    verified: int
    """Up to which one it was recomputed."""


class ChangeCustomer(Struct, frozen=True, kw_only=True):
    """What changes; members that are missing stay as they are, `null` clears `name` and `email`."""

    email: str | None | UnsetType = UNSET
    """Where to write to."""
    metadata: dict[str, str] | UnsetType = UNSET
    """Your own pairs: 50 keys of 40 characters, values of 500."""
    name: str | None | UnsetType = UNSET
    """A person's or a company's name."""
    reference: str | UnsetType = UNSET
    """Your own reference of the customer, unique among your customers."""


class ChangeFindingBody(Struct, frozen=True, kw_only=True):
    """Something that was changed past the platform."""

    detail: str
    found_at: str
    invariant: str
    """`row_sealed`, `change_sealed`, `change_linked` or `heads_signed`."""
    subject: str
    tenant_id: str


class ChangePassword(Struct, frozen=True, kw_only=True):
    """The caller's password, and the one that replaces it."""

    new_password: str
    """At least 12 characters."""
    password: str
    """The present one."""


class ChangeUser(Struct, frozen=True, kw_only=True):
    """What changes; members that are missing stay as they are."""

    is_disabled: bool | UnsetType = UNSET
    """Whether it may not log in."""
    password: str | UnsetType = UNSET
    """At least 12 characters."""
    roles: list[str] | UnsetType = UNSET
    """Names of roles, which allow no more than you may."""


class ChangeVerification(Struct, frozen=True, kw_only=True):
    """How far changes of who may do what were verified, and what was found."""

    chains: list[ChangeChainBody]
    findings: list[ChangeFindingBody]


class ChangeWebhook(Struct, frozen=True, kw_only=True):
    """What changes; members that are missing stay as they are."""

    description: str | None | UnsetType = UNSET
    """What it is for, for people."""
    events: list[str] | None | UnsetType = UNSET
    has_public_key: bool | None | UnsetType = UNSET
    """Whether webhooks are signed with ed25519 (`v1a`) too."""
    headers: dict[str, str] | None | UnsetType = UNSET
    """Headers of your own, sent with every attempt; their values are not shown again."""
    is_active: bool | None | UnsetType = UNSET
    """Switched on again, the answer's `gap` is what was missed."""
    is_ordered: bool | None | UnsetType = UNSET
    """Whether the events of one payment are delivered in order."""
    rate_limit_per_second: int | None | UnsetType = UNSET
    """Attempts per second at most; 0 for no limit."""
    url: str | None | UnsetType = UNSET


class CircuitBody(Struct, frozen=True, kw_only=True):
    """Whether one process of the gateway calls a processor, or one account at it."""

    is_account: bool
    """Whether it is one account, and not the whole processor."""
    name: str
    """`sandbox`, `stripe`, or `stripe:` and a configuration."""
    per_second: float | None
    """Calls a second that the process makes at most to the account."""
    process: str
    seen_at: str
    since: str | None
    state: str
    until: str | None
    """When the next call goes out at the earliest."""
    waiting: int
    """Calls that wait for their turn."""


class ClearingBody(Struct, frozen=True, kw_only=True):
    """An account that should be empty in the end and is not; debits are above zero."""

    account: str
    ages: AgesBody
    balance: str
    currency: str
    roles: list[str]


class ClientActionBody(Struct, frozen=True, kw_only=True):
    """What the customer does next, with what the processor's client library needs for it."""

    boleto_display_details: BoletoBody | None | UnsetType = UNSET
    client_secret: str = ""
    """For the customer's own browser only: do not log or store it."""
    pix_display_qr_code: PixBody | None | UnsetType = UNSET
    type: str
    """`redirect`, `use_stripe_sdk`, `pix_display_qr_code` or `boleto_display_details`."""
    url: str = ""
    """Where to send the customer; not with `use_stripe_sdk`."""


class CloseMonth(Struct, frozen=True, kw_only=True):
    """How a month is closed."""

    override_reason: str | UnsetType = UNSET
    """Why it is closed though discrepancies have been open for too long, or a statement is not known to its end; it
    stands in the report, with who closed it.
    """


class ClosePeriodBody(Struct, frozen=True, kw_only=True):
    """Which books are to be closed."""

    ends_before: str
    """A midnight of the tenant's calendar that has passed, or its date: everything effective before it is closed."""


class CloseYearBody(Struct, frozen=True, kw_only=True):
    """Which year is closed."""

    year: int
    """A year by the tenant's calendar, which is over."""


class ClosedMonthBody(Struct, frozen=True, kw_only=True):
    """A month that is closed; what became known after `known_until` counts in the month after."""

    closed_at: str
    closed_by: str
    known_until: str
    month: str
    overridden: int
    override_reason: str | None
    previous_sha256: str | None
    run_id: str
    sha256: str


class ClosingOutcome(OpenEnum):
    """What became of it."""

    POSTED = "posted"
    PROPOSED = "proposed"
    UNCHANGED = "unchanged"


class ColumnBody(Struct, frozen=True, kw_only=True):
    """What one column is about."""

    begins_at: str | None
    """Itself included; null: from the first posting."""
    closed: SealBody | None
    """Where it ends with a closed period, by effect."""
    ends_before: str
    """Itself not included."""
    is_final: bool
    """Whether it shows the same for ever."""


class ConfirmPaymentIntent(Struct, frozen=True, kw_only=True):
    """How to begin to collect; nothing is needed. A payment that was declined goes on with a `payment_method` alone,
    one that is REQUIRES_ACTION with another one than its own or by its customer's proof.
    """

    off_session: bool | None | UnsetType = UNSET
    """Whether the customer is not there: the saved `payment_method` is charged, or declined with
    `authentication_required` where its issuer wants a proof.
    """
    payment_method: str | None | UnsetType = UNSET
    """The processor's token of what is charged; or the id of a payment method that is saved of the payment's
    `customer`.
    """
    return_url: str | None | UnsetType = UNSET
    """Where the customer comes back to after proving who they are: an absolute http or https URL."""


class ConsolidatedBalanceBody(Struct, frozen=True, kw_only=True):
    """What one account holds, shown in one currency."""

    account: str
    account_type: AccountType
    balance: str
    """Credits minus debits, rounded once, half to even."""
    held: list[HeldBody]
    normal_balance: str
    """Positive in the account's normal direction."""
    normal_side: Side
    unconverted: list[str]
    """Currencies held that are not in `balance`: no rate."""


class ConsolidatedBody(Struct, frozen=True, kw_only=True):
    """All balances in one currency."""

    accounts: list[ConsolidatedBalanceBody]
    at: str
    currency: str
    rates: list[QuoteBody]
    rounding: str
    """With it the balances add up to exactly zero."""
    unconverted: list[str]
    """Currencies that no rate leads from."""


class ConversionBody(Struct, frozen=True, kw_only=True):
    """Money that was exchanged in the books."""

    amount: str
    """What was given, in `from_currency`."""
    entries: ConversionEntriesBody
    from_account: str
    from_currency: str
    gain: str
    """What that was worth more by the rate, in `from_currency`; negative: it cost."""
    id: str
    legs: list[RateLegBody]
    occurred_at: str
    rate: str
    received_amount: str
    """What was received, in `to_currency`."""
    recorded_at: str
    recorded_by: str
    to_account: str
    to_currency: str


class ConversionEntriesBody(Struct, frozen=True, kw_only=True):
    """The two entries of a conversion."""

    bought: str
    """The entry in `to_currency`."""
    sold: str
    """The entry in `from_currency`."""


class ConvertAmount(Struct, frozen=True, kw_only=True):
    """An amount, and the currency in which its worth is requested."""

    amount: Amount
    """Above zero; a JSON number or a numeric string, read exactly."""
    at: str | None | UnsetType = UNSET
    """By the rates of this instant; absent: now."""
    from_currency: str
    """ISO 4217 code, upper case."""
    to_currency: str
    """ISO 4217 code, upper case."""


class ConvertedBody(Struct, frozen=True, kw_only=True):
    """What an amount is worth in another currency."""

    amount: str
    at: str
    converted_amount: str
    """Rounded once, half to even."""
    from_currency: str
    legs: list[RateLegBody]
    """The recorded rates, in the order of their application."""
    rate: str
    """To 18 significant digits; the amount is computed exactly."""
    to_currency: str


class CreateAccount(Struct, frozen=True, kw_only=True):
    """A new account of the tenant's chart."""

    account_type: str
    """Fixes the normal balance."""
    ceiling_minor: int | None | UnsetType = UNSET
    """The most that it may hold in its normal direction."""
    code: str
    """Unique in the chart: `FEES`."""
    currencies: list[str] | None | UnsetType = UNSET
    """The currencies and own units it takes; absent: all."""
    floor_minor: int | None | UnsetType = UNSET
    """The least that may be available in its normal direction; 0: no overdraft."""
    label: str
    """Its name for people."""


class CreateApiKey(Struct, frozen=True, kw_only=True):
    """A key for a program."""

    expires_at: str | None | UnsetType = UNSET
    """Until when it is valid; absent: until it is revoked."""
    name: str
    """Your own name of it."""
    scopes: list[str]
    """What it may do: permissions that you have yourself, but for `ledger:approve`."""


class CreateConversion(Struct, frozen=True, kw_only=True):
    """Money to be exchanged in the books."""

    amount: Amount
    """Above zero; a JSON number or a numeric string, read exactly."""
    from_account: str | None | UnsetType = UNSET
    """Absent: the account that plays CASH."""
    from_currency: str
    """ISO 4217 code, upper case."""
    id: str
    """Names the conversion: again with the same content, nothing happens."""
    occurred_at: str | None | UnsetType = UNSET
    """Valued by the rates of this instant; absent: now."""
    received_amount: Amount | None | UnsetType = UNSET
    """What was really received, in `to_currency`; absent: what the rate says."""
    to_account: str | None | UnsetType = UNSET
    """Absent: the account that plays CASH."""
    to_currency: str
    """ISO 4217 code, upper case."""


class CreateCustomer(Struct, frozen=True, kw_only=True):
    """Somebody who pays more than once."""

    email: str | None | UnsetType = UNSET
    """Where to write to."""
    metadata: dict[str, str] | None | UnsetType = UNSET
    """Your own pairs: 50 keys of 40 characters, values of 500."""
    name: str | None | UnsetType = UNSET
    """A person's or a company's name."""
    reference: str
    """Your own reference of the customer, unique among your customers."""


class CreateGatewayConfig(Struct, frozen=True, kw_only=True):
    """A processor account to charge through."""

    application_fee_bps: int | UnsetType = UNSET
    """What the platform takes of each capture, in hundredths of a percent."""
    application_fee_minor: int | UnsetType = UNSET
    """And in minor units of the payment's currency."""
    connected_account: str | UnsetType = UNSET
    """Instead of a key: the Stripe account, `acct_...`, that is connected to the platform's."""
    currencies: list[str] | UnsetType = UNSET
    """Currencies that go this way; empty: all that no other one names."""
    payment_method: str | UnsetType = UNSET
    """What is charged where a payment names nothing."""
    processor: str
    refund_application_fee: bool | UnsetType = UNSET
    """Whether the platform gives the same part of its fee back with a refund."""
    return_url: str | UnsetType = UNSET
    """Where customers come back to after proving who they are."""
    secret_key: str | UnsetType = UNSET
    """The account's secret or restricted key; never shown again."""
    webhook_secret: str | UnsetType = UNSET
    """What Stripe signs its webhooks with, `whsec_...`; never shown again."""


class CreatePaymentIntent(Struct, frozen=True, kw_only=True):
    """A wish to be paid."""

    amount: Amount
    """Above zero; a JSON number or a numeric string, read exactly."""
    billing_details: BillingDetails | None | UnsetType = UNSET
    capture_method: CaptureMethod | None | UnsetType = UNSET
    """`automatic`: captured once authorized; `manual`: when you say so."""
    currency: str
    """ISO 4217 code, upper case."""
    customer: str | None | UnsetType = UNSET
    """The customer whose payment it is."""
    customer_ref: str
    """Your own reference of the customer."""
    description: str | None | UnsetType = UNSET
    """Your own words."""
    metadata: dict[str, str] | None | UnsetType = UNSET
    """Your own pairs: 50 keys of 40 characters, values of 500."""
    off_session: bool | None | UnsetType = UNSET
    """Whether the customer is not there: the saved `payment_method` is charged, or declined with
    `authentication_required` where its issuer wants a proof.
    """
    payment_method: str | None | UnsetType = UNSET
    """The processor's token of what is charged; or the id of a payment method that is saved of the payment's
    `customer`.
    """
    payment_method_type: PaymentMethodType | None | UnsetType = UNSET
    """`card` where absent; `pix` and `boleto` for BRL, captured at once."""
    return_url: str | None | UnsetType = UNSET
    """Where the customer comes back to after proving who they are: an absolute http or https URL."""


class CreateUser(Struct, frozen=True, kw_only=True):
    """Somebody who logs in with a password."""

    email: str
    """The login name, unique everywhere."""
    password: str
    """At least 12 characters."""
    roles: list[str]
    """Names of roles, which allow no more than you may."""


class CreateWebhook(Struct, frozen=True, kw_only=True):
    """Where to send which events."""

    description: str | UnsetType = UNSET
    """What it is for, for people."""
    events: list[str]
    """Event names, prefixes such as `payment.*`, or `*`."""
    has_public_key: bool | UnsetType = UNSET
    """Whether webhooks are signed with ed25519 (`v1a`) too."""
    headers: dict[str, str] | UnsetType = UNSET
    """Headers of your own, sent with every attempt; their values are not shown again."""
    is_ordered: bool | UnsetType = UNSET
    """Whether the events of one payment are delivered in order."""
    rate_limit_per_second: int | None | UnsetType = UNSET
    """Attempts per second at most; null for no limit."""
    url: str
    """The address that events are sent to."""


class CustomerBody(Struct, frozen=True, kw_only=True):
    """A customer as clients see it."""

    created_at: str
    email: str | None
    id: str
    metadata: dict[str, str]
    name: str | None
    reference: str
    updated_at: str


class CustomerList(Struct, frozen=True, kw_only=True):
    """A page of customers, newest first."""

    data: list[CustomerBody]
    next_cursor: str | None


class DeadEventBody(Struct, frozen=True, kw_only=True):
    """One event of a dead letter; null is what is unknown."""

    correlation_id: str | None
    event_id: str
    payment_intent_id: str | None
    refund_id: str | None
    tenant_id: str | None


class DeadLetterBody(Struct, frozen=True, kw_only=True):
    """One message that a service could not handle; null is what is unknown."""

    age_seconds: int | None
    detail: str | None
    event_count: int
    """0: it is no message of the platform's own form."""
    events: list[DeadEventBody]
    """The first ten."""
    failed_at: str | None
    id: str
    """The same each time, as long as it waits."""
    message_id: str | None
    message_type: str | None
    queue: str
    """In which it was to be handled."""
    reason: str | None
    """Why, as a stable word; null where RabbitMQ gave it up."""
    service: str
    size_bytes: int


class DeadLetterQueueBody(Struct, frozen=True, kw_only=True):
    """How many dead letters one queue has."""

    count: int
    queue: str
    service: str


class DeadLettersBody(Struct, frozen=True, kw_only=True):
    """The dead letters of services, the oldest first."""

    data: list[DeadLetterBody]
    queues: list[DeadLetterQueueBody]
    """All queues that have any."""
    unavailable: list[str]
    """Services that do not answer."""


class DecideMany(Struct, frozen=True, kw_only=True):
    """A decision about several discrepancies, all or none of them."""

    assignee: str | UnsetType = UNSET
    """Who looks at them, for `assign`."""
    decision: str
    ids: list[str]
    """Their ids."""
    note: str | UnsetType = UNSET
    """Why, in your words."""
    reason: str | UnsetType = UNSET
    """Why, as a word: `refunded_by_hand`."""


class DecidePolicyChange(Struct, frozen=True, kw_only=True):
    """A decision about a change of the policy."""

    reason: str | None | UnsetType = UNSET


class DecideProposal(Struct, frozen=True, kw_only=True):
    """A decision about a proposal."""

    reason: str | None | UnsetType = UNSET


class DeliveryAttemptBody(Struct, frozen=True, kw_only=True):
    """One try at a delivery."""

    attempted_at: str
    duration_ms: int
    error: str | None
    number: int
    response_excerpt: str
    status_code: int | None


class DeliveryBody(Struct, frozen=True, kw_only=True):
    """One event to be delivered to one endpoint."""

    attempts: list[DeliveryAttemptBody]
    body: str | None | UnsetType = UNSET
    """The JSON exactly as it is sent, the same on every attempt; only with the filter `event_id`."""
    created_at: str
    end_reason: str | None
    ended_at: str | None
    endpoint_id: str | None
    event_id: str
    event_type: str
    id: str
    next_attempt_at: str | None
    replays: int
    status: str


class DeliveryPage(Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    data: list[DeliveryBody]
    next_cursor: str | None


class DiscrepancyBody(Struct, frozen=True, kw_only=True):
    """Something on which two sides do not agree."""

    actual_amount: str | None
    actual_status: str | None
    aspect: str
    assignee: str | None
    created_at: str
    currency: str | None
    detail: str
    discrepancy_type: str
    expected_amount: str | None
    expected_status: str | None
    gateway_ref: str | None
    id: str
    last_seen_at: str
    note: str | None
    payment_intent_id: str | None
    reason: str | None
    resolved: bool
    settled_at: str | None
    state: str
    subject: str
    subject_kind: str
    tenant_id: str


class DiscrepancyFound(Struct, frozen=True, kw_only=True):
    """The processor, our payments and the books do not agree, in ways that no reconciliation has found before. Handled
    by the notifier and other teams.
    """

    correlation_id: str
    """Ties it to the request or message that caused it."""
    discrepancy_count: int
    """How many discrepancies are new."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    run_id: str
    """The reconciliation run that found it."""
    tenant_id: str
    """The tenant it happened to."""
    types: list[str]
    """Of which types, in alphabetical order: `AMOUNT_MISMATCH`."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class DiscrepancyFoundWebhook(Struct, frozen=True, kw_only=True):
    """DiscrepancyFoundWebhook"""

    data: DiscrepancyFound
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class DiscrepancyHistoryBody(Struct, frozen=True, kw_only=True):
    """A discrepancy with all that was done about it, oldest first."""

    actual_amount: str | None
    actual_status: str | None
    aspect: str
    assignee: str | None
    changes: list[ChangeBody]
    created_at: str
    currency: str | None
    detail: str
    discrepancy_type: str
    expected_amount: str | None
    expected_status: str | None
    gateway_ref: str | None
    id: str
    last_seen_at: str
    note: str | None
    payment_intent_id: str | None
    reason: str | None
    resolved: bool
    settled_at: str | None
    state: str
    subject: str
    subject_kind: str
    tenant_id: str


class DisputeBody(Struct, frozen=True, kw_only=True):
    """A dispute as clients see it."""

    amount: str
    currency: str
    evidence_due_at: str | None
    """Until when you may answer."""
    gateway_ref: str
    id: str
    opened_at: str
    payment_intent_id: str
    reason: str
    """The bank's reason: `fraudulent`."""
    status: DisputeStatus
    updated_at: str


class DisputeLost(Struct, frozen=True, kw_only=True):
    """The disputed money is gone. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    dispute_id: str
    """The dispute."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    payment_status: str
    """The intent's status, which a dispute does not change."""
    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class DisputeLostWebhook(Struct, frozen=True, kw_only=True):
    """DisputeLostWebhook"""

    data: DisputeLost
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class DisputeOpened(Struct, frozen=True, kw_only=True):
    """The customer's bank took the money back until it is decided. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    dispute_id: str
    """The dispute."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    evidence_due_at: str | None | UnsetType = UNSET
    """Until when the merchant may answer, where the processor says so."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    payment_status: str
    """The intent's status, which a dispute does not change."""
    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class DisputeOpenedWebhook(Struct, frozen=True, kw_only=True):
    """DisputeOpenedWebhook"""

    data: DisputeOpened
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class DisputeStatus(OpenEnum):
    """What clients see of a dispute."""

    INQUIRY = "INQUIRY"
    INQUIRY_CLOSED = "INQUIRY_CLOSED"
    LOST = "LOST"
    OPEN = "OPEN"
    WON = "WON"


class DisputeWon(Struct, frozen=True, kw_only=True):
    """The bank gave the disputed money back. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    dispute_id: str
    """The dispute."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    payment_status: str
    """The intent's status, which a dispute does not change."""
    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class DisputeWonWebhook(Struct, frozen=True, kw_only=True):
    """DisputeWonWebhook"""

    data: DisputeWon
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class Disturbance(Struct, frozen=True, kw_only=True):
    """What is done to a tenant's requests."""

    enabled: bool | UnsetType = UNSET
    fail_percent: int | UnsetType = UNSET
    """How many of 100 requests are answered 503."""
    latency_ms: int | UnsetType = UNSET
    """How long each request is held back first."""


class EndpointBody(Struct, frozen=True, kw_only=True):
    """A webhook endpoint."""

    created_at: str
    description: str
    disabled_reason: str | None
    events: list[str]
    gap: GapBody | None | UnsetType = UNSET
    header_names: list[str]
    health: HealthBody | None | UnsetType = UNSET
    id: str
    is_active: bool
    is_ordered: bool
    public_key: str | None
    rate_limit_per_second: int | None
    secret: str | None | UnsetType = UNSET
    """The signing secret: shown once, in the answer to the registration."""
    url: str


class EntriesPostedBody(Struct, frozen=True, kw_only=True):
    """What became of a call."""

    dry_run: bool
    mode: Mode
    posted: int
    """How many were posted; in a dry run, would be."""
    refused: int
    replayed: int
    """How many stood in the books before."""
    results: list[EntryResultBody]
    """One per entry, in their order."""


class EntryBody(Struct, frozen=True, kw_only=True):
    """One business event in the books."""

    effective_at: str | None
    """When it counts: later than `occurred_at` where that period was closed."""
    id: str
    kind: str
    lines: list[EntryLineBody]
    occurred_at: str
    payment_intent_id: str | None
    posted_at: str
    reverses: str | None
    """The entry that it takes back, where it is a reversal."""


class EntryItem(Struct, frozen=True, kw_only=True):
    """One entry with what the journal has of it."""

    approved_by: str | None
    """Who approved it, where somebody had to."""
    conversion_id: str | None
    """The exchange of currencies that it is one side of."""
    customer_ref: str | None
    """Of the payment that it belongs to, for callers who may read payments (`payments:read`)."""
    description: str | None
    effective_at: str | None
    """When it counts: later than `occurred_at` where that period was closed."""
    id: str
    kind: str
    lines: list[EntryLineBody]
    made_by: str | None
    """Who made it, where a person did."""
    number: str | None
    """Its place in the record, for ever: chain, group of it, entry of that; `c3-17-1`."""
    occurred_at: str
    order_id: str | None
    """Of the payment that it belongs to, for callers who may read payments (`payments:read`)."""
    payment_intent_id: str | None
    posted_at: str
    reversed_by: str | None
    """The entry that takes it back, where one does."""
    reverses: str | None
    """The entry that it takes back, where it is a reversal."""


class EntryLine(Struct, frozen=True, kw_only=True):
    """One debit or credit."""

    account: str
    """The account's code."""
    amount: Amount
    """Above zero; a JSON number or a numeric string, read exactly."""
    currency: str
    """ISO 4217 code, upper case, or the code of an own unit."""
    side: Side


class EntryLineBody(Struct, frozen=True, kw_only=True):
    """One debit or credit."""

    account: str
    amount: str
    currency: str
    side: Side


class EntryResultBody(Struct, frozen=True, kw_only=True):
    """What became of one entry."""

    code: str | None
    """The kind of problem, where it was refused."""
    detail: str | None
    id: str
    outcome: Outcome
    pointer: str | None
    """Where in the request: `/entries/17/lines/0/account`."""
    posted_at: str | None


class ExchangeRateBody(Struct, frozen=True, kw_only=True):
    """An exchange rate as it was recorded."""

    effective_at: str
    from_currency: str
    id: str
    rate: str
    """Units of `to_currency` for one of `from_currency`."""
    recorded_at: str
    recorded_by: str
    source: str
    to_currency: str


class ExpandedPaymentIntent(Struct, frozen=True, kw_only=True):
    """A payment intent, and what is shown with it on request."""

    action_url: str | None
    """Where the customer acts, while that is required. Whole in the answer to a confirmation and in `GET
    .../next-action`; elsewhere without the secret that opens the page.
    """
    advice_code: str | None
    """What to do next: `try_again_later`."""
    amount: str
    """Decimal string with exactly the currency's decimals."""
    authorized_amount: str
    capture_method: CaptureMethod
    captured_amount: str
    created_at: str
    currency: str
    customer: str | None
    """The customer whose payment it is."""
    customer_ref: str
    decline_code: str | None
    """The issuer's reason: `insufficient_funds`."""
    description: str | None
    disputed_amount: str
    """What customers' banks took back and have not returned."""
    entries: list[EntryBody] | UnsetType = UNSET
    events: list[TimelineEventBody] | UnsetType = UNSET
    expires_at: str | None
    """When held funds are released, if not captured."""
    failure_code: str | None
    failure_message: str | None
    gateway_ref: str | None
    id: str
    metadata: dict[str, str]
    network_advice_code: str | None
    """The card network's advice: `03`."""
    network_decline_code: str | None
    """The card network's own code: `51`."""
    next_action: NextActionBody | None
    off_session: bool
    order_id: str | None
    payment_method: str | None
    """A token, or the id of what is saved."""
    payment_method_type: PaymentMethodType
    refunded_amount: str
    """What was given back; pending refunds not yet."""
    return_url: str | None
    status: Status
    updated_at: str


class Feature(OpenEnum):
    """Everything that can be switched on and off."""

    AUDIT_EXPORT = "audit_export"
    STRICT_BODIES = "strict_bodies"
    WEBHOOK_REPLAYS = "webhook_replays"


class FeatureFlag(Struct, frozen=True, kw_only=True):
    """One feature as it is for the tenant."""

    description: str
    is_enabled: bool
    name: Feature
    source: str
    """Who decided: `tenant`, a setting of its own; `global`, one for all; `default`, nobody yet."""


class FieldMap(Struct, frozen=True, kw_only=True):
    """How a bank's table is read. Columns are named by their headers; case and space around them do not matter."""

    account: str = ""
    """The column of the account."""
    amount: str = ""
    """The column of the signed amount; instead of it `debit` and `credit`."""
    booked_words: list[str] = field(default_factory=list)
    """What `status` says of booked lines; the others are left out."""
    counterparty: str = ""
    """The column of who paid or was paid."""
    credit: str = ""
    """The column of what came."""
    credit_words: list[str] = field(default_factory=list)
    """What `direction` says where money came."""
    currency: str = ""
    """The column of the currency; instead of it `currency_code`."""
    currency_code: str = ""
    """The currency of every line, where no column says it."""
    date: str
    """The column of the booking date, or of date and time."""
    date_format: str = "%Y-%m-%d"
    """How dates are written, as Python's `strptime` has it, or `excel` for the days since 1899-12-30."""
    debit: str = ""
    """The column of what left."""
    debit_words: list[str] = field(default_factory=list)
    """What `direction` says where money left; every other word must be one of `credit_words`."""
    decimal: str = "."
    """What separates decimals."""
    delimiter: str = ","
    """What separates columns."""
    description: list[str] = field(default_factory=list)
    """The columns of the description, in order."""
    direction: str = ""
    """The column that says which way `amount` went, where it has no sign."""
    fee: str = ""
    """The column of what was kept of the amount."""
    id: str = ""
    """The column of the bank's own id, which is that of one line only."""
    is_negated: bool = False
    """Whether amounts above zero left, as on statements of credit cards."""
    kind: str = ""
    """The column of what kind of line it is."""
    references: dict[str, str] = field(default_factory=dict)
    """Columns of references, by the name that they get."""
    status: str = ""
    """The column that says whether a line is booked; empty: each one is."""
    thousands: str = ""
    """What separates thousands; a space is every space, the narrow and the unbreakable one too."""
    time: str = ""
    """The column of the time of day, where `date` has none."""
    time_format: str = "%H:%M:%S"
    """How times are written."""
    value_date: str = ""
    """The column of the value date."""


class FileFaultBody(Struct, frozen=True, kw_only=True):
    """What is wrong in a file, and where."""

    column: str
    """The column or element; empty: the line as a whole."""
    line: int
    """The line, from 1; 0: the file as a whole."""
    reason: str


class FileImportBody(Struct, frozen=True, kw_only=True):
    """A file, and what became of it."""

    completed_at: str | None
    created_at: str
    ended_at: str | None
    errors: list[FileFaultBody]
    """At most 1,000; empty in lists."""
    errors_total: int
    file_name: str
    first_on: str | None
    """The earliest booking date."""
    id: str
    last_on: str | None
    """The latest booking date."""
    lines_known: int
    """Lines that an earlier file had, or that the file has twice."""
    lines_new: int
    """Lines that no file before had."""
    lines_read: int
    lines_skipped: int
    """Totals, repeated headers, pending entries."""
    received_bytes: int
    sha256: str
    size_bytes: int
    source_id: str
    status: str
    """`UPLOADING`, `WAITING`, `READING`, `IMPORTED`, `REJECTED` or `ABANDONED`."""


class FinancialStatementBody(Struct, frozen=True, kw_only=True):
    """A financial statement."""

    basis: Basis
    columns: list[ColumnBody]
    currencies: list[StatementCurrencyBody]
    statement: str
    tz: str


class FindingBody(Struct, frozen=True, kw_only=True):
    """Something in the books that cannot be."""

    detail: str
    found_at: str
    invariant: str
    subject: str


class GapBody(Struct, frozen=True, kw_only=True):
    """What was missed while the endpoint was switched off; `POST .../replay` with these bounds makes up for it."""

    count: int
    since: str
    until: str


class GatewayConfigBody(Struct, frozen=True, kw_only=True):
    """A processor account that a tenant charges through, without its keys."""

    application_fee_bps: int = 0
    application_fee_minor: int = 0
    connected_account: str = ""
    created_at: str
    currencies: list[str]
    id: str
    payment_method: str
    processor: str
    refund_application_fee: bool = False
    return_url: str
    secret_key_last4: str
    updated_at: str
    webhook_path: str
    """Where Stripe's webhooks are sent to, below the gateway's public address."""
    webhook_secret_last4: str


class GatewayEventBody(Struct, frozen=True, kw_only=True):
    """One event that a processor sent, and what came of it."""

    happened_at: str
    id: str
    payment_intent_id: str | None
    processor: str
    reason: str
    received_at: str
    status: str
    type: str


class HealthBody(Struct, frozen=True, kw_only=True):
    """How an endpoint does, and what is done about it."""

    consecutive_failures: int
    delivered_recently: int
    disables_at: str | None
    failed_recently: int
    failing_since: str | None
    last_error: str | None
    paused_until: str | None
    status: str
    waiting: int


class HeldBody(Struct, frozen=True, kw_only=True):
    """What an account holds in one currency."""

    balance: str
    """Credits minus debits."""
    currency: str


class HoldBody(Struct, frozen=True, kw_only=True):
    """An amount set aside."""

    amount: str
    captured: str
    credit_account: str
    currency: str
    debit_account: str
    entry_id: str | None
    expires_at: str | None
    id: str
    placed_at: str
    resolved_at: str | None
    state: HoldState


class HoldState(OpenEnum):
    """Where a hold stands. Every state but the first is final."""

    CAPTURED = "CAPTURED"
    EXPIRED = "EXPIRED"
    OPEN = "OPEN"
    VOIDED = "VOIDED"


class IdentityProviderBody(Struct, frozen=True, kw_only=True):
    """An identity provider, without its secret."""

    client_id: str
    created_at: str
    has_client_secret: bool
    issuer: str
    login_path: str
    """The page of the console on which users log in by it."""
    redirect_path: str
    """Where users come back to: register it there, behind the host of the console."""
    updated_at: str


class InStageBody(Struct, frozen=True, kw_only=True):
    """Payments or refunds of one currency that are in one stage now."""

    amount: str
    """What they are about."""
    currency: str
    number: int
    """How many."""
    since: str
    """Since when the oldest of them is as it is."""
    stage: str
    """`processing`: the processor has not answered; `requires_action`: the customer has to act; `authorized`: held,
    and the merchant has not captured it; `capturing`; `voiding`; `refunding`.
    """


class InquiryClosed(Struct, frozen=True, kw_only=True):
    """The inquiry of the customer's bank ended without a dispute. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    dispute_id: str
    """The dispute."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    payment_status: str
    """The intent's status, which a dispute does not change."""
    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class InquiryClosedWebhook(Struct, frozen=True, kw_only=True):
    """InquiryClosedWebhook"""

    data: InquiryClosed
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class InquiryOpened(Struct, frozen=True, kw_only=True):
    """The customer's bank inquires, and has taken nothing; the same dispute may be opened later. Handled by the
    notifier and other teams.
    """

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    dispute_id: str
    """The dispute."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    evidence_due_at: str | None | UnsetType = UNSET
    """Until when the merchant may answer, where the processor says so."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    payment_status: str
    """The intent's status, which a dispute does not change."""
    reason: str
    """The bank's reason, as a stable snake_case word: `fraudulent`."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class InquiryOpenedWebhook(Struct, frozen=True, kw_only=True):
    """InquiryOpenedWebhook"""

    data: InquiryOpened
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class JournalBody(Struct, frozen=True, kw_only=True):
    """A page of the journal, oldest first."""

    data: list[JournalItem]
    next_cursor: str | None


class JournalItem(Struct, frozen=True, kw_only=True):
    """One entry of the journal."""

    approved_by: str | None
    """Who approved it, where somebody had to."""
    conversion_id: str | None
    """The exchange of currencies that it is one side of."""
    customer_ref: str | None
    """Of the payment that it belongs to, for callers who may read payments (`payments:read`)."""
    description: str | None
    effective_at: str | None
    """When it counts: later than `occurred_at` where that period was closed."""
    id: str
    kind: str
    lines: list[EntryLineBody]
    made_by: str | None
    """Who made it, where a person did."""
    number: str | None
    """Its place in the record, for ever: chain, group of it, entry of that; `c3-17-1`."""
    occurred_at: str
    order_id: str | None
    """Of the payment that it belongs to, for callers who may read payments (`payments:read`)."""
    payment_intent_id: str | None
    posted_at: str
    reverses: str | None
    """The entry that it takes back, where it is a reversal."""


class KeyMode(OpenEnum):
    """Where a key counts: a place has one mode, and takes keys of that mode alone."""

    LIVE = "live"
    TEST = "test"


class LedgerSettings(Struct, frozen=True, kw_only=True):
    """Whether the tenant lets nobody change its books alone."""

    manual_entries_need_approval: bool
    """Whether everything can only be proposed, and somebody else approves."""


class Liveness(Struct, frozen=True, kw_only=True):
    """Liveness"""

    status: str = "ok"


class MatchBody(Struct, frozen=True, kw_only=True):
    """Lines with what they belong to."""

    amount: str
    """What its lines come to."""
    confidence: int
    currency: str
    difference: str
    """That, less what the other side has."""
    id: str
    matched_at: str
    matched_by: str
    """Who matched it; `reconciliation`: a run."""
    other_amount: str | None
    """What the other side has in it: the rate is `amount` to this."""
    other_currency: str | None
    """That of the other side, where it is another one."""
    parts: list[PartBody]
    reason: str | None
    rule: str
    """The kind of the rule; `by_hand`: a person."""
    rule_version: int
    run_id: str | None
    unmatch_reason: str | None
    unmatched_at: str | None
    unmatched_by: str | None


class MatchByHand(Struct, frozen=True, kw_only=True):
    """Lines, and the payouts or movements that they belong to."""

    difference_minor: int | UnsetType = UNSET
    """What the lines come to, less what the other side has, in minor units: named, or the match is refused."""
    line_ids: list[str]
    """The lines, of one currency."""
    other_currency: str | None | UnsetType = UNSET
    """ISO 4217 code of the other side, where it is another one than that of the lines: named, or the match is refused."""
    other_minor: int | None | UnsetType = UNSET
    """What the other side has in that currency, in its minor units."""
    reason: str
    """Why, in your words."""
    references: list[str]
    """The processor's references of payouts, or of movements for lines of its reports."""


class MatchedBody(Struct, frozen=True, kw_only=True):
    """What agrees, in one currency."""

    amount: str
    currency: str
    number: int


class Me(Struct, frozen=True, kw_only=True):
    """What the token says about its bearer."""

    jti: str
    perms: list[str]
    plan: str
    region: str
    roles: list[str]
    sub: str
    tid: str


class Mode(OpenEnum):
    """What becomes of the others when one entry is refused."""

    ATOMIC = "atomic"
    INDEPENDENT = "independent"


class MovedBody(Struct, frozen=True, kw_only=True):
    """What moved on an account for one reason."""

    came: str
    kind: str
    left: str
    number: int


class NewApiKeyBody(Struct, frozen=True, kw_only=True):
    """A new API key, with the secret that is shown this once."""

    created_at: str
    created_by: str
    """Who made it: a login name, or `key:<id>`."""
    expires_at: str | None
    hint: str
    """The last four characters of the secret."""
    id: str
    is_active: bool
    """Whether it is accepted."""
    last_used_at: str | None
    """When it was used last, to the minute."""
    mode: KeyMode
    name: str
    responsible: str
    """The person who made it; of a key that a key made, whoever made the first one."""
    revoked_at: str | None
    rotated_to: str | None
    """The key that replaces it."""
    scopes: list[str]
    secret: str
    """What to send as `Authorization: Bearer`. It is never shown again."""


class NewApprovalRule(Struct, frozen=True, kw_only=True):
    """What nobody may do alone: all of its conditions together; without any, everything."""

    account: str | None | UnsetType = UNSET
    """With a line on this account only."""
    at_least: list[NewThreshold] | UnsetType = UNSET
    """From these amounts on. A currency that is not named counts from the first minor unit."""
    kind: RuleKind | None | UnsetType = UNSET
    """This kind only."""
    role: Role | None | UnsetType = UNSET
    """With a line on an account that plays this role, or has, only."""


class NewEntry(Struct, frozen=True, kw_only=True):
    """An entry to be made: in one currency, its debits equal to its credits."""

    description: str
    """Why it is made."""
    id: str | None | UnsetType = UNSET
    """Its id for ever: the same again is a replay, other content of the same id a conflict. Without one it follows
    from the key.
    """
    lines: list[EntryLine]
    occurred_at: str | None | UnsetType = UNSET
    """When it happened; else when it is posted."""


class NewThreshold(Struct, frozen=True, kw_only=True):
    """From which amount on a rule holds."""

    amount: Amount
    """Above zero; a JSON number or a numeric string, read exactly."""
    currency: str
    """ISO 4217 code, upper case, or the code of an own unit."""


class NextActionBody(Struct, frozen=True, kw_only=True):
    """What the customer does next: goes to `url`, goes on in the processor's client library, or pays a code or a slip."""

    boleto_display_details: BoletoBody | None | UnsetType = UNSET
    pix_display_qr_code: PixBody | None | UnsetType = UNSET
    type: str
    """`redirect`, `use_stripe_sdk`, `pix_display_qr_code` or `boleto_display_details`."""
    url: str = ""
    """Where to send the customer; not with `use_stripe_sdk`."""


class NoMembers(Struct, frozen=True, kw_only=True):
    """Nothing: all that is requested stands in the path."""


class OpenBody(Struct, frozen=True, kw_only=True):
    """Discrepancies that are not settled, of one type, currency and age."""

    age: str
    amount: str | None
    currency: str | None
    number: int
    type: str


class OrderPayment(Struct, frozen=True, kw_only=True):
    """The payment of an order."""

    amount: str
    id: str
    order_id: str
    status: Status


class Outcome(OpenEnum):
    """What became of one entry."""

    NOT_POSTED = "not_posted"
    POSTED = "posted"
    REFUSED = "refused"
    REPLAYED = "replayed"


class OwnUnitBody(Struct, frozen=True, kw_only=True):
    """A unit that the tenant's books count in, beside money."""

    code: str
    """What amounts name it by."""
    created_at: str
    created_by: str
    decimals: int
    """How many its amounts have, as its code says."""
    name: str


class PartBody(Struct, frozen=True, kw_only=True):
    """A line, payout or movement of a match."""

    amount: str
    id: str
    reference: str | None
    """The processor's reference."""
    side: str
    """`line`, `payout` or `movement`."""


class PaymentAuthorized(Struct, frozen=True, kw_only=True):
    """The issuer promised the funds. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentAuthorizedWebhook(Struct, frozen=True, kw_only=True):
    """PaymentAuthorizedWebhook"""

    data: PaymentAuthorized
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentCaptured(Struct, frozen=True, kw_only=True):
    """The processor took the held funds, all or a part; the books follow. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    captured_amount: str = ""
    """What was taken, as a decimal string; the rest is released."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentCapturedWebhook(Struct, frozen=True, kw_only=True):
    """PaymentCapturedWebhook"""

    data: PaymentCaptured
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentExpired(Struct, frozen=True, kw_only=True):
    """Held funds were released because nobody captured them in time. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    status: str = "EXPIRED"
    """Always `EXPIRED`."""
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentExpiredWebhook(Struct, frozen=True, kw_only=True):
    """PaymentExpiredWebhook"""

    data: PaymentExpired
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentFailed(Struct, frozen=True, kw_only=True):
    """The issuer declined, or the capture was refused. A declined payment may be confirmed again, and
    `payment.authorized` then follows with a greater `sequence`. Handled by the notifier and other teams.
    """

    advice_code: str = ""
    """What the processor advises to do: `try_again_later`, `do_not_try_again`; empty where it advises nothing."""
    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    decline_code: str = ""
    """The issuer's reason, in the processor's words; empty where there is none."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    failure_code: str
    """Why, as a stable snake_case word: `insufficient_funds`."""
    failure_message: str
    """Why, as a sentence that may be shown to a person."""
    network_advice_code: str = ""
    """The card network's advice; empty where there is none."""
    network_decline_code: str = ""
    """The card network's own code; empty where there is none."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    status: str = "FAILED"
    """Always `FAILED`."""
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentFailedWebhook(Struct, frozen=True, kw_only=True):
    """PaymentFailedWebhook"""

    data: PaymentFailed
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentIntentBody(Struct, frozen=True, kw_only=True):
    """A payment intent as clients see it."""

    action_url: str | None
    """Where the customer acts, while that is required. Whole in the answer to a confirmation and in `GET
    .../next-action`; elsewhere without the secret that opens the page.
    """
    advice_code: str | None
    """What to do next: `try_again_later`."""
    amount: str
    """Decimal string with exactly the currency's decimals."""
    authorized_amount: str
    capture_method: CaptureMethod
    captured_amount: str
    created_at: str
    currency: str
    customer: str | None
    """The customer whose payment it is."""
    customer_ref: str
    decline_code: str | None
    """The issuer's reason: `insufficient_funds`."""
    description: str | None
    disputed_amount: str
    """What customers' banks took back and have not returned."""
    expires_at: str | None
    """When held funds are released, if not captured."""
    failure_code: str | None
    failure_message: str | None
    gateway_ref: str | None
    id: str
    metadata: dict[str, str]
    network_advice_code: str | None
    """The card network's advice: `03`."""
    network_decline_code: str | None
    """The card network's own code: `51`."""
    next_action: NextActionBody | None
    off_session: bool
    order_id: str | None
    payment_method: str | None
    """A token, or the id of what is saved."""
    payment_method_type: PaymentMethodType
    refunded_amount: str
    """What was given back; pending refunds not yet."""
    return_url: str | None
    status: Status
    updated_at: str


class PaymentIntentCreated(Struct, frozen=True, kw_only=True):
    """A merchant wishes to be paid. Published on creation; handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentIntentCreatedWebhook(Struct, frozen=True, kw_only=True):
    """PaymentIntentCreatedWebhook"""

    data: PaymentIntentCreated
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentIntentPage(Struct, frozen=True, kw_only=True):
    """A page of payment intents, newest first."""

    data: list[PaymentIntentBody]
    next_cursor: str | None
    page: int | UnsetType = UNSET
    """From 1; absent after a cursor."""
    pageSize: int
    total: int | UnsetType = UNSET
    """How many there are on all pages; absent after a cursor, and with `total=false`."""


class PaymentMethodType(OpenEnum):
    """How a customer pays."""

    BOLETO = "boleto"
    CARD = "card"
    PIX = "pix"


class PaymentPeriodBody(Struct, frozen=True, kw_only=True):
    """The payments of one currency that were made in one period, and what became of them until now."""

    amount: str
    """What they are about."""
    authorized: int
    """How many of them an issuer has promised."""
    captured_amount: str
    currency: str
    disputed_amount: str
    """What banks took back of them and have not returned."""
    failed: int
    """How many of them have failed."""
    payments: int
    """How many were made."""
    period: str
    """When the period begins, in the time zone `tz`."""
    refunded_amount: str
    """What was given back of them, whenever that was."""


class PaymentRefunded(Struct, frozen=True, kw_only=True):
    """Captured money was given back. Handled by the notifier, other teams, and the ledger, which compares it with its
    books.
    """

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    payment_status: str
    """The intent's status from then on: `PARTIALLY_REFUNDED`, `REFUNDED`, `SETTLED`."""
    reason: str = ""
    """The merchant's words; empty where there are none."""
    refund_id: str
    """The refund."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentRefundedWebhook(Struct, frozen=True, kw_only=True):
    """PaymentRefundedWebhook"""

    data: PaymentRefunded
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentReportBody(Struct, frozen=True, kw_only=True):
    """How payments went."""

    in_flight: list[InStageBody]
    """What is not over, as of now."""
    periods: list[PaymentPeriodBody]
    """Oldest first; periods without payments are left out."""
    tz: str
    """The time zone whose calendar cuts the periods."""


class PaymentRequiresAction(Struct, frozen=True, kw_only=True):
    """The customer must prove something to the issuer first (3-D Secure), or pay a code or a slip. Handled by the
    notifier and other teams.
    """

    action_url: str = ""
    """Where the customer does so; empty where the processor's client library leads the way."""
    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    next_action: PixDisplayQrCode | BoletoDisplayDetails | None | UnsetType = UNSET
    """What the customer has to do, where more is known than an address."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    status: str = "REQUIRES_ACTION"
    """Always `REQUIRES_ACTION`."""
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentRequiresActionWebhook(Struct, frozen=True, kw_only=True):
    """PaymentRequiresActionWebhook"""

    data: PaymentRequiresAction
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentSettled(Struct, frozen=True, kw_only=True):
    """Captured at the processor and posted in the ledger.

    Handled by the notifier, by the ledger, which compares it with its books, and, for an order, by the orders
    service.
    """

    amount: str
    """The intent's amount as a decimal string."""
    captured_amount: str = ""
    """What was taken, as a decimal string: less than `amount` where only a part was captured."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    status: str = "SETTLED"
    """Always `SETTLED`."""
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentSettledWebhook(Struct, frozen=True, kw_only=True):
    """PaymentSettledWebhook"""

    data: PaymentSettled
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PaymentVoided(Struct, frozen=True, kw_only=True):
    """The merchant let go of the payment, and nothing is held any more. Handled by the notifier and other teams."""

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    status: str = "VOIDED"
    """Always `VOIDED`."""
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class PaymentVoidedWebhook(Struct, frozen=True, kw_only=True):
    """PaymentVoidedWebhook"""

    data: PaymentVoided
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class PeriodBody(Struct, frozen=True, kw_only=True):
    """Closed books."""

    closed_at: str
    closed_by: str
    ends_before: str


class PixBody(Struct, frozen=True, kw_only=True):
    """A Pix code that the customer pays in the app of a bank."""

    data: str
    """The text of the code: to be copied, or drawn as a QR code."""
    expires_at: str | None
    """Until when it can be paid."""
    hosted_instructions_url: str
    """A page that shows the code, or empty."""
    image_url_png: str
    """The QR code as an image, or empty."""


class PixDisplayQrCode(Struct, frozen=True, kw_only=True):
    """Show a QR code, or its text, which the customer pays in the app of a bank."""

    data: str
    """The text of the code: to be copied, or drawn as a QR code."""
    expires_at: str | None | UnsetType = UNSET
    """Until when it can be paid."""
    hosted_instructions_url: str = ""
    """A page of the processor that shows the code; empty where there is none."""
    image_url_png: str = ""
    """The QR code as an image; empty where the processor has none."""
    type: str


class PlaceHoldBody(Struct, frozen=True, kw_only=True):
    """An amount to be set aside."""

    amount: Amount
    """Above zero; a JSON number or a numeric string, read exactly."""
    credit_account: str
    currency: str
    """ISO 4217 code, upper case, or the code of an own unit."""
    debit_account: str
    expires_at: str | None | UnsetType = UNSET
    """When it is let go by itself; absent: never."""
    id: str | None | UnsetType = UNSET
    """Yours, which makes asking again harmless; absent: ours."""


class PolicyBody(Struct, frozen=True, kw_only=True):
    """A permission, and how it is narrowed; without a policy everybody but operators is refused."""

    admits_home_region: bool
    allowed_plans: list[str]
    allowed_regions: list[str]
    description: str
    effect: str | None
    permission: str


class PolicyChangeBody(Struct, frozen=True, kw_only=True):
    """A policy that one person wants and another one decides about."""

    decided_at: str | None
    decided_by: str | None
    decision_reason: str | None
    expires_at: str
    follows: int
    """The revision of the policy that it was proposed to replace."""
    id: str
    made_at: str
    made_by: str
    reason: str
    rules: list[ApprovalRuleBody]
    status: PolicyChangeStatus


class PolicyChangeStatus(OpenEnum):
    """How far a change of the policy is."""

    APPLIED = "applied"
    EXPIRED = "expired"
    OPEN = "open"
    REJECTED = "rejected"


class PolicyChangesBody(Struct, frozen=True, kw_only=True):
    """A page of changes of the policy, newest first."""

    data: list[PolicyChangeBody]
    next_cursor: str | None


class PostLedgerEntries(Struct, frozen=True, kw_only=True):
    """Entries to be posted."""

    dry_run: bool | UnsetType = UNSET
    """Decide all and keep nothing; needs no `Idempotency-Key`."""
    entries: list[NewEntry]
    mode: Mode | UnsetType = UNSET
    """Whether all are posted or none, or each for itself."""


class ProposalBody(Struct, frozen=True, kw_only=True):
    """Entries that one person wants and another one decides about."""

    decided_at: str | None
    decided_by: str | None
    decision_reason: str | None
    entries: list[ProposedEntry]
    expires_at: str
    id: str
    made_at: str
    made_by: str
    reason: str
    status: ProposalStatus


class ProposalStatus(OpenEnum):
    """How far a proposal is."""

    APPROVED = "approved"
    EXPIRED = "expired"
    OPEN = "open"
    REJECTED = "rejected"


class ProposalsBody(Struct, frozen=True, kw_only=True):
    """A page of proposals, newest first."""

    data: list[ProposalBody]
    next_cursor: str | None


class ProposeApprovalPolicy(Struct, frozen=True, kw_only=True):
    """A policy to be proposed: all of its rules."""

    reason: str
    """Why it is proposed."""
    rules: list[NewApprovalRule]
    """All rules; none: nothing needs a second person any more."""


class ProposeLedgerEntries(Struct, frozen=True, kw_only=True):
    """Entries to be proposed: they will be posted together, or not at all."""

    entries: list[NewEntry]
    reason: str
    """Why it is proposed."""


class ProposedEntry(Struct, frozen=True, kw_only=True):
    """An entry that is proposed."""

    description: str
    id: str
    """The id that it will have in the books, or has."""
    lines: list[ProposedLine]
    occurred_at: str | None


class ProposedLine(Struct, frozen=True, kw_only=True):
    """One debit or credit of a proposed entry."""

    account: str
    amount: str
    currency: str
    side: Side


class PutIdentityProvider(Struct, frozen=True, kw_only=True):
    """The identity provider by which users log in from now on."""

    client_id: str
    """What we are called there."""
    client_secret: str | None | UnsetType = UNSET
    """By what it knows us; it is never shown. Absent: by PKCE alone, as a public client."""
    issuer: str
    """Its issuer, exactly as its tokens have it: an https address, behind which `/.well-known/openid-configuration`
    is.
    """


class PutPolicy(Struct, frozen=True, kw_only=True):
    """How a permission is narrowed from now on."""

    admits_home_region: bool | UnsetType = UNSET
    """Whether a tenant is admitted with the region that it carries, whatever the list says."""
    allowed_plans: list[str]
    """Plans, each admitting higher ones; empty: all."""
    allowed_regions: list[str]
    """Regions; empty: all."""
    effect: str
    """`deny` refuses everybody but operators."""


class PutRole(Struct, frozen=True, kw_only=True):
    """What a role allows from now on."""

    description: str
    """Who has it, for people."""
    permissions: list[str]
    """Names of permissions."""


class PutRules(Struct, frozen=True, kw_only=True):
    """The rules of a source, in their order."""

    compared_with: str
    """`payouts` for lines of banks, `movements` for lines of processors."""
    concerns: list[str] | UnsetType = UNSET
    """A line with none of these words that belongs to nothing is no discrepancy; empty: every line is."""
    rules: list[RuleOfSource]
    """The first that finds something decides."""


class PutSource(Struct, frozen=True, kw_only=True):
    """Who sends files, and how they are read."""

    encoding: str | UnsetType = UNSET
    """How text is encoded; `auto`: by its mark, else UTF-8, else cp1252."""
    fields: SourceFields | None | UnsetType = UNSET
    """The columns of a `csv`; nothing else has them."""
    format: str
    """Which kind of file it sends."""
    name: str
    """What people call it."""
    reversal_turns_sign: bool | UnsetType = UNSET
    """Whether `RvslInd` of CAMT.053 turns the direction of an entry."""
    time_zone: str | UnsetType = UNSET
    """The zone of days and times that say none themselves, by IANA's name."""


class PutTenant(Struct, frozen=True, kw_only=True):
    """What a tenant is from now on."""

    name: str
    """Its name, for people."""
    plan: str
    """`free`, `starter`, `pro` or `enterprise`, or another word."""
    region: str
    """`region-a`, `sa-east-1` or another word."""
    status: TenantStatus | UnsetType = UNSET
    """Whether it may use the platform; absent: as it is, and ACTIVE for a new one."""


class QueueBody(Struct, frozen=True, kw_only=True):
    """One queue that a service consumes."""

    consumers: int
    """0: nothing takes its messages."""
    queue: str
    waiting: int
    """Messages that no process has yet."""


class QuoteBody(Struct, frozen=True, kw_only=True):
    """A rate that was used."""

    from_currency: str
    legs: list[RateLegBody]
    rate: str
    to_currency: str


class RateLegBody(Struct, frozen=True, kw_only=True):
    """A recorded rate that was applied."""

    effective_at: str
    from_currency: str
    inverse: bool
    """Read from `to_currency` to `from_currency`."""
    rate: str
    source: str
    to_currency: str


class Readiness(Struct, frozen=True, kw_only=True):
    """Readiness"""

    checks: dict[str, str]
    details: dict[str, str] | UnsetType = UNSET
    status: str


class RecordRate(Struct, frozen=True, kw_only=True):
    """An exchange rate to be recorded."""

    effective_at: str | None | UnsetType = UNSET
    """From when it holds; absent: from now on."""
    from_currency: str
    """ISO 4217 code, upper case."""
    rate: Amount
    """Units of `to_currency` for one of `from_currency`: above 0, at most 18 decimals; a JSON number or a numeric
    string, read exactly.
    """
    source: str | UnsetType = UNSET
    """Where it comes from: `ECB`."""
    to_currency: str
    """ISO 4217 code, upper case."""


class RedrivenBody(Struct, frozen=True, kw_only=True):
    """A dead letter is handled again."""

    id: str
    is_repeated: bool
    """Whether it had gone back before."""
    queue: str | None
    """Where; null where it had gone back before."""
    service: str


class RefreshBody(Struct, frozen=True, kw_only=True):
    """How fresh the reports are."""

    done: bool
    """Whether this refresh is done; else it goes on."""
    refreshed_at: str


class RefundBody(Struct, frozen=True, kw_only=True):
    """A refund as clients see it."""

    amount: str
    created_at: str
    currency: str
    failure_code: str | None
    failure_message: str | None
    gateway_ref: str | None
    id: str
    payment_intent_id: str
    reason: str | None
    status: RefundStatus
    """PENDING until the processor has reported how it ended."""
    updated_at: str


class RefundFailed(Struct, frozen=True, kw_only=True):
    """A refund did not reach the customer, even where `payment.refunded` was published before: it counts for nothing.

    Handled by the notifier and other teams.
    """

    amount: str
    """The intent's amount as a decimal string."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """The merchant's own reference of the customer."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    failure_code: str
    """Why, as a stable snake_case word."""
    failure_message: str
    """Why, as a sentence that may be shown to a person."""
    occurred_at: str
    """When it happened, in UTC."""
    order_id: str = ""
    """The order that requested this charge; empty when the intent did not come from a charge request."""
    payment_intent_id: str
    """The intent it happened to."""
    payment_status: str
    """The intent's status from then on: `PARTIALLY_REFUNDED`, `REFUNDED`, `SETTLED`."""
    reason: str = ""
    """The merchant's words; empty where there are none."""
    refund_id: str
    """The refund."""
    sequence: int = 0
    """Rises along one payment's events, with gaps; an event with a lower one than seen before is late. 0 where
    unknown.
    """
    tenant_id: str
    """The tenant it happened to."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class RefundFailedWebhook(Struct, frozen=True, kw_only=True):
    """RefundFailedWebhook"""

    data: RefundFailed
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class RefundRequest(Struct, frozen=True, kw_only=True):
    """How much to give back; without an amount, all that is left."""

    amount: Amount | UnsetType = UNSET
    """Above zero; a JSON number or a numeric string, read exactly."""
    reason: str | None | UnsetType = UNSET
    """Your own words."""


class RefundStatus(OpenEnum):
    """What clients see of a refund."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    PENDING = "PENDING"


class Repair(Struct, frozen=True, kw_only=True):
    """How a discrepancy is repaired."""

    proposal_id: str | None | UnsetType = UNSET
    """Entries that are proposed in the ledger; without it, what is safe is done at once."""


class ReplayBody(Struct, frozen=True, kw_only=True):
    """A replay and how far it is: done is when everything is scheduled, cancelled when it was stopped before."""

    created_at: str
    ended_at: str | None
    endpoint_id: str
    id: str | None
    scheduled: int
    status: str
    total: int


class ReplayWebhook(Struct, frozen=True, kw_only=True):
    """Which deliveries are made again."""

    dry_run: bool | UnsetType = UNSET
    """Count only; needs no `Idempotency-Key`."""
    event_ids: list[str] | UnsetType = UNSET
    """These events alone, whenever they happened."""
    event_types: list[str] | UnsetType = UNSET
    """Events of these names alone."""
    outcomes: list[str] | UnsetType = UNSET
    """`missing`: events that the endpoint lists and has no delivery of."""
    since: str | None | UnsetType = UNSET
    until: str | None | UnsetType = UNSET


class ReportBody(Struct, frozen=True, kw_only=True):
    """What an accountant reads of a run, as it was when it ended."""

    books: list[BesideBody]
    clearing: list[ClearingBody]
    made_at: str
    matched: list[MatchedBody]
    statements: list[StatementSummaryBody]
    unsettled: list[OpenBody]


class RequestLine(Struct, frozen=True, kw_only=True):
    """One request, as it was answered."""

    actor: str
    """The subject of the token, or the API key."""
    address: str
    at: str
    """When it was answered."""
    code: str
    """The code of the problem that was answered; empty: none."""
    correlation_id: str
    duration_ms: int
    id: str
    idempotency_key: str
    """Empty: none was sent."""
    method: str
    path: str
    """As it was sent, without its query."""
    route: str
    """The path as it is documented; empty: it was refused before a route was found."""
    status: int
    user_agent: str


class RequestLines(Struct, frozen=True, kw_only=True):
    """A page of the log of requests."""

    data: list[RequestLine]
    next_cursor: str | None


class ResultBody(Struct, frozen=True, kw_only=True):
    """What was earned or lost in one currency."""

    currency: str
    result: str
    """What was earned; below zero what was lost."""


class RevaluationBody(Struct, frozen=True, kw_only=True):
    """What became of valuing other currencies."""

    currency: str
    day: str
    entry_ids: list[str]
    outcome: ClosingOutcome
    proposal_id: str | None
    """What somebody else has to decide about."""
    results: list[ValuedBody]
    """What this request books, by currency."""


class RevalueBody(Struct, frozen=True, kw_only=True):
    """At the end of which day, and in which currency, others are valued."""

    currency: str
    """ISO 4217 code of the currency of the reports."""
    day: str
    """The last day of the period by the tenant's calendar, which is over."""


class RevenueItem(Struct, frozen=True, kw_only=True):
    """What was earned in one period and currency."""

    currency: str
    gross: str
    net: str
    """`gross` less `reversals` less `refunds`."""
    period: str
    """When the period begins, in the time zone `tz`."""
    refunds: str
    """What was given back, less what did not arrive."""
    reversals: str
    """Debits to revenue: what a reversal or a correction took back."""
    total: str
    """Credits to revenue; the same as `gross`."""
    tz: str
    """The time zone whose calendar cuts the periods."""


class Role(OpenEnum):
    """What an account is for in the posting rules; a tenant's chart names which account plays each role."""

    BANK = "BANK"
    CASH = "CASH"
    DEFERRED_REVENUE = "DEFERRED_REVENUE"
    DISPUTE_CLEARING = "DISPUTE_CLEARING"
    DISPUTE_LOSSES = "DISPUTE_LOSSES"
    FX_GAIN_LOSS = "FX_GAIN_LOSS"
    FX_POSITION = "FX_POSITION"
    FX_REVALUATION = "FX_REVALUATION"
    FX_UNREALIZED = "FX_UNREALIZED"
    GATEWAY_CLEARING = "GATEWAY_CLEARING"
    OPENING_BALANCE = "OPENING_BALANCE"
    PLATFORM_EARNINGS = "PLATFORM_EARNINGS"
    PLATFORM_FEES = "PLATFORM_FEES"
    PROCESSOR_AVAILABLE = "PROCESSOR_AVAILABLE"
    PROCESSOR_FEES = "PROCESSOR_FEES"
    PROCESSOR_PENDING = "PROCESSOR_PENDING"
    REFUND_CLEARING = "REFUND_CLEARING"
    REFUND_EXPENSE = "REFUND_EXPENSE"
    RESERVES = "RESERVES"
    RETAINED_EARNINGS = "RETAINED_EARNINGS"
    REVENUE = "REVENUE"
    SUSPENSE = "SUSPENSE"
    TAX_PAYABLE = "TAX_PAYABLE"
    TAX_RECOVERABLE = "TAX_RECOVERABLE"


class RoleBody(Struct, frozen=True, kw_only=True):
    """A role, and what it allows."""

    description: str
    name: str
    permissions: list[str]


class RoleChangeBody(Struct, frozen=True, kw_only=True):
    """One change of a role."""

    account: str
    """The account that plays it from then on."""
    changed_at: str
    changed_by: str
    revision: int
    """The tenant's changes of roles are numbered from 1."""


class RotateApiKey(Struct, frozen=True, kw_only=True):
    """How a key is replaced; nothing is needed."""

    expires_at: str | None | UnsetType = UNSET
    """Until when the new key is valid; absent: until the old one was to be."""
    overlap_seconds: int | UnsetType = UNSET
    """How long the old key stays valid beside the new one."""


class RotateKeys(Struct, frozen=True, kw_only=True):
    """New keys of the same account; what is missing stays."""

    secret_key: str | UnsetType = UNSET
    """The account's secret or restricted key; never shown again."""
    webhook_secret: str | UnsetType = UNSET
    """What Stripe signs its webhooks with, `whsec_...`; never shown again."""


class RotateWebhookSecret(Struct, frozen=True, kw_only=True):
    """How long the present secret goes on signing."""

    overlap_seconds: int | UnsetType = UNSET
    """0 ends every earlier secret at once; up to seven days."""


class RuleBody(Struct, frozen=True, kw_only=True):
    """A rule."""

    confidence: int
    kind: str
    parts_max: int
    tolerance_minor: int
    window_days: int


class RuleKind(OpenEnum):
    """What a person does in the books by themselves."""

    CONVERSION = "conversion"
    HOLD = "hold"
    MANUAL = "manual"
    REVERSAL = "reversal"


class RuleOfSource(Struct, frozen=True, kw_only=True):
    """One way to find the other side of a line."""

    confidence: int
    """How sure it is, in percent."""
    kind: str
    """How it is found."""
    parts_max: int | UnsetType = UNSET
    """Of how many parts one side may be, for those of several."""
    tolerance_minor: int | UnsetType = UNSET
    """By how much amounts may differ, for `tolerance` and `reference`."""
    window_days: int | UnsetType = UNSET
    """Days before and after the arrival of a payout."""


class RulesBody(Struct, frozen=True, kw_only=True):
    """The rules of a source that are in force."""

    compared_with: str
    concerns: list[str]
    made_at: str | None
    made_by: str | None
    rules: list[RuleBody]
    source_id: str
    version: int
    """From 1; 0: the defaults."""


class RunBody(Struct, frozen=True, kw_only=True):
    """One comparison of a window."""

    agreed: int
    discrepancies: dict[str, int]
    dry_run: bool
    ended_at: str | None
    from_: str = field(name="from")
    id: str
    lines: int
    lines_matched: int
    matched: int
    movements: int
    new: int
    payments: int
    phase: str
    reason: str | None
    report: ReportBody | None
    requested_by: str | None
    sample: list[DiscrepancyBody]
    started_at: str
    state: str
    totals: list[TotalsBody]
    until: str


class SavedMethodBody(Struct, frozen=True, kw_only=True):
    """A payment method that a processor keeps for a customer; no number of a card is known here."""

    brand: str | None
    created_at: str
    customer: str
    exp_month: int | None
    exp_year: int | None
    id: str
    last4: str | None
    processor: str
    """The account that has it; payments by it go there."""
    type: str
    """`card`."""


class SealBody(Struct, frozen=True, kw_only=True):
    """What was written down when the period was closed with which a column ends."""

    closed_at: str
    closed_by: str
    is_equal: bool
    """Whether the books show them still; anything else is a fault."""
    sha256: str
    """Of all balances by effect at the end of the period."""


class SealCheckBody(Struct, frozen=True, kw_only=True):
    """Whether the seals hold; `last_sha256`, kept elsewhere, proves that no month was removed from the end."""

    faults: list[str]
    last_sha256: str | None
    periods: int
    valid: bool


class SealedMonthBody(Struct, frozen=True, kw_only=True):
    """A closed month with its report; `overridden_ids` names the first 1,000 discrepancies that were open for too
    long, `unread_accounts` the accounts whose statement was not known to the end of the month.
    """

    closed_at: str
    closed_by: str
    known_until: str
    month: str
    overridden: int
    overridden_ids: list[str]
    override_reason: str | None
    previous_sha256: str | None
    report: ReportBody
    run_id: str
    sealed: str
    sha256: str
    unread_accounts: list[str]


class ServiceHealthBody(Struct, frozen=True, kw_only=True):
    """How the messages of one service go; null is what is unknown, since it does not answer."""

    is_answering: bool
    outbox_oldest_seconds: float | None
    """For how long the oldest of them has been due."""
    outbox_pending: int | None
    """Messages that it is still to publish."""
    outbox_refused: int | None
    """Messages that a destination has refused, sent to it again later."""
    queues: list[QueueBody]
    service: str


class SetCalendarBody(Struct, frozen=True, kw_only=True):
    """By which calendar the books are to be kept."""

    zone: str
    """IANA time zone whose midnights end the tenant's periods."""


class SetFeatureFlag(Struct, frozen=True, kw_only=True):
    """Switch a feature on or off."""

    is_enabled: bool
    """Whether it may be used."""


class Settle(Struct, frozen=True, kw_only=True):
    """Why something is decided."""

    note: str | UnsetType = UNSET
    """Why, in your words."""
    reason: str | UnsetType = UNSET
    """Why, as a word: `refunded_by_hand`."""


class SetupActionBody(Struct, frozen=True, kw_only=True):
    """What the customer does next, with what the processor's client library needs for it."""

    client_secret: str = ""
    """For the customer's own browser only: do not log or store it."""
    type: str
    """`redirect` or `use_stripe_sdk`."""
    url: str = ""
    """Where to send the customer; not with `use_stripe_sdk`."""


class SetupIntentBody(Struct, frozen=True, kw_only=True):
    """How far the saving of a payment method is."""

    created_at: str
    customer: str
    failure_code: str | None
    """Why the last try failed: `expired_card`."""
    failure_message: str | None
    id: str
    payment_method: str | None
    """What was saved, once it is."""
    processor: str
    """The account that it is saved at."""
    status: str
    """`REQUIRES_PAYMENT_METHOD`, `REQUIRES_ACTION`, `PROCESSING`, `SUCCEEDED` or `CANCELED`."""


class ShownDeadLetterBody(Struct, frozen=True, kw_only=True):
    """A dead letter with its content."""

    age_seconds: int | None
    body: str | None
    """JSON; the values of members that are secret or identify a person are `[hidden]`, and card numbers masked."""
    detail: str | None
    event_count: int
    """0: it is no message of the platform's own form."""
    events: list[DeadEventBody]
    """The first ten."""
    failed_at: str | None
    id: str
    """The same each time, as long as it waits."""
    message_id: str | None
    message_type: str | None
    omitted: str | None
    """Why the content is not shown."""
    queue: str
    """In which it was to be handled."""
    reason: str | None
    """Why, as a stable word; null where RabbitMQ gave it up."""
    service: str
    size_bytes: int


class Side(OpenEnum):
    """The two sides of a posting."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"


class SourceBody(Struct, frozen=True, kw_only=True):
    """A source of files."""

    created_at: str
    encoding: str
    fields: FieldMap | None
    format: str
    id: str
    name: str
    reversal_turns_sign: bool
    time_zone: str
    updated_at: str


class SourceFields(Struct, frozen=True, kw_only=True):
    """How a table is read: which column says what, and how numbers and dates are written."""

    account: str | UnsetType = UNSET
    """The column of the account."""
    amount: str | UnsetType = UNSET
    """The column of the signed amount; instead of it `debit` and `credit`."""
    booked_words: list[str] | UnsetType = UNSET
    """What `status` says of booked lines; the others are left out."""
    counterparty: str | UnsetType = UNSET
    """The column of who paid or was paid."""
    credit: str | UnsetType = UNSET
    """The column of what came."""
    credit_words: list[str] | UnsetType = UNSET
    """What `direction` says where money came."""
    currency: str | UnsetType = UNSET
    """The column of the currency; instead of it `currency_code`."""
    currency_code: str | UnsetType = UNSET
    """The currency of every line, where no column says it."""
    date: str
    """The column of the booking date, or of date and time."""
    date_format: str | UnsetType = UNSET
    """How dates are written, as Python's `strptime` has it, or `excel` for the days since 1899-12-30."""
    debit: str | UnsetType = UNSET
    """The column of what left."""
    debit_words: list[str] | UnsetType = UNSET
    """What `direction` says where money left; every other word must be one of `credit_words`."""
    decimal: str | UnsetType = UNSET
    """What separates decimals."""
    delimiter: str | UnsetType = UNSET
    """What separates columns."""
    description: list[str] | UnsetType = UNSET
    """The columns of the description, in order."""
    direction: str | UnsetType = UNSET
    """The column that says which way `amount` went, where it has no sign."""
    fee: str | UnsetType = UNSET
    """The column of what was kept of the amount."""
    id: str | UnsetType = UNSET
    """The column of the bank's own id, which is that of one line only."""
    is_negated: bool | UnsetType = UNSET
    """Whether amounts above zero left, as on statements of credit cards."""
    kind: str | UnsetType = UNSET
    """The column of what kind of line it is."""
    references: dict[str, str] | UnsetType = UNSET
    """Columns of references, by the name that they get."""
    status: str | UnsetType = UNSET
    """The column that says whether a line is booked; empty: each one is."""
    thousands: str | UnsetType = UNSET
    """What separates thousands; a space is every space, the narrow and the unbreakable one too."""
    time: str | UnsetType = UNSET
    """The column of the time of day, where `date` has none."""
    time_format: str | UnsetType = UNSET
    """How times are written."""
    value_date: str | UnsetType = UNSET
    """The column of the value date."""


class StartFileImport(Struct, frozen=True, kw_only=True):
    """A file that is to be imported."""

    file_name: str
    """What it is called; nothing is decided by it."""
    sha256: str
    """Its checksum: 64 hexadecimal digits, lower case."""
    size_bytes: int
    """How large it is."""
    source_id: str
    """Whose file."""


class StartRun(Struct, frozen=True, kw_only=True):
    """A window to compare."""

    dry_run: bool | UnsetType = UNSET
    """Only report, and write nothing down."""
    from_: str = field(name="from")
    """RFC 3339 with a zone, or a date in UTC."""
    until: str
    """RFC 3339 with a zone, or a date in UTC."""


class StartSetupIntent(Struct, frozen=True, kw_only=True):
    """What is to be saved; nothing is needed."""

    currency: str | None | UnsetType = UNSET
    """What it will be charged in: it decides the processor account, as for payments."""
    payment_method: str | None | UnsetType = UNSET
    """The processor's token of what is saved at once; absent: the customer enters it in the processor's client
    library.
    """
    return_url: str | None | UnsetType = UNSET
    """Where the customer comes back to after proving who they are."""


class StatementBody(Struct, frozen=True, kw_only=True):
    """What happened on one account in one currency: the opening balance and the lines make the closing balance."""

    account: str
    account_type: AccountType
    closing_balance: str
    """At the end of the period, on every page."""
    currency: str
    label: str
    lines: list[StatementItem]
    next_cursor: str | None
    normal_side: Side
    opening_balance: str
    """Before the period, on every page."""


class StatementCurrencyBody(Struct, frozen=True, kw_only=True):
    """All of one currency."""

    currency: str
    results: list[StatementResultBody]
    sections: list[StatementSectionBody]


class StatementItem(Struct, frozen=True, kw_only=True):
    """One posting on the account."""

    amount: str
    approved_by: str | None
    """Who approved it, where somebody had to."""
    balance: str
    """Right after it; positive in the account's normal direction."""
    conversion_id: str | None
    """The exchange of currencies that it is one side of."""
    customer_ref: str | None
    """Of the payment that it belongs to, for callers who may read payments (`payments:read`)."""
    description: str | None
    entry_id: str
    kind: str
    made_by: str | None
    """Who made it, where a person did."""
    number: str | None
    """Its place in the record, for ever: chain, group of it, entry of that; `c3-17-1`."""
    occurred_at: str
    order_id: str | None
    """Of the payment that it belongs to, for callers who may read payments (`payments:read`)."""
    payment_intent_id: str | None
    posted_at: str
    side: Side


class StatementLineBody(Struct, frozen=True, kw_only=True):
    """A line of a statement."""

    account: str | None
    amount: str
    """Before the fee; below zero it left."""
    bank_id: str | None
    booked_on: str
    counterparty: str | None
    currency: str
    description: str | None
    fee: str
    id: str
    import_id: str
    match_id: str | None
    """The match that it is in."""
    references: dict[str, str]
    source_id: str
    value_on: str | None


class StatementResultBody(Struct, frozen=True, kw_only=True):
    """What follows from the sections."""

    amounts: list[str]
    """One for each column."""
    name: str


class StatementRowBody(Struct, frozen=True, kw_only=True):
    """One account."""

    account: str | None
    """Its code; null where the row is computed."""
    amounts: list[str]
    """One for each column."""
    label: str


class StatementSectionBody(Struct, frozen=True, kw_only=True):
    """Accounts that belong together, with their sum."""

    rows: list[StatementRowBody]
    section: str
    total: list[str]
    """One for each column."""


class StatementSummaryBody(Struct, frozen=True, kw_only=True):
    """What moved on one account at the processor in one currency: `opening` and `came` less `left` make `closing`."""

    account: str
    came: str
    closing: str
    compared_at: str | None
    currency: str
    left: str
    lines: list[MovedBody]
    live: bool
    opening: str
    processor_beyond: str | None


class Status(OpenEnum):
    """What clients see."""

    AUTHORIZED = "AUTHORIZED"
    CREATED = "CREATED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    PROCESSING = "PROCESSING"
    REFUNDED = "REFUNDED"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    SETTLED = "SETTLED"
    VOIDED = "VOIDED"


class TakeApart(Struct, frozen=True, kw_only=True):
    """Why a match is none."""

    reason: str
    """Why, in your words."""


class TenantBody(Struct, frozen=True, kw_only=True):
    """A tenant."""

    id: str
    name: str
    origin: str
    """Who stated it: `seed` (or an operator), `token` or `sync`."""
    plan: str
    region: str
    status: TenantStatus


class TenantList(Struct, frozen=True, kw_only=True):
    """A page of tenants, in the order of their ids."""

    data: list[TenantBody]
    next_after: str | None
    """What to send as `after` for the next page."""


class TenantRevenueItem(Struct, frozen=True, kw_only=True):
    """What one tenant earned in one currency."""

    currency: str
    gross: str
    net: str
    """`gross` less `reversals` less `refunds`."""
    refunds: str
    """What was given back, less what did not arrive."""
    reversals: str
    """Debits to revenue: what a reversal or a correction took back."""
    tenant_id: str
    total: str
    """Credits to revenue; the same as `gross`."""


class TenantStatus(OpenEnum):
    """Whether a tenant may use the platform."""

    ACTIVE = "ACTIVE"
    DELETED = "DELETED"
    SUSPENDED = "SUSPENDED"


class TestData(Struct, frozen=True, kw_only=True):
    """What a test event tells."""

    endpoint_id: str
    """The endpoint under test."""
    event_id: str
    """The event."""
    note: str = "A test: no payment changed."
    """For people."""
    occurred_at: str
    """When it was requested."""
    tenant_id: str
    """The tenant."""


class TestDataWebhook(Struct, frozen=True, kw_only=True):
    """TestDataWebhook"""

    data: TestData
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class TestSentBody(Struct, frozen=True, kw_only=True):
    """A test event is scheduled."""

    delivery_id: str
    event_id: str


class ThresholdBody(Struct, frozen=True, kw_only=True):
    """From which amount on a rule holds."""

    amount: str
    currency: str


class TimelineEventBody(Struct, frozen=True, kw_only=True):
    """One thing that happened to a payment intent."""

    actor: str
    """Who made it happen: a subject, or `gateway`, `ledger`."""
    cause_id: str | None
    """The message that was received."""
    correlation_id: str
    """The request that set it in motion."""
    id: str
    """The message that tells it; a webhook of it carries the same id."""
    occurred_at: str
    status: Status
    """The status from then on."""
    type: str
    """What happened: `payment.authorized`; `payment.given_back_twice` has no webhook."""


class TokenRequest(Struct, frozen=True, kw_only=True):
    """A login name and its password."""

    email: str
    """The login name."""
    password: str
    tenantId: str | None | UnsetType = UNSET
    """For a global admin: through whose plan to look."""


class TokenResponse(Struct, frozen=True, kw_only=True):
    """A bearer token."""

    access_token: str
    expires_in: int
    """Seconds until it expires."""
    token_type: str = "Bearer"


class TotalsBody(Struct, frozen=True, kw_only=True):
    """What moved in a window, in one currency: `net` is what came, less what left, was kept and was paid out."""

    came: str
    currency: str
    fees: str
    left: str
    net: str
    paid_out: str


class TrialBalanceBody(Struct, frozen=True, kw_only=True):
    """Every account at one instant of record."""

    accounts: list[TrialBalanceItem]
    as_of: str
    totals: list[TrialBalanceTotal]


class TrialBalanceItem(Struct, frozen=True, kw_only=True):
    """One account in one currency."""

    account: str
    account_type: AccountType
    credit_balance: str
    """What credits exceed debits by; else zero."""
    credits_total: str
    currency: str
    debit_balance: str
    """What debits exceed credits by; else zero."""
    debits_total: str
    label: str


class TrialBalanceTotal(Struct, frozen=True, kw_only=True):
    """All accounts in one currency."""

    credit_balance: str
    credits_total: str
    currency: str
    debit_balance: str
    debits_total: str
    is_balanced: bool
    """Whether debits equal credits; anything else is a fault."""


class UnknownOutcomeBody(Struct, frozen=True, kw_only=True):
    """One operation of which it is not known whether the processor has carried it out."""

    amount: str
    asks: int
    created_at: str
    currency: str
    detail: str
    gateway_ref: str
    id: str
    is_left_to_person: bool
    """Whether an operator of the platform has to decide."""
    next_ask_at: str | None
    """When the processor is called or read again; null where that has ended."""
    operation: str
    payment_intent_id: str
    processor: str
    reason: str
    refund_id: str | None
    status: str


class UserBody(Struct, frozen=True, kw_only=True):
    """A user, without the password."""

    created_at: str
    disabled_at: str | None
    email: str
    id: str
    is_operator: bool
    """Whether it belongs to no tenant, but to the platform."""
    roles: list[str]


class UserList(Struct, frozen=True, kw_only=True):
    """A page of users, newest first."""

    data: list[UserBody]
    next_cursor: str | None


class ValuedBody(Struct, frozen=True, kw_only=True):
    """What one currency has gained or lost."""

    balance: str
    """Assets less liabilities in the currency."""
    currency: str
    gain: str
    """In the currency of the reports; below zero a loss."""
    rate: str
    """What one unit was worth at the end of the day."""


class VerificationBody(Struct, frozen=True, kw_only=True):
    """What the verifier knows."""

    chains: list[ChainBody]
    entries: int
    """Entries that were recomputed, of all tenants."""
    findings: list[FindingBody]
    """In the tenant's books or in the chains, the latest first."""
    sound: bool
    """Whether nothing was ever found."""


class WebhookEndpointDisabled(Struct, frozen=True, kw_only=True):
    """An endpoint was switched off without its tenant asking for it.

    Handled by the notifier, which delivers it to the tenant's other endpoints, and by other teams.
    """

    consecutive_failures: int
    """Failed attempts since then."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    endpoint_id: str
    """The endpoint."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    failing_since: str | None
    """The first failed attempt since the last success."""
    last_error: str | None
    """What the latest attempt met: `status_503`, `timeout`."""
    occurred_at: str
    """When it happened, in UTC."""
    reason: str
    """`failing`, or `gone` when it answered 410."""
    tenant_id: str
    """The tenant it happened to."""
    url: str
    """Its address."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class WebhookEndpointDisabledWebhook(Struct, frozen=True, kw_only=True):
    """WebhookEndpointDisabledWebhook"""

    data: WebhookEndpointDisabled
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class WebhookEndpointFailing(Struct, frozen=True, kw_only=True):
    """An endpoint has failed for half, or for four fifths, of the time after which it is switched off.

    Handled by the notifier, which delivers it to the tenant's other endpoints, and by other teams.
    """

    consecutive_failures: int
    """Failed attempts since then."""
    correlation_id: str
    """Ties it to the request or message that caused it."""
    disables_at: str
    """When it is switched off at the earliest."""
    endpoint_id: str
    """The endpoint."""
    event_id: str
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    failing_since: str | None
    """The first failed attempt since the last success."""
    last_error: str | None
    """What the latest attempt met: `status_503`, `timeout`."""
    occurred_at: str
    """When it happened, in UTC."""
    tenant_id: str
    """The tenant it happened to."""
    url: str
    """Its address."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""


class WebhookEndpointFailingWebhook(Struct, frozen=True, kw_only=True):
    """WebhookEndpointFailingWebhook"""

    data: WebhookEndpointFailing
    id: str
    tenant_id: str
    timestamp: str
    type: str
    version: int


class YearEndBody(Struct, frozen=True, kw_only=True):
    """What became of closing a year."""

    entry_ids: list[str]
    outcome: ClosingOutcome
    proposal_id: str | None
    """What somebody else has to decide about."""
    results: list[ResultBody]
    """What this request moves, by currency."""
    year: int
