"""Every story of the processor's statement, on a real database: in order, from its end, in any order, and twice."""

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import gateway, gateway_movements, gateway_payouts
from libs.common.contracts.gateway_movements import Direction, MovementKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_errors import EntryConflict
from libs.common.contracts.ledger_money import RecordExchangeRate
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.ids import derived_id, new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.ledger import metrics
from services.ledger.exchange import known_quote
from services.ledger.posting_rules import PaymentCommands, PaymentConsumers
from services.ledger.posting_rules.domain.movement_steps import (
    INTENT,
    REFUND,
    Available,
    Happened,
    Moved,
    MovementStory,
    Step,
)
from services.ledger.posting_rules.domain.movement_story import MOVEMENT_STORIES
from tests.integration.ledger.conftest import Ledger, audit

HAPPENED: dict[EntryKind, tuple[type[Any], str]] = {
    EntryKind.CAPTURE: (gateway.PaymentCaptured, "payment_intent_id"),
    EntryKind.REFUND: (gateway.RefundSucceeded, "refund_id"),
    EntryKind.REFUND_FAILURE: (gateway.RefundFailed, "refund_id"),
    EntryKind.DISPUTE_LOST: (gateway.DisputeLost, "dispute_id"),
    EntryKind.DISPUTE_WON: (gateway.DisputeWon, "dispute_id"),
    EntryKind.PAYOUT_PAID: (gateway_payouts.PayoutPaid, "payout_id"),
    EntryKind.PAYOUT_DEBITED: (gateway_movements.PayoutDebited, "payout_id"),
}


def event(step: Step, tenant_id: str, clock: ManualClock) -> Received[Any]:
    """Make what arrives about a step, under a new event id; what it is about has one id for each tenant."""
    source, at = derived_id(INTENT, tenant_id), clock.now()
    match step:
        case Moved():
            amount, currency = step.source or (None, "")
            body: Any = gateway_movements.MovementRecorded(
                **_moved(step.ref, step.amount_minor, source),
                happened_at=at,
                kind=step.kind,
                source_ref="",
                payment_intent_id=source if step.is_ours else None,
                refund_id=derived_id(REFUND, tenant_id) if step.is_requested else None,
                fees=tuple(
                    gateway_movements.MovementFee(
                        kind=kind, direction=Direction.OUT if part > 0 else Direction.IN, amount_minor=abs(part)
                    )
                    for kind, part in step.fees
                ),
                source_amount_minor=None if amount is None else abs(amount),
                source_currency=currency,
                exchange_rate="5.4321" if currency else "",
            )
        case Available():
            body = gateway_movements.MovementAvailable(**_moved(step.ref, step.net_minor, source), happened_at=at)
        case Happened():
            kind, subject = HAPPENED[step.kind]
            given = {
                "payment_intent_id": source,
                **dict.fromkeys(("refund_id", "dispute_id", "payout_id"), derived_id(source, subject)),
                **dict.fromkeys(("captured_at", "refunded_at", "failed_at", "happened_at"), at),
                **dict.fromkeys(("gateway_ref", "reason", "detail"), "word"),
                "amount_minor": step.amount_minor,
                "currency": step.currency,
                "reversals": step.reversals,
                "after_success": True,
                "by_statement": True,
            }
            body = kind(**{name: value for name, value in given.items() if name in kind.__struct_fields__})
    correlation = Correlation(correlation_id="corr-1", tenant_id=tenant_id)
    return Received(id=new_id(), body=body, occurred_at=at, correlation=correlation, attempt=0)


def _moved(ref: str, amount_minor: int, source: UUID) -> dict[str, Any]:
    return {
        "movement_id": derived_id(source, ref),
        "gateway_ref": ref,
        "direction": Direction.IN if amount_minor >= 0 else Direction.OUT,
        "amount_minor": abs(amount_minor),
        "currency": "BRL",
    }


async def handle(ledger: Ledger, *received: Received[Any]) -> None:
    """Let the ledger's own consumer handle events of one kind in one transaction."""
    match received[0].body:
        case gateway_movements.MovementRecorded():
            handler: Any = ledger.payments.on_movement_recorded
        case gateway_movements.MovementAvailable():
            handler = ledger.payments.on_movement_available
        case body:
            handler = ledger.payments.handler(type(body))
    await ledger.handle(handler, received)


async def standing(ledger: Ledger, tenant_id: str) -> dict[str, int]:
    """What stands on each account that is not empty, `CODE currency`: debits less credits."""
    rows = await ledger.database.fetch(
        "SELECT a.code || ' ' || b.currency AS name, b.debits_minor - b.credits_minor AS net FROM balances AS b "
        "JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id "
        "WHERE b.tenant_id = $1 AND b.debits_minor <> b.credits_minor",
        tenant_id,
    )
    return {row["name"]: row["net"] for row in rows}


def orders(steps: Sequence[Step]) -> dict[str, list[Step]]:
    """The orders in which a story is received: as it happens, from its end, by chance, and everything twice."""
    shuffled = random.Random(len(steps)).sample(steps, len(steps))
    return {"late": [*steps], "early": [*reversed(steps)], "any": shuffled, "twice": [*shuffled, *steps]}


