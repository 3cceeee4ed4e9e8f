"""What operators see of services that answer, and of those that are down."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common.contracts import Message
from libs.common.contracts.gateway_requests import CircuitList, CircuitReport, ListCircuits
from libs.common.contracts.service_health import GetServiceHealth, QueueHealth, ServiceHealth
from libs.common.errors import Unavailable
from services.api.app import seed
from tests.integration.api.conftest import Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Client

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Services:
    """The four services, any of which may be down."""

    def __init__(self) -> None:
        self.down: set[str] = set()

    async def ask(self, message: Message) -> Any:
        """Answer for the requested service."""
        if message.contract.owner in self.down:
            raise Unavailable("the service does not answer")
        if isinstance(message, ListCircuits):
            report = CircuitReport(
                process="a:1",
                name="stripe",
                is_account=False,
                state="open",
                since=AT,
                until=None,
                waiting=3,
                per_second=None,
                seen_at=AT,
            )
            return CircuitList(circuits=[report])
        assert isinstance(message, GetServiceHealth)
        queue = QueueHealth(queue=f"{message.contract.owner}.requests.work", waiting=4, consumers=2)
        return ServiceHealth(outbox_pending=2, outbox_oldest_seconds=1.23456, outbox_refused=1, queues=[queue])


@pytest.fixture(scope="module")
def services() -> Services:
    return Services()


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase, services: Services) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=services.ask) as running:
        yield running


@pytest.fixture
async def root(api: Api, services: Services, tenant_id: str) -> Client:
    member = api.client(tenant_id)
    assert (await member.call("GET", "/v1/feature-flags")).status in {200, 403}
    services.down.clear()
    return api.client(tenant_id, sub="root@platform", tid="*", roles=["admin"], perms=[])


async def test_every_service_shows_its_outbox_and_its_queues(root: Client) -> None:
    listed = (await root.call("GET", "/v1/service-health")).json
    assert [each["service"] for each in listed] == ["api", "gateway", "ledger", "notifier"]
    assert listed[2] == {
        "service": "ledger",
        "is_answering": True,
        "outbox_pending": 2,
        "outbox_oldest_seconds": 1.235,
        "outbox_refused": 1,
        "queues": [{"queue": "ledger.requests.work", "waiting": 4, "consumers": 2}],
    }


async def test_a_service_that_is_down_is_shown_as_such(root: Client, services: Services) -> None:
    services.down = {"gateway"}
    listed = (await root.call("GET", "/v1/service-health")).json
    assert [each["is_answering"] for each in listed] == [True, False, True, True]
    assert (listed[1]["outbox_pending"], listed[1]["queues"]) == (None, [])
    refused = await root.call("GET", "/v1/circuits")
    assert (refused.status, refused.json["code"]) == (503, "unavailable")


async def test_circuits_are_shown_as_their_processes_report_them(root: Client) -> None:
    [circuit] = (await root.call("GET", "/v1/circuits")).json
    assert circuit == {
        "process": "a:1",
        "name": "stripe",
        "is_account": False,
        "state": "open",
        "since": "2026-11-30T12:00:00+00:00",
        "until": None,
        "waiting": 3,
        "per_second": None,
        "seen_at": "2026-11-30T12:00:00+00:00",
    }


async def test_members_of_a_tenant_see_nothing_of_it(api: Api, tenant_id: str) -> None:
    member = api.client(tenant_id, roles=["admin"], perms=["admin:write"])
    for path in ("/v1/service-health", "/v1/circuits"):
        assert (await member.call("GET", path)).status == 403
