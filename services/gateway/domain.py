"""What is always true of an attempt: one per operation, one idempotency key for ever, and no outcome by guess.

    PENDING --> APPROVED | DECLINED            the processor told us
       |            ^
       v            |
    UNKNOWN --------+                          it may have happened; only the same key may be used to find out

APPROVED and DECLINED are final. An attempt that has no answer is asked about again, at the ages of a schedule, until the
processor may have forgotten the key; from then on asking again could charge twice, so a person decides.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.errors import Invalid
from libs.common.ids import derived_id
from libs.common.money import AMOUNT_MINOR_MAX, is_currency


class Operation(StrEnum):
    """What the processor is asked to do."""

    AUTHORIZE = "authorize"
    """Hold the funds."""
    CAPTURE = "capture"
    """Take held funds."""


class AttemptStatus(StrEnum):
    """What we know of an attempt."""

    PENDING = "PENDING"
    """Written down; asked, or about to be asked."""
    UNKNOWN = "UNKNOWN"
    """Asked, and no answer came: it may or may not have happened."""
    APPROVED = "APPROVED"
    """The processor did it."""
    DECLINED = "DECLINED"
    """The processor or the issuer said no, for good."""


DECIDED = frozenset({AttemptStatus.APPROVED, AttemptStatus.DECLINED})
"""The statuses that never change again."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One operation on one payment intent, as we remember it."""

    tenant_id: str
    """Whose payment it is."""
    id: UUID
    """From `attempt_id`: the same command, heard again, is the same attempt."""
    payment_intent_id: UUID
    """The intent that the operation serves."""
    operation: Operation
    """What the processor is asked."""
    processor: str
    """Which processor is asked: only that one knows the key."""
    status: AttemptStatus
    """What we know."""
    amount_minor: int
    """Amount in minor units of `currency`, above zero."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str
    """The merchant's reference of the customer; empty where there is none."""
    gateway_ref: str
    """The processor's reference: of the authorization that a capture builds on; of an authorization once approved."""
    reason: str = ""
    """A stable snake_case word: why it was declined, or why there is no answer."""
    detail: str = ""
    """A sentence that goes with `reason`."""
    asks: int = 0
    """How often the processor has been asked, as far as it was written down."""
    asked_at: datetime | None
    """When the processor may first have heard the key; None when it certainly has not."""
    next_ask_at: datetime | None
    """From when on anybody may ask again; None once it is decided, or left to a person."""
    decided_at: datetime | None = None
    """When the processor did it or refused it, in its own words."""
    created_at: datetime
    """When it was written down."""
    correlation_id: str
    """The cause it belongs to."""
    traceparent: str
    """W3C trace context of whoever asked for it."""

    @property
    def idempotency_key(self) -> str:
        """The key under which the processor does this once, however often it is asked."""
        return str(self.id)

    @property
    def is_decided(self) -> bool:
        """Whether the processor has told us the outcome."""
        return self.status in DECIDED

    def asks_for_the_same(self, other: "Attempt") -> bool:
        """Tell whether two commands with the same id also ask for the same money."""
        return (self.amount_minor, self.currency) == (other.amount_minor, other.currency)


def check_amount(amount_minor: int, currency: str) -> None:
    """Refuse an amount that nobody can charge, before anything is written down.

    Raises:
        Invalid: when it is not above zero, above `AMOUNT_MINOR_MAX`, or of no active currency.
    """
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise Invalid(f"an amount of {amount_minor} minor units cannot be charged", code="invalid_amount")
    if not is_currency(currency):
        raise Invalid(f"{currency!r} is not an active currency", code="unsupported_currency")


def attempt_id(*, tenant_id: str, subject_id: UUID, operation: Operation) -> UUID:
    """Name the one attempt of `operation` on a subject: the intent, or whatever an intent can have several of.

    Derived, not minted: even if our table were lost and restored from yesterday, the processor would hear the same key.
    """
    return derived_id(subject_id, f"{operation}:{tenant_id}")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """When to ask again about an attempt without an answer, and when to stop."""

    ages: tuple[timedelta, ...]
    """At which ages, counted from the first ask, an unknown outcome is asked about again; rising."""
    key_lifetime: timedelta
    """How long the processor surely remembers a key: after that the same key could charge again."""
    lease: timedelta
    """How long whoever asks now has before somebody else may: longer than the deadline of an ask."""
    pause: timedelta
    """How soon to ask again when the processor did not even take the request."""

    def may_ask(self, attempt: Attempt, *, now: datetime) -> bool:
        """Tell whether the processor still surely knows the key, or has certainly never heard it."""
        return attempt.asked_at is None or now < attempt.asked_at + self.key_lifetime

    def after_silence(self, *, asked_at: datetime, now: datetime) -> datetime | None:
        """The next age of the schedule that lies in the future; None when it has ended: a person must decide."""
        return next((asked_at + age for age in self.ages if asked_at + age > now), None)

    def after_refusal_to_listen(self, *, asked_at: datetime, now: datetime) -> datetime | None:
        """Shortly afterwards, since nothing happened; None when the key could be forgotten by then."""
        soon = now + self.pause
        return soon if soon < asked_at + self.key_lifetime else None
