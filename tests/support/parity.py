"""Plays a pair of an operation and an answer of Stripe against the gateway: its commands, its adapter, the SDK, HTTP and a database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment
from libs.common.contracts.gateway_base import PaymentMessage
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.gateway.app import patience
from services.gateway.notices import Notices
from services.gateway.operations import (
    Attempt,
    AttemptStatus,
    AttemptStore,
    Commands,
    Restoring,
    attempt_id,
)
from services.gateway.operations.domain.changes import close, release
from services.gateway.operations.sql import Recording
from services.gateway.processors.port import Applied, Notice, NotTaken, NotTakenReason, Operation, Processor
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeProcessor
from services.gateway.resilience import AccountGuard, Circuit, CircuitState, ResilientProcessor, Retries
from services.gateway.settings import ResolutionSettings
from tests.support.processors import SoleProcessor
from tests.support.scripted_stripe import AMOUNT, Script, ScriptedStripe, running_scripted_stripe
from tests.support.stripe_answers import Moment, Pair, Reply, State

PATIENCE = patience(ResolutionSettings())
type Adopt = Callable[[Notice], Awaitable[Applied]]
_SECONDS = 30.0
"""How long a call may take, where its answer comes."""
_TIMEOUT_SECONDS = 1.5
"""How long it may take where none does."""
_NOWHERE = "http://127.0.0.1:1"
"""Where nothing listens."""
OURS = (Operation.EXPIRE, Operation.CLOSE)
"""What no command requests: the gateway writes it down itself."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a pair."""

    attempt: Attempt
    """As it stands afterwards."""
    waits: timedelta | None
    """How long until it is called about again; None: not by itself."""
    published: tuple[str, ...]
    """The messages about it, all of them."""
    called: tuple[str, ...]
    """The methods of the requests that Stripe received at the moment that counts."""
    keys: frozenset[str]
    """The idempotency keys that Stripe has seen."""
    is_counted_by_stripe: bool
    is_counted_by_account: bool


class World:
    """What all pairs share: a database, a server, and connections to it."""

    def __init__(
        self, database: Database, stripe: ScriptedStripe, connections: StripeConnections, nowhere: StripeConnections
    ) -> None:
        self.database = database
        self.stripe = stripe
        self.connections = connections
        self.nowhere = nowhere


@asynccontextmanager
async def a_world(database: Database) -> AsyncIterator[World]:
    """Serve and connect until the block ends."""
    async with running_scripted_stripe() as stripe:
        connections, nowhere = StripeConnections(api_base=stripe.url), StripeConnections(api_base=_NOWHERE)
        async with connections.open(), nowhere.open():
            yield World(database, stripe, connections, nowhere)


