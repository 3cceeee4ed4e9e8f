"""Two processes of each service behind the balancer of docker-compose.yml, run by an HAProxy of this machine."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from deploy.local import packages
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT
from deploy.local.servers import Servers
from tests.support.balancing import balanced, program
from tests.support.platform import OPERATOR, Client, Platform, running_platform

CONFIG = ROOT / "deploy" / "balancer" / "haproxy.cfg"
READY_SECONDS = 60
MORE = tuple(f"{service}-2" for service in SERVICES)


@pytest.fixture(autouse=True)
def haproxy() -> None:
    """It is installed first where we may."""
    if not program():
        try:
            packages.install(["haproxy"], report=print)
        except LocalFailure as failed:
            pytest.skip(str(failed))


@pytest.fixture
async def doubled(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform with two processes of each service."""
    async with running_platform(servers, tmp_path) as platform:
        for process in MORE:
            platform.start(process)
        for process in MORE:
            await platform.ready(process)
        yield platform


async def _answered(platform: Platform, process: str) -> float:
    """How many requests of clients a process of the api has answered."""
    async with platform.http.get(f"{platform.base(process)}/metrics") as answer:
        text = await answer.text()
    counts = re.findall(r'^http_requests_total\{.*path="/v1/payment-intents.*\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, counts))


async def _healthy(platform: Platform, url: str) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                async with platform.http.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


async def _pay(client: Client) -> None:
    intent = await client.create()
    answer = await client.confirm(intent["id"])
    assert answer.status in {200, 202}, answer.raw
    await client.settled(intent["id"])


async def test_payments_go_on_while_a_process_of_each_is_killed(doubled: Platform, tmp_path: Path) -> None:
    processes = {service: (service, f"{service}-2") for service in SERVICES}
    async with balanced(doubled, processes, tmp_path / "balancer") as at:
        await _healthy(doubled, f"{at['health']}/alive")
        for service in SERVICES:
            await _healthy(doubled, f"{at[service]}/readyz")
        direct = await doubled.login(OPERATOR)
        client = Client(doubled.http, at["api"], token=direct.token, tenant=direct.tenant)
        await asyncio.gather(*(_pay(client) for _ in range(8)))
        assert min([await _answered(doubled, "api"), await _answered(doubled, "api-2")]) > 0
        for service in SERVICES:
            doubled.kill(service)
        # What was being answered when a process was killed is the caller's to repeat; nothing new is refused.
        await asyncio.gather(*(_pay(client) for _ in range(8)))
        for service in SERVICES:
            await _healthy(doubled, f"{at[service]}/readyz")
