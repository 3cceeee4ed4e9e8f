"""The posting engine: the one door by which anything gets into the books.

A group of entries is posted in one transaction: every balance row that it touches is locked once, in the order of its
key; the entries are decided one after the other in memory, exactly as if each had come alone; then everything is written
by one statement, each balance row once. A hot account costs what a cold one does, and two processes that post to the
same accounts wait for each other and never in a circle.

Measured on two cores (`python -m tests.bench.ledger`): the group is what makes a hot account fast, because a row can
change hands only once per commit.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.db import Connection, Database, GroupCommit
from libs.common.db.database import CONTENTION
from libs.common.errors import Rejected, Transient
from libs.common.messaging import Saying
from libs.common.observability.correlation import Correlation
from services.ledger import metrics, outbox, store
from services.ledger.domain import Balance, Entry
from services.ledger.errors import AccountUnknown, EntryConflict

GROUP_MAX = 500
"""Entries that one group takes at most: beyond it the latency of a group grows and its speed does not."""

WAITING_MAX = 5000
"""Entries that may wait for the next groups before a caller hears 503."""

CONTENTION_RETRIES_MAX = 5
"""How often a group that lost against another transaction is run again."""

_TICK = timedelta(microseconds=1)
"""The distance between two entries of a group; the resolution of PostgreSQL's clock."""

type BalanceKey = tuple[str, UUID, str]
"""Tenant, account, currency."""

type EntryKey = tuple[str, UUID]
"""Tenant, entry."""


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is to be posted, and the cause on whose behalf."""

    entry: Entry
    correlation: Correlation


class Posted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The entry stands in the books now."""

    entry_id: UUID
    posted_at: datetime


class Replayed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The entry stood in the books before, with the same content; nothing changed."""

    entry_id: UUID
    posted_at: datetime


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The entry cannot be posted; nothing changed."""

    entry_id: UUID
    reason: Rejected


