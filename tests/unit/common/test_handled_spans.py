"""Of each try to handle an event there is one span, also where the broker takes it back at the second request."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import PaymentCaptured
from libs.common.errors import TooEarly
from libs.common.ids import new_id
from libs.common.messaging.envelope import PackedEvent, received
from libs.common.messaging.intake import Intake
from libs.common.messaging.redelivery import Redelivery
from tests.support.spans import keeping

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 30, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Away:
    """A broker that is away when it is first published to."""

    def __init__(self) -> None:
        self.published = 0

    async def publish(self, *_: Any, **__: Any) -> None:
        """Fail once, then count."""
        self.published += 1
        if self.published == 1:
            raise ConnectionError("the broker is away")


async def test_event_that_the_broker_takes_back_late_has_one_span() -> None:
    broker: Any = Away()
    intake = Intake(
        PaymentCaptured, queue="ledger.q", redelivery=Redelivery(broker, service="ledger", clock=ManualClock(NOW))
    )
    body = msgspec.json.encode(PaymentCaptured.example)
    packed = PackedEvent(
        id=new_id(), occurred_at=NOW, correlation_id="c", tenant_id="t", traceparent=TRACE, body=msgspec.Raw(body)
    )
    failed = [(packed, received(packed, msgspec.json.Decoder(PaymentCaptured)))]
    async with keeping() as kept:
        with pytest.raises(ConnectionError):
            await intake.redeliver(failed, TooEarly("not now"), started_ns=1)
        assert kept.spans == []
        await intake.redeliver(failed, TooEarly("not now"), started_ns=1)
    assert [span.attributes["outcome"] for span in kept.spans] == ["postponed"]
    assert broker.published == 2
