"""A delivery belongs to the cause of its event: in the log, and in a trace where traces are on."""

import pytest
import structlog.testing
from aiohttp import web

from libs.common.messaging import Received
from libs.common.observability import tracing
from libs.common.observability.correlation import Correlation
from libs.common.observability.logging import _add_correlation
from libs.common.observability.tracing import SpanKind
from services.notifier.deliveries import commands as delivery_commands
from tests.integration.notifier.conftest import Notifier, Receiver
from tests.support.spans import keeping

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def handle(notifier: Notifier, tenant_id: str, *, correlation_id: str, traceparent: str) -> None:
    event = notifier.event(tenant_id)
    received = Received(
        id=event.event_id,
        body=event,
        occurred_at=event.occurred_at,
        correlation=Correlation(correlation_id=correlation_id, tenant_id=tenant_id, traceparent=traceparent),
        attempt=0,
    )
    async with notifier.database.transaction() as tx:
        await delivery_commands.schedule(tx, [received], policy=notifier.policy, clock=notifier.clock)


async def test_each_attempt_is_a_span_of_the_event_s_trace(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    receiver.answers = [web.Response(status=500)]
    await handle(notifier, tenant_id, correlation_id="c-1", traceparent=PARENT)
    async with keeping() as kept, notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
        notifier.clock.advance(notifier.policy.pauses[1])
        await notifier.attempted(tenant_id, endpoint.id, times=2)
    first, second = kept.spans
    for span in kept.spans:
        assert (span.name, span.kind, span.parent) == ("deliver webhook", SpanKind.CLIENT, PARENT)
        assert (span.attributes["correlation_id"], span.attributes["tenant_id"]) == ("c-1", tenant_id)
    assert first.traceparent != second.traceparent
    assert [span.attributes["attempt"] for span in kept.spans] == [1, 2]
    assert [span.attributes["http.response.status_code"] for span in kept.spans] == [500, 200]
    assert (first.error, second.error) == ("5xx", "")


@pytest.mark.parametrize("correlation_id", ["c-1", ""])
async def test_failed_delivery_is_logged_with_its_cause(
    notifier: Notifier, receiver: Receiver, tenant_id: str, correlation_id: str
) -> None:
    receiver.status = 410
    endpoint = await notifier.register(tenant_id, receiver.url)
    # An empty one is that of a message that was received before they were kept.
    await handle(notifier, tenant_id, correlation_id=correlation_id, traceparent="")
    with structlog.testing.capture_logs(processors=[_add_correlation]) as lines:
        async with notifier.delivering():
            await notifier.attempted(tenant_id, endpoint.id, times=1)
    (failed,) = [line for line in lines if line["event"] == "delivery.failed"]
    assert failed["tenant_id"] == tenant_id
    assert failed["correlation_id"] == correlation_id or (not correlation_id and len(failed["correlation_id"]) == 32)
    assert "trace_id" not in failed


async def test_nothing_is_sent_to_merchants_of_the_trace(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await handle(notifier, tenant_id, correlation_id="c-1", traceparent=PARENT)
    async with keeping(), notifier.delivering():
        assert tracing.is_on()
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    (request,) = receiver.received
    assert "traceparent" not in {name.lower() for name in request.headers}
