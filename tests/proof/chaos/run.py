"""The platform under load while a schedule of faults is carried out, then the audit of all that was accepted.

    just chaos                                    ten minutes, a seed of chance
    just chaos --minutes 3 --seed 7
    just chaos --seed 7 --kinds kill half-open    some kinds of faults alone
    just chaos --profile ha                       servers in several nodes, whose leaders are killed and cut off

The schedule is made of the seed and printed first; each fault is printed with the instants at which it began and ended, and how
long it took until every service was ready again and a payment that each process of the api accepted after that was settled.
What was found goes to `.local/proof/chaos.json`, the logs of the services to `.local/proof/chaos`.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import asyncpg
import msgspec
import uvloop

from deploy.local import servers as local
from deploy.local.ha import cluster
from deploy.local.layout import layout
from tests.bench.gateway import fake_stripe_process
from tests.proof.chaos.audit import SHOWN_MAX, SUBSCRIBED, TAP, Audit, Published, impossible
from tests.proof.chaos.clocks import Clocks, can_jump, preloaded
from tests.proof.chaos.faults import Faults, linked
from tests.proof.chaos.load import Load
from tests.proof.chaos.processor import API_KEY, Processor
from tests.proof.chaos.schedule import Kind, Round, Targets, schedule
from tests.proof.chaos.sites import ClusterSite, PlainSite, Site
from tests.proof.gateway import SETTINGS
from tests.proof.results import FOLDER, report
from tests.support import balancing
from tests.support.balancing import balanced
from tests.support.databases import SERVICES
from tests.support.platform import ADMIN, OPERATOR, ROOT, Platform, running_platform
from tests.support.receiver import Receiver, running_receiver

PROFILE = "chaos"
PROCESSES = {service: (service, f"{service}-2") for service in SERVICES}
LINKS = (("api", "redis"), *((service, server) for service in SERVICES for server in ("postgres", "rabbitmq")))
"""Who is connected to what."""
SHOWN_REPAIR_SECONDS = 1.0
WATCHED_SECONDS = 180.0
"""How long it is waited for, so that a run that failed says how long it took."""
REST_SECONDS = 90.0
"""How long after the last fault all that was accepted may take to end. A processor's unknown outcome is resolved by a
schedule, and a payment that nobody works on is swept after two minutes by default."""

type Findings = dict[str, Any]


class Run:
    """A platform, its clients, and who disturbs it."""

    def __init__(
        self,
        platform: Platform,
        site: Site,
        faults: Faults,
        load: Load,
        audit: Audit,
        *,
        recovery_seconds: float | None,
    ) -> None:
        self.platform = platform
        self.site = site
        self.faults = faults
        self.load = load
        self.audit = audit
        self.recovery_seconds = recovery_seconds
        """How long each recovery may take where it is not what the site says."""
        self.lines: list[dict[str, Any]] = []
        """What each fault was, when it began and ended, and how long recovery took."""
        self.findings: list[str] = []

    async def carry_out(self, rounds: Sequence[Round]) -> None:
        """Carry out the rounds, each once it is time and the platform has recovered from the one before."""
        begun = time.monotonic()
        for number, each in enumerate(rounds, start=1):
            await asyncio.sleep(max(0.0, begun + each.at_seconds - time.monotonic()))
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._after(fault.after_seconds, self.faults.cause(fault)))
                    for fault in each.faults
                ]
            ended = time.monotonic()
            ready, seconds = await self._recovered(ended)
            for fault, task in zip(each.faults, tasks, strict=True):
                began, over = task.result()
                load = os.getloadavg()[0]
                line = (
                    f"{began - begun:6.1f} to {over - begun:6.1f} s, recovered {seconds:5.2f} s later: {fault}"
                    f" (ready after {ready:.2f} s, load {load:.0f})"
                )
                print(f"{number:3} {line}", flush=True)
                self.lines.append(
                    {
                        "kind": fault.kind,
                        "fault": str(fault),
                        "began": round(began - begun, 2),
                        "ended": round(over - begun, 2),
                        "ready_seconds": round(ready, 2),
                        "recovered_seconds": round(seconds, 2),
                        "load": round(load, 1),
                    }
                )
                if seconds > self._may_take(each):
                    self.findings.append(f"round {number}: {line}")
            repairing = time.monotonic()
            await asyncio.to_thread(self.site.repair)
            if (took := time.monotonic() - repairing) > SHOWN_REPAIR_SECONDS:
                print(f"    all nodes are back {took:.1f} s later", flush=True)

    def _may_take(self, each: Round) -> float:
        if self.recovery_seconds is not None:
            return self.recovery_seconds
        return max(self.site.recovery_seconds(fault.kind) for fault in each.faults)

    async def _after(self, seconds: float, cause: Any) -> tuple[float, float]:
        await asyncio.sleep(seconds)
        found: tuple[float, float] = await cause
        return found

    async def _recovered(self, since: float) -> tuple[float, float]:
        """Wait until all services are ready and a payment through each process of the api settles; returns the seconds of both."""
        async with asyncio.TaskGroup() as group:
            for process in PROCESSES["api"]:
                group.create_task(self.load.pay(at=self.platform.base(process)))
            async with asyncio.TaskGroup() as processes:
                for process in (process for each in PROCESSES.values() for process in each):
                    processes.create_task(self.platform.ready(process, seconds=WATCHED_SECONDS))
            ready = time.monotonic() - since
        return ready, time.monotonic() - since


@asynccontextmanager
async def tapped(platform: Platform) -> AsyncIterator[None]:
    """Keep what is published for other teams in a queue of ours, which outlives the broker."""
    async with await aio_pika.connect(platform.rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(TAP, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind("payments.x", "#")
    yield


async def drained(platform: Platform) -> Published:
    """Read the events that other teams would have received."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    async with await aio_pika.connect(platform.rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=500)
        queue = await channel.declare_queue(TAP, passive=True)
        left = queue.declaration_result.message_count or 0
        if left:
            async with queue.iterator(no_ack=True, timeout=30) as messages:
                async for message in messages:
                    body = msgspec.json.decode(message.body)
                    if intent := body.get("payment_intent_id"):
                        found[intent][message.routing_key or ""].add(body["event_id"])
                    left -= 1
                    if not left:
                        break
    return found


