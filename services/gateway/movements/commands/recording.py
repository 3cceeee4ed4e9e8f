"""Recording what a statement shows: each movement and payout once, and what follows from it published in the same commit."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_movements import MovementKind
from libs.common.db import Connection, Database
from libs.common.db.group import GroupCommit
from libs.common.messaging import Publication, publish
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.movements import schemas
from services.gateway.movements.domain import (
    Bank,
    Known,
    RecordedMovement,
    StatementAccount,
    at_the_bank,
    is_known_status,
    later_status,
    movement_id,
    payout_id,
    with_changes,
)
from services.gateway.movements.sql import balances, statement
from services.gateway.movements.sql import payouts as payouts_sql
from services.gateway.movements.sql.payouts import PayoutRow
from services.gateway.processors.port.reading import StatementMovement, StatementPayout

log = get_logger("gateway.movements")

_REFUNDS = (MovementKind.REFUND, MovementKind.REFUND_FAILURE)
_GROUP_MAX = 200
_WAITING_MAX = 10_000

type _Seen = tuple[StatementAccount, Sequence[StatementMovement]]


class StatementRecording:
    """Records movements and payouts, whoever has seen them."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._groups: dict[tuple[str, bool], GroupCommit[_Seen, None]] = {}
        """Of each account whose movements are being recorded."""

    async def account_of(self, *, tenant_id: str, processor: str) -> StatementAccount | None:
        """Find the account at the processor of a configuration; None while it is not known."""
        return await statement.account_of(self._database, tenant_id=tenant_id, processor=processor)

    async def unknown(self, account: StatementAccount, refs: Sequence[str]) -> list[str]:
        """Return which of some movements were never seen."""
        if not refs:
            return []
        known = await statement.known_ids(self._database, account, refs)
        return [ref for ref in refs if ref not in known]

    async def movements(self, account: StatementAccount, moved: Sequence[StatementMovement]) -> None:
        """Record movements; what is new, and what can be paid out since now, is published.

        All that is recorded of an account adds to one row for each currency, which is locked until the commit. So what comes
        together is recorded together, and a process waits for that row once at a time.
        """
        if not moved:
            return
        key = account.account_id, account.is_live
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = GroupCommit(
                self._record_group, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX, splits=True
            )
        try:
            await group.submit((account, moved))
        finally:
            if group.is_idle and self._groups.get(key) is group:
                del self._groups[key]

    async def _record_group(self, seen: Sequence[_Seen]) -> list[None]:
        for account, moved in _together(seen):
            await self._record(account, moved)
        return [None] * len(seen)

    async def _record(self, account: StatementAccount, moved: Sequence[StatementMovement]) -> None:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            known = await _known(tx, account, moved)
            if changes := [each for each in moved if each.source_total_minor is not None]:
                moved = with_changes(moved, await statement.of_disputes(tx, account, changes))
            movements = [_recorded(account, each, known) for each in moved]
            new, completed, sums = await statement.add(tx, account, movements, at=now)
            published: list[Publication | None] = []
            for each in movements:
                if each.moved.ref in new and each.moved.created_at >= account.booked_from:
                    published += [schemas.recorded(each), schemas.available_of(each), schemas.adopted(each)]
            published += [
                schemas.available(
                    tenant_id=each.tenant_id,
                    movement_id=each.movement_id,
                    ref=each.id,
                    net_minor=each.net_minor,
                    currency=each.currency,
                    at=each.available_at,
                )
                for each in completed
                if each.is_booked
            ]
            await publish(tx, [each for each in published if each is not None])
            await self._check_payments(tx, [each for each in movements if each.moved.ref in new])
            await balances.add_up(tx, account, sums)
        for each in movements:
            if each.moved.ref in new:
                metrics.MOVEMENTS.labels(each.moved.kind.value).inc()

    async def unmatched_payments(self, account: StatementAccount, moved: Sequence[StatementMovement]) -> list[str]:
        """Return the processor's references of payments that some new movements name and our records do not know."""
        async with self._database.transaction() as tx:
            known = await _known(tx, account, moved)
        strange = {
            each.ref: each.payment_ref
            for each in moved
            # What is not booked needs no payment, and an account may have a long past.
            if each.payment_ref and each.created_at >= account.booked_from and known.payment_of(each) is None
        }
        new = await self.unknown(account, [*strange])
        return sorted({strange[ref] for ref in new})

    async def payouts(self, account: StatementAccount, paid_out: Sequence[StatementPayout]) -> None:
        """Record how payouts stand; what happened at the bank is published."""
        if not paid_out:
            return
        now = self._clock.now()
        async with self._database.transaction() as tx:
            ordered = sorted(paid_out, key=lambda payout: payout.ref)
            known = await payouts_sql.locked(tx, account, [payout.ref for payout in ordered])
            published = []
            for payout in ordered:
                if payout.ref not in known and await payouts_sql.add(tx, _new(account, payout), at=now):
                    row = _new(account, payout)
                else:
                    # Made by another process in this very moment, where it was not locked before.
                    row = known.get(payout.ref) or (await payouts_sql.locked(tx, account, [payout.ref]))[payout.ref]
                changed, publication = _changed(row, payout, now=now)
                if changed != row:
                    await payouts_sql.change(tx, changed, at=now)
                # One that left before has left no trace in the books, so it does not arrive in them either.
                is_before = account.has_opening and payout.created_at < account.booked_from
                published += [] if publication is None or is_before else [publication]
            await publish(tx, published)

    async def part_of(self, account: StatementAccount, payout_ref: str, moved: Sequence[StatementMovement]) -> None:
        """Record the movements of a payout, and of which payout they are part."""
        await self.movements(account, moved)
        async with self._database.transaction() as tx:
            refs = [each.ref for each in moved]
            await statement.part_of(tx, account, refs, payout_ref=payout_ref, at=self._clock.now())

    async def matched(self, account: StatementAccount, payout_ref: str) -> None:
        """Note that all movements of a payout are known."""
        async with self._database.transaction() as tx:
            await payouts_sql.matched(tx, account, payout_ref, at=self._clock.now())

    async def put_last(self, account: StatementAccount, payout_ref: str) -> None:
        """Let a payout whose movements are too many wait behind all others."""
        async with self._database.transaction() as tx:
            await payouts_sql.touch(tx, account, payout_ref, at=self._clock.now())

    async def unmatched(self, account: StatementAccount, *, limit: int) -> list[str]:
        """List payouts whose movements can be read and were not."""
        return await payouts_sql.unmatched(self._database, account, limit=limit)

    async def _check_payments(self, tx: Connection, new: Sequence[RecordedMovement]) -> None:
        intents = sorted({each.payment_intent_id for each in new if each.payment_intent_id is not None})
        if not intents:
            return
        for twice in await statement.given_back_twice(tx, intents):
            metrics.GIVEN_BACK_TWICE.inc()
            log.error(
                "payment.given_back_twice",
                tenant_id=twice.tenant_id,
                payment_intent_id=twice.payment_intent_id,
                over_minor=twice.over_minor,
                currency=twice.currency,
            )


