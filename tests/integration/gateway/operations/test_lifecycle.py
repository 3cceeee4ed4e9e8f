"""Voids, refunds, expiry, and what the processor reports later: commands in, messages out, on a real database and book."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import RefundPayment
from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Received
from services.gateway.errors import AttemptConflict
from services.gateway.notices import Notices
from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import Applied, CapturedNotice, Operation, Processor
from services.gateway.processors.sandbox import SandboxProcessor, SandboxStore, StoredBook
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import PATIENCE, Gateway
from tests.unit.gateway.processors.processor_suite import Cue, ProcessorSuite
from tests.unit.gateway.processors.test_sandbox import SANDBOX_AMOUNTS


class Place(Gateway):
    """A gateway whose sandbox keeps its book in the database, and reports what happens by itself."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str) -> None:
        self.sandbox = SandboxProcessor(book=StoredBook(SandboxStore(database)), clock=clock, slow_seconds=0.001)
        self.book = CountingProcessor(self.sandbox)
        super().__init__(database, clock, tenant_id, self.book)
        self.notices = Notices(database=database, clock=clock)

    async def held(self, amount_minor: int, *, manual: bool = False) -> tuple[UUID, str]:
        """Authorize a payment; returns its id and reference."""
        command = self.authorize_command(amount_minor)
        method = "manual" if manual else "automatic"
        body = msgspec.structs.replace(command.body, capture_method=method)
        await self.commands.authorize(msgspec.structs.replace(command, body=body))
        intent = command.body.payment_intent_id
        [attempt] = await self.attempts(intent)
        return intent, attempt.gateway_ref or attempt.result_ref

    async def captured(self, amount_minor: int) -> tuple[UUID, str]:
        """Authorize and capture a payment; returns its id and reference."""
        intent, ref = await self.held(amount_minor)
        await self.commands.capture(self.capture_command(amount_minor, intent=intent, gateway_ref=ref))
        return intent, ref

    def refund_command(
        self, amount_minor: int, *, intent: UUID, gateway_ref: str, refund: UUID | None = None
    ) -> Received[RefundPayment]:
        """A command to give captured funds back."""
        return self._received(
            RefundPayment(
                payment_intent_id=intent,
                refund_id=refund or new_id(),
                amount_minor=amount_minor,
                currency="BRL",
                gateway_ref=gateway_ref,
                reason="requested by the customer",
            )
        )

    async def names(self, intent: UUID) -> list[str]:
        """What was published about a payment, in order."""
        return [contract.removeprefix("event:gateway:") for contract, _ in await self.published(intent)]

    async def pass_time(self, by: timedelta) -> None:
        """Turn the clock and do what workers do on theirs."""
        self.clock.advance(by)
        await self.sandbox.report(self.notices.apply, limit=100)
        await self.commands.release_expired(limit=100)
        await self.commands.resolve_due(limit=1_000)


class TestSandboxWithItsStoredBook(ProcessorSuite):
    """The port's own suite, over the book that several processes share."""

    @pytest.fixture(autouse=True)
    def _stored(self, database: Database) -> None:
        self.database = database

    def make(self) -> Processor:
        return SandboxProcessor(book=StoredBook(SandboxStore(self.database)), slow_seconds=0.001)

    def amount_for(self, cue: Cue) -> int:
        return SANDBOX_AMOUNTS[cue]


async def test_a_hold_is_released_once_however_often_it_is_requested(place: Place) -> None:
    intent, ref = await place.held(15_050, manual=True)
    command = place.void_command(15_050, intent=intent, gateway_ref=ref)
    await asyncio.gather(*(place.commands.void(command) for _ in range(3)))
    assert await place.names(intent) == ["payment.authorized", "payment.voided"]


async def test_a_void_of_captured_funds_is_refused_with_its_reason(place: Place) -> None:
    intent, ref = await place.captured(15_050)
    await place.commands.void(place.void_command(15_050, intent=intent, gateway_ref=ref))
    contract, body = (await place.published(intent))[-1]
    assert (contract, body["reason"]) == ("event:gateway:payment.void_failed", "already_captured")


