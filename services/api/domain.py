"""What is always true of a payment intent: its lifecycle, as a table.

    CREATED -> PROCESSING -> AUTHORIZED -> (captured) -> SETTLED
                    \\            \\
                     `-> FAILED    `-> FAILED

SETTLED means captured at the processor and posted in the ledger. Clients see AUTHORIZED until then; that the funds are
already captured is a stage of ours, between AUTHORIZED and SETTLED. Other services speak at least once, possibly late
and possibly out of order, so every pair of stage and happening has a row in the table: it moves the intent, changes
nothing (again, or too late), comes too early, or contradicts what we know.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never
from uuid import UUID

import msgspec

from services.api.errors import ContradictoryOutcome, NotYet


class Status(StrEnum):
    """What clients see."""

    CREATED = "CREATED"
    PROCESSING = "PROCESSING"
    AUTHORIZED = "AUTHORIZED"
    SETTLED = "SETTLED"
    FAILED = "FAILED"


class Stage(StrEnum):
    """Where an intent stands: its status, and within AUTHORIZED whether the funds are already captured."""

    CREATED = "created"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    SETTLED = "settled"
    FAILED = "failed"


class Happening(StrEnum):
    """What can happen to an intent."""

    CONFIRM = "confirm"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURED = "captured"
    CAPTURE_FAILED = "capture_failed"
    POSTED = "posted"


class Fact(StrEnum):
    """What others must be told, in this order; `outbox.py` knows the words."""

    CREATED = "created"
    AUTHORIZATION_WANTED = "authorization_wanted"
    AUTHORIZED = "authorized"
    CAPTURE_WANTED = "capture_wanted"
    CAPTURED = "captured"
    SETTLED = "settled"
    FAILED = "failed"


class Otherwise(StrEnum):
    """What a happening means where it moves nothing."""

    STAYS = "stays"
    """Heard again, or overtaken: nothing changes."""
    EARLY = "early"
    """What it builds on has not arrived; it is put off."""
    CONTRADICTS = "contradicts"
    """It cannot be true together with what we know; a person must look."""


class Move(msgspec.Struct, frozen=True):
    """A step to another stage, and what is said about it."""

    to: Stage
    says: tuple[Fact, ...]


STATUS_OF: Mapping[Stage, Status] = MappingProxyType(
    {
        Stage.CREATED: Status.CREATED,
        Stage.PROCESSING: Status.PROCESSING,
        Stage.AUTHORIZED: Status.AUTHORIZED,
        Stage.CAPTURED: Status.AUTHORIZED,
        Stage.SETTLED: Status.SETTLED,
        Stage.FAILED: Status.FAILED,
    }
)
"""The status that clients see in each stage."""

_STAYS, _EARLY, _CONTRADICTS = Otherwise.STAYS, Otherwise.EARLY, Otherwise.CONTRADICTS

LIFECYCLE: Mapping[tuple[Stage, Happening], Move | Otherwise] = MappingProxyType(
    {
        # Confirming is idempotent by state: people click twice, each time with a new key.
        (Stage.CREATED, Happening.CONFIRM): Move(Stage.PROCESSING, (Fact.AUTHORIZATION_WANTED,)),
        (Stage.PROCESSING, Happening.CONFIRM): _STAYS,
        (Stage.AUTHORIZED, Happening.CONFIRM): _STAYS,
        (Stage.CAPTURED, Happening.CONFIRM): _STAYS,
        (Stage.SETTLED, Happening.CONFIRM): _STAYS,
        (Stage.FAILED, Happening.CONFIRM): _STAYS,
        (Stage.CREATED, Happening.AUTHORIZED): _EARLY,
        (Stage.PROCESSING, Happening.AUTHORIZED): Move(Stage.AUTHORIZED, (Fact.AUTHORIZED, Fact.CAPTURE_WANTED)),
        (Stage.AUTHORIZED, Happening.AUTHORIZED): _STAYS,
        (Stage.CAPTURED, Happening.AUTHORIZED): _STAYS,
        (Stage.SETTLED, Happening.AUTHORIZED): _STAYS,
        # A capture that failed leaves FAILED behind, and its authorization may be heard again.
        (Stage.FAILED, Happening.AUTHORIZED): _STAYS,
        (Stage.CREATED, Happening.DECLINED): _EARLY,
        (Stage.PROCESSING, Happening.DECLINED): Move(Stage.FAILED, (Fact.FAILED,)),
        (Stage.AUTHORIZED, Happening.DECLINED): _CONTRADICTS,
        (Stage.CAPTURED, Happening.DECLINED): _CONTRADICTS,
        (Stage.SETTLED, Happening.DECLINED): _CONTRADICTS,
        (Stage.FAILED, Happening.DECLINED): _STAYS,
        (Stage.CREATED, Happening.CAPTURED): _EARLY,
        (Stage.PROCESSING, Happening.CAPTURED): _EARLY,
        (Stage.AUTHORIZED, Happening.CAPTURED): Move(Stage.CAPTURED, (Fact.CAPTURED,)),
        (Stage.CAPTURED, Happening.CAPTURED): _STAYS,
        (Stage.SETTLED, Happening.CAPTURED): _STAYS,
        (Stage.FAILED, Happening.CAPTURED): _CONTRADICTS,
        (Stage.CREATED, Happening.CAPTURE_FAILED): _EARLY,
        (Stage.PROCESSING, Happening.CAPTURE_FAILED): _EARLY,
        (Stage.AUTHORIZED, Happening.CAPTURE_FAILED): Move(Stage.FAILED, (Fact.FAILED,)),
        (Stage.CAPTURED, Happening.CAPTURE_FAILED): _CONTRADICTS,
        (Stage.SETTLED, Happening.CAPTURE_FAILED): _CONTRADICTS,
        (Stage.FAILED, Happening.CAPTURE_FAILED): _STAYS,
        (Stage.CREATED, Happening.POSTED): _EARLY,
        (Stage.PROCESSING, Happening.POSTED): _EARLY,
        # The ledger heard of the capture before we did: the books prove it, so both are said, in their order.
        (Stage.AUTHORIZED, Happening.POSTED): Move(Stage.SETTLED, (Fact.CAPTURED, Fact.SETTLED)),
        (Stage.CAPTURED, Happening.POSTED): Move(Stage.SETTLED, (Fact.SETTLED,)),
        (Stage.SETTLED, Happening.POSTED): _STAYS,
        (Stage.FAILED, Happening.POSTED): _CONTRADICTS,
    }
)
"""Every stage against every happening. A later stage (VOIDED, REFUNDED) is more rows, not more code."""


class PaymentIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's wish to be paid, and what became of it."""

    tenant_id: str
    """Whose it is."""
    id: UUID
    """UUIDv7, minted by us."""
    amount_minor: int
    """Above zero, in minor units of `currency`."""
    currency: str
    """ISO 4217 code, upper case."""
    status: Status
    """What clients see."""
    customer_ref: str
    """The merchant's own reference of the customer, 1 to 128 characters; never a link to an order."""
    description: str | None = None
    """The merchant's words, up to 500 characters."""
    metadata: dict[str, str] = {}
    """The merchant's own pairs: up to 50 keys of 40 characters, values of 500."""
    order_id: str | None = None
    """The order that a charge request named; unique per tenant."""
    gateway_ref: str | None = None
    """The processor's reference, once authorized."""
    captured_minor: int = 0
    """What the processor has taken, in minor units."""
    failure_code: str | None = None
    """Why it failed, as a stable snake_case word."""
    failure_message: str | None = None
    """Why it failed, as a sentence for people."""
    version: int = 1
    """Raised by every change; a change is saved only over the version it was decided on."""
    created_at: datetime
    """When the merchant asked."""
    updated_at: datetime
    """When it last changed."""
    authorized_at: datetime | None = None
    """When the issuer's promise reached us."""
    settled_at: datetime | None = None
    """When both the capture and its posting were known."""

    @property
    def stage(self) -> Stage:
        """Where it stands, captures included."""
        if self.status is Status.AUTHORIZED and self.captured_minor > 0:
            return Stage.CAPTURED
        return Stage(self.status.lower())


