"""A long run at 70 percent of the sustainable load: memory and latency stay flat, and no table grows that should not.

    just soak                     an hour
    just soak --minutes 5

Drawn to `.local/proof/soak.svg`: memory of each service, latency, bytes of what is to stay as it is, and of what is kept.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from deploy.local import servers as local
from deploy.local.servers import Servers
from deploy.observability.panels import Dashboard, Panel
from deploy.observability.pictures import Line, drawn
from tests.proof.pressure import CALIBRATING_CLIENTS, Pressure, memory, percentile, settled, tables
from tests.proof.results import FOLDER, report
from tests.support.platform import OPERATOR, ROOT, Platform, running_platform

STEP_SECONDS = 10.0
LOAD = 0.7
CALIBRATION_SECONDS = 20.0
TRANSIENT = ("outbox", "outbox_refused", "delivery_queue")
"""Tables that are empty when nothing waits."""
TRANSIENT_BYTES_MAX = 64 * 1024**2
"""What one of them may have: dead rows until the next vacuum."""
GROWTH_MIB_MAX = 40
"""By how much the memory of a service may grow from the second quarter to the last."""
SLOWER_MAX = 2.0
"""How many times the median latency of the second quarter that of the last may be."""


class Run:
    """What was seen, step by step."""

    def __init__(self) -> None:
        self.memory: dict[str, list[tuple[float, float]]] = {}
        self.latency: dict[str, list[tuple[float, float]]] = {}
        self.tables: dict[str, list[tuple[float, float]]] = {}
        self.refused = 0

    async def look(self, platform: Platform, seconds: Sequence[float], *, at: float) -> None:
        """Note how it is after a step."""
        for service, used in memory(platform).items():
            self.memory.setdefault(service, []).append((at, used["now"]))
        for share in (50, 99):
            self.latency.setdefault(f"p{share}", []).append((at, percentile(seconds, share) * 1000))
        for name, size in (await tables(platform.database.admin_url)).items():
            self.tables.setdefault(name, []).append((at, size / 1024**2))

    def picture(self) -> str:
        """Draw it."""
        transient = {name: points for name, points in self.tables.items() if _is_transient(name)}
        largest = sorted(self.tables.items(), key=lambda item: -item[1][-1][1])[:8]
        charts: list[tuple[Panel, list[Line]]] = [
            (_panel("Memory of each service", "MiB"), list(self.memory.items())),
            (_panel("Creating a payment", "ms"), list(self.latency.items())),
            (_panel("What waits: outboxes", "MiB"), list(transient.items())),
            (_panel("What is kept: the largest tables", "MiB"), largest),
        ]
        return drawn(Dashboard(name="soak", title="At 70 percent of the sustainable load", panels=()), charts)

    def check(self) -> dict[str, Any]:
        """Compare the last quarter with the second.

        Raises:
            AssertionError: naming what grew.
        """
        growth = {service: _last(points) - _second(points) for service, points in self.memory.items()}
        slower = _last(self.latency["p50"]) / max(1.0, _second(self.latency["p50"]))
        most = {name: max(size for _, size in points) for name, points in self.tables.items() if _is_transient(name)}
        found = {
            "memory_growth_mib": {service: round(value, 1) for service, value in growth.items()},
            "p50_ms": round(_last(self.latency["p50"]), 1),
            "p99_ms": round(_last(self.latency["p99"]), 1),
            "slower_times": round(slower, 2),
            "waiting_mib_most": {name: round(size, 2) for name, size in most.items()},
            "refused": self.refused,
        }
        print(found, flush=True)
        assert all(value <= GROWTH_MIB_MAX for value in growth.values()), found
        assert slower <= SLOWER_MAX, found
        assert all(size * 1024**2 <= TRANSIENT_BYTES_MAX for size in most.values()), found
        return found


def _is_transient(name: str) -> bool:
    return name.partition(".")[2] in TRANSIENT


def _panel(title: str, unit: str) -> Panel:
    return Panel(title=title, unit=unit, queries=())


def _second(points: Sequence[tuple[float, float]]) -> float:
    quarter = max(1, len(points) // 4)
    return _median(points[quarter : 2 * quarter])


def _last(points: Sequence[tuple[float, float]]) -> float:
    return _median(points[-max(1, len(points) // 4) :])


def _median(points: Sequence[tuple[float, float]]) -> float:
    return percentile([value for _, value in points], 50)


async def soak(servers: Servers, logs: Path, *, minutes: float, per_second: float) -> dict[str, Any]:
    """Pay for so long, and look every ten seconds."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        running_platform(servers, logs) as platform,
        aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
    ):
        pressure = Pressure(platform, await platform.login(OPERATOR), http)
        if not per_second:
            await pressure.closed(clients=4, seconds=3.0)
            rate = await pressure.closed(clients=CALIBRATING_CLIENTS, seconds=CALIBRATION_SECONDS)
            per_second = LOAD * rate
            await settled(platform.database.admin_url, pressure.accepted)
        run, began, payments = Run(), time.monotonic(), 0
        while (now := time.monotonic() - began) < minutes * 60:
            answers = await pressure.open(per_second=per_second, seconds=STEP_SECONDS)
            payments += len(answers)
            run.refused += sum(answer.status != 200 for answer in answers)
            await run.look(platform, [answer.seconds for answer in answers], at=now)
            if now % 60 < STEP_SECONDS:
                await settled(platform.database.admin_url, pressure.accepted)
                pressure.answered.clear()
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "soak.svg").write_text(run.picture())
        return {"per_second": round(per_second, 1), "minutes": minutes, "payments": payments} | run.check()


async def _main(given: argparse.Namespace) -> dict[str, Any]:
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    with tempfile.TemporaryDirectory() as logs:
        return await soak(servers, Path(logs), minutes=given.minutes, per_second=given.per_second)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--per-second", type=float, default=0.0, help="payments (default: 70 percent of what is measured)"
    )
    report("soak", uvloop.run(_main(parser.parse_args(sys.argv[1:]))))