@pytest.mark.parametrize("paid_by", [PaymentMethodType.PIX, PaymentMethodType.BOLETO])
async def test_slip_paid_before_its_void_is_published_as_captured(place: Place, paid_by: PaymentMethodType) -> None:
    """It was taken without a capture of ours, and no event reports it: only the answer to the void does."""
    command = place.authorize_command(29_048)
    intent, body = command.body.payment_intent_id, msgspec.structs.replace(command.body, payment_method_type=paid_by)
    await place.commands.authorize(msgspec.structs.replace(command, body=body))
    ref = (await place.attempts(intent))[0].result_ref
    void = place.void_command(29_048, intent=intent, gateway_ref=ref)
    await asyncio.gather(*(place.commands.void(void) for _ in range(3)))
    await place.pass_time(timedelta(minutes=1))
    assert await place.names(intent) == ["payment.authorized", "payment.captured", "payment.void_failed"]
    assert (await place.published(intent))[1][1]["amount_minor"] == 29_048
    # The next void, and the event where it comes after all, find it known.
    await place.commands.void(place.void_command(29_048, intent=intent, gateway_ref=ref))
    late: dict[str, Any] = {
        "tenant_id": place.tenant_id,
        "payment_intent_id": intent,
        "processor": "sandbox",
        "gateway_ref": ref,
    }
    notice = CapturedNotice(**late, happened_at=place.clock.now(), amount_minor=29_048)
    assert await place.notices.apply(notice) is Applied.KNOWN
    assert (await place.names(intent)).count("payment.captured") == 1


@pytest.mark.parametrize("operation", ["void", "capture"])
async def test_second_command_after_a_failure_is_answered_at_once(place: Place, operation: str) -> None:
    amount_minor = 15_050 if operation == "void" else 9_031
    intent, ref = await (place.captured(amount_minor) if operation == "void" else place.held(amount_minor, manual=True))
    carry_out = place.commands.void if operation == "void" else place.commands.capture
    make: Any = place.void_command if operation == "void" else place.capture_command
    before = len(await place.published(intent))
    for _ in range(2):
        await carry_out(make(amount_minor, intent=intent, gateway_ref=ref))
    first, second = (await place.published(intent))[before:]
    assert first == second
    assert first[0] == f"event:gateway:payment.{operation}_failed"
    ids = await place.database.fetch(
        "SELECT DISTINCT event_id FROM outbox WHERE contract = $1 AND body LIKE $2", first[0], f"%{intent}%"
    )
    assert len(ids) == 2
    if operation == "capture":
        # Another part of the same funds is another command, and the answer is the same.
        await carry_out(make(9_000, intent=intent, gateway_ref=ref))
        assert (await place.published(intent))[before + 2] == first


async def test_a_capture_and_a_void_at_once_end_in_one_of_the_two(place: Place) -> None:
    for _ in range(10):
        intent, ref = await place.held(15_050, manual=True)
        await asyncio.gather(
            place.commands.void(place.void_command(15_050, intent=intent, gateway_ref=ref)),
            place.commands.capture(place.capture_command(15_050, intent=intent, gateway_ref=ref)),
        )
        published = set(await place.names(intent)) - {"payment.authorized"}
        assert published in ({"payment.voided", "payment.capture_failed"}, {"payment.captured", "payment.void_failed"})


async def test_refunds_of_a_payment_are_each_made_once_and_never_exceed_it(place: Place) -> None:
    intent, ref = await place.captured(15_050)
    commands = [place.refund_command(1_000, intent=intent, gateway_ref=ref) for _ in range(20)]
    await asyncio.gather(*(place.commands.refund(command) for command in commands * 2))
    names = await place.names(intent)
    assert names.count("refund.succeeded") == 15
    assert names.count("refund.failed") == 5
    refused = [body for contract, body in await place.published(intent) if contract.endswith("refund.failed")]
    assert {body["reason"] for body in refused} == {"already_refunded"}
    assert not any(body.get("after_success") for body in refused)
    assert all(count == 1 for count in place.book.charges.values())


async def test_a_refund_that_is_repeated_with_other_money_is_refused(place: Place) -> None:
    intent, ref = await place.captured(15_050)
    refund = new_id()
    await place.commands.refund(place.refund_command(100, intent=intent, gateway_ref=ref, refund=refund))
    with pytest.raises(AttemptConflict):
        await place.commands.refund(place.refund_command(101, intent=intent, gateway_ref=ref, refund=refund))


@pytest.mark.parametrize(
    ("amount_minor", "status", "expected"),
    [
        (9_052, AttemptStatus.ACCEPTED, ["refund.succeeded"]),
        (9_053, AttemptStatus.ACCEPTED, ["refund.failed"]),
        (9_054, AttemptStatus.APPROVED, ["refund.succeeded", "refund.failed"]),
        (9_056, AttemptStatus.UNKNOWN, ["refund.succeeded"]),
    ],
)
async def test_a_refund_that_ends_later_is_published_when_it_does(
    place: Place, amount_minor: int, status: AttemptStatus, expected: list[str]
) -> None:
    intent, ref = await place.captured(20_000)
    await place.commands.refund(place.refund_command(amount_minor, intent=intent, gateway_ref=ref))
    attempt = (await place.attempts(intent))[-1]
    assert (attempt.operation, attempt.status) == (Operation.REFUND, status)
    for _ in range(3):
        await place.pass_time(timedelta(seconds=5))
    assert (await place.names(intent))[2:] == expected
    if expected[-1] == "refund.failed":
        assert (await place.published(intent))[-1][1].get("after_success", False) is (len(expected) == 2)