type Outcome = Posted | Replayed | Refused
"""What became of one entry of a group."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry that stands in the books, as far as a replay needs to know it."""

    digest: bytes
    posted_at: datetime


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a group changes, and what each of its entries hears."""

    outcomes: list[Outcome]
    """One per booking, in their order."""
    posted: list[store.NewEntry]
    """The entries to write, with the balance after each of their lines."""
    balances: dict[BalanceKey, Balance]
    """The balances that changed, as they stand after the group."""


async def post(tx: Connection, bookings: Sequence[Booking], *, clock: Clock) -> list[Outcome]:
    """Post a group of entries inside the caller's transaction; returns one outcome per booking, in their order.

    The outbox rows are written with them. Nothing is final before the caller's commit.

    Raises:
        asyncpg.SerializationError: another transaction posted an entry of the same id on other accounts at this very
            moment; the caller's transaction is lost and may be run again, and then hears a replay or a conflict.
    """
    if not bookings:
        return []
    begun = time.perf_counter()
    keys = {
        (booking.entry.tenant_id, line.account_id, line.currency)
        for booking in bookings
        for line in booking.entry.lines
    }
    await store.plan_by_index(tx)
    await store.create_balances(tx, keys)
    # The locks come first: an entry that another transaction posts to these accounts is then either seen or excluded.
    balances = await store.lock_balances(tx, keys)
    standing = await store.standing_entries(tx, {(b.entry.tenant_id, b.entry.id) for b in bookings})
    decision = decide(
        bookings,
        balances=balances,
        standing={key: Standing(digest=digest, posted_at=at) for key, (digest, at) in standing.items()},
        now=clock.now(),
    )
    if decision.posted:
        await store.write_group(tx, decision.posted, decision.balances, _sayings(bookings, decision.outcomes))
    metrics.GROUP_SIZE.observe(len(bookings))
    metrics.GROUP_DURATION.observe(time.perf_counter() - begun)
    return decision.outcomes


def decide(
    bookings: Sequence[Booking],
    *,
    balances: Mapping[BalanceKey, Balance],
    standing: Mapping[EntryKey, Standing],
    now: datetime,
) -> Decision:
    """Decide a group, one entry after the other, as if each had come alone. Pure.

    `balances` holds the locked balance of every account that exists; `standing` the entries of these ids that the books
    have already. Each entry is recorded a microsecond after the one before it and after everything on its accounts,
    whatever the clocks of several machines say, so that the order of record is the order of posting.
    """
    books = dict(balances)
    changed: dict[BalanceKey, Balance] = {}
    known = dict(standing)
    outcomes: list[Outcome] = []
    posted: list[store.NewEntry] = []
    at = max([now, *(b.posted_at + _TICK for b in balances.values() if b.posted_at is not None)])
    for booking in bookings:
        entry = booking.entry
        digest = entry.digest
        before = known.get((entry.tenant_id, entry.id))
        if before is not None:
            outcomes.append(_seen_again(entry, same=before.digest == digest, posted_at=before.posted_at))
            continue
        try:
            after = _lines_posted(entry, books, posted_at=at)
        except Rejected as reason:
            outcomes.append(Refused(entry_id=entry.id, reason=reason))
            continue
        for key, balance in after:
            books[key] = changed[key] = balance
        known[entry.tenant_id, entry.id] = Standing(digest=digest, posted_at=at)
        posted.append(
            store.NewEntry(entry=entry, digest=digest, posted_at=at, balances_after=[balance for _, balance in after])
        )
        outcomes.append(Posted(entry_id=entry.id, posted_at=at))
        at += _TICK
    return Decision(outcomes=outcomes, posted=posted, balances=changed)


def _seen_again(entry: Entry, *, same: bool, posted_at: datetime) -> Replayed | Refused:
    if same:
        return Replayed(entry_id=entry.id, posted_at=posted_at)
    reason = EntryConflict(f"the entry {entry.id} stands in the books with other content")
    return Refused(entry_id=entry.id, reason=reason)


def _lines_posted(
    entry: Entry, books: Mapping[BalanceKey, Balance], *, posted_at: datetime
) -> list[tuple[BalanceKey, Balance]]:
    """Return the balance right after each line; the books themselves change only once all lines are good."""
    after: list[tuple[BalanceKey, Balance]] = []
    touched: dict[BalanceKey, Balance] = {}
    for line in entry.lines:
        key = (entry.tenant_id, line.account_id, line.currency)
        balance = touched.get(key) or books.get(key)
        if balance is None:
            raise AccountUnknown(f"the chart has no account {line.account_id}")
        touched[key] = balance.after(line, posted_at=posted_at)
        after.append((key, touched[key]))
    return after


def _sayings(bookings: Sequence[Booking], outcomes: Sequence[Outcome]) -> list[Saying]:
    sayings = (
        outbox.entry_posted(booking.entry, posted_at=outcome.posted_at, correlation=booking.correlation)
        for booking, outcome in zip(bookings, outcomes, strict=True)
        if isinstance(outcome, Posted)
    )
    return [saying for saying in sayings if saying is not None]


def count(bookings: Sequence[Booking], outcomes: Sequence[Outcome]) -> None:
    """Count what became of a group; called once, by whoever knows that the group will not be tried again in parts."""
    kinds = Counter(
        (booking.entry.kind, type(outcome).__name__.lower())
        for booking, outcome in zip(bookings, outcomes, strict=True)
    )
    for (kind, outcome_name), entries in kinds.items():
        metrics.ENTRIES.labels(kind, outcome_name).inc(entries)


class PostingDesk:
    """Takes single entries from many callers and posts them in groups: while one commit is in flight the next forms.

    The request path; the message consumer has its groups from the broker already. Whether an entry that could not be
    answered was committed is unknown; the same entry again says so.
    """

    def __init__(
        self, database: Database, *, clock: Clock, group_max: int = GROUP_MAX, waiting_max: int = WAITING_MAX
    ) -> None:
        self._database = database
        self._clock = clock
        self._groups: GroupCommit[Booking, Posted | Replayed] = GroupCommit(
            self._write, group_max=group_max, waiting_max=waiting_max
        )

    async def post(self, booking: Booking) -> Posted | Replayed:
        """Post one entry with whatever else is waiting; returns once it is committed.

        Raises:
            Rejected: why the entry cannot be posted.
            Unavailable: when too many entries wait already, or the database does not answer.
        """
        return await self._groups.submit(booking)

    async def _write(self, bookings: Sequence[Booking]) -> Sequence[Posted | Replayed | Exception]:
        """Post a group in a transaction of its own; one that fails is halved until the bad entry fails alone."""
        try:
            outcomes = await self._transact(bookings)
        except Transient as outage:
            # The database is away: halves would fare no better. What was committed all the same is a replay next time.
            return [outage] * len(bookings)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is the answer to the one entry that caused it
            if len(bookings) == 1:
                return [fault]
            middle = len(bookings) // 2
            return [*await self._write(bookings[:middle]), *await self._write(bookings[middle:])]
        count(bookings, outcomes)
        return [outcome.reason if isinstance(outcome, Refused) else outcome for outcome in outcomes]

    async def _transact(self, bookings: Sequence[Booking]) -> list[Outcome]:
        for _ in range(CONTENTION_RETRIES_MAX):
            try:
                async with self._database.transaction() as tx:
                    return await post(tx, bookings, clock=self._clock)
            except CONTENTION:
                continue
        async with self._database.transaction() as tx:
            return await post(tx, bookings, clock=self._clock)
