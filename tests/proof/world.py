"""Api, gateway and ledger in one process, on real databases, with a post between them that is late, doubled and shuffled.

Everything is the real thing, the outboxes and the pack consumers with their inboxes included; only the broker is replaced,
by a bag of what was published: out of it any message can come at any moment, once or again. What a broker does not do (lose
what it has confirmed) the bag does not do either.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from deploy.local.servers import Servers
from libs.common.clock import ManualClock
from libs.common.contracts import REGISTRY, Kind
from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.db import Database
from libs.common.messaging.envelope import PackedEvent
from libs.common.observability.correlation import Correlation
from services.api.errors import PaymentIntentNotFound
from services.api.idempotency import Given, Idempotency
from services.api.payments import commands as api
from services.api.payments import consumers as api_consumers
from services.api.payments.domain import CaptureMethod, ChosenMethod
from services.api.payments.schemas import render_intent, render_refund
from services.gateway.app import patience
from services.gateway.notices import Notices
from services.gateway.operations import AttemptStore, OperationConsumers, Restoring
from services.gateway.operations import Commands as Operations
from services.gateway.processors.sandbox import SandboxProcessor, SandboxStore, StoredBook
from services.gateway.resilience import Circuit, ResilientProcessor, Retries
from services.gateway.settings import ResolutionSettings
from services.ledger.accounts import AccountCommands, AccountConsumers, AccountQueries
from services.ledger.integrity import AGREE_WITHIN, IntegrityConsumers, Reconciliation, Verifier
from services.ledger.posting_rules import PaymentCommands, PaymentConsumers
from tests.proof.post import Bus, Letter, Post
from tests.support.databases import fresh_database
from tests.support.processors import SoleProcessor

SERVICES = ("api", "gateway", "ledger")
STUCK_AFTER = timedelta(minutes=2)
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class World:
    """The three services, a processor, and eyes on everybody's books."""

    def __init__(self, databases: dict[str, Database], eyes: "asyncpg.Connection[asyncpg.Record]", post: Post) -> None:
        self.clock = ManualClock(START)
        self.eyes = eyes
        self.post = post
        self.databases = databases
        database, clock = databases["api"], self.clock
        answers = api.Answers(database, clock=clock, timeout_seconds=1)
        self.payments = api.PaymentCommands(database, clock=clock, render=render_intent, answers=answers)
        self.operations = api.Operations(
            database, clock=clock, render=render_intent, render_refund=render_refund, answers=answers
        )
        self.outcomes = api.Outcomes(clock=clock, render=render_intent, render_refund=render_refund, answers=answers)
        self.sweeper = api.Sweeper(
            database,
            clock=clock,
            stuck_after=STUCK_AFTER,
            pause_max=4 * STUCK_AFTER,
            ends_after=timedelta(days=30),
            batch_max=100,
        )
        self._idempotency = Idempotency(database, clock=clock, ttl_seconds=86_400, request_timeout_seconds=1)

        database = databases["gateway"]
        self.sandbox = SandboxProcessor(
            book=StoredBook(SandboxStore(database)), clock=clock, slow_seconds=0.0, later_seconds=2.0
        )
        self.notices = Notices(database=database, clock=clock)
        self.processors = self._asking(max_retries=3)
        self.gateway = Operations(
            store=AttemptStore(database),
            processors=self.processors,
            resolvers=self._asking(max_retries=0),
            patience=patience(ResolutionSettings()),
            deadline_seconds=5,
            parked_after_retries=4,
            adopt=self.notices.apply,
            restoring=Restoring(database, patience=patience(ResolutionSettings()), clock=clock),
            clock=clock,
        )
        database = databases["ledger"]
        self.ledger = (
            AccountConsumers(AccountCommands(database, clock=clock), AccountQueries(database)),
            PaymentConsumers(PaymentCommands(database, clock=clock)),
        )
        self.reconciliation = Reconciliation(database, clock=clock)

    def _asking(self, *, max_retries: int) -> SoleProcessor:
        # Its breaker never opens here: it has tests of its own, and would only hold these histories up.
        circuit = Circuit(name=f"proof-{max_retries}", failures_max=1_000_000, open_seconds=30, clock=self.clock)
        retries = Retries(
            max_retries=max_retries, base_delay_seconds=0.0001, max_delay_seconds=0.0001, call_timeout_seconds=5
        )
        return SoleProcessor(ResilientProcessor(self.sandbox, circuit=circuit, retries=retries))

    async def forget(self) -> None:
        """Begin anew: nothing of an earlier history is pending any more."""
        self.post.bag.clear()
        self.post.dead.clear()
        for service in SERVICES:
            await self.eyes.execute(f"DELETE FROM {service}.outbox")
        await self.eyes.execute(
            "UPDATE gateway.attempts SET next_ask_at = NULL, expires_at = NULL "
            "WHERE next_ask_at IS NOT NULL OR expires_at IS NOT NULL"
        )
        await self.eyes.execute("DELETE FROM gateway.sandbox_payments")

    async def create(
        self,
        tenant_id: str,
        *,
        amount_minor: int,
        method: CaptureMethod,
        key: str,
        paid_by: PaymentMethodType = PaymentMethodType.CARD,
    ) -> UUID:
        """Create an intent."""
        new = api.NewIntent(
            amount_minor=amount_minor,
            currency="BRL",
            customer_ref="c-1",
            description=None,
            metadata={},
            capture_method=method,
            payment_method_type=paid_by,
        )
        claim = self._idempotency.claim(tenant_id=tenant_id, operation="create", key=key, body=msgspec.json.encode(new))
        answer = await self.payments.create(
            new,
            action="payment_intent.create",
            claim=claim,
            actor="proof",
            correlation=Correlation(correlation_id="c", tenant_id=tenant_id),
        )
        assert answer is not None
        return UUID(msgspec.json.decode(answer.body)["id"])

    async def ask(self, tenant_id: str, intent: UUID, command: str, *, amount_minor: int | None, key: str) -> Given:
        """Ask for something under a key, as a route does, without waiting for the processor.

        Raises:
            Rejected: as the api would answer it.
        """
        claim = self._idempotency.claim(
            tenant_id=tenant_id,
            operation=f"{command}:{intent}",
            key=key,
            body=msgspec.json.encode({"amount_minor": amount_minor}),
        )
        correlation = Correlation(correlation_id="c", tenant_id=tenant_id)
        caller = api.Caller(actor="proof", correlation=correlation, respond_async=True)

        async def first() -> Any:
            match command:
                case "confirm":
                    return await self.payments.confirm(
                        intent,
                        action="payment_intent.confirm",
                        claim=claim,
                        actor="proof",
                        correlation=correlation,
                        respond_async=True,
                    )
                case "confirm_again":
                    return await self.operations.confirm(
                        intent,
                        action="payment_intent.confirm",
                        method=ChosenMethod(payment_method=f"pm_card_{('visa', 'mastercard')[sum(key.encode()) % 2]}"),
                        return_url="",
                        claim=claim,
                        caller=caller,
                    )
                case "capture":
                    return await self.operations.capture(
                        intent, action="payment_intent.capture", amount_minor=amount_minor, claim=claim, caller=caller
                    )
                case "void":
                    return await self.operations.void(intent, action="payment_intent.void", claim=claim, caller=caller)
                case "refund":
                    return await self.operations.refund(
                        intent,
                        action="payment_intent.refund",
                        amount_minor=amount_minor,
                        reason=None,
                        claim=claim,
                        caller=caller,
                    )
                case _:
                    raise PaymentIntentNotFound

        return await self._idempotency.run(claim, first)

    async def collect(self) -> None:
        """Take what was published out of the outboxes, as the relays do, a letter for every handler."""
        for service in SERVICES:
            rows = await self.databases[service].fetch(
                "DELETE FROM outbox RETURNING event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body"
            )
            for row in rows:
                contract = REGISTRY[row["contract"]].contract
                event = PackedEvent(
                    id=row["event_id"],
                    occurred_at=row["occurred_at"],
                    tenant_id=row["tenant_id"],
                    correlation_id=row["correlation_id"],
                    traceparent=row["traceparent"],
                    body=msgspec.Raw(row["body"].encode()),
                )
                handlers = [contract.owner] if contract.kind is Kind.COMMAND else contract.handled_by
                self.post.bag += [
                    Letter(contract.queue(handler), contract.name, event) for handler in handlers if handler in SERVICES
                ]

    async def deliver(self, chance: random.Random, *, share: float, doubled: float) -> None:
        """Let some of what was published be handled."""
        await self.collect()
        await self.post.deliver(chance, share=share, doubled=doubled)

    async def work(self) -> None:
        """Do what the workers do on their own clocks."""
        await self.sandbox.report(self.notices.apply, limit=1_000)
        await self.gateway.release_expired(limit=1_000)
        await self.gateway.resolve_due(limit=1_000)

    async def come_to_rest(self, chance: random.Random, *, holds_end: bool) -> None:
        """Let time pass until nothing happens any more by itself; where `holds_end`, until nothing is held either."""
        soon = (2, 2, 2, 5, 30, 120, 600)
        for wait in (*soon, 86_400 * 8, 5, 30, 120, 600) if holds_end else soon:
            self.clock.advance(timedelta(seconds=wait))
            await self.work()
            if holds_end:
                # A release that the processor refused is requested again, until the hold has ended.
                await self.sweeper.sweep()
            rounds = 0
            await self.collect()
            while self.post.bag:
                # Doubled ones are delivered too, but not for ever.
                await self.post.deliver(chance, share=0.7 if rounds < 5 else 1.0, doubled=0.2 if rounds < 5 else 0.0)
                await self.collect()
                rounds += 1
                assert rounds < 200, f"never handled: {self.post.bag[:5]}"

    async def disagreements(self, tenant_id: str) -> list[str]:
        """Compare what the api says with the books, as the ledger's worker does; list what it ever found of a tenant."""
        self.clock.advance(AGREE_WITHIN * 2)
        await self.reconciliation.compare()
        found = await self.eyes.fetch(
            "SELECT invariant, subject, detail FROM ledger.findings WHERE tenant_id = $1", tenant_id
        )
        return [f"{row['invariant']} {row['subject']}: {row['detail']}" for row in found]


