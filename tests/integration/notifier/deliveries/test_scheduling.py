"""Which events lead to which deliveries."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from libs.common.contracts.api import IntentEvent, PaymentCaptured, PaymentFailed, PaymentIntentCreated, PaymentSettled
from libs.common.ids import derived_id
from services.notifier.deliveries.sql import endpoints as recipients
from tests.integration.notifier.conftest import Notifier

URL = "https://merchant.example/hooks"


async def count(notifier: Notifier, table: str) -> int:
    row = await notifier.database.fetchrow(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row["count"])


@pytest.mark.parametrize(
    ("listed", "kind", "is_delivered"),
    [
        ("*", PaymentIntentCreated, True),
        ("payment.*", PaymentIntentCreated, True),
        ("payment.intent.*", PaymentIntentCreated, True),
        ("payment.intent.created", PaymentIntentCreated, True),
        ("payment.intent.*", PaymentCaptured, False),
        ("payment.captured", PaymentCaptured, True),
        ("payment.settled", PaymentCaptured, False),
    ],
)
async def test_an_endpoint_receives_what_its_list_admits(
    notifier: Notifier, tenant_id: str, listed: str, kind: type[IntentEvent], is_delivered: bool
) -> None:
    endpoint = await notifier.register(tenant_id, URL, [listed])
    await notifier.handle(notifier.event(tenant_id, kind))
    assert [d.event_type for d in await notifier.deliveries(tenant_id, endpoint.id)] == (
        [kind.contract.name] if is_delivered else []
    )


async def test_every_endpoint_of_the_tenant_and_no_other_receives(notifier: Notifier, tenant_id: str) -> None:
    first, second = await notifier.register(tenant_id, URL), await notifier.register(tenant_id, URL)
    other = await notifier.register(tenant_id + "-other", URL)
    event = notifier.event(tenant_id)
    await notifier.handle(event)
    for endpoint in (first, second):
        (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
        assert delivery.event_id == event.event_id
        assert delivery.id == derived_id(event.event_id, f"delivery to {endpoint.id}")
    assert await notifier.deliveries(tenant_id + "-other", other.id) == []
    assert await count(notifier, "messages") == 1


async def test_nothing_is_kept_where_nobody_listens(notifier: Notifier, tenant_id: str) -> None:
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(3)))
    assert await count(notifier, "messages") == 0
    assert await count(notifier, "deliveries") == 0


async def test_an_event_received_twice_is_delivered_once(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    event = notifier.event(tenant_id)
    await notifier.handle(event)
    await notifier.handle(event, notifier.event(tenant_id))
    assert len(await notifier.deliveries(tenant_id, endpoint.id)) == 2
    assert await count(notifier, "messages") == 2


async def test_an_endpoint_that_is_off_gets_no_delivery_but_its_gap_is_kept(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    async with notifier.database.transaction() as tx:
        await recipients.disable(tx, (tenant_id, endpoint.id), reason="test", at=notifier.clock.now())
    await notifier.handle(notifier.event(tenant_id))
    assert await notifier.deliveries(tenant_id, endpoint.id) == []
    assert await count(notifier, "messages") == 1


async def test_the_body_is_what_other_teams_read_wrapped_for_merchants(notifier: Notifier, tenant_id: str) -> None:
    await notifier.register(tenant_id, URL)
    event = notifier.event(
        tenant_id,
        PaymentFailed,
        occurred_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        failure_code="insufficient_funds",
        failure_message="No.",
    )
    await notifier.handle(event)
    row = await notifier.database.fetchrow("SELECT body, payment_intent_id FROM messages")
    assert row is not None
    body = json.loads(row["body"])
    assert row["payment_intent_id"] == event.payment_intent_id
    assert list(body) == ["id", "type", "timestamp", "version", "tenant_id", "data"]
    assert (body["id"], body["type"], body["tenant_id"]) == (str(event.event_id), "payment.failed", tenant_id)
    assert body["timestamp"] == "2026-11-22T12:00:00Z"
    assert body["data"] == json.loads(event.encode())


async def test_a_large_pack_of_many_tenants_is_scheduled_at_once(notifier: Notifier, tenant_id: str) -> None:
    tenants = [f"{tenant_id}-{number}" for number in range(5)]
    of = {tenant: await notifier.register(tenant, URL) for tenant in tenants}
    await notifier.handle(*(notifier.event(tenants[number % 10 % 7 % 5], PaymentSettled) for number in range(500)))
    counts = [len(await notifier.deliveries(tenant, of[tenant].id)) for tenant in tenants]
    assert sum(counts) == 500


async def test_equal_events_keys_and_addresses_of_two_tenants_do_not_meet(notifier: Notifier, tenant_id: str) -> None:
    tenants = [tenant_id, f"{tenant_id}-other"]
    endpoints = {tenant: await notifier.register(tenant, URL) for tenant in tenants}
    event = notifier.event(tenant_id)
    await notifier.handle(*(msgspec.structs.replace(event, tenant_id=tenant) for tenant in tenants))
    replays = set()
    for tenant, endpoint in endpoints.items():
        (delivery,) = await notifier.deliveries(tenant, endpoint.id)
        assert delivery.event_id == event.event_id
        replays.add((await notifier.replay(tenant, endpoint.id, key="the same")).id)
    assert len(replays) == 2
