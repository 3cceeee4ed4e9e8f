"""Garbage of every kind on every route: no 5xx, nothing but problem documents, and nothing of another tenant's."""

import asyncio
import json
import os
import random
from collections import Counter
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from services.api.errors.problems import PROBLEMS
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Client, Platform

REQUESTS = int(os.environ.get("MALFORMED_REQUESTS", "1000"))
"""How many requests are made; `just malformed` makes ten thousand."""
CLIENTS = 16
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
        names = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
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


async def test_garbage_is_refused_and_told_so(platform: Platform) -> None:
    operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN, tenant="tenant_demo")
    victim = await Client(platform.http, platform.base(), token=admin.token, tenant="tenant_demo").create()
    own = await operator.create()
    spec = await (await platform.http.get(platform.base() + "/openapi.json")).json()
    garbage = {
        "operator": Garbage(spec, seed=1, token=operator.token, ids=[own["id"], victim["id"]]),
        "admin": Garbage(spec, seed=2, token=admin.token, ids=[own["id"]]),
    }
    requests = [garbage["operator" if n % 2 else "admin"].request() for n in range(REQUESTS)]
    statuses: Counter[int] = Counter()
    waiting = iter(requests)

    async def ask() -> None:
        for method, path, headers, body in waiting:
            async with platform.http.request(
                method, platform.base() + path, headers=headers, data=body, allow_redirects=False
            ) as answer:
                raw = await answer.read()
                statuses[answer.status] += 1
                what = f"{method} {path} {headers} {body!r} -> {answer.status} {raw!r}"
                assert answer.status < 500, what
                if answer.status < 400:
                    assert victim["id"] not in path or method == "OPTIONS", what
                    # What somebody has typed stands in their own audit log.
                    assert victim["id"].encode() not in raw or path.startswith("/v1/audit"), what
                    continue
                assert answer.headers["X-Correlation-Id"], what
                if method != "HEAD":
                    assert answer.content_type == "application/problem+json", what
                    told = json.loads(raw)
                    assert PROBLEMS[told["code"]].status == told["status"] == answer.status, what

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(ask())
    assert statuses.total() == REQUESTS
    assert {400, 401, 403, 404, 405, 422} <= set(statuses)
    # What was garbage moved nothing of the other tenant's.
    mine = Client(platform.http, platform.base(), token=admin.token, tenant="tenant_demo")
    assert await mine.status(victim["id"]) == "CREATED"
