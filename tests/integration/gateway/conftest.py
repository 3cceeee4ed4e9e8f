"""A gateway that serves real HTTP in this process, charging through a fake Stripe that sends it webhooks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import aiohttp
import msgspec
import pytest
import uvicorn

from deploy.fake_stripe import FakeStripe, running_fake_stripe
from deploy.fake_stripe.webhooks import create_endpoint
from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.service import connection_options
from libs.common.settings import BrokerSettings
from services.gateway.app import build
from services.gateway.settings import GatewayHttpSettings, ProcessorSettings, Settings, StripeSettings
from tests.integration.gateway.operations.test_lifecycle import Place
from tests.integration.gateway.test_service import Api
from tests.support.brokers import administrator
from tests.support.databases import TestDatabase
from tests.support.ports import free_port
from tests.support.stripe import API_KEY
from tests.support.waiting import until


class StripeGateway:
    """A running gateway, the fake Stripe behind it, and the api's side of the broker."""

    def __init__(self, *, fake: FakeStripe, base: str, api: Api, secret: str, http: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.books = fake.account(API_KEY)
        self.base = base
        self.api = api
        self.secret = secret
        self.http = http

    async def control(self, path: str) -> None:
        """Do what only a customer, an issuer or a bank can do."""
        auth = {"Authorization": f"Bearer {API_KEY}"}
        async with self.http.post(f"{self.fake.url}/_control/{path}", headers=auth) as done:
            assert done.status == 200, await done.text()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """Serve a gateway over real HTTP until the block ends; yields its address."""
    service = build(settings)
    options = connection_options(settings.http)
    config = uvicorn.Config(
        service.asgi, host="127.0.0.1", port=settings.http.http_port, log_config=None, lifespan="on", **options
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    base = f"http://127.0.0.1:{settings.http.http_port}"
    try:
        async with aiohttp.ClientSession() as http:

            async def ready() -> bool:
                try:
                    async with http.get(f"{base}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await until(ready)
        yield base
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def stripe_gateway(settings: Settings, tenant_id: str) -> AsyncIterator[StripeGateway]:
    """Run a gateway whose default processor is a fake Stripe, with webhooks for all events."""
    async with running_fake_stripe() as fake, aiohttp.ClientSession() as http:
        base = f"http://127.0.0.1:{settings.http.http_port}"
        endpoint = create_endpoint(fake.account(API_KEY), {"url": f"{base}/webhooks/stripe", "enabled_events": ["*"]})
        stripe = msgspec.structs.replace(
            settings.stripe, stripe_api_base=fake.url, stripe_webhook_secrets=(endpoint["secret"],)
        )
        async with serving(msgspec.structs.replace(settings, stripe=stripe)):
            connection = await aio_pika.connect(administrator(settings.broker.rabbitmq_url))
            async with connection:
                api = Api(await connection.channel(), tenant_id)
                await api.listen()
                yield StripeGateway(fake=fake, base=base, api=api, secret=endpoint["secret"], http=http)


@pytest.fixture
def stripe_settings(gateway_database: TestDatabase, own_urls: dict[str, str]) -> Settings:
    """Settings of a gateway that charges through the platform's own account at a fake Stripe."""
    return Settings(
        database=gateway_database.settings("gateway"),
        broker=BrokerSettings(rabbitmq_url=own_urls["gateway"], outbox_poll_seconds=0.2),
        http=GatewayHttpSettings(http_port=free_port(), shutdown_timeout_seconds=5),
        processor=ProcessorSettings(provider="stripe", retry_base_delay=0.01, retry_max_delay=0.05),
        stripe=StripeSettings(
            stripe_secret_key=API_KEY,
            stripe_payment_method="pm_card_visa",
            stripe_return_url="https://shop.example/back",
            stripe_events_every_seconds=0.25,
            # Tests with hundreds of calls do not wait for turns; those of the pace set their own.
            stripe_calls_per_second_test=10_000,
            stripe_calls_per_second_endpoint=10_000,
        ),
    )


@pytest.fixture
async def stripe(stripe_settings: Settings, tenant_id: str) -> AsyncIterator[StripeGateway]:
    """A running gateway at a fake Stripe."""
    async with stripe_gateway(stripe_settings, tenant_id) as running:
        yield running


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    """The gateway's database; workers take whatever is due, so nothing of a test is left to the next one."""
    async with gateway_database.open("gateway") as opened:
        yield opened
        await opened.write("UPDATE attempts SET next_ask_at = NULL, expires_at = NULL")
        await opened.write("UPDATE sandbox_payments SET due_at = NULL")


@pytest.fixture
def place(database: Database, clock: ManualClock, tenant_id: str) -> Place:
    """A gateway over the sandbox with a stored book."""
    return Place(database, clock, tenant_id)