async def _settings(platform: Platform, processor: Processor, gateways: Sequence[str]) -> Mapping[str, str]:
    urls = [f"{gateway}/webhooks/stripe" for gateway in gateways]
    return SETTINGS | {
        "STRIPE_API_BASE": processor.url,
        "STRIPE_SECRET_KEY": API_KEY,
        "STRIPE_WEBHOOK_SECRETS": ",".join([await processor.endpoint(url) for url in urls]),
        # On a busy machine the stand-in is late now and then.
        "PROCESSOR_TIMEOUT_SECONDS": "3",
        "PROCESSOR_DEADLINE_SECONDS": "8",
        "UNKNOWN_SCHEDULE_SECONDS": "2,5,10,20,30,60,120,300,600",
        "LOG_LEVEL": "WARNING",
    }


@asynccontextmanager
async def prepared(
    site: Site, logs: Path, *, seed: int, recovery_seconds: float | None
) -> AsyncIterator[tuple[Run, Receiver]]:
    """Start everything: two processes of each service, behind proxies, with a processor and a merchant beside them."""
    async with AsyncExitStack() as stack:
        stripe = await stack.enter_async_context(fake_stripe_process(latency_seconds=0.0))
        http = await stack.enter_async_context(_session())
        processor = Processor(http, stripe)
        receiver = await stack.enter_async_context(running_receiver())
        receiver.expects_documented = False
        platform = await stack.enter_async_context(running_platform(site.servers, logs, services=()))
        gateways = [platform.base(gateway) for gateway in PROCESSES["gateway"]]
        if balancing.program():
            # What Stripe sends comes to whichever gateway answers; without a balancer each receives all of it.
            addresses = await stack.enter_async_context(balanced(platform, PROCESSES, logs / "balancer"))
            gateways = [addresses["gateway"]]
        platform.environ |= await _settings(platform, processor, gateways)
        pool = await stack.enter_async_context(asyncpg.create_pool(platform.database.admin_url, min_size=0, max_size=4))
        # The tests' server forgets its last half second when it is killed, for speed; this database must not.
        await pool.execute(f'ALTER DATABASE "{platform.database.name}" SET synchronous_commit = on')
        links = await stack.enter_async_context(linked(site, platform, LINKS))
        clocks = Clocks(platform, logs)
        if can_jump():
            clocks.follow()
        processes = [process for each in PROCESSES.values() for process in each]
        for process in processes:
            platform.start(process)
        for process in processes:
            await platform.ready(process)
        operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN)
        hook = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": list(SUBSCRIBED)})
        assert hook.status == 201, hook.raw
        await stack.enter_async_context(tapped(platform))
        load = Load(
            http,
            [platform.base(process) for process in PROCESSES["api"]],
            token=operator.token,
            tenant=operator.tenant,
            seed=seed,
        )
        audit = Audit(platform, site, processor, pool)
        faults = Faults(site, platform, links, clocks)
        yield Run(platform, site, faults, load, audit, recovery_seconds=recovery_seconds), receiver


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def prove(
    site: Site,
    logs: Path,
    *,
    seconds: float,
    seed: int,
    per_second: float,
    kinds: Sequence[Kind] = tuple(Kind),
    recovery_seconds: float | None = None,
) -> Findings:
    """Run the whole proof, and return what was found; `findings` is empty where everything held."""
    possible = [kind for kind in kinds if kind in site.kinds and (kind is not Kind.CLOCK_JUMP or can_jump())]
    targets = Targets(services=PROCESSES, links=LINKS)
    rounds = schedule(seed, seconds=seconds, targets=targets, kinds=possible)
    print(f"seed {seed}, {seconds:g} s, {len(rounds)} rounds:", *rounds, sep="\n", flush=True)
    async with prepared(site, logs, seed=seed, recovery_seconds=recovery_seconds) as (run, receiver):
        stop, began = asyncio.Event(), time.monotonic()
        paying = asyncio.create_task(run.load.run(per_second, stop))
        try:
            await run.carry_out(rounds)
        finally:
            stop.set()
            took = time.monotonic() - began
            await paying
        rest, left = await run.audit.rest(within=REST_SECONDS)
        payments = run.load.payments
        published = await drained(run.platform)
        delivered = {each.headers["webhook-id"] for each in receiver.received}
        found = [f"left to do after {REST_SECONDS:g} s: {left}"] if left else []
        found += run.findings
        found += [f"a client was answered what no outage explains: {each}" for each in run.load.unexpected]
        found += impossible(payments)
        found += await run.audit.findings(payments, published, delivered)
        found += await run.audit.verify(logs / "verify.log")
    recovered = [line["recovered_seconds"] for line in run.lines]
    accepted = [payment for payment in payments if payment.accepted_at is not None]
    return {
        "seed": seed,
        "findings": found,
        "faults": len(run.lines),
        "kinds": dict(Counter(str(line["kind"]) for line in run.lines)),
        "payments": len(payments),
        "payments_per_second": round(len(accepted) / took, 1),
        "seconds": round(took, 1),
        "requests_seen": sum(len(payment.history) for payment in payments),
        "tries": dict(run.load.tries),
        "public_events": sum(len(ids) for each in published.values() for ids in each.values()),
        "webhooks": len(delivered),
        "recovered_seconds": {
            "slowest": max(recovered, default=0.0),
            "median": sorted(recovered)[len(recovered) // 2] if recovered else 0.0,
        },
        "rest_seconds": round(rest, 1),
        "each_fault": run.lines,
    }


def main(arguments: Sequence[str]) -> int:
    """Read the command line, prove, print what was found; returns 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="have the schedule of an earlier run again")
    parser.add_argument("--per-second", type=float, default=50.0, help="payments that begin each second")
    parser.add_argument("--kinds", nargs="+", type=Kind, choices=list(Kind), default=list(Kind), metavar="KIND")
    parser.add_argument(
        "--profile", choices=(PROFILE, "ha"), default=PROFILE, help="one server of each kind, or several nodes"
    )
    given = parser.parse_args(arguments)
    seed = random.randrange(2**31) if given.seed is None else given.seed
    logs = FOLDER / "chaos"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    servers = local.ensure(given.profile, ROOT, report=print)
    try:
        with preloaded():
            found = uvloop.run(
                prove(
                    PlainSite(servers)
                    if given.profile == PROFILE
                    else ClusterSite(cluster.plan(layout("ha")), seed=seed),
                    logs,
                    seconds=given.minutes * 60,
                    seed=seed,
                    per_second=given.per_second,
                    kinds=given.kinds,
                )
            )
    finally:
        local.stop(given.profile, ROOT)
    report("chaos", found)
    for sentence in found["findings"][:SHOWN_MAX]:
        print(sentence)
    print(f"{len(found['findings'])} findings")
    return 1 if found["findings"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
