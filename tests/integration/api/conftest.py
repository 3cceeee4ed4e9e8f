"""A running api on a real database, used over real HTTP; the broker is away, and the tests publish for other services."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import jwt
import pytest
import uvicorn

from deploy.local.servers import Servers
from libs.common.addresses import vhost_of
from libs.common.clock import Clock, SystemClock
from libs.common.contracts import Message, gateway, ledger
from libs.common.contracts.foreign import ORDERS, TENANTS
from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.db import Connection, Database
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from libs.common.service import connection_options
from libs.common.settings import BrokerSettings, PartnerSettings, PlaceSettings
from services.api.app import build, seed
from services.api.http.requests import Ask
from services.api.payments.commands import Answers, Outcomes
from services.api.payments.consumers import PaymentConsumers
from services.api.payments.schemas import render_intent, render_refund
from services.api.settings import AuthSettings, PaymentSettings, RateSettings, Settings
from tests.support.databases import TestDatabase
from tests.support.kept_vhosts import declared_vhost
from tests.support.partners import Partners, partners_at
from tests.support.platform import Client
from tests.support.ports import free_port

SECRET = "a-secret-of-the-tests-that-is-long-enough"
PREVIOUS = "the-secret-before-that-one-also-long-enough"
CONFIRM_TIMEOUT_SECONDS = 1.0
DECLINE_CODES = DeclineCodes(
    decline_code="insufficient_funds",
    advice_code="try_again_later",
    network_decline_code="51",
    network_advice_code="02",
)
UNLIMITED = RateSettings(
    rate_limit_write_per_min=0,
    rate_limit_read_per_min=0,
    rate_limit_login_per_min=0,
    rate_limit_login_address_per_min=0,
)


def settings_for(database: TestDatabase, *, auto_provision: bool = True, **changes: Any) -> Settings:
    """Settings of an api whose broker does not answer."""
    every: dict[str, Any] = {
        "place": PlaceSettings(app_env="local"),
        "database": database.settings("api"),
        "broker": BrokerSettings(rabbitmq_url="amqp://guest:guest@127.0.0.1:1/", request_timeout_seconds=0.2),
        "auth": AuthSettings(jwt_secret=SECRET, jwt_secret_previous=PREVIOUS, tenant_auto_provision=auto_provision),
        "payments": PaymentSettings(confirm_timeout_seconds=CONFIRM_TIMEOUT_SECONDS),
        "rates": UNLIMITED,
        **changes,
    }
    # Other teams are in the virtual host of the test, but where it says otherwise.
    every.setdefault("partners", PartnerSettings(partners_vhost=vhost_of(every["broker"].rabbitmq_url)))
    return Settings(**every)


def payload(tenant: str, **changes: Any) -> dict[str, Any]:
    """The payload of an operator's token of `tenant`; a change to None leaves a member out."""
    now = int(datetime.now(UTC).timestamp())
    every: dict[str, Any] = {
        "iss": "local-auth",
        "sub": "ops@example.com",
        "tid": tenant,
        "roles": ["ops"],
        "perms": ["payments:write", "payments:read", "ledger:read"],
        "plan": "pro",
        "region": "region-a",
        "iat": now,
        "exp": now + 600,
        "jti": uuid4().hex,
        **changes,
    }
    return {name: value for name, value in every.items() if value is not None}


def token_of(tenant: str, *, secret: str = SECRET, **changes: Any) -> str:
    """A signed token of an operator of `tenant`."""
    return jwt.encode(payload(tenant, **changes), secret, algorithm="HS256")


