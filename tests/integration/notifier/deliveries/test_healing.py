"""Endpoints that fail rest without spending attempts, warn before they are switched off, and make up for what they missed."""

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from libs.common.contracts.notifier import (
    GetReplay,
    ListDeliveries,
    SendTestEvent,
    WebhookEndpointDisabled,
    WebhookEndpointFailing,
)
from libs.common.contracts.notifier.errors import EndpointInactive, EndpointNotFound, InvalidEndpoint, TooManySecrets
from libs.common.errors import IdempotencyKeyReused
from libs.common.ids import new_id
from services.notifier.deliveries import queries as delivery_queries
from services.notifier.endpoints import commands as endpoint_commands
from services.notifier.replays import commands as replay_commands
from services.notifier.replays import queries as replay_queries
from tests.integration.notifier.conftest import SETTINGS, Notifier, Receiver
from tests.support.waiting import until

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)


async def attempts(notifier: Notifier, tenant_id: str, endpoint_id: UUID) -> int:
    return sum(len(delivery.attempts) for delivery in await notifier.deliveries(tenant_id, endpoint_id))


async def published(notifier: Notifier, name: str) -> list[dict[str, object]]:
    rows = await notifier.database.fetch("SELECT body FROM outbox WHERE contract LIKE $1 ORDER BY seq", f"%:{name}")
    return [json.loads(row["body"]) for row in rows]


async def test_breaker_pauses_without_spending_attempts_until_one_success(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    receiver.status = 503
    endpoint = await notifier.register(tenant_id, receiver.url)
    count = SETTINGS.webhook_breaker_failures * 10
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(count)))
    async with notifier.delivering():

        async def paused() -> bool:
            # What was claimed before the breaker opened is sent and recorded first: a claim raises the fence, a record too.
            claimed = await notifier.database.fetchrow("SELECT 1 FROM deliveries WHERE fence <> 2 * attempts LIMIT 1")
            health = (await notifier.shown(tenant_id, endpoint.id)).health
            return health is not None and (health.status, health.waiting, claimed) == ("paused", count, None)

        await until(paused)
        # Slots towards an endpoint of which nothing is known are few, so the breaker opens long before all are tried.
        spent = await attempts(notifier, tenant_id, endpoint.id)
        assert SETTINGS.webhook_breaker_failures <= spent < count
        notifier.clock.advance(29 * SECOND)
        later = notifier.event(tenant_id)
        await notifier.handle(later)
        assert await attempts(notifier, tenant_id, endpoint.id) == spent
        # Half open: one at a time.
        notifier.clock.advance(1 * SECOND)

        async def probed() -> bool:
            return await attempts(notifier, tenant_id, endpoint.id) == spent + 1

        await until(probed)
        shown = await notifier.shown(tenant_id, endpoint.id)
        assert shown.health is not None
        assert shown.health.paused_until == notifier.clock.now() + 60 * SECOND
        assert shown.health.last_error == "status_503"
        receiver.status = 200
        notifier.clock.advance(1 * MINUTE)

        async def delivered() -> bool:
            return all(d.status == "DELIVERED" for d in await notifier.deliveries(tenant_id, endpoint.id))

        await until(delivered)
    shown = await notifier.shown(tenant_id, endpoint.id)
    assert shown.health is not None
    assert (shown.health.status, shown.health.consecutive_failures, shown.health.failing_since) == ("healthy", 0, None)


