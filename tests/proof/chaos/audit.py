"""What must hold once everything has ended: in the databases, at the processor, at the broker and at the merchant."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg

from tests.proof.chaos import history
from tests.proof.chaos.load import CUSTOMER, ENDS, Course, Payment
from tests.proof.chaos.processor import Processor
from tests.proof.chaos.sites import Site
from tests.support import forks
from tests.support.broker import Node
from tests.support.databases import SERVICES
from tests.support.platform import Platform

TAP = "chaos-tap"
"""The queue of ours that receives what is published for other teams."""
VERIFY_SECONDS = 120.0
SHOWN_MAX = 5
"""Findings of one kind that are shown."""

_OPEN = {
    "payments": "SELECT count(*) FROM api.payment_intents WHERE status IN ('PROCESSING', 'AUTHORIZED', 'REQUIRES_ACTION')",
    "refunds": "SELECT count(*) FROM api.refunds WHERE status = 'PENDING'",
    "attempts": "SELECT count(*) FROM gateway.attempts WHERE status NOT IN ('APPROVED', 'DECLINED')",
    "notices": "SELECT count(*) FROM gateway.stripe_events WHERE status = 'RECEIVED'",
    "deliveries": "SELECT count(*) FROM notifier.deliveries WHERE status = 'PENDING'",
} | {f"outbox of {service}": f"SELECT count(*) FROM {service}.outbox" for service in SERVICES}
"""What is left to do, by what it is."""
_INTENTS = """
SELECT id::text, status, captured_minor, refunded_minor, refunding_minor FROM api.payment_intents WHERE customer_ref = $1
"""
_ENTRIES = "SELECT payment_intent_id::text AS id, kind, count(*) AS n FROM ledger.journal_entries GROUP BY 1, 2"
_ATTEMPTS = """
SELECT payment_intent_id::text AS id, operation, count(*) AS n FROM gateway.attempts WHERE status = 'APPROVED' GROUP BY 1, 2
"""
_DIFFERENCE = """
SELECT count(*) FROM (SELECT currency FROM ledger.postings GROUP BY currency
 HAVING sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) <> 0) AS unbalanced
"""
_FINDINGS = """
SELECT invariant, subject, detail FROM ledger.findings AS f WHERE NOT EXISTS (SELECT FROM ledger.finding_resolutions AS r
 WHERE r.subject = f.subject AND r.invariant = f.invariant AND r.tenant_id = f.tenant_id)
"""
"""What the api publishes late is missing in the meantime; what is only late is resolved."""
_UNDELIVERED = "SELECT event_id::text || ' ' || status FROM notifier.deliveries WHERE status <> 'DELIVERED'"

_TAKEN = ("payment.intent.created", "payment.authorized", "payment.captured", "payment.settled")
PUBLISHED: Mapping[Course, tuple[str, ...]] = MappingProxyType(
    {
        Course.PAY: _TAKEN,
        Course.CAPTURE: _TAKEN,
        Course.REFUND: (*_TAKEN, "payment.refunded"),
        Course.REFUND_PART: (*_TAKEN, "payment.refunded"),
        Course.VOID: ("payment.intent.created", "payment.authorized", "payment.voided"),
        Course.DECLINE: ("payment.intent.created", "payment.failed"),
        Course.CANCEL: ("payment.intent.created", "payment.voided"),
    }
)
"""What is published of each payment, once each."""
SUBSCRIBED = ("payment.settled", "payment.refunded", "payment.voided", "payment.failed")
"""What the merchant's endpoint receives."""

type Published = Mapping[str, Mapping[str, Collection[str]]]
"""The ids of the public events that other teams received, by payment and type."""


