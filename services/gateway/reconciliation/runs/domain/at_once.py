"""Payments on which all agree, as the database finds them: a page of them at once, none of them by itself. Pure."""

from collections.abc import Mapping
from uuid import UUID

import msgspec


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What agrees of one currency, added up."""

    number: int
    """How many movements agree."""
    amount_minor: int
    """What they come to before fees, in minor units."""
    in_window: int
    """How many of them moved in the window of the run."""
    in_window_minor: int
    """What these come to before fees."""
    in_window_net_minor: int
    """What these come to after fees."""


class AtOnce(msgspec.Struct, frozen=True, kw_only=True):
    """A range of payments, most of which agree: these are added up, and written down by the database itself."""

    until: UUID
    """The last payment of the range."""
    payments: int = 0
    """How many payments agree: each captured, charged once and booked, or never captured, charged or booked at all."""
    totals: Mapping[str, Agreed] = {}
    """Their movements, by currency."""
    left: tuple[UUID, ...] = ()
    """Payments of the range that are to be compared one by one, in their order."""
    movements: str = ""
    """Movements that agree, and of which that is to be written down: ids that are separated by commas."""
    subjects: str = ""
    """The payment of each of them, in the same order."""
    entries: str = ""
    """The entry of each of them in the books, in the same order."""
