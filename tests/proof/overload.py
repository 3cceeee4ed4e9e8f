"""Proof that twice the sustainable load does no harm: what cannot be done is refused early, what is accepted is done.

    just proof-overload

First the sustainable rate is measured. Then twice as many payments arrive, for a while; then half as many. A refusal is 429 or 503,
says when to come again (Retry-After), and comes within `REFUSED_SECONDS`; no request ends otherwise. Every accepted payment is
settled and booked once, the memory of each service stays below its bound, and latency is as before within ten seconds.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from deploy.local import servers as local
from deploy.local.servers import Servers
from tests.proof.pressure import CALIBRATING_CLIENTS, REFUSED, Answered, Pressure, memory, percentile, settled
from tests.proof.results import report
from tests.support.platform import OPERATOR, ROOT, running_platform

REFUSED_SECONDS = 2.0
"""How long a refusal may take, 99 of 100."""
ACCEPTED_SECONDS = 10.0
"""How long the answer to an accepted creation may take, 99 of 100."""
RECOVERED_SECONDS = 10.0
MEMORY_MIB_MAX = 512
"""What a service may have at most, whatever arrives."""
ALLOWED = frozenset({200}) | REFUSED


async def prove(servers: Servers, logs: Path, *, seconds: float, times: float, in_flight: int) -> dict[str, Any]:
    """Measure the rate, exceed it, and come back."""
    environ = {"HTTP_IN_FLIGHT_MAX": str(in_flight), "CONFIRM_WAITING_MAX": str(in_flight // 2)} if in_flight else {}
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        running_platform(servers, logs, environ=environ) as platform,
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as http,
    ):
        pressure = Pressure(platform, await platform.login(OPERATOR), http)
        await pressure.closed(clients=4, seconds=3.0)
        rate = await pressure.closed(clients=CALIBRATING_CLIENTS, seconds=seconds)
        await settled(platform.database.admin_url, pressure.accepted)
        before = await pressure.open(per_second=rate / 2, seconds=seconds / 2)
        usual = percentile([answer.seconds for answer in before], 95)
        at_rest = memory(platform)

        over = await pressure.open(per_second=times * rate, seconds=seconds)
        ended = time.monotonic()
        after = await pressure.open(per_second=rate / 2, seconds=2 * RECOVERED_SECONDS)
        recovered = _recovered(after, usual=usual, ended=ended)
        found = {
            "sustainable_per_second": round(rate, 1),
            "offered_per_second": round(times * rate, 1),
            "answers": dict(Counter(answer.status for answer in over)),
            "confirmations": dict(pressure.confirmed),
            "usual_p95_seconds": round(usual, 3),
            "accepted_p99_seconds": round(percentile([a.seconds for a in over if a.status == 200], 99), 2),
            "refused_p99_seconds": round(percentile([a.seconds for a in over if a.status in REFUSED], 99), 2),
            "recovered_seconds": None if recovered is None else round(recovered, 1),
            "memory_mib": {name: [at_rest[name]["now"], used["most"]] for name, used in memory(platform).items()},
            "settled_after_seconds": round(await settled(platform.database.admin_url, pressure.accepted), 1),
            "accepted": len(pressure.accepted),
        }
        print(found, flush=True)
        _check(found, [*over, *after], platform_memory=memory(platform))
        return found


def _check(found: dict[str, Any], answers: Sequence[Answered], *, platform_memory: dict[str, dict[str, int]]) -> None:
    assert {answer.status for answer in answers} <= ALLOWED, found
    assert all(answer.is_early for answer in answers), "a refusal without Retry-After"
    assert found["refused_p99_seconds"] <= REFUSED_SECONDS, found
    assert found["accepted_p99_seconds"] <= ACCEPTED_SECONDS, found
    assert found["recovered_seconds"] is not None, found
    assert found["recovered_seconds"] <= RECOVERED_SECONDS, found
    assert all(used["most"] <= MEMORY_MIB_MAX for used in platform_memory.values()), found


def _recovered(after: Sequence[Answered], *, usual: float, ended: float) -> float | None:
    """Return after how many seconds payments took twice as long as usual at most, and did from then on; None where never."""
    by_second: dict[int, list[float]] = {}
    for answer in after:
        by_second.setdefault(int(answer.due - ended), []).append(answer.seconds if answer.status == 200 else 60.0)
    bound = 2 * usual + 0.3
    slow = [second for second, values in by_second.items() if percentile(values, 95) > bound]
    worst = max(slow, default=-1) + 1
    return float(worst) if worst <= max(by_second, default=0) else None


async def _main(given: argparse.Namespace) -> dict[str, Any]:
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    with tempfile.TemporaryDirectory() as logs:
        return await prove(servers, Path(logs), seconds=given.seconds, times=given.times, in_flight=given.in_flight)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring the rate, and of the overload")
    parser.add_argument("--times", type=float, default=2.0, help="how many times the sustainable rate arrives")
    parser.add_argument("--in-flight", type=int, default=48, help="HTTP_IN_FLIGHT_MAX (0: as it is set)")
    report("overload", uvloop.run(_main(parser.parse_args(sys.argv[1:]))))
