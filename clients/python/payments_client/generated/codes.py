"""A class for each code of a problem.

Generated: do not edit.
"""

from payments_client.problems import (
    ApiError,
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Unprocessable,
    TooManyRequests,
    ServerFault,
)


class AccountCodeTaken(Conflict):
    """The chart has an account of this code."""

    code = "account_code_taken"


class AccountIdTaken(Conflict):
    """The chart has an account of this id."""

    code = "account_id_taken"


class AccountInvalid(Unprocessable):
    """An account's code, label, limits or currencies cannot be used."""

    code = "account_invalid"


class AccountRoleConflict(Conflict):
    """The account plays a role already that a posting rule sets against this one."""

    code = "account_role_conflict"


class AccountRoleNotFound(NotFound):
    """There is no such role."""

    code = "account_role_not_found"


class AccountRoleUnfit(Unprocessable):
    """An account of this type cannot play the role."""

    code = "account_role_unfit"


class AccountUnknown(Unprocessable):
    """The chart has no account of this code."""

    code = "account_unknown"


class ApiKeyExpired(Unauthenticated):
    """The API key's time is over."""

    code = "api_key_expired"


class ApiKeyNotActive(Conflict):
    """The API key is revoked, expired or rotated already."""

    code = "api_key_not_active"


class ApiKeyNotFound(NotFound):
    """The tenant has no such API key."""

    code = "api_key_not_found"


class ApiKeyOfOtherMode(Unauthenticated):
    """A test key was sent where money is real, or a live key where it is not."""

    code = "api_key_of_other_mode"


class ApiKeyRevoked(Unauthenticated):
    """The API key is revoked."""

    code = "api_key_revoked"


class ApprovalRequired(Conflict):
    """The tenant lets nobody do it alone: an entry, hold, reversal or conversion that a rule names, or a change of the
    rules.
    """

    code = "approval_required"


class BalanceOverflow(Conflict):
    """An account would hold more than can be counted."""

    code = "balance_overflow"


class BillingDetailsRequired(Unprocessable):
    """A boleto names who pays: name, e-mail, tax id and address."""

    code = "billing_details_required"


class BodyTooLarge(ApiError):
    """The body is larger than is read."""

    code = "body_too_large"


class CalendarInvalid(Unprocessable):
    """There is no such calendar to keep books by."""

    code = "calendar_invalid"


class CannotCapture(Conflict):
    """No funds are held that could be captured, or another amount is captured already."""

    code = "cannot_capture"


class CannotConfirm(Conflict):
    """The payment intent has ended or was given back, so there is nothing to collect."""

    code = "cannot_confirm"


class CannotRefund(Conflict):
    """The payment is not in the books yet, or nothing of it is left."""

    code = "cannot_refund"


class CannotVoid(Conflict):
    """There is nothing to let go of, or the funds are being captured."""

    code = "cannot_void"


class CaptureExceedsAuthorization(Unprocessable):
    """The capture is more than is authorized."""

    code = "capture_exceeds_authorization"


class CardNumberInText(Unprocessable):
    """A text has a card number, which must not be kept there."""

    code = "card_number_in_text"


class CeilingCrossed(Conflict):
    """An account would exceed its ceiling."""

    code = "ceiling_crossed"


class ChaosInjected(ServerFault):
    """A failure made on purpose; only where APP_ENV=local."""

    code = "chaos_injected"


class ConfirmContended(Conflict):
    """Other requests are changing the payment intent."""

    code = "confirm_contended"


class ConsoleOff(Conflict):
    """There is no console here, and so no login by an identity provider."""

    code = "console_off"


class ConversionConflict(Conflict):
    """There is a conversion of this id with other content."""

    code = "conversion_conflict"


class ConversionInvalid(Unprocessable):
    """The conversion cannot be made like this."""

    code = "conversion_invalid"


class ConversionNotFound(NotFound):
    """The tenant has no such conversion."""

    code = "conversion_not_found"


class ConversionOutsideBand(Unprocessable):
    """What was received is further from the known rate than a conversion may be without an approval."""

    code = "conversion_outside_band"


class ConversionTooLarge(Unprocessable):
    """An amount is worth more in the other currency than an entry can hold."""

    code = "conversion_too_large"


