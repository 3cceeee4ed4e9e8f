"""What the sides have of money that went from a processor to a bank: lines of statements, payouts and movements. Pure."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.ids import derived_id, first_id

_WORD = re.compile(r"[a-z0-9]{4,}")
_JOINTS, _UNDERSCORE = str.maketrans("", "", "_-"), str.maketrans("", "", "_")
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_TRACE_MIN = 6
"""Characters of what a bank shows that may be a reference: shorter ones stand in any text, and words of three in all of them."""
_OVER = ("failed", "canceled")
"""Payouts that left nothing at the bank."""


def plain(reference: str) -> str:
    """Write a reference as banks may have rewritten it: without case, and without punctuation."""
    return _PUNCTUATION.sub("", reference.lower())


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a statement; amounts below zero left the account."""

    id: UUID
    source_id: UUID
    booked_on: date
    currency: str
    amount_minor: int
    """Before the fee."""
    fee_minor: int
    bank_id: str
    refs: str
    """What it refers to, as JSON."""
    counterparty: str
    description: str
    created_at: datetime
    """When it was imported."""

    @property
    def order(self) -> tuple[date, UUID]:
        """Where it stands among others."""
        return self.booked_on, self.id

    @property
    def text(self) -> str:
        """All that it says."""
        return " ".join((self.bank_id, self.refs, self.counterparty, self.description)).lower()

    @property
    def words(self) -> frozenset[str]:
        """What may be a reference in it: words with and without the parts that a hyphen joins, as the index has them."""
        text = self.text
        return frozenset(_WORD.findall(f"{text.translate(_JOINTS)} {text.translate(_UNDERSCORE)}"))


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """A payout, as the processor has it."""

    id: str
    """The processor's reference."""
    payout_id: UUID
    """Our id of it."""
    amount_minor: int
    """Below zero the bank was debited."""
    currency: str
    status: str
    arrives_at: datetime
    trace_id: str
    """What the bank shows of it, or empty."""
    matched_minor: int | None
    """What the lines of its match come to; None: it is in no match."""

    @property
    def comes_to(self) -> int:
        """What the bank must have of it in the end."""
        return 0 if self.is_over else self.amount_minor

    @property
    def is_over(self) -> bool:
        """Whether it came back, or never left."""
        return self.status in _OVER

    @property
    def is_matched(self) -> bool:
        """Whether it is in a match."""
        return self.matched_minor is not None

    @property
    def references(self) -> frozenset[str]:
        """The words by which lines name it."""
        trace = plain(self.trace_id)
        return frozenset((plain(self.id), trace) if len(trace) >= _TRACE_MIN else (plain(self.id),))


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A movement on an account at the processor."""

    id: str
    """The processor's reference."""
    movement_id: UUID
    """Our id of it."""
    amount_minor: int
    """Before fees."""
    net_minor: int
    """After fees."""
    currency: str
    is_matched: bool
    """Whether a line of the same source is matched with it."""


NOWHERE = UUID(int=0)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A line, payout or movement of a match."""

    side: str
    id: UUID
    ref: str = ""
    """The processor's reference; empty for lines."""
    scope: UUID = NOWHERE
    """The source, of a movement: each processor's report may have it once."""
    amount_minor: int


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together."""

    id: UUID
    """Minted when it was found."""
    rule: str
    rule_version: int
    confidence: int
    currency: str
    amount_minor: int
    """What the lines come to."""
    difference_minor: int
    """That, less what the other side has; 0 where that is in another currency."""
    other_currency: str = ""
    """That of the other side, where it is another one."""
    other_minor: int | None = None
    """What the other side has in it."""
    parts: tuple[Part, ...]

    def of(self, side: str) -> list[UUID]:
        """Return the ids of one side."""
        return [part.id for part in self.parts if part.side == side]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Lines and payouts, or movements, that a rule has put together."""

    lines: tuple[Line, ...]
    payouts: tuple[Payout, ...] = ()
    moved: tuple[Moved, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something on which statement and processor do not agree."""

    type: DiscrepancyType | None
    """None: it is too early to say."""
    subject_kind: SubjectKind
    subject: str
    aspect: str
    since: datetime
    """A time that does not change: ids of discrepancies are in this order."""
    booked_on: date | None = None
    """The day of the line; None: it is about a payout."""
    gateway_ref: str = ""
    currency: str
    expected_minor: int | None = None
    """What the processor has."""
    actual_minor: int | None = None
    """What the statement has."""
    expected_status: str = ""
    actual_status: str = ""
    detail: str

    @property
    def happened_at(self) -> datetime:
        """When what it is about happened: of a line the beginning of its day, whenever it was imported."""
        return self.since if self.booked_on is None else datetime.combine(self.booked_on, time(), UTC)

    def id_of(self, tenant_id: str) -> UUID:
        """Derive the id of the discrepancy: the same in every run."""
        about = f"discrepancy:{tenant_id}:{self.subject_kind}:{self.subject}:{self.aspect}"
        return derived_id(first_id(self.since), about)


class Names:
    """Which payouts some lines name: each text is taken apart once, and found by its words."""

    def __init__(self, lines: Iterable[Line], payouts: Iterable[Payout]) -> None:
        self._payouts: dict[str, list[Payout]] = {}
        for payout in payouts:
            for word in payout.references:
                self._payouts.setdefault(word, []).append(payout)
        self._by_line: dict[UUID, list[Payout]] = {}
        self._by_payout: dict[UUID, list[Line]] = {}
        for line in lines:
            words = line.words & self._payouts.keys()
            found = {payout.payout_id: payout for word in words for payout in self._payouts[word]}
            self._by_line[line.id] = sorted(found.values(), key=lambda payout: payout.payout_id)
            for payout_id in found:
                self._by_payout.setdefault(payout_id, []).append(line)

    def of_line(self, line: Line) -> Sequence[Payout]:
        """Return the payouts that a line names, in the order of their ids."""
        return self._by_line.get(line.id, ())

    def of_payout(self, payout: Payout) -> Sequence[Line]:
        """Return the lines that name a payout, in the order in which they were given."""
        return self._by_payout.get(payout.payout_id, ())


def total(parts: Iterable[Line]) -> int:
    """Add up lines."""
    return sum(line.amount_minor for line in parts)
