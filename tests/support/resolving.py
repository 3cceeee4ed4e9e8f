"""Attempts at a fake Stripe whose outcome is left to a person, and the operator who decides about them."""

import asyncio
import json
from typing import Any
from uuid import UUID

import msgspec

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import RefundPayment
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.notices import Notices
from services.gateway.operations import Attempt, Resolving
from services.gateway.operations.domain import release
from services.gateway.processors.port import (
    Answer,
    Applied,
    Finding,
    Notice,
    Operation,
    Processor,
    Unknown,
    UnknownReason,
)
from tests.support.gateway_process import DEADLINE_SECONDS, PATIENCE, Gateway
from tests.support.processors import SoleProcessor
from tests.support.stripe import Place

LOST = Unknown(reason=UnknownReason.CONNECTION_LOST, is_worth_repeating=False)


class Lossy:
    """Loses the answers of a processor, or the calls to it; and its records, where they cannot be read."""

    name = "stripe"

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.loses: str = ""
        """`answers` or `calls`; empty: nothing."""
        self.is_read = True
        """Whether its records can be read."""
        self.reading, self.let_go = asyncio.Event(), asyncio.Event()
        self.let_go.set()

    async def authorize(self, request: Any) -> Answer:
        return await self._call(self.processor.authorize, request)

    async def capture(self, request: Any) -> Answer:
        return await self._call(self.processor.capture, request)

    async def void(self, request: Any) -> Answer:
        return await self._call(self.processor.void, request)

    async def refund(self, request: Any) -> Answer:
        return await self._call(self.processor.refund, request)

    async def look_up(self, request: Any) -> Finding:
        self.reading.set()
        await self.let_go.wait()
        return await self.processor.look_up(request) if self.is_read else Unknown(reason=UnknownReason.TIMEOUT)

    async def _call(self, call: Any, request: Any) -> Answer:
        answer: Answer = LOST if self.loses == "calls" else await call(request)
        return LOST if self.loses else answer


class Operator:
    """An operator at a gateway whose processor is a fake Stripe."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str, place: Place) -> None:
        self.place = place
        self.database, self.clock = database, clock
        self.lossy = Lossy(place.processor())
        self.gateway = Gateway(database, clock, tenant_id, self.lossy)
        self.resolving = Resolving(
            database=database,
            processors=SoleProcessor(self.gateway._asking(self.lossy, max_retries=0)),
            patience=PATIENCE,
            deadline_seconds=DEADLINE_SECONDS,
            adopt=self.adopt,
            clock=clock,
        )

    async def adopt(self, notice: Notice) -> Applied:
        """Take over what somebody has captured."""
        return await Notices(database=self.database, clock=self.clock).apply(notice)

    async def left(self, operation: Operation, *, is_done: bool) -> Attempt:
        """An attempt that is left to a person: carried out at Stripe or not, and its answer lost."""
        self.lossy.loses = ""
        intent, gateway = new_id(), self.gateway
        lost = "answers" if is_done else "calls"
        if operation is Operation.AUTHORIZE:
            self.lossy.loses = lost
        await gateway.commands.authorize(gateway.authorize_command(15_050, intent=intent))
        held = (await gateway.attempts(intent))[0]
        capture = gateway.capture_command(15_050, intent=intent, gateway_ref=held.gateway_ref)
        if operation is Operation.REFUND:
            await gateway.commands.capture(capture)
        self.lossy.loses = lost
        match operation:
            case Operation.CAPTURE:
                await gateway.commands.capture(capture)
            case Operation.VOID:
                void = gateway.void_command(15_050, intent=intent, gateway_ref=held.gateway_ref)
                await gateway.commands.void(void)
            case Operation.REFUND:
                body = RefundPayment(
                    payment_intent_id=intent,
                    amount_minor=15_050,
                    currency="BRL",
                    refund_id=new_id(),
                    gateway_ref=held.gateway_ref,
                )
                await gateway.commands.refund(gateway._received(body))
            case Operation.CLOSE:
                self.lossy.loses = ""
                intent = new_id()
                self.lossy.processor = self.place.processor(payment_method="pm_card_chargeDeclined")
                await gateway.commands.authorize(gateway.authorize_command(15_050, intent=intent))
                self.lossy.loses = lost
                await gateway.commands.resolve_due(limit=1_000)
            case Operation.EXPIRE:
                await gateway.store.open(release(held, now=self.clock.now()))
                await gateway.commands.resolve_due(limit=1_000)
        self.lossy.loses = ""
        return await self.leave(intent, operation)

    async def leave(self, intent: UUID, operation: Operation) -> Attempt:
        """Let the schedules of an attempt end without anything learnt, and return how it stands."""
        await self.database.write(
            "UPDATE attempts SET next_ask_at = NULL WHERE payment_intent_id = $1 AND operation = $2 RETURNING 1",
            intent,
            operation,
        )
        self.clock.advance(PATIENCE.key_lifetime + PATIENCE.look_up_ages[-1])
        return next(each for each in await self.gateway.attempts(intent) if each.operation is operation)

    async def resolve(self, attempt: Attempt, word: str, *more: str) -> str:
        """Say what became of an attempt."""
        arguments = [str(attempt.id), "--as", word, "--reason", "read in the dashboard", "--operator", "ana", *more]
        return await self.resolving.resolve(arguments)

    async def now(self, attempt: Attempt) -> Attempt:
        """How an attempt stands."""
        return next(e for e in await self.gateway.attempts(attempt.payment_intent_id) if e.id == attempt.id)

    async def published(self, attempt: Attempt) -> list[str]:
        """What was published about the payment, oldest first."""
        return [name.rpartition(":")[2] for name, _ in await self.gateway.published(attempt.payment_intent_id)]

    async def audited(self, attempt: Attempt) -> list[dict[str, Any]]:
        """What stands written down about an attempt."""
        rows = await self.database.fetch(
            "SELECT actor, action, detail FROM operator_actions WHERE subject = $1 ORDER BY id", str(attempt.id)
        )
        return [{"actor": row["actor"], "action": row["action"]} | json.loads(row["detail"]) for row in rows]


def unchanged(before: Attempt, after: Attempt) -> bool:
    """Whether nothing about an attempt has changed."""
    return msgspec.structs.asdict(before) == msgspec.structs.asdict(after)
