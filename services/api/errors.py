"""How the api fails, by name. `http/problems.py` is the registry of what a client may receive."""

from libs.common.errors import BrokenInvariant, Conflict, Forbidden, Invalid, NotFound, TooEarly


class PaymentIntentNotFound(NotFound):
    """This tenant has no such payment intent."""

    code = "payment_intent_not_found"

    def __init__(self) -> None:
        super().__init__("payment intent not found")


class ConfirmContended(Conflict):
    """Other requests changed the intent each time we tried; the caller may simply retry."""

    code = "confirm_contended"

    def __init__(self) -> None:
        super().__init__("the payment intent is being changed by other requests; try again")


class CannotConfirm(Conflict):
    """The intent has ended, or was given back: there is nothing to collect."""

    code = "cannot_confirm"

    def __init__(self, status: str) -> None:
        super().__init__(f"cannot confirm status {status}")


class CannotCapture(Conflict):
    """No funds are held that could be taken."""

    code = "cannot_capture"

    def __init__(self, status: str) -> None:
        super().__init__(f"cannot capture status {status}")


class CannotVoid(Conflict):
    """There is nothing to let go of, or it is being taken."""

    code = "cannot_void"

    def __init__(self, status: str, *, because: str = "") -> None:
        super().__init__(f"cannot void status {status}" + (f": {because}" if because else ""))


class CannotRefund(Conflict):
    """Nothing of it stands in the books, or nothing is left."""

    code = "cannot_refund"

    def __init__(self, status: str) -> None:
        super().__init__(f"cannot refund payment with status {status}")


class CaptureExceedsAuthorization(Invalid):
    """The capture is larger than what is held."""

    code = "capture_exceeds_authorization"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=(("/amount", "is more than is authorized"),))


class RefundExceedsPayment(Invalid):
    """The refund is larger than what was captured and is neither given nor taken back."""

    code = "refund_exceeds_payment"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=(("/amount", "is more than is left to refund"),))


class IdempotencyKeyReused(Invalid):
    """The key was already used with another body."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was already used with a different request")


class InvalidCursor(Invalid):
    """The cursor was not made by us for this tenant and these filters."""

    code = "invalid_cursor"

    def __init__(self) -> None:
        sentence = "cursor does not belong to this list and its filters"
        super().__init__(sentence, errors=(("cursor", sentence),))


class NotYet(TooEarly):
    """A message about a payment intent came before the message that it builds on."""

    code = "payment_intent_too_early"


class ContradictoryOutcome(BrokenInvariant):
    """Another service reports something about a payment intent that cannot be true."""

    code = "contradictory_outcome"


class AccessDenied(Forbidden):
    """The caller is known and may not do this; `reason` is the audit log's word for why."""

    code = "access_denied"

    def __init__(self, detail: str, *, reason: str, permission: str) -> None:
        super().__init__(detail, code=reason)
        self.permission = permission


class TenantRefused(Forbidden):
    """The tenant is unknown, suspended or deleted."""

    code = "tenant_refused"
