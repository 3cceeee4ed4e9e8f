"""Intents against entries: where the api and the books disagree, it is found, named and published once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from prometheus_client import REGISTRY

from libs.common.clock import ManualClock
from libs.common.contracts import api, gateway
from libs.common.contracts.ledger_books import InvariantBroken
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.ids import derived_id, new_id
from libs.common.messaging import Received
from libs.common.money import format_minor
from libs.common.observability.correlation import Correlation
from services.ledger.integrity import AGREE_WITHIN, COMPARE_EVERY_SECONDS, Reconciliation
from services.ledger.integrity.sql.findings import count_findings, findings_of
from tests.integration.ledger.conftest import Ledger, captured

LATER = AGREE_WITHIN + timedelta(seconds=1)


class Pair:
    """A ledger that receives the gateway and the api, and what it finds where they differ."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str) -> None:
        self.ledger = Ledger(database, clock)
        self.reconciliation = Reconciliation(database, clock=clock)
        self.clock = clock
        self.tenant_id = tenant_id

    async def capture(self, intent: UUID, amount_minor: int = 15050, currency: str = "BRL") -> None:
        """The gateway publishes: the processor took the funds; it is posted."""
        received = captured(
            self.tenant_id,
            at=self.clock.now(),
            payment_intent_id=intent,
            amount_minor=amount_minor,
            currency=currency,
        )
        await self.ledger.handle_captures(received)
        self.clock.advance(timedelta(milliseconds=1))

    async def refund(self, refund: UUID, intent: UUID, amount_minor: int = 4000, *, is_failed: bool = False) -> None:
        """The gateway publishes: the money was given back, or came back after all; it is posted."""
        named: dict[str, Any] = {
            "payment_intent_id": intent,
            "refund_id": refund,
            "amount_minor": amount_minor,
            "currency": "BRL",
        }
        if is_failed:
            failed = gateway.RefundFailed(
                **named, reason="closed", detail="Closed.", after_success=True, failed_at=self.clock.now()
            )
            await self.ledger.handle(self.ledger.payments.handler(gateway.RefundFailed), [self._received(failed)])
        else:
            done = gateway.RefundSucceeded(**named, gateway_ref="ref_1", refunded_at=self.clock.now())
            await self.ledger.handle(self.ledger.payments.handler(gateway.RefundSucceeded), [self._received(done)])
        self.clock.advance(timedelta(milliseconds=1))

    async def settled(self, *intents: UUID, amount_minor: int = 15050, currency: str = "BRL") -> None:
        """The api publishes: settled."""
        amount = format_minor(amount_minor, currency)
        shown = [
            {"payment_intent_id": intent, "currency": currency, "amount": "999", "captured_amount": amount}
            for intent in intents
        ]
        bodies = [api.PaymentSettled(**self._envelope(api.PaymentSettled) | changes) for changes in shown]
        await self.ledger.handle(self.reconciliation.expect_captures, [self._received(body) for body in bodies])

    async def refunded(self, refund: UUID, intent: UUID, amount: str = "40.00") -> None:
        """The api publishes: refunded."""
        changes = {"payment_intent_id": intent, "refund_id": refund, "amount": amount, "currency": "BRL"}
        body = api.PaymentRefunded(**self._envelope(api.PaymentRefunded) | changes)
        await self.ledger.handle(self.reconciliation.expect_refunds, [self._received(body)])

    async def pay(self, intent: UUID) -> None:
        """A payment as it should be."""
        await self.capture(intent)
        await self.settled(intent)

    async def begin(self) -> None:
        """From now on both sides are compared: a first payment has been."""
        await self.pay(new_id())
        await self.reconciliation.compare()

    async def found(self, *, rounds: int = 2) -> list[tuple[str, str]]:
        """Let the time pass until both sides should agree, compare, and read what was ever found."""
        for _ in range(rounds):
            self.clock.advance(LATER)
            await self.reconciliation.compare()
        rows = await self.ledger.database.fetch(
            "SELECT invariant, subject FROM findings WHERE tenant_id = $1 ORDER BY found_at, subject", self.tenant_id
        )
        return [(row["invariant"], row["subject"]) for row in rows]

    async def open_findings(self) -> list[tuple[str, str]]:
        """Read what was found and does not hold yet."""
        async with self.ledger.database.connection() as connection:
            rows = await findings_of(connection, self.tenant_id, limit=10)
            assert await count_findings(connection) == len(rows)
        return [(row["invariant"], row["subject"]) for row in rows]

    async def published(self) -> list[tuple[str, str]]:
        """Read what was published as broken."""
        rows = await self.ledger.database.fetch("SELECT body FROM outbox WHERE contract LIKE '%invariant.broken'")
        bodies = [msgspec.json.decode(row["body"], type=InvariantBroken) for row in rows]
        return [(body.invariant, body.subject) for body in bodies]

    async def count_expected(self) -> int:
        """Count the claims that are kept."""
        rows = await self.ledger.database.fetch("SELECT count(*) AS n FROM claims")
        counted: int = rows[0]["n"]
        return counted

    def _envelope(self, kind: type[api.IntentEvent]) -> dict[str, Any]:
        return {**kind.example, "tenant_id": self.tenant_id, "occurred_at": self.clock.now()}

    def _received(self, body: Any) -> Received[Any]:
        return Received(
            id=new_id(),
            body=body,
            occurred_at=self.clock.now(),
            correlation=Correlation(correlation_id="corr-1", tenant_id=self.tenant_id),
            attempt=0,
        )


