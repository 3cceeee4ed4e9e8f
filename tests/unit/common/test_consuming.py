"""What a consumer does without a broker: opening what arrives, settling it once, waiting for what is away."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from pamqp.commands import Basic

from libs.common.contracts import REGISTRY, gateway
from libs.common.errors import Unavailable, Undecodable
from libs.common.ids import new_id
from libs.common.messaging import settling
from libs.common.messaging.broadcasts import BroadcastConsumer
from libs.common.messaging.delivery import Delivery
from libs.common.messaging.envelope import ATTEMPTS_MAX, PACK_EVENTS_MAX, decode_pack, open_pack, received
from libs.common.messaging.letters import DeadLetter, _events
from libs.common.messaging.redelivery import judge
from libs.common.messaging.settling import acknowledge, hand_back, persist

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(**fields: Any) -> dict[str, Any]:
    """One event of a pack, as JSON."""
    body = {
        "payment_intent_id": str(UUID(int=7)),
        "amount_minor": 100,
        "currency": "BRL",
        "gateway_ref": "r",
        "captured_at": NOW.isoformat(),
    }
    return {
        "id": str(new_id()),
        "occurred_at": NOW.isoformat(),
        "tenant_id": "t",
        "correlation_id": "c",
        "traceparent": TRACE,
        "attempt": 3,
        "body": body,
    } | fields


def pack(*events: dict[str, Any], name: str = "payment.captured") -> bytes:
    return msgspec.json.encode({"type": name, "events": events})


class TestEnvelope:
    def test_event_is_what_its_sender_has_written(self) -> None:
        (packed,) = decode_pack(pack(event())).events
        found = received(packed, msgspec.json.Decoder(gateway.PaymentCaptured))
        assert (found.tenant_id, found.correlation.correlation_id, found.attempt) == ("t", "c", 3)
        assert (found.occurred_at, found.id, found.body.amount_minor) == (NOW, packed.id, 100)
        assert (found.correlation.traceparent, found.parent) == (TRACE, TRACE)

    @pytest.mark.parametrize(
        "fields",
        [
            {"attempt": -1},
            {"attempt": ATTEMPTS_MAX + 1},
            {"occurred_at": "2026-11-22T12:00:00"},
            {"occurred_at": "0000-01-01T00:00:00Z"},
            {"tenant_id": "t" * 201},
            {"correlation_id": "c" * 201},
            {"traceparent": "x" * 201},
            {"id": "7"},
            {"body": {"a": 1}, "correlation_id": None},
        ],
        ids=str,
    )
    def test_malformed_event_is_found_alone(self, fields: dict[str, Any]) -> None:
        good = event()
        events, malformed = open_pack(pack(good, event(**fields)))
        assert [str(each.id) for each in events] == [good["id"]]
        (bad,) = malformed
        assert msgspec.json.decode(bad.body)["type"] == "payment.captured"
        assert len(msgspec.json.decode(bad.body)["events"]) == 1
        assert bad.fault.detail.startswith("not an event")
        with pytest.raises(Undecodable):
            decode_pack(bad.body)

    def test_bounds_are_admitted(self) -> None:
        wide = event(attempt=ATTEMPTS_MAX, tenant_id="t" * 200, correlation_id="c" * 200, traceparent="x" * 200)
        plain = event(attempt=0)
        del plain["tenant_id"], plain["traceparent"], plain["attempt"]
        events, malformed = open_pack(pack(wide, plain))
        assert (len(events), len(malformed)) == (2, 0)
        assert (events[1].tenant_id, events[1].traceparent, events[1].attempt) == ("", "", 0)
        assert len(decode_pack(pack(*[plain] * PACK_EVENTS_MAX)).events) == PACK_EVENTS_MAX

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"[]",
            b"{}",
            b'{"type": "a", "events": []}',
            b'{"type": 1, "events": [{}]}',
            b"\xff",
            b"[" * 100_000,
            pack(*[{}] * (PACK_EVENTS_MAX + 1)),
        ],
        ids=lambda raw: raw[:20].decode(errors="replace") + str(len(raw)),
    )
    def test_what_is_no_pack_is_refused_whole(self, raw: bytes) -> None:
        with pytest.raises(Undecodable, match="not a pack of events"):
            open_pack(raw)

    def test_body_of_another_tenant_or_contract_is_refused(self) -> None:
        captured = REGISTRY["event:api:payment.captured"]
        fields = {"tenant_id": "other"} | {
            field.encode_name: None for field in msgspec.structs.fields(captured) if field.name not in {"tenant_id"}
        }
        with pytest.raises(Undecodable, match="the body breaks its contract"):
            received(decode_pack(pack(event(body=fields))).events[0], msgspec.json.Decoder(captured))


class Channel:
    """What would be sent through the driver's channel."""

    def __init__(self, *, is_closed: bool = False, fault: Exception | None = None) -> None:
        self.is_closed = is_closed
        self.fault = fault
        self.calls: list[tuple[str, int, bool]] = []

    async def basic_ack(self, tag: int) -> None:
        await self._take("ack", tag, False)

    async def basic_nack(self, tag: int, *, requeue: bool) -> None:
        await self._take("nack", tag, requeue)

    async def _take(self, word: str, tag: int, requeue: bool) -> None:
        if self.fault is not None:
            raise self.fault
        self.calls.append((word, tag, requeue))


def delivery(
    channel: Channel, body: bytes = b"{}", settled: list[Delivery] | None = None, **properties: Any
) -> Delivery:
    header = SimpleNamespace(properties=Basic.Properties(**properties))
    message: Any = SimpleNamespace(channel=channel, body=body, header=header)
    notes = settled if settled is not None else []
    return Delivery(message, tag=5, arrived_at=1.0, on_settled=notes.append)


