"""What the subjects of the api refuse, by name: one class for each code. The tree is drawn in `libs/common/errors.py`."""

from libs.common.errors import (
    CHECK_ID,
    RETRY,
    BrokenInvariant,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooEarly,
    Unavailable,
)

ASK_ADMINISTRATOR = "Ask an administrator of the tenant."


class TenantRefused(Forbidden):
    """The tenant does not exist, is suspended or deleted, or the user has none."""


class TenantUnknown(TenantRefused):
    """There is no such tenant."""

    code = "tenant_unknown"
    remedy = ASK_ADMINISTRATOR


class TenantSuspended(TenantRefused):
    """The tenant is suspended."""

    code = "tenant_suspended"
    remedy = ASK_ADMINISTRATOR


class TenantDeleted(TenantRefused):
    """The tenant is deleted."""

    code = "tenant_deleted"
    remedy = ASK_ADMINISTRATOR


class NoTenant(TenantRefused):
    """The user belongs to no tenant."""

    code = "no_tenant"
    remedy = ASK_ADMINISTRATOR


class TenantNotYet(TooEarly):
    """The tenant is not known yet."""

    code = "tenant_not_yet_known"


class AccessDenied(Forbidden):
    """The caller is known and may not do this; the code is the audit log's word for why."""


class TenantMismatch(AccessDenied):
    """The token is not of the tenant in X-Tenant-Id."""

    code = "tenant_mismatch"
    remedy = "Send the token's own tenant."


class MissingPermission(AccessDenied):
    """The token lacks the permission named in permissionCode."""

    code = "missing_permission"
    remedy = ASK_ADMINISTRATOR


class NoPolicy(AccessDenied):
    """No policy admits the permission."""

    code = "no_policy"
    remedy = ASK_ADMINISTRATOR


class PolicyDenies(AccessDenied):
    """A policy denies the permission."""

    code = "policy_deny"
    remedy = ASK_ADMINISTRATOR


class PlanNotAllowed(AccessDenied):
    """The tenant's plan does not include this."""

    code = "plan_not_allowed"
    remedy = "Choose a higher plan."


class RegionNotAllowed(AccessDenied):
    """This is not offered in the tenant's region."""

    code = "region_not_allowed"
    remedy = ASK_ADMINISTRATOR


class FeatureDisabled(Forbidden):
    """The feature is switched off for the tenant."""

    code = "feature_disabled"
    remedy = ASK_ADMINISTRATOR


class OperatorRequired(Forbidden):
    """Only an operator of the platform may do this."""

    code = "operator_required"
    remedy = ASK_ADMINISTRATOR


class NoActionRequired(Conflict):
    """The payment waits for nothing that its customer could do."""

    code = "no_action_required"
    remedy = "Get the payment intent: its status tells how it went on."


class ReconciliationReportMissing(Conflict):
    """The reconciliation run has no report: it is not over, was abandoned, or is of an earlier version."""

    code = "reconciliation_report_missing"
    remedy = "Wait until its `state` is `complete`, or request another run of the same window."


class FeatureUnknown(NotFound):
    """There is no such feature."""

    code = "feature_unknown"
    remedy = "See the list of features."


class AccountTypeInvalid(Invalid):
    """There is no such type of account."""

    code = "invalid_account_type"
    status = 400
    remedy = "Send one of the documented types."


class AccountRoleNotFound(NotFound):
    """There is no such role."""

    code = "account_role_not_found"
    remedy = "Use one of those listed."


class PaymentIntentNotFound(NotFound):
    """The tenant has no such payment intent."""

    code = "payment_intent_not_found"
    remedy = CHECK_ID

    def __init__(self) -> None:
        super().__init__("payment intent not found")


class CustomerNotFound(NotFound):
    """The tenant has no such customer, or has deleted it."""

    code = "customer_not_found"
    remedy = CHECK_ID

    def __init__(self) -> None:
        super().__init__("customer not found")


class CustomerReferenceTaken(Conflict):
    """Another customer of the tenant has this reference."""

    code = "customer_reference_taken"
    remedy = "Find that customer by `?reference=`, or send another reference."

    def __init__(self, reference: str) -> None:
        super().__init__(f"another customer has the reference {reference}")


class ConfirmContended(Conflict):
    """Other requests are changing the payment intent."""

    code = "confirm_contended"
    remedy = "Retry."

    def __init__(self) -> None:
        super().__init__("the payment intent is being changed by other requests; try again")


