"""One platform with a fake Stripe for all modules here, and a tenant of its own with its own account there for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.fake_stripe import FakeStripe, running_fake_stripe
from deploy.local.servers import Servers
from tests.e2e.bookkeeping import new_tenant, person
from tests.e2e.own_account.shop import ENVIRON, Shop
from tests.support.platform import ADMIN, Platform, running_platform

OPERATOR = ("payments:write", "payments:read", "ledger:read")


@pytest.fixture(scope="package")
async def stripe_platform(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Platform, FakeStripe]]:
    """The four services, whose gateway calls a fake Stripe."""
    logs: Path = tmp_path_factory.mktemp("own-account-logs")
    async with running_fake_stripe() as fake:
        environ = ENVIRON | {
            "STRIPE_API_BASE": fake.url,
            "GATEWAY_CONFIG_CACHE_SECONDS": "0.1",
            # A proof whose event is lost is read by nobody while another card is chosen, however slow the machine is.
            "READING_SCHEDULE_SECONDS": "300,600",
        }
        async with running_platform(servers, logs, environ=environ) as platform:
            yield platform, fake


@pytest.fixture(scope="module")
async def shop(stripe_platform: tuple[Platform, FakeStripe]) -> Shop:
    """A tenant of its own for each module, so that nothing of another one is in its lists."""
    platform, fake = stripe_platform
    tenant = new_tenant()
    operator = person(platform, tenant, "ops", OPERATOR)
    # The first request of its people makes a tenant known.
    assert (await operator.call("GET", "/v1/payment-intents")).status == 200
    key = f"sk_test_of_{tenant.replace('-', '_')}_wxyz"
    return Shop(platform, fake, await platform.login(ADMIN, tenant=tenant), operator, key=key)