class TestDelivery:
    async def test_is_settled_once_and_says_so(self) -> None:
        channel, settled = Channel(), list[Delivery]()
        message = delivery(channel, settled=settled)
        assert message.is_current
        await message.ack()
        await message.ack()
        await message.hand_back()
        assert channel.calls == [("ack", 5, False)]
        assert settled == [message]
        assert not message.is_current

    async def test_is_handed_back_to_come_again(self) -> None:
        channel, settled = Channel(), list[Delivery]()
        await delivery(channel, settled=settled).hand_back()
        assert channel.calls == [("nack", 5, True)]
        assert len(settled) == 1

    async def test_comes_again_where_its_channel_is_closed(self) -> None:
        settled: list[Delivery] = []
        message = delivery(Channel(is_closed=True), settled=settled)
        assert not message.is_current
        with pytest.raises(Unavailable):
            await message.ack()
        assert settled == []

    async def test_that_could_not_be_settled_may_be_settled_later(self) -> None:
        channel, settled = Channel(fault=ConnectionResetError()), list[Delivery]()
        message = delivery(channel, settled=settled)
        with pytest.raises(ConnectionResetError):
            await message.ack()
        assert message.is_current
        assert settled == []
        channel.fault = None
        await message.ack()
        assert settled == [message]

    def test_shows_what_its_sender_has_set_and_nothing_else(self) -> None:
        full = delivery(
            Channel(),
            headers={"a": 1},
            message_id="m",
            message_type="payment.captured",
            correlation_id="c",
            reply_to="r",
        )
        assert (full.headers, full.message_id, full.message_type) == ({"a": 1}, "m", "payment.captured")
        assert (full.correlation_id, full.reply_to) == ("c", "r")
        bare = delivery(Channel())
        assert (bare.headers, bare.message_id, bare.message_type) == ({}, None, "")
        assert (bare.correlation_id, bare.reply_to) == ("", "")


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_HANDED_BACK_SECONDS", 0)
    monkeypatch.setattr(settling, "_OUTAGE_PAUSES_SECONDS", (0.001, 0.002))


@pytest.mark.usefixtures("no_pauses")
class TestOutages:
    @pytest.mark.parametrize("settle", [acknowledge, hand_back])
    async def test_message_comes_again_when_the_broker_is_away_and_a_bug_is_raised(self, settle: Any) -> None:
        await settle(delivery(Channel(fault=ConnectionResetError())))
        await settle(delivery(Channel(is_closed=True)))
        with pytest.raises(KeyError):
            await settle(delivery(Channel(fault=KeyError("a bug"))))

    async def test_work_waits_for_what_is_away_however_long(self) -> None:
        faults: list[Exception] = [ConnectionResetError(), TimeoutError(), Unavailable("x"), OSError(), TimeoutError()]

        async def work() -> str:
            if faults:
                raise faults.pop()
            return "done"

        assert await persist(work, queue="q") == "done"

    async def test_bug_is_not_tried_again(self) -> None:
        calls = 0

        async def broken() -> None:
            nonlocal calls
            calls += 1
            raise KeyError("a bug")

        with pytest.raises(KeyError):
            await persist(broken, queue="q")
        assert calls == 1


async def test_pauses_of_an_outage_grow_from_a_tenth_of_a_second_to_five(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    turn = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await turn(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    faults: list[Exception] = [TimeoutError()] * 6

    async def work() -> None:
        if faults:
            raise faults.pop()

    await persist(work, queue="q")
    assert slept == [0.1, 0.5, 1.0, 2.0, 5.0, 5.0]


async def test_broadcast_reaches_its_handler_and_garbage_is_dropped() -> None:
    changed = REGISTRY["event:api:access.changed"]
    got: list[Any] = []
    taker = BroadcastConsumer(changed, got.append, service="api")
    assert taker.shared_name == "api.access.changed"
    assert taker.queue.startswith("api.access.changed.")
    assert taker.binding == ("api.events", "access.changed")
    channel = Channel()
    message = delivery(channel, body=pack(name="access.changed"))
    await taker.take(message)
    assert (got, channel.calls) == ([], [("ack", 5, False)])
    assert not taker.works_on(message)
    other = BroadcastConsumer(changed, got.append, service="api")
    assert other.queue != taker.queue


class TestLetters:
    def test_dead_letter_names_what_it_is_about(self) -> None:
        refund = event(body={"payment_intent_id": "p", "refund_id": "r"})
        plain, odd = event(), event(body=[1])
        letters = list(_events(pack(refund, plain, odd), reason="conflict"))
        assert letters == [
            DeadLetter(event_id=refund["id"], payment_intent_id="p", refund_id="r", reason="conflict"),
            DeadLetter(event_id=plain["id"], payment_intent_id=str(UUID(int=7)), reason="conflict"),
            DeadLetter(event_id=odd["id"], reason="conflict"),
        ]

    def test_what_is_no_pack_names_nothing(self) -> None:
        assert list(_events(b"garbage", reason="undecodable_message")) == []


class TestJudgement:
    def test_place_of_an_unforeseen_error_is_in_its_detail(self) -> None:
        def breaks() -> None:
            raise KeyError("lost")

        with pytest.raises(KeyError) as raised:
            breaks()
        assert judge(raised.value, attempt=0).detail == "KeyError: 'lost' at breaks"
        assert judge(KeyError("lost"), attempt=0).detail == "KeyError: 'lost'"

    def test_long_detail_is_cut_in_a_dead_letter(self) -> None:
        assert len(judge(Undecodable("x" * 2000), attempt=0).detail) == 500