async def test_long_failure_warns_twice_then_disables_and_its_gap_is_replayed(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url + "/bad", ["payment.*"])
    receiver.status = 500
    async with notifier.delivering():
        for failures in range(1, 41):
            received = failures
            await notifier.handle(notifier.event(tenant_id))
            notifier.clock.advance(4 * HOUR)

            async def failed(expected: int = failures) -> bool:
                shown = await notifier.shown(tenant_id, endpoint.id)
                health = shown.health
                return not shown.is_active or (health is not None and health.consecutive_failures >= expected)

            await until(failed)
            if not (await notifier.shown(tenant_id, endpoint.id)).is_active:
                break

        async def ended() -> bool:
            if {d.status for d in await notifier.deliveries(tenant_id, endpoint.id)} == {"FAILED"}:
                return True
            notifier.clock.advance(1 * HOUR)
            return False

        # Also what was scheduled at the very moment of the end, once its time has come.
        await until(ended)
    shown = await notifier.shown(tenant_id, endpoint.id)
    assert (shown.is_active, shown.disabled_reason) == (False, "failing")
    assert shown.health is not None
    assert shown.health.status == "disabled"
    assert len(await published(notifier, "webhook_endpoint.failing")) == 2
    (disabled,) = await published(notifier, "webhook_endpoint.disabled")
    assert disabled["reason"] == "failing"
    missed = [notifier.event(tenant_id) for _ in range(3)]
    await notifier.handle(*missed)
    with pytest.raises(EndpointInactive):
        await notifier.replay(tenant_id, endpoint.id)
    receiver.status = 200
    # Event ids tell the real time while the clock of this test was turned; all of them lie before its present.
    back = await notifier.change(tenant_id, endpoint.id, is_active=True)
    assert back.gap is not None
    assert back.gap.until == notifier.clock.now()
    replay = await notifier.replay(tenant_id, endpoint.id, since=notifier.clock.now() - 3650 * DAY)
    # Every event, also one that was received at the very moment of the end and has no delivery.
    assert replay.total == received + len(missed)
    while await replay_commands.advance_replays(notifier.database, clock=notifier.clock):
        continue
    receiver.received.clear()
    async with notifier.delivering():

        async def delivered() -> bool:
            found = await notifier.deliveries(tenant_id, endpoint.id)
            return {d.status for d in found} == {"DELIVERED"}

        await until(delivered)
    assert {str(event.event_id) for event in missed} <= {r.headers["webhook-id"] for r in receiver.received}
    assert (await notifier.shown(tenant_id, endpoint.id)).is_active


async def test_other_endpoints_receive_the_trouble_of_a_failing_one(notifier: Notifier, tenant_id: str) -> None:
    broken = await notifier.register(tenant_id, "https://merchant.example/broken")
    other = await notifier.register(tenant_id, "https://merchant.example/other", ["webhook_endpoint.*"])
    common: dict[str, Any] = {
        "occurred_at": notifier.clock.now(),
        "tenant_id": tenant_id,
        "correlation_id": "c",
        "endpoint_id": broken.id,
        "url": broken.url,
        "failing_since": None,
        "consecutive_failures": 1,
        "last_error": "status_410",
    }
    await notifier.handle(WebhookEndpointDisabled(event_id=new_id(), reason="gone", **common))
    await notifier.handle(WebhookEndpointFailing(event_id=new_id(), disables_at=notifier.clock.now(), **common))
    assert await notifier.deliveries(tenant_id, broken.id) == []
    event_types = [d.event_type for d in await notifier.deliveries(tenant_id, other.id)]
    assert sorted(event_types) == ["webhook_endpoint.disabled", "webhook_endpoint.failing"]


async def test_after_a_rotation_both_secrets_verify_until_the_overlap_ends(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url, has_public_key=True)
    rotated = await notifier.rotate(tenant_id, endpoint.id, overlap_seconds=3600)
    assert endpoint.secret and rotated.secret and endpoint.secret != rotated.secret
    assert endpoint.public_key and rotated.public_key and endpoint.public_key != rotated.public_key

    async def signatures() -> list[str]:
        receiver.received.clear()
        await notifier.handle(notifier.event(tenant_id))
        async with notifier.delivering():
            await notifier.attempted(tenant_id, endpoint.id, times=1)
        return receiver.received[0].headers["webhook-signature"].split(" ")

    both = await signatures()
    assert [signature.split(",")[0] for signature in both] == ["v1", "v1a", "v1", "v1a"]
    request = receiver.received[0]
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    for public_key, signature in ((rotated.public_key, both[1]), (endpoint.public_key, both[3])):
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
        key.verify(base64.b64decode(signature.removeprefix("v1a,")), content)
    notifier.clock.advance(timedelta(hours=1))
    assert len(await signatures()) == 2
    for _ in range(5):
        await notifier.rotate(tenant_id, endpoint.id, overlap_seconds=60)
    with pytest.raises(TooManySecrets):
        await notifier.rotate(tenant_id, endpoint.id, overlap_seconds=60)
    await notifier.rotate(tenant_id, endpoint.id, overlap_seconds=0)
    assert len(await signatures()) == 2
    with pytest.raises(InvalidEndpoint):
        await notifier.rotate(tenant_id, endpoint.id, overlap_seconds=604_801)


