"""The balancer of docker-compose.yml before the processes of a platform, run by an HAProxy of this machine."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.balancer import configuration
from deploy.local.bootstrap import SERVICES
from deploy.local.processes import end, spawn, which
from tests.support.platform import Platform
from tests.support.ports import free_port


def program() -> str:
    """Where HAProxy is; nothing where it is not installed."""
    return which("haproxy", "/usr/sbin")


@asynccontextmanager
async def balanced(
    platform: Platform, processes: Mapping[str, Sequence[str]], home: Path
) -> AsyncIterator[dict[str, str]]:
    """Run the balancer until the block ends; yields the address of each service, and of the balancer's `health`.

    Args:
        platform: whose processes are behind it, whether they run or not.
        processes: the names of the processes of each service.
        home: its folder, which is made.
    """
    listens = {name: f"127.0.0.1:{free_port()}" for name in (*SERVICES, "health")}
    addresses = {
        service: [platform.base(process).removeprefix("http://") for process in processes[service]]
        for service in SERVICES
    }
    file = await asyncio.to_thread(_written, home, listens, addresses)
    command = [program(), "-f", str(file), "-db"]
    balancer = await asyncio.to_thread(spawn, command, home=home, log=home / "log", cwd=home)
    try:
        yield {name: f"http://{address}" for name, address in listens.items()}
    finally:
        await asyncio.to_thread(end, [balancer], first=signal.SIGTERM, seconds=10.0, whole_group=False)


def _written(home: Path, listens: Mapping[str, str], addresses: Mapping[str, Sequence[str]]) -> Path:
    text = configuration(listens, addresses, health=listens["health"])
    assert "docker init" not in text
    home.mkdir()
    file = home / "haproxy.cfg"
    file.write_text(text)
    return file