class Payment:
    """One operation on a payment of its own, at an account of its own, with a clock of its own."""

    def __init__(self, world: World, operation: Operation) -> None:
        self.world = world
        self.operation = operation
        self.name = f"pair-{new_id().hex}"
        self.clock = ManualClock(datetime.now(UTC))
        self.store = AttemptStore(world.database)
        self.intent_id, self.refund_id = new_id(), new_id()
        self.script = Script(refund_id=str(self.refund_id))
        world.stripe.scripts[f"sk_test_{self.name}"] = self.script
        self.command = self._command()
        self.start()

    def start(self, *, connects: bool = True, seconds: float = _SECONDS, store: AttemptStore | None = None) -> None:
        """Begin a process of the gateway; the one before it has ended."""
        self.circuit = Circuit(name="pairs", failures_max=1, open_seconds=1, clock=self.clock, is_shown=False)
        pace = {"per_second": 1_000.0, "per_second_of_endpoint": 1_000.0}
        self.guard = AccountGuard(self.name, **pace, failures_max=1, open_seconds=1, clock=self.clock)
        self.commands = self.commands_over(self.adapter(connects=connects), seconds=seconds, store=store)

    async def adopt(self, notice: Notice) -> Applied:
        """Take over what somebody has captured."""
        return await Notices(database=self.world.database, clock=self.clock).apply(notice)

    def adapter(self, *, connects: bool = True) -> StripeProcessor:
        """The adapter of the payment's account."""
        account = StripeAccount(name=self.name, secret_key=f"sk_test_{self.name}", payment_method="pm_card_visa")
        connections = self.world.connections if connects else self.world.nowhere
        return StripeProcessor(account, connections.client(account))

    def commands_over(
        self,
        processor: Processor,
        *,
        seconds: float = _SECONDS,
        store: AttemptStore | None = None,
        adopt: Adopt | None = None,
    ) -> Commands:
        """The gateway's commands over a processor, one call at a time."""
        retries = Retries(max_retries=0, base_delay_seconds=1, max_delay_seconds=1, call_timeout_seconds=seconds)
        guarded = SoleProcessor(
            ResilientProcessor(processor, circuit=self.circuit, account=self.guard, retries=retries, label="pairs")
        )
        return Commands(
            store=store or self.store,
            processors=guarded,
            resolvers=guarded,
            patience=PATIENCE,
            deadline_seconds=2 * _SECONDS,
            parked_after_retries=0,
            adopt=adopt or self.adopt,
            restoring=Restoring(self.world.database, patience=PATIENCE, clock=self.clock),
            clock=self.clock,
        )

    async def request(self) -> None:
        """Hand the command to the gateway; what has none is written down by the gateway itself."""
        match self.command.body:
            case CapturePayment():
                await self.commands.capture(self.command)  # type: ignore[arg-type]
            case RefundPayment():
                await self.commands.refund(self.command)  # type: ignore[arg-type]
            case VoidPayment():
                await self._hold()
                await self.commands.void(self.command)  # type: ignore[arg-type]
            case _ if self.operation in OURS:
                await self.write_down()
                await self.resolve_after(timedelta(0))
            case _:
                await self.commands.authorize(self.command)  # type: ignore[arg-type]

    async def write_down(self) -> None:
        """Write down what releases the hold, or what cancels the payment that was declined."""
        standing, now = self._authorization(), self.clock.now()
        await self.store.open(standing)
        if self.operation is Operation.EXPIRE:
            following: Attempt | None = release(standing, now=now)
        else:
            standing = msgspec.structs.replace(standing, status=AttemptStatus.DECLINED, gateway_ref="")
            following = close(standing, gateway_ref="pi_1", now=now)
        assert await self.store.record(
            Recording(attempt=standing, publication=None, recorded_at=now, following=following)
        )

    async def _hold(self) -> None:
        """Write down the hold that a command is to release."""
        standing = self._authorization()
        await self.store.open(standing)
        await self.store.record(Recording(attempt=standing, publication=None, recorded_at=self.clock.now()))

    async def deliver_again(self, after: timedelta) -> None:
        """Let time pass, and the command come once more; what has none is found by the gateway."""
        self.clock.advance(after)
        if self.operation in OURS:
            await self.commands.resolve_due(limit=10)
        else:
            await self.request()

    async def resolve_after(self, by: timedelta) -> None:
        """Let time pass, and the gateway call about what is due."""
        self.clock.advance(by)
        assert await self.commands.resolve_due(limit=10) == 1

    async def attempt(self) -> Attempt:
        """The one attempt of the operation."""
        every = await self.store.of_intent(tenant_id=self.name, payment_intent_id=self.intent_id)
        [attempt] = [attempt for attempt in every if attempt.operation is self.operation]
        return attempt

    async def published(self) -> tuple[str, ...]:
        """The messages about the payment."""
        rows = await self.world.database.fetch(
            "SELECT contract FROM outbox WHERE tenant_id = $1 ORDER BY seq", self.name
        )
        return tuple(row["contract"].rpartition(":")[2] for row in rows)

    async def seen(self, *, since: int = 0) -> Seen:
        """What became of it."""
        attempt = await self.attempt()
        probe = NotTaken(reason=NotTakenReason.TOO_MANY_CALLS)

        async def answer() -> NotTaken:
            return probe

        is_let_through = await self.guard.call(answer, endpoint="probe", line="probe", within_seconds=0.0)
        return Seen(
            attempt=attempt,
            waits=None if attempt.next_ask_at is None else attempt.next_ask_at - self.clock.now(),
            published=await self.published(),
            called=tuple(method for method, _ in self.script.called[since:]),
            keys=frozenset(self.script.keys),
            is_counted_by_stripe=self.circuit.state is not CircuitState.CLOSED,
            is_counted_by_account=is_let_through is not probe,
        )

    def _command(self) -> Received[PaymentMessage]:
        money = {"payment_intent_id": self.intent_id, "amount_minor": AMOUNT, "currency": "BRL"}
        body: PaymentMessage
        match self.operation:
            case Operation.CAPTURE:
                body = CapturePayment(**money, gateway_ref="pi_1")  # type: ignore[arg-type]
            case Operation.VOID:
                body = VoidPayment(**money, gateway_ref="pi_1")  # type: ignore[arg-type]
            case Operation.REFUND:
                body = RefundPayment(**money, gateway_ref="pi_1", refund_id=self.refund_id)  # type: ignore[arg-type]
            case _:
                body = AuthorizePayment(**money)  # type: ignore[arg-type]
        return Received(
            id=new_id(),
            body=body,
            occurred_at=self.clock.now(),
            correlation=Correlation(correlation_id=self.name, tenant_id=self.name),
            attempt=0,
        )

    def _authorization(self) -> Attempt:
        return Attempt(
            tenant_id=self.name,
            id=attempt_id(tenant_id=self.name, subject_id=self.intent_id, operation=Operation.AUTHORIZE),
            payment_intent_id=self.intent_id,
            operation=Operation.AUTHORIZE,
            processor=self.name,
            status=AttemptStatus.APPROVED,
            amount_minor=AMOUNT,
            currency="BRL",
            customer_ref="",
            gateway_ref="pi_1",
            asked_at=None,
            next_ask_at=None,
            created_at=self.clock.now(),
            correlation_id=self.name,
            traceparent="",
        )


async def play(world: World, pair: Pair) -> Seen:
    """Play a pair, from a command to what is written down and published."""
    payment = Payment(world, pair.operation)
    script = payment.script
    if pair.moment is not Moment.CALL:
        await lead_to(payment, pair.moment)
    script.reply, script.state = pair.reply, pair.state
    script.reads = pair.reply if pair.moment in {Moment.READ, Moment.LOOK_UP} else None
    payment.start(
        connects=pair.reply is not Reply.NO_CONNECTION,
        seconds=_TIMEOUT_SECONDS if pair.reply is Reply.TIMEOUT else _SECONDS,
    )
    since = len(script.called)
    match pair.moment:
        case Moment.CALL:
            await payment.request()
        case Moment.AGAIN:
            await payment.resolve_after(PATIENCE.ages[0])
        case Moment.READ:
            await payment.resolve_after(PATIENCE.reading_ages[0])
        case Moment.LOOK_UP:
            await payment.resolve_after(PATIENCE.key_lifetime + PATIENCE.look_up_ages[0])
    return await payment.seen(since=since)


async def lead_to(payment: Payment, moment: Moment) -> None:
    """Leave an earlier call in doubt, or let Stripe take the operation on."""
    payment.script.reply = Reply.OK if moment is Moment.READ else Reply.DOWN
    payment.script.state = State.PENDING if payment.operation is Operation.REFUND else State.PROCESSING
    await payment.request()
