"""What the engine can be instructed to do, and the outcomes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_policy import RuleKind
from libs.common.errors import Rejected
from libs.common.observability.correlation import Correlation
from services.ledger.core import Entry, Hold, HoldState

_OF_PEOPLE = {
    EntryKind.MANUAL: RuleKind.MANUAL,
    EntryKind.REVERSAL: RuleKind.REVERSAL,
    EntryKind.HOLD_CAPTURE: RuleKind.HOLD,
    EntryKind.CONVERSION_SOLD: RuleKind.CONVERSION,
    EntryKind.CONVERSION_BOUGHT: RuleKind.CONVERSION,
    # A person requests them, and could make them by hand.
    EntryKind.YEAR_END: RuleKind.MANUAL,
    EntryKind.REVALUATION: RuleKind.MANUAL,
}
"""Kinds of entries that a person causes, and no event, each as a rule of approval names it."""


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is to be posted, and the cause on whose behalf."""

    entry: Entry
    correlation: Correlation
    captures: Hold | None = None
    """The hold that the entry captures, all or a part of it; the rest is let go."""
    is_approved: bool = False
    """Whether somebody else approved it, or it is only tried out: what a person causes alone is refused where a rule of the
    tenant demands two people."""


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that is to be placed."""

    hold: Hold


class Releasing(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that is to be let go."""

    hold: Hold
    state: Literal[HoldState.VOIDED, HoldState.EXPIRED]


type Instruction = Booking | Placing | Releasing
"""One thing that a group does."""


def is_of_one_person(instruction: Instruction) -> bool:
    """Whether a person causes it, and nobody else has approved it. Letting a hold go moves nothing."""
    if isinstance(instruction, Booking):
        return instruction.entry.kind in _OF_PEOPLE and not instruction.is_approved
    return isinstance(instruction, Placing)


def kind_of(instruction: Instruction) -> RuleKind | None:
    """Return what a person does by it, as a rule of approval names it; None where no person does it."""
    if isinstance(instruction, Booking):
        return _OF_PEOPLE.get(instruction.entry.kind)
    return RuleKind.HOLD


def tenants_of_one_person(instructions: Sequence[Instruction]) -> list[str]:
    """List for which tenants a group does what a person causes alone: each once."""
    return list({tenant_of(one): None for one in instructions if is_of_one_person(one)})


def tenant_of(instruction: Instruction) -> str:
    """Return in whose books it is done."""
    return instruction.entry.tenant_id if isinstance(instruction, Booking) else instruction.hold.tenant_id


class Posted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The entry is in the books now."""

    entry_id: UUID
    posted_at: datetime


class Replayed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The entry was in the books before, with the same content; nothing changed."""

    entry_id: UUID
    posted_at: datetime


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """It cannot be done; nothing changed."""

    entry_id: UUID
    """The entry, or the hold."""
    reason: Rejected


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The hold as it is now, whether this instruction or an earlier one of the same content made it so."""

    hold: Hold


type Outcome = Posted | Replayed | Refused
"""What became of one entry of a group."""
