"""The fault harness in short: another seed each time, and those that have found something."""

from pathlib import Path

import pytest

from deploy.local.servers import Servers
from tests.proof.chaos.run import prove
from tests.proof.chaos.schedule import Kind
from tests.proof.chaos.sites import PlainSite
from tests.support import samples

pytestmark = pytest.mark.outages

SECONDS = 8.0
PER_SECOND = 10.0
QUICK = tuple(kind for kind in Kind if kind not in {Kind.RABBITMQ_KILL, Kind.RABBITMQ_RESTART, Kind.RABBITMQ_FREEZE})
"""Kinds that take no more than the time of a process's start: other tests run beside this one."""
RECOVERY_SECONDS = 90.0
"""Beside other tests a process may take long to start; `just chaos` has the bound that is to be kept."""


async def test_faults_under_load_lose_and_double_nothing(servers: Servers, tmp_path: Path) -> None:
    given = [name for name, server in servers.each().items() if server.kind != "native"]
    if given:
        pytest.skip(f"{', '.join(given)} of this run are not ours to kill")
    found = await prove(
        PlainSite(servers),
        tmp_path,
        seconds=SECONDS,
        seed=samples.seed("chaos"),
        per_second=PER_SECOND,
        kinds=QUICK,
        recovery_seconds=RECOVERY_SECONDS,
    )
    assert found["findings"] == []
    assert found["faults"] > 0
    assert found["payments"] > SECONDS
