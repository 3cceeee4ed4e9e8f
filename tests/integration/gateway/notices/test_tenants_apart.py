"""Events of several tenants and accounts do not meet."""

import json
from datetime import timedelta

import pytest

from libs.common.contracts.gateway_errors import GatewayConfigConflict
from libs.common.ids import new_id
from services.gateway import metrics
from services.gateway.notices import EventStore
from tests.support.stripe_tenant import Tenant

PAYOUT = {"amount": 5_000, "currency": "brl", "created": 1_763_800_000, "status": "paid"}


async def test_single_event_of_a_tenant_is_claimed_beside_thousands_of_another(tenant: Tenant) -> None:
    store, now = EventStore(tenant.database), tenant.clock.now()
    await tenant.work()
    await tenant.database.write(
        "INSERT INTO stripe_events (tenant_id, processor, id, type, status, body, next_try_at, happened_at, received_at) "
        "SELECT $1, 'stripe:rude', 'evt_rude_' || $1 || n, 'x', 'RECEIVED', '{}', $2::timestamptz - interval '1 hour', "
        "$2, $2 FROM generate_series(1, 3000) AS n RETURNING 1",
        f"{tenant.tenant_id}-rude",
        now,
    )
    identifier = await tenant.receive("product.created", {})
    try:
        claimed = await store.claim(now=now, lease=timedelta(minutes=1), limit=100)
        assert identifier in {event.id for event in claimed}
        assert len([event for event in claimed if event.processor == "stripe:rude"]) == 50
        # Alone, the busy account gets all places.
        assert len(await store.claim(now=now, lease=timedelta(minutes=1), limit=100)) == 100
    finally:
        await tenant.database.write("DELETE FROM stripe_events WHERE processor = 'stripe:rude' RETURNING 1")


async def test_equal_events_and_payouts_of_two_tenants_are_two(tenant: Tenant) -> None:
    payout = {"id": "po_of_both", **PAYOUT}
    another = Tenant(tenant.database, tenant.clock, f"{tenant.tenant_id}-other")
    event_id = f"evt_{new_id().hex}"
    for account in (tenant, another):
        await account.own()
        for kind in ("payout.created", "payout.paid"):
            await account.receive(kind, payout, event_id=f"{event_id}{kind}")
    await tenant.work()
    rows = await tenant.database.fetch(
        "SELECT tenant_id, event_id, body::json ->> 'payout_id' AS payout_id FROM outbox WHERE tenant_id LIKE $1",
        f"{tenant.tenant_id}%",
    )
    # Each arrives once; that they have left the account, its statement shows.
    assert len(rows) == len({row["event_id"] for row in rows}) == 2
    payouts = {row["tenant_id"]: row["payout_id"] for row in rows}
    assert {row["payout_id"] for row in rows} == set(payouts.values())
    assert len(set(payouts.values())) == 2


async def test_a_payout_waits_until_it_is_known_of_which_account_it_is(tenant: Tenant) -> None:
    payout = {"id": "po_1", **PAYOUT}
    early, late = [await tenant.receive("payout.created", payout | {"id": f"po_{n}"}) for n in range(2)]
    await tenant.work()
    assert (await tenant.event(early)).status == "RECEIVED"
    assert await tenant.published() == []
    await tenant.own()
    tenant.clock.advance(timedelta(hours=1))
    await tenant.work()
    assert [(await tenant.event(each)).status for each in (early, late)] == ["HANDLED"] * 2
    assert len(await tenant.published()) == 2


async def test_what_is_about_a_shared_account_takes_effect_for_its_owner_alone(tenant: Tenant) -> None:
    other = Tenant(tenant.database, tenant.clock, f"{tenant.tenant_id}-other")
    account_id = f"acct_{new_id().hex}"
    await tenant.own(account_id)
    with pytest.raises(GatewayConfigConflict):
        await other.own(account_id)
    payout = {"id": "po_1", **PAYOUT}
    charge = {"id": "ch_1", "amount": 900, "currency": "brl", "payment_intent": "pi_of_nobody", "metadata": {}}
    metric = metrics.STRIPE_EVENTS_OF_ANOTHER._value
    before = metric.get()
    sent = {
        each: [await each.receive("payout.paid", payout), await each.receive("charge.updated", charge)]
        for each in (tenant, other)
    }
    await tenant.work()
    received = {each: [await each.event(event_id) for event_id in ids] for each, ids in sent.items()}
    assert [event.status for event in received[tenant]] == ["HANDLED", "RECEIVED"]
    assert [(event.status, event.reason) for event in received[other]] == [
        ("IGNORED", "account_of_another_configuration")
    ] * 2
    assert (len(await tenant.published()), await other.published()) == (1, [])
    assert metric.get() == before + 2


async def test_a_tenant_cannot_use_up_the_movement_of_another(tenant: Tenant) -> None:
    attempt, intruder = await tenant.unanswered(), Tenant(tenant.database, tenant.clock, f"{tenant.tenant_id}-other")
    tenant.fee = intruder.fee = {"fee": 59}
    await tenant.own()
    charge = {
        "id": "ch_1",
        "payment_intent": f"pi_{attempt.id.hex}",
        "amount_captured": 1_000,
        "currency": "brl",
        "balance_transaction": "txn_1",
        "metadata": tenant.intent(attempt)["metadata"],
    }
    own = f"stripe:{new_id()}"
    body = {"id": "evt_x", "type": "charge.updated", "created": 1_763_800_000, "data": {"object": charge}}
    await intruder.inbox.keep(json.dumps(body), tenant_id=intruder.tenant_id, processor=own)
    await tenant.receive("charge.updated", charge)
    await tenant.work()
    await intruder.work()
    assert await tenant.published() == ["processor_movement.recorded"]
    assert await intruder.published() == []
