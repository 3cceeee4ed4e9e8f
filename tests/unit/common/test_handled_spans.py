"""What does not succeed is counted, and has one span for each try, also where the broker takes it back at the second request."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from prometheus_client import REGISTRY

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import PaymentCaptured
from libs.common.errors import TooEarly, Undecodable
from libs.common.ids import new_id
from libs.common.messaging.envelope import ATTEMPTS_MAX, PackedEvent, Received, received
from libs.common.messaging.intake import Intake
from libs.common.messaging.redelivery import Redelivery
from tests.support.spans import keeping

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 30, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STARTED = {"off": 0, "on": 1}
"""When the handling began, while traces are off and on."""


class Broker:
    """A broker that is away when it is first published to, or never."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.published = 0
        self._is_away = is_away

    async def publish(self, *_: Any, **__: Any) -> None:
        """Fail once where it is away, then count."""
        if self._is_away:
            self._is_away = False
            raise ConnectionError("the broker is away")
        self.published += 1


def an_intake(broker: Any) -> Intake[PaymentCaptured]:
    redelivery = Redelivery(broker, service="ledger", clock=ManualClock(NOW))
    return Intake(PaymentCaptured, queue=f"ledger.{uuid4()}", redelivery=redelivery)


def an_event(attempt: int = 0) -> tuple[PackedEvent, Received[PaymentCaptured]]:
    body = msgspec.Raw(msgspec.json.encode(PaymentCaptured.example))
    packed = PackedEvent(
        id=new_id(),
        occurred_at=NOW,
        correlation_id="c",
        tenant_id="t",
        traceparent=TRACE,
        attempt=attempt,
        body=body,
    )
    return packed, received(packed, msgspec.json.Decoder(PaymentCaptured))


def counted(intake: Intake[PaymentCaptured], outcome: str) -> float:
    labels = {"queue": intake.queue, "outcome": outcome}
    return REGISTRY.get_sample_value("messages_total", labels) or 0.0


async def test_event_that_the_broker_takes_back_late_has_one_span() -> None:
    broker = Broker(is_away=True)
    intake, failed = an_intake(broker), [an_event()]
    async with keeping() as kept:
        with pytest.raises(ConnectionError):
            await intake.redeliver(failed, TooEarly("not now"), started_ns=1)
        assert kept.spans == []
        await intake.redeliver(failed, TooEarly("not now"), started_ns=1)
    assert [span.attributes["outcome"] for span in kept.spans] == ["postponed"]
    assert (broker.published, counted(intake, "retried")) == (1, 1)


@pytest.mark.parametrize("traces", STARTED)
async def test_each_postponed_event_is_counted_once(traces: str) -> None:
    broker = Broker()
    intake = an_intake(broker)
    failed = [an_event(), an_event(), an_event(attempt=4)]
    async with keeping() as kept:
        await intake.redeliver(failed, TooEarly("not now"), started_ns=STARTED[traces])
    assert (broker.published, counted(intake, "retried")) == (2, 3)
    assert len(kept.spans) == (3 if traces == "on" else 0)


@pytest.mark.parametrize("traces", STARTED)
async def test_dead_lettered_events_are_no_retries(traces: str) -> None:
    broker = Broker()
    intake = an_intake(broker)
    async with keeping() as kept:
        await intake.redeliver([an_event(ATTEMPTS_MAX), an_event()], Undecodable("x"), started_ns=STARTED[traces])
    assert (broker.published, counted(intake, "retried")) == (2, 0)
    assert [span.attributes["outcome"] for span in kept.spans] == ["dead_lettered"] * (2 if traces == "on" else 0)