class ConversionTooSmall(Unprocessable):
    """An amount is worth less than the smallest unit of the other currency."""

    code = "conversion_too_small"


class CurrencyNotTaken(Unprocessable):
    """An account does not take the currency."""

    code = "currency_not_taken"


class CustomerNotFound(NotFound):
    """The tenant has no such customer, or has deleted it."""

    code = "customer_not_found"


class CustomerReferenceTaken(Conflict):
    """Another customer of the tenant has this reference."""

    code = "customer_reference_taken"


class CustomerRequired(Unprocessable):
    """A saved payment method is charged for its customer, who is named with it."""

    code = "customer_required"


class CustomerUnknown(Unprocessable):
    """The tenant has no such customer, or has deleted it."""

    code = "customer_unknown"


class DatabaseReadOnly(ServerFault):
    """Nothing can be changed at the moment; reading works."""

    code = "database_read_only"


class DeadLetterNotFound(NotFound):
    """The service has no such dead letter."""

    code = "dead_letter_not_found"


class DeadLetterUnreadable(Conflict):
    """What another team sent still cannot be read."""

    code = "dead_letter_unreadable"


class DefaultPaymentMethodLive(Unprocessable):
    """A default payment method cannot be charged in live mode: each payment must name its own."""

    code = "default_payment_method_live"


class DiscrepancyDecided(Conflict):
    """The discrepancy is settled already, or is not settled and cannot be reopened."""

    code = "discrepancy_decided"


class DiscrepancyNotFound(NotFound):
    """The tenant has no such discrepancy."""

    code = "discrepancy_not_found"


class DiscrepancyNotRepairable(Conflict):
    """Nothing about the discrepancy can be done safely without a person, or the proposal cannot be waited for."""

    code = "discrepancy_not_repairable"


class DuplicateHeader(BadRequest):
    """A header is there twice of which only one can be meant."""

    code = "duplicate_header"


class EntryConflict(Conflict):
    """An entry of this id stands in the books with other content."""

    code = "entry_conflict"


class EntryCurrencyMixed(Unprocessable):
    """The lines of an entry are in several currencies."""

    code = "entry_currency_mixed"


class EntryInvalid(Unprocessable):
    """The entry or hold has content that no book can hold."""

    code = "entry_invalid"


class EntryNotFound(NotFound):
    """The tenant's books have no such entry."""

    code = "entry_not_found"


class EntryNotReversible(Conflict):
    """The entry is a reversal itself."""

    code = "entry_not_reversible"


class EntryUnbalanced(Unprocessable):
    """The debits of an entry are not equal to its credits."""

    code = "entry_unbalanced"


class ExchangeRateConflict(Conflict):
    """Another rate of the pair takes effect at the same instant."""

    code = "exchange_rate_conflict"


class ExchangeRateInvalid(Unprocessable):
    """The exchange rate cannot be recorded."""

    code = "exchange_rate_invalid"


class ExchangeRateNotFound(NotFound):
    """No recorded rate leads from one currency to the other at that instant."""

    code = "exchange_rate_not_found"


class FeatureDisabled(Forbidden):
    """The feature is switched off for the tenant."""

    code = "feature_disabled"


class FeatureUnknown(NotFound):
    """There is no such feature."""

    code = "feature_unknown"


class FileTooLarge(Unprocessable):
    """The file is larger than is imported at once."""

    code = "file_too_large"


class FloorCrossed(Conflict):
    """An account has not that much available above its floor."""

    code = "floor_crossed"


class GatewayConfigConflict(Conflict):
    """Another gateway configuration has this id, or this Stripe account, or its keys were changed at the same time."""

    code = "gateway_config_conflict"


class GatewayConfigNotFound(NotFound):
    """The tenant has no such gateway configuration."""

    code = "gateway_config_not_found"


class HeadersTooLarge(ApiError):
    """The headers are too large or too many."""

    code = "headers_too_large"


class HoldConflict(Conflict):
    """There is a hold of this id with other content."""

    code = "hold_conflict"


class HoldExceeded(Conflict):
    """More is to be captured than is held."""

    code = "hold_exceeded"


class HoldNotFound(NotFound):
    """The tenant has no such hold."""

    code = "hold_not_found"


class HoldResolved(Conflict):
    """The hold has been captured, voided or has expired."""

    code = "hold_resolved"


