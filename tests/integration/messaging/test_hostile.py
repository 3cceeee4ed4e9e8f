"""Hostile messages on every queue of all four services: each is dead-lettered once with a reason, and nothing stops.

`just fuzz-messages` sends more of them (`HOSTILE_MESSAGES`).
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from itertools import batched
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import strategies as st
from structlog.testing import capture_logs

from deploy.local.servers import Servers
from libs.common.contracts import Message, PublicEvent
from libs.common.contracts.api import TenantProvisioned
from libs.common.contracts.dead_letters import ListApiDeadLetters
from libs.common.contracts.gateway_requests import ListGatewayConfigs
from libs.common.contracts.ledger import ListAccounts
from libs.common.contracts.notifier.endpoints import ListEndpoints
from libs.common.ids import new_id
from libs.common.messaging.envelope import ATTEMPTS_MAX, PACK_EVENTS_MAX, PackedEvent, encode_pack
from libs.common.messaging.redelivery import UNEXPECTED_RETRIES_MAX
from tests.integration.messaging.hostile import (
    ANY_JSON,
    BRACKETS,
    QUEUES,
    REQUESTS,
    Platform,
    Requests,
    examples,
    running,
)
from tests.support.brokers import fresh_vhost
from tests.support.requests import body_of
from tests.support.waiting import until

pytestmark = pytest.mark.long

MESSAGES = int(os.environ.get("HOSTILE_MESSAGES", "120"))
REQUESTS_AT_ONCE = 60
TENANT = "tenant-hostile"

_MISSING, _MANY = object(), object()
_ODD: tuple[Any, ...] = (
    _MISSING,
    _MANY,
    *(-1, 0, 2**31, 2**63, 10**30, -(10**30), 1.5, 1e300, True, None),
    *("", "\x00", "a\x00b", "\u202e", "x" * 10_000, "XXX", "-0.01", "NaN", "1e999", "9" * 400, "../../x"),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", "9999-12-31", "0001-01-01"),
    *(
        "9999-12",
        "0001-01",
        "2026-02-30",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ),
    *([], {}, [None], [[]], {"": ""}, msgspec.Raw(b"[" * 2000 + b"]" * 2000), msgspec.Raw(b'"\\ud800"')),
)
"""What a member of a request is made; the first two take it away and make a long list of it."""
_ODD_TEXT: st.SearchStrategy[Any] = st.sampled_from(
    ["", "\x00", "a\x00b", "\n", "ü" * 100, "x" * 250, "4242424242424242", "00-0-0-0", f"00-{'g' * 32}-{'b' * 16}-01"]
)
_ODD_ENVELOPE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "type": _ODD_TEXT,
        "reply_to": _ODD_TEXT | st.sampled_from(["api.replies", "api.replies.", "api.replies.x", "ledger.events.x"]),
        "correlation_id": _ODD_TEXT,
        "message_id": _ODD_TEXT,
        "content_type": _ODD_TEXT,
        "content_encoding": st.just("gzip"),
        "expiration": st.sampled_from([0, 1, 2**30]),
        "priority": st.sampled_from([0, 255]),
        "headers": st.dictionaries(
            st.sampled_from(["X-Correlation-Id", "X-Tenant-Id", "traceparent", "x-delivery-count"]),
            _ODD_TEXT | st.sampled_from([7, -1, 2**40, 1.5, True, None, b"\xff", ["t"], {"a": 1}, "x" * 50_000]),
        ),
    },
)
_SOUND: dict[str, tuple[type[Message], bytes]] = {
    kind.contract.owner: (kind, body_of(kind, tenant=TENANT, ids="0190bbbb", named={}))
    for kind in (ListAccounts, ListGatewayConfigs, ListApiDeadLetters, ListEndpoints)
}


def _event(kind: type[Message], **changes: Any) -> dict[str, Any]:
    body = kind.example | ({"tenant_id": TENANT} if issubclass(kind, PublicEvent) else {})
    sound = {
        "id": str(new_id()),
        "occurred_at": datetime.now(UTC).isoformat(),
        "tenant_id": TENANT,
        "correlation_id": "c",
        "body": body,
    }
    return sound | changes


def _pack(kind: type[Message], *events: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"type": kind.contract.name, "events": events})


def _nested(kind: type[Message]) -> bytes:
    body = msgspec.Raw(b"[" * BRACKETS + b"]" * BRACKETS)
    event = PackedEvent(id=new_id(), occurred_at=datetime.now(UTC), tenant_id=TENANT, correlation_id="c", body=body)
    return encode_pack(kind.contract.name, [event])


_BROKEN_ENVELOPES: dict[str, st.SearchStrategy[Any]] = {
    "attempt": st.sampled_from([-1_000_000, -1, ATTEMPTS_MAX + 1, 10**30, "0", None, 1.5]),
    "id": st.sampled_from(["", "x", 1, None, "0" * 36]),
    "occurred_at": st.sampled_from(["2026-11-22T10:00:00", "yesterday", -1, None, "2026-13-45T00:00:00Z"]),
    "tenant_id": st.sampled_from(["t" * 100_000, 7, None, ["t"]]),
    "correlation_id": st.sampled_from(["c" * 1000, 7, None]),
    "traceparent": st.sampled_from(["0" * 1000, 7]),
    "body": ANY_JSON.filter(lambda body: not isinstance(body, dict) or not body),
}


def _malformed(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """Messages that must be dead-lettered as malformed, whatever the handler does."""
    broken = st.sampled_from(sorted(_BROKEN_ENVELOPES)).flatmap(
        lambda field: _BROKEN_ENVELOPES[field].map(lambda value: _pack(kind, _event(kind, **{field: value})))
    )
    return st.one_of(
        st.binary(max_size=200).filter(lambda raw: not raw.lstrip().startswith(b"{")),
        ANY_JSON.map(msgspec.json.encode),
        st.just(_nested(kind)),
        st.just(_pack(kind)),
        st.just(_pack(kind, *[_event(kind)] * (PACK_EVENTS_MAX + 1))),
        st.just(_pack(kind, _event(kind))[:-2]),
        broken,
    )


def _odd(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """Messages that their contract may admit: what becomes of them is the handler's decision.

    They come for the last time that an unknown error is tried, so that such a one is seen as a dead letter.
    """
    fields = sorted(kind.example)
    value: st.SearchStrategy[Any] = st.sampled_from(
        [-1, 0, 10**18, 10**30, "", "\x00", "x" * 10_000, "XXX", None, [], {}, 1e300, "0001-01-01T00:00:00Z"]
    )
    changes = st.dictionaries(st.sampled_from(fields), value, min_size=1, max_size=3)

    def changed(change: dict[str, Any]) -> bytes:
        event = _event(kind, attempt=UNEXPECTED_RETRIES_MAX)
        return _pack(kind, event | {"body": event["body"] | change | {"unknown": "field"}})

    twice = _event(kind, attempt=UNEXPECTED_RETRIES_MAX)
    return changes.map(changed) | st.just(_pack(kind, twice, twice))


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all members and elements below a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in inside:
        yield (*path, key)
        yield from _places(member, (*path, key))


def _odd_request(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """Requests whose members are of other types, out of range, missing, unknown, deep or many."""
    sound = msgspec.json.decode(body_of(kind, tenant=TENANT, ids="0190aaaa", named={}))
    example = msgspec.json.encode(sound | {"unknown": 0})
    paths = list(_places(msgspec.json.decode(example)))

    def changed(changes: list[tuple[tuple[str | int, ...], Any]]) -> bytes:
        body = msgspec.json.decode(example)
        for path, odd in changes:
            place = body
            for key in path[:-1]:
                place = place[key]
            if odd is _MISSING:
                place[path[-1]] = None
                if isinstance(place, dict):
                    del place[path[-1]]
            elif odd is _MANY:
                place[path[-1]] = [place[path[-1]]] * 3000
            else:
                place[path[-1]] = odd
        return msgspec.json.encode(body)

    one = st.tuples(st.sampled_from(paths), st.sampled_from(_ODD) | ANY_JSON)
    # Two that contain each other cannot both be changed.
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda change: change[0][0]).map(changed)


@pytest.fixture(scope="module")
async def platform(servers: Servers) -> AsyncIterator[Platform]:
    with fresh_vhost(servers) as url:
        async with running(servers, url) as made:
            yield made


@pytest.fixture(scope="module")
async def requests(platform: Platform) -> Requests:
    made = Requests(platform)
    await made.open()
    return made


async def test_malformed_message_is_dead_lettered_once_on_every_queue(platform: Platform) -> None:
    expected: Counter[str] = Counter()
    for queue, kind in QUEUES:
        for body in {
            _nested(kind),
            _pack(kind, _event(kind, attempt=-1_000_000)),
            *examples(_malformed(kind), MESSAGES // len(QUEUES)),
        }:
            await platform.send(queue, body)
            expected[queue] += 1
    await until(platform.is_idle, seconds=120)
    for queue, _ in QUEUES:
        assert await platform.reasons(queue) == Counter({"undecodable_message": expected[queue]}), queue
    await asyncio.gather(*(service.bus.ping() for service in platform.services.values()))


async def test_odd_message_stops_nothing_and_is_no_unknown_error(platform: Platform) -> None:
    sent: dict[str, list[bytes]] = {queue: [] for queue, _ in QUEUES}
    for queue, kind in QUEUES:
        for body in examples(_odd(kind), MESSAGES // len(QUEUES)):
            await platform.send(queue, body)
            sent[queue].append(body)
    await until(platform.is_idle, seconds=120)
    for queue, _ in QUEUES:
        reasons = await platform.reasons(queue)
        assert reasons.keys().isdisjoint({"internal_error", "unexpected_error"}), (queue, reasons, sent[queue])
    await asyncio.gather(*(service.bus.ping() for service in platform.services.values()))


async def test_hostile_request_is_answered_with_a_refusal(platform: Platform, requests: Requests) -> None:
    tickets = [
        await requests.send(queue, kind, body)
        for queue, kind in REQUESTS
        for body in (b"", b"\xff", b"[" * BRACKETS + b"]" * BRACKETS, b"[]", b"7")
    ]
    assert {reply.refusal.kind if reply.refusal else "" for reply in await requests.answers(tickets)} == {"Invalid"}


async def test_request_of_odd_members_is_answered_and_is_no_unknown_error(
    platform: Platform, requests: Requests
) -> None:
    bodies = [
        (queue, kind, body)
        for queue, kind in REQUESTS
        for body in examples(_odd_request(kind), max(1, MESSAGES // len(QUEUES)))
    ]
    not_answered: list[tuple[str, bytes]] = []
    with capture_logs() as logged:
        # Fewer than may wait: the broker drops what waits for a minute.
        for some in batched(bodies, REQUESTS_AT_ONCE):
            tickets = [await requests.send(queue, kind, body) for queue, kind, body in some]
            for (_, kind, body), reply in zip(some, await requests.answers(tickets), strict=True):
                if reply.refusal is not None and reply.refusal.kind == "Unavailable":
                    not_answered.append((kind.contract.name, body[:2000]))
    assert not_answered == [], [entry for entry in logged if entry["event"].startswith("request.")]
    await _answers_sound_ones(platform, requests)


async def test_request_of_an_odd_envelope_stops_nothing(platform: Platform, requests: Requests) -> None:
    with capture_logs() as logged:
        for queue, kind in REQUESTS:
            body = body_of(kind, tenant=TENANT, ids=uuid4().hex[:8], named={})
            for envelope in examples(_ODD_ENVELOPE, max(1, MESSAGES // len(QUEUES))):
                await requests.send(queue, kind, body, **envelope)
        await until(platform.is_idle, seconds=120)
    assert [entry for entry in logged if entry["event"] == "request.failed"] == []
    await _answers_sound_ones(platform, requests)


async def _answers_sound_ones(platform: Platform, requests: Requests) -> None:
    """Make sure that each service answers a request, and that no request is left."""
    tickets = [await requests.send(f"{service}.requests.work", *sound) for service, sound in _SOUND.items()]
    assert {reply.refusal for reply in await requests.answers(tickets)} == {None}
    await until(platform.is_idle)
    await asyncio.gather(*(service.bus.ping() for service in platform.services.values()))


async def test_malformed_event_spoils_no_neighbour(platform: Platform) -> None:
    queue = "ledger.tenant.provisioned"
    tenants = [f"{TENANT}-{i}" for i in range(3)]
    sound = [_event(TenantProvisioned, body={"tenant_id": tenant, "name": "n"}) for tenant in tenants]
    worst: list[Callable[[], dict[str, Any]]] = [
        lambda: _event(TenantProvisioned, attempt=-1_000_000),
        lambda: _event(TenantProvisioned, occurred_at="2026-11-22T10:00:00"),
        lambda: _event(TenantProvisioned, body=msgspec.Raw(b"[" * BRACKETS + b"]" * BRACKETS)),
    ]
    await platform.send(queue, _pack(TenantProvisioned, sound[0], worst[0](), sound[1], worst[1](), sound[0]))
    await platform.send(queue, _pack(TenantProvisioned, worst[1](), sound[2], worst[0]()))
    # Brackets that deep spoil the message: no JSON reader of ours finds where they end.
    await platform.send(queue, _pack(TenantProvisioned, worst[2]()))
    await until(platform.is_idle)
    assert await platform.reasons(queue) == Counter({"undecodable_message": 5})
    rows = await platform.services["ledger"].database.fetch(
        "SELECT DISTINCT tenant_id FROM accounts WHERE tenant_id = ANY($1::text[])", tenants
    )
    assert sorted(row["tenant_id"] for row in rows) == tenants
