"""Proof that the platform outlives its nodes: payments go on while leaders are killed and suspended, and none is lost or doubled.

    just proof-ha                                          every fault once
    just proof-ha --faults postgres-killed redis-killed    those named
    just proof-ha --runs 3 --clients 8

Clients pay all the time, each with the same keys again after every lost answer, and read each payment until it is settled.
A fault has recovered when a payment that was begun after it is settled, and so are all that were begun before that moment.
Afterwards databases and queues are counted: one intent, one authorization, one capture and one entry for each payment.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

import aiohttp
import uvloop

from deploy.local import lifecycle
from deploy.local.errors import LocalFailure
from deploy.local.ha import cluster
from deploy.local.ha.plan import Plan
from deploy.local.layout import layout
from deploy.local.servers import Servers, known
from tests.proof.ha_faults import FAULTS, Faults
from tests.proof.ha_load import Load, audit
from tests.proof.results import report
from tests.support.platform import DEMO_TENANT, OPERATOR, Client

CALM_SECONDS = 5.0
"""How long payments go on before the first fault, and after each recovery."""
UNLIMITED = {"RATE_LIMIT_WRITE_PER_MIN": "1000000", "RATE_LIMIT_READ_PER_MIN": "1000000"}


async def log_in(http: aiohttp.ClientSession, base: str) -> Client:
    """Return a client that acts for the demo tenant."""
    client = Client(http, base, tenant=DEMO_TENANT)
    body = {"email": OPERATOR[0], "password": OPERATOR[1], "tenantId": DEMO_TENANT}
    answer = await client.call("POST", "/v1/auth/token", body)
    assert answer.status == 200, answer.raw
    client.token = answer.json["access_token"]
    return client


async def prove(given: argparse.Namespace, here: Plan, servers: Servers, env: Mapping[str, str]) -> dict[str, Any]:
    """Have each fault happen once under load, and audit what became of every payment."""
    found: dict[str, Any] = {}
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        load = Load(await log_in(http, lifecycle.base_url(env, "api")), clients=given.clients)
        faults = Faults(here, servers)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            try:
                await load.until_settled(after=load.now(), seconds=60)
                for name in given.faults:
                    await asyncio.sleep(CALM_SECONDS)
                    found[name] = await _one(name, faults, load)
                    print(f"{name}: {found[name]}", flush=True)
            finally:
                load.stop()
        found["payments"] = len(load.payments)
        found["slowest_without_fault_seconds"] = round(load.slowest_before(faults.first_at), 1)
        await audit(load, servers)
    return found


async def _one(name: str, faults: Faults, load: Load) -> dict[str, float | int]:
    fault = FAULTS[name]
    began = load.now()
    faults.first_at = faults.first_at or began
    repair = await fault.happen(faults)
    recovered = await load.until_settled(after=began, seconds=4 * fault.seconds)
    await repair()
    await asyncio.to_thread(faults.until_whole)
    seconds = round(recovered - began, 1)
    assert seconds <= fault.seconds, f"{name}: recovered after {seconds} s, {fault.seconds:.0f} s at most"
    return {"recovered_seconds": seconds, "at_most": fault.seconds, "payments_meanwhile": load.begun_since(began)}


def main(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Bring the profile up where it does not run, and prove it as often as it is wished."""
    os.environ.update(UNLIMITED)
    place = layout("ha")
    if given.as_it_runs:
        env = lifecycle.settings_of_running()
    else:
        env = lifecycle.up(lambda sentence: print(sentence, file=sys.stderr, flush=True), profile="ha")
    servers = known("ha")
    assert servers is not None
    runs = [uvloop.run(prove(given, cluster.plan(place), servers, env)) for _ in range(given.runs)]
    # The ledger's own verification: seals, links and balances.
    if code := lifecycle.run_with_settings([sys.executable, "-m", "services.ledger", "verify"]):
        raise LocalFailure(f"The ledger's verification ended with code {code}.")
    return runs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--as-it-runs", action="store_true", help="do not start, migrate or change settings first")
    parser.add_argument("--faults", nargs="+", choices=[*FAULTS], default=[*FAULTS])
    report("ha", {"runs": main(parser.parse_args(sys.argv[1:]))})