class Api:
    """The running api, its database, and the voices of the services around it."""

    def __init__(self, base: str, http: aiohttp.ClientSession, database: Database) -> None:
        self.base = base
        self.http = http
        self.database = database
        self.answers = Answers(database, clock=SystemClock(), timeout_seconds=CONFIRM_TIMEOUT_SECONDS)
        outcomes = Outcomes(
            clock=SystemClock(), render=render_intent, render_refund=render_refund, answers=self.answers
        )
        self.consumers = PaymentConsumers(outcomes)

    def client(self, tenant: str, **changes: Any) -> Client:
        """A caller who acts for `tenant`."""
        return Client(self.http, self.base, token=token_of(tenant, **changes), tenant=tenant)

    def stranger(self) -> Client:
        """A caller without a token."""
        return Client(self.http, self.base)

    async def handle[M: Message](
        self, tenant: str, *messages: M, by: Callable[[Connection, list[Received[M]]], Any]
    ) -> Any:
        """Let a consumer handle messages in one transaction, as another process of the api would.

        Returns what the consumer does after its commit.
        """
        received = [
            Received(
                id=new_id(),
                body=message,
                occurred_at=datetime.now(UTC),
                correlation=Correlation(correlation_id="c-event", tenant_id=tenant),
                attempt=0,
            )
            for message in messages
        ]
        async with self.database.transaction() as transaction:
            return await by(transaction, received)

    async def authorized(self, tenant: str, *ids: str, amount_minor: int = 15050) -> None:
        """The gateway reports: the issuer promised the funds."""
        messages = [
            gateway.PaymentAuthorized(
                payment_intent_id=UUID(i), amount_minor=amount_minor, currency="BRL", gateway_ref=f"sandbox_{i}"
            )
            for i in ids
        ]
        await self.handle(tenant, *messages, by=self.consumers.on_payment_authorized)

    async def declined(self, tenant: str, *ids: str) -> None:
        """The gateway reports: the issuer declined."""
        messages = [
            gateway.AuthorizationDeclined(
                payment_intent_id=UUID(i),
                amount_minor=15050,
                currency="BRL",
                reason="insufficient_funds",
                detail="The issuer declined the payment.",
                codes=DECLINE_CODES,
            )
            for i in ids
        ]
        await self.handle(tenant, *messages, by=self.consumers.on_authorization_declined)

    async def captured(self, tenant: str, *ids: str, amount_minor: int = 15050) -> None:
        """The gateway reports: the processor took the funds."""
        messages = [
            gateway.PaymentCaptured(
                payment_intent_id=UUID(i),
                amount_minor=amount_minor,
                currency="BRL",
                gateway_ref=f"sandbox_{i}",
                captured_at=datetime.now(UTC),
            )
            for i in ids
        ]
        await self.handle(tenant, *messages, by=self.consumers.on_payment_captured)

    async def capture_reported(self, tenant: str, intent_id: str, command_id: UUID, *, amount_minor: int) -> None:
        """The gateway reports what its records have of a capture; 0: nothing."""
        message = gateway.CaptureReported(
            payment_intent_id=UUID(intent_id),
            command_id=command_id,
            amount_minor=amount_minor,
            currency="BRL" if amount_minor else "",
            gateway_ref=f"sandbox_{intent_id}" if amount_minor else "",
        )
        (await self.handle(tenant, message, by=self.consumers.on_capture_reported))()

    async def capture_failed(self, tenant: str, *ids: str) -> None:
        """The gateway reports: the processor refused to take the held funds."""
        messages = [
            gateway.CaptureFailed(
                payment_intent_id=UUID(i),
                amount_minor=15050,
                currency="BRL",
                reason="authorization_expired",
                detail="The authorization has expired.",
            )
            for i in ids
        ]
        await self.handle(tenant, *messages, by=self.consumers.on_capture_failed)

    async def posted(self, tenant: str, *ids: str) -> None:
        """The ledger reports: the capture stands in the books."""
        messages = [
            ledger.JournalEntryPosted(
                entry_id=new_id(),
                kind=ledger.EntryKind.CAPTURE,
                payment_intent_id=UUID(i),
                amount_minor=15050,
                currency="BRL",
                posted_at=datetime.now(UTC),
            )
            for i in ids
        ]
        await self.handle(tenant, *messages, by=self.consumers.on_journal_entry_posted)

    async def published(self, tenant: str) -> list[str]:
        """What was published about `tenant`, in order, provisioning apart."""
        rows = await self.database.fetch(
            "SELECT contract FROM outbox WHERE tenant_id = $1 AND contract NOT LIKE '%tenant.provisioned' ORDER BY seq",
            tenant,
        )
        return [row["contract"] for row in rows]

    async def until_processing(self, client: Client, intent_id: str) -> None:
        """Wait for the fact that a confirmation is in progress."""
        async with asyncio.timeout(60):
            while await client.status(intent_id) == "CREATED":
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    database: TestDatabase,
    settings: Settings,
    *,
    ask: Ask | None = None,
    clock: Clock | None = None,
    read_keys: Callable[[], AuthSettings] | None = None,
) -> AsyncIterator[Api]:
    """Serve an api on a free port until the block ends."""
    port = free_port()
    options = connection_options(settings.http)
    app = build(settings, clock, ask=ask, read_keys=read_keys, read_keys_every_seconds=0.05).asgi
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="on", **options)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.01)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
            database.open("api") as pool,
        ):
            yield Api(f"http://127.0.0.1:{port}", http, pool)
    finally:
        server.should_exit = True
        await running


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase) -> AsyncIterator[Api]:
    """A seeded, running api shared by the tests of one module."""
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings) as running:
        yield running


@pytest.fixture(scope="module")
def partnered_settings(servers: Servers, api_database: TestDatabase) -> Iterator[Settings]:
    """Settings of an api with a broker of its own."""
    with declared_vhost(servers, services=("api",)) as (url, _):
        yield settings_for(api_database, broker=BrokerSettings(rabbitmq_url=url))


@pytest.fixture(scope="module")
async def partnered(partnered_settings: Settings, api_database: TestDatabase) -> AsyncIterator[tuple[Api, Partners]]:
    """A running api on a broker of its own that follows its partners, and what they publish with."""
    await seed(partnered_settings)
    # First: nobody of ours redeclares what is there.
    async with (
        partners_at(partnered_settings.broker.rabbitmq_url) as partners,
        serving(api_database, partnered_settings) as api,
    ):
        await partners.until_subscribed(TENANTS.queue, ORDERS.queue)
        yield api, partners
