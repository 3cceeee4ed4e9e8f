"""Two processes of the api give the same answers as one: a whole conversation, each call to the other process than before."""

import asyncio
import itertools
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import jwt
import pytest

from tests.support.platform import ROOT, START_SECONDS, Answer, Client, Platform
from tests.support.ports import free_port
from tests.support.waiting import until

LIMIT, LOGIN_LIMIT = 12, 3
LIMITS = {
    "RATE_LIMIT_READ_PER_MIN": str(LIMIT),
    "RATE_LIMIT_WRITE_PER_MIN": str(LIMIT),
    "RATE_LIMIT_LOGIN_PER_MIN": str(LOGIN_LIMIT),
    # What one process has changed, the other must not learn by looking again.
    "ACCESS_AGE_MAX_SECONDS": "3600",
}
HEADERS = (
    "content-type",
    "idempotency-replayed",
    "preference-applied",
    "allow",
    "www-authenticate",
    "ratelimit-policy",
)
VARYING = (
    (re.compile(r"whsec_[\w+/=]+|whpk_[\w+/=]+"), "<secret>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(\+00:00|Z)"), "<instant>"),
    (re.compile(r'"[\w-]{43}"'), '"<cursor>"'),
    (re.compile(r"\b(sandbox_)?[0-9a-f]{24,32}\b"), "<reference>"),
)
FIRST = (
    (re.compile(r'"cause_id":"[^"]+"'), '"cause_id":"<cause>"'),
    (re.compile(r'"actor":"(gateway|ledger)"'), '"actor":"<service>"'),
)
"""Of a capture and its entry either may be reported first; that one is then the cause of both."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

type Line = tuple[str, int, dict[str, str], str]


@asynccontextmanager
async def running_api(platform: Platform, log: Path) -> AsyncIterator[str]:
    """One more process of the api, with low limits; yields its address."""
    port = free_port()
    environ = {**platform.environ, **LIMITS, "API_HTTP_PORT": str(port)}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *platform.command("api", "serve"), cwd=ROOT, env=environ, stdout=out, stderr=out
        )
    base = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    async with platform.http.get(f"{base}/readyz") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    assert process.returncode is None, f"see {log}"
                await asyncio.sleep(0.1)
        yield base
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


class Conversation:
    """One tenant's calls, each to the next process in turn, and what was answered without what is new each time."""

    def __init__(self, platform: Platform, bases: Sequence[str]) -> None:
        self._http = platform.http
        self._secret = platform.environ["JWT_SECRET"]
        self._bases = itertools.cycle(bases)
        self._names: dict[str, str] = {}
        self.tenant = f"tenant-{uuid4().hex[:8]}"
        self.lines: list[Line] = []

    def client(self, **changes: Any) -> Client:
        """A caller of this tenant at the next process; a new subject each time, so that no limit is met by chance."""
        now = int(datetime.now(UTC).timestamp())
        perms = ["payments:write", "payments:read", "ledger:read", "admin:write", "profile:read"]
        claims = {
            "iss": "local-auth",
            "sub": f"user-{uuid4()}",
            "tid": self.tenant,
            "roles": ["admin"],
            "perms": perms,
            "plan": "enterprise",
            "region": "region-a",
            "exp": now + 600,
            **changes,
        }
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        return Client(self._http, next(self._bases), token=token, tenant=self.tenant)

    def stranger(self) -> Client:
        """A caller without a token at the next process."""
        return Client(self._http, next(self._bases))

    async def send(self, label: str, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """Make a call and write down its answer."""
        claims = more.pop("claims", {})
        answer = await self.client(**claims).call(method, path, body, **more)
        self.note(label, answer)
        return answer

    def note(self, label: str, answer: Answer) -> None:
        """Write down an answer."""
        headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        self.lines.append((label, answer.status, headers, self._plain(answer.raw.decode())))

    def _plain(self, text: str) -> str:
        text = text.replace(self.tenant, "<tenant>")
        for pattern, name in FIRST:
            text = pattern.sub(name, text)
        text = UUID.sub(lambda found: self._names.setdefault(found[0], f"<id {len(self._names)}>"), text)
        for pattern, name in VARYING:
            text = pattern.sub(name, text)
        return text


async def converse(platform: Platform, bases: Sequence[str]) -> list[Line]:
    """Send everything that state of one process could change the answer to."""
    talk = Conversation(platform, bases)
    path, body = "/v1/payment-intents", {"amount": "12.00", "currency": "BRL", "customer_ref": "c"}
    first = await talk.send("create", "POST", path, body, key="k-1")
    await talk.send("replay", "POST", path, body, key="k-1")
    await talk.send("same key, another body", "POST", path, body | {"amount": "13.00"}, key="k-1")
    many = await asyncio.gather(*(talk.client().call("POST", path, body, key="k-2") for _ in range(10)))
    assert len({answer.raw for answer in many}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in many) == 9
    paid = f"{path}/{first.json['id']}"
    await talk.send("confirm", "POST", f"{paid}/confirm", key="c-1")
    await talk.send("replayed confirm", "POST", f"{paid}/confirm", key="c-1")
    await _until_settled(talk, paid)
    await talk.send("settled", "GET", paid)
    await talk.send("confirm of what is settled", "POST", f"{paid}/confirm", key="c-2")
    await talk.send("timeline and entries", "GET", f"{paid}?expand=events,entries")
    declined = await talk.send("create to be declined", "POST", path, body | {"amount": "90.01"}, key="k-3")
    await talk.send("declined", "POST", f"{path}/{declined.json['id']}/confirm", key="c-3")
    for number in range(5):
        await talk.send(f"create {number}", "POST", path, body | {"customer_ref": "listed"}, key=f"l-{number}")
    page = await talk.send("first page", "GET", f"{path}?customer_ref=listed&pageSize=2")
    foreign = page.json["next_cursor"]
    while page.json["next_cursor"]:
        page = await talk.send(
            "next page", "GET", f"{path}?customer_ref=listed&pageSize=2&cursor={page.json['next_cursor']}"
        )
    await talk.send("cursor of another list", "GET", f"{path}?pageSize=2&cursor={foreign}")
    await talk.send("a status", "GET", f"{path}?status=FAILED")
    await talk.send("another tenant", "GET", path, headers={"X-Tenant-Id": "somebody-else"})
    await talk.send("no permission", "GET", path, claims={"perms": []})
    await talk.send("expired", "GET", path, claims={"exp": 1})
    await talk.send("no such route", "GET", "/v1/nowhere")
    await talk.send("no such method", "PUT", path)
    await talk.send("balances", "GET", "/v1/ledger/balances")
    endpoint = await talk.send(
        "register", "POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": ["payment.settled"]}
    )
    await talk.send("endpoint", "GET", f"/v1/webhooks/{endpoint.json['id']}")
    await talk.send("delete", "DELETE", f"/v1/webhooks/{endpoint.json['id']}")
    operator = {"tid": "*", "roles": ["admin"]}
    await talk.send("export", "GET", "/v1/audit?format=csv&action=never")
    await talk.send("switch off", "PUT", "/v1/feature-flags/audit_export", {"is_enabled": False}, claims=operator)
    await _until_refused(talk, bases, "/v1/audit?format=csv")
    await talk.send("export switched off", "GET", "/v1/audit?format=csv")
    for number in range(LIMIT + 2):
        answer = await talk.send(f"read {number}", "GET", "/v1/feature-flags", claims={"sub": "busy"})
        talk.lines.append((f"remaining {number}", 0, {}, answer.headers["x-ratelimit-remaining"]))
    name = f"nobody-{uuid4().hex}@example.com"
    for number in range(LOGIN_LIMIT + 2):
        tried = await talk.stranger().call("POST", "/v1/auth/token", {"email": name, "password": "x"})
        talk.note(f"login {number}", tried)
    return talk.lines