def _together(seen: Sequence[_Seen]) -> list[_Seen]:
    """Put movements of an account that follow each other together; one that was seen twice is recorded twice, in turn."""
    rounds: list[tuple[StatementAccount, dict[str, StatementMovement]]] = []
    for account, moved in seen:
        refs = {each.ref: each for each in moved}
        if not rounds or rounds[-1][0] != account or refs.keys() & rounds[-1][1].keys():
            rounds.append((account, {}))
        rounds[-1][1].update(refs)
    return [(account, list(found.values())) for account, found in rounds]


async def _known(tx: Connection, account: StatementAccount, moved: Sequence[StatementMovement]) -> Known:
    known = await statement.known_of(
        tx,
        account,
        intents=[m.payment_intent_id for m in moved if m.payment_intent_id is not None],
        refs=[m.payment_ref for m in moved if m.payment_ref],
        refunds=[m.refund_id for m in moved if m.refund_id is not None],
        has_refunds=any(m.kind in _REFUNDS for m in moved),
    )
    return known.with_references_of(moved)


def _recorded(account: StatementAccount, moved: StatementMovement, known: Known) -> RecordedMovement:
    payment = known.payment_of(moved)
    tenant_id = account.tenant_id if payment is None else payment.tenant_id
    intent_id = None if payment is None else payment.payment_intent_id
    refund_id, is_adopted = None, False
    if intent_id is not None and moved.kind in _REFUNDS:
        refund_id, is_adopted = known.refund_of(moved, tenant_id=tenant_id, payment_intent_id=intent_id)
    return RecordedMovement(
        movement_id=movement_id(account, moved),
        tenant_id=tenant_id,
        payment_intent_id=intent_id,
        refund_id=refund_id,
        is_adopted=is_adopted,
        moved=moved,
    )


def _new(account: StatementAccount, payout: StatementPayout) -> PayoutRow:
    return PayoutRow(
        account_id=account.account_id,
        is_live=account.is_live,
        id=payout.ref,
        payout_id=payout_id(account.tenant_id, payout.ref),
        tenant_id=account.tenant_id,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        status=payout.status,
        bank=Bank.NOTHING,
        is_automatic=payout.is_automatic,
        reconciliation_status=payout.reconciliation_status,
        is_matched=False,
        arrives_at=payout.arrives_at,
        movement_ref=payout.movement_ref,
        failure_movement_ref=payout.failure_movement_ref,
        original_ref=payout.original_ref,
        reversed_by=payout.reversed_by,
        trace_id=payout.trace_id,
        created_at=payout.created_at,
        raw=payout.raw,
    )


def _changed(row: PayoutRow, payout: StatementPayout, *, now: datetime) -> tuple[PayoutRow, Publication | None]:
    """What a payout becomes by what is reported of it, and what is published; what is older only adds what is missing."""
    if not is_known_status(payout.status):
        metrics.PAYOUTS_UNKNOWN.inc()
        log.error("payout.status_unknown", payout=payout.ref, status=payout.status, tenant_id=row.tenant_id)
    status = later_status(row.status, payout.status)
    bank, change = at_the_bank(row.bank, status, amount_minor=row.amount_minor)
    is_newer = status == payout.status
    reconciled = "completed" if row.reconciliation_status == "completed" else payout.reconciliation_status
    changed = msgspec.structs.replace(
        row,
        status=status,
        bank=bank,
        reconciliation_status=reconciled,
        arrives_at=payout.arrives_at if is_newer else row.arrives_at,
        movement_ref=row.movement_ref or payout.movement_ref,
        failure_movement_ref=row.failure_movement_ref or payout.failure_movement_ref,
        original_ref=row.original_ref or payout.original_ref,
        reversed_by=row.reversed_by or payout.reversed_by,
        trace_id=row.trace_id or payout.trace_id,
        raw=payout.raw if is_newer else row.raw,
    )
    if change is None:
        return changed, None
    return changed, schemas.at_bank(
        change,
        tenant_id=row.tenant_id,
        payout_id=row.payout_id,
        ref=row.id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        # When a payout failed is not shown: it is known since now.
        at=payout.arrives_at if status == "paid" else now,
    )
