"""The four services as processes of their own, on a database and a virtual host that nobody else uses."""

import asyncio
import base64
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from deploy.local.servers import Servers
from libs.common.addresses import vhost_of
from tests.support import forks
from tests.support.answers import compare
from tests.support.brokers import own_rights
from tests.support.databases import SERVICES, TestDatabase, fresh_database
from tests.support.kept_vhosts import declared_vhost
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 180
STOP_SECONDS = 30

DEMO_TENANT = "00000000-0000-0000-0000-000000000002"
OPERATOR = ("ops@demo.example.com", "ops123")
SALES = ("sales@demo.example.com", "sales123")
ADMIN = ("admin@local", "admin123")


class Answer:
    """What the api answered."""

    def __init__(self, status: int, headers: Mapping[str, str], raw: bytes) -> None:
        self.status = status
        self.headers = headers
        self.raw = raw

    @property
    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.raw)


class Client:
    """One logged-in caller."""

    def __init__(self, http: aiohttp.ClientSession, base: str, *, token: str = "", tenant: str = "") -> None:
        self._http = http
        self._base = base
        self.token = token
        self.tenant = tenant

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Make one request; `key` is the idempotency key."""
        sent: dict[str, str] = {}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if self.tenant:
            sent["X-Tenant-Id"] = self.tenant
        if key is not None:
            sent["Idempotency-Key"] = key
        payload = raw
        if body is not None:
            payload = json.dumps(body).encode()
        if payload is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        async with self._http.request(method, self._base + path, data=payload, headers=sent) as answer:
            found = Answer(answer.status, answer.headers, await answer.read())
        if found.headers.get("Content-Type") == "application/json":
            # Every answer that a test receives is compared with its example in the document.
            compare(method, path, found.status, found.raw)
        return found

    async def create(self, amount: str = "150.50", *, currency: str = "BRL", customer_ref: str = "c-1") -> Any:
        """Create an intent."""
        answer = await self.call(
            "POST",
            "/v1/payment-intents",
            {"amount": amount, "currency": currency, "customer_ref": customer_ref},
            key=str(uuid4()),
        )
        assert answer.status == 200, answer.raw
        return answer.json

    async def confirm(self, intent_id: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Confirm an intent with a fresh key."""
        return await self.call("POST", f"/v1/payment-intents/{intent_id}/confirm", key=str(uuid4()), headers=headers)

    async def status(self, intent_id: str) -> str:
        """The intent's present status."""
        answer = await self.call("GET", f"/v1/payment-intents/{intent_id}")
        assert answer.status == 200, answer.raw
        return str(answer.json["status"])

    async def settled(self, intent_id: str, *, seconds: float = 120, status: str = "SETTLED") -> None:
        """Wait until the intent has a status."""
        async with asyncio.timeout(seconds):
            while (found := await self.status(intent_id)) != status:
                assert found not in {"FAILED", "VOIDED"}, found
                await asyncio.sleep(0.05)