@pytest.fixture
async def pair(make_database, clock: ManualClock, tenant_id: str) -> AsyncIterator[Pair]:  # type: ignore[no-untyped-def]
    async with make_database("ledger") as place, place.open("ledger") as database:
        yield Pair(database, clock, tenant_id)


def counted(invariant: str) -> float:
    """How often this process has counted a finding."""
    return REGISTRY.get_sample_value("ledger_invariants_broken_total", {"invariant": invariant}) or 0.0


async def test_payments_and_refunds_that_agree_are_no_findings_and_leave_nothing(pair: Pair) -> None:
    await pair.begin()
    intents = [new_id() for _ in range(3)]
    for intent in intents:
        await pair.capture(intent)
    await pair.settled(*intents)
    await pair.capture(yen := new_id(), 500, "JPY")
    await pair.settled(yen, amount_minor=500, currency="JPY")
    early, late = new_id(), new_id()
    await pair.refunded(early, intents[0])
    await pair.refund(early, intents[0])
    await pair.refund(late, intents[1])
    await pair.refunded(late, intents[1])
    assert await pair.count_expected() == 7
    assert await pair.found() == []
    assert await pair.published() == []
    assert await pair.count_expected() == 0


async def test_nothing_is_found_before_both_sides_had_the_time_to_agree(pair: Pair) -> None:
    await pair.begin()
    intent, other = new_id(), new_id()
    await pair.capture(intent)
    await pair.settled(other)
    pair.clock.advance(AGREE_WITHIN - timedelta(seconds=1))
    assert await pair.found(rounds=0) == []
    await pair.reconciliation.compare()
    assert await pair.found(rounds=0) == []
    await pair.settled(intent)
    await pair.capture(other)
    assert await pair.found() == []


@pytest.mark.parametrize("kind", ["capture", "refund"])
async def test_a_claim_without_an_entry_is_found_once_by_its_subject(pair: Pair, kind: str) -> None:
    await pair.begin()
    before = counted("intent_without_entry")
    subject = new_id()
    for _ in range(2):
        await (pair.settled(subject) if kind == "capture" else pair.refunded(subject, new_id()))
    expected = [("intent_without_entry", str(subject))]
    assert await pair.found(rounds=3) == expected
    assert await pair.published() == expected
    assert counted("intent_without_entry") == before + 1
    # Its entry comes after all: what was published stays, and nothing new is found.
    await (pair.capture(subject) if kind == "capture" else pair.refund(subject, new_id()))
    assert await pair.found() == expected


@pytest.mark.parametrize(("amount_minor", "currency"), [(15051, "BRL"), (15050, "USD")])
async def test_a_claim_of_another_amount_or_currency_is_found_once(
    pair: Pair, amount_minor: int, currency: str
) -> None:
    await pair.begin()
    intent = new_id()
    await pair.capture(intent)
    await pair.settled(intent, amount_minor=amount_minor, currency=currency)
    assert await pair.found() == [("intent_without_entry", str(intent))]
    await pair.settled(intent, amount_minor=amount_minor, currency=currency)
    assert await pair.found() == await pair.published() == [("intent_without_entry", str(intent))]
    assert await pair.count_expected() == 0


async def test_of_claims_that_contradict_one_another_the_wrong_one_is_found(pair: Pair) -> None:
    await pair.begin()
    await pair.pay(intent := new_id())
    await pair.settled(intent, amount_minor=1)
    assert await pair.found() == [("intent_without_entry", str(intent))]