async def _until_settled(talk: Conversation, path: str) -> None:
    async with asyncio.timeout(60):
        while (await talk.client().call("GET", path)).json["status"] != "SETTLED":
            await asyncio.sleep(0.05)


async def _until_refused(talk: Conversation, bases: Sequence[str], path: str) -> None:
    async with asyncio.timeout(60):
        for _ in bases:
            while (await talk.client().call("GET", path)).status != 403:
                await asyncio.sleep(0.02)


async def test_two_processes_answer_as_one_does(platform: Platform, tmp_path: Path) -> None:
    async with (
        running_api(platform, tmp_path / "one.log") as one,
        running_api(platform, tmp_path / "two.log") as two,
    ):
        # What one of the two has from this belongs to another tenant.
        expected = await converse(platform, [one])
        found = await converse(platform, [one, two])
    assert [line[:2] for line in found] == [line[:2] for line in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == theirs
    assert [status for label, status, _, _ in found if label.startswith("login")] == [401] * 3 + [429] * 2
    assert [status for label, status, _, _ in found if label.startswith("read")] == [200] * LIMIT + [429] * 2


async def _until_waiting(platform: Platform) -> None:
    """Wait until a statement of the api waits for a lock; outside of a transaction, which sees no connection that is made after its first look."""
    looking = await asyncpg.connect(platform.database.admin_url)

    async def waits() -> bool:
        return bool(
            await looking.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'api_app' "
                "AND wait_event_type = 'Lock'"
            )
        )

    try:
        await until(waits)
    finally:
        await looking.close()


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
async def test_what_a_stopping_api_has_accepted_is_answered_or_not_there(platform: Platform, is_killed: bool) -> None:
    process, body = "api-2", {"amount": "12.00", "currency": "BRL", "customer_ref": "c"}
    admin = await asyncpg.connect(platform.database.admin_url)
    platform.start(process)
    try:
        await platform.ready(process)
        talk = Conversation(platform, [platform.base(process)])
        path = "/v1/payment-intents"
        known = await talk.client().call("POST", path, body, key="k-0")
        holding = admin.transaction()
        await holding.start()
        # A key that is being deleted: whoever inserts it waits, with the group that it is in, and all that come meanwhile.
        assert await admin.fetchval("DELETE FROM api.idempotency_keys WHERE tenant_id = $1 RETURNING 1", talk.tenant)
        calls = [asyncio.create_task(talk.client().call("POST", path, body, key=f"k-{n}")) for n in range(20)]
        await _until_waiting(platform)
        stopping = asyncio.create_task(asyncio.to_thread(platform.kill if is_killed else platform.stop, process))
        if is_killed:
            await stopping
        await holding.rollback()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        if not is_killed:
            # uvicorn ends by the signal itself, once all is done.
            assert await stopping in {0, -signal.SIGTERM}
        # At one instant: PostgreSQL may still carry out what it was sent.
        async with admin.transaction(isolation="repeatable_read"):
            stored = await admin.fetch(
                "SELECT key FROM api.idempotency_keys WHERE tenant_id = $1 AND payment_intent_id = ANY ("
                "SELECT id FROM api.payment_intents WHERE tenant_id = $1)",
                talk.tenant,
            )
            paid = await admin.fetchval("SELECT count(*) FROM api.payment_intents WHERE tenant_id = $1", talk.tenant)
        made = [each.json["id"] for each in answers if isinstance(each, Answer) and each.status == 200]
        if is_killed:
            # What PostgreSQL went on with is there as a whole, and its key answers.
            assert made == []
        else:
            assert len(made) == len(stored) > 1, [getattr(each, "status", each) for each in answers]
            assert known.json["id"] in made
        assert paid == len(stored)
    finally:
        if process in platform.processes():
            await asyncio.to_thread(platform.kill, process)
        await admin.close()
