"""The transaction around a decision: lock, decide, write."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import cast

import asyncpg

from libs.common.clock import Clock
from libs.common.db import Connection
from libs.common.messaging import Saying
from services.ledger import metrics, outbox, store
from services.ledger.domain import Hold
from services.ledger.posting.decision import BalanceKey, EntryKey, HoldKey, Standing, decide
from services.ledger.posting.instructions import Booking, Held, Instruction, Outcome, Placing, Posted


async def post(tx: Connection, bookings: Sequence[Booking], *, clock: Clock) -> list[Outcome]:
    """Post a group of entries inside the caller's transaction; returns one outcome per booking, in their order.

    The outbox rows are written with them. Nothing is final before the caller's commit.

    Raises:
        asyncpg.SerializationError: another transaction posted an entry of the same id on other accounts at this very
            moment, or began the same balance; the caller's transaction is lost and may be run again.
    """
    # A booking is answered with an outcome; only what concerns holds is answered otherwise.
    return cast("list[Outcome]", await carry_out(tx, bookings, clock=clock))


async def carry_out(tx: Connection, instructions: Sequence[Instruction], *, clock: Clock) -> list[Outcome | Held]:
    """Do what a group of instructions says inside the caller's transaction; returns one answer each, in their order.

    Raises:
        asyncpg.SerializationError: as `post`.
    """
    if not instructions:
        return []
    begun = time.perf_counter()
    wanted = _Wanted(instructions)
    locked = await store.lock_group(tx, wanted.balances, wanted.entries, wanted.tenants)
    not_taken: set[BalanceKey] = set()
    balances = locked.balances
    if len(balances) < len(wanted.balances):
        missing = [key for key in wanted.balances if key not in balances]
        new, not_taken = await store.begin_balances(tx, missing)
        balances = balances | new
    decision = decide(
        instructions,
        balances=balances,
        standing={key: Standing(digest=digest, posted_at=at) for key, (digest, at) in locked.standing.items()},
        closed=locked.closed,
        # Whoever changes a hold has locked its balances: read after the lock, it cannot change any more.
        holds=await store.holds_by_id(tx, wanted.holds) if wanted.holds else {},
        not_taken=not_taken,
        now=clock.now(),
    )
    if decision.posted:
        if locked.head is None:
            raise asyncpg.SerializationError("no chain is free")
        await store.write_group(
            tx,
            decision.posted,
            decision.balances,
            _sayings(instructions, decision.outcomes),
            locked.head,
            before=balances,
        )
    elif decision.balances:
        await store.write_pending(tx, decision.balances, before=balances)
    if decision.placed:
        await store.write_placed(tx, list(decision.placed.values()))
    if decision.resolved:
        await store.write_resolved(tx, list(decision.resolved.values()))
    metrics.GROUP_SIZE.observe(len(instructions))
    metrics.GROUP_DURATION.observe(time.perf_counter() - begun)
    return decision.outcomes


class _Wanted:
    """What a group has to know: each key once."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        balances: dict[BalanceKey, None] = {}
        entries: dict[EntryKey, None] = {}
        holds: dict[HoldKey, None] = {}
        tenants: dict[str, None] = {}
        for instruction in instructions:
            hold: Hold | None
            if isinstance(instruction, Booking):
                entry, hold = instruction.entry, instruction.captures
                tenants[entry.tenant_id] = None
                entries[entry.tenant_id, entry.id] = None
                for line in entry.lines:
                    balances[entry.tenant_id, line.account_id, line.currency] = None
            else:
                hold = instruction.hold
            if hold is not None:
                holds[hold.tenant_id, hold.id] = None
                for _, account_id in hold.sides:
                    balances[hold.tenant_id, account_id, hold.currency] = None
        self.balances = list(balances)
        self.entries = list(entries)
        self.holds = list(holds)
        self.tenants = list(tenants)


def _sayings(instructions: Sequence[Instruction], outcomes: Sequence[Outcome | Held]) -> list[Saying]:
    return [
        outbox.entry_posted(instruction.entry, posted_at=outcome.posted_at, correlation=instruction.correlation)
        for instruction, outcome in zip(instructions, outcomes, strict=True)
        if isinstance(outcome, Posted) and isinstance(instruction, Booking)
    ]


def count(instructions: Sequence[Instruction], outcomes: Sequence[Outcome | Held]) -> None:
    """Count what became of a group; called once, by whoever knows that the group will not be tried again in parts."""
    kinds = Counter(
        (_kind(instruction), type(outcome).__name__.lower())
        for instruction, outcome in zip(instructions, outcomes, strict=True)
    )
    for (kind, outcome_name), entries in kinds.items():
        metrics.ENTRIES.labels(kind, outcome_name).inc(entries)


def _kind(instruction: Instruction) -> str:
    if isinstance(instruction, Booking):
        return instruction.entry.kind
    return "hold_place" if isinstance(instruction, Placing) else f"hold_{instruction.state.lower()}"
