"""What we hear: four commands of the api, each carried out on its own with no transaction open while we ask; and the api's
requests about configurations, attempts and events."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from libs.common.contracts.gateway import (
    AuthorizePayment,
    CapturePayment,
    RefundPayment,
    ReportCapture,
    VoidPayment,
)
from libs.common.contracts.gateway_requests import (
    AddGatewayConfig,
    DeleteGatewayConfig,
    GatewayConfig,
    GatewayConfigDeleted,
    ListAttempts,
    ListGatewayConfigs,
    ListProcessorEvents,
    RotateGatewayKeys,
)
from libs.common.messaging import Bus, Received
from services.gateway import metrics
from services.gateway.commands import CaptureReports, Commands, Configs
from services.gateway.domain import Operation
from services.gateway.queries import Queries
from services.gateway.resilience import ASKED_SECONDS

_OVERHEADS = {operation: metrics.OVERHEAD.labels(operation) for operation in Operation}


def register(bus: Bus, commands: Commands, *, concurrency: int) -> None:
    """Register everything that this service hears."""

    async def on_authorize_payment(received: Received[AuthorizePayment]) -> None:
        with _overhead(Operation.AUTHORIZE):
            await commands.authorize(received)

    async def on_capture_payment(received: Received[CapturePayment]) -> None:
        with _overhead(Operation.CAPTURE):
            await commands.capture(received)

    async def on_void_payment(received: Received[VoidPayment]) -> None:
        with _overhead(Operation.VOID):
            await commands.void(received)

    async def on_refund_payment(received: Received[RefundPayment]) -> None:
        with _overhead(Operation.REFUND):
            await commands.refund(received)

    bus.handle_each(AuthorizePayment, on_authorize_payment, concurrency=concurrency)
    bus.handle_each(CapturePayment, on_capture_payment, concurrency=concurrency)
    bus.handle_each(VoidPayment, on_void_payment, concurrency=concurrency)
    bus.handle_each(RefundPayment, on_refund_payment, concurrency=concurrency)


def register_reports(bus: Bus, reports: CaptureReports) -> None:
    """Register the command to report on a capture; it asks no processor, so it is handled in packs."""
    bus.handle(ReportCapture, reports.on_report_capture)


@contextmanager
def _overhead(operation: Operation) -> Iterator[None]:
    """Measure what is not the processor's time."""
    asked: list[float] = []
    token = ASKED_SECONDS.set(asked)
    began = time.perf_counter()
    try:
        yield
    finally:
        ASKED_SECONDS.reset(token)
        _OVERHEADS[operation].observe(max(0.0, time.perf_counter() - began - sum(asked)))


def register_requests(bus: Bus, configs: Configs, queries: Queries, *, changed: Callable[[], None]) -> None:
    """Register everything that this service is asked; `changed` is called after each change of a configuration."""

    async def on_add_gateway_config(request: AddGatewayConfig) -> GatewayConfig:
        added = await configs.add(request)
        changed()
        return added

    async def on_rotate_gateway_keys(request: RotateGatewayKeys) -> GatewayConfig:
        rotated = await configs.rotate(request)
        changed()
        return rotated

    async def on_delete_gateway_config(request: DeleteGatewayConfig) -> GatewayConfigDeleted:
        deleted = await configs.delete(request)
        changed()
        return deleted

    bus.answer(AddGatewayConfig, on_add_gateway_config)
    bus.answer(RotateGatewayKeys, on_rotate_gateway_keys)
    bus.answer(DeleteGatewayConfig, on_delete_gateway_config)
    bus.answer(ListGatewayConfigs, queries.configs)
    bus.answer(ListAttempts, queries.attempts)
    bus.answer(ListProcessorEvents, queries.events)
