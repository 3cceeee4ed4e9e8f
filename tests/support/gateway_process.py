"""One process of the gateway on a real database, and processors in front of which it dies."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, VoidPayment
from libs.common.contracts.gateway_base import PaymentCommand, PaymentMessage
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.gateway.app import patience
from services.gateway.notices import Notices
from services.gateway.operations import Attempt, AttemptStatus, AttemptStore, Commands, Restoring
from services.gateway.processors.port import Answer, Authorize, Finding, Processor
from services.gateway.resilience import AccountGuard, Bulkhead, Circuit, ResilientProcessor, Retries
from services.gateway.settings import ResolutionSettings
from tests.support.processors import SoleProcessor

PATIENCE = patience(ResolutionSettings())
DEADLINE_SECONDS = 2.0


class Killed(BaseException):
    """Stands for the end of the process: nothing after it happens."""


class Dying:
    """A processor in front of which, or behind which, the process dies the first time."""

    name = "sandbox"

    def __init__(self, processor: Processor, *, before_the_call: bool) -> None:
        self._processor = processor
        self._before = before_the_call
        self._died = False

    async def authorize(self, request: Authorize) -> Answer:
        if self._died:
            return await self._processor.authorize(request)
        self._died = True
        if not self._before:
            await self._processor.authorize(request)
        raise Killed

    async def capture(self, request: Any) -> Answer:
        return await self._processor.capture(request)

    async def void(self, request: Any) -> Answer:
        return await self._processor.void(request)

    async def refund(self, request: Any) -> Answer:
        return await self._processor.refund(request)

    async def look_up(self, request: Any) -> Finding:
        return await self._processor.look_up(request)


class Fixed:
    """A processor in front of another one, which gives fixed answers to the calls that are set."""

    name = "sandbox"

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self.answers: dict[str, Any] = {}

    async def authorize(self, request: Any) -> Answer:
        return self.answers.get("authorize") or await self._processor.authorize(request)

    async def capture(self, request: Any) -> Answer:
        return self.answers.get("capture") or await self._processor.capture(request)

    async def void(self, request: Any) -> Answer:
        return self.answers.get("void") or await self._processor.void(request)

    async def refund(self, request: Any) -> Answer:
        return self.answers.get("refund") or await self._processor.refund(request)

    async def look_up(self, request: Any) -> Finding:
        return self.answers.get("look_up") or await self._processor.look_up(request)


class Gateway:
    """One process of the gateway, and the eyes on its schema."""

    def __init__(
        self,
        database: Database,
        clock: ManualClock,
        tenant_id: str,
        processor: Processor,
        *,
        guard: AccountGuard | None = None,
    ) -> None:
        self.database = database
        self.guard = guard
        self.clock = clock
        self.tenant_id = tenant_id
        self.store = AttemptStore(database)
        self.processor = processor
        self.circuit = Circuit(name=f"c-{tenant_id}", failures_max=20, open_seconds=30, clock=clock)
        self.set_bulkhead(Bulkhead(places=100, wait_seconds=1))

    def set_bulkhead(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self.commands = Commands(
            store=self.store,
            processors=SoleProcessor(self._asking(self.processor, max_retries=3), bulkhead),
            resolvers=SoleProcessor(self._asking(self.processor, max_retries=0), bulkhead),
            patience=PATIENCE,
            deadline_seconds=DEADLINE_SECONDS,
            parked_after_retries=4,
            adopt=Notices(database=self.database, clock=self.clock).apply,
            restoring=Restoring(self.database, patience=PATIENCE, clock=self.clock),
            clock=self.clock,
        )

    def _asking(self, processor: Processor, *, max_retries: int) -> ResilientProcessor:
        retries = Retries(
            max_retries=max_retries, base_delay_seconds=0.001, max_delay_seconds=0.001, call_timeout_seconds=1
        )
        return ResilientProcessor(processor, circuit=self.circuit, retries=retries, account=self.guard)

    def authorize_command(
        self, amount_minor: int, *, intent: UUID | None = None, retries: int = 0
    ) -> Received[AuthorizePayment]:
        return self._received(
            AuthorizePayment(
                payment_intent_id=intent or new_id(), amount_minor=amount_minor, currency="BRL", customer_ref="c-1"
            ),
            retries=retries,
        )

    def capture_command(self, amount_minor: int, *, intent: UUID, gateway_ref: str) -> Received[CapturePayment]:
        return self._received(
            CapturePayment(payment_intent_id=intent, amount_minor=amount_minor, currency="BRL", gateway_ref=gateway_ref)
        )

    def void_command(self, amount_minor: int, *, intent: UUID, gateway_ref: str) -> Received[VoidPayment]:
        return self._received(
            VoidPayment(payment_intent_id=intent, amount_minor=amount_minor, currency="BRL", gateway_ref=gateway_ref)
        )

    def _received[M: PaymentMessage](self, body: M, *, retries: int = 0) -> Received[M]:
        return Received(
            id=new_id(),
            body=body,
            occurred_at=self.clock.now(),
            correlation=Correlation(correlation_id=f"corr-{body.payment_intent_id}", tenant_id=self.tenant_id),
            attempt=retries,
        )

    async def published(self, intent: UUID) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.database.fetch(
            "SELECT contract, body FROM outbox WHERE tenant_id = $1 AND body::jsonb ->> 'payment_intent_id' = $2 "
            "ORDER BY seq",
            self.tenant_id,
            str(intent),
        )
        return [(row["contract"], msgspec.json.decode(row["body"])) for row in rows]

    async def attempts(self, intent: UUID) -> list[Attempt]:
        return await self.store.of_intent(tenant_id=self.tenant_id, payment_intent_id=intent)

    async def resolve_after(self, by: timedelta) -> int:
        self.clock.advance(by)
        return await self.commands.resolve_due(limit=1_000)


class Pausing(Dying):
    """A processor that answers an authorization when it is let go."""

    def __init__(self, processor: Processor) -> None:
        super().__init__(processor, before_the_call=True)
        self.called, self.let_go = asyncio.Event(), asyncio.Event()

    async def authorize(self, request: Authorize) -> Answer:
        self.called.set()
        await self.let_go.wait()
        return await self._processor.authorize(request)


async def open_circuit(gateway: Gateway) -> None:
    async def fail() -> None:
        raise TimeoutError

    for _ in range(20):
        with pytest.raises(TimeoutError):
            await gateway.circuit.call(fail, timeout_seconds=1)


def again[M: PaymentCommand](command: Received[M]) -> Received[M]:
    """Send a command once more, because no outcome has come."""
    return msgspec.structs.replace(command, id=new_id(), body=msgspec.structs.replace(command.body, is_repeated=True))


async def authorized(gateway: Gateway, amount_minor: int, intent: UUID) -> str:
    await gateway.commands.authorize(gateway.authorize_command(amount_minor, intent=intent))
    [attempt] = await gateway.attempts(intent)
    assert attempt.status is AttemptStatus.APPROVED
    return attempt.gateway_ref
