"""Garbage of every kind on every route: no 5xx, nothing but problem documents, and nothing of another tenant's."""

import asyncio
import json
import os
import random
from collections import Counter
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families

from services.api.http.problems import PROBLEMS
from tests.support.http import RawAnswer, request
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Client, Platform

REQUESTS = int(os.environ.get("MALFORMED_REQUESTS", "500"))
"""How many requests are made, and a tenth of that which are hostile; `just malformed` makes ten thousand."""
CLIENTS = 16
BUSY_MAX = 10
"""How often a request is made that was refused for want of time, a second apart."""
ATTACKERS = 4
"""Clients that send bytes as they should not be."""
STALL_MAX = "0.1" if REQUESTS >= 10_000 else "0.25"
"""Seconds that the api's event loop may compute at a stretch, a bucket's bound; the test command measures coverage meanwhile."""
MEMORY_MAX = 200_000_000
"""Bytes that the api may take, whatever it is sent, where it has done nothing else before."""
GROWTH_MAX = 50_000_000
"""Bytes that it may take more than before, where it has."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")
TEXTS = (
    "",
    " ",
    "null",
    "-1",
    "0",
    "1e309",
    "NaN",
    "999999999999999999999",
    "2026-13-45",
    "9999-12-31T23:59:59.999999-23:59",
    "' OR 1=1 --",
    "%00",
    "../../etc/passwd",
    "\u202e\ud7ff",
    "x" * 3000,
    "\N{PILE OF POO}" * 50,
    "00000000-0000-0000-0000-000000000000",
    "BRL",
    "[]",
    "{}",
)
VALUES: tuple[Any, ...] = (
    *TEXTS,
    None,
    True,
    0,
    -1,
    1.5,
    1e300,
    10**30,
    [],
    {},
    [[[]]],
    {"a": {"b": None}},
    "a\0b",
    ["*"],
    "150.50",
)
HEADERS = ("Authorization", "X-Tenant-Id", "Idempotency-Key", "Prefer", "Accept", "Content-Type", "X-Correlation-Id")


class Garbage:
    """Makes requests that are wrong somewhere; the same seed makes the same ones."""

    def __init__(self, spec: dict[str, Any], *, seed: int, token: str, ids: list[str]) -> None:
        self._random = random.Random(seed)
        self._paths: list[str] = [path for path in spec["paths"] if path.startswith("/v1/")]
        self._spec = spec
        self._token = token
        self._ids = ids

    def request(self) -> tuple[str, str, dict[str, str], bytes | None]:
        """Method, path, headers and body."""
        chance = self._random
        template = chance.choice(self._paths)
        known = [method.upper() for method in self._spec["paths"][template]]
        method = chance.choice(known) if chance.random() < 0.85 else chance.choice(METHODS)
        path = template
        while "{" in path:
            before, _, after = path.partition("{")
            given = chance.choice([*self._ids, str(uuid4()), quote(chance.choice(TEXTS), safe="")])
            path = before + given + after.partition("}")[2]
        if chance.random() < 0.4:
            path += "?" + "&".join(f"{self._parameter(template)}={quote(chance.choice(TEXTS))}" for _ in range(3))
        headers = {
            "Authorization": f"Bearer {self._token}",
            "X-Tenant-Id": DEMO_TENANT,
            "Idempotency-Key": uuid4().hex,
            "Content-Type": "application/json",
        }
        for _ in range(chance.choice((0, 0, 1, 2))):
            name = chance.choice(HEADERS)
            if chance.random() < 0.3:
                headers.pop(name, None)
            else:
                headers[name] = chance.choice(TEXTS).encode("ascii", "ignore").decode() or "x"
        return method, path, headers, self._body(template) if method not in {"GET", "HEAD", "TRACE"} else None

    def _parameter(self, template: str) -> str:
        operation = self._random.choice(list(self._spec["paths"][template].values()))
        shared = self._spec["components"]["parameters"]
        parameters = [
            shared[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
            for parameter in operation.get("parameters", [])
        ]
        names = [parameter["name"] for parameter in parameters if parameter["in"] == "query"]
        return str(self._random.choice([*names, "unknown"]))

    def _body(self, template: str) -> bytes:
        chance = self._random
        kind = chance.random()
        if kind < 0.2:
            return chance.randbytes(chance.randrange(0, 200))
        if kind < 0.3:
            return b"[" * 2000
        names: tuple[str, ...] = (
            "amount",
            "currency",
            "customer_ref",
            "metadata",
            "description",
            "code",
            "label",
            "account_type",
        )
        names += ("url", "events", "email", "password", "tenantId", "unknown")
        body = {name: chance.choice(VALUES) for name in chance.sample(names, k=chance.randrange(len(names)))}
        if "payment-intents" in template and chance.random() < 0.5:
            good = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
            body = {**good, chance.choice(names): chance.choice(VALUES)}
        raw = json.dumps(body).encode()
        return raw[: chance.randrange(1, len(raw) + 1)] if chance.random() < 0.15 else raw


CARD = "4111111111111111"
AMOUNTS = ("1e2", " 5.00 ", "1\n", "\u00a01", "\uff15", "10.000000009", "+1", ".5", "NaN", "9" * 500, "", "-1", "0")
QUERIES = (
    *("staus=FAILED", "limit=0", "created_from=2026-13-01", "status=FAILED&status=SETTLED", "pageSize=%EF%BC%95"),
    *("page=1e2", "from=2026-13-01", "%00=%00", "a" * 2000 + "=1", "&".join(f"n{n}=1" for n in range(500))),
    *(f"customer_ref={CARD}", f"{CARD}={CARD}", "cursor=" + "A" * 600, "%FF=%FF", "status[]=FAILED", "__proto__=1"),
)


class Hostile(Garbage):
    """Makes requests that look right and mean something else: each must be refused, whoever sends it."""

    def request(self) -> tuple[str, str, dict[str, str], bytes | None]:
        """Method, path, headers and body."""
        chance = self._random
        headers = {
            "Authorization": f"Bearer {self._token}",
            "X-Tenant-Id": DEMO_TENANT,
            "Idempotency-Key": chance.choice((uuid4().hex, uuid4().hex, CARD)),
            "Content-Type": "application/json",
            "Prefer": "handling=lenient, respond-async",
        }
        if chance.random() < 0.3:
            # Balances ignore a limit, which clients of the earlier system may send.
            template = chance.choice([path for path in self._paths if path != "/v1/ledger/balances"])
            path = "/".join(self._ids[0] if part.startswith("{") else part for part in template.split("/"))
            method = chance.choice([method.upper() for method in self._spec["paths"][template]])
            method = chance.choice((method, "HEAD")) if method == "GET" else method
            return method, f"{path}?{chance.choice(QUERIES)}", headers, None if method in {"GET", "HEAD"} else b"{}"
        intent = f"/v1/payment-intents/{self._ids[0]}"
        own = ("refund", "capture", "confirm", "void")
        books = ("holds", "entries", "conversions")
        paths = [*(f"{intent}/{part}" for part in own), *(f"/v1/ledger/{part}" for part in books)]
        path = chance.choice([*paths, "/v1/payment-intents", "/v1/exchange-rates"])
        return "POST", path, headers, self._twisted()

    def _twisted(self) -> bytes:
        chance = self._random
        good = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
        text = chance.choice((CARD, "4111 1111-1111 1111", "\uff14" + "\uff11" * 15, f"<{CARD}>"))
        bodies: tuple[Any, ...] = (
            {"amout": "1.00"},
            {"Amount": "1.00"},
            {"amount": None},
            {**good, "colour": {"a": [None, {"b": 1}]}},
            {**good, "amount": chance.choice(AMOUNTS)},
            {**good, chance.choice(("customer_ref", "description", "payment_method")): text},
            {**good, "metadata": {text: text}},
            {**good, "metadata": None},
            {"entries": [{"description": text, "lines": [{"amout": 1}] * 50}]},
            {"reason": text, "amount": "1.00"},
        )
        raw = json.dumps(chance.choice(bodies), ensure_ascii=chance.random() < 0.5).encode()
        return chance.choice(
            (
                raw,
                raw,
                raw,
                raw[:-1] + b"," + raw[1:],
                b'{"amount":' + b"[" * 100_000,
                b'{"amount":' + b"9" * 100_000 + b"}",
                b'{"amount":1e999999999,"amount":1}',
                b'{"metadata":{' + b",".join([b'"k":"v"'] * 10_000) + b"}}",
                b"{" + b",".join(b'"k%d":null' % n for n in range(10_000)) + b"}",
                json.dumps(good | {"customer_ref": "4 " * 50_000}).encode(),
            )
        )


def wire(chance: random.Random, token: str) -> tuple[bytes, set[int]]:
    """Bytes that no client library sends, and the statuses that are right; an empty set: closed without a word."""
    bearer = f"Authorization: Bearer {token}"
    good = request("GET", "/v1/me", bearer)
    large = b"GET /v1/me HTTP/1.1\r\nHost: x\r\n"
    kinds: tuple[tuple[bytes, set[int]], ...] = (
        (chance.randbytes(chance.randrange(1, 500)) + b"\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", {400}),
        (request("GET", "/v1/me", bearer, bearer), {400}),
        (request("POST", "/v1/payment-intents", bearer, "Idempotency-Key: a", "Idempotency-Key: b", body=b"{}"), {400}),
        (request("GET", "/v1/me", bearer, "X-Tenant-Id: a", "X-Tenant-Id: b"), {400}),
        (request("POST", "/v1/me", "Transfer-Encoding: chunked", "Content-Length: 3") + b"0\r\n\r\n", {400}),
        (request("POST", "/v1/me", "Content-Length: 1", "Content-Length: 2") + b"a", {400}),
        (large + b"A: " + b"a" * 1_000_000 + b"\r\n\r\n", {431}),
        (large + b"A: a\r\n" * 100_000 + b"\r\n", {431}),
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414}),
        (request("GET", "/v1/me?" + "&".join(f"n{n}=4111" for n in range(700)), bearer), {400, 422}),
        (request("POST", "/v1/auth/token", "Content-Length: 99999999") + b"{", {413}),
        (request("POST", "/v1/auth/token", "Content-Length: 2000000") + b"{" * 2_000_000, {413}),
        (
            request("POST", "/v1/auth/token", "Transfer-Encoding: chunked") + b"1\r\n{\r\n" * 50_000 + b"0\r\n\r\n",
            {400},
        ),
        (request("GET", "/v1/me", bearer, body=b"x" * 100_000), {200, 400}),
        (good * 200, {200, 400, 422}),
        (b"\r\n" * 1000 + good, {200, 400, 422}),
        (request("GET", "//v1/me", bearer), {404}),
        (request("GET", "/v1/%2e%2e/me", bearer), {404}),
        (request("GET", "/v1/me", bearer, "Connection: Upgrade", "Upgrade: h2c", body=b"x"), {400}),
    )
    return chance.choice(kinds)


async def attack(platform: Platform, token: str, chance: random.Random, count: int) -> Counter[int]:
    """Send bytes as they should not be, some of them without waiting for the answer."""
    statuses: Counter[int] = Counter()
    host, port = platform.base().removeprefix("http://").split(":")
    for _ in range(count):
        raw, right = wire(chance, token)
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(30):
            if chance.random() < 0.2:
                # Leaves in the middle, politely or not.
                writer.write(raw[: chance.randrange(len(raw))])
                writer.transport.abort() if chance.random() < 0.5 else writer.close()
                continue
            writer.write(raw)
            answer = RawAnswer(await reader.readuntil(b"\r\n\r\n"), b"")
            statuses[answer.status] += 1
            assert answer.status in right, (raw[:300], answer.status)
            if answer.status >= 400:
                assert answer.headers["x-correlation-id"]
        writer.transport.abort()
    return statuses


class Declared:
    """Which problems the document says that an operation answers with."""

    ANY = frozenset({"route_not_found", "method_not_allowed"})
    """Of no operation."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        # Literal paths come first, as in the router.
        self._templates = sorted(spec["paths"], key=lambda template: template.count("{"))

    def has(self, method: str, path: str, status: int, code: str) -> bool:
        """Whether this code may answer this request; a request that fits no operation may be answered anything."""
        parts = path.partition("?")[0].rstrip("/").split("/")
        for template in self._templates:
            names = template.split("/")
            if len(names) == len(parts) and all(n.startswith("{") or n == p for n, p in zip(names, parts, strict=True)):
                operation = self._spec["paths"][template].get("get" if method == "HEAD" else method.lower())
                return operation is None or code in self.ANY or code in self._codes(operation, status)
        return True

    def _codes(self, operation: dict[str, Any], status: int) -> list[str]:
        response = operation["responses"].get(str(status), {})
        if "$ref" in response:
            response = self._spec["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = response.get("content", {}).get("application/problem+json", {}).get("schema", {})
        found: list[str] = schema.get("properties", {}).get("code", {}).get("enum", [])
        return found


class Vitals:
    """What the api says of itself: stalls of its event loop, and its memory."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        samples = {(s.name, s.labels.get("le", "")): s.value for family in families for s in family.samples}
        self.memory = samples["process_resident_memory_bytes", ""]
        self.busy, self.stall = (
            samples[f"event_loop_{kind}_seconds_count", ""] - samples[f"event_loop_{kind}_seconds_bucket", STALL_MAX]
            for kind in ("busy", "stall")
        )
        self.longest = [
            le
            for (name, le), value in samples.items()
            if name == "event_loop_busy_seconds_bucket" and value < samples["event_loop_busy_seconds_count", ""]
        ][-1:]

    @classmethod
    async def of(cls, platform: Platform) -> "Vitals":
        """Read them now."""
        async with platform.http.get(platform.base() + "/metrics") as answer:
            return cls(await answer.text())


async def test_garbage_is_refused_with_a_problem(platform: Platform) -> None:
    cold = await Vitals.of(platform)
    operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN, tenant="tenant_demo")
    victim = await Client(platform.http, platform.base(), token=admin.token, tenant="tenant_demo").create()
    own = await operator.create()
    spec = await (await platform.http.get(platform.base() + "/openapi.json")).json()
    garbage = {
        "operator": Garbage(spec, seed=1, token=operator.token, ids=[own["id"], victim["id"]]),
        "admin": Garbage(spec, seed=2, token=admin.token, ids=[own["id"]]),
    }
    requests = [garbage["operator" if n % 2 else "admin"].request() for n in range(REQUESTS)]
    hostile = Hostile(spec, seed=3, token=operator.token, ids=[own["id"]])
    twisted = [hostile.request() for _ in range(REQUESTS // 10)]
    declared = Declared(spec)
    undeclared: set[str] = set()
    # At length it has the api to itself, so that the first requests of all count as well; else others were first.
    before = cold if REQUESTS >= 10_000 else await Vitals.of(platform)
    statuses: Counter[int] = Counter()
    waiting = iter([*((request, False) for request in requests), *((request, True) for request in twisted)])

    async def ask() -> None:
        for (method, path, headers, body), must_be_refused in waiting:
            for tries in range(BUSY_MAX):
                async with platform.http.request(
                    method, platform.base() + path, headers=headers, data=body, allow_redirects=False
                ) as answer:
                    raw = await answer.read()
                # Garbage breaks nothing; that a machine with other work refuses some for a second is what it should do.
                if answer.status != 503 or "Retry-After" not in answer.headers or tries == BUSY_MAX - 1:
                    break
                await asyncio.sleep(1)
            statuses[answer.status] += 1
            what = f"{method} {path} {headers} {body!r} -> {answer.status} {raw!r}"
            assert answer.status < 500, what
            assert CARD.encode() not in raw, what
            if answer.status < 400:
                assert not must_be_refused, what
                assert victim["id"] not in path or method == "OPTIONS", what
                # What somebody has typed stands in their own audit log.
                assert victim["id"].encode() not in raw or path.startswith(("/v1/audit", "/v1/requests")), what
                continue
            assert answer.headers["X-Correlation-Id"], what
            if method != "HEAD":
                assert answer.content_type == "application/problem+json", what
                problem = json.loads(raw)
                assert PROBLEMS[problem["code"]].status == problem["status"] == answer.status, what
                if not declared.has(method, path, answer.status, problem["code"]):
                    undeclared.add(f"{method} {path.partition('?')[0]}: {answer.status} {problem['code']}")

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(ask())
        attacks = [
            group.create_task(attack(platform, operator.token, random.Random(n), REQUESTS // 10 // ATTACKERS))
            for n in range(ATTACKERS)
        ]
    refused = sum((each.result() for each in attacks), Counter[int]())
    after = await Vitals.of(platform)
    print(  # the figures that `just malformed` is for
        f"wire: {dict(sorted(refused.items()))}; http: {dict(sorted(statuses.items()))}; stalls above {STALL_MAX} s: "
        f"{after.stall - before.stall:.0f}, by the api's own computing {after.busy - before.busy:.0f} (above "
        f"{after.longest} s); memory {after.memory / 1e6:.0f} MB"
    )
    assert not undeclared, "\n".join(sorted(undeclared))
    assert max(refused) < 500
    assert after.busy == before.busy, f"the event loop stood still for more than {STALL_MAX} s"
    assert after.memory < (MEMORY_MAX if REQUESTS >= 10_000 else before.memory + GROWTH_MAX)
    assert statuses.total() == REQUESTS + len(twisted)
    assert {400, 401, 403, 404, 405, 422} <= set(statuses)
    # What was garbage moved nothing of the other tenant's.
    mine = Client(platform.http, platform.base(), token=admin.token, tenant="tenant_demo")
    assert await mine.status(victim["id"]) == "CREATED"