class CannotConfirm(Conflict):
    """The payment intent has ended or was given back, so there is nothing to collect."""

    code = "cannot_confirm"
    remedy = "Create another payment intent."

    def __init__(self, status: str) -> None:
        super().__init__(f"cannot confirm status {status}")


class TooManyAttempts(Conflict):
    """Another payment method was tried as often as one payment may be: each was declined, or its customer has left."""

    code = "too_many_attempts"
    remedy = "Create another payment intent."


class CannotCapture(Conflict):
    """No funds are held that could be captured, or another amount is captured already."""

    code = "cannot_capture"
    remedy = "Read the payment intent; only AUTHORIZED ones with `capture_method: manual` can be captured."

    def __init__(self, status: str) -> None:
        super().__init__(f"cannot capture status {status}")


class CannotVoid(Conflict):
    """There is nothing to let go of, or the funds are being captured."""

    code = "cannot_void"
    remedy = "Read the payment intent; refund it once it is SETTLED."

    def __init__(self, status: str, *, because: str = "") -> None:
        super().__init__(f"cannot void status {status}" + (f": {because}" if because else ""))


class CannotRefund(Conflict):
    """The payment is not in the books yet, or nothing of it is left."""

    code = "cannot_refund"
    remedy = "Read the payment intent; only SETTLED and PARTIALLY_REFUNDED ones can be refunded."

    def __init__(self, status: str) -> None:
        super().__init__(f"cannot refund payment with status {status}")


class PaymentMethodTypeNotAllowed(Invalid):
    """Pix and boleto are for BRL, captured at once, and name no token of a payment method."""

    code = "payment_method_type_not_allowed"
    remedy = "Use BRL, `capture_method: automatic` and no `payment_method`, or pay by card."

    def __init__(self, detail: str, member: str) -> None:
        super().__init__(detail, errors=((f"/{member}", detail),))


class CustomerRequired(Invalid):
    """A saved payment method is charged for its customer, who is named with it."""

    code = "customer_required"
    remedy = "Send `customer` with the id of a saved `payment_method`."

    def __init__(self, detail: str, member: str) -> None:
        super().__init__(detail, errors=((f"/{member}", detail),))


class CustomerUnknown(Invalid):
    """The tenant has no such customer, or has deleted it."""

    code = "customer_unknown"
    remedy = "Use one of `GET /v1/customers`."

    def __init__(self) -> None:
        super().__init__(errors=(("/customer", "is no customer of the tenant"),))


class PaymentMethodNotOfCustomer(Invalid):
    """The payment method is not saved of this customer, or it is detached."""

    code = "payment_method_not_of_customer"
    remedy = "Use one of `GET /v1/customers/{id}/payment-methods`."

    def __init__(self) -> None:
        super().__init__(errors=(("/payment_method", "is no saved payment method of this customer"),))


class BillingDetailsRequired(Invalid):
    """A boleto names who pays: name, e-mail, tax id and address."""

    code = "billing_details_required"
    remedy = "Send `billing_details` with a CPF or CNPJ."

    def __init__(self, detail: str, member: str) -> None:
        super().__init__(detail, errors=((f"/{member}", detail),))


class CaptureExceedsAuthorization(Invalid):
    """The capture is more than is authorized."""

    code = "capture_exceeds_authorization"
    remedy = "Send at most `authorized_amount`."

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=(("/amount", "is more than is authorized"),))


class RefundExceedsPayment(Invalid):
    """The refunds would exceed what was captured and is not disputed."""

    code = "refund_exceeds_payment"
    remedy = "Send at most what is left, or no amount."

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=(("/amount", "is more than is left to refund"),))


class NotYet(TooEarly):
    """A message about a payment intent came before the message that it builds on."""

    code = "payment_intent_too_early"


class ContradictoryOutcome(BrokenInvariant):
    """Another service reports something about a payment intent that cannot be true."""

    code = "contradictory_outcome"


class KeySetUnavailable(Unavailable):
    """The identity provider's keys cannot be read."""

    code = "key_set_unavailable"
    remedy = RETRY

    def __init__(self) -> None:
        super().__init__("the keys that this token is signed with cannot be read now; try again")


class StoreUnavailable(Unavailable):
    """The memory of counts and chaos does not answer."""

    code = "store_unavailable"
    remedy = RETRY