class Decision(msgspec.Struct, frozen=True):
    """What a happening makes of an intent; without facts nothing has changed."""

    intent: PaymentIntent
    facts: tuple[Fact, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is anything to save and to say."""
        return bool(self.facts)


def confirm(intent: PaymentIntent, *, at: datetime) -> Decision:
    """Begin to collect: the gateway is asked for an authorization, once."""
    return _decide(intent, Happening.CONFIRM, at=at)


def authorize(intent: PaymentIntent, *, gateway_ref: str, at: datetime) -> Decision:
    """The issuer promised the funds: they are captured next.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    return _decide(intent, Happening.AUTHORIZED, at=at, gateway_ref=gateway_ref, authorized_at=at)


def decline(intent: PaymentIntent, *, code: str, message: str, at: datetime) -> Decision:
    """The issuer said no, for good.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
        ContradictoryOutcome: when the issuer has already said yes.
    """
    return _decide(intent, Happening.DECLINED, at=at, failure_code=code, failure_message=message)


def capture(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The processor took the funds, all of them.

    Raises:
        NotYet: when the authorization has not been heard yet.
        ContradictoryOutcome: when the intent has failed.
    """
    return _decide(intent, Happening.CAPTURED, at=at, captured_minor=intent.amount_minor)


def fail_capture(intent: PaymentIntent, *, code: str, message: str, at: datetime) -> Decision:
    """The processor refused to take the held funds, for good.

    Raises:
        NotYet: when the authorization has not been heard yet.
        ContradictoryOutcome: when the funds were already taken.
    """
    return _decide(intent, Happening.CAPTURE_FAILED, at=at, failure_code=code, failure_message=message)


def settle(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The capture stands in the books.

    Raises:
        NotYet: when the authorization has not been heard yet.
        ContradictoryOutcome: when the intent has failed.
    """
    return _decide(intent, Happening.POSTED, at=at, captured_minor=intent.amount_minor, settled_at=at)


def require_same_money(intent: PaymentIntent, *, amount_minor: int, currency: str) -> None:
    """Hold another service to the amount that this intent is about.

    Raises:
        ContradictoryOutcome: when it speaks of other money.
    """
    if (amount_minor, currency) != (intent.amount_minor, intent.currency):
        raise ContradictoryOutcome(
            f"payment intent {intent.id} is about {intent.amount_minor} {intent.currency} in minor units, "
            f"not {amount_minor} {currency}"
        )


def _decide(intent: PaymentIntent, happening: Happening, *, at: datetime, **changes: object) -> Decision:
    row = LIFECYCLE[intent.stage, happening]
    if isinstance(row, Move):
        moved = msgspec.structs.replace(
            intent, status=STATUS_OF[row.to], version=intent.version + 1, updated_at=at, **changes
        )
        return Decision(moved, row.says)
    match row:
        case Otherwise.STAYS:
            return Decision(intent)
        case Otherwise.EARLY:
            raise NotYet(f"payment intent {intent.id} is {intent.stage}: {happening} comes too early")
        case Otherwise.CONTRADICTS:
            raise ContradictoryOutcome(f"payment intent {intent.id} is {intent.stage}: {happening} cannot be true")
        case _:
            assert_never(row)