class Platform:
    """Starts, kills and stops the services, and sends requests to them."""

    def __init__(self, database: TestDatabase, environ: Mapping[str, str], logs: Path, *, rabbitmq_url: str) -> None:
        self.database = database
        self.environ = dict(environ)
        self.rabbitmq_url = rabbitmq_url
        """The virtual host as its administrator, who may do what no service may."""
        self._logs = logs
        self._processes: dict[str, forks.Process] = {}
        self._more_ports: dict[str, str] = {}
        """Of the second and further processes of a service."""
        self.http: aiohttp.ClientSession

    def base(self, service: str = "api") -> str:
        """The address of a service."""
        return f"http://127.0.0.1:{self._port(service)}"

    def _port(self, process: str) -> str:
        if "-" in process:
            return self._more_ports.setdefault(process, str(free_port()))
        return self.environ[f"{process.upper()}_HTTP_PORT"]

    def command(self, service: str, *arguments: str) -> list[str]:
        """How a service is run; measured for coverage where the tests are."""
        return forks.command(service, *arguments)

    def start(self, service: str) -> None:
        """Start one service as a process; `notifier-2` is another process of the notifier, on a port of its own."""
        name = service.partition("-")[0]
        environ = self.environ | {f"{name.upper()}_HTTP_PORT": self._port(service)}
        self._processes[service] = forks.start(name, "serve", environ=environ, log=self._logs / f"{service}.log")

    def kill(self, service: str) -> None:
        """End a service as a power cut would."""
        process = self._processes.pop(service)
        process.kill()
        process.wait(timeout=STOP_SECONDS)

    def stop(self, service: str) -> int:
        """End a service as an orchestrator would, and return its exit code."""
        process = self._processes.pop(service)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=STOP_SECONDS)

    def ended(self, service: str) -> int:
        """Wait for a service that ends by itself, and return its exit code."""
        return self._processes.pop(service).wait(timeout=START_SECONDS)

    def stop_all(self) -> None:
        """End everything that runs."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for service in list(self._processes):
            process = self._processes.pop(service)
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def processes(self) -> dict[str, int]:
        """The process id of each running service."""
        return {service: process.pid for service, process in self._processes.items()}

    def log(self, service: str) -> str:
        """What a service has logged."""
        return (self._logs / f"{service}.log").read_text(errors="replace")

    async def ready(self, service: str, *, seconds: float = START_SECONDS, status: int = 200) -> Any:
        """Wait until a service answers its readiness with a status; returns the body.

        Raises:
            AssertionError: when it has ended, or does not within `seconds`, with its last answer.
        """
        last = "no answer"
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        async with self.http.get(self.base(service) + "/readyz") as answer:
                            if answer.status == status:
                                return await answer.json()
                            last = await answer.text()
                    except aiohttp.ClientError as fault:
                        last = repr(fault)
                        if service in self._processes and self._processes[service].poll() is not None:
                            raise AssertionError(f"{service} ended: {self.log(service)[-2000:]}") from None
                    await asyncio.sleep(0.1)
        except TimeoutError as fault:
            raise AssertionError(f"{service} was not ready within {seconds} s: {last}") from fault

    async def login(self, who: tuple[str, str], *, tenant: str = DEMO_TENANT) -> Client:
        """Log in and return the caller."""
        client = Client(self.http, self.base(), tenant=tenant)
        answer = await client.call("POST", "/v1/auth/token", {"email": who[0], "password": who[1], "tenantId": tenant})
        assert answer.status == 200, answer.raw
        client.token = answer.json["access_token"]
        return client


def service_environment(servers: Servers, database: TestDatabase, vhost_url: str) -> dict[str, str]:
    """Every setting that the four services need to run against a test's own database and virtual host."""
    environ = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_HTTP_PORT"))}
    environ |= {
        "APP_ENV": "local",
        "REDIS_URL": servers.redis_url,
        "RABBITMQ_URL": vhost_url,
        # Other teams are in the same one, which every test has to itself.
        "PARTNERS_VHOST": vhost_of(vhost_url),
        "HTTP_HOST": "127.0.0.1",
        "JWT_SECRET": "a-secret-for-tests-of-at-least-32-bytes",
        "JWT_ISSUER": "local-auth",
        "ENCRYPTION_KEY": base64.b64encode(b"k" * 32).decode(),
        "WEBHOOK_RETRY_SCHEDULE": "0s,1s,1s,2s,2s,5s",
        "LOG_LEVEL": "INFO",
        # The limits have tests of their own; here one caller is everybody.
        "RATE_LIMIT_WRITE_PER_MIN": "1000000",
        "RATE_LIMIT_READ_PER_MIN": "1000000",
        "RATE_LIMIT_LOGIN_PER_MIN": "1000",
        "RATE_LIMIT_LOGIN_ADDRESS_PER_MIN": "1000",
    }
    for service in SERVICES:
        environ[f"{service.upper()}_DATABASE_URL"] = database.url(f"{service}_app")
        environ[f"{service.upper()}_MIGRATION_DATABASE_URL"] = database.url(f"{service}_owner")
        environ[f"{service.upper()}_HTTP_PORT"] = str(free_port())
    return environ


def with_own_rights(servers: Servers, environ: Mapping[str, str]) -> dict[str, str]:
    """Let each service come to its virtual host as the user that may do what its contracts say and no more.

    A broker that was given keeps the user that it was given with.
    """
    settings = dict(environ)
    if servers.rabbitmq.kind != "given":
        addresses = own_rights(servers, settings.pop("RABBITMQ_URL"))
        settings |= _addresses(addresses)
    return settings


def _addresses(addresses: Mapping[str, str]) -> dict[str, str]:
    return {f"{service.upper()}_RABBITMQ_URL": address for service, address in addresses.items()}


def unlisted_faults(logs: Path) -> list[str]:
    """Return the log lines about errors of drivers that the closed list of errors does not have."""
    lines = (line for file in sorted(logs.glob("*.log")) for line in file.read_text(errors="replace").splitlines())
    return [line for line in lines if "fault.unlisted" in line]


@asynccontextmanager
async def running_platform(
    servers: Servers, logs: Path, *, services: Sequence[str] = SERVICES, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Platform]:
    """Run all four services, or those named, migrated and seeded, until the block ends; `environ` changes settings."""

    async def seeding(database: TestDatabase) -> None:
        seeds = service_environment(servers, database, servers.rabbitmq_url)
        process = forks.start("api", "seed", environ=seeds, log=logs / "seed.log")
        assert await forks.ended(process, seconds=START_SECONDS) == 0, (logs / "seed.log").read_text()

    async with fresh_database(servers, seeding=seeding) as database:
        with declared_vhost(servers) as (vhost_url, addresses):
            settings = service_environment(servers, database, vhost_url) | dict(environ or {})
            if servers.rabbitmq.kind != "given":
                del settings["RABBITMQ_URL"]
                settings |= _addresses(addresses)
            platform = Platform(database, settings, logs, rabbitmq_url=vhost_url)
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
                platform.http = http
                try:
                    for service in services:
                        platform.start(service)
                    for service in services:
                        await platform.ready(service)
                    yield platform
                    platform.stop_all()
                    assert unlisted_faults(logs) == [], (
                        "errors of servers that are not on the list in libs/common/outages.py"
                    )
                finally:
                    platform.stop_all()