async def test_test_event_has_own_headers_and_the_official_library_verifies_it(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    headers = {"Authorization": "Bearer t0p-secret", "X-Env": "live"}
    endpoint = await notifier.register(tenant_id, receiver.url, ["payment.settled"], headers=headers)
    assert endpoint.header_names == ("Authorization", "X-Env")
    row = await notifier.database.fetchrow("SELECT w::text AS text FROM webhook_endpoints AS w")
    assert row is not None
    assert "t0p-secret" not in row["text"]
    sent = await endpoint_commands.send_test_event(
        notifier.database, SendTestEvent(tenant_id=tenant_id, endpoint_id=endpoint.id), clock=notifier.clock
    )
    async with notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    (request,) = receiver.received
    assert request.headers["Authorization"] == "Bearer t0p-secret"
    assert request.headers["X-Env"] == "live"
    assert endpoint.secret is not None
    verified = Webhook(endpoint.secret).verify(request.body, request.headers)
    assert (verified["type"], verified["id"]) == ("webhook.test", str(sent.event_id))
    assert request.headers["X-Webhook-Delivery-Id"] == str(sent.delivery_id)
    await notifier.change(tenant_id, endpoint.id, is_active=False)
    with pytest.raises(EndpointInactive):
        await endpoint_commands.send_test_event(
            notifier.database, SendTestEvent(tenant_id=tenant_id, endpoint_id=endpoint.id), clock=notifier.clock
        )


async def test_a_change_changes_what_it_names_and_nothing_else(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(
        tenant_id, "https://merchant.example/", description="books", headers={"X-A": "1"}
    )
    changed = await notifier.change(tenant_id, endpoint.id, rate_limit_per_second=5, events=["payment.settled"])
    assert (changed.rate_limit_per_second, changed.events) == (5, ["payment.settled"])
    assert (changed.url, changed.description, changed.header_names) == (endpoint.url, "books", ("X-A",))
    assert (changed.secret, changed.is_active) == (None, True)
    lifted = await notifier.change(tenant_id, endpoint.id, rate_limit_per_second=0, headers={}, description="")
    assert (lifted.rate_limit_per_second, lifted.header_names, lifted.description) == (None, (), "")
    with pytest.raises(EndpointNotFound):
        await notifier.change(tenant_id + "-other", endpoint.id, description="mine")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("content-LENGTH", "1"),
        ("webhook-id", "x"),
        ("X-Webhook-Signature", "x"),
        ("Transfer-Encoding", "chunked"),
        ("Bad Name", "x"),
        ("X-Split", "a\r\nX-Injected: b"),
        ("X-Empty", ""),
        ("X-Wide", "é"),
        ("X-Long", "a" * 1025),
    ],
)
async def test_headers_that_are_ours_or_malformed_are_refused(
    notifier: Notifier, tenant_id: str, name: str, value: str
) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        await notifier.register(tenant_id, "https://merchant.example/", headers={name: value})
    assert refused.value.errors[0][0].startswith("/headers/")


async def test_the_rate_limit_holds_over_two_workers(notifier: Notifier, receiver: Receiver, tenant_id: str) -> None:
    limited = await notifier.register(tenant_id, receiver.url + "/limited", rate_limit_per_second=3)
    free = await notifier.register(tenant_id, receiver.url + "/free")
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(10)))
    async with notifier.delivering(notifier.courier(), notifier.courier()):
        await notifier.attempted(tenant_id, free.id, times=1)
        for second in range(1, 4):

            async def made(expected: int = 3 * second) -> bool:
                return await attempts(notifier, tenant_id, limited.id) == expected

            await until(made)
            notifier.clock.advance(1 * SECOND)
        await notifier.attempted(tenant_id, limited.id, times=1)


