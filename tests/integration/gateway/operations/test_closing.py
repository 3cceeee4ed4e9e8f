"""What was declined is cancelled at the processor, so that nobody who has its client secret pays it after all."""

import asyncio
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from libs.common.clock import ManualClock
from libs.common.db import Database
from services.gateway.notices.sql import payments as payments_sql
from services.gateway.operations import Attempt, AttemptStatus, close
from services.gateway.operations.domain.changes import CLOSED_WITHIN, RELEASED_AGAIN_AFTER
from services.gateway.processors.port import (
    Applied,
    AuthorizedNotice,
    CapturedNotice,
    Declined,
    DeclinedNotice,
    DeclineReason,
    DisputeState,
    ExpiredNotice,
    Operation,
    Taken,
    Unknown,
    UnknownReason,
    VoidedNotice,
)
from tests.integration.gateway.notices.test_notices import Telling, silent
from tests.integration.gateway.operations.test_lifecycle import Place
from tests.support.gateway_process import Fixed, Gateway

DECLINED = 9_001
HOUR = RELEASED_AGAIN_AFTER
REFUSED = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.")
WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def declined(gateway: Gateway, amount_minor: int = DECLINED) -> UUID:
    command = gateway.authorize_command(amount_minor)
    await gateway.commands.authorize(command)
    return command.body.payment_intent_id


async def closings(gateway: Gateway, intent: UUID) -> list[Attempt]:
    return [attempt for attempt in await gateway.attempts(intent) if attempt.operation is Operation.CLOSE]


async def reference(gateway: Gateway, intent: UUID) -> str:
    [refused] = [a for a in await gateway.attempts(intent) if a.operation is Operation.AUTHORIZE]
    return refused.result_ref


async def test_declined_payment_is_cancelled_and_nothing_is_published(place: Place) -> None:
    intent = await declined(place)
    [closing] = await closings(place, intent)
    assert (closing.status, closing.gateway_ref) == (AttemptStatus.PENDING, await reference(place, intent))
    assert (closing.amount_minor, closing.processor, closing.reason) == (DECLINED, "sandbox", "")
    await place.commands.resolve_due(limit=1_000)
    [closing] = await closings(place, intent)
    assert (closing.status, closing.next_ask_at) == (AttemptStatus.APPROVED, None)
    assert await place.names(intent) == ["payment.declined"]
    # Once, however often the command comes.
    await place.commands.authorize(place.authorize_command(DECLINED, intent=intent))
    assert len(await closings(place, intent)) == 1


async def test_customer_who_failed_to_act_cannot_pay_afterwards(place: Place) -> None:
    intent, ref = await place.held(9_042)
    await place.pass_time(timedelta(seconds=3))
    assert await place.names(intent) == ["payment.action_required", "payment.declined"]
    [closing] = await closings(place, intent)
    assert (closing.status, closing.gateway_ref) == (AttemptStatus.APPROVED, ref)


async def test_hold_is_known_that_waited_for_the_decline_before_it(place: Place) -> None:
    """The customer pays in the same page a moment later: what is written beside the decline is not in the first snapshot."""
    intent, ref = await place.held(9_043)
    telling = Telling(place, intent, ref)
    async with payments_sql.payment(place.database, tenant_id=place.tenant_id, payment_intent_id=intent) as payment:
        [acting] = payment.attempts
        paid = asyncio.create_task(place.notices.apply(telling.of(AuthorizedNotice)))
        async with asyncio.timeout(30):
            while not await place.database.fetchrow(WAITS):
                await asyncio.sleep(0.01)
        refused = msgspec.structs.replace(
            acting, status=AttemptStatus.DECLINED, reason="card_declined", next_ask_at=None, decided_at=acting.asked_at
        )
        await payment.change(refused, at=place.clock.now())
        await payment.request(close(refused, gateway_ref=ref, now=place.clock.now()))
    assert await paid is Applied.KNOWN


async def test_decline_that_is_reported_after_the_hold_of_its_retry_is_known(place: Place) -> None:
    intent, ref = await place.held(9_043)
    earlier = Telling(place, intent, ref).of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
    place.clock.advance(timedelta(seconds=1))
    later = Telling(place, intent, ref)
    assert await place.notices.apply(later.of(AuthorizedNotice)) is Applied.APPLIED
    assert await place.notices.apply(earlier) is Applied.KNOWN
    contradicting = later.of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
    assert await place.notices.apply(contradicting) is Applied.CONTRADICTS


async def test_slip_that_nobody_paid_in_time_stays_payable(place: Place) -> None:
    telling = (await silent(place))[1]
    notice = telling.of(DeclinedNotice, reason=DeclineReason.PAYMENT_EXPIRED, detail="Nobody paid.")
    assert await place.notices.apply(notice) is Applied.APPLIED
    assert await closings(place, notice.payment_intent_id) == []


async def test_decline_without_a_reference_is_closed_once_it_is_reported(
    database: Database, clock: ManualClock, tenant_id: str, place: Place
) -> None:
    fixed = Fixed(place.book)
    gateway = Gateway(database, clock, tenant_id, fixed)
    fixed.answers["authorize"] = REFUSED
    intent = await declined(gateway)
    assert await closings(gateway, intent) == []
    notice = Telling(place, intent).of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
    for _ in range(2):
        assert await place.notices.apply(notice) is Applied.KNOWN
    [closing] = await closings(gateway, intent)
    assert closing.gateway_ref == "ref"


