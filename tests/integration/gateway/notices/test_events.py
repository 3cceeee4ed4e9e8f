"""Stripe's events on a real database: each takes effect once, in whatever order, or is kept and shown."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.common.ids import new_id
from services.gateway.notices import EventStore
from services.gateway.notices.sql.events import _COUNT as COUNT
from services.gateway.notices.sql.events import EventStatus, Finished, RawEvent
from services.gateway.operations import attempt_id
from services.gateway.processors.port import Operation
from services.gateway.processors.stripe import NotGenuine
from tests.support.stripe_tenant import Tenant


async def test_event_of_an_unknown_payment_is_tried_for_a_while_and_kept(tenant: Tenant) -> None:
    refund = {"id": "re_1", "status": "succeeded", "payment_intent": "pi_unknown", "metadata": {}, "currency": "brl"}
    dispute = {"id": "dp_1", "status": "lost", "payment_intent": "pi_unknown", "amount": 1, "currency": "brl"}
    found = [await tenant.receive("refund.updated", refund), await tenant.receive("charge.dispute.closed", dispute)]
    for _ in range(10):
        await tenant.work()
        tenant.clock.advance(timedelta(minutes=2))
    for identifier in found:
        event = await tenant.event(identifier)
        assert (event.status, event.reason) == ("UNMATCHED", "unknown_payment")
    assert (await tenant.events.count()).unmatched >= 2


async def test_event_before_our_own_commit_takes_effect_after_it(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    unknown = msgspec.structs.replace(attempt, payment_intent_id=new_id())
    early = await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(unknown))
    await tenant.work()
    assert (await tenant.event(early)).status == "RECEIVED"
    later = msgspec.structs.replace(
        unknown,
        id=attempt_id(tenant_id=tenant.tenant_id, subject_id=unknown.payment_intent_id, operation=Operation.AUTHORIZE),
    )
    await tenant.attempts.open(later)
    tenant.clock.advance(timedelta(seconds=2))
    await tenant.work()
    assert (await tenant.event(early)).status == "HANDLED"
    assert "payment.authorized" in await tenant.published()


async def test_end_before_the_beginning_publishes_both_in_order_and_once(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    end = tenant.intent(attempt, status="succeeded", amount_received=1_000)
    await tenant.receive("payment_intent.succeeded", end)
    await tenant.work()
    await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(attempt))
    await tenant.receive("payment_intent.requires_action", tenant.intent(attempt, status="requires_action"))
    await tenant.work()
    assert await tenant.published() == ["payment.authorized", "payment.captured"]


async def test_what_cannot_be_true_is_kept_and_shown(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    await tenant.receive("payment_intent.succeeded", tenant.intent(attempt, status="succeeded", amount_received=1_000))
    await tenant.work()
    identifier = await tenant.receive(
        "payment_intent.payment_failed", tenant.intent(attempt, status="requires_payment_method")
    )
    await tenant.work()
    assert (await tenant.event(identifier)).status == "CONTRADICTED"
    assert await tenant.published() == ["payment.authorized", "payment.captured"]


async def test_a_refund_that_was_made_by_hand_is_kept_and_shown(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    refund = {"id": "re_2", "status": "succeeded", "amount": 1, "currency": "brl", "payment_intent": "pi_x"}
    metadata = {"tenant_id": tenant.tenant_id, "payment_intent_id": str(attempt.payment_intent_id)}
    identifier = await tenant.receive("refund.created", refund | {"metadata": metadata})
    await tenant.work()
    assert (await tenant.event(identifier)).reason == "refund_not_ours"


async def test_event_of_another_shape_is_kept_and_disturbs_no_other(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    strange = await tenant.receive(
        "payment_intent.succeeded", {"id": "pi", "metadata": tenant.intent(attempt)["metadata"]}
    )
    good = await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(attempt))
    await tenant.work()
    assert (await tenant.event(strange)).reason == "unreadable"
    assert (await tenant.event(good)).status == "HANDLED"


@pytest.mark.parametrize("metadata", ["text", ["list"], 7, True])
@pytest.mark.parametrize(
    "kind", ["payment_intent.succeeded", "charge.captured", "refund.updated", "charge.dispute.created"]
)
async def test_event_with_hostile_metadata_fails_once_and_is_kept(tenant: Tenant, kind: str, metadata: Any) -> None:
    identifier = await tenant.receive(kind, {"id": "x", "status": "succeeded", "metadata": metadata})
    assert await tenant.inbox.work(limit=100) >= 1
    event = await tenant.event(identifier)
    assert (event.status, event.reason) == ("FAILED", "unreadable")
    tenant.clock.advance(timedelta(days=1))
    await tenant.work()
    assert await tenant.tries(identifier) == 1


async def test_event_that_meets_a_bug_is_tried_three_times_and_kept(tenant: Tenant) -> None:
    await tenant.own()
    attempt = await tenant.unanswered()
    tenant.bug = RuntimeError("a bug of ours")
    charge = {
        "id": "ch_1",
        "amount_captured": 1_000,
        "currency": "brl",
        "payment_intent": f"pi_{attempt.id.hex}",
        "balance_transaction": "txn_1",
        "metadata": tenant.intent(attempt)["metadata"],
    }
    identifier = await tenant.receive("charge.captured", charge)
    for _ in range(6):
        await tenant.work()
        tenant.clock.advance(timedelta(minutes=10))
    assert await tenant.tries(identifier) == 3
    event = await tenant.event(identifier)
    assert (event.status, event.reason) == ("FAILED", "unexpected")


async def test_stale_and_fresh_outcome_in_one_group_count_once(tenant: Tenant) -> None:
    store, now = EventStore(tenant.database), tenant.clock.now()
    await tenant.work()
    identifier = await tenant.receive("product.created", {})

    async def claimed(at: datetime) -> RawEvent:
        found = await store.claim(now=at, lease=timedelta(seconds=60), limit=100)
        return next(event for event in found if event.id == identifier)

    later = now + timedelta(seconds=61)
    stale, fresh = await claimed(now), await claimed(later)
    assert (stale.tries, fresh.tries) == (1, 2)
    published = [tenant.publication() for _ in range(2)]
    await asyncio.gather(
        store.finish(
            Finished(event=stale, status=EventStatus.FAILED, reason="stale", at=later, publications=(published[0],))
        ),
        store.finish(Finished(event=fresh, status=EventStatus.HANDLED, at=later, publications=(published[1],))),
    )
    assert (await tenant.event(identifier)).status == "HANDLED"
    rows = await tenant.database.fetch("SELECT event_id FROM outbox WHERE tenant_id = $1", tenant.tenant_id)
    assert [row["event_id"] for row in rows] == [published[1].event_id]


async def test_movement_that_cannot_be_read_is_retried_and_published_once(tenant: Tenant) -> None:
    await tenant.own()
    attempt = await tenant.unanswered()
    charge = {
        "id": "ch_1",
        "amount_captured": 1_000,
        "currency": "brl",
        "payment_intent": f"pi_{attempt.id.hex}",
        "balance_transaction": "txn_1",
        "metadata": tenant.intent(attempt)["metadata"],
    }
    identifier = await tenant.receive("charge.captured", charge)
    await tenant.work()
    assert (await tenant.event(identifier)).status == "RECEIVED"
    assert await tenant.published() == ["payment.authorized", "payment.captured"]
    tenant.fee = {"fee": 59}
    tenant.clock.advance(timedelta(seconds=2))
    await tenant.work()
    assert (await tenant.event(identifier)).status == "HANDLED"
    assert await tenant.published() == ["payment.authorized", "payment.captured", "processor_movement.recorded"]


async def test_two_workers_publish_an_outcome_once(tenant: Tenant) -> None:
    tenant.fee = {"fee": 59, "currency": "brl", "created": 1_763_800_000}
    attempts = [await tenant.unanswered() for _ in range(20)]
    for attempt in attempts:
        identifier = f"evt_{attempt.id.hex}"
        for _ in range(2):
            await tenant.receive(
                "payment_intent.amount_capturable_updated", tenant.intent(attempt), event_id=identifier
            )
    await asyncio.gather(*(inbox.work(limit=50) for inbox in (tenant.inbox, tenant.another(), tenant.another())))
    assert await tenant.published() == ["payment.authorized"] * 20


async def test_counting_reads_what_waits_or_is_kept_and_nothing_else(tenant: Tenant) -> None:
    async with tenant.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO stripe_events (tenant_id, processor, id, type, status, body, happened_at, received_at) "
            "SELECT $1, 'stripe:many', 'evt_' || n, 'x', CASE WHEN n % 100 = 0 THEN 'UNMATCHED' ELSE 'HANDLED' END, '{}', "
            "$2, $2 FROM generate_series(1, 20000) AS n",
            tenant.tenant_id,
            tenant.clock.now(),
        )
        # Without statistics PostgreSQL takes most events for waiting ones: what counts is that it has a choice.
        await tx.execute("SET LOCAL enable_seqscan = off")
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {COUNT.text}")
        assert {"ix_stripe_events_waiting", "ix_stripe_events_kept"} <= set(re.findall(r"ix_\w+", plan)), plan
        assert "Seq Scan" not in plan, plan
        await tx.execute("DELETE FROM stripe_events WHERE processor = 'stripe:many'")


async def test_handled_events_are_forgotten_after_their_time_and_others_never(tenant: Tenant) -> None:
    await tenant.receive("product.created", {})
    kept = await tenant.receive(
        "payment_intent.succeeded", {"id": "pi", "metadata": {"payment_intent_id": str(new_id())}}
    )
    await tenant.work()
    store = EventStore(tenant.database)
    assert await store.forget(before=datetime(2026, 1, 1, tzinfo=UTC), limit=1_000) == 0
    assert await store.forget(before=tenant.clock.now() + timedelta(days=1), limit=1_000) > 0
    assert (await tenant.event(kept)).status == "FAILED"


@pytest.mark.parametrize("body", ["", "null", '{"id":"evt"}', '{"id":1,"type":"x","created":1,"data":{"object":{}}}'])
async def test_what_is_no_event_is_malformed(tenant: Tenant, body: str) -> None:
    with pytest.raises(NotGenuine, match="malformed"):
        await tenant.inbox.keep(body, tenant_id=tenant.tenant_id, processor="stripe")