async def test_in_order_the_events_of_one_payment_wait_for_each_other_alone(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url, is_ordered=True)
    payment, other = new_id(), new_id()
    second = notifier.event(tenant_id, payment_intent_id=payment, sequence=4)
    first = notifier.event(tenant_id, payment_intent_id=payment, sequence=3)
    # The later one arrives first.
    await notifier.handle(second)
    await notifier.handle(first)
    receiver.answers = []
    receiver.status = 503
    async with notifier.delivering():

        async def received(*events: str) -> None:
            async def fact() -> bool:
                return set(events) <= {r.headers["webhook-id"] for r in receiver.received}

            await until(fact)

        await received(str(first.event_id))
        receiver.status = 200
        unhindered = notifier.event(tenant_id, payment_intent_id=other, sequence=1)
        await notifier.handle(unhindered)
        await received(str(unhindered.event_id))
        assert str(second.event_id) not in {r.headers["webhook-id"] for r in receiver.received}
        notifier.clock.advance(1 * MINUTE)
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    mine = [r.headers["webhook-id"] for r in receiver.received if r.headers["webhook-id"] != str(unhindered.event_id)]
    assert mine == [str(first.event_id), str(first.event_id), str(second.event_id)]
    assert json.loads(receiver.received[0].body)["data"]["sequence"] == 3


async def test_a_replay_repeats_deliveries_with_the_same_id_and_a_new_schedule(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    events = [notifier.event(tenant_id) for _ in range(5)]
    await notifier.handle(*events)
    async with notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    one = (events[0].event_id,)
    dry = await notifier.replay(tenant_id, endpoint.id, outcomes=("delivered",), event_ids=one, is_dry_run=True)
    assert (dry.status, dry.total, dry.id) == ("DRY_RUN", 1, None)
    assert not await replay_commands.advance_replays(notifier.database, clock=notifier.clock)
    begun = await notifier.replay(tenant_id, endpoint.id, outcomes=("delivered",), event_ids=one)
    assert await notifier.replay(tenant_id, endpoint.id, outcomes=("delivered",), event_ids=one) == begun
    with pytest.raises(IdempotencyKeyReused):
        await notifier.replay(tenant_id, endpoint.id, outcomes=("delivered",))
    await replay_commands.advance_replays(notifier.database, clock=notifier.clock)
    assert begun.id is not None
    done = await replay_queries.get_replay(notifier.database, GetReplay(tenant_id=tenant_id, replay_id=begun.id))
    assert (done.status, done.scheduled) == ("DONE", 1)
    receiver.status = 500
    async with notifier.delivering():
        for made in range(2, notifier.policy.attempts_max + 2):

            async def recorded(expected: int = made) -> bool:
                row = await notifier.database.fetchrow("SELECT attempts FROM deliveries WHERE event_id = $1", one[0])
                return row is not None and row["attempts"] == expected

            await until(recorded)
            notifier.clock.advance(25 * HOUR)
    row = await notifier.database.fetchrow("SELECT status, end_reason FROM deliveries WHERE event_id = $1", one[0])
    assert row is not None
    assert (row["status"], row["end_reason"]) == ("FAILED", "exhausted")
    again = [r for r in receiver.received if r.headers["webhook-id"] == str(one[0])]
    assert len(again) == 1 + notifier.policy.attempts_max
    assert len({(r.body, r.headers["X-Webhook-Delivery-Id"]) for r in again}) == 1


async def test_the_history_of_all_endpoints_is_filtered_and_paged_without_gaps(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    good = await notifier.register(tenant_id, receiver.url + "/good")
    gone = await notifier.register(tenant_id, receiver.url + "/gone")
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(4)))
    await notifier.change(tenant_id, gone.id, is_active=False)
    async with notifier.delivering():
        await notifier.attempted(tenant_id, good.id, times=1)

    async def listed(**filters: Any) -> list[tuple[UUID, UUID | None]]:
        seen, cursor = [], None
        while True:
            page = await delivery_queries.list_deliveries(
                notifier.database,
                ListDeliveries(tenant_id=tenant_id, limit=3, cursor=cursor, **filters),
            )
            seen += [(d.event_id, d.endpoint_id) for d in page.deliveries]
            if page.next_cursor is None:
                return seen
            cursor = page.next_cursor

    everything = await listed()
    assert len(everything) == len(set(everything)) == 8
    assert everything == sorted(everything, reverse=True)
    assert {endpoint for _, endpoint in await listed(status="DELIVERED")} == {good.id}
    assert {endpoint for _, endpoint in await listed(status="FAILED")} == {gone.id}
    assert len(await listed(event_id=everything[0][0])) == 2
    assert await listed(event_type="payment.failed") == []
    assert len(await listed(since=notifier.clock.now() - 3650 * DAY)) == 8
    assert await listed(until=notifier.clock.now() - 3650 * DAY) == []
    (delivery, *_) = await notifier.deliveries(tenant_id, good.id)
    assert delivery.attempts[0].response_excerpt == "taken"
