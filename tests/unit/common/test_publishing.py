"""What the relay does without a broker: its bound, the packs it makes, what the outbox holds and what is sent again."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts import PUBLIC_EXCHANGE, REGISTRY, gateway
from libs.common.db.statements import Statement
from libs.common.errors import Invalid
from libs.common.ids import new_id
from libs.common.messaging import Publication
from libs.common.messaging.envelope import decode_pack
from libs.common.messaging.frames import PublicMessage
from libs.common.messaging.outbox import INSERT_OUTBOX
from libs.common.messaging.relay import Refusal, _pause
from libs.common.messaging.resend import Window, parse_window
from libs.common.messaging.shipments import Shipment, destinations, shipments
from libs.common.messaging.silence import Silence
from libs.common.messaging.watermark import FULL_SCAN_SECONDS, LAG_SECONDS, Watermark
from libs.common.observability.correlation import Correlation

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

CAPTURED_TO_US = "event:gateway:payment.captured"
CAPTURED_TO_ALL = "event:api:payment.captured"
SETTLED_TO_ALL = "event:api:payment.settled"
ACCESS = "event:api:access.changed"
AUTHORIZE = "command:gateway:payment.authorize"


def row(contract: str, seq: int = 1, **fields: Any) -> dict[str, Any]:
    """A row of the outbox."""
    return {
        "seq": seq,
        "event_id": UUID(int=seq),
        "contract": contract,
        "tenant_id": "t",
        "correlation_id": f"c-{seq}",
        "traceparent": f"trace-{seq}",
        "occurred_at": NOW + timedelta(seconds=seq),
        "body": f'{{"n":{seq}}}',
        "attempts": 0,
    } | fields


def planned(rows: list[dict[str, Any]], *, pack_max: int = 100, destination: str = "") -> list[Shipment]:
    plan, unknown = shipments(rows, pack_max, destination=destination)  # type: ignore[arg-type]
    assert not unknown
    return plan


class TestBound:
    def scanned(self, *, at: float = 0.0) -> Watermark:
        mark = Watermark()
        assert mark.start(at) == 0
        mark.scanned(began=at, now=at)
        return mark

    def test_follows_what_was_sent_by_the_lag(self) -> None:
        mark = self.scanned()
        mark.sent([3, 5, 4], 1.0)
        assert mark.start(1.0 + LAG_SECONDS - 0.01) == 0
        assert mark.start(1.0 + LAG_SECONDS) == 5
        mark.sent([6, 9], 2.5)
        assert mark.start(3.0) == 5
        assert mark.start(3.5) == 9

    def test_is_left_aside_when_a_full_scan_is_due(self) -> None:
        mark = self.scanned()
        mark.sent([5], 0.5)
        assert mark.start(FULL_SCAN_SECONDS - 0.1) == 5
        assert mark.start(FULL_SCAN_SECONDS) == 0
        mark.scanned(began=5.0, now=5.1)
        assert mark.start(5.1) == 5

    def test_long_scan_is_not_due_again_soon(self) -> None:
        mark = Watermark()
        mark.scanned(began=0.0, now=1.0)
        mark.sent([5], 1.0)
        assert mark.start(20.9) == 5
        assert mark.start(21.0) == 0

    def test_goes_back_for_a_row_that_committed_late(self) -> None:
        mark = self.scanned()
        mark.sent([10], 0.0)
        assert mark.start(1.0) == 10
        mark.sent([10], 1.1)
        assert mark.start(1.2) == 9
        mark.sent([4], 1.3)
        assert mark.start(1.3) == 3

    def test_goes_back_where_a_failover_has_set_the_sequence_back(self) -> None:
        mark = self.scanned()
        mark.sent([10], 0.0)
        assert mark.start(1.0) == 10
        mark.sent([100], 1.1)
        mark.sent([50], 1.2)
        assert mark.start(2.15) == 10
        assert mark.start(2.2) == 50

    def test_keeps_few_marks_under_load_and_moves_on_all_the_same(self) -> None:
        mark = self.scanned()
        for step in range(100):
            mark.sent([step + 1], step / 100)
        assert len(mark._marks) <= 12
        assert 75 <= mark.start(1.9) <= 90
        assert mark.start(2.0) == 100

    def test_moves_on_in_steps_of_a_tenth_of_a_second(self) -> None:
        mark = self.scanned()
        for seq, at in [(1, 0.0), (2, 0.1), (3, 0.15), (4, 0.2), (5, 0.3)]:
            mark.sent([seq], at)
        assert [mark.start(LAG_SECONDS + at) for at in (0.01, 0.11, 0.21, 0.31)] == [1, 2, 4, 5]

    def test_forgets_all_after_an_outage(self) -> None:
        mark = self.scanned()
        mark.sent([10], 0.0)
        assert mark.start(1.0) == 10
        mark.sent([11], 1.0)
        mark.reset()
        assert mark.start(1.0) == 0
        mark.scanned(began=1.0, now=1.0)
        assert mark.start(4.0) == 0


class TestShipments:
    def test_every_subscriber_gets_an_event_in_a_queue_of_its_own(self) -> None:
        plan = planned([row(CAPTURED_TO_US)])
        assert [shipment.destination for shipment in plan] == ["api.payment.captured", "ledger.payment.captured"]
        properties = [shipment.pack()[1] for shipment in plan]
        assert [p["exchange"] for p in properties] == ["gateway.events"] * 2
        assert [p["routing_key"] for p in properties] == ["api.payment.captured", "ledger.payment.captured"]
        assert [p["mandatory"] for p in properties] == [True, True]
        assert len({p["message_id"] for p in properties}) == 2

    def test_only_handler_is_reached_by_the_name_of_the_message(self) -> None:
        (shipment,) = planned([row(AUTHORIZE)])
        properties = shipment.pack()[1]
        assert (properties["exchange"], properties["routing_key"]) == ("gateway.commands", "payment.authorize")
        assert properties["message_id"] == f"{UUID(int=1)}/gateway.payment.authorize"

    def test_pack_holds_its_events_in_order_and_no_more_than_it_may(self) -> None:
        rows = [row(AUTHORIZE, seq) for seq in range(1, 8)]
        packs = planned(rows, pack_max=3)
        assert [[r["seq"] for r in pack.rows] for pack in packs] == [[1, 2, 3], [4, 5, 6], [7]]
        body, properties = packs[1].pack()
        pack = decode_pack(body)
        assert pack.type == properties["message_type"] == "payment.authorize"
        assert properties["headers"] == {"x-events": 3}
        assert properties["timestamp"] == NOW + timedelta(seconds=4)
        first = pack.events[0]
        assert (first.id, first.tenant_id, first.correlation_id) == (UUID(int=4), "t", "c-4")
        assert (first.traceparent, first.occurred_at, first.attempt) == ("trace-4", NOW + timedelta(seconds=4), 0)
        assert bytes(first.body) == b'{"n":4}'

    def test_other_teams_get_the_bare_body_and_nobody_need_be_bound(self) -> None:
        plan = planned([row(SETTLED_TO_ALL, 1), row(SETTLED_TO_ALL, 2)])
        public = [shipment for shipment in plan if shipment.is_public]
        assert [len(shipment.rows) for shipment in public] == [1, 1]
        assert public[1].public() == PublicMessage(
            body=b'{"n":2}',
            type="payment.settled",
            timestamp=NOW + timedelta(seconds=2),
            exchange=PUBLIC_EXCHANGE,
            routing_key="payment.settled",
            message_id=str(UUID(int=2)),
            correlation_id="c-2",
            headers={"X-Correlation-Id": "c-2", "X-Tenant-Id": "t", "traceparent": "trace-2"},
        )
        ours = [shipment for shipment in plan if not shipment.is_public]
        assert {shipment.destination for shipment in ours} == {"notifier.payment.settled", "ledger.payment.settled"}
        assert all(len(shipment.rows) == 2 for shipment in ours)

    def test_broadcast_goes_to_whoever_is_there(self) -> None:
        (shipment,) = planned([row(ACCESS)])
        properties = shipment.pack()[1]
        assert shipment.destination == properties["exchange"] == "api.events"
        assert (properties["routing_key"], properties["mandatory"]) == ("access.changed", False)

    def test_what_one_destination_refused_goes_to_that_one_alone(self) -> None:
        rows = [row(CAPTURED_TO_US, 1), row(CAPTURED_TO_US, 2)]
        (shipment,) = planned(rows, destination="ledger.payment.captured")
        assert (shipment.destination, len(shipment.rows)) == ("ledger.payment.captured", 2)
        assert planned([row(CAPTURED_TO_ALL)], destination=PUBLIC_EXCHANGE)[0].is_public

    def test_contract_of_another_version_is_distinguished(self) -> None:
        strange = row("event:api:payment.dreamt")
        plan, unknown = shipments([strange, row(AUTHORIZE, 2)], 100)  # type: ignore[list-item]
        assert [each["contract"] for each in unknown] == ["event:api:payment.dreamt"]
        assert [shipment.destination for shipment in plan] == ["gateway.payment.authorize"]

    @pytest.mark.parametrize(
        ("contract", "places"),
        [
            (CAPTURED_TO_ALL, (PUBLIC_EXCHANGE, "notifier.payment.captured")),
            (AUTHORIZE, ("gateway.payment.authorize",)),
            (ACCESS, ("api.events",)),
        ],
    )
    def test_destinations_are_those_that_must_confirm(self, contract: str, places: tuple[str, ...]) -> None:
        assert destinations(REGISTRY[contract].contract) == places


def captured() -> Publication:
    body = gateway.PaymentCaptured(
        payment_intent_id=new_id(), amount_minor=1, currency="BRL", gateway_ref="r", captured_at=NOW
    )
    cause = Correlation(correlation_id="c", tenant_id="t", traceparent="trace")
    return Publication.of(body, occurred_at=NOW, correlation=cause)


class TestOutbox:
    def test_each_column_gets_its_own_value(self) -> None:
        publication = captured()
        statement = Statement(INSERT_OUTBOX)
        columns, slots = statement.text.removeprefix("INSERT INTO outbox (").split(") SELECT * FROM unnest(")
        values = statement.arguments({"publications": [publication]})
        given = [values[int(slot) - 1] for slot in re.findall(r"\$(\d+)::", slots)]
        assert dict(zip(columns.split(", "), given, strict=True)) == {
            "event_id": [publication.event_id],
            "contract": [CAPTURED_TO_US],
            "tenant_id": ["t"],
            "correlation_id": ["c"],
            "traceparent": ["trace"],
            "occurred_at": [NOW],
            "body": [msgspec.json.encode(publication.message).decode()],
        }

    def test_event_that_has_an_id_keeps_it(self) -> None:
        known = new_id()
        publication = captured()
        again = Publication.of(
            publication.message, occurred_at=NOW, correlation=publication.correlation, event_id=known
        )
        assert again.event_id == known
        assert captured().event_id != captured().event_id


@pytest.mark.parametrize(
    ("destination", "pauses"),
    [("ledger.payment.captured", [1, 5, 30, 60, 60]), (PUBLIC_EXCHANGE, [1, 5, 30, 60, 300, 900, 900])],
)
def test_refused_message_waits_longer_each_time(destination: str, pauses: list[int]) -> None:
    attempts = range(-1, len(pauses))
    waits = [_pause(Refusal(destination, row(CAPTURED_TO_US, attempts=n))) for n in attempts]  # type: ignore[arg-type]
    assert [wait.total_seconds() for wait in waits] == [1, *pauses]


@pytest.mark.parametrize(
    ("notes", "lasts_until"),
    [
        ([0], 10),
        # What was published beside it does not count again.
        ([0, 0, 9.9], 10),
        ([0, 10], 30),
        ([0, 10, 30], 70),
        # A confirm for another routing key in between changes nothing; a long time without a silence does.
        ([0, 500], 520),
        ([0, 611], 621),
        ([0, 10, 30, 70, 150, 310], 610),
        ([0, 10, 30, 70, 150, 310, 610], 910),
    ],
)
def test_each_silence_is_longer_than_the_one_before(notes: list[float], lasts_until: float) -> None:
    silence = Silence()
    assert not silence.lasts(0)
    for now in notes:
        silence.note(now)
    assert [silence.lasts(lasts_until - 0.1), silence.lasts(lasts_until)] == [True, False]


class TestWindow:
    def test_command_line_says_what_is_published_again(self) -> None:
        intent = new_id()
        given = ["--since", "2026-11-22T10:00:00Z", "--until", "2026-11-22T11:00:00+01:00"]
        window = parse_window("gateway", [*given, "--contract", "payment.captured", "--intent", str(intent)], now=NOW)
        assert window == Window(
            since=datetime(2026, 11, 22, 10, tzinfo=UTC),
            until=datetime(2026, 11, 22, 10, tzinfo=UTC),
            contract="payment.captured",
            payment_intent_id=intent,
        )
        open_end = parse_window("gateway", ["--since", "2026-11-22T10:00:00"], now=NOW)
        assert open_end == Window(since=datetime(2026, 11, 22, 10, tzinfo=UTC), until=NOW)

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            (["--since", "yesterday"], "no instant"),
            (["--since", "2026-11-22", "--intent", "1"], "no payment intent's id"),
            (["--since", "2026-11-22", "--contract", "payment.posted"], "publishes no"),
        ],
    )
    def test_what_it_cannot_mean_is_refused(self, given: list[str], reason: str) -> None:
        with pytest.raises(Invalid, match=reason):
            parse_window("gateway", given, now=NOW)

    def test_beginning_must_be_given(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            parse_window("gateway", [], now=NOW)
        assert "--since" in capsys.readouterr().err

    def test_named_contract_alone_is_kept(self) -> None:
        publication = captured()
        window = Window(since=NOW, until=NOW, contract="payment.captured")
        assert window.of([publication]) == [publication]
        assert Window(since=NOW, until=NOW).of([publication]) == [publication]
        assert Window(since=NOW, until=NOW, contract="refund.failed").of([publication]) == []