async def _no_way(_: str, __: str) -> tuple[str, str] | None:
    return None


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


type Registration = tuple[str, Callable[[Any], None]]
"""A service, and what registers some of its consumers at a bus."""


@asynccontextmanager
async def open_world(
    servers: Servers, *, more: Callable[[World], Sequence[Registration]] = lambda _: ()
) -> AsyncIterator[World]:
    """Open the world on a database of its own; `more` consumers may be registered, of a notifier too."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers))
        eyes = await asyncpg.connect(database.admin_url)
        stack.push_async_callback(eyes.close)
        # No power fails here, and what is proven does not depend on when the disk turns.
        await eyes.execute(f'ALTER DATABASE "{database.name}" SET synchronous_commit = off')
        # From the first entry on, as if the api had claimed something before.
        await eyes.execute("INSERT INTO ledger.claim_checks SELECT chain, 0 FROM ledger.chains")
        databases = {
            service: await stack.enter_async_context(database.open(service)) for service in (*SERVICES, "notifier")
        }
        post = Post()
        world = World(databases, eyes, post)
        tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(_end, tasks)
        registrations: Sequence[Registration] = (
            ("api", api_consumers.PaymentConsumers(world.outcomes).register),
            (
                "gateway",
                OperationConsumers(
                    world.gateway,
                    database=databases["gateway"],
                    store=AttemptStore(databases["gateway"]),
                    fetch_way=_no_way,
                    concurrency=64,
                    clock=world.clock,
                ).register,
            ),
            *(("ledger", consumers.register) for consumers in world.ledger),
            (
                "ledger",
                IntegrityConsumers(world.reconciliation, Verifier(databases["ledger"], clock=world.clock)).register,
            ),
            *more(world),
        )
        for service, register in registrations:
            register(Bus(service, databases[service], post, tasks))
        yield world