class IdempotencyInProgress(Conflict):
    """The first request with this key is still being answered."""

    code = "idempotency_in_progress"


class IdempotencyKeyInvalid(BadRequest):
    """The Idempotency-Key cannot be used."""

    code = "idempotency_key_invalid"


class IdempotencyKeyMissing(BadRequest):
    """The header Idempotency-Key is missing."""

    code = "idempotency_key_missing"


class IdempotencyKeyRefused(BadRequest):
    """This operation takes no Idempotency-Key."""

    code = "idempotency_key_refused"


class IdempotencyKeyReused(Unprocessable):
    """The key was used with a different request."""

    code = "idempotency_key_reused"


class IdentityProviderNotFound(NotFound):
    """The tenant has no identity provider."""

    code = "identity_provider_not_found"


class ImportConflict(Conflict):
    """The import is not at this step: its parts are missing, or it is being read already."""

    code = "import_conflict"


class ImportNotFound(NotFound):
    """The tenant has no such import."""

    code = "import_not_found"


class ImportSourceInvalid(Unprocessable):
    """How the source is to be read makes no sense."""

    code = "import_source_invalid"


class ImportSourceNotFound(NotFound):
    """The tenant has no such source of files, or it is deleted."""

    code = "import_source_not_found"


class ImportSourceUsed(Conflict):
    """The source has lines already, and its files would be read otherwise."""

    code = "import_source_used"


class InternalError(ServerFault):
    """A bug of ours."""

    code = "internal_error"


class InvalidAccountType(BadRequest):
    """There is no such type of account."""

    code = "invalid_account_type"


class InvalidAmount(Unprocessable):
    """The amount is not one."""

    code = "invalid_amount"


class InvalidCredentials(Unauthenticated):
    """Login name or password is wrong."""

    code = "invalid_credentials"


class InvalidCursor(Unprocessable):
    """The cursor is not of this list and its filters."""

    code = "invalid_cursor"


class InvalidRequest(Unprocessable):
    """The body or a parameter is invalid."""

    code = "invalid_request"


class InvalidTenant(BadRequest):
    """The header X-Tenant-Id does not name a tenant."""

    code = "invalid_tenant"


class InvalidToken(Unauthenticated):
    """The bearer token is invalid or expired."""

    code = "invalid_token"


class InvalidWebhookEndpoint(Unprocessable):
    """The endpoint cannot be like this."""

    code = "invalid_webhook_endpoint"


class InvalidWebhookReplay(Unprocessable):
    """The replay cannot be made like this."""

    code = "invalid_webhook_replay"


class KeySetUnavailable(ServerFault):
    """The identity provider's keys cannot be read."""

    code = "key_set_unavailable"


class LineMatchConflict(Conflict):
    """A line, payout or movement is in another match, or the match is taken apart already."""

    code = "line_match_conflict"


class LineMatchInvalid(Unprocessable):
    """What is to be matched does not exist or does not belong together: another currency, or a difference, that is not
    named.
    """

    code = "line_match_invalid"


class LineMatchNotFound(NotFound):
    """The tenant has no such match."""

    code = "line_match_not_found"


class LoginNameTaken(Conflict):
    """Another user has this login name."""

    code = "login_name_taken"


class MalformedJson(BadRequest):
    """The body is not valid JSON in UTF-8."""

    code = "malformed_json"


class MalformedRequest(BadRequest):
    """The request cannot be read as HTTP."""

    code = "malformed_request"


class MatchingRulesInvalid(Unprocessable):
    """The rules make no sense for what the source is compared with."""

    code = "matching_rules_invalid"


class MissingPermission(Forbidden):
    """The token lacks the permission named in permissionCode."""

    code = "missing_permission"


class MissingTenant(BadRequest):
    """The header X-Tenant-Id is missing."""

    code = "missing_tenant"


class MissingToken(Unauthenticated):
    """There is no bearer token."""

    code = "missing_token"


class NoActionRequired(Conflict):
    """The payment waits for nothing that its customer could do."""

    code = "no_action_required"


class NoOwnPassword(Forbidden):
    """The caller does not log in with a password here: an API key, or somebody whom an identity provider logs in."""

    code = "no_own_password"


class NoPolicy(Forbidden):
    """No policy admits the permission."""

    code = "no_policy"