class Audit:
    """Looks into everything."""

    def __init__(self, platform: Platform, site: Site, processor: Processor, database: asyncpg.Pool) -> None:
        self._platform = platform
        self._site = site
        self._processor = processor
        self._database = database

    async def _queues(self) -> dict[str, tuple[int, int]]:
        return await Node(self._site.servers, self._platform.rabbitmq_url).queues()

    async def left(self) -> dict[str, Any]:
        """What is left to do: rows that wait, and messages of the services' queues, ready and unacknowledged."""
        rows = {name: await self._database.fetchval(query) for name, query in _OPEN.items()}
        queues = {name: each for name, each in (await self._queues()).items() if not name.startswith(("amq.", TAP))}
        rows["findings"] = len(await self._database.fetch(_FINDINGS))
        return {name: count for name, count in rows.items() if count} | queues

    async def rest(self, *, within: float) -> tuple[float, dict[str, Any]]:
        """Wait until nothing is left to do, or for `within` seconds; returns the seconds, and what is left.

        Dead letters stay: whoever audits has to explain them.
        """
        began = time.monotonic()
        while True:
            left = {name: each for name, each in (await self.left()).items() if not name.endswith(".dead")}
            seconds = time.monotonic() - began
            if not left or seconds > within:
                return seconds, left
            await asyncio.sleep(0.3)

    async def findings(
        self, payments: Sequence[Payment], published: Published, delivered: Collection[str]
    ) -> list[str]:
        """Return what is not as it must be, a sentence each."""
        found = await self._intents(payments)
        found += await self._books_of_ledger(payments)
        found += _unlike(payments, await self._processor.every("charges"), await self._processor.every("refunds"))
        found += _events(payments, published, delivered)
        found += [f"webhook not delivered: {row[0]}" for row in await self._database.fetch(_UNDELIVERED)]
        for service in SERVICES:
            if count := await self._database.fetchval(f"SELECT count(*) FROM {service}.outbox_refused"):
                found.append(f"{count} messages of {service} are refused by their destination")
        found += [
            f"{sum(counts)} dead letters in {name}"
            for name, counts in (await self._queues()).items()
            if name.endswith(".dead")
        ]
        return found

    async def _intents(self, payments: Sequence[Payment]) -> list[str]:
        rows = {row["id"]: row for row in await self._database.fetch(_INTENTS, CUSTOMER)}
        made = {payment.id: payment for payment in payments}
        found = [f"a payment that no client made: {row}" for each, row in rows.items() if each not in made]
        for each, payment in made.items():
            row = rows.get(each)
            ours = None if row is None else tuple(row.values())[1:]
            must = (ENDS[payment.course], payment.captured_minor, payment.refunded_minor, 0)
            if ours != must:
                found.append(f"payment {each} ({payment.course}) is {ours} and must be {must}")
        return found

    async def _books_of_ledger(self, payments: Sequence[Payment]) -> list[str]:
        entries = {(row["id"], row["kind"]): row["n"] for row in await self._database.fetch(_ENTRIES)}
        attempts = {(row["id"], row["operation"]): row["n"] for row in await self._database.fetch(_ATTEMPTS)}
        found = []
        for payment in payments:
            is_taken, is_back = bool(payment.captured_minor), bool(payment.refunded_minor)
            is_held = is_taken or payment.course is Course.VOID
            for name, counted, must in (
                ("entries of captures", entries.get((payment.id, "capture"), 0), is_taken),
                ("entries of refunds", entries.get((payment.id, "refund"), 0), is_back),
                ("authorizations", attempts.get((payment.id, "authorize"), 0), is_held),
                ("captures", attempts.get((payment.id, "capture"), 0), is_taken),
                ("voids", attempts.get((payment.id, "void"), 0), payment.course is Course.VOID),
                ("refunds", attempts.get((payment.id, "refund"), 0), is_back),
            ):
                if counted != must:
                    found.append(f"payment {payment.id} ({payment.course}) has {counted} {name}")
        if await self._database.fetchval(_DIFFERENCE):
            found.append("debits and credits differ")
        found += [f"the ledger has found: {tuple(row)}" for row in await self._database.fetch(_FINDINGS)]
        return found

    async def verify(self, log: Path) -> list[str]:
        """Let the ledger recompute its chains, seals and balances; returns what it prints where something is wrong."""
        process = forks.start("ledger", "verify", environ=self._platform.environ, log=log)
        code = await forks.ended(process, seconds=VERIFY_SECONDS)
        printed = await asyncio.to_thread(log.read_text)
        return [] if code == 0 else [f"the ledger does not verify: {printed[-2000:]}"]


def _unlike(payments: Sequence[Payment], charged: Sequence[Any], refunded: Sequence[Any]) -> list[str]:
    """Return the payments of which the processor has something else."""
    taken: Counter[str] = Counter()
    charges: Counter[str] = Counter()
    back: Counter[str] = Counter()
    of_charge = {}
    for charge in charged:
        of_charge[charge["id"]] = intent = charge["metadata"]["payment_intent_id"]
        taken[intent] += charge["amount_captured"]
        charges[intent] += charge["status"] == "succeeded"
    for refund in refunded:
        if refund["status"] == "succeeded":
            back[of_charge[refund["charge"]]] += refund["amount"]
    found = []
    for payment in payments:
        is_held = bool(payment.captured_minor) or payment.course is Course.VOID
        must = (int(is_held), payment.captured_minor, payment.refunded_minor)
        # What is released shows as a refund of a charge that was never captured.
        given = back[payment.id] if payment.captured_minor else 0
        theirs = (charges[payment.id], taken[payment.id], given)
        if theirs != must:
            found.append(f"payment {payment.id} ({payment.course}): the processor has {theirs} and must have {must}")
    return found


def _events(payments: Sequence[Payment], published: Published, delivered: Collection[str]) -> list[str]:
    found = []
    for payment in payments:
        ours = {name: len(ids) for name, ids in published.get(payment.id, {}).items()}
        if ours != dict.fromkeys(PUBLISHED[payment.course], 1):
            found.append(f"payment {payment.id} ({payment.course}) published events with so many ids: {ours}")
        found += [
            f"payment {payment.id}: the merchant never received {name} {each}"
            for name in sorted(set(SUBSCRIBED) & set(PUBLISHED[payment.course]))
            for each in published.get(payment.id, {}).get(name, ())
            if each not in delivered
        ]
    return found


def impossible(payments: Sequence[Payment]) -> list[str]:
    """Return what clients saw and cannot have been so, with the whole history of the payment."""
    found = []
    for payment in payments:
        sentences = history.findings(payment.history, is_manual=payment.is_manual)
        if sentences:
            lines = "".join(f"\n    {seen}" for seen in sorted(payment.history, key=lambda seen: seen.began))
            found.append(f"payment {payment.id} ({payment.course}): {'; '.join(sentences[:SHOWN_MAX])}{lines}")
    return found
