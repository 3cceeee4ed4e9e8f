"""The locked strategy: lock the balances of a group, decide it by what the books hold, write it.

It is right for every instruction, and takes two round trips.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import batched
from typing import cast

from libs.common.clock import Clock
from libs.common.db import Connection
from libs.common.observability import tracing
from services.ledger import metrics
from services.ledger.posting.cache import BalanceCache
from services.ledger.posting.counting import record_group
from services.ledger.posting.domain.decision import BalanceKey, Decision, ExistingEntry, decide
from services.ledger.posting.domain.instructions import Booking, Instruction, Outcome, tenants_of_one_person
from services.ledger.posting.domain.needs import Needs, balances_of
from services.ledger.posting.publications import encoded
from services.ledger.posting.sql import groups, holds
from services.ledger.posting.sql.approval import KnownPolicies

GROUP_MAX = 500
"""Entries of one group at most: deciding and encoding more would keep the process from everything else."""
_PART = 100
_REST_SECONDS = 0.005
"""More than a group are written in parts of so many, with a rest after each: nothing else of the process computes meanwhile."""


async def post_locked(
    tx: Connection, bookings: Sequence[Booking], *, clock: Clock, cache: BalanceCache | None = None
) -> list[Outcome]:
    """Post entries inside the caller's transaction, which may undo them; returns one outcome per booking, in their order.

    The outbox rows are written with them. Nothing is final before the caller's commit, so nothing is remembered in
    `cache`, which only forgets what these balances were. More than `GROUP_MAX` are posted in parts, one after the other,
    so that the process does other work between them.

    Raises:
        asyncpg.SerializationError: another transaction posted an entry of the same id on other accounts at this very
            moment, or began the same balance; the caller's transaction is lost and may be run again.
    """
    if not bookings:
        return []
    if len(bookings) > GROUP_MAX:
        return await _post_parts(tx, bookings, clock=clock, cache=cache)
    needs = Needs(bookings)
    with cache.locking(needs.balances) if cache is not None else nullcontext():
        return outcomes_of(await lock_and_write(tx, bookings, needs, clock=clock, cache=cache))


async def lock_and_write(
    tx: Connection,
    instructions: Sequence[Instruction],
    needs: Needs,
    *,
    clock: Clock,
    cache: BalanceCache | None = None,
) -> Decision:
    """Lock the balances of a group, decide it, and write it; inside the caller's transaction.

    Raises:
        asyncpg.SerializationError: as `post_locked`.
    """
    begun, started_ns = time.perf_counter(), tracing.started()
    locked = await groups.lock_group(tx, needs.balances, needs.entries, needs.tenants)
    not_taken: set[BalanceKey] = set()
    balances = locked.balances
    if len(balances) < len(needs.balances):
        missing = [key for key in needs.balances if key not in balances]
        new, not_taken = await groups.begin_balances(tx, missing)
        balances = balances | new
    alone = tenants_of_one_person(instructions)
    policies = KnownPolicies() if cache is None else cache.policies
    decision = decide(
        instructions,
        balances=balances,
        existing={key: ExistingEntry(digest=digest, posted_at=at) for key, (digest, at) in locked.existing.items()},
        closed=locked.closed,
        # Whoever changes a hold has locked its balances: read after the lock, it cannot change any more.
        holds=await holds.holds_by_id(tx, needs.holds) if needs.holds else {},
        not_taken=not_taken,
        # In the transaction that posts, whichever way it came here.
        policies=await policies.of(tx, alone) if alone else {},
        now=clock.now(),
    )
    if decision.balances:
        await groups.post_group(tx, encoded(instructions, decision, before=balances))
    if decision.placed:
        await holds.write_placed(tx, list(decision.placed.values()))
    if decision.resolved:
        await holds.write_resolved(tx, list(decision.resolved.values()))
    metrics.observe_group("locked", len(instructions), seconds=time.perf_counter() - begun)
    if started_ns:
        record_group("locked", instructions, started_ns=started_ns)
    return decision


def outcomes_of(decision: Decision) -> list[Outcome]:
    """Return the outcomes of a group of entries: only what concerns holds has others."""
    return cast("list[Outcome]", decision.outcomes)


async def _post_parts(
    tx: Connection, bookings: Sequence[Booking], *, clock: Clock, cache: BalanceCache | None
) -> list[Outcome]:
    """Post more than a group takes. All balances are locked first: in the order of their keys, as every group locks them."""
    parts = list(batched(bookings, _PART))
    keys: dict[BalanceKey, None] = {}
    for part in parts:
        keys |= dict.fromkeys(balances_of(part))
        await asyncio.sleep(0)
    outcomes: list[Outcome] = []
    with cache.holding(list(keys)) if cache is not None else nullcontext():
        await groups.lock_group(tx, list(keys), (), ())
        for part in parts:
            outcomes += outcomes_of(await lock_and_write(tx, part, Needs(part), clock=clock, cache=cache))
            # Others have the process to themselves for as long as it takes to prepare a part.
            await asyncio.sleep(_REST_SECONDS)
    return outcomes