class NoTenant(Forbidden):
    """The user belongs to no tenant."""

    code = "no_tenant"


class OperatorRequired(Forbidden):
    """Only an operator of the platform may do this."""

    code = "operator_required"


class Overloaded(ServerFault):
    """Too many requests wait already."""

    code = "overloaded"


class OwnAccount(Conflict):
    """Nobody disables themselves or changes their own roles."""

    code = "own_account"


class PaymentIntentNotFound(NotFound):
    """The tenant has no such payment intent."""

    code = "payment_intent_not_found"


class PaymentMethodNotOfCustomer(Unprocessable):
    """The payment method is not saved of this customer, or it is detached."""

    code = "payment_method_not_of_customer"


class PaymentMethodTypeNotAllowed(Unprocessable):
    """Pix and boleto are for BRL, captured at once, and name no token of a payment method."""

    code = "payment_method_type_not_allowed"


class PeriodClosed(Conflict):
    """The entry belongs into a closed period."""

    code = "period_closed"


class PeriodInvalid(Unprocessable):
    """The period cannot be closed like this."""

    code = "period_invalid"


class PermissionUnknown(NotFound):
    """There is no such permission."""

    code = "permission_unknown"


class PlanNotAllowed(Forbidden):
    """The tenant's plan does not include this."""

    code = "plan_not_allowed"


class PolicyChangeConflict(Conflict):
    """There is a change of the policy of this id with other content."""

    code = "policy_change_conflict"


class PolicyChangeDecided(Conflict):
    """The change of the policy was decided otherwise, or nobody decided in time."""

    code = "policy_change_decided"


class PolicyChangeNotFound(NotFound):
    """The tenant has no such change of its policy."""

    code = "policy_change_not_found"


class PolicyChangeOutdated(Conflict):
    """The policy has changed since the change was proposed, so who decides would not decide about what was proposed."""

    code = "policy_change_outdated"


class PolicyDeny(Forbidden):
    """A policy denies the permission."""

    code = "policy_deny"


class PolicyInvalid(Unprocessable):
    """The policy cannot be: it has too many rules, or a rule that contradicts itself."""

    code = "policy_invalid"


class PresentPasswordRequired(Conflict):
    """Nobody sets their own password as an administrator, nor through an API key of theirs: it takes the present one."""

    code = "present_password_required"


class ProcessorAccountChanged(Unprocessable):
    """The new key is of another account at the processor, or of its other mode, than the key before it."""

    code = "processor_account_changed"


class ProcessorAccountUnreadable(Unprocessable):
    """The processor does not let the key read of which account it is."""

    code = "processor_account_unreadable"


class ProposalDecided(Conflict):
    """The proposal was decided otherwise."""

    code = "proposal_decided"


class ProposalExpired(Conflict):
    """Nobody decided in time."""

    code = "proposal_expired"


class ProposalNotFound(NotFound):
    """The tenant has no such proposal."""

    code = "proposal_not_found"


class QueryInvalid(Unprocessable):
    """The query of the books is invalid."""

    code = "query_invalid"


class RateLimited(TooManyRequests):
    """The caller has made too many requests."""

    code = "rate_limited"


class ReconciliationPeriodInvalid(Unprocessable):
    """This is no month that can be closed: it is not over, or lies before one that is closed, or leaves one out."""

    code = "reconciliation_period_invalid"


class ReconciliationPeriodNotFound(NotFound):
    """The tenant has not closed this month."""

    code = "reconciliation_period_not_found"


class ReconciliationPeriodOpen(Conflict):
    """The month cannot be closed yet: no run has compared all of it, or discrepancies have been open for too long."""

    code = "reconciliation_period_open"


class ReconciliationReportMissing(Conflict):
    """The reconciliation run has no report: it is not over, was abandoned, or is of an earlier version."""

    code = "reconciliation_report_missing"


class ReconciliationRunConflict(Conflict):
    """Another reconciliation run has this id."""

    code = "reconciliation_run_conflict"


class ReconciliationRunNotFound(NotFound):
    """The tenant has no such reconciliation run."""

    code = "reconciliation_run_not_found"


class RefundExceedsPayment(Unprocessable):
    """The refunds would exceed what was captured and is not disputed."""

    code = "refund_exceeds_payment"


