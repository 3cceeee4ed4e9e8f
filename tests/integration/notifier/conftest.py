"""A notifier without a broker: its own database, real receivers on loopback, couriers whose clock can be turned."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiohttp import web

from libs.common.clock import Clock, ManualClock
from libs.common.contracts import PublicEvent
from libs.common.contracts.api import IntentEvent, PaymentSettled
from libs.common.contracts.notifier import (
    ChangeEndpoint,
    DeleteEndpoint,
    Delivery,
    GetEndpoint,
    ListDeliveries,
    RegisterEndpoint,
    Replay,
    RotateSecret,
    StartReplay,
    WebhookEndpoint,
)
from libs.common.db import Database
from libs.common.egress import LOCAL_NETWORKS, EgressGuard
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.notifier.deliveries import commands as delivery_commands
from services.notifier.deliveries import queries as delivery_queries
from services.notifier.deliveries.domain import HealthPolicy, RetryPolicy
from services.notifier.deliveries.workers import Courier
from services.notifier.endpoints import EndpointRules
from services.notifier.endpoints import commands as endpoint_commands
from services.notifier.endpoints import queries as endpoint_queries
from services.notifier.replays import commands as replay_commands
from services.notifier.sending import EndpointSecrets, Sender
from services.notifier.settings import LOCAL_ENCRYPTION_KEY, WebhookSettings
from tests.support.databases import TestDatabase
from tests.support.waiting import until

GUARD = EgressGuard(allowed=LOCAL_NETWORKS)
RULES = EndpointRules(is_local=True, allowed_ports=(443,), endpoints_max=20, admits=GUARD.admits)
KEYRING = EndpointSecrets(LOCAL_ENCRYPTION_KEY)
SETTINGS = WebhookSettings(
    webhook_retry_jitter=0.0, webhook_timeout_seconds=2, webhook_poll_seconds=0.02, webhook_drain_seconds=1
)


class Request:
    """One request as a receiver saw it."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body


class Receiver:
    """A merchant's server: keeps what it receives and answers as it is set, `answers` first, then `status`."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Request] = []
        self.answers: list[web.Response] = []
        self.status = 200
        self.hanging: set[str] = set()
        self.let_go = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """Receive one request."""
        self.received.append(Request(request.path, dict(request.headers), await request.read()))
        if request.path in self.hanging:
            await self.let_go.wait()
        return self.answers.pop(0) if self.answers else web.Response(status=self.status, text="taken")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Receiver"]:
        """Serve on a free port of loopback inside the block."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.let_go.set()
            await runner.cleanup()


