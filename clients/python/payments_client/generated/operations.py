"""One method for each operation of the document.

Generated: do not edit.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any
from uuid import UUID
from payments_client.exchange import Call, Operation
from payments_client.generated import models


_ADD_OWN_UNIT = Operation[models.OwnUnitBody](
    name="addOwnUnit", method="POST", path="/v1/ledger/units", reads=models.OwnUnitBody, has_key=True
)
_APPROVE_POLICY_CHANGE = Operation[models.PolicyChangeBody](
    name="approvePolicyChange",
    method="POST",
    path="/v1/ledger/policy/changes/{change_id}/approve",
    reads=models.PolicyChangeBody,
    has_key=True,
)
_APPROVE_PROPOSAL = Operation[models.ProposalBody](
    name="approveProposal",
    method="POST",
    path="/v1/ledger/proposals/{proposal_id}/approve",
    reads=models.ProposalBody,
    has_key=True,
)
_ASSIGN_DISCREPANCY = Operation[models.DiscrepancyBody](
    name="assignDiscrepancy",
    method="POST",
    path="/v1/reconciliation/discrepancies/{discrepancy_id}/assign",
    reads=models.DiscrepancyBody,
    has_key=True,
)
_CANCEL_WEBHOOK_REPLAY = Operation[models.ReplayBody](
    name="cancelWebhookReplay",
    method="POST",
    path="/v1/webhook-replays/{replay_id}/cancel",
    reads=models.ReplayBody,
    has_key=True,
)
_CAPTURE_HOLD = Operation[models.HoldBody](
    name="captureHold", method="POST", path="/v1/ledger/holds/{hold_id}/capture", reads=models.HoldBody, has_key=True
)
_CAPTURE_PAYMENT_INTENT = Operation[models.PaymentIntentBody](
    name="capturePaymentIntent",
    method="POST",
    path="/v1/payment-intents/{intent_id}/capture",
    reads=models.PaymentIntentBody,
    has_key=True,
)
_CHANGE_CUSTOMER = Operation[models.CustomerBody](
    name="changeCustomer", method="PATCH", path="/v1/customers/{customer_id}", reads=models.CustomerBody, has_key=True
)
_CHANGE_PASSWORD = Operation[None](name="changePassword", method="POST", path="/v1/auth/password", reads=None)
_CHANGE_USER = Operation[models.UserBody](
    name="changeUser", method="PATCH", path="/v1/users/{user_id}", reads=models.UserBody
)
_CHANGE_WEBHOOK = Operation[models.EndpointBody](
    name="changeWebhook", method="PATCH", path="/v1/webhooks/{endpoint_id}", reads=models.EndpointBody, has_key=True
)
_CLEAR_FEATURE_FLAG = Operation[models.FeatureFlag](
    name="clearFeatureFlag", method="DELETE", path="/v1/feature-flags/{name}", reads=models.FeatureFlag
)
_CLOSE_PERIOD = Operation[models.PeriodBody](
    name="closePeriod", method="POST", path="/v1/ledger/periods", reads=models.PeriodBody, has_key=True
)
_CLOSE_RECONCILIATION_PERIOD = Operation[models.ClosedMonthBody](
    name="closeReconciliationPeriod",
    method="POST",
    path="/v1/reconciliation/periods/{month}/close",
    reads=models.ClosedMonthBody,
    has_key=True,
)
_CLOSE_YEAR = Operation[models.YearEndBody](
    name="closeYear", method="POST", path="/v1/ledger/year-ends", reads=models.YearEndBody, has_key=True
)
_COMPLETE_IMPORT = Operation[models.FileImportBody](
    name="completeImport",
    method="POST",
    path="/v1/reconciliation/imports/{import_id}/complete",
    reads=models.FileImportBody,
    has_key=True,
)
_CONFIRM_PAYMENT_INTENT = Operation[models.PaymentIntentBody](
    name="confirmPaymentIntent",
    method="POST",
    path="/v1/payment-intents/{intent_id}/confirm",
    reads=models.PaymentIntentBody,
    has_key=True,
)
_CONVERT_AMOUNT = Operation[models.ConvertedBody](
    name="convertAmount", method="POST", path="/v1/exchange-rates/convert", reads=models.ConvertedBody
)
_CREATE_ACCOUNT = Operation[models.AccountBody](
    name="createAccount", method="POST", path="/v1/accounts", reads=models.AccountBody, has_key=True
)
_CREATE_API_KEY = Operation[models.NewApiKeyBody](
    name="createApiKey", method="POST", path="/v1/api-keys", reads=models.NewApiKeyBody
)
_CREATE_CONVERSION = Operation[models.ConversionBody](
    name="createConversion", method="POST", path="/v1/ledger/conversions", reads=models.ConversionBody, has_key=True
)
_CREATE_CUSTOMER = Operation[models.CustomerBody](
    name="createCustomer", method="POST", path="/v1/customers", reads=models.CustomerBody, has_key=True
)
_CREATE_GATEWAY_CONFIG = Operation[models.GatewayConfigBody](
    name="createGatewayConfig", method="POST", path="/v1/gateway-configs", reads=models.GatewayConfigBody, has_key=True
)
_CREATE_IMPORT_SOURCE = Operation[models.SourceBody](
    name="createImportSource", method="POST", path="/v1/reconciliation/sources", reads=models.SourceBody, has_key=True
)
_CREATE_PAYMENT_INTENT = Operation[models.PaymentIntentBody](
    name="createPaymentIntent", method="POST", path="/v1/payment-intents", reads=models.PaymentIntentBody, has_key=True
)
_CREATE_SETUP_INTENT = Operation[models.SetupIntentBody](
    name="createSetupIntent",
    method="POST",
    path="/v1/customers/{customer_id}/setup-intents",
    reads=models.SetupIntentBody,
    has_key=True,
)
_CREATE_TOKEN = Operation[models.TokenResponse](
    name="createToken", method="POST", path="/v1/auth/token", reads=models.TokenResponse
)
_CREATE_USER = Operation[models.UserBody](name="createUser", method="POST", path="/v1/users", reads=models.UserBody)
_CREATE_WEBHOOK = Operation[models.EndpointBody](
    name="createWebhook", method="POST", path="/v1/webhooks", reads=models.EndpointBody, has_key=True
)
_DECIDE_DISCREPANCIES = Operation[list[models.DiscrepancyBody]](
    name="decideDiscrepancies",
    method="POST",
    path="/v1/reconciliation/discrepancies/decide",
    reads=list[models.DiscrepancyBody],
    has_key=True,
)
_DELETE_CUSTOMER = Operation[None](
    name="deleteCustomer", method="DELETE", path="/v1/customers/{customer_id}", reads=None, has_key=True
)
_DELETE_GATEWAY_CONFIG = Operation[None](
    name="deleteGatewayConfig", method="DELETE", path="/v1/gateway-configs/{config_id}", reads=None, has_key=True
)
_DELETE_IDENTITY_PROVIDER = Operation[None](
    name="deleteIdentityProvider", method="DELETE", path="/v1/identity-provider", reads=None
)
_DELETE_IMPORT_SOURCE = Operation[None](
    name="deleteImportSource", method="DELETE", path="/v1/reconciliation/sources/{source_id}", reads=None, has_key=True
)
_DELETE_WEBHOOK = Operation[None](
    name="deleteWebhook", method="DELETE", path="/v1/webhooks/{endpoint_id}", reads=None, has_key=True
)
_DETACH_SAVED_PAYMENT_METHOD = Operation[None](
    name="detachSavedPaymentMethod",
    method="DELETE",
    path="/v1/customers/{customer_id}/payment-methods/{payment_method_id}",
    reads=None,
    has_key=True,
)
_GET_ACCOUNT_ROLE = Operation[models.AccountRoleHistoryBody](
    name="getAccountRole", method="GET", path="/v1/accounts/roles/{role}", reads=models.AccountRoleHistoryBody
)
_GET_API_KEY = Operation[models.ApiKeyBody](
    name="getApiKey", method="GET", path="/v1/api-keys/{key_id}", reads=models.ApiKeyBody
)
_GET_APPROVAL_POLICY = Operation[models.ApprovalPolicyBody](
    name="getApprovalPolicy", method="GET", path="/v1/ledger/policy", reads=models.ApprovalPolicyBody
)
_GET_CHANGE_VERIFICATION = Operation[models.ChangeVerification](
    name="getChangeVerification", method="GET", path="/v1/audit/verification", reads=models.ChangeVerification
)
_GET_CHAOS = Operation[models.Disturbance](
    name="getChaos", method="GET", path="/v1/admin/chaos", reads=models.Disturbance
)
_GET_CONSOLIDATED_BALANCES = Operation[models.ConsolidatedBody](
    name="getConsolidatedBalances", method="GET", path="/v1/ledger/balances/consolidated", reads=models.ConsolidatedBody
)
_GET_CONVERSION = Operation[models.ConversionBody](
    name="getConversion", method="GET", path="/v1/ledger/conversions/{conversion_id}", reads=models.ConversionBody
)
_GET_CONVERTED_AMOUNT = Operation[models.ConvertedBody](
    name="getConvertedAmount", method="GET", path="/v1/exchange-rates/convert", reads=models.ConvertedBody
)
_GET_CUSTOMER = Operation[models.CustomerBody](
    name="getCustomer", method="GET", path="/v1/customers/{customer_id}", reads=models.CustomerBody
)
_GET_DEAD_LETTER = Operation[models.ShownDeadLetterBody](
    name="getDeadLetter", method="GET", path="/v1/dead-letters/{service}/{letter_id}", reads=models.ShownDeadLetterBody
)
_GET_DISCREPANCY = Operation[models.DiscrepancyHistoryBody](
    name="getDiscrepancy",
    method="GET",
    path="/v1/reconciliation/discrepancies/{discrepancy_id}",
    reads=models.DiscrepancyHistoryBody,
)
_GET_HOLD = Operation[models.HoldBody](
    name="getHold", method="GET", path="/v1/ledger/holds/{hold_id}", reads=models.HoldBody
)
_GET_IDENTITY_PROVIDER = Operation[models.IdentityProviderBody](
    name="getIdentityProvider", method="GET", path="/v1/identity-provider", reads=models.IdentityProviderBody
)
_GET_IMPORT = Operation[models.FileImportBody](
    name="getImport", method="GET", path="/v1/reconciliation/imports/{import_id}", reads=models.FileImportBody
)
_GET_IMPORT_SOURCE = Operation[models.SourceBody](
    name="getImportSource", method="GET", path="/v1/reconciliation/sources/{source_id}", reads=models.SourceBody
)
_GET_LEDGER_CALENDAR = Operation[models.CalendarBody](
    name="getLedgerCalendar", method="GET", path="/v1/ledger/calendar", reads=models.CalendarBody
)
_GET_LEDGER_ENTRY = Operation[models.EntryItem](
    name="getLedgerEntry", method="GET", path="/v1/ledger/entries/{entry_id}", reads=models.EntryItem
)
_GET_LEDGER_SETTINGS = Operation[models.LedgerSettings](
    name="getLedgerSettings", method="GET", path="/v1/ledger/settings", reads=models.LedgerSettings
)
_GET_LEDGER_VERIFICATION = Operation[models.VerificationBody](
    name="getLedgerVerification", method="GET", path="/v1/ledger/verification", reads=models.VerificationBody
)
_GET_MATCHING_RULES = Operation[models.RulesBody](
    name="getMatchingRules", method="GET", path="/v1/reconciliation/sources/{source_id}/rules", reads=models.RulesBody
)
_GET_ME = Operation[models.Me](name="getMe", method="GET", path="/v1/me", reads=models.Me)
_GET_PAYMENT_INTENT = Operation[models.ExpandedPaymentIntent](
    name="getPaymentIntent", method="GET", path="/v1/payment-intents/{intent_id}", reads=models.ExpandedPaymentIntent
)
_GET_PAYMENT_INTENT_NEXT_ACTION = Operation[models.ClientActionBody](
    name="getPaymentIntentNextAction",
    method="GET",
    path="/v1/payment-intents/{intent_id}/next-action",
    reads=models.ClientActionBody,
)
_GET_POLICY_CHANGE = Operation[models.PolicyChangeBody](
    name="getPolicyChange", method="GET", path="/v1/ledger/policy/changes/{change_id}", reads=models.PolicyChangeBody
)
_GET_PROPOSAL = Operation[models.ProposalBody](
    name="getProposal", method="GET", path="/v1/ledger/proposals/{proposal_id}", reads=models.ProposalBody
)
_GET_RECONCILIATION_PERIOD = Operation[models.SealedMonthBody](
    name="getReconciliationPeriod",
    method="GET",
    path="/v1/reconciliation/periods/{month}",
    reads=models.SealedMonthBody,
)
_GET_RECONCILIATION_RUN = Operation[models.RunBody](
    name="getReconciliationRun", method="GET", path="/v1/reconciliation/runs/{run_id}", reads=models.RunBody
)
_GET_SETUP_INTENT = Operation[models.SetupIntentBody](
    name="getSetupIntent",
    method="GET",
    path="/v1/customers/{customer_id}/setup-intents/{setup_id}",
    reads=models.SetupIntentBody,
)
_GET_SETUP_INTENT_NEXT_ACTION = Operation[models.SetupActionBody](
    name="getSetupIntentNextAction",
    method="GET",
    path="/v1/customers/{customer_id}/setup-intents/{setup_id}/next-action",
    reads=models.SetupActionBody,
)
_GET_TENANT = Operation[models.TenantBody](
    name="getTenant", method="GET", path="/v1/tenants/{tenant_id}", reads=models.TenantBody
)
_GET_WEBHOOK = Operation[models.EndpointBody](
    name="getWebhook", method="GET", path="/v1/webhooks/{endpoint_id}", reads=models.EndpointBody
)
_GET_WEBHOOK_REPLAY = Operation[models.ReplayBody](
    name="getWebhookReplay", method="GET", path="/v1/webhook-replays/{replay_id}", reads=models.ReplayBody
)
_IGNORE_DISCREPANCY = Operation[models.DiscrepancyBody](
    name="ignoreDiscrepancy",
    method="POST",
    path="/v1/reconciliation/discrepancies/{discrepancy_id}/ignore",
    reads=models.DiscrepancyBody,
    has_key=True,
)
_LIST_ACCOUNT_ROLES = Operation[list[models.AccountRoleBody]](
    name="listAccountRoles", method="GET", path="/v1/accounts/roles", reads=list[models.AccountRoleBody]
)
_LIST_ACCOUNTS = Operation[list[models.AccountBody]](
    name="listAccounts", method="GET", path="/v1/accounts", reads=list[models.AccountBody]
)
_LIST_ALL_WEBHOOK_DELIVERIES = Operation[models.DeliveryPage](
    name="listAllWebhookDeliveries",
    method="GET",
    path="/v1/webhook-deliveries",
    reads=models.DeliveryPage,
    items="data",
)
_LIST_API_KEYS = Operation[models.ApiKeyList](
    name="listApiKeys", method="GET", path="/v1/api-keys", reads=models.ApiKeyList, items="data"
)
_LIST_AUDIT = Operation[models.AuditLines](
    name="listAudit", method="GET", path="/v1/audit", reads=models.AuditLines, items="data"
)
_LIST_CIRCUITS = Operation[list[models.CircuitBody]](
    name="listCircuits", method="GET", path="/v1/circuits", reads=list[models.CircuitBody]
)
_LIST_CONVERSIONS = Operation[list[models.ConversionBody]](
    name="listConversions", method="GET", path="/v1/ledger/conversions", reads=list[models.ConversionBody]
)
_LIST_CUSTOMERS = Operation[models.CustomerList](
    name="listCustomers", method="GET", path="/v1/customers", reads=models.CustomerList, items="data"
)
_LIST_DEAD_LETTERS = Operation[models.DeadLettersBody](
    name="listDeadLetters", method="GET", path="/v1/dead-letters", reads=models.DeadLettersBody
)
_LIST_DISCREPANCIES = Operation[list[models.DiscrepancyBody]](
    name="listDiscrepancies", method="GET", path="/v1/reconciliation/discrepancies", reads=list[models.DiscrepancyBody]
)
_LIST_DISPUTES = Operation[list[models.DisputeBody]](
    name="listDisputes", method="GET", path="/v1/payment-intents/{intent_id}/disputes", reads=list[models.DisputeBody]
)
_LIST_EXCHANGE_RATES = Operation[list[models.ExchangeRateBody]](
    name="listExchangeRates", method="GET", path="/v1/exchange-rates", reads=list[models.ExchangeRateBody]
)
_LIST_FEATURE_FLAGS = Operation[list[models.FeatureFlag]](
    name="listFeatureFlags", method="GET", path="/v1/feature-flags", reads=list[models.FeatureFlag]
)
_LIST_GATEWAY_CONFIGS = Operation[list[models.GatewayConfigBody]](
    name="listGatewayConfigs", method="GET", path="/v1/gateway-configs", reads=list[models.GatewayConfigBody]
)
_LIST_GATEWAY_EVENTS = Operation[list[models.GatewayEventBody]](
    name="listGatewayEvents", method="GET", path="/v1/gateway-events", reads=list[models.GatewayEventBody]
)
_LIST_HOLDS = Operation[list[models.HoldBody]](
    name="listHolds", method="GET", path="/v1/ledger/holds", reads=list[models.HoldBody]
)
_LIST_IMPORT_SOURCES = Operation[list[models.SourceBody]](
    name="listImportSources", method="GET", path="/v1/reconciliation/sources", reads=list[models.SourceBody]
)
_LIST_IMPORTS = Operation[list[models.FileImportBody]](
    name="listImports", method="GET", path="/v1/reconciliation/imports", reads=list[models.FileImportBody]
)
_LIST_LEDGER_BALANCES = Operation[list[models.BalanceBody]](
    name="listLedgerBalances", method="GET", path="/v1/ledger/balances", reads=list[models.BalanceBody]
)
_LIST_LEDGER_ENTRIES = Operation[list[models.EntryBody]](
    name="listLedgerEntries", method="GET", path="/v1/ledger/entries", reads=list[models.EntryBody]
)
_LIST_LINE_MATCHES = Operation[list[models.MatchBody]](
    name="listLineMatches", method="GET", path="/v1/reconciliation/matches", reads=list[models.MatchBody]
)
_LIST_OWN_UNITS = Operation[list[models.OwnUnitBody]](
    name="listOwnUnits", method="GET", path="/v1/ledger/units", reads=list[models.OwnUnitBody]
)
_LIST_PAYMENT_INTENT_ATTEMPTS = Operation[list[models.AttemptBody]](
    name="listPaymentIntentAttempts",
    method="GET",
    path="/v1/payment-intents/{intent_id}/attempts",
    reads=list[models.AttemptBody],
)
_LIST_PAYMENT_INTENT_EVENTS = Operation[list[models.TimelineEventBody]](
    name="listPaymentIntentEvents",
    method="GET",
    path="/v1/payment-intents/{intent_id}/events",
    reads=list[models.TimelineEventBody],
)
_LIST_PAYMENT_INTENTS = Operation[models.PaymentIntentPage](
    name="listPaymentIntents", method="GET", path="/v1/payment-intents", reads=models.PaymentIntentPage, items="data"
)
_LIST_PAYMENTS_OF_ORDER = Operation[list[models.OrderPayment]](
    name="listPaymentsOfOrder", method="GET", path="/v1/payments", reads=list[models.OrderPayment]
)
_LIST_PERIODS = Operation[list[models.PeriodBody]](
    name="listPeriods", method="GET", path="/v1/ledger/periods", reads=list[models.PeriodBody]
)
_LIST_POLICIES = Operation[list[models.PolicyBody]](
    name="listPolicies", method="GET", path="/v1/policies", reads=list[models.PolicyBody]
)
_LIST_POLICY_CHANGES = Operation[models.PolicyChangesBody](
    name="listPolicyChanges",
    method="GET",
    path="/v1/ledger/policy/changes",
    reads=models.PolicyChangesBody,
    items="data",
)
_LIST_PROPOSALS = Operation[models.ProposalsBody](
    name="listProposals", method="GET", path="/v1/ledger/proposals", reads=models.ProposalsBody, items="data"
)
_LIST_RECONCILIATION_PERIODS = Operation[list[models.ClosedMonthBody]](
    name="listReconciliationPeriods",
    method="GET",
    path="/v1/reconciliation/periods",
    reads=list[models.ClosedMonthBody],
)
_LIST_RECONCILIATION_RUNS = Operation[list[models.RunBody]](
    name="listReconciliationRuns", method="GET", path="/v1/reconciliation/runs", reads=list[models.RunBody]
)
_LIST_REFUNDS = Operation[list[models.RefundBody]](
    name="listRefunds", method="GET", path="/v1/payment-intents/{intent_id}/refunds", reads=list[models.RefundBody]
)
_LIST_REQUESTS = Operation[models.RequestLines](
    name="listRequests", method="GET", path="/v1/requests", reads=models.RequestLines, items="data"
)
_LIST_ROLES = Operation[list[models.RoleBody]](
    name="listRoles", method="GET", path="/v1/roles", reads=list[models.RoleBody]
)
_LIST_SAVED_PAYMENT_METHODS = Operation[list[models.SavedMethodBody]](
    name="listSavedPaymentMethods",
    method="GET",
    path="/v1/customers/{customer_id}/payment-methods",
    reads=list[models.SavedMethodBody],
)
_LIST_SERVICE_HEALTH = Operation[list[models.ServiceHealthBody]](
    name="listServiceHealth", method="GET", path="/v1/service-health", reads=list[models.ServiceHealthBody]
)
_LIST_STATEMENT_LINES = Operation[list[models.StatementLineBody]](
    name="listStatementLines", method="GET", path="/v1/reconciliation/lines", reads=list[models.StatementLineBody]
)
_LIST_TENANTS = Operation[models.TenantList](
    name="listTenants", method="GET", path="/v1/tenants", reads=models.TenantList
)
_LIST_UNKNOWN_OUTCOMES = Operation[list[models.UnknownOutcomeBody]](
    name="listUnknownOutcomes", method="GET", path="/v1/gateway-unknown-outcomes", reads=list[models.UnknownOutcomeBody]
)
_LIST_USERS = Operation[models.UserList](
    name="listUsers", method="GET", path="/v1/users", reads=models.UserList, items="data"
)
_LIST_WEBHOOK_DELIVERIES = Operation[models.DeliveryPage](
    name="listWebhookDeliveries",
    method="GET",
    path="/v1/webhooks/{endpoint_id}/deliveries",
    reads=models.DeliveryPage,
    items="data",
)
_LIST_WEBHOOKS = Operation[list[models.EndpointBody]](
    name="listWebhooks", method="GET", path="/v1/webhooks", reads=list[models.EndpointBody]
)
_MATCH_LINES = Operation[models.MatchBody](
    name="matchLines", method="POST", path="/v1/reconciliation/matches", reads=models.MatchBody, has_key=True
)
_PLACE_HOLD = Operation[models.HoldBody](
    name="placeHold", method="POST", path="/v1/ledger/holds", reads=models.HoldBody, has_key=True
)
_POST_LEDGER_ENTRIES = Operation[models.EntriesPostedBody](
    name="postLedgerEntries", method="POST", path="/v1/ledger/entries", reads=models.EntriesPostedBody, has_key=True
)
_PROPOSE_LEDGER_ENTRIES = Operation[models.ProposalBody](
    name="proposeLedgerEntries", method="POST", path="/v1/ledger/proposals", reads=models.ProposalBody, has_key=True
)
_PROPOSE_POLICY_CHANGE = Operation[models.PolicyChangeBody](
    name="proposePolicyChange",
    method="POST",
    path="/v1/ledger/policy/changes",
    reads=models.PolicyChangeBody,
    has_key=True,
)
_PUT_ACCOUNT_ROLE = Operation[models.AccountRoleBody](
    name="putAccountRole", method="PUT", path="/v1/accounts/roles/{role}", reads=models.AccountRoleBody, has_key=True
)
_PUT_CHAOS = Operation[models.Disturbance](
    name="putChaos", method="PUT", path="/v1/admin/chaos", reads=models.Disturbance
)
_PUT_IDENTITY_PROVIDER = Operation[models.IdentityProviderBody](
    name="putIdentityProvider", method="PUT", path="/v1/identity-provider", reads=models.IdentityProviderBody
)
_PUT_IMPORT_PART = Operation[None](
    name="putImportPart",
    method="PUT",
    path="/v1/reconciliation/imports/{import_id}/parts/{number}",
    reads=None,
    content_type="application/octet-stream",
)
_PUT_LEDGER_CALENDAR = Operation[models.CalendarBody](
    name="putLedgerCalendar", method="PUT", path="/v1/ledger/calendar", reads=models.CalendarBody, has_key=True
)
_PUT_LEDGER_SETTINGS = Operation[models.LedgerSettings](
    name="putLedgerSettings", method="PUT", path="/v1/ledger/settings", reads=models.LedgerSettings, has_key=True
)
_PUT_POLICY = Operation[models.PolicyBody](
    name="putPolicy", method="PUT", path="/v1/policies/{permission}", reads=models.PolicyBody
)
_PUT_ROLE = Operation[models.RoleBody](name="putRole", method="PUT", path="/v1/roles/{name}", reads=models.RoleBody)
_PUT_TENANT = Operation[models.TenantBody](
    name="putTenant", method="PUT", path="/v1/tenants/{tenant_id}", reads=models.TenantBody
)
_RECORD_EXCHANGE_RATE = Operation[models.ExchangeRateBody](
    name="recordExchangeRate", method="POST", path="/v1/exchange-rates", reads=models.ExchangeRateBody, has_key=True
)
_REDRIVE_DEAD_LETTER = Operation[models.RedrivenBody](
    name="redriveDeadLetter",
    method="POST",
    path="/v1/dead-letters/{service}/{letter_id}/redrive",
    reads=models.RedrivenBody,
    has_key=True,
)
_REFRESH_REPORTS = Operation[models.RefreshBody](
    name="refreshReports", method="POST", path="/v1/reports/refresh", reads=models.RefreshBody, has_key=True
)
_REFUND_PAYMENT_INTENT = Operation[models.RefundBody](
    name="refundPaymentIntent",
    method="POST",
    path="/v1/payment-intents/{intent_id}/refund",
    reads=models.RefundBody,
    has_key=True,
)
_REJECT_POLICY_CHANGE = Operation[models.PolicyChangeBody](
    name="rejectPolicyChange",
    method="POST",
    path="/v1/ledger/policy/changes/{change_id}/reject",
    reads=models.PolicyChangeBody,
    has_key=True,
)
_REJECT_PROPOSAL = Operation[models.ProposalBody](
    name="rejectProposal",
    method="POST",
    path="/v1/ledger/proposals/{proposal_id}/reject",
    reads=models.ProposalBody,
    has_key=True,
)
_REOPEN_DISCREPANCY = Operation[models.DiscrepancyBody](
    name="reopenDiscrepancy",
    method="POST",
    path="/v1/reconciliation/discrepancies/{discrepancy_id}/reopen",
    reads=models.DiscrepancyBody,
    has_key=True,
)
_REPAIR_DISCREPANCY = Operation[models.DiscrepancyBody](
    name="repairDiscrepancy",
    method="POST",
    path="/v1/reconciliation/discrepancies/{discrepancy_id}/repair",
    reads=models.DiscrepancyBody,
    has_key=True,
)
_REPLACE_IMPORT_SOURCE = Operation[models.SourceBody](
    name="replaceImportSource",
    method="PUT",
    path="/v1/reconciliation/sources/{source_id}",
    reads=models.SourceBody,
    has_key=True,
)
_REPLACE_MATCHING_RULES = Operation[models.RulesBody](
    name="replaceMatchingRules",
    method="PUT",
    path="/v1/reconciliation/sources/{source_id}/rules",
    reads=models.RulesBody,
    has_key=True,
)
_REPLAY_WEBHOOK = Operation[models.ReplayBody](
    name="replayWebhook", method="POST", path="/v1/webhooks/{endpoint_id}/replay", reads=models.ReplayBody, has_key=True
)
_REPORT_ACCOUNT_BALANCES = Operation[list[models.AccountBalanceItem]](
    name="reportAccountBalances",
    method="GET",
    path="/v1/reports/account-balances",
    reads=list[models.AccountBalanceItem],
)
_REPORT_BALANCE_SHEET = Operation[models.FinancialStatementBody](
    name="reportBalanceSheet", method="GET", path="/v1/reports/balance-sheet", reads=models.FinancialStatementBody
)
_REPORT_CASH_POSITION = Operation[models.FinancialStatementBody](
    name="reportCashPosition", method="GET", path="/v1/reports/cash-position", reads=models.FinancialStatementBody
)
_REPORT_INCOME_STATEMENT = Operation[models.FinancialStatementBody](
    name="reportIncomeStatement", method="GET", path="/v1/reports/income-statement", reads=models.FinancialStatementBody
)
_REPORT_JOURNAL = Operation[models.JournalBody](
    name="reportJournal", method="GET", path="/v1/reports/journal", reads=models.JournalBody, items="data"
)
_REPORT_PAYMENTS = Operation[models.PaymentReportBody](
    name="reportPayments", method="GET", path="/v1/reports/payments", reads=models.PaymentReportBody
)
_REPORT_REVENUE = Operation[list[models.RevenueItem]](
    name="reportRevenue", method="GET", path="/v1/reports/revenue", reads=list[models.RevenueItem]
)
_REPORT_REVENUE_BY_TENANT = Operation[list[models.TenantRevenueItem]](
    name="reportRevenueByTenant",
    method="GET",
    path="/v1/reports/revenue-by-tenant",
    reads=list[models.TenantRevenueItem],
)
_REPORT_STATEMENT = Operation[models.StatementBody](
    name="reportStatement", method="GET", path="/v1/reports/statement", reads=models.StatementBody, items="lines"
)
_REPORT_TRIAL_BALANCE = Operation[models.TrialBalanceBody](
    name="reportTrialBalance", method="GET", path="/v1/reports/trial-balance", reads=models.TrialBalanceBody
)
_RESOLVE_DISCREPANCY = Operation[models.DiscrepancyBody](
    name="resolveDiscrepancy",
    method="POST",
    path="/v1/reconciliation/discrepancies/{discrepancy_id}/resolve",
    reads=models.DiscrepancyBody,
    has_key=True,
)
_REVALUE_CURRENCIES = Operation[models.RevaluationBody](
    name="revalueCurrencies", method="POST", path="/v1/ledger/revaluations", reads=models.RevaluationBody, has_key=True
)
_REVERSE_LEDGER_ENTRY = Operation[models.EntryBody](
    name="reverseLedgerEntry",
    method="POST",
    path="/v1/ledger/entries/{entry_id}/reversal",
    reads=models.EntryBody,
    has_key=True,
)
_REVOKE_API_KEY = Operation[None](name="revokeApiKey", method="DELETE", path="/v1/api-keys/{key_id}", reads=None)
_ROTATE_API_KEY = Operation[models.NewApiKeyBody](
    name="rotateApiKey", method="POST", path="/v1/api-keys/{key_id}/rotate", reads=models.NewApiKeyBody
)
_ROTATE_GATEWAY_KEYS = Operation[models.GatewayConfigBody](
    name="rotateGatewayKeys",
    method="POST",
    path="/v1/gateway-configs/{config_id}/rotate-keys",
    reads=models.GatewayConfigBody,
    has_key=True,
)
_ROTATE_WEBHOOK_SECRET = Operation[models.EndpointBody](
    name="rotateWebhookSecret",
    method="POST",
    path="/v1/webhooks/{endpoint_id}/rotate-secret",
    reads=models.EndpointBody,
    has_key=True,
)
_SET_FEATURE_FLAG = Operation[models.FeatureFlag](
    name="setFeatureFlag", method="PUT", path="/v1/feature-flags/{name}", reads=models.FeatureFlag
)
_START_IMPORT = Operation[models.FileImportBody](
    name="startImport", method="POST", path="/v1/reconciliation/imports", reads=models.FileImportBody, has_key=True
)
_START_RECONCILIATION = Operation[models.RunBody](
    name="startReconciliation", method="POST", path="/v1/reconciliation/run", reads=models.RunBody, has_key=True
)
_TEST_WEBHOOK = Operation[models.TestSentBody](
    name="testWebhook", method="POST", path="/v1/webhooks/{endpoint_id}/test", reads=models.TestSentBody, has_key=True
)
_UNMATCH_LINES = Operation[models.MatchBody](
    name="unmatchLines",
    method="POST",
    path="/v1/reconciliation/matches/{match_id}/unmatch",
    reads=models.MatchBody,
    has_key=True,
)
_VERIFY_RECONCILIATION_PERIODS = Operation[models.SealCheckBody](
    name="verifyReconciliationPeriods",
    method="GET",
    path="/v1/reconciliation/periods/verification",
    reads=models.SealCheckBody,
)
_VOID_HOLD = Operation[models.HoldBody](
    name="voidHold", method="POST", path="/v1/ledger/holds/{hold_id}/void", reads=models.HoldBody, has_key=True
)
_VOID_PAYMENT_INTENT = Operation[models.PaymentIntentBody](
    name="voidPaymentIntent",
    method="POST",
    path="/v1/payment-intents/{intent_id}/void",
    reads=models.PaymentIntentBody,
    has_key=True,
)


class Operations(ABC):
    """Each operation, waiting for its answer."""

    @abstractmethod
    def _call[T](self, operation: Operation[T], call: Call) -> T:
        """Send an operation and return what is answered."""

    @abstractmethod
    def _items(self, operation: Operation[Any], call: Call) -> Iterator[Any]:
        """Yield the items of all pages."""

    def add_own_unit(
        self,
        body: models.AddOwnUnitBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.OwnUnitBody:
        """Add an own unit.

        Lets the books count in points, miles or anything else that is no currency: manual entries, holds,
        statements and reports take its code where they take that of a currency; payments and conversions do not. It
        never changes; again is answered the same. An amount has at most 10^18 of its smallest parts, and an account
        at most 2^63-1 of them as debits and as credits: with 18 decimals that is 1 and 9.2 units, with 8 it is ten
        billion and 92 billion.

        Needs the permission `admin:write`.
        """
        return self._call(
            _ADD_OWN_UNIT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def approve_policy_change(
        self,
        change_id: UUID | str,
        body: models.DecidePolicyChange | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PolicyChangeBody:
        """Approve a change of the policy.

        It becomes the policy, unless another one has meanwhile. Who proposed it, or made the key that did, cannot.

        Needs the permission `ledger:approve`.
        """
        return self._call(
            _APPROVE_POLICY_CHANGE,
            Call(
                path={"change_id": change_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def approve_proposal(
        self,
        proposal_id: UUID | str,
        body: models.DecideProposal | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> models.ProposalBody:
        """Approve a proposal.

        Posts its entries, exactly once, however often it is approved. Who proposed it, or made the key that did,
        cannot.

        Needs the permission `ledger:approve`.
        """
        return self._call(
            _APPROVE_PROPOSAL,
            Call(
                path={"proposal_id": proposal_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
            ),
        )

    def assign_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Assign,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Assign a discrepancy.

        Needs the permission `admin:write`.
        """
        return self._call(
            _ASSIGN_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body=body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def cancel_webhook_replay(
        self,
        replay_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.ReplayBody:
        """Cancel a replay.

        Schedules no more of it; what is scheduled is still delivered. Cancelling again is success.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CANCEL_WEBHOOK_REPLAY, Call(path={"replay_id": replay_id}, query={}, idempotency_key=idempotency_key)
        )

    def capture_hold(
        self,
        hold_id: UUID | str,
        body: models.CaptureHoldBody | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> models.HoldBody:
        """Capture a hold.

        Posts all of it, or `amount` of it, and lets the rest go. The same amount again is answered the same.

        Needs the permission `ledger:write`.
        """
        return self._call(
            _CAPTURE_HOLD,
            Call(
                path={"hold_id": hold_id}, query={}, body={} if body is None else body, idempotency_key=idempotency_key
            ),
        )

    def capture_payment_intent(
        self,
        intent_id: UUID | str,
        body: models.CaptureRequest | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PaymentIntentBody:
        """Capture a payment intent.

        Takes held funds of an AUTHORIZED intent with `capture_method: manual`: all, or the amount given, once; the
        rest is released. Waits, bounded, for the processor: 200 when it has captured or refused, else 202.
        Capturing the same amount again answers the present state.

        Needs the permission `payments:write`.
        """
        return self._call(
            _CAPTURE_PAYMENT_INTENT,
            Call(
                path={"intent_id": intent_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def change_customer(
        self,
        customer_id: UUID | str,
        body: models.ChangeCustomer | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.CustomerBody:
        """Change a customer.

        Members that are missing stay as they are; `null` clears `name` and `email`; `metadata` is replaced.

        Needs the permission `payments:write`.
        """
        return self._call(
            _CHANGE_CUSTOMER,
            Call(
                path={"customer_id": customer_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def change_password(
        self,
        body: models.ChangePassword,
        *,
        prefer: str | None = None,
    ) -> None:
        """Change your own password.

        By the present one; no permission and no tenant header is needed. All your tokens end, the one that you send
        included: log in again. Wrong passwords count together with failed logins.
        """
        return self._call(_CHANGE_PASSWORD, Call(path={}, query={}, body=body, prefer=prefer))

    def change_user(
        self,
        user_id: UUID | str,
        body: models.ChangeUser | None = None,
        *,
        prefer: str | None = None,
    ) -> models.UserBody:
        """Change a user.

        Its roles, its password, or whether it may log in; its tokens of before are refused. Your own password is
        changed by `POST /v1/auth/password`.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CHANGE_USER, Call(path={"user_id": user_id}, query={}, body={} if body is None else body, prefer=prefer)
        )

    def change_webhook(
        self,
        endpoint_id: UUID | str,
        body: models.ChangeWebhook | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.EndpointBody:
        """Change a webhook endpoint.

        Members that are missing stay as they are. Switching off ends what waits.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CHANGE_WEBHOOK,
            Call(
                path={"endpoint_id": endpoint_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def clear_feature_flag(self, name: str) -> models.FeatureFlag:
        """Let the more general setting hold again.

        For the tenant that the operator acts for; an operator who acts for the platform tenant sets the default of
        all tenants that have none of their own. Every process heeds it at once.

        Needs the permission `admin:write`.
        """
        return self._call(_CLEAR_FEATURE_FLAG, Call(path={"name": name}, query={}))

    def close_period(
        self,
        body: models.ClosePeriodBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PeriodBody:
        """Close the books.

        Closes everything effective before a midnight of the tenant's calendar (`GET /v1/ledger/calendar`), for
        ever: there is no opening again. What a person posts into a closed period is refused; what happened there is
        posted into the first open instant.

        Needs the permission `ledger:write`.
        """
        return self._call(
            _CLOSE_PERIOD, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def close_reconciliation_period(
        self,
        month: str,
        body: models.CloseMonth | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.ClosedMonthBody:
        """Close a month of reconciliation.

        Seals its report for ever. It needs a complete run that has compared all of the month, statements that are
        known to its end, and no discrepancy of it that has been open for too long, or an `override_reason` for the
        latter two. Again is answered the same.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CLOSE_RECONCILIATION_PERIOD,
            Call(
                path={"month": month},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def close_year(
        self,
        body: models.CloseYearBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.YearEndBody:
        """Close a year.

        Moves what counts in the year on accounts of income and expenses to retained earnings, one entry a currency.
        The year is that of the tenant's calendar (`GET /v1/ledger/calendar`). It happens once; again moves what
        came later. Where the tenant demands two people, the entries are proposed.

        Needs the permission `ledger:write`.
        """
        return self._call(
            _CLOSE_YEAR, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def complete_import(
        self,
        import_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.FileImportBody:
        """Let a file be read.

        Once all its bytes have come. It is read afterwards: read the import until its `status` is `IMPORTED` or
        `REJECTED`. Again is success.

        Needs the permission `admin:write`.
        """
        return self._call(
            _COMPLETE_IMPORT, Call(path={"import_id": import_id}, query={}, idempotency_key=idempotency_key)
        )

    def confirm_payment_intent(
        self,
        intent_id: UUID | str,
        body: models.ConfirmPaymentIntent | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PaymentIntentBody:
        """Confirm a payment intent.

        Asks the issuer for the funds and waits, bounded, for the answer: 200 with the intent AUTHORIZED or FAILED,
        or 202 with the intent PROCESSING. `Prefer: respond-async` answers 202 at once. Confirming again answers the
        present state and asks nobody twice. REQUIRES_ACTION is an answer too: lead the customer to `action_url`,
        which is whole in this answer alone and in `GET ../next-action`, or show the code or the slip of
        `next_action`. With a `payment_method` that is charged; a payment that was declined, with nothing ever held,
        or that is REQUIRES_ACTION by another `payment_method`, is then authorized once more, the earlier
        authorization cancelled first, up to 5 times in all.

        Needs the permission `payments:write`.
        """
        return self._call(
            _CONFIRM_PAYMENT_INTENT,
            Call(
                path={"intent_id": intent_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def convert_amount(self, body: models.ConvertAmount) -> models.ConvertedBody:
        """Show an amount in another currency.

        As the GET of the same path: nothing is posted.

        Needs the permission `ledger:read`.
        """
        return self._call(_CONVERT_AMOUNT, Call(path={}, query={}, body=body))

    def create_account(
        self,
        body: models.CreateAccount,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.AccountBody:
        """Open an account.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CREATE_ACCOUNT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def create_api_key(
        self,
        body: models.CreateApiKey,
        *,
        prefer: str | None = None,
    ) -> models.NewApiKeyBody:
        """Make an API key.

        For a program of the tenant. The answer has the secret, once. It may do no more than you may yourself, and
        one that a key makes ends with that key at the latest.

        Needs the permission `admin:write`.
        """
        return self._call(_CREATE_API_KEY, Call(path={}, query={}, body=body, prefer=prefer))

    def create_conversion(
        self,
        body: models.CreateConversion,
        *,
        idempotency_key: str | None = None,
    ) -> models.ConversionBody:
        """Exchange money in the books.

        Two linked entries, each balanced in its own currency, in one transaction. What was received at the bank may
        be given; what the rate does not explain is a gain or a loss.

        Needs the permission `ledger:write`.
        """
        return self._call(_CREATE_CONVERSION, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    def create_customer(
        self,
        body: models.CreateCustomer,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.CustomerBody:
        """Create a customer.

        Somebody who pays more than once. No processor learns of them before a payment method is saved.

        Needs the permission `payments:write`.
        """
        return self._call(
            _CREATE_CUSTOMER, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def create_gateway_config(
        self,
        body: models.CreateGatewayConfig,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.GatewayConfigBody:
        """Charge through a processor account of one's own.

        New payments in its currencies go this way; the newest configuration that names a currency wins, then the
        newest that names none, then the platform's own processor. Keys are sealed and never shown again. An
        operator of the platform may name an account that is connected to the platform's instead of a key, and what
        the platform takes of each capture.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CREATE_GATEWAY_CONFIG, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def create_import_source(
        self,
        body: models.PutSource,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.SourceBody:
        """Add a source of files.

        A bank or processor whose files are imported, and how they are read.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CREATE_IMPORT_SOURCE, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def create_payment_intent(
        self,
        body: models.CreatePaymentIntent,
        *,
        idempotency_key: str | None = None,
    ) -> models.PaymentIntentBody:
        """Create a payment intent.

        Says that you wish to be paid. Nothing is collected until it is confirmed.

        Needs the permission `payments:write`.
        """
        return self._call(_CREATE_PAYMENT_INTENT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    def create_setup_intent(
        self,
        customer_id: UUID | str,
        body: models.StartSetupIntent | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.SetupIntentBody:
        """Save a payment method of a customer.

        Nothing is charged. Without a `payment_method` the customer enters one in the processor's client library,
        with the `client_secret` of `next-action`; with one it is saved at once, or the customer proves who they are
        first. Repeated under one `Idempotency-Key`, it is one setup.

        Needs the permission `payments:write`.
        """
        return self._call(
            _CREATE_SETUP_INTENT,
            Call(
                path={"customer_id": customer_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def create_token(
        self,
        body: models.TokenRequest,
        *,
        prefer: str | None = None,
    ) -> models.TokenResponse:
        """Log in.

        Exchanges a login name and a password for a bearer token.
        """
        return self._call(_CREATE_TOKEN, Call(path={}, query={}, body=body, prefer=prefer))

    def create_user(self, body: models.CreateUser, *, prefer: str | None = None) -> models.UserBody:
        """Add a user.

        Somebody of the tenant who logs in with a password. The roles allow no more than you may yourself.

        Needs the permission `admin:write`.
        """
        return self._call(_CREATE_USER, Call(path={}, query={}, body=body, prefer=prefer))

    def create_webhook(
        self,
        body: models.CreateWebhook,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.EndpointBody:
        """Register a webhook endpoint.

        The answer carries the signing secret, once.

        Needs the permission `admin:write`.
        """
        return self._call(
            _CREATE_WEBHOOK, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def decide_discrepancies(
        self,
        body: models.DecideMany,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> list[models.DiscrepancyBody]:
        """Decide about several discrepancies.

        All or none of them.

        Needs the permission `admin:write`.
        """
        return self._call(
            _DECIDE_DISCREPANCIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def delete_customer(
        self,
        customer_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a customer.

        Its name, e-mail address and metadata are erased, and its reference is free for another customer. Its saved
        payment methods are detached, and processors forget it. Payments stay as they are.

        Needs the permission `payments:write`.
        """
        return self._call(
            _DELETE_CUSTOMER, Call(path={"customer_id": customer_id}, query={}, idempotency_key=idempotency_key)
        )

    def delete_gateway_config(
        self,
        config_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a gateway configuration.

        No new payment goes this way. Payments that went it are still captured, voided and refunded by it.

        Needs the permission `admin:write`.
        """
        return self._call(
            _DELETE_GATEWAY_CONFIG, Call(path={"config_id": config_id}, query={}, idempotency_key=idempotency_key)
        )

    def delete_identity_provider(self) -> None:
        """Delete the identity provider.

        Nobody logs in by it any more, and who was who there is forgotten; sessions end with their tokens. Set
        again, it finds users by their email again.

        Needs the permission `admin:write`.
        """
        return self._call(_DELETE_IDENTITY_PROVIDER, Call(path={}, query={}))

    def delete_import_source(
        self,
        source_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a source of files.

        No new file of it is taken; what is imported stays.

        Needs the permission `admin:write`.
        """
        return self._call(
            _DELETE_IMPORT_SOURCE, Call(path={"source_id": source_id}, query={}, idempotency_key=idempotency_key)
        )

    def delete_webhook(
        self,
        endpoint_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a webhook endpoint.

        Its delivery history stays.

        Needs the permission `admin:write`.
        """
        return self._call(
            _DELETE_WEBHOOK, Call(path={"endpoint_id": endpoint_id}, query={}, idempotency_key=idempotency_key)
        )

    def detach_saved_payment_method(
        self,
        customer_id: UUID | str,
        payment_method_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Detach a saved payment method.

        No payment is charged to it any more, and the processor forgets it. Again is success.

        Needs the permission `payments:write`.
        """
        return self._call(
            _DETACH_SAVED_PAYMENT_METHOD,
            Call(
                path={"customer_id": customer_id, "payment_method_id": payment_method_id},
                query={},
                idempotency_key=idempotency_key,
            ),
        )

    def get_account_role(self, role: str) -> models.AccountRoleHistoryBody:
        """Get an account role and its changes.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_ACCOUNT_ROLE, Call(path={"role": role}, query={}))

    def get_api_key(self, key_id: UUID | str) -> models.ApiKeyBody:
        """Get an API key.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_API_KEY, Call(path={"key_id": key_id}, query={}))

    def get_approval_policy(self) -> models.ApprovalPolicyBody:
        """What does the tenant let nobody do alone?.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_APPROVAL_POLICY, Call(path={}, query={}))

    def get_change_verification(self) -> models.ChangeVerification:
        """Show whether changes of users, keys and roles are as they were sealed.

        Each change of a tenant, its users, API keys and feature flags, and the line of the audit log about it, is a
        link of the tenant's chain of hashes. Shown is how far the chain was recomputed and signed, and what was
        found changed past the platform; an empty list is good. A platform operator who acts for the platform tenant
        also sees the chain of roles, permissions and policies.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_CHANGE_VERIFICATION, Call(path={}, query={}))

    def get_chaos(self) -> models.Disturbance:
        """How is the tenant disturbed?.

        Offered only where APP_ENV=local, and never disturbed itself.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_CHAOS, Call(path={}, query={}))

    def get_consolidated_balances(self, *, currency: str, at: str | None = None) -> models.ConsolidatedBody:
        """Get all balances in one currency.

        With the rates that were used. A currency that no rate leads from is named, never guessed.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_CONSOLIDATED_BALANCES, Call(path={}, query={"currency": currency, "at": at}))

    def get_conversion(self, conversion_id: UUID | str) -> models.ConversionBody:
        """Get a conversion.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_CONVERSION, Call(path={"conversion_id": conversion_id}, query={}))

    def get_converted_amount(
        self,
        *,
        amount: str,
        from_currency: str,
        to_currency: str,
        at: str | None = None,
    ) -> models.ConvertedBody:
        """Show an amount in another currency.

        Nothing is posted. Directly, inverted, or over USD or EUR; the rates that were applied are in the answer.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _GET_CONVERTED_AMOUNT,
            Call(
                path={}, query={"amount": amount, "from_currency": from_currency, "to_currency": to_currency, "at": at}
            ),
        )

    def get_customer(self, customer_id: UUID | str) -> models.CustomerBody:
        """Get a customer.

        Needs the permission `payments:read`.
        """
        return self._call(_GET_CUSTOMER, Call(path={"customer_id": customer_id}, query={}))

    def get_dead_letter(self, service: str, letter_id: UUID | str) -> models.ShownDeadLetterBody:
        """Get a dead letter.

        With its content, of which what is secret, identifies a person or is a card number is left out.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_DEAD_LETTER, Call(path={"service": service, "letter_id": letter_id}, query={}))

    def get_discrepancy(self, discrepancy_id: UUID | str) -> models.DiscrepancyHistoryBody:
        """Get a discrepancy.

        With all that was done about it, oldest first.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_DISCREPANCY, Call(path={"discrepancy_id": discrepancy_id}, query={}))

    def get_hold(self, hold_id: UUID | str) -> models.HoldBody:
        """Get a hold.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_HOLD, Call(path={"hold_id": hold_id}, query={}))

    def get_identity_provider(self) -> models.IdentityProviderBody:
        """Get the identity provider.

        By which the tenant's users log in to the console, and where they do; never its secret.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_IDENTITY_PROVIDER, Call(path={}, query={}))

    def get_import(self, import_id: UUID | str) -> models.FileImportBody:
        """Get an import.

        With what is wrong in the file, line by line, where it was rejected.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_IMPORT, Call(path={"import_id": import_id}, query={}))

    def get_import_source(self, source_id: UUID | str) -> models.SourceBody:
        """Get a source of files.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_IMPORT_SOURCE, Call(path={"source_id": source_id}, query={}))

    def get_ledger_calendar(self) -> models.CalendarBody:
        """Get the calendar of the books.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_LEDGER_CALENDAR, Call(path={}, query={}))

    def get_ledger_entry(self, entry_id: UUID | str) -> models.EntryItem:
        """Get a journal entry.

        With what the journal has of it, and the entry that takes it back.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_LEDGER_ENTRY, Call(path={"entry_id": entry_id}, query={}))

    def get_ledger_settings(self) -> models.LedgerSettings:
        """Does the tenant let nobody change its books alone?.

        Whether a rule without conditions is in the policy; `GET /v1/ledger/policy` has all rules.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_LEDGER_SETTINGS, Call(path={}, query={}))

    def get_ledger_verification(self) -> models.VerificationBody:
        """Verify the books.

        The ledger recomputes its hash chains continuously, by code that shares nothing with what writes them; this
        is how far it has come and what it has found.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_LEDGER_VERIFICATION, Call(path={}, query={}))

    def get_matching_rules(self, source_id: UUID | str) -> models.RulesBody:
        """Get the rules of a source.

        By which its lines find payouts or movements; version 0 are the defaults.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_MATCHING_RULES, Call(path={"source_id": source_id}, query={}))

    def get_me(self) -> models.Me:
        """Who am I?.

        The claims of the bearer token; no tenant header is needed.
        """
        return self._call(_GET_ME, Call(path={}, query={}))

    def get_payment_intent(self, intent_id: UUID | str, *, expand: str | None = None) -> models.ExpandedPaymentIntent:
        """Get a payment intent.

        Needs the permission `payments:read`.
        """
        return self._call(_GET_PAYMENT_INTENT, Call(path={"intent_id": intent_id}, query={"expand": expand}))

    def get_payment_intent_next_action(self, intent_id: UUID | str) -> models.ClientActionBody:
        """What the customer of a payment intent does next.

        While the intent is REQUIRES_ACTION: `redirect` with the whole `url` to send the customer to, the code or
        the slip that they pay, or `use_stripe_sdk` with the `client_secret` that Stripe's client library goes on
        with (`handleNextAction`). The secret, and the `url`, which may carry it, are read from the processor each
        time and kept nowhere: pass them to the customer's browser, and do not log or store them.

        Needs the permission `payments:write`.
        """
        return self._call(_GET_PAYMENT_INTENT_NEXT_ACTION, Call(path={"intent_id": intent_id}, query={}))

    def get_policy_change(self, change_id: UUID | str) -> models.PolicyChangeBody:
        """Get a change of the policy.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_POLICY_CHANGE, Call(path={"change_id": change_id}, query={}))

    def get_proposal(self, proposal_id: UUID | str) -> models.ProposalBody:
        """Get a proposal.

        Needs the permission `ledger:read`.
        """
        return self._call(_GET_PROPOSAL, Call(path={"proposal_id": proposal_id}, query={}))

    def get_reconciliation_period(self, month: str) -> models.SealedMonthBody:
        """Get a closed month of reconciliation.

        With its sealed report, also as a table or a page to print. `sealed` has the bytes of the checksum as text.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_RECONCILIATION_PERIOD, Call(path={"month": month}, query={}))

    def get_reconciliation_run(self, run_id: UUID | str) -> models.RunBody:
        """Get a reconciliation run.

        How far it is, what moved in its window by currency, and what does not agree by type. Once it is complete,
        with the report of that moment, also as a table or a page to print; the same run has the same report for
        ever.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_RECONCILIATION_RUN, Call(path={"run_id": run_id}, query={}))

    def get_setup_intent(self, customer_id: UUID | str, setup_id: UUID | str) -> models.SetupIntentBody:
        """Get a setup intent.

        How far the saving is, read from the processor while it is not over.

        Needs the permission `payments:read`.
        """
        return self._call(_GET_SETUP_INTENT, Call(path={"customer_id": customer_id, "setup_id": setup_id}, query={}))

    def get_setup_intent_next_action(self, customer_id: UUID | str, setup_id: UUID | str) -> models.SetupActionBody:
        """With what a customer saves a payment method.

        `redirect` with the `url` to send the customer to, or `use_stripe_sdk` with the `client_secret` for Stripe's
        client library (`confirmSetup`, `handleNextAction`). The secret is read from the processor each time and
        kept nowhere: pass it to the customer's browser, and do not log or store it.

        Needs the permission `payments:write`.
        """
        return self._call(
            _GET_SETUP_INTENT_NEXT_ACTION, Call(path={"customer_id": customer_id, "setup_id": setup_id}, query={})
        )

    def get_tenant(self, tenant_id: str) -> models.TenantBody:
        """Get a tenant.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_TENANT, Call(path={"tenant_id": tenant_id}, query={}))

    def get_webhook(self, endpoint_id: UUID | str) -> models.EndpointBody:
        """Get a webhook endpoint.

        With its health: whether it fails, rests or was switched off, and what waits for it.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_WEBHOOK, Call(path={"endpoint_id": endpoint_id}, query={}))

    def get_webhook_replay(self, replay_id: UUID | str) -> models.ReplayBody:
        """Get a replay.

        How far a replay is.

        Needs the permission `admin:write`.
        """
        return self._call(_GET_WEBHOOK_REPLAY, Call(path={"replay_id": replay_id}, query={}))

    def ignore_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Settle | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Ignore a discrepancy.

        It may stand. It is open again when a run finds it with other facts.

        Needs the permission `admin:write`.
        """
        return self._call(
            _IGNORE_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def list_account_roles(self) -> list[models.AccountRoleBody]:
        """List account roles.

        Which account plays which role in the posting rules, as a bare array.

        Needs the permission `ledger:read`.
        """
        return self._call(_LIST_ACCOUNT_ROLES, Call(path={}, query={}))

    def list_accounts(self) -> list[models.AccountBody]:
        """List accounts.

        The tenant's chart, by code, as a bare array.

        Needs the permission `ledger:read`.
        """
        return self._call(_LIST_ACCOUNTS, Call(path={}, query={}))

    def list_all_webhook_deliveries(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.DeliveryPage:
        """List deliveries of all endpoints.

        What was sent to any endpoint, deleted ones included, newest first, with every attempt.

        Needs the permission `admin:write`.
        """
        return self._call(
            _LIST_ALL_WEBHOOK_DELIVERIES,
            Call(
                path={},
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    def iterate_all_webhook_deliveries(
        self,
        *,
        limit: int | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> Iterator[models.DeliveryBody]:
        """Yield what `list_all_webhook_deliveries` lists, page after page."""
        return self._items(
            _LIST_ALL_WEBHOOK_DELIVERIES,
            Call(
                path={},
                query={
                    "limit": limit,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    def list_api_keys(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.ApiKeyList:
        """List API keys.

        Newest first, with those that are revoked or expired; without their secrets.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_API_KEYS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_api_keys(self, *, limit: int | None = None) -> Iterator[models.ApiKeyBody]:
        """Yield what `list_api_keys` lists, page after page."""
        return self._items(_LIST_API_KEYS, Call(path={}, query={"limit": limit}))

    def list_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        outcome: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.AuditLines:
        """List the audit log.

        Every change and every denial, newest first. With `format=csv`, or where text/csv is accepted, as a file. A
        platform operator who acts for the platform tenant also sees lines that belong to no tenant.

        Needs the permission `admin:write`.
        """
        return self._call(
            _LIST_AUDIT,
            Call(
                path={},
                query={
                    "actor": actor,
                    "action": action,
                    "target": target,
                    "outcome": outcome,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        outcome: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.AuditLine]:
        """Yield what `list_audit` lists, page after page."""
        return self._items(
            _LIST_AUDIT,
            Call(
                path={},
                query={
                    "actor": actor,
                    "action": action,
                    "target": target,
                    "outcome": outcome,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                },
            ),
        )

    def list_circuits(self) -> list[models.CircuitBody]:
        """List circuits.

        Which processors every process of the gateway calls at the moment, and which accounts are held up, as a bare
        array: those that take no calls first. A report is a few seconds old.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_CIRCUITS, Call(path={}, query={}))

    def list_conversions(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.ConversionBody]:
        """List conversions.

        The newest ids first, as a bare array; a `Link` leads to the next page.

        Needs the permission `ledger:read`.
        """
        return self._call(_LIST_CONVERSIONS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_conversions(self, *, limit: int | None = None) -> Iterator[models.ConversionBody]:
        """Yield what `list_conversions` lists, page after page."""
        return self._items(_LIST_CONVERSIONS, Call(path={}, query={"limit": limit}))

    def list_customers(
        self,
        *,
        reference: str | None = None,
        email: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.CustomerList:
        """List customers.

        Newest first; deleted ones are not shown.

        Needs the permission `payments:read`.
        """
        return self._call(
            _LIST_CUSTOMERS,
            Call(path={}, query={"reference": reference, "email": email, "limit": limit, "cursor": cursor}),
        )

    def iterate_customers(
        self,
        *,
        reference: str | None = None,
        email: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.CustomerBody]:
        """Yield what `list_customers` lists, page after page."""
        return self._items(
            _LIST_CUSTOMERS, Call(path={}, query={"reference": reference, "email": email, "limit": limit})
        )

    def list_dead_letters(
        self,
        *,
        service: str | None = None,
        queue: str | None = None,
        limit: int | None = None,
    ) -> models.DeadLettersBody:
        """List dead letters.

        Messages that services could not handle, of all tenants, the oldest first, without their content. Where one
        service is named that does not answer: 503; else the others are listed, and `unavailable` names it.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_DEAD_LETTERS, Call(path={}, query={"service": service, "queue": queue, "limit": limit}))

    def list_discrepancies(
        self,
        *,
        resolved: str | None = None,
        type: str | None = None,
        state: str | None = None,
        payment_intent_id: UUID | str | None = None,
        assignee: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.DiscrepancyBody]:
        """List discrepancies.

        In the order of when they happened, the latest first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return self._call(
            _LIST_DISCREPANCIES,
            Call(
                path={},
                query={
                    "resolved": resolved,
                    "type": type,
                    "state": state,
                    "payment_intent_id": payment_intent_id,
                    "assignee": assignee,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_discrepancies(
        self,
        *,
        resolved: str | None = None,
        type: str | None = None,
        state: str | None = None,
        payment_intent_id: UUID | str | None = None,
        assignee: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.DiscrepancyBody]:
        """Yield what `list_discrepancies` lists, page after page."""
        return self._items(
            _LIST_DISCREPANCIES,
            Call(
                path={},
                query={
                    "resolved": resolved,
                    "type": type,
                    "state": state,
                    "payment_intent_id": payment_intent_id,
                    "assignee": assignee,
                    "limit": limit,
                },
            ),
        )

    def list_disputes(self, intent_id: UUID | str) -> list[models.DisputeBody]:
        """List the disputes of a payment intent.

        Newest first, as a bare array.

        Needs the permission `payments:read`.
        """
        return self._call(_LIST_DISPUTES, Call(path={"intent_id": intent_id}, query={}))

    def list_exchange_rates(
        self,
        *,
        from_currency: str | None = None,
        to_currency: str | None = None,
        at: str | None = None,
        history: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.ExchangeRateBody]:
        """List exchange rates.

        The rate of each pair in effect, by pair, or the history; a bare array, the next page in `Link`.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _LIST_EXCHANGE_RATES,
            Call(
                path={},
                query={
                    "from_currency": from_currency,
                    "to_currency": to_currency,
                    "at": at,
                    "history": history,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_exchange_rates(
        self,
        *,
        from_currency: str | None = None,
        to_currency: str | None = None,
        at: str | None = None,
        history: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.ExchangeRateBody]:
        """Yield what `list_exchange_rates` lists, page after page."""
        return self._items(
            _LIST_EXCHANGE_RATES,
            Call(
                path={},
                query={
                    "from_currency": from_currency,
                    "to_currency": to_currency,
                    "at": at,
                    "history": history,
                    "limit": limit,
                },
            ),
        )

    def list_feature_flags(self) -> list[models.FeatureFlag]:
        """List feature flags.

        Every feature that can be switched, as it is for the tenant, as a bare array.

        Needs the permission `profile:read`.
        """
        return self._call(_LIST_FEATURE_FLAGS, Call(path={}, query={}))

    def list_gateway_configs(self) -> list[models.GatewayConfigBody]:
        """List gateway configurations.

        Newest first, as a bare array, without their keys.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_GATEWAY_CONFIGS, Call(path={}, query={}))

    def list_gateway_events(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[models.GatewayEventBody]:
        """List events of processors.

        What processors reported about the tenant's accounts, newest first, as a bare array. `UNMATCHED` are those
        about a payment that we do not know.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_GATEWAY_EVENTS, Call(path={}, query={"status": status, "limit": limit}))

    def list_holds(
        self,
        *,
        state: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.HoldBody]:
        """List holds.

        Newest first, as a bare array; the next page is in the `Link` header.

        Needs the permission `ledger:read`.
        """
        return self._call(_LIST_HOLDS, Call(path={}, query={"state": state, "limit": limit, "cursor": cursor}))

    def iterate_holds(self, *, state: str | None = None, limit: int | None = None) -> Iterator[models.HoldBody]:
        """Yield what `list_holds` lists, page after page."""
        return self._items(_LIST_HOLDS, Call(path={}, query={"state": state, "limit": limit}))

    def list_import_sources(self) -> list[models.SourceBody]:
        """List sources of files.

        Newest first, as a bare array.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_IMPORT_SOURCES, Call(path={}, query={}))

    def list_imports(
        self,
        *,
        source_id: UUID | str | None = None,
        limit: int | None = None,
    ) -> list[models.FileImportBody]:
        """List imports.

        Newest first, as a bare array, without their errors.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_IMPORTS, Call(path={}, query={"source_id": source_id, "limit": limit}))

    def list_ledger_balances(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        as_of: str | None = None,
        time: str | None = None,
        account: str | None = None,
    ) -> list[models.BalanceBody]:
        """List balances.

        By account and currency, as a bare array; within a period, or as of an instant, when one is given.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _LIST_LEDGER_BALANCES,
            Call(
                path={},
                query={"from": from_, "to": to, "currency": currency, "as_of": as_of, "time": time, "account": account},
            ),
        )

    def list_ledger_entries(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        account: str | None = None,
        payment_intent_id: UUID | str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        after: UUID | str | None = None,
    ) -> list[models.EntryBody]:
        """List journal entries.

        Newest first, as a bare array; the next page is in the `Link` header. With `after` oldest first: who always
        goes on after the last entry gets each entry once, half a second after it was recorded.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _LIST_LEDGER_ENTRIES,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "currency": currency,
                    "account": account,
                    "payment_intent_id": payment_intent_id,
                    "limit": limit,
                    "offset": offset,
                    "cursor": cursor,
                    "after": after,
                },
            ),
        )

    def iterate_ledger_entries(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        account: str | None = None,
        payment_intent_id: UUID | str | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> Iterator[models.EntryBody]:
        """Yield what `list_ledger_entries` lists, page after page."""
        return self._items(
            _LIST_LEDGER_ENTRIES,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "currency": currency,
                    "account": account,
                    "payment_intent_id": payment_intent_id,
                    "limit": limit,
                    "after": after,
                },
            ),
        )

    def list_line_matches(
        self,
        *,
        part_id: UUID | str | None = None,
        rule: str | None = None,
        in_force: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.MatchBody]:
        """List matches of lines.

        Newest first, as a bare array, with what was taken apart; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return self._call(
            _LIST_LINE_MATCHES,
            Call(
                path={},
                query={"part_id": part_id, "rule": rule, "in_force": in_force, "limit": limit, "cursor": cursor},
            ),
        )

    def iterate_line_matches(
        self,
        *,
        part_id: UUID | str | None = None,
        rule: str | None = None,
        in_force: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.MatchBody]:
        """Yield what `list_line_matches` lists, page after page."""
        return self._items(
            _LIST_LINE_MATCHES,
            Call(path={}, query={"part_id": part_id, "rule": rule, "in_force": in_force, "limit": limit}),
        )

    def list_own_units(self) -> list[models.OwnUnitBody]:
        """List own units.

        What the tenant's books count beside money, by code, as a bare array.

        Needs the permission `ledger:read`.
        """
        return self._call(_LIST_OWN_UNITS, Call(path={}, query={}))

    def list_payment_intent_attempts(self, intent_id: UUID | str) -> list[models.AttemptBody]:
        """What was requested of processors for a payment intent.

        Oldest first, as a bare array; empty for an intent that no processor was called for.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_PAYMENT_INTENT_ATTEMPTS, Call(path={"intent_id": intent_id}, query={}))

    def list_payment_intent_events(self, intent_id: UUID | str) -> list[models.TimelineEventBody]:
        """The timeline of a payment intent.

        What happened, when and by whom, oldest first, as a bare array.

        Needs the permission `payments:read`.
        """
        return self._call(_LIST_PAYMENT_INTENT_EVENTS, Call(path={"intent_id": intent_id}, query={}))

    def list_payment_intents(
        self,
        *,
        status: str | None = None,
        customer_ref: str | None = None,
        customer_ref_prefix: str | None = None,
        currency: str | None = None,
        order_id: str | None = None,
        refund_id: UUID | str | None = None,
        gateway_ref: str | None = None,
        amount: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        page: int | None = None,
        page_size: int | None = None,
        total: str | None = None,
        cursor: str | None = None,
    ) -> models.PaymentIntentPage:
        """List payment intents.

        Newest first. Numbered pages count all; a cursor stays fast and stable at any depth.

        Needs the permission `payments:read`.
        """
        return self._call(
            _LIST_PAYMENT_INTENTS,
            Call(
                path={},
                query={
                    "status": status,
                    "customer_ref": customer_ref,
                    "customer_ref_prefix": customer_ref_prefix,
                    "currency": currency,
                    "order_id": order_id,
                    "refund_id": refund_id,
                    "gateway_ref": gateway_ref,
                    "amount": amount,
                    "from": from_,
                    "to": to,
                    "page": page,
                    "pageSize": page_size,
                    "total": total,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_payment_intents(
        self,
        *,
        status: str | None = None,
        customer_ref: str | None = None,
        customer_ref_prefix: str | None = None,
        currency: str | None = None,
        order_id: str | None = None,
        refund_id: UUID | str | None = None,
        gateway_ref: str | None = None,
        amount: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        page_size: int | None = None,
        total: str | None = None,
    ) -> Iterator[models.PaymentIntentBody]:
        """Yield what `list_payment_intents` lists, page after page."""
        return self._items(
            _LIST_PAYMENT_INTENTS,
            Call(
                path={},
                query={
                    "status": status,
                    "customer_ref": customer_ref,
                    "customer_ref_prefix": customer_ref_prefix,
                    "currency": currency,
                    "order_id": order_id,
                    "refund_id": refund_id,
                    "gateway_ref": gateway_ref,
                    "amount": amount,
                    "from": from_,
                    "to": to,
                    "pageSize": page_size,
                    "total": total,
                },
            ),
        )

    def list_payments_of_order(self, *, order_id: str) -> list[models.OrderPayment]:
        """Find the payment of an order.

        Needs the permission `payments:read`.
        """
        return self._call(_LIST_PAYMENTS_OF_ORDER, Call(path={}, query={"orderId": order_id}))

    def list_periods(self) -> list[models.PeriodBody]:
        """List closed periods.

        The latest first, as a bare array.

        Needs the permission `ledger:read`.
        """
        return self._call(_LIST_PERIODS, Call(path={}, query={}))

    def list_policies(self) -> list[models.PolicyBody]:
        """List permissions and their policies.

        Every permission with the plans and regions that may use it, as a bare array.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_POLICIES, Call(path={}, query={}))

    def list_policy_changes(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.PolicyChangesBody:
        """List changes of the policy.

        Newest first.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _LIST_POLICY_CHANGES, Call(path={}, query={"status": status, "limit": limit, "cursor": cursor})
        )

    def iterate_policy_changes(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.PolicyChangeBody]:
        """Yield what `list_policy_changes` lists, page after page."""
        return self._items(_LIST_POLICY_CHANGES, Call(path={}, query={"status": status, "limit": limit}))

    def list_proposals(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.ProposalsBody:
        """List proposals.

        Newest first.

        Needs the permission `ledger:read`.
        """
        return self._call(_LIST_PROPOSALS, Call(path={}, query={"status": status, "limit": limit, "cursor": cursor}))

    def iterate_proposals(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.ProposalBody]:
        """Yield what `list_proposals` lists, page after page."""
        return self._items(_LIST_PROPOSALS, Call(path={}, query={"status": status, "limit": limit}))

    def list_reconciliation_periods(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.ClosedMonthBody]:
        """List closed months of reconciliation.

        The latest first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_RECONCILIATION_PERIODS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_reconciliation_periods(self, *, limit: int | None = None) -> Iterator[models.ClosedMonthBody]:
        """Yield what `list_reconciliation_periods` lists, page after page."""
        return self._items(_LIST_RECONCILIATION_PERIODS, Call(path={}, query={"limit": limit}))

    def list_reconciliation_runs(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.RunBody]:
        """List reconciliation runs.

        Newest first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_RECONCILIATION_RUNS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_reconciliation_runs(self, *, limit: int | None = None) -> Iterator[models.RunBody]:
        """Yield what `list_reconciliation_runs` lists, page after page."""
        return self._items(_LIST_RECONCILIATION_RUNS, Call(path={}, query={"limit": limit}))

    def list_refunds(self, intent_id: UUID | str) -> list[models.RefundBody]:
        """List the refunds of a payment intent.

        Newest first, as a bare array.

        Needs the permission `payments:read`.
        """
        return self._call(_LIST_REFUNDS, Call(path={"intent_id": intent_id}, query={}))

    def list_requests(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        status: str | None = None,
        code: str | None = None,
        actor: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.RequestLines:
        """List the log of requests.

        What the tenant's API keys and users sent lately, newest first, half a second after it was answered: no
        bodies, no secrets. Kept for `REQUEST_LOG_RETENTION_DAYS`; of one tenant each process notes at most
        `REQUEST_LOG_PER_SECOND`. What the console does is not in it.

        Needs the permission `admin:write`.
        """
        return self._call(
            _LIST_REQUESTS,
            Call(
                path={},
                query={
                    "method": method,
                    "path": path,
                    "status": status,
                    "code": code,
                    "actor": actor,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_requests(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        status: str | None = None,
        code: str | None = None,
        actor: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.RequestLine]:
        """Yield what `list_requests` lists, page after page."""
        return self._items(
            _LIST_REQUESTS,
            Call(
                path={},
                query={
                    "method": method,
                    "path": path,
                    "status": status,
                    "code": code,
                    "actor": actor,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                },
            ),
        )

    def list_roles(self) -> list[models.RoleBody]:
        """List roles.

        Every role with what it allows, as a bare array.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_ROLES, Call(path={}, query={}))

    def list_saved_payment_methods(self, customer_id: UUID | str) -> list[models.SavedMethodBody]:
        """List the saved payment methods of a customer.

        Newest first, as a bare array: type, brand, last four digits and expiry. Detached ones are not shown.

        Needs the permission `payments:read`.
        """
        return self._call(_LIST_SAVED_PAYMENT_METHODS, Call(path={"customer_id": customer_id}, query={}))

    def list_service_health(self) -> list[models.ServiceHealthBody]:
        """List how services are.

        What each service is still to publish, and what waits in its queues, as a bare array. A service that does
        not answer is there without its figures.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_SERVICE_HEALTH, Call(path={}, query={}))

    def list_statement_lines(
        self,
        *,
        source_id: UUID | str | None = None,
        matched: str | None = None,
        from_: date | str | None = None,
        until: date | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.StatementLineBody]:
        """List lines of statements.

        The last imported first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return self._call(
            _LIST_STATEMENT_LINES,
            Call(
                path={},
                query={
                    "source_id": source_id,
                    "matched": matched,
                    "from": from_,
                    "until": until,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_statement_lines(
        self,
        *,
        source_id: UUID | str | None = None,
        matched: str | None = None,
        from_: date | str | None = None,
        until: date | str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.StatementLineBody]:
        """Yield what `list_statement_lines` lists, page after page."""
        return self._items(
            _LIST_STATEMENT_LINES,
            Call(
                path={},
                query={"source_id": source_id, "matched": matched, "from": from_, "until": until, "limit": limit},
            ),
        )

    def list_tenants(self, *, limit: int | None = None, after: str | None = None) -> models.TenantList:
        """List tenants.

        In the order of their ids, whatever their status.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_TENANTS, Call(path={}, query={"limit": limit, "after": after}))

    def list_unknown_outcomes(self, *, limit: int | None = None) -> list[models.UnknownOutcomeBody]:
        """List operations without a known outcome.

        What processors were called for and it is not known whether they have done it, oldest first, as a bare
        array. Each is looked at again at `next_ask_at`; where that is null, an operator of the platform decides. Do
        not repeat a refund that is here.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_UNKNOWN_OUTCOMES, Call(path={}, query={"limit": limit}))

    def list_users(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.UserList:
        """List users.

        Newest first. Through the platform's tenant an operator sees its operators too.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_USERS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_users(self, *, limit: int | None = None) -> Iterator[models.UserBody]:
        """Yield what `list_users` lists, page after page."""
        return self._items(_LIST_USERS, Call(path={}, query={"limit": limit}))

    def list_webhook_deliveries(
        self,
        endpoint_id: UUID | str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.DeliveryPage:
        """List deliveries.

        What was sent to an endpoint, newest first, with every attempt.

        Needs the permission `admin:write`.
        """
        return self._call(
            _LIST_WEBHOOK_DELIVERIES,
            Call(
                path={"endpoint_id": endpoint_id},
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    def iterate_webhook_deliveries(
        self,
        endpoint_id: UUID | str,
        *,
        limit: int | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> Iterator[models.DeliveryBody]:
        """Yield what `list_webhook_deliveries` lists, page after page."""
        return self._items(
            _LIST_WEBHOOK_DELIVERIES,
            Call(
                path={"endpoint_id": endpoint_id},
                query={
                    "limit": limit,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    def list_webhooks(self) -> list[models.EndpointBody]:
        """List webhook endpoints.

        Newest first, as a bare array, without their secrets.

        Needs the permission `admin:write`.
        """
        return self._call(_LIST_WEBHOOKS, Call(path={}, query={}))

    def match_lines(
        self,
        body: models.MatchByHand,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.MatchBody:
        """Match lines by hand.

        No run undoes it. Amounts must agree, or the difference is named; of two currencies, what the other side
        has.

        Needs the permission `admin:write`.
        """
        return self._call(
            _MATCH_LINES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def place_hold(
        self,
        body: models.PlaceHoldBody,
        *,
        idempotency_key: str | None = None,
    ) -> models.HoldBody:
        """Place a hold.

        Sets an amount aside on both accounts. What is available is checked under the same lock as every posting.
        The same `id` and content again is answered the same.

        Needs the permission `ledger:write`.
        """
        return self._call(_PLACE_HOLD, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    def post_ledger_entries(
        self,
        body: models.PostLedgerEntries,
        *,
        idempotency_key: str | None = None,
    ) -> models.EntriesPostedBody:
        """Post journal entries.

        One to 10,000 entries by hand. `atomic`: all or none, and a refusal says what is wrong where. `independent`:
        each for itself, with a result each. Needs an `Idempotency-Key` unless it is a dry run; the key is
        remembered for ever, as the entries are.

        Needs the permission `ledger:write`.
        """
        return self._call(_POST_LEDGER_ENTRIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    def propose_ledger_entries(
        self,
        body: models.ProposeLedgerEntries,
        *,
        idempotency_key: str | None = None,
    ) -> models.ProposalBody:
        """Propose journal entries.

        One to 500 entries that are posted together once somebody else approves. What could not be posted now is
        refused now.

        Needs the permission `ledger:write`.
        """
        return self._call(_PROPOSE_LEDGER_ENTRIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    def propose_policy_change(
        self,
        body: models.ProposeApprovalPolicy,
        *,
        idempotency_key: str | None = None,
    ) -> models.PolicyChangeBody:
        """Propose a policy.

        All rules of it. `applied` at once where the present policy demands nothing; else somebody else decides.

        Needs the permission `admin:write`.
        """
        return self._call(_PROPOSE_POLICY_CHANGE, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    def put_account_role(
        self,
        role: str,
        body: models.AssignRole,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.AccountRoleBody:
        """Let an account play a role.

        Effective for every entry that is posted once this is answered; what stands in the books stays.

        Needs the permission `admin:write`.
        """
        return self._call(
            _PUT_ACCOUNT_ROLE,
            Call(path={"role": role}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    def put_chaos(
        self,
        body: models.Disturbance | None = None,
        *,
        prefer: str | None = None,
    ) -> models.Disturbance:
        """Disturb the tenant's requests.

        For an hour, in every process: delays, and failures by chance. Offered only where APP_ENV=local, and never
        disturbed itself.

        Needs the permission `admin:write`.
        """
        return self._call(_PUT_CHAOS, Call(path={}, query={}, body={} if body is None else body, prefer=prefer))

    def put_identity_provider(
        self,
        body: models.PutIdentityProvider,
        *,
        prefer: str | None = None,
    ) -> models.IdentityProviderBody:
        """Set the identity provider.

        Users of the tenant, who are there already, log in to the console by it (OpenID Connect, the authorization
        code with PKCE); their passwords stay valid. You must be allowed all that they are. Send the secret each
        time.

        Needs the permission `admin:write`.
        """
        return self._call(_PUT_IDENTITY_PROVIDER, Call(path={}, query={}, body=body, prefer=prefer))

    def put_import_part(self, import_id: UUID | str, number: int, body: bytes) -> None:
        """Send a part of a file.

        Its bytes, in any order of parts; together they are the file. A part that is sent again replaces what came
        of it before.

        Needs the permission `admin:write`.
        """
        return self._call(_PUT_IMPORT_PART, Call(path={"import_id": import_id, "number": number}, query={}, body=body))

    def put_ledger_calendar(
        self,
        body: models.SetCalendarBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.CalendarBody:
        """Keep the books by another calendar.

        The next period ends with a midnight of this time zone, and financial statements without `tz` are by it.
        What is closed stays closed.

        Needs the permission `admin:write`.
        """
        return self._call(
            _PUT_LEDGER_CALENDAR, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def put_ledger_settings(
        self,
        body: models.LedgerSettings,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.LedgerSettings:
        """Demand a second person for everything.

        Where the policy demands anything already, a change of it needs a second person: 409, and `POST
        /v1/ledger/policy/changes` proposes it.

        Needs the permission `admin:write`.
        """
        return self._call(
            _PUT_LEDGER_SETTINGS, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def put_policy(
        self,
        permission: str,
        body: models.PutPolicy,
        *,
        prefer: str | None = None,
    ) -> models.PolicyBody:
        """Change how a permission is narrowed.

        For every tenant, and heeded by every process at once.

        Needs the permission `admin:write`.
        """
        return self._call(_PUT_POLICY, Call(path={"permission": permission}, query={}, body=body, prefer=prefer))

    def put_role(
        self,
        name: str,
        body: models.PutRole,
        *,
        prefer: str | None = None,
    ) -> models.RoleBody:
        """Make a role, or change what it allows.

        For logins from then on, of every tenant; a token that somebody has is valid until it expires.

        Needs the permission `admin:write`.
        """
        return self._call(_PUT_ROLE, Call(path={"name": name}, query={}, body=body, prefer=prefer))

    def put_tenant(
        self,
        tenant_id: str,
        body: models.PutTenant,
        *,
        prefer: str | None = None,
    ) -> models.TenantBody:
        """Make a tenant known, or change it.

        A new one gets its default accounts in the ledger. A tenant that is SUSPENDED or DELETED is refused at once,
        in every process, and keeps its history; a change without `status` leaves it as it is. What the suite states
        of it afterwards counts again.

        Needs the permission `admin:write`.
        """
        return self._call(_PUT_TENANT, Call(path={"tenant_id": tenant_id}, query={}, body=body, prefer=prefer))

    def record_exchange_rate(
        self,
        body: models.RecordRate,
        *,
        idempotency_key: str | None = None,
    ) -> models.ExchangeRateBody:
        """Record an exchange rate.

        Never changed once recorded; the same again is the same. A correction is one that takes effect later.

        Needs the permission `admin:write`.
        """
        return self._call(_RECORD_EXCHANGE_RATE, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    def redrive_dead_letter(
        self,
        service: str,
        letter_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.RedrivenBody:
        """Redrive a dead letter.

        Has it handled again, once its cause is gone. Again it is success, as long as it has not failed again.

        Needs the permission `admin:write`.
        """
        return self._call(
            _REDRIVE_DEAD_LETTER,
            Call(path={"service": service, "letter_id": letter_id}, query={}, idempotency_key=idempotency_key),
        )

    def refresh_reports(self, *, idempotency_key: str | None = None) -> models.RefreshBody:
        """Refresh the reports now.

        For operators of the platform. Waits, bounded: 200 once it is done, 202 while it goes on, here or in another
        process.

        Needs the permission `admin:write`.
        """
        return self._call(_REFRESH_REPORTS, Call(path={}, query={}, idempotency_key=idempotency_key))

    def refund_payment_intent(
        self,
        intent_id: UUID | str,
        body: models.RefundRequest | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RefundBody:
        """Refund a payment intent.

        Gives captured money back: all that is left, or the amount given, as often as something is left. Waits,
        bounded, for the processor; the answer is the refund: COMPLETED, FAILED, or PENDING where the processor has
        not reported yet how it ended. A refund that fails, at once or later, counts for nothing.

        Needs the permission `payments:write`.
        """
        return self._call(
            _REFUND_PAYMENT_INTENT,
            Call(
                path={"intent_id": intent_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def reject_policy_change(
        self,
        change_id: UUID | str,
        body: models.DecidePolicyChange | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PolicyChangeBody:
        """Reject a change of the policy.

        The policy stays. Who proposed it, or made the key that did, cannot reject it either.

        Needs the permission `ledger:approve`.
        """
        return self._call(
            _REJECT_POLICY_CHANGE,
            Call(
                path={"change_id": change_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def reject_proposal(
        self,
        proposal_id: UUID | str,
        body: models.DecideProposal | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> models.ProposalBody:
        """Reject a proposal.

        Its entries will not be posted. Who proposed it, or made the key that did, cannot reject it either.

        Needs the permission `ledger:approve`.
        """
        return self._call(
            _REJECT_PROPOSAL,
            Call(
                path={"proposal_id": proposal_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
            ),
        )

    def reopen_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Settle | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Reopen a discrepancy.

        Needs the permission `admin:write`.
        """
        return self._call(
            _REOPEN_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def repair_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Repair | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Repair a discrepancy.

        Does what is safe: what was not booked is published again, and what was missed is read from the processor
        again. With the `proposal_id` of entries that are proposed in the ledger, it is resolved once they are
        posted.

        Needs the permission `admin:write`.
        """
        return self._call(
            _REPAIR_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def replace_import_source(
        self,
        source_id: UUID | str,
        body: models.PutSource,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.SourceBody:
        """Change how the files of a source are read.

        The name at any time; how files are read as long as no line of it is imported.

        Needs the permission `admin:write`.
        """
        return self._call(
            _REPLACE_IMPORT_SOURCE,
            Call(path={"source_id": source_id}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    def replace_matching_rules(
        self,
        source_id: UUID | str,
        body: models.PutRules,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RulesBody:
        """Change the rules of a source.

        As another version, from the next step of a run on; what is matched stays as it is.

        Needs the permission `admin:write`.
        """
        return self._call(
            _REPLACE_MATCHING_RULES,
            Call(path={"source_id": source_id}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    def replay_webhook(
        self,
        endpoint_id: UUID | str,
        body: models.ReplayWebhook | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.ReplayBody:
        """Replay deliveries.

        Makes deliveries again: named ones, those of a time, or all that failed or are missing. Needs an
        `Idempotency-Key` unless it is a dry run, which only counts.

        Needs the permission `admin:write`.
        """
        return self._call(
            _REPLAY_WEBHOOK,
            Call(
                path={"endpoint_id": endpoint_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def report_account_balances(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> list[models.AccountBalanceItem]:
        """Account balances.

        By account and currency, as a bare array; within a period when one is given. As of the last refresh, whose
        instant and age are in the headers; exact for any span before it.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_ACCOUNT_BALANCES,
            Call(path={}, query={"from": from_, "to": to, "currency": currency, "tz": tz, "locale": locale}),
        )

    def report_balance_sheet(
        self,
        *,
        as_of: str | None = None,
        basis: str | None = None,
        compare: str | None = None,
        columns: int | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.FinancialStatementBody:
        """Balance sheet.

        Assets, liabilities and equity by currency; what was earned and is not closed to equity yet is a row of its
        own. One column for the period and one for each that it is compared with. `closed` ties a column to a closed
        period.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_BALANCE_SHEET,
            Call(
                path={},
                query={
                    "as_of": as_of,
                    "basis": basis,
                    "compare": compare,
                    "columns": columns,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    def report_cash_position(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        basis: str | None = None,
        compare: str | None = None,
        columns: int | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.FinancialStatementBody:
        """Cash position.

        Where money stands: at the processor, in transit and at the bank, with what came and left. An account counts
        that plays or has played such a role. One column for the period and one for each that it is compared with.
        `closed` ties a column to a closed period.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_CASH_POSITION,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "basis": basis,
                    "compare": compare,
                    "columns": columns,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    def report_income_statement(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        basis: str | None = None,
        compare: str | None = None,
        columns: int | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.FinancialStatementBody:
        """Income statement.

        Revenue less expenses by currency. One column for the period and one for each that it is compared with.
        `closed` ties a column to a closed period.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_INCOME_STATEMENT,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "basis": basis,
                    "compare": compare,
                    "columns": columns,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    def report_journal(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        locale: str | None = None,
    ) -> models.JournalBody:
        """General journal.

        Every entry with its lines, oldest first; as CSV one row per line. As `beancount` or `hledger` a file for
        the program of that name, in which the dates are those of record in `tz`. From the books themselves, as of
        now.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_JOURNAL,
            Call(
                path={}, query={"from": from_, "to": to, "tz": tz, "limit": limit, "cursor": cursor, "locale": locale}
            ),
        )

    def iterate_journal(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        locale: str | None = None,
    ) -> Iterator[models.JournalItem]:
        """Yield what `report_journal` lists, page after page."""
        return self._items(
            _REPORT_JOURNAL, Call(path={}, query={"from": from_, "to": to, "tz": tz, "limit": limit, "locale": locale})
        )

    def report_payments(
        self,
        *,
        granularity: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
    ) -> models.PaymentReportBody:
        """Payments by period.

        By period and currency: how many were made, and what became of them until now; and what is in flight now, by
        stage. What was made more than an hour or two ago is read again after a minute, a period that ended two days
        ago after five, one that ended a month ago after an hour; the headers have the instant and age of the oldest
        sum. Without `from`, the last 30 days.

        Needs the permission `payments:read`.
        """
        return self._call(
            _REPORT_PAYMENTS,
            Call(path={}, query={"granularity": granularity, "from": from_, "to": to, "currency": currency, "tz": tz}),
        )

    def report_revenue(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        granularity: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> list[models.RevenueItem]:
        """Revenue by period.

        By period and currency, as a bare array; periods without revenue are left out. As of the last refresh, whose
        instant and age are in the headers; exact for any span before it.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_REVENUE,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "granularity": granularity,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    def report_revenue_by_tenant(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        locale: str | None = None,
    ) -> list[models.TenantRevenueItem]:
        """Revenue of every tenant.

        By tenant and currency, as a bare array; for operators of the platform. The next page is in the `Link`
        header. As of the last refresh, whose instant and age are in the headers; exact for any span before it.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_REVENUE_BY_TENANT,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "currency": currency,
                    "tz": tz,
                    "limit": limit,
                    "cursor": cursor,
                    "locale": locale,
                },
            ),
        )

    def iterate_revenue_by_tenant(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        locale: str | None = None,
    ) -> Iterator[models.TenantRevenueItem]:
        """Yield what `report_revenue_by_tenant` lists, page after page."""
        return self._items(
            _REPORT_REVENUE_BY_TENANT,
            Call(
                path={},
                query={"from": from_, "to": to, "currency": currency, "tz": tz, "limit": limit, "locale": locale},
            ),
        )

    def report_statement(
        self,
        *,
        account: str,
        currency: str,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        locale: str | None = None,
    ) -> models.StatementBody:
        """Account statement.

        One account in one currency, oldest first: the opening balance and the lines make the closing balance. The
        first page fixes where it ends, so that all pages are of one statement.

        Needs the permission `ledger:read`.
        """
        return self._call(
            _REPORT_STATEMENT,
            Call(
                path={},
                query={
                    "account": account,
                    "currency": currency,
                    "from": from_,
                    "to": to,
                    "tz": tz,
                    "limit": limit,
                    "cursor": cursor,
                    "locale": locale,
                },
            ),
        )

    def iterate_statement(
        self,
        *,
        account: str,
        currency: str,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        locale: str | None = None,
    ) -> Iterator[models.StatementItem]:
        """Yield what `report_statement` lists, page after page."""
        return self._items(
            _REPORT_STATEMENT,
            Call(
                path={},
                query={
                    "account": account,
                    "currency": currency,
                    "from": from_,
                    "to": to,
                    "tz": tz,
                    "limit": limit,
                    "locale": locale,
                },
            ),
        )

    def report_trial_balance(
        self,
        *,
        as_of: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.TrialBalanceBody:
        """Trial balance.

        Every account at one instant of record: in each currency debits equal credits. From the books themselves, as
        of now.

        Needs the permission `ledger:read`.
        """
        return self._call(_REPORT_TRIAL_BALANCE, Call(path={}, query={"as_of": as_of, "tz": tz, "locale": locale}))

    def resolve_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Settle | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Resolve a discrepancy.

        It is settled, for the reason given. It is open again when a run finds it with other facts.

        Needs the permission `admin:write`.
        """
        return self._call(
            _RESOLVE_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def revalue_currencies(
        self,
        body: models.RevalueBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RevaluationBody:
        """Value other currencies at the closing rate.

        Books what assets and liabilities in other currencies have gained or lost since they were booked, by the
        recorded rates, and takes it back when the next day begins. It happens once; again books what is missing.
        Where the tenant demands two people, the entries are proposed. Days are those of the tenant's calendar.

        Needs the permission `ledger:write`.
        """
        return self._call(
            _REVALUE_CURRENCIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def reverse_ledger_entry(
        self,
        entry_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.EntryBody:
        """Reverse a journal entry.

        Takes an entry back by a further one that is linked to it. It happens once; again is answered the same.
        Reversing the entry of a payment moves no money: refund the payment for that.

        Needs the permission `ledger:write`.
        """
        return self._call(
            _REVERSE_LEDGER_ENTRY, Call(path={"entry_id": entry_id}, query={}, idempotency_key=idempotency_key)
        )

    def revoke_api_key(self, key_id: UUID | str) -> None:
        """Revoke an API key.

        It is refused from then on, in every process; it stays in the list. Revoking it again changes nothing.

        Needs the permission `admin:write`.
        """
        return self._call(_REVOKE_API_KEY, Call(path={"key_id": key_id}, query={}))

    def rotate_api_key(
        self,
        key_id: UUID | str,
        body: models.RotateApiKey | None = None,
        *,
        prefer: str | None = None,
    ) -> models.NewApiKeyBody:
        """Replace an API key.

        Makes a key with the same name and scopes, whose secret the answer has, once. The old one stays valid for
        `overlap_seconds` (a day), and no longer than it would have been. The new one ends when the old one was to
        end, or at `expires_at`.

        Needs the permission `admin:write`.
        """
        return self._call(
            _ROTATE_API_KEY, Call(path={"key_id": key_id}, query={}, body={} if body is None else body, prefer=prefer)
        )

    def rotate_gateway_keys(
        self,
        config_id: UUID | str,
        body: models.RotateKeys | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.GatewayConfigBody:
        """Rotate the keys of a gateway configuration.

        New keys of the same account. The webhook secret before the new one is accepted beside it.

        Needs the permission `admin:write`.
        """
        return self._call(
            _ROTATE_GATEWAY_KEYS,
            Call(
                path={"config_id": config_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def rotate_webhook_secret(
        self,
        endpoint_id: UUID | str,
        body: models.RotateWebhookSecret | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.EndpointBody:
        """Rotate the signing secret.

        The answer carries the new secret, once. The present one goes on signing until the overlap ends.

        Needs the permission `admin:write`.
        """
        return self._call(
            _ROTATE_WEBHOOK_SECRET,
            Call(
                path={"endpoint_id": endpoint_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    def set_feature_flag(
        self,
        name: str,
        body: models.SetFeatureFlag,
        *,
        prefer: str | None = None,
    ) -> models.FeatureFlag:
        """Switch a feature on or off.

        For the tenant that the operator acts for; an operator who acts for the platform tenant sets the default of
        all tenants that have none of their own. Every process heeds it at once.

        Needs the permission `admin:write`.
        """
        return self._call(_SET_FEATURE_FLAG, Call(path={"name": name}, query={}, body=body, prefer=prefer))

    def start_import(
        self,
        body: models.StartFileImport,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.FileImportBody:
        """Begin to import a file.

        Then its parts are sent, and it is completed. A file that the source has sent before, by its checksum, is
        answered 200 with the import that it had: `status` says whether anything is left to be sent.

        Needs the permission `admin:write`.
        """
        return self._call(
            _START_IMPORT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def start_reconciliation(
        self,
        body: models.StartRun,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RunBody:
        """Compare a window of time.

        Payments that were made in the window, and those for which something moved in it, are compared with the
        processor's statement and the books. It goes on by itself: read it again to see how far it is.

        Needs the permission `admin:write`.
        """
        return self._call(
            _START_RECONCILIATION, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    def test_webhook(
        self,
        endpoint_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.TestSentBody:
        """Send a test event.

        Sends `webhook.test` by the way of every other event; the history shows what came of it.

        Needs the permission `admin:write`.
        """
        return self._call(
            _TEST_WEBHOOK, Call(path={"endpoint_id": endpoint_id}, query={}, idempotency_key=idempotency_key)
        )

    def unmatch_lines(
        self,
        match_id: UUID | str,
        body: models.TakeApart,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.MatchBody:
        """Take a match apart.

        It stays in the list, with who has taken it apart and why; no run puts the same together again.

        Needs the permission `admin:write`.
        """
        return self._call(
            _UNMATCH_LINES,
            Call(path={"match_id": match_id}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    def verify_reconciliation_periods(self) -> models.SealCheckBody:
        """Check the seals of closed months.

        Computes every checksum again, and whether each report contains the checksum of the one before.

        Needs the permission `admin:write`.
        """
        return self._call(_VERIFY_RECONCILIATION_PERIODS, Call(path={}, query={}))

    def void_hold(
        self,
        hold_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.HoldBody:
        """Void a hold.

        Lets it go. Again is answered the same.

        Needs the permission `ledger:write`.
        """
        return self._call(_VOID_HOLD, Call(path={"hold_id": hold_id}, query={}, idempotency_key=idempotency_key))

    def void_payment_intent(
        self,
        intent_id: UUID | str,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PaymentIntentBody:
        """Void a payment intent.

        Lets go of a payment: of a CREATED one at once; of held funds, or of a customer who was to act, by asking
        the processor and waiting, bounded: 200 with the intent VOIDED, or as it was before where the processor
        refused, else 202. Of a PROCESSING one whatever the processor reports later is let go of, and nothing is
        captured: 200 with the intent VOIDED, or 202 while the outcome is not known. Voiding again answers the
        present state.

        Needs the permission `payments:write`.
        """
        return self._call(
            _VOID_PAYMENT_INTENT,
            Call(path={"intent_id": intent_id}, query={}, idempotency_key=idempotency_key, prefer=prefer),
        )


class AsyncOperations(ABC):
    """Each operation, awaited."""

    @abstractmethod
    async def _call[T](self, operation: Operation[T], call: Call) -> T:
        """Send an operation and return what is answered."""

    @abstractmethod
    def _items(self, operation: Operation[Any], call: Call) -> AsyncIterator[Any]:
        """Yield the items of all pages."""

    async def add_own_unit(
        self,
        body: models.AddOwnUnitBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.OwnUnitBody:
        """Add an own unit.

        Lets the books count in points, miles or anything else that is no currency: manual entries, holds,
        statements and reports take its code where they take that of a currency; payments and conversions do not. It
        never changes; again is answered the same. An amount has at most 10^18 of its smallest parts, and an account
        at most 2^63-1 of them as debits and as credits: with 18 decimals that is 1 and 9.2 units, with 8 it is ten
        billion and 92 billion.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _ADD_OWN_UNIT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def approve_policy_change(
        self,
        change_id: UUID | str,
        body: models.DecidePolicyChange | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PolicyChangeBody:
        """Approve a change of the policy.

        It becomes the policy, unless another one has meanwhile. Who proposed it, or made the key that did, cannot.

        Needs the permission `ledger:approve`.
        """
        return await self._call(
            _APPROVE_POLICY_CHANGE,
            Call(
                path={"change_id": change_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def approve_proposal(
        self,
        proposal_id: UUID | str,
        body: models.DecideProposal | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> models.ProposalBody:
        """Approve a proposal.

        Posts its entries, exactly once, however often it is approved. Who proposed it, or made the key that did,
        cannot.

        Needs the permission `ledger:approve`.
        """
        return await self._call(
            _APPROVE_PROPOSAL,
            Call(
                path={"proposal_id": proposal_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
            ),
        )

    async def assign_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Assign,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Assign a discrepancy.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _ASSIGN_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body=body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def cancel_webhook_replay(
        self,
        replay_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.ReplayBody:
        """Cancel a replay.

        Schedules no more of it; what is scheduled is still delivered. Cancelling again is success.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CANCEL_WEBHOOK_REPLAY, Call(path={"replay_id": replay_id}, query={}, idempotency_key=idempotency_key)
        )

    async def capture_hold(
        self,
        hold_id: UUID | str,
        body: models.CaptureHoldBody | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> models.HoldBody:
        """Capture a hold.

        Posts all of it, or `amount` of it, and lets the rest go. The same amount again is answered the same.

        Needs the permission `ledger:write`.
        """
        return await self._call(
            _CAPTURE_HOLD,
            Call(
                path={"hold_id": hold_id}, query={}, body={} if body is None else body, idempotency_key=idempotency_key
            ),
        )

    async def capture_payment_intent(
        self,
        intent_id: UUID | str,
        body: models.CaptureRequest | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PaymentIntentBody:
        """Capture a payment intent.

        Takes held funds of an AUTHORIZED intent with `capture_method: manual`: all, or the amount given, once; the
        rest is released. Waits, bounded, for the processor: 200 when it has captured or refused, else 202.
        Capturing the same amount again answers the present state.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _CAPTURE_PAYMENT_INTENT,
            Call(
                path={"intent_id": intent_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def change_customer(
        self,
        customer_id: UUID | str,
        body: models.ChangeCustomer | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.CustomerBody:
        """Change a customer.

        Members that are missing stay as they are; `null` clears `name` and `email`; `metadata` is replaced.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _CHANGE_CUSTOMER,
            Call(
                path={"customer_id": customer_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def change_password(
        self,
        body: models.ChangePassword,
        *,
        prefer: str | None = None,
    ) -> None:
        """Change your own password.

        By the present one; no permission and no tenant header is needed. All your tokens end, the one that you send
        included: log in again. Wrong passwords count together with failed logins.
        """
        return await self._call(_CHANGE_PASSWORD, Call(path={}, query={}, body=body, prefer=prefer))

    async def change_user(
        self,
        user_id: UUID | str,
        body: models.ChangeUser | None = None,
        *,
        prefer: str | None = None,
    ) -> models.UserBody:
        """Change a user.

        Its roles, its password, or whether it may log in; its tokens of before are refused. Your own password is
        changed by `POST /v1/auth/password`.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CHANGE_USER, Call(path={"user_id": user_id}, query={}, body={} if body is None else body, prefer=prefer)
        )

    async def change_webhook(
        self,
        endpoint_id: UUID | str,
        body: models.ChangeWebhook | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.EndpointBody:
        """Change a webhook endpoint.

        Members that are missing stay as they are. Switching off ends what waits.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CHANGE_WEBHOOK,
            Call(
                path={"endpoint_id": endpoint_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def clear_feature_flag(self, name: str) -> models.FeatureFlag:
        """Let the more general setting hold again.

        For the tenant that the operator acts for; an operator who acts for the platform tenant sets the default of
        all tenants that have none of their own. Every process heeds it at once.

        Needs the permission `admin:write`.
        """
        return await self._call(_CLEAR_FEATURE_FLAG, Call(path={"name": name}, query={}))

    async def close_period(
        self,
        body: models.ClosePeriodBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PeriodBody:
        """Close the books.

        Closes everything effective before a midnight of the tenant's calendar (`GET /v1/ledger/calendar`), for
        ever: there is no opening again. What a person posts into a closed period is refused; what happened there is
        posted into the first open instant.

        Needs the permission `ledger:write`.
        """
        return await self._call(
            _CLOSE_PERIOD, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def close_reconciliation_period(
        self,
        month: str,
        body: models.CloseMonth | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.ClosedMonthBody:
        """Close a month of reconciliation.

        Seals its report for ever. It needs a complete run that has compared all of the month, statements that are
        known to its end, and no discrepancy of it that has been open for too long, or an `override_reason` for the
        latter two. Again is answered the same.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CLOSE_RECONCILIATION_PERIOD,
            Call(
                path={"month": month},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def close_year(
        self,
        body: models.CloseYearBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.YearEndBody:
        """Close a year.

        Moves what counts in the year on accounts of income and expenses to retained earnings, one entry a currency.
        The year is that of the tenant's calendar (`GET /v1/ledger/calendar`). It happens once; again moves what
        came later. Where the tenant demands two people, the entries are proposed.

        Needs the permission `ledger:write`.
        """
        return await self._call(
            _CLOSE_YEAR, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def complete_import(
        self,
        import_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.FileImportBody:
        """Let a file be read.

        Once all its bytes have come. It is read afterwards: read the import until its `status` is `IMPORTED` or
        `REJECTED`. Again is success.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _COMPLETE_IMPORT, Call(path={"import_id": import_id}, query={}, idempotency_key=idempotency_key)
        )

    async def confirm_payment_intent(
        self,
        intent_id: UUID | str,
        body: models.ConfirmPaymentIntent | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PaymentIntentBody:
        """Confirm a payment intent.

        Asks the issuer for the funds and waits, bounded, for the answer: 200 with the intent AUTHORIZED or FAILED,
        or 202 with the intent PROCESSING. `Prefer: respond-async` answers 202 at once. Confirming again answers the
        present state and asks nobody twice. REQUIRES_ACTION is an answer too: lead the customer to `action_url`,
        which is whole in this answer alone and in `GET ../next-action`, or show the code or the slip of
        `next_action`. With a `payment_method` that is charged; a payment that was declined, with nothing ever held,
        or that is REQUIRES_ACTION by another `payment_method`, is then authorized once more, the earlier
        authorization cancelled first, up to 5 times in all.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _CONFIRM_PAYMENT_INTENT,
            Call(
                path={"intent_id": intent_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def convert_amount(self, body: models.ConvertAmount) -> models.ConvertedBody:
        """Show an amount in another currency.

        As the GET of the same path: nothing is posted.

        Needs the permission `ledger:read`.
        """
        return await self._call(_CONVERT_AMOUNT, Call(path={}, query={}, body=body))

    async def create_account(
        self,
        body: models.CreateAccount,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.AccountBody:
        """Open an account.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CREATE_ACCOUNT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def create_api_key(
        self,
        body: models.CreateApiKey,
        *,
        prefer: str | None = None,
    ) -> models.NewApiKeyBody:
        """Make an API key.

        For a program of the tenant. The answer has the secret, once. It may do no more than you may yourself, and
        one that a key makes ends with that key at the latest.

        Needs the permission `admin:write`.
        """
        return await self._call(_CREATE_API_KEY, Call(path={}, query={}, body=body, prefer=prefer))

    async def create_conversion(
        self,
        body: models.CreateConversion,
        *,
        idempotency_key: str | None = None,
    ) -> models.ConversionBody:
        """Exchange money in the books.

        Two linked entries, each balanced in its own currency, in one transaction. What was received at the bank may
        be given; what the rate does not explain is a gain or a loss.

        Needs the permission `ledger:write`.
        """
        return await self._call(_CREATE_CONVERSION, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    async def create_customer(
        self,
        body: models.CreateCustomer,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.CustomerBody:
        """Create a customer.

        Somebody who pays more than once. No processor learns of them before a payment method is saved.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _CREATE_CUSTOMER, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def create_gateway_config(
        self,
        body: models.CreateGatewayConfig,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.GatewayConfigBody:
        """Charge through a processor account of one's own.

        New payments in its currencies go this way; the newest configuration that names a currency wins, then the
        newest that names none, then the platform's own processor. Keys are sealed and never shown again. An
        operator of the platform may name an account that is connected to the platform's instead of a key, and what
        the platform takes of each capture.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CREATE_GATEWAY_CONFIG, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def create_import_source(
        self,
        body: models.PutSource,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.SourceBody:
        """Add a source of files.

        A bank or processor whose files are imported, and how they are read.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CREATE_IMPORT_SOURCE, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def create_payment_intent(
        self,
        body: models.CreatePaymentIntent,
        *,
        idempotency_key: str | None = None,
    ) -> models.PaymentIntentBody:
        """Create a payment intent.

        Says that you wish to be paid. Nothing is collected until it is confirmed.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _CREATE_PAYMENT_INTENT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key)
        )

    async def create_setup_intent(
        self,
        customer_id: UUID | str,
        body: models.StartSetupIntent | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.SetupIntentBody:
        """Save a payment method of a customer.

        Nothing is charged. Without a `payment_method` the customer enters one in the processor's client library,
        with the `client_secret` of `next-action`; with one it is saved at once, or the customer proves who they are
        first. Repeated under one `Idempotency-Key`, it is one setup.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _CREATE_SETUP_INTENT,
            Call(
                path={"customer_id": customer_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def create_token(
        self,
        body: models.TokenRequest,
        *,
        prefer: str | None = None,
    ) -> models.TokenResponse:
        """Log in.

        Exchanges a login name and a password for a bearer token.
        """
        return await self._call(_CREATE_TOKEN, Call(path={}, query={}, body=body, prefer=prefer))

    async def create_user(self, body: models.CreateUser, *, prefer: str | None = None) -> models.UserBody:
        """Add a user.

        Somebody of the tenant who logs in with a password. The roles allow no more than you may yourself.

        Needs the permission `admin:write`.
        """
        return await self._call(_CREATE_USER, Call(path={}, query={}, body=body, prefer=prefer))

    async def create_webhook(
        self,
        body: models.CreateWebhook,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.EndpointBody:
        """Register a webhook endpoint.

        The answer carries the signing secret, once.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _CREATE_WEBHOOK, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def decide_discrepancies(
        self,
        body: models.DecideMany,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> list[models.DiscrepancyBody]:
        """Decide about several discrepancies.

        All or none of them.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _DECIDE_DISCREPANCIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def delete_customer(
        self,
        customer_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a customer.

        Its name, e-mail address and metadata are erased, and its reference is free for another customer. Its saved
        payment methods are detached, and processors forget it. Payments stay as they are.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _DELETE_CUSTOMER, Call(path={"customer_id": customer_id}, query={}, idempotency_key=idempotency_key)
        )

    async def delete_gateway_config(
        self,
        config_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a gateway configuration.

        No new payment goes this way. Payments that went it are still captured, voided and refunded by it.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _DELETE_GATEWAY_CONFIG, Call(path={"config_id": config_id}, query={}, idempotency_key=idempotency_key)
        )

    async def delete_identity_provider(self) -> None:
        """Delete the identity provider.

        Nobody logs in by it any more, and who was who there is forgotten; sessions end with their tokens. Set
        again, it finds users by their email again.

        Needs the permission `admin:write`.
        """
        return await self._call(_DELETE_IDENTITY_PROVIDER, Call(path={}, query={}))

    async def delete_import_source(
        self,
        source_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a source of files.

        No new file of it is taken; what is imported stays.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _DELETE_IMPORT_SOURCE, Call(path={"source_id": source_id}, query={}, idempotency_key=idempotency_key)
        )

    async def delete_webhook(
        self,
        endpoint_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete a webhook endpoint.

        Its delivery history stays.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _DELETE_WEBHOOK, Call(path={"endpoint_id": endpoint_id}, query={}, idempotency_key=idempotency_key)
        )

    async def detach_saved_payment_method(
        self,
        customer_id: UUID | str,
        payment_method_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Detach a saved payment method.

        No payment is charged to it any more, and the processor forgets it. Again is success.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _DETACH_SAVED_PAYMENT_METHOD,
            Call(
                path={"customer_id": customer_id, "payment_method_id": payment_method_id},
                query={},
                idempotency_key=idempotency_key,
            ),
        )

    async def get_account_role(self, role: str) -> models.AccountRoleHistoryBody:
        """Get an account role and its changes.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_ACCOUNT_ROLE, Call(path={"role": role}, query={}))

    async def get_api_key(self, key_id: UUID | str) -> models.ApiKeyBody:
        """Get an API key.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_API_KEY, Call(path={"key_id": key_id}, query={}))

    async def get_approval_policy(self) -> models.ApprovalPolicyBody:
        """What does the tenant let nobody do alone?.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_APPROVAL_POLICY, Call(path={}, query={}))

    async def get_change_verification(self) -> models.ChangeVerification:
        """Show whether changes of users, keys and roles are as they were sealed.

        Each change of a tenant, its users, API keys and feature flags, and the line of the audit log about it, is a
        link of the tenant's chain of hashes. Shown is how far the chain was recomputed and signed, and what was
        found changed past the platform; an empty list is good. A platform operator who acts for the platform tenant
        also sees the chain of roles, permissions and policies.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_CHANGE_VERIFICATION, Call(path={}, query={}))

    async def get_chaos(self) -> models.Disturbance:
        """How is the tenant disturbed?.

        Offered only where APP_ENV=local, and never disturbed itself.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_CHAOS, Call(path={}, query={}))

    async def get_consolidated_balances(self, *, currency: str, at: str | None = None) -> models.ConsolidatedBody:
        """Get all balances in one currency.

        With the rates that were used. A currency that no rate leads from is named, never guessed.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_CONSOLIDATED_BALANCES, Call(path={}, query={"currency": currency, "at": at}))

    async def get_conversion(self, conversion_id: UUID | str) -> models.ConversionBody:
        """Get a conversion.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_CONVERSION, Call(path={"conversion_id": conversion_id}, query={}))

    async def get_converted_amount(
        self,
        *,
        amount: str,
        from_currency: str,
        to_currency: str,
        at: str | None = None,
    ) -> models.ConvertedBody:
        """Show an amount in another currency.

        Nothing is posted. Directly, inverted, or over USD or EUR; the rates that were applied are in the answer.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _GET_CONVERTED_AMOUNT,
            Call(
                path={}, query={"amount": amount, "from_currency": from_currency, "to_currency": to_currency, "at": at}
            ),
        )

    async def get_customer(self, customer_id: UUID | str) -> models.CustomerBody:
        """Get a customer.

        Needs the permission `payments:read`.
        """
        return await self._call(_GET_CUSTOMER, Call(path={"customer_id": customer_id}, query={}))

    async def get_dead_letter(self, service: str, letter_id: UUID | str) -> models.ShownDeadLetterBody:
        """Get a dead letter.

        With its content, of which what is secret, identifies a person or is a card number is left out.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_DEAD_LETTER, Call(path={"service": service, "letter_id": letter_id}, query={}))

    async def get_discrepancy(self, discrepancy_id: UUID | str) -> models.DiscrepancyHistoryBody:
        """Get a discrepancy.

        With all that was done about it, oldest first.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_DISCREPANCY, Call(path={"discrepancy_id": discrepancy_id}, query={}))

    async def get_hold(self, hold_id: UUID | str) -> models.HoldBody:
        """Get a hold.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_HOLD, Call(path={"hold_id": hold_id}, query={}))

    async def get_identity_provider(self) -> models.IdentityProviderBody:
        """Get the identity provider.

        By which the tenant's users log in to the console, and where they do; never its secret.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_IDENTITY_PROVIDER, Call(path={}, query={}))

    async def get_import(self, import_id: UUID | str) -> models.FileImportBody:
        """Get an import.

        With what is wrong in the file, line by line, where it was rejected.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_IMPORT, Call(path={"import_id": import_id}, query={}))

    async def get_import_source(self, source_id: UUID | str) -> models.SourceBody:
        """Get a source of files.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_IMPORT_SOURCE, Call(path={"source_id": source_id}, query={}))

    async def get_ledger_calendar(self) -> models.CalendarBody:
        """Get the calendar of the books.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_LEDGER_CALENDAR, Call(path={}, query={}))

    async def get_ledger_entry(self, entry_id: UUID | str) -> models.EntryItem:
        """Get a journal entry.

        With what the journal has of it, and the entry that takes it back.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_LEDGER_ENTRY, Call(path={"entry_id": entry_id}, query={}))

    async def get_ledger_settings(self) -> models.LedgerSettings:
        """Does the tenant let nobody change its books alone?.

        Whether a rule without conditions is in the policy; `GET /v1/ledger/policy` has all rules.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_LEDGER_SETTINGS, Call(path={}, query={}))

    async def get_ledger_verification(self) -> models.VerificationBody:
        """Verify the books.

        The ledger recomputes its hash chains continuously, by code that shares nothing with what writes them; this
        is how far it has come and what it has found.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_LEDGER_VERIFICATION, Call(path={}, query={}))

    async def get_matching_rules(self, source_id: UUID | str) -> models.RulesBody:
        """Get the rules of a source.

        By which its lines find payouts or movements; version 0 are the defaults.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_MATCHING_RULES, Call(path={"source_id": source_id}, query={}))

    async def get_me(self) -> models.Me:
        """Who am I?.

        The claims of the bearer token; no tenant header is needed.
        """
        return await self._call(_GET_ME, Call(path={}, query={}))

    async def get_payment_intent(
        self, intent_id: UUID | str, *, expand: str | None = None
    ) -> models.ExpandedPaymentIntent:
        """Get a payment intent.

        Needs the permission `payments:read`.
        """
        return await self._call(_GET_PAYMENT_INTENT, Call(path={"intent_id": intent_id}, query={"expand": expand}))

    async def get_payment_intent_next_action(self, intent_id: UUID | str) -> models.ClientActionBody:
        """What the customer of a payment intent does next.

        While the intent is REQUIRES_ACTION: `redirect` with the whole `url` to send the customer to, the code or
        the slip that they pay, or `use_stripe_sdk` with the `client_secret` that Stripe's client library goes on
        with (`handleNextAction`). The secret, and the `url`, which may carry it, are read from the processor each
        time and kept nowhere: pass them to the customer's browser, and do not log or store them.

        Needs the permission `payments:write`.
        """
        return await self._call(_GET_PAYMENT_INTENT_NEXT_ACTION, Call(path={"intent_id": intent_id}, query={}))

    async def get_policy_change(self, change_id: UUID | str) -> models.PolicyChangeBody:
        """Get a change of the policy.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_POLICY_CHANGE, Call(path={"change_id": change_id}, query={}))

    async def get_proposal(self, proposal_id: UUID | str) -> models.ProposalBody:
        """Get a proposal.

        Needs the permission `ledger:read`.
        """
        return await self._call(_GET_PROPOSAL, Call(path={"proposal_id": proposal_id}, query={}))

    async def get_reconciliation_period(self, month: str) -> models.SealedMonthBody:
        """Get a closed month of reconciliation.

        With its sealed report, also as a table or a page to print. `sealed` has the bytes of the checksum as text.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_RECONCILIATION_PERIOD, Call(path={"month": month}, query={}))

    async def get_reconciliation_run(self, run_id: UUID | str) -> models.RunBody:
        """Get a reconciliation run.

        How far it is, what moved in its window by currency, and what does not agree by type. Once it is complete,
        with the report of that moment, also as a table or a page to print; the same run has the same report for
        ever.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_RECONCILIATION_RUN, Call(path={"run_id": run_id}, query={}))

    async def get_setup_intent(self, customer_id: UUID | str, setup_id: UUID | str) -> models.SetupIntentBody:
        """Get a setup intent.

        How far the saving is, read from the processor while it is not over.

        Needs the permission `payments:read`.
        """
        return await self._call(
            _GET_SETUP_INTENT, Call(path={"customer_id": customer_id, "setup_id": setup_id}, query={})
        )

    async def get_setup_intent_next_action(
        self, customer_id: UUID | str, setup_id: UUID | str
    ) -> models.SetupActionBody:
        """With what a customer saves a payment method.

        `redirect` with the `url` to send the customer to, or `use_stripe_sdk` with the `client_secret` for Stripe's
        client library (`confirmSetup`, `handleNextAction`). The secret is read from the processor each time and
        kept nowhere: pass it to the customer's browser, and do not log or store it.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _GET_SETUP_INTENT_NEXT_ACTION, Call(path={"customer_id": customer_id, "setup_id": setup_id}, query={})
        )

    async def get_tenant(self, tenant_id: str) -> models.TenantBody:
        """Get a tenant.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_TENANT, Call(path={"tenant_id": tenant_id}, query={}))

    async def get_webhook(self, endpoint_id: UUID | str) -> models.EndpointBody:
        """Get a webhook endpoint.

        With its health: whether it fails, rests or was switched off, and what waits for it.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_WEBHOOK, Call(path={"endpoint_id": endpoint_id}, query={}))

    async def get_webhook_replay(self, replay_id: UUID | str) -> models.ReplayBody:
        """Get a replay.

        How far a replay is.

        Needs the permission `admin:write`.
        """
        return await self._call(_GET_WEBHOOK_REPLAY, Call(path={"replay_id": replay_id}, query={}))

    async def ignore_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Settle | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Ignore a discrepancy.

        It may stand. It is open again when a run finds it with other facts.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _IGNORE_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def list_account_roles(self) -> list[models.AccountRoleBody]:
        """List account roles.

        Which account plays which role in the posting rules, as a bare array.

        Needs the permission `ledger:read`.
        """
        return await self._call(_LIST_ACCOUNT_ROLES, Call(path={}, query={}))

    async def list_accounts(self) -> list[models.AccountBody]:
        """List accounts.

        The tenant's chart, by code, as a bare array.

        Needs the permission `ledger:read`.
        """
        return await self._call(_LIST_ACCOUNTS, Call(path={}, query={}))

    async def list_all_webhook_deliveries(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.DeliveryPage:
        """List deliveries of all endpoints.

        What was sent to any endpoint, deleted ones included, newest first, with every attempt.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_ALL_WEBHOOK_DELIVERIES,
            Call(
                path={},
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    def iterate_all_webhook_deliveries(
        self,
        *,
        limit: int | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> AsyncIterator[models.DeliveryBody]:
        """Yield what `list_all_webhook_deliveries` lists, page after page."""
        return self._items(
            _LIST_ALL_WEBHOOK_DELIVERIES,
            Call(
                path={},
                query={
                    "limit": limit,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    async def list_api_keys(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.ApiKeyList:
        """List API keys.

        Newest first, with those that are revoked or expired; without their secrets.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_API_KEYS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_api_keys(self, *, limit: int | None = None) -> AsyncIterator[models.ApiKeyBody]:
        """Yield what `list_api_keys` lists, page after page."""
        return self._items(_LIST_API_KEYS, Call(path={}, query={"limit": limit}))

    async def list_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        outcome: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.AuditLines:
        """List the audit log.

        Every change and every denial, newest first. With `format=csv`, or where text/csv is accepted, as a file. A
        platform operator who acts for the platform tenant also sees lines that belong to no tenant.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_AUDIT,
            Call(
                path={},
                query={
                    "actor": actor,
                    "action": action,
                    "target": target,
                    "outcome": outcome,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        outcome: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.AuditLine]:
        """Yield what `list_audit` lists, page after page."""
        return self._items(
            _LIST_AUDIT,
            Call(
                path={},
                query={
                    "actor": actor,
                    "action": action,
                    "target": target,
                    "outcome": outcome,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                },
            ),
        )

    async def list_circuits(self) -> list[models.CircuitBody]:
        """List circuits.

        Which processors every process of the gateway calls at the moment, and which accounts are held up, as a bare
        array: those that take no calls first. A report is a few seconds old.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_CIRCUITS, Call(path={}, query={}))

    async def list_conversions(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.ConversionBody]:
        """List conversions.

        The newest ids first, as a bare array; a `Link` leads to the next page.

        Needs the permission `ledger:read`.
        """
        return await self._call(_LIST_CONVERSIONS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_conversions(self, *, limit: int | None = None) -> AsyncIterator[models.ConversionBody]:
        """Yield what `list_conversions` lists, page after page."""
        return self._items(_LIST_CONVERSIONS, Call(path={}, query={"limit": limit}))

    async def list_customers(
        self,
        *,
        reference: str | None = None,
        email: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.CustomerList:
        """List customers.

        Newest first; deleted ones are not shown.

        Needs the permission `payments:read`.
        """
        return await self._call(
            _LIST_CUSTOMERS,
            Call(path={}, query={"reference": reference, "email": email, "limit": limit, "cursor": cursor}),
        )

    def iterate_customers(
        self,
        *,
        reference: str | None = None,
        email: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.CustomerBody]:
        """Yield what `list_customers` lists, page after page."""
        return self._items(
            _LIST_CUSTOMERS, Call(path={}, query={"reference": reference, "email": email, "limit": limit})
        )

    async def list_dead_letters(
        self,
        *,
        service: str | None = None,
        queue: str | None = None,
        limit: int | None = None,
    ) -> models.DeadLettersBody:
        """List dead letters.

        Messages that services could not handle, of all tenants, the oldest first, without their content. Where one
        service is named that does not answer: 503; else the others are listed, and `unavailable` names it.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_DEAD_LETTERS, Call(path={}, query={"service": service, "queue": queue, "limit": limit})
        )

    async def list_discrepancies(
        self,
        *,
        resolved: str | None = None,
        type: str | None = None,
        state: str | None = None,
        payment_intent_id: UUID | str | None = None,
        assignee: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.DiscrepancyBody]:
        """List discrepancies.

        In the order of when they happened, the latest first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_DISCREPANCIES,
            Call(
                path={},
                query={
                    "resolved": resolved,
                    "type": type,
                    "state": state,
                    "payment_intent_id": payment_intent_id,
                    "assignee": assignee,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_discrepancies(
        self,
        *,
        resolved: str | None = None,
        type: str | None = None,
        state: str | None = None,
        payment_intent_id: UUID | str | None = None,
        assignee: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.DiscrepancyBody]:
        """Yield what `list_discrepancies` lists, page after page."""
        return self._items(
            _LIST_DISCREPANCIES,
            Call(
                path={},
                query={
                    "resolved": resolved,
                    "type": type,
                    "state": state,
                    "payment_intent_id": payment_intent_id,
                    "assignee": assignee,
                    "limit": limit,
                },
            ),
        )

    async def list_disputes(self, intent_id: UUID | str) -> list[models.DisputeBody]:
        """List the disputes of a payment intent.

        Newest first, as a bare array.

        Needs the permission `payments:read`.
        """
        return await self._call(_LIST_DISPUTES, Call(path={"intent_id": intent_id}, query={}))

    async def list_exchange_rates(
        self,
        *,
        from_currency: str | None = None,
        to_currency: str | None = None,
        at: str | None = None,
        history: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.ExchangeRateBody]:
        """List exchange rates.

        The rate of each pair in effect, by pair, or the history; a bare array, the next page in `Link`.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _LIST_EXCHANGE_RATES,
            Call(
                path={},
                query={
                    "from_currency": from_currency,
                    "to_currency": to_currency,
                    "at": at,
                    "history": history,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_exchange_rates(
        self,
        *,
        from_currency: str | None = None,
        to_currency: str | None = None,
        at: str | None = None,
        history: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.ExchangeRateBody]:
        """Yield what `list_exchange_rates` lists, page after page."""
        return self._items(
            _LIST_EXCHANGE_RATES,
            Call(
                path={},
                query={
                    "from_currency": from_currency,
                    "to_currency": to_currency,
                    "at": at,
                    "history": history,
                    "limit": limit,
                },
            ),
        )

    async def list_feature_flags(self) -> list[models.FeatureFlag]:
        """List feature flags.

        Every feature that can be switched, as it is for the tenant, as a bare array.

        Needs the permission `profile:read`.
        """
        return await self._call(_LIST_FEATURE_FLAGS, Call(path={}, query={}))

    async def list_gateway_configs(self) -> list[models.GatewayConfigBody]:
        """List gateway configurations.

        Newest first, as a bare array, without their keys.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_GATEWAY_CONFIGS, Call(path={}, query={}))

    async def list_gateway_events(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[models.GatewayEventBody]:
        """List events of processors.

        What processors reported about the tenant's accounts, newest first, as a bare array. `UNMATCHED` are those
        about a payment that we do not know.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_GATEWAY_EVENTS, Call(path={}, query={"status": status, "limit": limit}))

    async def list_holds(
        self,
        *,
        state: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.HoldBody]:
        """List holds.

        Newest first, as a bare array; the next page is in the `Link` header.

        Needs the permission `ledger:read`.
        """
        return await self._call(_LIST_HOLDS, Call(path={}, query={"state": state, "limit": limit, "cursor": cursor}))

    def iterate_holds(self, *, state: str | None = None, limit: int | None = None) -> AsyncIterator[models.HoldBody]:
        """Yield what `list_holds` lists, page after page."""
        return self._items(_LIST_HOLDS, Call(path={}, query={"state": state, "limit": limit}))

    async def list_import_sources(self) -> list[models.SourceBody]:
        """List sources of files.

        Newest first, as a bare array.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_IMPORT_SOURCES, Call(path={}, query={}))

    async def list_imports(
        self,
        *,
        source_id: UUID | str | None = None,
        limit: int | None = None,
    ) -> list[models.FileImportBody]:
        """List imports.

        Newest first, as a bare array, without their errors.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_IMPORTS, Call(path={}, query={"source_id": source_id, "limit": limit}))

    async def list_ledger_balances(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        as_of: str | None = None,
        time: str | None = None,
        account: str | None = None,
    ) -> list[models.BalanceBody]:
        """List balances.

        By account and currency, as a bare array; within a period, or as of an instant, when one is given.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _LIST_LEDGER_BALANCES,
            Call(
                path={},
                query={"from": from_, "to": to, "currency": currency, "as_of": as_of, "time": time, "account": account},
            ),
        )

    async def list_ledger_entries(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        account: str | None = None,
        payment_intent_id: UUID | str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        after: UUID | str | None = None,
    ) -> list[models.EntryBody]:
        """List journal entries.

        Newest first, as a bare array; the next page is in the `Link` header. With `after` oldest first: who always
        goes on after the last entry gets each entry once, half a second after it was recorded.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _LIST_LEDGER_ENTRIES,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "currency": currency,
                    "account": account,
                    "payment_intent_id": payment_intent_id,
                    "limit": limit,
                    "offset": offset,
                    "cursor": cursor,
                    "after": after,
                },
            ),
        )

    def iterate_ledger_entries(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        account: str | None = None,
        payment_intent_id: UUID | str | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> AsyncIterator[models.EntryBody]:
        """Yield what `list_ledger_entries` lists, page after page."""
        return self._items(
            _LIST_LEDGER_ENTRIES,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "currency": currency,
                    "account": account,
                    "payment_intent_id": payment_intent_id,
                    "limit": limit,
                    "after": after,
                },
            ),
        )

    async def list_line_matches(
        self,
        *,
        part_id: UUID | str | None = None,
        rule: str | None = None,
        in_force: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.MatchBody]:
        """List matches of lines.

        Newest first, as a bare array, with what was taken apart; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_LINE_MATCHES,
            Call(
                path={},
                query={"part_id": part_id, "rule": rule, "in_force": in_force, "limit": limit, "cursor": cursor},
            ),
        )

    def iterate_line_matches(
        self,
        *,
        part_id: UUID | str | None = None,
        rule: str | None = None,
        in_force: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.MatchBody]:
        """Yield what `list_line_matches` lists, page after page."""
        return self._items(
            _LIST_LINE_MATCHES,
            Call(path={}, query={"part_id": part_id, "rule": rule, "in_force": in_force, "limit": limit}),
        )

    async def list_own_units(self) -> list[models.OwnUnitBody]:
        """List own units.

        What the tenant's books count beside money, by code, as a bare array.

        Needs the permission `ledger:read`.
        """
        return await self._call(_LIST_OWN_UNITS, Call(path={}, query={}))

    async def list_payment_intent_attempts(self, intent_id: UUID | str) -> list[models.AttemptBody]:
        """What was requested of processors for a payment intent.

        Oldest first, as a bare array; empty for an intent that no processor was called for.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_PAYMENT_INTENT_ATTEMPTS, Call(path={"intent_id": intent_id}, query={}))

    async def list_payment_intent_events(self, intent_id: UUID | str) -> list[models.TimelineEventBody]:
        """The timeline of a payment intent.

        What happened, when and by whom, oldest first, as a bare array.

        Needs the permission `payments:read`.
        """
        return await self._call(_LIST_PAYMENT_INTENT_EVENTS, Call(path={"intent_id": intent_id}, query={}))

    async def list_payment_intents(
        self,
        *,
        status: str | None = None,
        customer_ref: str | None = None,
        customer_ref_prefix: str | None = None,
        currency: str | None = None,
        order_id: str | None = None,
        refund_id: UUID | str | None = None,
        gateway_ref: str | None = None,
        amount: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        page: int | None = None,
        page_size: int | None = None,
        total: str | None = None,
        cursor: str | None = None,
    ) -> models.PaymentIntentPage:
        """List payment intents.

        Newest first. Numbered pages count all; a cursor stays fast and stable at any depth.

        Needs the permission `payments:read`.
        """
        return await self._call(
            _LIST_PAYMENT_INTENTS,
            Call(
                path={},
                query={
                    "status": status,
                    "customer_ref": customer_ref,
                    "customer_ref_prefix": customer_ref_prefix,
                    "currency": currency,
                    "order_id": order_id,
                    "refund_id": refund_id,
                    "gateway_ref": gateway_ref,
                    "amount": amount,
                    "from": from_,
                    "to": to,
                    "page": page,
                    "pageSize": page_size,
                    "total": total,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_payment_intents(
        self,
        *,
        status: str | None = None,
        customer_ref: str | None = None,
        customer_ref_prefix: str | None = None,
        currency: str | None = None,
        order_id: str | None = None,
        refund_id: UUID | str | None = None,
        gateway_ref: str | None = None,
        amount: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        page_size: int | None = None,
        total: str | None = None,
    ) -> AsyncIterator[models.PaymentIntentBody]:
        """Yield what `list_payment_intents` lists, page after page."""
        return self._items(
            _LIST_PAYMENT_INTENTS,
            Call(
                path={},
                query={
                    "status": status,
                    "customer_ref": customer_ref,
                    "customer_ref_prefix": customer_ref_prefix,
                    "currency": currency,
                    "order_id": order_id,
                    "refund_id": refund_id,
                    "gateway_ref": gateway_ref,
                    "amount": amount,
                    "from": from_,
                    "to": to,
                    "pageSize": page_size,
                    "total": total,
                },
            ),
        )

    async def list_payments_of_order(self, *, order_id: str) -> list[models.OrderPayment]:
        """Find the payment of an order.

        Needs the permission `payments:read`.
        """
        return await self._call(_LIST_PAYMENTS_OF_ORDER, Call(path={}, query={"orderId": order_id}))

    async def list_periods(self) -> list[models.PeriodBody]:
        """List closed periods.

        The latest first, as a bare array.

        Needs the permission `ledger:read`.
        """
        return await self._call(_LIST_PERIODS, Call(path={}, query={}))

    async def list_policies(self) -> list[models.PolicyBody]:
        """List permissions and their policies.

        Every permission with the plans and regions that may use it, as a bare array.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_POLICIES, Call(path={}, query={}))

    async def list_policy_changes(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.PolicyChangesBody:
        """List changes of the policy.

        Newest first.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _LIST_POLICY_CHANGES, Call(path={}, query={"status": status, "limit": limit, "cursor": cursor})
        )

    def iterate_policy_changes(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.PolicyChangeBody]:
        """Yield what `list_policy_changes` lists, page after page."""
        return self._items(_LIST_POLICY_CHANGES, Call(path={}, query={"status": status, "limit": limit}))

    async def list_proposals(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.ProposalsBody:
        """List proposals.

        Newest first.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _LIST_PROPOSALS, Call(path={}, query={"status": status, "limit": limit, "cursor": cursor})
        )

    def iterate_proposals(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.ProposalBody]:
        """Yield what `list_proposals` lists, page after page."""
        return self._items(_LIST_PROPOSALS, Call(path={}, query={"status": status, "limit": limit}))

    async def list_reconciliation_periods(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.ClosedMonthBody]:
        """List closed months of reconciliation.

        The latest first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_RECONCILIATION_PERIODS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_reconciliation_periods(self, *, limit: int | None = None) -> AsyncIterator[models.ClosedMonthBody]:
        """Yield what `list_reconciliation_periods` lists, page after page."""
        return self._items(_LIST_RECONCILIATION_PERIODS, Call(path={}, query={"limit": limit}))

    async def list_reconciliation_runs(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.RunBody]:
        """List reconciliation runs.

        Newest first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_RECONCILIATION_RUNS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_reconciliation_runs(self, *, limit: int | None = None) -> AsyncIterator[models.RunBody]:
        """Yield what `list_reconciliation_runs` lists, page after page."""
        return self._items(_LIST_RECONCILIATION_RUNS, Call(path={}, query={"limit": limit}))

    async def list_refunds(self, intent_id: UUID | str) -> list[models.RefundBody]:
        """List the refunds of a payment intent.

        Newest first, as a bare array.

        Needs the permission `payments:read`.
        """
        return await self._call(_LIST_REFUNDS, Call(path={"intent_id": intent_id}, query={}))

    async def list_requests(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        status: str | None = None,
        code: str | None = None,
        actor: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.RequestLines:
        """List the log of requests.

        What the tenant's API keys and users sent lately, newest first, half a second after it was answered: no
        bodies, no secrets. Kept for `REQUEST_LOG_RETENTION_DAYS`; of one tenant each process notes at most
        `REQUEST_LOG_PER_SECOND`. What the console does is not in it.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_REQUESTS,
            Call(
                path={},
                query={
                    "method": method,
                    "path": path,
                    "status": status,
                    "code": code,
                    "actor": actor,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_requests(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        status: str | None = None,
        code: str | None = None,
        actor: str | None = None,
        correlation_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.RequestLine]:
        """Yield what `list_requests` lists, page after page."""
        return self._items(
            _LIST_REQUESTS,
            Call(
                path={},
                query={
                    "method": method,
                    "path": path,
                    "status": status,
                    "code": code,
                    "actor": actor,
                    "correlation_id": correlation_id,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                },
            ),
        )

    async def list_roles(self) -> list[models.RoleBody]:
        """List roles.

        Every role with what it allows, as a bare array.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_ROLES, Call(path={}, query={}))

    async def list_saved_payment_methods(self, customer_id: UUID | str) -> list[models.SavedMethodBody]:
        """List the saved payment methods of a customer.

        Newest first, as a bare array: type, brand, last four digits and expiry. Detached ones are not shown.

        Needs the permission `payments:read`.
        """
        return await self._call(_LIST_SAVED_PAYMENT_METHODS, Call(path={"customer_id": customer_id}, query={}))

    async def list_service_health(self) -> list[models.ServiceHealthBody]:
        """List how services are.

        What each service is still to publish, and what waits in its queues, as a bare array. A service that does
        not answer is there without its figures.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_SERVICE_HEALTH, Call(path={}, query={}))

    async def list_statement_lines(
        self,
        *,
        source_id: UUID | str | None = None,
        matched: str | None = None,
        from_: date | str | None = None,
        until: date | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[models.StatementLineBody]:
        """List lines of statements.

        The last imported first, as a bare array; `Link` names the next page.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_STATEMENT_LINES,
            Call(
                path={},
                query={
                    "source_id": source_id,
                    "matched": matched,
                    "from": from_,
                    "until": until,
                    "limit": limit,
                    "cursor": cursor,
                },
            ),
        )

    def iterate_statement_lines(
        self,
        *,
        source_id: UUID | str | None = None,
        matched: str | None = None,
        from_: date | str | None = None,
        until: date | str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.StatementLineBody]:
        """Yield what `list_statement_lines` lists, page after page."""
        return self._items(
            _LIST_STATEMENT_LINES,
            Call(
                path={},
                query={"source_id": source_id, "matched": matched, "from": from_, "until": until, "limit": limit},
            ),
        )

    async def list_tenants(self, *, limit: int | None = None, after: str | None = None) -> models.TenantList:
        """List tenants.

        In the order of their ids, whatever their status.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_TENANTS, Call(path={}, query={"limit": limit, "after": after}))

    async def list_unknown_outcomes(self, *, limit: int | None = None) -> list[models.UnknownOutcomeBody]:
        """List operations without a known outcome.

        What processors were called for and it is not known whether they have done it, oldest first, as a bare
        array. Each is looked at again at `next_ask_at`; where that is null, an operator of the platform decides. Do
        not repeat a refund that is here.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_UNKNOWN_OUTCOMES, Call(path={}, query={"limit": limit}))

    async def list_users(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.UserList:
        """List users.

        Newest first. Through the platform's tenant an operator sees its operators too.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_USERS, Call(path={}, query={"limit": limit, "cursor": cursor}))

    def iterate_users(self, *, limit: int | None = None) -> AsyncIterator[models.UserBody]:
        """Yield what `list_users` lists, page after page."""
        return self._items(_LIST_USERS, Call(path={}, query={"limit": limit}))

    async def list_webhook_deliveries(
        self,
        endpoint_id: UUID | str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.DeliveryPage:
        """List deliveries.

        What was sent to an endpoint, newest first, with every attempt.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _LIST_WEBHOOK_DELIVERIES,
            Call(
                path={"endpoint_id": endpoint_id},
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    def iterate_webhook_deliveries(
        self,
        endpoint_id: UUID | str,
        *,
        limit: int | None = None,
        status: str | None = None,
        event_type: str | None = None,
        event_id: UUID | str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> AsyncIterator[models.DeliveryBody]:
        """Yield what `list_webhook_deliveries` lists, page after page."""
        return self._items(
            _LIST_WEBHOOK_DELIVERIES,
            Call(
                path={"endpoint_id": endpoint_id},
                query={
                    "limit": limit,
                    "status": status,
                    "event_type": event_type,
                    "event_id": event_id,
                    "from": from_,
                    "to": to,
                },
            ),
        )

    async def list_webhooks(self) -> list[models.EndpointBody]:
        """List webhook endpoints.

        Newest first, as a bare array, without their secrets.

        Needs the permission `admin:write`.
        """
        return await self._call(_LIST_WEBHOOKS, Call(path={}, query={}))

    async def match_lines(
        self,
        body: models.MatchByHand,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.MatchBody:
        """Match lines by hand.

        No run undoes it. Amounts must agree, or the difference is named; of two currencies, what the other side
        has.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _MATCH_LINES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def place_hold(
        self,
        body: models.PlaceHoldBody,
        *,
        idempotency_key: str | None = None,
    ) -> models.HoldBody:
        """Place a hold.

        Sets an amount aside on both accounts. What is available is checked under the same lock as every posting.
        The same `id` and content again is answered the same.

        Needs the permission `ledger:write`.
        """
        return await self._call(_PLACE_HOLD, Call(path={}, query={}, body=body, idempotency_key=idempotency_key))

    async def post_ledger_entries(
        self,
        body: models.PostLedgerEntries,
        *,
        idempotency_key: str | None = None,
    ) -> models.EntriesPostedBody:
        """Post journal entries.

        One to 10,000 entries by hand. `atomic`: all or none, and a refusal says what is wrong where. `independent`:
        each for itself, with a result each. Needs an `Idempotency-Key` unless it is a dry run; the key is
        remembered for ever, as the entries are.

        Needs the permission `ledger:write`.
        """
        return await self._call(
            _POST_LEDGER_ENTRIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key)
        )

    async def propose_ledger_entries(
        self,
        body: models.ProposeLedgerEntries,
        *,
        idempotency_key: str | None = None,
    ) -> models.ProposalBody:
        """Propose journal entries.

        One to 500 entries that are posted together once somebody else approves. What could not be posted now is
        refused now.

        Needs the permission `ledger:write`.
        """
        return await self._call(
            _PROPOSE_LEDGER_ENTRIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key)
        )

    async def propose_policy_change(
        self,
        body: models.ProposeApprovalPolicy,
        *,
        idempotency_key: str | None = None,
    ) -> models.PolicyChangeBody:
        """Propose a policy.

        All rules of it. `applied` at once where the present policy demands nothing; else somebody else decides.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _PROPOSE_POLICY_CHANGE, Call(path={}, query={}, body=body, idempotency_key=idempotency_key)
        )

    async def put_account_role(
        self,
        role: str,
        body: models.AssignRole,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.AccountRoleBody:
        """Let an account play a role.

        Effective for every entry that is posted once this is answered; what stands in the books stays.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _PUT_ACCOUNT_ROLE,
            Call(path={"role": role}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    async def put_chaos(
        self,
        body: models.Disturbance | None = None,
        *,
        prefer: str | None = None,
    ) -> models.Disturbance:
        """Disturb the tenant's requests.

        For an hour, in every process: delays, and failures by chance. Offered only where APP_ENV=local, and never
        disturbed itself.

        Needs the permission `admin:write`.
        """
        return await self._call(_PUT_CHAOS, Call(path={}, query={}, body={} if body is None else body, prefer=prefer))

    async def put_identity_provider(
        self,
        body: models.PutIdentityProvider,
        *,
        prefer: str | None = None,
    ) -> models.IdentityProviderBody:
        """Set the identity provider.

        Users of the tenant, who are there already, log in to the console by it (OpenID Connect, the authorization
        code with PKCE); their passwords stay valid. You must be allowed all that they are. Send the secret each
        time.

        Needs the permission `admin:write`.
        """
        return await self._call(_PUT_IDENTITY_PROVIDER, Call(path={}, query={}, body=body, prefer=prefer))

    async def put_import_part(self, import_id: UUID | str, number: int, body: bytes) -> None:
        """Send a part of a file.

        Its bytes, in any order of parts; together they are the file. A part that is sent again replaces what came
        of it before.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _PUT_IMPORT_PART, Call(path={"import_id": import_id, "number": number}, query={}, body=body)
        )

    async def put_ledger_calendar(
        self,
        body: models.SetCalendarBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.CalendarBody:
        """Keep the books by another calendar.

        The next period ends with a midnight of this time zone, and financial statements without `tz` are by it.
        What is closed stays closed.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _PUT_LEDGER_CALENDAR, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def put_ledger_settings(
        self,
        body: models.LedgerSettings,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.LedgerSettings:
        """Demand a second person for everything.

        Where the policy demands anything already, a change of it needs a second person: 409, and `POST
        /v1/ledger/policy/changes` proposes it.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _PUT_LEDGER_SETTINGS, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def put_policy(
        self,
        permission: str,
        body: models.PutPolicy,
        *,
        prefer: str | None = None,
    ) -> models.PolicyBody:
        """Change how a permission is narrowed.

        For every tenant, and heeded by every process at once.

        Needs the permission `admin:write`.
        """
        return await self._call(_PUT_POLICY, Call(path={"permission": permission}, query={}, body=body, prefer=prefer))

    async def put_role(
        self,
        name: str,
        body: models.PutRole,
        *,
        prefer: str | None = None,
    ) -> models.RoleBody:
        """Make a role, or change what it allows.

        For logins from then on, of every tenant; a token that somebody has is valid until it expires.

        Needs the permission `admin:write`.
        """
        return await self._call(_PUT_ROLE, Call(path={"name": name}, query={}, body=body, prefer=prefer))

    async def put_tenant(
        self,
        tenant_id: str,
        body: models.PutTenant,
        *,
        prefer: str | None = None,
    ) -> models.TenantBody:
        """Make a tenant known, or change it.

        A new one gets its default accounts in the ledger. A tenant that is SUSPENDED or DELETED is refused at once,
        in every process, and keeps its history; a change without `status` leaves it as it is. What the suite states
        of it afterwards counts again.

        Needs the permission `admin:write`.
        """
        return await self._call(_PUT_TENANT, Call(path={"tenant_id": tenant_id}, query={}, body=body, prefer=prefer))

    async def record_exchange_rate(
        self,
        body: models.RecordRate,
        *,
        idempotency_key: str | None = None,
    ) -> models.ExchangeRateBody:
        """Record an exchange rate.

        Never changed once recorded; the same again is the same. A correction is one that takes effect later.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _RECORD_EXCHANGE_RATE, Call(path={}, query={}, body=body, idempotency_key=idempotency_key)
        )

    async def redrive_dead_letter(
        self,
        service: str,
        letter_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.RedrivenBody:
        """Redrive a dead letter.

        Has it handled again, once its cause is gone. Again it is success, as long as it has not failed again.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _REDRIVE_DEAD_LETTER,
            Call(path={"service": service, "letter_id": letter_id}, query={}, idempotency_key=idempotency_key),
        )

    async def refresh_reports(self, *, idempotency_key: str | None = None) -> models.RefreshBody:
        """Refresh the reports now.

        For operators of the platform. Waits, bounded: 200 once it is done, 202 while it goes on, here or in another
        process.

        Needs the permission `admin:write`.
        """
        return await self._call(_REFRESH_REPORTS, Call(path={}, query={}, idempotency_key=idempotency_key))

    async def refund_payment_intent(
        self,
        intent_id: UUID | str,
        body: models.RefundRequest | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RefundBody:
        """Refund a payment intent.

        Gives captured money back: all that is left, or the amount given, as often as something is left. Waits,
        bounded, for the processor; the answer is the refund: COMPLETED, FAILED, or PENDING where the processor has
        not reported yet how it ended. A refund that fails, at once or later, counts for nothing.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _REFUND_PAYMENT_INTENT,
            Call(
                path={"intent_id": intent_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def reject_policy_change(
        self,
        change_id: UUID | str,
        body: models.DecidePolicyChange | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PolicyChangeBody:
        """Reject a change of the policy.

        The policy stays. Who proposed it, or made the key that did, cannot reject it either.

        Needs the permission `ledger:approve`.
        """
        return await self._call(
            _REJECT_POLICY_CHANGE,
            Call(
                path={"change_id": change_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def reject_proposal(
        self,
        proposal_id: UUID | str,
        body: models.DecideProposal | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> models.ProposalBody:
        """Reject a proposal.

        Its entries will not be posted. Who proposed it, or made the key that did, cannot reject it either.

        Needs the permission `ledger:approve`.
        """
        return await self._call(
            _REJECT_PROPOSAL,
            Call(
                path={"proposal_id": proposal_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
            ),
        )

    async def reopen_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Settle | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Reopen a discrepancy.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _REOPEN_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def repair_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Repair | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Repair a discrepancy.

        Does what is safe: what was not booked is published again, and what was missed is read from the processor
        again. With the `proposal_id` of entries that are proposed in the ledger, it is resolved once they are
        posted.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _REPAIR_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def replace_import_source(
        self,
        source_id: UUID | str,
        body: models.PutSource,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.SourceBody:
        """Change how the files of a source are read.

        The name at any time; how files are read as long as no line of it is imported.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _REPLACE_IMPORT_SOURCE,
            Call(path={"source_id": source_id}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    async def replace_matching_rules(
        self,
        source_id: UUID | str,
        body: models.PutRules,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RulesBody:
        """Change the rules of a source.

        As another version, from the next step of a run on; what is matched stays as it is.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _REPLACE_MATCHING_RULES,
            Call(path={"source_id": source_id}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    async def replay_webhook(
        self,
        endpoint_id: UUID | str,
        body: models.ReplayWebhook | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.ReplayBody:
        """Replay deliveries.

        Makes deliveries again: named ones, those of a time, or all that failed or are missing. Needs an
        `Idempotency-Key` unless it is a dry run, which only counts.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _REPLAY_WEBHOOK,
            Call(
                path={"endpoint_id": endpoint_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def report_account_balances(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> list[models.AccountBalanceItem]:
        """Account balances.

        By account and currency, as a bare array; within a period when one is given. As of the last refresh, whose
        instant and age are in the headers; exact for any span before it.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_ACCOUNT_BALANCES,
            Call(path={}, query={"from": from_, "to": to, "currency": currency, "tz": tz, "locale": locale}),
        )

    async def report_balance_sheet(
        self,
        *,
        as_of: str | None = None,
        basis: str | None = None,
        compare: str | None = None,
        columns: int | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.FinancialStatementBody:
        """Balance sheet.

        Assets, liabilities and equity by currency; what was earned and is not closed to equity yet is a row of its
        own. One column for the period and one for each that it is compared with. `closed` ties a column to a closed
        period.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_BALANCE_SHEET,
            Call(
                path={},
                query={
                    "as_of": as_of,
                    "basis": basis,
                    "compare": compare,
                    "columns": columns,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    async def report_cash_position(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        basis: str | None = None,
        compare: str | None = None,
        columns: int | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.FinancialStatementBody:
        """Cash position.

        Where money stands: at the processor, in transit and at the bank, with what came and left. An account counts
        that plays or has played such a role. One column for the period and one for each that it is compared with.
        `closed` ties a column to a closed period.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_CASH_POSITION,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "basis": basis,
                    "compare": compare,
                    "columns": columns,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    async def report_income_statement(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        basis: str | None = None,
        compare: str | None = None,
        columns: int | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.FinancialStatementBody:
        """Income statement.

        Revenue less expenses by currency. One column for the period and one for each that it is compared with.
        `closed` ties a column to a closed period.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_INCOME_STATEMENT,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "basis": basis,
                    "compare": compare,
                    "columns": columns,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    async def report_journal(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        locale: str | None = None,
    ) -> models.JournalBody:
        """General journal.

        Every entry with its lines, oldest first; as CSV one row per line. As `beancount` or `hledger` a file for
        the program of that name, in which the dates are those of record in `tz`. From the books themselves, as of
        now.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_JOURNAL,
            Call(
                path={}, query={"from": from_, "to": to, "tz": tz, "limit": limit, "cursor": cursor, "locale": locale}
            ),
        )

    def iterate_journal(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        locale: str | None = None,
    ) -> AsyncIterator[models.JournalItem]:
        """Yield what `report_journal` lists, page after page."""
        return self._items(
            _REPORT_JOURNAL, Call(path={}, query={"from": from_, "to": to, "tz": tz, "limit": limit, "locale": locale})
        )

    async def report_payments(
        self,
        *,
        granularity: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
    ) -> models.PaymentReportBody:
        """Payments by period.

        By period and currency: how many were made, and what became of them until now; and what is in flight now, by
        stage. What was made more than an hour or two ago is read again after a minute, a period that ended two days
        ago after five, one that ended a month ago after an hour; the headers have the instant and age of the oldest
        sum. Without `from`, the last 30 days.

        Needs the permission `payments:read`.
        """
        return await self._call(
            _REPORT_PAYMENTS,
            Call(path={}, query={"granularity": granularity, "from": from_, "to": to, "currency": currency, "tz": tz}),
        )

    async def report_revenue(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        granularity: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> list[models.RevenueItem]:
        """Revenue by period.

        By period and currency, as a bare array; periods without revenue are left out. As of the last refresh, whose
        instant and age are in the headers; exact for any span before it.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_REVENUE,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "granularity": granularity,
                    "currency": currency,
                    "tz": tz,
                    "locale": locale,
                },
            ),
        )

    async def report_revenue_by_tenant(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        locale: str | None = None,
    ) -> list[models.TenantRevenueItem]:
        """Revenue of every tenant.

        By tenant and currency, as a bare array; for operators of the platform. The next page is in the `Link`
        header. As of the last refresh, whose instant and age are in the headers; exact for any span before it.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_REVENUE_BY_TENANT,
            Call(
                path={},
                query={
                    "from": from_,
                    "to": to,
                    "currency": currency,
                    "tz": tz,
                    "limit": limit,
                    "cursor": cursor,
                    "locale": locale,
                },
            ),
        )

    def iterate_revenue_by_tenant(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        currency: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        locale: str | None = None,
    ) -> AsyncIterator[models.TenantRevenueItem]:
        """Yield what `report_revenue_by_tenant` lists, page after page."""
        return self._items(
            _REPORT_REVENUE_BY_TENANT,
            Call(
                path={},
                query={"from": from_, "to": to, "currency": currency, "tz": tz, "limit": limit, "locale": locale},
            ),
        )

    async def report_statement(
        self,
        *,
        account: str,
        currency: str,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        locale: str | None = None,
    ) -> models.StatementBody:
        """Account statement.

        One account in one currency, oldest first: the opening balance and the lines make the closing balance. The
        first page fixes where it ends, so that all pages are of one statement.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_STATEMENT,
            Call(
                path={},
                query={
                    "account": account,
                    "currency": currency,
                    "from": from_,
                    "to": to,
                    "tz": tz,
                    "limit": limit,
                    "cursor": cursor,
                    "locale": locale,
                },
            ),
        )

    def iterate_statement(
        self,
        *,
        account: str,
        currency: str,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
        locale: str | None = None,
    ) -> AsyncIterator[models.StatementItem]:
        """Yield what `report_statement` lists, page after page."""
        return self._items(
            _REPORT_STATEMENT,
            Call(
                path={},
                query={
                    "account": account,
                    "currency": currency,
                    "from": from_,
                    "to": to,
                    "tz": tz,
                    "limit": limit,
                    "locale": locale,
                },
            ),
        )

    async def report_trial_balance(
        self,
        *,
        as_of: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> models.TrialBalanceBody:
        """Trial balance.

        Every account at one instant of record: in each currency debits equal credits. From the books themselves, as
        of now.

        Needs the permission `ledger:read`.
        """
        return await self._call(
            _REPORT_TRIAL_BALANCE, Call(path={}, query={"as_of": as_of, "tz": tz, "locale": locale})
        )

    async def resolve_discrepancy(
        self,
        discrepancy_id: UUID | str,
        body: models.Settle | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.DiscrepancyBody:
        """Resolve a discrepancy.

        It is settled, for the reason given. It is open again when a run finds it with other facts.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _RESOLVE_DISCREPANCY,
            Call(
                path={"discrepancy_id": discrepancy_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def revalue_currencies(
        self,
        body: models.RevalueBody,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RevaluationBody:
        """Value other currencies at the closing rate.

        Books what assets and liabilities in other currencies have gained or lost since they were booked, by the
        recorded rates, and takes it back when the next day begins. It happens once; again books what is missing.
        Where the tenant demands two people, the entries are proposed. Days are those of the tenant's calendar.

        Needs the permission `ledger:write`.
        """
        return await self._call(
            _REVALUE_CURRENCIES, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def reverse_ledger_entry(
        self,
        entry_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.EntryBody:
        """Reverse a journal entry.

        Takes an entry back by a further one that is linked to it. It happens once; again is answered the same.
        Reversing the entry of a payment moves no money: refund the payment for that.

        Needs the permission `ledger:write`.
        """
        return await self._call(
            _REVERSE_LEDGER_ENTRY, Call(path={"entry_id": entry_id}, query={}, idempotency_key=idempotency_key)
        )

    async def revoke_api_key(self, key_id: UUID | str) -> None:
        """Revoke an API key.

        It is refused from then on, in every process; it stays in the list. Revoking it again changes nothing.

        Needs the permission `admin:write`.
        """
        return await self._call(_REVOKE_API_KEY, Call(path={"key_id": key_id}, query={}))

    async def rotate_api_key(
        self,
        key_id: UUID | str,
        body: models.RotateApiKey | None = None,
        *,
        prefer: str | None = None,
    ) -> models.NewApiKeyBody:
        """Replace an API key.

        Makes a key with the same name and scopes, whose secret the answer has, once. The old one stays valid for
        `overlap_seconds` (a day), and no longer than it would have been. The new one ends when the old one was to
        end, or at `expires_at`.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _ROTATE_API_KEY, Call(path={"key_id": key_id}, query={}, body={} if body is None else body, prefer=prefer)
        )

    async def rotate_gateway_keys(
        self,
        config_id: UUID | str,
        body: models.RotateKeys | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.GatewayConfigBody:
        """Rotate the keys of a gateway configuration.

        New keys of the same account. The webhook secret before the new one is accepted beside it.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _ROTATE_GATEWAY_KEYS,
            Call(
                path={"config_id": config_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def rotate_webhook_secret(
        self,
        endpoint_id: UUID | str,
        body: models.RotateWebhookSecret | None = None,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.EndpointBody:
        """Rotate the signing secret.

        The answer carries the new secret, once. The present one goes on signing until the overlap ends.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _ROTATE_WEBHOOK_SECRET,
            Call(
                path={"endpoint_id": endpoint_id},
                query={},
                body={} if body is None else body,
                idempotency_key=idempotency_key,
                prefer=prefer,
            ),
        )

    async def set_feature_flag(
        self,
        name: str,
        body: models.SetFeatureFlag,
        *,
        prefer: str | None = None,
    ) -> models.FeatureFlag:
        """Switch a feature on or off.

        For the tenant that the operator acts for; an operator who acts for the platform tenant sets the default of
        all tenants that have none of their own. Every process heeds it at once.

        Needs the permission `admin:write`.
        """
        return await self._call(_SET_FEATURE_FLAG, Call(path={"name": name}, query={}, body=body, prefer=prefer))

    async def start_import(
        self,
        body: models.StartFileImport,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.FileImportBody:
        """Begin to import a file.

        Then its parts are sent, and it is completed. A file that the source has sent before, by its checksum, is
        answered 200 with the import that it had: `status` says whether anything is left to be sent.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _START_IMPORT, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def start_reconciliation(
        self,
        body: models.StartRun,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.RunBody:
        """Compare a window of time.

        Payments that were made in the window, and those for which something moved in it, are compared with the
        processor's statement and the books. It goes on by itself: read it again to see how far it is.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _START_RECONCILIATION, Call(path={}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer)
        )

    async def test_webhook(
        self,
        endpoint_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.TestSentBody:
        """Send a test event.

        Sends `webhook.test` by the way of every other event; the history shows what came of it.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _TEST_WEBHOOK, Call(path={"endpoint_id": endpoint_id}, query={}, idempotency_key=idempotency_key)
        )

    async def unmatch_lines(
        self,
        match_id: UUID | str,
        body: models.TakeApart,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.MatchBody:
        """Take a match apart.

        It stays in the list, with who has taken it apart and why; no run puts the same together again.

        Needs the permission `admin:write`.
        """
        return await self._call(
            _UNMATCH_LINES,
            Call(path={"match_id": match_id}, query={}, body=body, idempotency_key=idempotency_key, prefer=prefer),
        )

    async def verify_reconciliation_periods(self) -> models.SealCheckBody:
        """Check the seals of closed months.

        Computes every checksum again, and whether each report contains the checksum of the one before.

        Needs the permission `admin:write`.
        """
        return await self._call(_VERIFY_RECONCILIATION_PERIODS, Call(path={}, query={}))

    async def void_hold(
        self,
        hold_id: UUID | str,
        *,
        idempotency_key: str | None = None,
    ) -> models.HoldBody:
        """Void a hold.

        Lets it go. Again is answered the same.

        Needs the permission `ledger:write`.
        """
        return await self._call(_VOID_HOLD, Call(path={"hold_id": hold_id}, query={}, idempotency_key=idempotency_key))

    async def void_payment_intent(
        self,
        intent_id: UUID | str,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.PaymentIntentBody:
        """Void a payment intent.

        Lets go of a payment: of a CREATED one at once; of held funds, or of a customer who was to act, by asking
        the processor and waiting, bounded: 200 with the intent VOIDED, or as it was before where the processor
        refused, else 202. Of a PROCESSING one whatever the processor reports later is let go of, and nothing is
        captured: 200 with the intent VOIDED, or 202 while the outcome is not known. Voiding again answers the
        present state.

        Needs the permission `payments:write`.
        """
        return await self._call(
            _VOID_PAYMENT_INTENT,
            Call(path={"intent_id": intent_id}, query={}, idempotency_key=idempotency_key, prefer=prefer),
        )