async def test_a_pending_refund_whose_notice_is_lost_is_read_by_the_resolver(place: Place) -> None:
    intent, ref = await place.captured(20_000)
    await place.commands.refund(place.refund_command(9_052, intent=intent, gateway_ref=ref))
    # Two days later, when the key may be forgotten: what the processor has taken on is read by its own reference.
    place.clock.advance(timedelta(days=2))
    assert await place.commands.resolve_due(limit=100) == 1
    assert (await place.names(intent))[-1] == "refund.succeeded"
    await place.sandbox.report(place.notices.apply, limit=100)
    assert (await place.names(intent)).count("refund.succeeded") == 1


@pytest.mark.parametrize(("amount_minor", "end"), [(9_041, "payment.authorized"), (9_042, "payment.declined")])
async def test_an_action_of_the_customer_is_published_and_then_its_end(
    place: Place, amount_minor: int, end: str
) -> None:
    intent, _ = await place.held(amount_minor)
    [(contract, body)] = await place.published(intent)
    assert contract == "event:gateway:payment.action_required"
    assert body["action_url"].startswith("https://")
    await place.pass_time(timedelta(seconds=2))
    assert await place.names(intent) == ["payment.action_required", end]
    await place.pass_time(timedelta(seconds=60))
    assert await place.names(intent) == ["payment.action_required", end]


async def test_a_wish_that_the_customer_has_left_can_be_voided(place: Place) -> None:
    intent, ref = await place.held(9_043)
    await place.commands.void(place.void_command(9_043, intent=intent, gateway_ref=ref))
    assert await place.names(intent) == ["payment.action_required", "payment.voided"]


async def test_a_hold_that_ends_is_released_and_published_once(place: Place) -> None:
    intent, _ = await place.held(9_044, manual=True)
    await place.pass_time(timedelta(seconds=1))
    assert await place.names(intent) == ["payment.authorized"]
    for _ in range(3):
        await place.pass_time(timedelta(seconds=1))
    assert await place.names(intent) == ["payment.authorized", "payment.authorization_expired"]


@pytest.mark.parametrize("by", ["capture", "void"])
async def test_a_hold_that_was_captured_or_released_does_not_end_by_itself(place: Place, by: str) -> None:
    intent, ref = await place.held(9_044, manual=True)
    if by == "capture":
        await place.commands.capture(place.capture_command(9_044, intent=intent, gateway_ref=ref))
    else:
        await place.commands.void(place.void_command(9_044, intent=intent, gateway_ref=ref))
    before = await place.names(intent)
    for _ in range(3):
        await place.pass_time(timedelta(days=1))
    assert await place.names(intent) == before


@pytest.mark.parametrize(("amount_minor", "end"), [(9_071, []), (9_072, ["dispute.won"]), (9_073, ["dispute.lost"])])
async def test_a_dispute_is_published_from_its_opening_to_its_end(
    place: Place, amount_minor: int, end: list[str]
) -> None:
    intent, _ = await place.captured(amount_minor)
    for _ in range(4):
        await place.pass_time(timedelta(seconds=2))
    assert (await place.names(intent))[2:] == ["dispute.opened", *end]
    assert (await place.published(intent))[2][1]["evidence_due_at"]


async def test_attempts_are_forgotten_when_their_payment_is_old_and_never_sooner(
    place: Place, database: Database
) -> None:
    old, _ = await place.captured(15_050)
    new, _ = await place.captured(15_050)
    aging = (
        "UPDATE attempts SET updated_at = i.at, id = overlay(id::text PLACING left(first_id(i.at)::text, 13) FROM 1)::uuid "
        "FROM (SELECT now() - interval '800 days') AS i(at) WHERE payment_intent_id = $1"
    )
    await database.write(aging, old)
    # Half of a payment is never forgotten.
    await database.write(f"{aging} AND operation = 'authorize'", new)
    assert await place.store.forget(before=place.clock.now() + timedelta(days=9_999), limit=100) == 2
    assert await place.attempts(old) == []
    assert len(await place.attempts(new)) == 2


def test_the_reading_schedule_outlasts_the_key() -> None:
    assert PATIENCE.reading_ages[-1] > PATIENCE.key_lifetime