@pytest.mark.sampled(each=8)
@pytest.mark.parametrize("story", MOVEMENT_STORIES, ids=lambda story: story.title)
async def test_story_closes_alike_in_whatever_order_it_is_received(
    ledger: Ledger, clock: ManualClock, tenant_id: str, story: MovementStory
) -> None:
    for name, steps in orders(story.steps).items():
        tenant = f"{tenant_id}-{name}"
        for step in steps:
            await handle(ledger, event(step, tenant, clock))
        assert await standing(ledger, tenant) == story.closing, name
    assert await audit(ledger.database) == []


async def test_movement_received_by_two_processes_at_once_is_booked_once(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    story = next(story for story in MOVEMENT_STORIES if any(isinstance(s, Moved) and s.source for s in story.steps))
    moved = next(step for step in story.steps if isinstance(step, Moved))
    other = Ledger(ledger.database, clock)
    await asyncio.gather(
        handle(ledger, event(moved, tenant_id, clock), event(moved, tenant_id, clock)),
        handle(other, event(moved, tenant_id, clock)),
    )
    assert len(await ledger.book(tenant_id)) == 5
    assert await audit(ledger.database) == []


async def test_movement_with_other_money_or_none_is_refused_and_leaves_nothing(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    moved = event(Moved(ref="txn_1", kind=MovementKind.CHARGE, amount_minor=1_000), tenant_id, clock)
    for wrong in ({"amount_minor": -1}, {"amount_minor": 10**19}, {"currency": "XYZ"}):
        with pytest.raises(Invalid):
            await handle(ledger, msgspec.structs.replace(moved, body=msgspec.structs.replace(moved.body, **wrong)))
    await handle(ledger, moved)
    other = msgspec.structs.replace(moved.body, amount_minor=1_001)
    with pytest.raises(EntryConflict):
        await handle(ledger, msgspec.structs.replace(moved, id=new_id(), body=other))
    assert len(await ledger.book(tenant_id)) == 2


async def test_what_fits_nothing_is_counted(ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
    metric = metrics.SUSPENDED.labels("charge")._value
    before = metric.get()
    foreign = Moved(ref="txn_1", kind=MovementKind.CHARGE, amount_minor=1_000, is_ours=False)
    await handle(ledger, event(foreign, tenant_id, clock))
    await handle(ledger, event(Moved(ref="txn_2", kind=MovementKind.CHARGE, amount_minor=5), tenant_id, clock))
    assert metric.get() == before + 1


@pytest.mark.parametrize(("bought", "alarms"), [(54_321, 0), (48_890, 0), (48_880, 1), (59_760, 1), (749_999_957, 1)])
async def test_exchange_far_off_the_known_rate_is_an_alarm_and_booked(
    ledger: Ledger, clock: ManualClock, tenant_id: str, bought: int, alarms: int
) -> None:
    metric = metrics.EXCHANGES_FAR_OFF._value
    before = metric.get()
    moved = Moved(ref="txn_1", kind=MovementKind.CHARGE, amount_minor=bought, source=(10_000, "USD"))
    # Where no rate is known, nothing is far off.
    await handle(ledger, event(moved, f"{tenant_id}-b", clock))
    assert metric.get() == before
    await ledger.exchange.on_record_exchange_rate(
        RecordExchangeRate(
            tenant_id=tenant_id,
            rate_id=new_id(),
            from_currency="USD",
            to_currency="BRL",
            rate=Decimal("5.4321"),
            effective_at=clock.now(),
        )
    )
    await handle(ledger, event(moved, tenant_id, clock))
    assert metric.get() == before + alarms
    assert (await standing(ledger, tenant_id))["PROCESSOR_PENDING BRL"] == bought


@pytest.mark.parametrize(("percent", "alarms"), [(1, 1), (5, 0)])
async def test_exchange_may_be_as_far_off_as_the_setting_names(
    database: Database, ledger: Ledger, clock: ManualClock, tenant_id: str, percent: int, alarms: int
) -> None:
    metric = metrics.EXCHANGES_FAR_OFF._value
    before = metric.get()
    rate: dict[str, Any] = {"rate_id": new_id(), "rate": Decimal("5.4321"), "effective_at": clock.now()}
    await ledger.exchange.on_record_exchange_rate(
        RecordExchangeRate(tenant_id=tenant_id, from_currency="USD", to_currency="BRL", **rate)
    )
    commands = PaymentCommands(database, clock=clock, quote_of=known_quote, band_percent=percent)
    ledger.payments = PaymentConsumers(commands)
    # 2 percent below its worth of 54,321.
    moved = Moved(ref="txn_1", kind=MovementKind.CHARGE, amount_minor=53_235, source=(10_000, "USD"))
    await handle(ledger, event(moved, tenant_id, clock))
    assert metric.get() == before + alarms


async def test_dispute_and_its_first_victory_are_left_to_the_statement(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    opened = gateway.DisputeOpened(
        payment_intent_id=new_id(),
        dispute_id=new_id(),
        amount_minor=700,
        currency="BRL",
        gateway_ref="dp_1",
        happened_at=clock.now(),
        reason="fraudulent",
        by_statement=True,
    )
    arrived = event(Happened(kind=EntryKind.DISPUTE_WON, amount_minor=700), tenant_id, clock)
    await handle(ledger, msgspec.structs.replace(arrived, id=new_id(), body=opened))
    await handle(ledger, arrived)
    assert await ledger.book(tenant_id) == []
