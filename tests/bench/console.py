"""The pages of the console with a million payments: how long each takes to answer, and what it weighs.

    python -m tests.bench.console --payments 1000000 --requests 20

Starts the four services as processes on a database of their own, and loads the payments of one tenant with their entries and
the processor's movements, made in the days before now. Then an administrator logs in over HTTP, acts for that tenant, and
requests every page of the menu, and the pages of one payment, in turn. Prints milliseconds and kilobytes of each; what is
above the bounds of 200 is marked.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import uvloop

from deploy.local import servers as local
from services.api.console.pages import PAGES
from tests.bench.facts import load
from tests.bench.payments import ROOT, percentiles
from tests.support.platform import ADMIN, DEMO_TENANT, running_platform

MILLISECONDS_MAX, KILOBYTES_MAX = 200, 200
_TENANTS = 10
_CSRF = re.compile(r'name="_csrf" value="([^"]+)"')


async def _entered(http: aiohttp.ClientSession, base: str) -> None:
    """Log in, and act for the tenant that has the payments."""
    name, password = ADMIN
    async with http.post(f"{base}/console/login", data={"email": name, "password": password}, allow_redirects=False):
        pass
    async with http.get(f"{base}/console/payments") as answer:
        found = _CSRF.search(await answer.text())
    if found is None:
        raise SystemExit(f"the console did not let us in: {answer.status}")
    form = {"_csrf": found[1], "tenant_id": DEMO_TENANT, "back": "/console/payments"}
    async with http.post(f"{base}/console/tenant", data=form, allow_redirects=False) as answer:
        if answer.status != 303:
            raise SystemExit(f"the console does not act for {DEMO_TENANT}: {answer.status}")


async def _timed(http: aiohttp.ClientSession, url: str) -> tuple[float, int, int]:
    started = time.perf_counter()
    async with http.get(url) as answer:
        body = await answer.read()
    return time.perf_counter() - started, len(body), answer.status


async def measure(arguments: argparse.Namespace) -> None:
    """Load, log in, request, print."""
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    # One caller requests more than people do.
    limits = {"RATE_LIMIT_READ_PER_MIN": "0", "RECONCILIATION_EVERY_MINUTES": "0"}
    with tempfile.TemporaryDirectory() as logs:
        async with running_platform(servers, Path(logs), environ=limits) as platform:
            rows = await load(
                platform.database,
                arguments.payments,
                _TENANTS,
                moved_but=arguments.payments // 1000,
                ended=datetime.now(UTC),
                big=DEMO_TENANT,
            )
            payment = next(row[1] for row in reversed(rows) if row[0] == DEMO_TENANT)
            pages = [page.key for page in PAGES if page.show is not None]
            pages += [f"payments/{payment}", "search?q=150.50", f"search?q={payment}", "payments?status=SETTLED"]
            base = platform.base()
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
                await _entered(http, base)
                slow = 0
                for page in pages:
                    found = [await _timed(http, f"{base}/console/{page}") for _ in range(arguments.requests)]
                    if (status := found[0][2]) != 200:
                        print(f"{page:44} answered {status}")
                        continue
                    took, kilobytes = percentiles([seconds for seconds, _, _ in found]), found[0][1] / 1000
                    is_above = took["p95"] > MILLISECONDS_MAX or kilobytes > KILOBYTES_MAX
                    slow += is_above
                    first = found[0][0] * 1000
                    print(
                        f"{page:44} first {first:7.1f} ms   p50 {took['p50']:7} ms   p95 {took['p95']:7} ms   {kilobytes:6.1f} kB"
                        f"{'   above the bounds' if is_above else ''}",
                        flush=True,
                    )
    print(f"{len(pages)} pages over {arguments.payments:,} payments, {slow} above the bounds")


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=20)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
