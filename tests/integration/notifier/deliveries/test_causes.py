"""A delivery belongs to the cause of its event."""

import pytest
import structlog.testing

from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from libs.common.observability.logging import _add_correlation
from services.notifier.deliveries import commands as delivery_commands
from tests.integration.notifier.conftest import Notifier, Receiver


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
