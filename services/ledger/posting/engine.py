"""The transaction around a decision: lock, decide, write."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import batched
from typing import cast

from libs.common.clock import Clock
from libs.common.db import Connection
from services.ledger import metrics
from services.ledger.posting.cache import BalanceCache
from services.ledger.posting.domain.decision import BalanceKey, Standing, decide
from services.ledger.posting.domain.instructions import Booking, Held, Instruction, Outcome, Placing
from services.ledger.posting.foresight import foresee
from services.ledger.posting.group import Wanted, balances_of, prepare
from services.ledger.posting.sql import groups, holds

GROUP_MAX = 500
"""Entries of one group at most: deciding and laying out more would keep the process from everything else."""

_PART = 100

_REST_SECONDS = 0.005
"""More than a group are written in parts of so many, with a rest after each: nothing else of the process computes meanwhile."""


async def post(
    tx: Connection,
    bookings: Sequence[Booking],
    *,
    clock: Clock,
    cache: BalanceCache | None = None,
    may_undo: bool = False,
) -> list[Outcome]:
    """Post a group of entries inside the caller's transaction; returns one outcome per booking, in their order.

    The outbox rows are written with them. Nothing is final before the caller's commit. With a `cache`, a group of new
    entries on balances that it remembers needs one round trip instead of two; a caller that `may_undo` what it posts, or
    that must not fail for a wrong memory, has it locked first and leaves nothing to remember. More than `GROUP_MAX` are
    posted as several groups, one after the other, so that the process does other work between them.

    Raises:
        asyncpg.SerializationError: another transaction posted an entry of the same id on other accounts at this very
            moment, or began the same balance, or `cache` was wrong; the caller's transaction is lost and may be run again.
    """
    if not bookings:
        return []
    # A booking is answered with an outcome; only what concerns holds is answered otherwise.
    return cast("list[Outcome]", await _post(tx, bookings, clock=clock, cache=cache, may_undo=may_undo))


async def _post(
    tx: Connection, bookings: Sequence[Booking], *, clock: Clock, cache: BalanceCache | None, may_undo: bool
) -> list[Outcome | Held]:
    if len(bookings) > GROUP_MAX:
        return await _post_many(tx, bookings, clock=clock, cache=cache)
    wanted = Wanted(bookings)
    if cache is None:
        return await look_and_write(tx, bookings, wanted, clock=clock, cache=None)
    if not may_undo:
        # Whoever holds locks waits in the database, which sees a circle, and not for a group of its own process.
        foreseen = foresee(bookings, clock=clock, cache=cache, may_wait=False)
        if foreseen is not None:
            return await foreseen.write(tx)
    with cache.looking(wanted.balances):
        return await look_and_write(tx, bookings, wanted, clock=clock, cache=None if may_undo else cache)


async def _post_many(
    tx: Connection, bookings: Sequence[Booking], *, clock: Clock, cache: BalanceCache | None
) -> list[Outcome | Held]:
    """Post more than a group takes. All balances are locked first: in the order of their keys, as every group locks them."""
    parts = list(batched(bookings, _PART))
    keys: dict[BalanceKey, None] = {}
    for part in parts:
        keys |= dict.fromkeys(balances_of(part))
        await asyncio.sleep(0)
    outcomes: list[Outcome | Held] = []
    with cache.looking(list(keys)) if cache is not None else nullcontext():
        await groups.lock_group(tx, list(keys), (), ())
        for part in parts:
            outcomes += await look_and_write(tx, part, Wanted(part), clock=clock, cache=None)
            # Others have the process to themselves for as long as it takes to prepare a part.
            await asyncio.sleep(_REST_SECONDS)
    return outcomes


async def look_and_write(
    tx: Connection,
    instructions: Sequence[Instruction],
    wanted: Wanted,
    *,
    clock: Clock,
    cache: BalanceCache | None,
) -> list[Outcome | Held]:
    """Lock the balances of a group, decide it by what stands in the books, and write it; inside the caller's transaction.

    Raises:
        asyncpg.SerializationError: another transaction posted an entry of the same id on other accounts at this very
            moment, or began the same balance; the caller's transaction is lost and may be run again.
    """
    begun = time.perf_counter()
    locked = await groups.lock_group(tx, wanted.balances, wanted.entries, wanted.tenants)
    not_taken: set[BalanceKey] = set()
    balances = locked.balances
    if len(balances) < len(wanted.balances):
        missing = [key for key in wanted.balances if key not in balances]
        new, not_taken = await groups.begin_balances(tx, missing)
        balances = balances | new
    decision = decide(
        instructions,
        balances=balances,
        standing={key: Standing(digest=digest, posted_at=at) for key, (digest, at) in locked.standing.items()},
        closed=locked.closed,
        # Whoever changes a hold has locked its balances: read after the lock, it cannot change any more.
        holds=await holds.holds_by_id(tx, wanted.holds) if wanted.holds else {},
        not_taken=not_taken,
        now=clock.now(),
    )
    if decision.balances:
        await groups.post_group(tx, prepare(instructions, decision, before=balances))
    if decision.placed:
        await holds.write_placed(tx, list(decision.placed.values()))
    if decision.resolved:
        await holds.write_resolved(tx, list(decision.resolved.values()))
    if cache is not None:
        cache.remember(decision.balances)
    metrics.observe_group("locked", len(instructions), seconds=time.perf_counter() - begun)
    return decision.outcomes


def count(instructions: Sequence[Instruction], outcomes: Sequence[Outcome | Held]) -> None:
    """Count what became of a group; called once, by whoever knows that the group will not be tried again in parts."""
    kinds = Counter([(_kind(one), type(outcome)) for one, outcome in zip(instructions, outcomes, strict=True)])
    for (kind, answer), entries in kinds.items():
        metrics.ENTRIES.labels(kind, answer.__name__.lower()).inc(entries)


def _kind(instruction: Instruction) -> str:
    if isinstance(instruction, Booking):
        return instruction.entry.kind
    return "hold_place" if isinstance(instruction, Placing) else f"hold_{instruction.state.lower()}"
