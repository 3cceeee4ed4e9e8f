"""Proof that a version is replaced by the next one while payments are made, and that the way back is open.

    just proof-upgrade                     from the version before the newest migration
    just proof-upgrade --from v0.2.0       from a tag or a commit

The version before comes from git. Its services run on a database that its own migrations made. Under load the new migrations run, then
each service runs in both versions side by side, so that each reads what the other one publishes. Then the old ones end; then they come
back, and the new ones end, as the way back is described in `docs/upgrades.md`. No request fails, no payment is lost or booked
twice, and no message becomes a dead letter.
"""

import argparse
import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import uvloop

from deploy.local import servers as local
from deploy.local.bootstrap import bootstrap
from deploy.local.servers import Servers
from libs.common.messaging.letters import dead_letters
from tests.proof.results import report
from tests.support.databases import SERVICES, TestDatabase
from tests.support.platform import DEMO_TENANT, OPERATOR, ROOT, Client, service_environment
from tests.support.ports import free_port

IN_ORDER = ("gateway", "ledger", "notifier", "api")
"""In which services are replaced, as `docs/upgrades.md` says."""
COMMAND_SECONDS = 300.0
READY_SECONDS = 180.0
STOP_SECONDS = 40.0
SETTLED_SECONDS = 60.0
REQUEST_SECONDS_MAX = 10.0
"""What the slowest request may take while tables change: a migration waits two seconds for a lock, and requests behind it."""


class Version:
    """The services of one version, each as one process."""

    def __init__(self, folder: Path, environ: Mapping[str, str], logs: Path) -> None:
        self.folder = folder
        self._environ = {**environ, **{f"{service.upper()}_HTTP_PORT": str(free_port()) for service in SERVICES}}
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def base(self, service: str) -> str:
        """The address of a service."""
        return f"http://127.0.0.1:{self._environ[f'{service.upper()}_HTTP_PORT']}"

    async def command(self, service: str, name: str) -> None:
        """Run a command of a service to its end.

        Raises:
            AssertionError: when it fails, with its output.
        """
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", f"services.{service}", name],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{service} {name}: {done.stdout}{done.stderr}"

    def start(self, service: str) -> None:
        """Start a service."""
        with (self._logs / f"{self.folder.name}-{service}.log").open("ab") as log:
            self._processes[service] = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}", "serve"],
                cwd=self.folder,
                env=self._environ,
                stdout=log,
                stderr=log,
            )

    async def ready(self, service: str, http: aiohttp.ClientSession) -> None:
        """Wait until a service is ready."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                try:
                    async with http.get(f"{self.base(service)}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    process = self._processes[service]
                    assert process.poll() is None, (self._logs / f"{self.folder.name}-{service}.log").read_text()[
                        -3000:
                    ]
                await asyncio.sleep(0.2)

    async def stop(self, service: str) -> None:
        """End a service as an orchestrator would."""
        process = self._processes.pop(service)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, STOP_SECONDS)

    def kill(self) -> None:
        """End what still runs."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    async def handled(self, http: aiohttp.ClientSession) -> dict[str, int]:
        """Count the messages that each running service has handled."""
        found = {}
        for service in self._processes:
            async with http.get(f"{self.base(service)}/metrics") as answer:
                text = await answer.text()
            lines = [line for line in text.splitlines() if line.startswith("messages_total{") and '"handled"' in line]
            found[service] = int(sum(float(line.split()[-1]) for line in lines))
        return found


class Load:
    """Clients that make payments over whichever api is there, as a balancer would send them."""

    def __init__(self, http: aiohttp.ClientSession, token: str) -> None:
        self._http = http
        self._token = token
        self.apis: list[str] = []
        """Where requests go, in turn."""
        self.made: list[str] = []
        self.slowest = 0.0
        self.requests: Counter[int] = Counter()
        self._stopped = False

    async def run(self, clients: int) -> None:
        """Make payments until it is stopped."""
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._client())

    def stop(self) -> None:
        """Let each client end with its payment."""
        self._stopped = True

    async def _client(self) -> None:
        while not self._stopped:
            body = {"amount": "10.00", "currency": "BRL", "customer_ref": "upgrade"}
            intent = await self._post("/v1/payment-intents", body)
            await self._post(f"/v1/payment-intents/{intent['id']}/confirm", None)
            self.made.append(intent["id"])
            await asyncio.sleep(0.05)

    async def _post(self, path: str, body: Any) -> Any:
        """Make a request; one whose process ends before it answers goes to another, with its key, as a balancer has it."""
        key = str(uuid4())
        for _ in range(20):
            base = self.apis[len(self.made) % len(self.apis)]
            client = Client(self._http, base, token=self._token, tenant=DEMO_TENANT)
            began = time.monotonic()
            try:
                answer = await client.call("POST", path, body, key=key)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
                continue
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.requests[answer.status] += 1
            if answer.status == 409:
                await asyncio.sleep(0.1)
                continue
            assert answer.status in {200, 202}, (path, answer.status, answer.raw)
            return answer.json
        raise AssertionError(f"{path} was never answered")


async def prove(servers: Servers, before: str, logs: Path, *, seconds: float, clients: int) -> dict[str, Any]:
    """Replace a version by this one, and go back."""
    async with _fresh(servers) as (database, vhost_url):
        environ = service_environment(servers, database, vhost_url)
        old, new = Version(_checked_out(before, logs / "before"), environ, logs), Version(ROOT, environ, logs)
        try:
            return await _prove(old, new, database, vhost_url, seconds=seconds, clients=clients)
        finally:
            old.kill()
            new.kill()