@pytest.mark.parametrize("is_still_held", [True, False])
async def test_what_cannot_be_cancelled_is_cancelled_again_for_a_week(
    database: Database, clock: ManualClock, tenant_id: str, place: Place, is_still_held: bool
) -> None:
    fixed = Fixed(place.book)
    gateway = Gateway(database, clock, tenant_id, fixed)
    intent = await declined(gateway)
    fixed.answers["void"] = Declined(reason=REFUSED.reason, detail=REFUSED.detail, is_still_held=is_still_held)
    for hours in range(3):
        await gateway.resolve_after(timedelta(0))
        assert [closing.status for closing in await closings(gateway, intent)] == [AttemptStatus.DECLINED] * (hours + 1)
        clock.advance(HOUR)
        assert await gateway.commands.release_expired(limit=1_000) == 1
    every = await closings(gateway, intent)
    assert len({closing.idempotency_key for closing in every}) == 4
    fixed.answers["void"] = Unknown(reason=UnknownReason.TIMEOUT)
    await gateway.resolve_after(timedelta(0))
    fixed.answers = {"void": REFUSED, "look_up": REFUSED}
    with capture_logs() as logged:
        await gateway.resolve_after(CLOSED_WITHIN)
    assert "attempt.left_open" in [line["event"] for line in logged]
    clock.advance(HOUR)
    assert await gateway.commands.release_expired(limit=1_000) == 0
    # A hold that stands from then on is nobody's to release.
    ref = await reference(gateway, intent)
    assert await place.notices.apply(Telling(place, intent, ref).of(AuthorizedNotice)) is Applied.CONTRADICTS
    assert [contract.rpartition(":")[2] for contract, _ in await gateway.published(intent)] == ["payment.declined"]
    # But money that was captured is there.
    assert await place.notices.apply(Telling(place, intent, ref).captured(9_000)) is Applied.APPLIED
    assert [contract.rpartition(":")[2] for contract, _ in await gateway.published(intent)] == [
        "payment.declined",
        "payment.authorized",
        "payment.captured",
    ]


@pytest.mark.parametrize("order", ["notice first", "call first", "call alone"])
async def test_money_that_was_taken_before_the_cancellation_is_adopted(
    database: Database, clock: ManualClock, tenant_id: str, place: Place, order: str
) -> None:
    fixed = Fixed(place.book)
    gateway = Gateway(database, clock, tenant_id, fixed)
    intent = await declined(gateway)
    ref = await reference(gateway, intent)
    taken = Taken(amount_minor=9_000, at=clock.now())
    fixed.answers["void"] = Declined(reason=DeclineReason.ALREADY_CAPTURED, detail="Captured.", taken=taken)
    telling = Telling(place, intent, ref)
    if order == "notice first":
        assert await place.notices.apply(telling.captured(9_000)) is Applied.APPLIED
    await gateway.resolve_after(timedelta(0))
    if order != "call alone":
        assert await place.notices.apply(telling.captured(9_000)) is Applied.KNOWN
    # What was declined before is reported once more, and late.
    late = telling.of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
    assert await place.notices.apply(late) is Applied.KNOWN
    assert await place.notices.apply(telling.of(AuthorizedNotice)) is Applied.KNOWN
    published = await gateway.published(intent)
    names = [contract.rpartition(":")[2] for contract, _ in published]
    assert names == ["payment.declined", "payment.authorized", "payment.captured"]
    assert published[-1][1]["amount_minor"] == 9_000
    [closing] = await closings(gateway, intent)
    assert (closing.status, closing.expires_at) == (AttemptStatus.DECLINED, None)
    assert await gateway.commands.release_expired(limit=1_000) == 0


async def test_hold_of_somebody_with_the_secret_is_no_contradiction(place: Place) -> None:
    intent = await declined(place)
    telling = Telling(place, intent, await reference(place, intent))
    assert await place.notices.apply(telling.of(AuthorizedNotice)) is Applied.KNOWN
    await place.commands.resolve_due(limit=1_000)
    assert await place.notices.apply(telling.of(AuthorizedNotice)) is Applied.KNOWN
    assert await place.notices.apply(telling.of(VoidedNotice)) is Applied.KNOWN
    # What was cancelled cannot be captured.
    assert await place.notices.apply(telling.captured(DECLINED)) is Applied.CONTRADICTS
    assert await place.names(intent) == ["payment.declined"]


async def test_another_payment_of_the_same_intent_is_not_adopted(place: Place) -> None:
    intent = await declined(place)
    other = Telling(place, intent, "another")
    for notice in (other.of(AuthorizedNotice), other.of(CapturedNotice, amount_minor=DECLINED)):
        assert await place.notices.apply(notice) is Applied.CONTRADICTS


@pytest.mark.parametrize("amount_minor", [9_043, 15_050])
async def test_what_becomes_of_another_payment_ends_none_of_ours(place: Place, amount_minor: int) -> None:
    intent, ref = await place.held(amount_minor, manual=True)
    if amount_minor == 15_050:
        await place.commands.capture(place.capture_command(15_050, intent=intent, gateway_ref=ref))
    before = await place.attempts(intent)
    other = Telling(place, intent, "another")
    for notice in (
        other.of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No."),
        other.of(AuthorizedNotice),
        other.captured(amount_minor),
        other.of(VoidedNotice),
        other.of(ExpiredNotice),
        other.dispute(DisputeState.OPEN),
    ):
        assert await place.notices.apply(notice) is Applied.CONTRADICTS
    assert await place.attempts(intent) == before


async def test_notice_and_answer_of_one_decline_close_it_once(place: Place) -> None:
    for _ in range(10):
        intent, telling = await silent(place)
        refused = telling.of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
        await asyncio.gather(
            *(place.notices.apply(refused) for _ in range(3)), place.resolve_after(timedelta(seconds=10))
        )
        assert len(await closings(place, intent)) == 1
        assert await place.names(intent) == ["payment.declined"]
