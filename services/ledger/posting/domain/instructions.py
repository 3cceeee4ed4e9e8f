"""What the engine can be instructed to do, and the outcomes."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from libs.common.errors import Rejected
from libs.common.observability.correlation import Correlation
from services.ledger.core import Entry, Hold, HoldState


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is to be posted, and the cause on whose behalf."""

    entry: Entry
    correlation: Correlation
    captures: Hold | None = None
    """The hold that the entry captures, all or a part of it; the rest is let go."""


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that is to be placed."""

    hold: Hold


class Releasing(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that is to be let go."""

    hold: Hold
    state: Literal[HoldState.VOIDED, HoldState.EXPIRED]


type Instruction = Booking | Placing | Releasing
"""One thing that a group does."""


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
