"""Configurations of tenants at a fake Stripe that names the account of each key."""

from collections.abc import AsyncIterator

import pytest

from deploy.fake_stripe import FakeStripe, running_fake_stripe
from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.accounts import Configs, KeyRing, StripeAccounts, account_guards
from services.gateway.processors.port import Approved
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeProcessor
from services.gateway.settings import LOCAL_ENCRYPTION_KEY, ProcessorSettings, StripeSettings
from tests.integration.gateway.accounts.limits import Limits, with_limits
from tests.support.databases import TestDatabase
from tests.support.stripe import authorize


class Accounts:
    """Decisions about configurations where Stripe names the account of a key."""

    def __init__(
        self, fake: FakeStripe, database: Database, clock: ManualClock, connections: StripeConnections
    ) -> None:
        self.fake = fake
        self.connections = connections
        keyring = KeyRing(LOCAL_ENCRYPTION_KEY)
        accounts = StripeAccounts(
            connections=connections,
            platform=None,
            platform_webhook_secrets=(),
            database=database,
            keyring=keyring,
            cache_seconds=60,
            guards=account_guards(ProcessorSettings(), StripeSettings(), clock),
        )
        self.database = database
        self.configs = Configs(
            database=database, keyring=keyring, clock=clock, identify=accounts.identify, knows=accounts.knows
        )
        self.before = Configs(database=database, keyring=keyring, clock=clock)
        """As a version decided that did not ask Stripe."""

    def key(self, *, of: str = "", kind: str = "sk") -> str:
        """A new key, of an account of its own or of that of another key."""
        key = f"{kind}_test_{new_id().hex}"
        if of:
            self.fake.add_key(key, of=of)
        return key

    async def pay(self, key: str) -> str:
        """Hold funds through the account of a key; returns Stripe's reference."""
        account = StripeAccount(name="stripe", secret_key=key, payment_method="pm_card_visa")
        answer = await StripeProcessor(account, self.connections.client(account)).authorize(authorize())
        assert isinstance(answer, Approved)
        return answer.gateway_ref

    async def owner(self, key: str) -> str | None:
        """Which configuration owns the account of a key."""
        async with self.database.connection() as connection:
            found: str | None = await connection.fetchval(
                "SELECT processor FROM stripe_accounts WHERE account_id = $1", self.fake.account(key).account_id
            )
        return found


@pytest.fixture
async def accounts(gateway_database: TestDatabase, clock: ManualClock) -> AsyncIterator[Accounts]:
    async with running_fake_stripe() as fake, gateway_database.open("gateway") as database:
        connections = StripeConnections(api_base=fake.url)
        async with connections.open():
            yield Accounts(fake, database, clock, connections)


@pytest.fixture
async def limits(gateway_database: TestDatabase, clock: ManualClock) -> AsyncIterator[Limits]:
    async with with_limits(gateway_database, clock) as made:
        yield made
