"""Fixtures that every test may use; servers are started once and shared, databases and virtual hosts are not."""

import gc
import os
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import hypothesis
import msgspec
import pytest
import structlog
import uvloop

from deploy.fake_stripe import running_fake_stripe
from deploy.local import servers as local
from deploy.local.records import with_path
from deploy.local.servers import Servers
from libs.common.clock import ManualClock
from libs.common.observability.stalls import leave_out_of_collections
from tests.support.answers import keep_compared
from tests.support.databases import SERVICES, TestDatabase, fresh_database
from tests.support.kept_vhosts import declared_vhost
from tests.support.platform import Platform, running_platform

ROOT = Path(__file__).parents[1]
_GARBAGE_AFTER = 50_000
"""New objects after which garbage is looked for."""

pytest_plugins = [
    "tests.support.deadlines",
    "tests.support.order",
    "tests.support.samples",
    "tests.support.drawn_files",
]

# A machine that does other things too is slow now and then: no test may fail for it.
hypothesis.settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any_machine")

# Tracebacks in plain text: drawn with frames, colours and local values, one takes as long as many tests.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="ts"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_sessionfinish() -> None:
    """Write down which answers this process has compared with their examples, where the whole run gathers it."""
    keep_compared()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that share the platform of the run: the test command runs the others where it is not."""
    for item in items:
        if "platform" in getattr(item, "fixturenames", ()):
            item.add_marker("shared_platform")


def pytest_collection_finish() -> None:
    """Leave everything that was imported out of each later garbage collection: that is an eighth of the tests' work."""
    leave_out_of_collections()
    gc.set_threshold(_GARBAGE_AFTER)


@pytest.fixture(scope="session")
def _asyncio_loop_factory() -> Callable[[], AbstractEventLoop]:
    """The event loop of the services, for the tests too; given by pytest-asyncio's hook it would part a module's tests."""
    return uvloop.new_event_loop


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The private PostgreSQL, Redis and RabbitMQ of the tests; each process of a run in parallel has a Redis database."""
    found = local.ensure(os.environ.get("TEST_PROFILE", "test"), ROOT)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    process = os.environ.get(local.REDIS_DATABASE, worker)
    if found.redis.kind == "given":
        return found
    own = msgspec.structs.replace(found.redis, url=with_path(found.redis.url, process))
    return msgspec.structs.replace(found, redis=own)


@pytest.fixture(scope="session")
def make_database(servers: Servers) -> Callable[..., AbstractAsyncContextManager[TestDatabase]]:
    """Make a database for some services: `async with make_database("ledger") as database`."""

    def make(*services: str) -> AbstractAsyncContextManager[TestDatabase]:
        return fresh_database(servers, services)

    return make


@pytest.fixture(scope="module")
async def api_database(servers: Servers) -> AsyncIterator[TestDatabase]:
    """A migrated database of the api, shared by the tests of one module: use a tenant of your own in each test."""
    async with fresh_database(servers, ("api",)) as database:
        yield database


@pytest.fixture(scope="module")
async def ledger_database(servers: Servers) -> AsyncIterator[TestDatabase]:
    """A migrated database of the ledger, shared by the tests of one module: use a tenant of your own in each test."""
    async with fresh_database(servers, ("ledger",)) as database:
        yield database


@pytest.fixture(scope="module")
async def gateway_database(servers: Servers) -> AsyncIterator[TestDatabase]:
    """A migrated database of the gateway, shared by the tests of one module: use a tenant of your own in each test."""
    async with fresh_database(servers, ("gateway",)) as database:
        yield database


@pytest.fixture(scope="module")
async def notifier_database(servers: Servers) -> AsyncIterator[TestDatabase]:
    """A migrated database of the notifier, shared by the tests of one module: use a tenant of your own in each test."""
    async with fresh_database(servers, ("notifier",)) as database:
        yield database


@pytest.fixture(scope="module")
def declared(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[str, dict[str, str]]]:
    """A virtual host that no other test module uses meanwhile, with the queues of the service whose folder the tests are in; of all four elsewhere."""
    folders = set(request.path.relative_to(ROOT).parts)
    services = [each for each in SERVICES if each in folders] or SERVICES
    with declared_vhost(servers, services=services) as made:
        yield made


@pytest.fixture(scope="module")
def vhost_url(declared: tuple[str, dict[str, str]]) -> str:
    """The address of that virtual host, as a user that may do everything in it."""
    return declared[0]


@pytest.fixture(scope="module")
def own_urls(declared: tuple[str, dict[str, str]]) -> dict[str, str]:
    """The address of that virtual host for each service, as the user that may do what its contracts say and no more."""
    return declared[1]


@pytest.fixture(scope="session")
async def platform(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The four services as processes, migrated and seeded; started once for all tests of a run that need them.

    Beside them is a Stripe that knows no key of theirs: nothing asks the real one.
    """
    logs: Path = tmp_path_factory.mktemp("logs")
    async with (
        running_fake_stripe() as stripe,
        running_platform(servers, logs, environ={"STRIPE_API_BASE": stripe.url}) as running,
    ):
        yield running


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at the present instant until it is turned: ids and the database's `now()` agree with it.

    A test that needs another day makes a clock of its own, and must not meet the real time then.
    """
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def tenant_id() -> str:
    """A tenant that no other test uses."""
    return f"tenant-{uuid4().hex[:12]}"