def test_forged_entry_is_found_within_a_minute() -> None:
    # Rounds begin up to a tenth later than after their pause.
    assert AGREE_WITHIN.total_seconds() + COMPARE_EVERY_SECONDS * 1.1 < 60


async def test_first_capture_of_all_is_compared_too(pair: Pair) -> None:
    await pair.reconciliation.compare()  # as at the first start
    await pair.capture(forged := new_id())
    assert await pair.found() == [("entry_without_intent", str(derived_id(forged, "capture")))]


@pytest.mark.parametrize("kind", ["capture", "refund"])
async def test_an_entry_without_a_claim_is_found_once_by_its_id(pair: Pair, kind: str) -> None:
    await pair.begin()
    before = counted("entry_without_intent")
    subject = new_id()
    await (pair.capture(subject) if kind == "capture" else pair.refund(subject, new_id()))
    expected = [("entry_without_intent", str(derived_id(subject, kind)))]
    assert await pair.found(rounds=3) == expected
    assert await pair.published() == expected
    assert counted("entry_without_intent") == before + 1
    # It is claimed after all.
    await (pair.settled(subject) if kind == "capture" else pair.refunded(subject, new_id()))
    assert await pair.found() == await pair.published() == expected


async def test_events_that_are_received_again_much_later_are_harmless(pair: Pair) -> None:
    await pair.begin()
    await pair.pay(intent := new_id())
    assert await pair.found() == []
    await pair.settled(intent, intent)
    await pair.capture(intent)
    assert await pair.found() == []
    assert await pair.count_expected() == 0


async def test_refund_that_failed_is_no_finding_whether_or_not_it_completed(pair: Pair) -> None:
    await pair.begin()
    await pair.pay(intent := new_id())
    shown, unpublished, other = new_id(), new_id(), new_id()
    await pair.refund(shown, intent)
    await pair.refunded(shown, intent)
    await pair.refund(shown, intent, is_failed=True)
    await pair.refund(unpublished, intent, 5000, is_failed=True)
    await pair.refund(unpublished, intent, 5000)
    await pair.refund(other, intent, 6000)
    assert await pair.found() == [("entry_without_intent", str(derived_id(other, "refund")))]


async def test_books_that_are_older_than_the_first_claim_are_not_compared(pair: Pair) -> None:
    for _ in range(3):
        await pair.capture(new_id())
    assert await pair.found() == []
    await pair.begin()
    assert await pair.found() == []


async def test_two_processes_that_compare_at_once_report_each_finding_once(pair: Pair) -> None:
    await pair.begin()
    missing, unexpected = new_id(), new_id()
    await pair.settled(missing)
    await pair.capture(unexpected)
    pair.clock.advance(LATER)
    other = Reconciliation(pair.ledger.database, clock=pair.clock)
    await asyncio.gather(*(each.compare() for each in (pair.reconciliation, other) * 3))
    assert sorted(await pair.published()) == sorted(
        [
            ("intent_without_entry", str(missing)),
            ("entry_without_intent", str(derived_id(unexpected, "capture"))),
        ]
    )


async def test_a_malformed_amount_is_refused_and_leaves_nothing(pair: Pair) -> None:
    for amount in ("", "0", "-1.00", "1.005", "NaN"):
        with pytest.raises(Invalid):
            await pair.refunded(new_id(), new_id(), amount)
    assert await pair.count_expected() == 0


async def test_entry_whose_claim_comes_after_an_outage_is_resolved(pair: Pair) -> None:
    await pair.begin()
    intent = new_id()
    await pair.capture(intent)
    entry = str(derived_id(intent, "capture"))
    assert ("entry_without_intent", entry) in await pair.found()
    assert await pair.open_findings() == [("entry_without_intent", entry)]
    await pair.settled(intent)
    await pair.reconciliation.compare()
    assert await pair.open_findings() == []
    # What was found stays written.
    assert ("entry_without_intent", entry) in await pair.found()
    assert await pair.open_findings() == []


async def test_claim_whose_entry_comes_late_is_resolved(pair: Pair) -> None:
    await pair.begin()
    intent = new_id()
    await pair.settled(intent)
    assert ("intent_without_entry", str(intent)) in await pair.found()
    await pair.capture(intent)
    await pair.reconciliation.compare()
    assert await pair.open_findings() == []


async def test_claim_of_another_amount_resolves_nothing(pair: Pair) -> None:
    await pair.begin()
    intent = new_id()
    await pair.capture(intent)
    await pair.found()
    await pair.settled(intent, amount_minor=15049)
    await pair.reconciliation.compare()
    assert len(await pair.open_findings()) == 1
