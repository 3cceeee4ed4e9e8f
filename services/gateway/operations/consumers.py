"""What is handled of operations: four commands of the api, each carried out on its own with no transaction open during the
call; the command to report a capture; and requests for attempts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from libs.common.clock import Clock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, RefundPayment, ReportCapture, VoidPayment
from libs.common.contracts.gateway_requests import (
    AttemptList,
    ClientSecret,
    ListAttempts,
    ListUnknownOutcomes,
    ReadClientSecret,
    UnknownOutcomeList,
)
from libs.common.db import Connection, Database
from libs.common.messaging import Bus, Received
from services.gateway import metrics
from services.gateway.operations import commands, queries
from services.gateway.operations.commands import Commands
from services.gateway.operations.sql import AttemptStore
from services.gateway.processors.port import Operation
from services.gateway.resilience import CALLED_SECONDS

_OVERHEADS = {operation: metrics.OVERHEAD.labels(operation) for operation in Operation}


class OperationConsumers:
    """Carries out operations on payments."""

    def __init__(
        self,
        operations: Commands,
        *,
        database: Database,
        store: AttemptStore,
        fetch_way: queries.FetchWay,
        concurrency: int,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._fetch_way = fetch_way
        self._operations = operations
        self._concurrency = concurrency
        self._clock = clock

    def register(self, bus: Bus) -> None:
        """Handle every command of this subject, and answer its requests."""
        bus.handle_each(AuthorizePayment, self.on_authorize_payment, concurrency=self._concurrency)
        bus.handle_each(CapturePayment, self.on_capture_payment, concurrency=self._concurrency)
        bus.handle_each(VoidPayment, self.on_void_payment, concurrency=self._concurrency)
        bus.handle_each(RefundPayment, self.on_refund_payment, concurrency=self._concurrency)
        bus.handle(ReportCapture, self.on_report_capture)
        bus.answer(ListAttempts, self.on_list_attempts)
        bus.answer(ListUnknownOutcomes, self.on_list_unknown_outcomes)
        bus.answer(ReadClientSecret, self.on_read_client_secret)

    async def on_authorize_payment(self, received: Received[AuthorizePayment]) -> None:
        """Hold the funds of a payment."""
        with _overhead(Operation.AUTHORIZE):
            await self._operations.authorize(received)

    async def on_capture_payment(self, received: Received[CapturePayment]) -> None:
        """Take the held funds of a payment."""
        with _overhead(Operation.CAPTURE):
            await self._operations.capture(received)

    async def on_void_payment(self, received: Received[VoidPayment]) -> None:
        """Release the held funds of a payment."""
        with _overhead(Operation.VOID):
            await self._operations.void(received)

    async def on_refund_payment(self, received: Received[RefundPayment]) -> None:
        """Give captured funds back."""
        with _overhead(Operation.REFUND):
            await self._operations.refund(received)

    async def on_report_capture(
        self, tx: Connection, received: Sequence[Received[ReportCapture]]
    ) -> Callable[[], None]:
        """Report what our records have of captures; no processor is called, so packs are handled as they come."""
        return await commands.report_captures(tx, received, clock=self._clock)

    async def on_list_attempts(self, request: ListAttempts) -> AttemptList:
        """List the attempts of a payment."""
        return await queries.list_attempts(self._store, request)

    async def on_list_unknown_outcomes(self, request: ListUnknownOutcomes) -> UnknownOutcomeList:
        """List the operations of a tenant whose outcome is not known."""
        return await queries.list_unknown(self._database, request)

    async def on_read_client_secret(self, request: ReadClientSecret) -> ClientSecret:
        """Fetch with what a customer goes on."""
        return await queries.client_secret(self._store, request, fetch=self._fetch_way)


@contextmanager
def _overhead(operation: Operation) -> Iterator[None]:
    """Measure what is not the processor's time."""
    calls: list[float] = []
    token = CALLED_SECONDS.set(calls)
    began = time.perf_counter()
    try:
        yield
    finally:
        CALLED_SECONDS.reset(token)
        _OVERHEADS[operation].observe(max(0.0, time.perf_counter() - began - sum(calls)))
