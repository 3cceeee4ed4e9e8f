"""Where a run is in the lines: a cursor that knows what is left to the last turn."""

from collections.abc import Collection
from datetime import date
from typing import Self
from uuid import UUID

import msgspec

_AMBIGUOUS_MAX = 1_000
"""Lines that a run remembers as ambiguous: some 20 kB."""
_FIRST = UUID(int=0)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next step goes on."""

    turn: int | None
    """Which rule is tried, from 0; None: all of them on what is left, which is named."""
    source: UUID | None
    """Of which source lines of the window are read; None: lines that are looked at for another reason."""
    day: date = date.min
    line: UUID = _FIRST
    ambiguous: bytes | None = None
    """The ids of lines that rules before this one have found ambiguous, which are not tried until the last turn; None: there are
    too many to remember, so that these rules are tried again to know them."""

    def remembered(self) -> frozenset[UUID] | None:
        """Return the lines that are remembered as ambiguous."""
        if self.ambiguous is None:
            return None
        return frozenset(UUID(bytes=self.ambiguous[at : at + 16]) for at in range(0, len(self.ambiguous), 16))

    def remembering(self, ids: Collection[UUID] | None) -> Self:
        """Return it with the lines that are to be remembered."""
        is_known = ids is not None and len(ids) <= _AMBIGUOUS_MAX
        found = b"".join(each.bytes for each in sorted(ids)) if is_known and ids is not None else None
        return msgspec.structs.replace(self, ambiguous=found)
