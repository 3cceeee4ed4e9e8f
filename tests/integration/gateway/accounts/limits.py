"""The processors of a place at a fake Stripe, each account with few calls a second."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.fake_stripe import FakeStripe, running_fake_stripe
from libs.common.clock import ManualClock
from libs.common.ids import new_id
from services.gateway.accounts import Configs, KeyRing, StripeAccounts, account_guards, place_processors
from services.gateway.accounts.routing import PlaceCircuits
from services.gateway.processors.port import Processors
from services.gateway.processors.sandbox import SandboxProcessor
from services.gateway.processors.stripe import StripeConnections
from services.gateway.settings import LOCAL_ENCRYPTION_KEY, ProcessorSettings, StripeSettings
from tests.integration.gateway.accounts.test_configs import adding
from tests.support.databases import TestDatabase
from tests.support.stripe import authorize

PER_SECOND = 20.0


class Limits:
    """The processors of a place at a fake Stripe, each account with few calls a second."""

    def __init__(
        self,
        fake: FakeStripe,
        processors: Processors,
        circuits: PlaceCircuits,
        accounts: StripeAccounts,
        configs: Configs,
    ) -> None:
        self.fake = fake
        self.circuits = circuits
        self.processors = processors
        self.accounts = accounts
        self._configs = configs

    async def account(self) -> tuple[str, str]:
        """A tenant with an account of its own; returns the tenant and the account's name in our books."""
        tenant_id = f"tenant-{new_id().hex[:12]}"
        await self._configs.add(adding(tenant_id, secret_key=f"sk_test_{new_id().hex}"))
        return tenant_id, await self.processors.choose(tenant_id=tenant_id, currency="BRL")

    async def hold(self, whose: tuple[str, str], *, timeout_seconds: float = 5.0) -> object:
        tenant_id, name = whose
        request = authorize(tenant_id=tenant_id, timeout_seconds=timeout_seconds)
        return await self.processors.named(name).authorize(request)


@asynccontextmanager
async def with_limits(gateway_database: TestDatabase, clock: ManualClock) -> AsyncIterator[Limits]:
    """Build the processors of a place whose accounts may be called twenty times a second."""
    async with running_fake_stripe() as fake, gateway_database.open("gateway") as database:
        processor = ProcessorSettings(max_retries=0, processor_timeout_seconds=2, circuit_breaker_failure_threshold=3)
        stripe = StripeSettings(
            stripe_calls_per_second_test=2 * PER_SECOND,
            stripe_calls_per_second_endpoint=1_000,
            stripe_calls_shared_by=2,
        )
        connections = StripeConnections(api_base=fake.url)
        keyring = KeyRing(LOCAL_ENCRYPTION_KEY)
        accounts = StripeAccounts(
            connections=connections,
            platform=None,
            platform_webhook_secrets=(),
            database=database,
            keyring=keyring,
            cache_seconds=60,
            guards=account_guards(processor, stripe, clock),
        )
        processors, _, circuits = place_processors(
            sandbox=SandboxProcessor(clock=clock), accounts=accounts, settings=processor, default="sandbox", clock=clock
        )
        async with connections.open():
            yield Limits(fake, processors, circuits, accounts, Configs(database=database, keyring=keyring, clock=clock))
