"""What an order requests, and what its cancellation means in each stage of its payment."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from services.api.payments.domain import PaymentIntent, Stage
from services.api.settings import CancelPolicy


class OrderEventKind(StrEnum):
    """What happened to an order."""

    CHARGE = "charge"
    """It is to be charged: it was confirmed, or the charge itself was requested; both are published of each order."""
    CANCEL = "cancel"
    """It is not to be charged, or what was taken is to be given back."""
    OTHER = "other"
    """Something that concerns no payment."""


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an order, as it was read."""

    kind: OrderEventKind
    """What happened."""
    tenant_id: str = ""
    """Whose it is, 1 to 64 visible characters."""
    order_id: str = ""
    """The order, 1 to 128 characters."""
    amount_minor: int = 0
    """What is to be charged, in minor units."""
    currency: str = ""
    """ISO 4217 code, upper case."""
    customer_ref: str = ""
    """Who pays, as the orders service names them, 1 to 128 characters."""
    occurred_at: datetime | None = None
    """When it happened, if the event says so."""
    message_id: str = ""
    """The event's id, if it has one."""
    correlation_id: str = ""
    """The cause it belongs to, if it names one."""

    @property
    def key(self) -> tuple[str, str]:
        """The order it is about, within its tenant."""
        return self.tenant_id, self.order_id


class Step(StrEnum):
    """What is done next for the payment of an order that was cancelled."""

    VOID = "void"
    """It is let go, and looked at again: the processor may have taken the funds all the same."""
    REFUND = "refund"
    """All that is left of it is given back."""
    WAIT = "wait"
    """The processor or the books have to answer first, or it may be collected after all."""
    WATCH = "watch"
    """It has ended, and is looked at for `WATCHED_FOR`: what was taken in the last moment is reported within days."""
    DONE = "done"
    """Nothing is left to do."""


_BY_STAGE = {
    Stage.CREATED: Step.VOID,
    Stage.PROCESSING: Step.VOID,
    Stage.REQUIRES_ACTION: Step.VOID,
    Stage.AUTHORIZED: Step.VOID,
    Stage.CANCELLING: Step.WAIT,
    Stage.ABANDONING: Step.WAIT,
    Stage.VOIDING: Step.WAIT,
    # Taken, or about to be: once it is in the books it can be given back.
    Stage.CAPTURING: Step.WAIT,
    Stage.CAPTURED: Step.WAIT,
    # It may be confirmed again with another payment method, and what lapsed may have been paid in the last moment.
    Stage.DECLINED: Step.WAIT,
    Stage.LAPSED: Step.WAIT,
    Stage.VOIDED: Step.WATCH,
    Stage.FAILED: Step.WATCH,
    Stage.EXPIRED: Step.WATCH,
}
WATCHED_FOR = timedelta(days=35)
"""Since the cancellation: longer than any processor holds funds."""
_SOONEST = timedelta(seconds=2)
_SHARE = 10


def next_step(intent: PaymentIntent, policy: CancelPolicy) -> Step:
    """Say what the cancellation of its order means for a payment as it is now."""
    if policy is CancelPolicy.IGNORE:
        return Step.DONE
    if intent.stage in (Stage.SETTLED, Stage.PARTIALLY_REFUNDED):
        return Step.REFUND if policy is CancelPolicy.REFUND and intent.refundable_minor else Step.DONE
    return _BY_STAGE.get(intent.stage, Step.DONE)


def next_look(cancelled_at: datetime, *, at: datetime, step: Step = Step.WAIT) -> datetime | None:
    """Say when a payment is looked at again after a step at `at`; None: never.

    After a tenth of the time since the cancellation: many that wait long, as in an outage, are not all looked at every two
    seconds, and one that may be collected in a month costs nothing until then. One that has ended is looked at some twenty times.
    """
    since = at - cancelled_at
    if step in (Step.REFUND, Step.DONE) or (step is Step.WATCH and since > WATCHED_FOR):
        return None
    return at + max(_SOONEST, since if step is Step.WATCH else since / _SHARE)