class RegionNotAllowed(Forbidden):
    """This is not offered in the tenant's region."""

    code = "region_not_allowed"


class RequestTimeout(ServerFault):
    """The request took too long; its effect, if any, is complete."""

    code = "request_timeout"


class RequestTooSlow(ApiError):
    """The request did not arrive in time."""

    code = "request_too_slow"


class SavedPaymentMethodNotFound(NotFound):
    """The customer has no such saved payment method, or it is detached."""

    code = "saved_payment_method_not_found"


class ScopeExceedsCaller(Forbidden):
    """An API key or a user would be able to do more than whoever makes or changes it."""

    code = "scope_exceeds_caller"


class SelfApproval(Forbidden):
    """Who proposes does not decide."""

    code = "self_approval"


class SetupIntentNotFound(NotFound):
    """The customer has no such setup of a payment method, or was deleted."""

    code = "setup_intent_not_found"


class SetupRefused(Unprocessable):
    """The processor refuses to save this payment method."""

    code = "setup_refused"


class StoreUnavailable(ServerFault):
    """The memory of counts and chaos does not answer."""

    code = "store_unavailable"


class TenantDeleted(Forbidden):
    """The tenant is deleted."""

    code = "tenant_deleted"


class TenantMismatch(Forbidden):
    """The token is not of the tenant in X-Tenant-Id."""

    code = "tenant_mismatch"


class TenantNotFound(NotFound):
    """There is no such tenant, for an operator who reads or changes it."""

    code = "tenant_not_found"


class TenantSuspended(Forbidden):
    """The tenant is suspended."""

    code = "tenant_suspended"


class TenantUnknown(Forbidden):
    """There is no such tenant."""

    code = "tenant_unknown"


class TokenExpired(Unauthenticated):
    """The bearer token's time is over."""

    code = "token_expired"


class TooManyApiKeys(Conflict):
    """The tenant has as many active API keys as it may."""

    code = "too_many_api_keys"


class TooManyAttempts(Conflict):
    """Another payment method was tried as often as one payment may be: each was declined, or its customer has left."""

    code = "too_many_attempts"


class TooManyWebhookEndpoints(Conflict):
    """The tenant has as many endpoints as it may have."""

    code = "too_many_webhook_endpoints"


class TooManyWebhookSecrets(Conflict):
    """Too many earlier secrets still sign."""

    code = "too_many_webhook_secrets"


class Unavailable(ServerFault):
    """Something that is needed does not answer."""

    code = "unavailable"


class UnitConflict(Conflict):
    """The tenant has an own unit of this code with another name."""

    code = "unit_conflict"


class UnitInvalid(Unprocessable):
    """No own unit can have this code or this name."""

    code = "unit_invalid"


class UnitLimitReached(Conflict):
    """The tenant has as many own units as it may have."""

    code = "unit_limit_reached"


class UnknownFields(Unprocessable):
    """The body has members that this route does not read."""

    code = "unknown_fields"


class UnsupportedCurrency(BadRequest):
    """The currency is not accepted."""

    code = "unsupported_currency"


class UrlTooLong(ApiError):
    """The URL is longer than is read."""

    code = "url_too_long"


class UserNotFound(NotFound):
    """The tenant has no such user."""

    code = "user_not_found"


class WebhookEndpointConflict(Conflict):
    """There is another endpoint of this id."""

    code = "webhook_endpoint_conflict"


class WebhookEndpointInactive(Conflict):
    """The webhook endpoint is switched off."""

    code = "webhook_endpoint_inactive"


class WebhookEndpointNotFound(NotFound):
    """The tenant has no such webhook endpoint."""

    code = "webhook_endpoint_not_found"


class WebhookReplayDone(Conflict):
    """Everything that the replay selects is scheduled."""

    code = "webhook_replay_done"


class WebhookReplayNotFound(NotFound):
    """The endpoint has no such replay."""

    code = "webhook_replay_not_found"


class WrongPassword(Forbidden):
    """The present password that was sent is not the caller's."""

    code = "wrong_password"


