"""Payments that arrive at a rate, however long they take, and what they do to latency, memory and tables."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from statistics import quantiles
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec

from tests.bench.costs import memory_of
from tests.support.platform import Client, Platform

CALIBRATING_CLIENTS = 32
REFUSED = frozenset({429, 503})
SETTLED_SECONDS = 180.0

_TABLES = """
SELECT n.nspname || '.' || coalesce(p.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE n.nspname IN ('api', 'ledger', 'gateway', 'notifier') AND c.relkind = 'r' GROUP BY 1
"""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one arrival."""

    due: float
    """When it was to be made, by the monotonic clock."""
    seconds: float
    """How long the first answer took from then on."""
    status: int
    """Of the creation."""
    payment: str
    """The payment, where it was accepted."""
    is_early: bool
    """Where it was refused: whether it says when to come again."""


class Pressure:
    """Payments of one caller."""

    def __init__(self, platform: Platform, client: Client, http: aiohttp.ClientSession) -> None:
        self._base = platform.base()
        self._headers = {"Authorization": f"Bearer {client.token}", "X-Tenant-Id": client.tenant}
        self._http = http
        self.answered: list[Answered] = []
        self.confirmed: Counter[int] = Counter()

    @property
    def accepted(self) -> list[str]:
        """Every payment that was created and confirmed."""
        return [answer.payment for answer in self.answered if answer.payment]

    async def pay(self, *, due: float | None = None) -> None:
        """Create and confirm a payment; a refusal ends it."""
        began = time.monotonic() if due is None else due
        body = {"amount": "10.00", "currency": "BRL", "customer_ref": "pressure"}
        status, answer, is_early = await self._post("/v1/payment-intents", body)
        seconds = time.monotonic() - began
        payment = ""
        if status == 200:
            confirmed, _, early = await self._post(f"/v1/payment-intents/{answer['id']}/confirm", None)
            self.confirmed[confirmed] += 1
            is_early = is_early and early
            payment = answer["id"] if confirmed in {200, 202} else ""
        self.answered.append(Answered(due=began, seconds=seconds, status=status, payment=payment, is_early=is_early))

    async def closed(self, *, clients: int, seconds: float) -> float:
        """Pay with so many clients, each one payment after the other; returns payments a second."""
        until = time.monotonic() + seconds
        before = len(self.accepted)

        async def client() -> None:
            while time.monotonic() < until:
                await self.pay()

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())
        return (len(self.accepted) - before) / seconds

    async def open(self, *, per_second: float, seconds: float) -> list[Answered]:
        """Have payments arrive at a rate, and wait for all of their answers; returns those."""
        first = len(self.answered)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(per_second * seconds)):
                due = began + number / per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(self.pay(due=due))
        return self.answered[first:]

    async def _post(self, path: str, body: Any) -> tuple[int, Any, bool]:
        headers = self._headers | {"Idempotency-Key": str(uuid4())}
        async with self._http.post(self._base + path, json=body, headers=headers) as answer:
            is_early = answer.status not in REFUSED or "Retry-After" in answer.headers
            return answer.status, await answer.json(content_type=None), is_early


def percentile(values: Sequence[float], share: int) -> float:
    """Return a percentile; of one value that one, of none 0."""
    if len(values) < 2:
        return sum(values)
    return quantiles(values, n=100, method="inclusive")[share - 1]


def memory(platform: Platform) -> dict[str, dict[str, int]]:
    """The memory of each service in MiB: now, and at most."""
    return {service: memory_of(pid) for service, pid in platform.processes().items()}


async def tables(url: str) -> dict[str, int]:
    """The bytes of each table, with its indexes and partitions."""
    connection = await asyncpg.connect(url)
    try:
        return {row["name"]: row["bytes"] for row in await connection.fetch(_TABLES)}
    finally:
        await connection.close()


async def settled(url: str, accepted: Sequence[str]) -> float:
    """Wait until every payment that was accepted is settled, booked once; returns the seconds.

    Raises:
        TimeoutError: when one is not.
    """
    began = time.monotonic()
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(SETTLED_SECONDS):
            while await connection.fetchval(
                "SELECT count(*) FROM api.payment_intents WHERE id = ANY ($1::uuid[]) AND status <> 'SETTLED'", accepted
            ):
                await asyncio.sleep(0.2)
        seconds = time.monotonic() - began
        rows = await connection.fetch(
            "SELECT payment_intent_id::text AS id FROM ledger.journal_entries "
            "WHERE kind = 'capture' AND payment_intent_id = ANY ($1::uuid[])",
            accepted,
        )
        assert Counter(row["id"] for row in rows) == Counter(accepted)
        return seconds
    finally:
        await connection.close()
