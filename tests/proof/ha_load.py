"""Clients that pay while nodes fail, what they saw, and the audit of what became of their payments."""

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec

from deploy.local.environment import DATABASE, VHOST
from deploy.local.servers import Servers
from tests.support.broker import Node
from tests.support.platform import Answer, Client

PAUSE_SECONDS = 0.2
SETTLED_SECONDS = 120.0
"""How long a payment may take before the proof fails."""
RANK = {"CREATED": 0, "PROCESSING": 1, "AUTHORIZED": 2, "SETTLED": 3}
"""The states of a payment that succeeds, in the order in which clients may see them."""


class Payment(msgspec.Struct, kw_only=True):
    """One payment as its client saw it; moments are those of a monotonic clock."""

    began: float
    id: str = ""
    accepted: float = 0.0
    settled: float = 0.0


class Load:
    """Some clients, each with one payment after another."""

    def __init__(self, operator: Client, *, clients: int) -> None:
        self._operator = operator
        self._clients = clients
        self._is_over = False
        self.reference = f"ha-{uuid4().hex[:12]}"
        """What names the payments of this run."""
        self.payments: list[Payment] = []

    @staticmethod
    def now() -> float:
        """The moment, by the clock of the payments."""
        return time.monotonic()

    async def run(self) -> None:
        """Pay until `stop`, and then until the last payment is settled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client())

    def stop(self) -> None:
        """Begin no further payment."""
        self._is_over = True

    async def _client(self) -> None:
        while not self._is_over:
            await self._pay()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _pay(self) -> None:
        payment = Payment(began=self.now())
        self.payments.append(payment)
        body = {"amount": "12.34", "currency": "BRL", "customer_ref": self.reference}
        keys = str(uuid4()), str(uuid4())
        async with asyncio.timeout(SETTLED_SECONDS):
            payment.id = str((await self._insist("POST", "/v1/payment-intents", keys[0], body)).json["id"])
            path = f"/v1/payment-intents/{payment.id}"
            answer = await self._insist("POST", f"{path}/confirm", keys[1], None)
            payment.accepted = self.now()
            status = str(answer.json["status"])
            while status != "SETTLED":
                await asyncio.sleep(0.1)
                seen = str((await self._insist("GET", path, None, None)).json["status"])
                assert RANK[seen] >= RANK[status], f"payment {payment.id} went back from {status} to {seen}"
                status = seen
            payment.settled = self.now()

    async def _insist(self, method: str, path: str, key: str | None, body: object) -> Answer:
        while True:
            try:
                answer = await self._operator.call(method, path, body, key=key)
            except (TimeoutError, OSError, aiohttp.ClientError):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if answer.status in {200, 202}:
                return answer
            assert answer.status in {409, 502, 503, 504}, answer.raw
            await asyncio.sleep(PAUSE_SECONDS)

    async def until_settled(self, *, after: float, seconds: float) -> float:
        """Wait until payments are settled again after a moment, those that were open then included; returns when that was.

        That is when the first payment that was begun after the moment is settled, and all that were begun before that one was.

        Raises:
            AssertionError: with the payments that are open when the time is up.
        """
        deadline = self.now() + seconds
        while True:
            fresh = [p for p in self.payments if p.began > after and p.settled]
            first = min((p.settled for p in fresh), default=self.now())
            waiting = [p for p in self.payments if p.began < first and (not p.settled or p.settled > after)]
            # More than one of each client, so that both processes of each service had some.
            if len(fresh) >= 4 * self._clients and all(p.settled for p in waiting):
                return max(first, *(p.settled for p in waiting))
            open_now = [p.id for p in waiting if not p.settled]
            assert self.now() < deadline, f"open after {seconds:.0f} s: {open_now}"
            await asyncio.sleep(0.1)

    def begun_since(self, moment: float) -> int:
        """How many payments were begun since then."""
        return sum(payment.began >= moment for payment in self.payments)

    def slowest_before(self, moment: float) -> float:
        """How long the slowest payment took that was settled before a moment."""
        return max((p.settled - p.began for p in self.payments if 0 < p.settled < moment), default=0.0)


async def audit(load: Load, servers: Servers) -> None:
    """Count in databases and queues: one of each for every payment, sums that agree, no dead letter, nothing left in queues.

    Raises:
        AssertionError: naming what is missing, doubled or left.
    """
    made = [payment.id for payment in load.payments]
    assert all(payment.settled for payment in load.payments)
    books = await asyncpg.connect(servers.postgres_database_url(DATABASE))
    try:
        rows = await books.fetch(
            "SELECT id::text, status FROM api.payment_intents WHERE customer_ref = $1", load.reference
        )
        assert Counter(row["id"] for row in rows) == Counter(made), (
            "intents that no client knows, or clients' that are lost"
        )
        assert {row["status"] for row in rows} == {"SETTLED"}
        counts = {
            "journal entries": await _counts(
                books,
                "SELECT payment_intent_id::text FROM ledger.journal_entries WHERE payment_intent_id = ANY($1)",
                made,
            ),
            **{
                operation: await _counts(
                    books,
                    "SELECT payment_intent_id::text FROM gateway.attempts WHERE payment_intent_id = ANY($1) "
                    f"AND operation = '{operation}' AND status = 'APPROVED'",
                    made,
                )
                for operation in ("authorize", "capture")
            },
        }
        for name, counted in counts.items():
            assert counted == Counter(made), f"{name}: {(counted - Counter(made), Counter(made) - counted)}"
        difference = await books.fetchval(
            "SELECT sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) FROM ledger.postings"
        )
        assert difference == 0
    finally:
        await books.close()
    broker = Node(servers, servers.rabbitmq_vhost_url(VHOST))
    async with asyncio.timeout(60):
        while left := {name: at for name, at in (await broker.queues()).items() if not name.startswith("amq.")}:
            assert not [name for name in left if name.endswith(".dead")], f"dead letters: {left}"
            await asyncio.sleep(0.5)


async def _counts(books: Any, sql: str, made: list[str]) -> Counter[str]:
    return Counter(row[0] for row in await books.fetch(sql, made))