async def _prove(
    old: Version, new: Version, database: TestDatabase, vhost_url: str, *, seconds: float, clients: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        for service in SERVICES:
            await old.command(service, "migrate")
        await old.command("api", "seed")
        for service in SERVICES:
            old.start(service)
        for service in SERVICES:
            await old.ready(service, http)
        load = Load(http, await _token(http, old.base("api")))
        load.apis = [old.base("api")]
        running = asyncio.create_task(load.run(clients))
        await _until_made(load, running, 5)
        began = time.monotonic()
        for service in SERVICES:
            await new.command(service, "migrate")
        found["migrated_seconds"] = round(time.monotonic() - began, 1)
        await _until_made(load, running, 5)
        for service in IN_ORDER:
            new.start(service)
            await new.ready(service, http)
        load.apis.append(new.base("api"))
        await _for(running, seconds)
        found["side_by_side"] = {"before": await old.handled(http), "now": await new.handled(http)}
        for version in found["side_by_side"].values():
            assert all(count > 0 for service, count in version.items()), version
        load.apis.remove(old.base("api"))
        for service in IN_ORDER:
            await old.stop(service)
        await _for(running, seconds / 2)
        for service in SERVICES:
            old.start(service)
            await old.ready(service, http)
        load.apis = [old.base("api")]
        for service in reversed(IN_ORDER):
            await new.stop(service)
        await _for(running, seconds / 2)
        load.stop()
        await running
        found |= await _audit(database, load.made)
        found["dead_letters"] = [
            queue.queue for service in SERVICES for queue in await dead_letters(vhost_url, service, limit=0)
        ]
        assert found["dead_letters"] == [], found
        assert load.slowest < REQUEST_SECONDS_MAX, load.slowest
    return found | {"slowest_request_seconds": round(load.slowest, 2), "answers": dict(load.requests)}


async def _audit(database: TestDatabase, made: Sequence[str]) -> dict[str, Any]:
    """Wait until every payment is settled; each has one capture at the processor and one in the books, which balance."""
    books = await asyncpg.connect(database.admin_url)
    try:
        async with asyncio.timeout(SETTLED_SECONDS):
            while await books.fetchval("SELECT count(*) FROM api.payment_intents WHERE status <> 'SETTLED'"):
                await asyncio.sleep(0.2)
        entries = await books.fetch(
            "SELECT payment_intent_id::text AS id FROM ledger.journal_entries WHERE kind = 'capture'"
        )
        assert Counter(row["id"] for row in entries) == Counter(made)
        attempts = await books.fetch(
            "SELECT payment_intent_id::text AS id FROM gateway.attempts WHERE operation = 'capture'"
        )
        assert Counter(row["id"] for row in attempts) == Counter(made)
        left = await books.fetchval(
            "SELECT sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) FROM ledger.postings"
        )
        assert left == 0
        return {"payments": len(made)}
    finally:
        await books.close()


async def _token(http: aiohttp.ClientSession, base: str) -> str:
    body = {"email": OPERATOR[0], "password": OPERATOR[1], "tenantId": DEMO_TENANT}
    answer = await Client(http, base, tenant=DEMO_TENANT).call("POST", "/v1/auth/token", body)
    assert answer.status == 200, answer.raw
    return str(answer.json["access_token"])


async def _until_made(load: Load, running: asyncio.Task[None], more: int) -> None:
    count = len(load.made) + more
    async with asyncio.timeout(SETTLED_SECONDS):
        while len(load.made) < count:
            await _for(running, 0.1)


async def _for(running: asyncio.Task[None], seconds: float) -> None:
    """Let time pass, as long as the load does not fail."""
    done, _ = await asyncio.wait([running], timeout=seconds)
    if done:
        await running


@asynccontextmanager
async def _fresh(servers: Servers) -> AsyncIterator[tuple[TestDatabase, str]]:
    """Have a database with roles and schemas and nothing in it, and a virtual host."""
    name = f"upgrade_{uuid4().hex[:12]}"
    vhost = name.replace("_", "-")
    await bootstrap(servers.postgres_url, name)
    local.create_vhosts(servers, [vhost])
    try:
        yield TestDatabase(servers, name), servers.rabbitmq_vhost_url(vhost)
    finally:
        local.delete_vhost(servers, vhost)
        admin = await asyncpg.connect(servers.postgres_url)
        try:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        finally:
            await admin.close()


def version_before() -> str:
    """Return the commit before the newest one that added a migration."""
    added = _git("log", "-1", "--diff-filter=A", "--format=%H", "--", "services/*/schema/migrations/versions/*")
    return _git("rev-parse", f"{added}~1")


def _checked_out(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder."""
    folder.mkdir()
    archive = subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", str(folder)], stdin=archive.stdout, check=True, timeout=60)
    assert archive.wait(60) == 0, f"git knows no {commit}"
    if (folder / "uv.lock").read_bytes() != (ROOT / "uv.lock").read_bytes():
        print("The packages of that version were others; it runs with those of now.", file=sys.stderr)
    return folder


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


async def _main(given: argparse.Namespace) -> dict[str, Any]:
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    before = _git("rev-parse", getattr(given, "from") or version_before())
    with tempfile.TemporaryDirectory(prefix="upgrade-") as logs:
        try:
            found = await prove(servers, before, Path(logs), seconds=given.seconds, clients=given.clients)
        except BaseException:
            shutil.copytree(
                logs, ROOT / ".local" / "log" / "upgrade", dirs_exist_ok=True, ignore=shutil.ignore_patterns("before")
            )
            raise
    return {"from": before[:12], **found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--from", default="", metavar="COMMIT", help="the version before (default: that before the newest migration)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="for which both versions run side by side")
    parser.add_argument("--clients", type=int, default=4)
    report("upgrade", uvloop.run(_main(parser.parse_args(sys.argv[1:]))))