BY_CODE: dict[str, type[ApiError]] = {
    "account_code_taken": AccountCodeTaken,
    "account_id_taken": AccountIdTaken,
    "account_invalid": AccountInvalid,
    "account_role_conflict": AccountRoleConflict,
    "account_role_not_found": AccountRoleNotFound,
    "account_role_unfit": AccountRoleUnfit,
    "account_unknown": AccountUnknown,
    "api_key_expired": ApiKeyExpired,
    "api_key_not_active": ApiKeyNotActive,
    "api_key_not_found": ApiKeyNotFound,
    "api_key_of_other_mode": ApiKeyOfOtherMode,
    "api_key_revoked": ApiKeyRevoked,
    "approval_required": ApprovalRequired,
    "balance_overflow": BalanceOverflow,
    "billing_details_required": BillingDetailsRequired,
    "body_too_large": BodyTooLarge,
    "calendar_invalid": CalendarInvalid,
    "cannot_capture": CannotCapture,
    "cannot_confirm": CannotConfirm,
    "cannot_refund": CannotRefund,
    "cannot_void": CannotVoid,
    "capture_exceeds_authorization": CaptureExceedsAuthorization,
    "card_number_in_text": CardNumberInText,
    "ceiling_crossed": CeilingCrossed,
    "chaos_injected": ChaosInjected,
    "confirm_contended": ConfirmContended,
    "console_off": ConsoleOff,
    "conversion_conflict": ConversionConflict,
    "conversion_invalid": ConversionInvalid,
    "conversion_not_found": ConversionNotFound,
    "conversion_outside_band": ConversionOutsideBand,
    "conversion_too_large": ConversionTooLarge,
    "conversion_too_small": ConversionTooSmall,
    "currency_not_taken": CurrencyNotTaken,
    "customer_not_found": CustomerNotFound,
    "customer_reference_taken": CustomerReferenceTaken,
    "customer_required": CustomerRequired,
    "customer_unknown": CustomerUnknown,
    "database_read_only": DatabaseReadOnly,
    "dead_letter_not_found": DeadLetterNotFound,
    "dead_letter_unreadable": DeadLetterUnreadable,
    "default_payment_method_live": DefaultPaymentMethodLive,
    "discrepancy_decided": DiscrepancyDecided,
    "discrepancy_not_found": DiscrepancyNotFound,
    "discrepancy_not_repairable": DiscrepancyNotRepairable,
    "duplicate_header": DuplicateHeader,
    "entry_conflict": EntryConflict,
    "entry_currency_mixed": EntryCurrencyMixed,
    "entry_invalid": EntryInvalid,
    "entry_not_found": EntryNotFound,
    "entry_not_reversible": EntryNotReversible,
    "entry_unbalanced": EntryUnbalanced,
    "exchange_rate_conflict": ExchangeRateConflict,
    "exchange_rate_invalid": ExchangeRateInvalid,
    "exchange_rate_not_found": ExchangeRateNotFound,
    "feature_disabled": FeatureDisabled,
    "feature_unknown": FeatureUnknown,
    "file_too_large": FileTooLarge,
    "floor_crossed": FloorCrossed,
    "gateway_config_conflict": GatewayConfigConflict,
    "gateway_config_not_found": GatewayConfigNotFound,
    "headers_too_large": HeadersTooLarge,
    "hold_conflict": HoldConflict,
    "hold_exceeded": HoldExceeded,
    "hold_not_found": HoldNotFound,
    "hold_resolved": HoldResolved,
    "idempotency_in_progress": IdempotencyInProgress,
    "idempotency_key_invalid": IdempotencyKeyInvalid,
    "idempotency_key_missing": IdempotencyKeyMissing,
    "idempotency_key_refused": IdempotencyKeyRefused,
    "idempotency_key_reused": IdempotencyKeyReused,
    "identity_provider_not_found": IdentityProviderNotFound,
    "import_conflict": ImportConflict,
    "import_not_found": ImportNotFound,
    "import_source_invalid": ImportSourceInvalid,
    "import_source_not_found": ImportSourceNotFound,
    "import_source_used": ImportSourceUsed,
    "internal_error": InternalError,
    "invalid_account_type": InvalidAccountType,
    "invalid_amount": InvalidAmount,
    "invalid_credentials": InvalidCredentials,
    "invalid_cursor": InvalidCursor,
    "invalid_request": InvalidRequest,
    "invalid_tenant": InvalidTenant,
    "invalid_token": InvalidToken,
    "invalid_webhook_endpoint": InvalidWebhookEndpoint,
    "invalid_webhook_replay": InvalidWebhookReplay,
    "key_set_unavailable": KeySetUnavailable,
    "line_match_conflict": LineMatchConflict,
    "line_match_invalid": LineMatchInvalid,
    "line_match_not_found": LineMatchNotFound,
    "login_name_taken": LoginNameTaken,
    "malformed_json": MalformedJson,
    "malformed_request": MalformedRequest,
    "matching_rules_invalid": MatchingRulesInvalid,
    "missing_permission": MissingPermission,
    "missing_tenant": MissingTenant,
    "missing_token": MissingToken,
    "no_action_required": NoActionRequired,
    "no_own_password": NoOwnPassword,
    "no_policy": NoPolicy,
    "no_tenant": NoTenant,
    "operator_required": OperatorRequired,
    "overloaded": Overloaded,
    "own_account": OwnAccount,
    "payment_intent_not_found": PaymentIntentNotFound,
    "payment_method_not_of_customer": PaymentMethodNotOfCustomer,
    "payment_method_type_not_allowed": PaymentMethodTypeNotAllowed,
    "period_closed": PeriodClosed,
    "period_invalid": PeriodInvalid,
    "permission_unknown": PermissionUnknown,
    "plan_not_allowed": PlanNotAllowed,
    "policy_change_conflict": PolicyChangeConflict,
    "policy_change_decided": PolicyChangeDecided,
    "policy_change_not_found": PolicyChangeNotFound,
    "policy_change_outdated": PolicyChangeOutdated,
    "policy_deny": PolicyDeny,
    "policy_invalid": PolicyInvalid,
    "present_password_required": PresentPasswordRequired,
    "processor_account_changed": ProcessorAccountChanged,
    "processor_account_unreadable": ProcessorAccountUnreadable,
    "proposal_decided": ProposalDecided,
    "proposal_expired": ProposalExpired,
    "proposal_not_found": ProposalNotFound,
    "query_invalid": QueryInvalid,
    "rate_limited": RateLimited,
    "reconciliation_period_invalid": ReconciliationPeriodInvalid,
    "reconciliation_period_not_found": ReconciliationPeriodNotFound,
    "reconciliation_period_open": ReconciliationPeriodOpen,
    "reconciliation_report_missing": ReconciliationReportMissing,
    "reconciliation_run_conflict": ReconciliationRunConflict,
    "reconciliation_run_not_found": ReconciliationRunNotFound,
    "refund_exceeds_payment": RefundExceedsPayment,
    "region_not_allowed": RegionNotAllowed,
    "request_timeout": RequestTimeout,
    "request_too_slow": RequestTooSlow,
    "saved_payment_method_not_found": SavedPaymentMethodNotFound,
    "scope_exceeds_caller": ScopeExceedsCaller,
    "self_approval": SelfApproval,
    "setup_intent_not_found": SetupIntentNotFound,
    "setup_refused": SetupRefused,
    "store_unavailable": StoreUnavailable,
    "tenant_deleted": TenantDeleted,
    "tenant_mismatch": TenantMismatch,
    "tenant_not_found": TenantNotFound,
    "tenant_suspended": TenantSuspended,
    "tenant_unknown": TenantUnknown,
    "token_expired": TokenExpired,
    "too_many_api_keys": TooManyApiKeys,
    "too_many_attempts": TooManyAttempts,
    "too_many_webhook_endpoints": TooManyWebhookEndpoints,
    "too_many_webhook_secrets": TooManyWebhookSecrets,
    "unavailable": Unavailable,
    "unit_conflict": UnitConflict,
    "unit_invalid": UnitInvalid,
    "unit_limit_reached": UnitLimitReached,
    "unknown_fields": UnknownFields,
    "unsupported_currency": UnsupportedCurrency,
    "url_too_long": UrlTooLong,
    "user_not_found": UserNotFound,
    "webhook_endpoint_conflict": WebhookEndpointConflict,
    "webhook_endpoint_inactive": WebhookEndpointInactive,
    "webhook_endpoint_not_found": WebhookEndpointNotFound,
    "webhook_replay_done": WebhookReplayDone,
    "webhook_replay_not_found": WebhookReplayNotFound,
    "wrong_password": WrongPassword,
}