class Notifier:
    """What the tests do with one notifier."""

    def __init__(self, database: Database, sender: Sender, clock: ManualClock) -> None:
        self.database = database
        self.sender = sender
        self.clock = clock
        self.policy = RetryPolicy.of(SETTINGS)
        self.health = HealthPolicy.of(SETTINGS)

    async def register(self, tenant_id: str, url: str, events: Sequence[str] = ("*",), **more: Any) -> WebhookEndpoint:
        """Register an endpoint."""
        request = RegisterEndpoint(tenant_id=tenant_id, endpoint_id=new_id(), url=url, events=list(events), **more)
        return await self.ask_registration(request)

    async def ask_registration(self, request: RegisterEndpoint) -> WebhookEndpoint:
        """Ask for a registration as the api does."""
        return await endpoint_commands.register_endpoint(
            self.database, request, rules=RULES, secrets=KEYRING, clock=self.clock
        )

    async def change(self, tenant_id: str, endpoint_id: UUID, **changes: Any) -> WebhookEndpoint:
        """Change an endpoint."""
        request = ChangeEndpoint(tenant_id=tenant_id, endpoint_id=endpoint_id, **changes)
        return await endpoint_commands.change_endpoint(
            self.database, request, rules=RULES, secrets=KEYRING, clock=self.clock
        )

    async def rotate(self, tenant_id: str, endpoint_id: UUID, *, overlap_seconds: int) -> WebhookEndpoint:
        """Rotate the secret of an endpoint."""
        request = RotateSecret(tenant_id=tenant_id, endpoint_id=endpoint_id, overlap_seconds=overlap_seconds)
        return await endpoint_commands.rotate_secret(self.database, request, secrets=KEYRING, clock=self.clock)

    async def shown(self, tenant_id: str, endpoint_id: UUID) -> WebhookEndpoint:
        """One endpoint with its health."""
        request = GetEndpoint(tenant_id=tenant_id, endpoint_id=endpoint_id)
        return await endpoint_queries.get_endpoint(self.database, request, policy=self.health, clock=self.clock)

    async def replay(self, tenant_id: str, endpoint_id: UUID, key: str = "key", **selection: Any) -> Replay:
        """Ask for a replay."""
        request = StartReplay(tenant_id=tenant_id, endpoint_id=endpoint_id, key=key, **selection)
        return await replay_commands.start_replay(self.database, request, clock=self.clock)

    async def delete(self, tenant_id: str, endpoint_id: UUID) -> None:
        """Delete an endpoint."""
        await endpoint_commands.delete_endpoint(
            self.database, DeleteEndpoint(tenant_id=tenant_id, endpoint_id=endpoint_id), clock=self.clock
        )

    async def handle(self, *events: PublicEvent) -> None:
        """Handle events of one type, as the bus hands them over."""
        received = [
            Received(
                id=event.event_id,
                body=event,
                occurred_at=event.occurred_at,
                correlation=Correlation(correlation_id=event.correlation_id, tenant_id=event.tenant_id),
                attempt=0,
            )
            for event in events
        ]
        async with self.database.transaction() as tx:
            await delivery_commands.schedule(tx, received, policy=self.policy, clock=self.clock)

    def event(self, tenant_id: str, kind: type[IntentEvent] = PaymentSettled, **fields: Any) -> IntentEvent:
        """An event that happens now."""
        common: dict[str, Any] = {
            "payment_intent_id": new_id(),
            "amount": "150.50",
            "currency": "BRL",
            "occurred_at": self.clock.now(),
        }
        return kind(
            event_id=new_id(),
            tenant_id=tenant_id,
            correlation_id="test",
            customer_ref="José",
            **common | fields,
        )

    async def deliveries(self, tenant_id: str, endpoint_id: UUID) -> list[Delivery]:
        """What the tenant sees of an endpoint's deliveries."""
        request = ListDeliveries(tenant_id=tenant_id, endpoint_id=endpoint_id, limit=200)
        return (await delivery_queries.list_deliveries(self.database, request)).deliveries

    async def attempted(self, tenant_id: str, endpoint_id: UUID, *, times: int) -> None:
        """Wait until so many attempts are recorded at every delivery of an endpoint."""

        async def fact() -> bool:
            found = await self.deliveries(tenant_id, endpoint_id)
            return bool(found) and all(len(delivery.attempts) >= times for delivery in found)

        await until(fact)

    def courier(self, *, clock: Clock | None = None, settings: WebhookSettings = SETTINGS) -> Courier:
        """Make a courier; several may work on one database."""
        return Courier(
            database=self.database,
            sender=self.sender,
            secrets=KEYRING,
            policy=self.policy,
            settings=settings,
            clock=clock or self.clock,
        )

    @asynccontextmanager
    async def delivering(self, *couriers: Courier) -> AsyncIterator[None]:
        """Let couriers work inside the block, then stop them in good order."""
        working = couriers or (self.courier(),)

        def wake() -> None:
            for courier in working:
                courier.wake()

        ended = self.database.after_commit(wake)
        tasks = [asyncio.create_task(courier.run()) for courier in working]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            ended()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A merchant's server on loopback."""
    async with Receiver().serving() as found:
        yield found


_TABLES = """
SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
 WHERE relnamespace = 'notifier'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
   AND relname NOT IN ('alembic_version', 'partition_rules')
"""
"""What the migrations write is left."""


@pytest.fixture(scope="session")
async def couriers_database(
    make_database: Callable[..., AbstractAsyncContextManager[TestDatabase]],
) -> AsyncIterator[tuple[Database, Callable[[], Awaitable[None]]]]:
    """A database for all tests of couriers, one after the other, and what empties it."""
    async with make_database("notifier") as made, made.open("notifier") as database:
        admin = await asyncpg.connect(made.admin_url)
        every = await admin.fetchval(_TABLES)

        async def empty() -> None:
            await admin.execute(f"TRUNCATE {every} RESTART IDENTITY", timeout=60)

        yield database, empty
        await admin.close()


@pytest.fixture
async def notifier(
    couriers_database: tuple[Database, Callable[[], Awaitable[None]]], clock: ManualClock
) -> AsyncIterator[Notifier]:
    """A notifier with an empty database, since a courier delivers everything that it finds."""
    database, empty = couriers_database
    await empty()
    sender = Sender(SETTINGS, GUARD)
    async with sender.opened():
        yield Notifier(database, sender, clock)
