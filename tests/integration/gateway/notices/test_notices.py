"""What the processor tells unasked: in any order, duplicated, and against our own calls, it takes effect once."""

import asyncio
import itertools
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.operations import AttemptStatus, AttemptStore, attempt_id
from services.gateway.processors.port import (
    ActionRequiredNotice,
    Applied,
    AuthorizedNotice,
    CapturedNotice,
    DeclinedNotice,
    DeclineReason,
    DisputeNotice,
    DisputeState,
    ExpiredNotice,
    Notice,
    Operation,
    RefundFailedNotice,
    RefundSucceededNotice,
    VoidedNotice,
)
from tests.integration.gateway.operations.test_lifecycle import Place


class Telling:
    """Makes notices about one payment."""

    def __init__(self, place: Place, intent: UUID, ref: str = "ref") -> None:
        self.common = {
            "tenant_id": place.tenant_id,
            "payment_intent_id": intent,
            "processor": "sandbox",
            "gateway_ref": ref,
            "happened_at": place.clock.now(),
        }

    def of[N: msgspec.Struct](self, kind: type[N], **fields: object) -> N:
        return msgspec.convert({**self.common, **fields}, kind)

    def captured(self, amount_minor: int = 9_014) -> CapturedNotice:
        return self.of(CapturedNotice, amount_minor=amount_minor)

    def refund(self, refund: UUID, *, failed: bool, ref: str = "re_1") -> Notice:
        named = {"refund_id": refund, "refund_ref": ref}
        if failed:
            return self.of(RefundFailedNotice, **named, reason=DeclineReason.PROCESSOR_REFUSED, detail="It came back.")
        return self.of(RefundSucceededNotice, **named)

    def dispute(self, state: DisputeState) -> DisputeNotice:
        opened = {"opened_at": self.common["happened_at"], "reason": "fraudulent"}
        return self.of(DisputeNotice, dispute_ref="dp_1", state=state, amount_minor=500, **opened)


async def silent(place: Place, amount_minor: int = 9_014) -> tuple[UUID, Telling]:
    """A payment whose authorization was requested and never answered."""
    command = place.authorize_command(amount_minor)
    await place.commands.authorize(command)
    intent = command.body.payment_intent_id
    return intent, Telling(place, intent)


async def test_a_payment_that_we_never_requested_is_unknown(place: Place) -> None:
    telling = Telling(place, new_id())
    assert await place.notices.apply(telling.captured()) is Applied.UNKNOWN_PAYMENT


async def test_notice_of_another_processor_has_no_effect(place: Place) -> None:
    _, telling = await silent(place)
    foreign = msgspec.structs.replace(telling.of(AuthorizedNotice), processor="another")
    assert await place.notices.apply(foreign) is Applied.UNKNOWN_PAYMENT


async def test_a_lost_authorization_is_published_by_notice_once(place: Place) -> None:
    intent, telling = await silent(place)
    notice = telling.of(AuthorizedNotice)
    outcomes = await asyncio.gather(*(place.notices.apply(notice) for _ in range(5)))
    assert sorted(outcomes) == [Applied.APPLIED, *[Applied.KNOWN] * 4]
    assert await place.names(intent) == ["payment.authorized"]
    [attempt] = await place.attempts(intent)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.APPROVED, None)


@pytest.mark.parametrize("knows_first", [True, False])
async def test_hold_reported_by_notices_is_watched_until_its_end(place: Place, knows_first: bool) -> None:
    command = place.authorize_command(9_014)
    body = msgspec.structs.replace(command.body, capture_method="manual")
    await place.commands.authorize(msgspec.structs.replace(command, body=body))
    telling = Telling(place, body.payment_intent_id)
    end = place.clock.now() + timedelta(days=7)
    notices = [telling.of(AuthorizedNotice, expires_at=end), telling.of(AuthorizedNotice)]
    for notice in notices if knows_first else reversed(notices):
        await place.notices.apply(notice)
    again = [await place.notices.apply(notice) for notice in notices]
    assert again == [Applied.KNOWN] * 2
    [attempt] = await place.attempts(body.payment_intent_id)
    assert (attempt.status, attempt.expires_at) == (AttemptStatus.APPROVED, end)
    published = [message for _, message in await place.published(body.payment_intent_id)]
    assert datetime.fromisoformat(published[-1]["expires_at"]) == end
    await place.pass_time(timedelta(days=8))
    assert Operation.EXPIRE in [attempt.operation for attempt in await place.attempts(body.payment_intent_id)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
async def test_notices_in_any_order_are_published_in_their_own(place: Place, order: tuple[int, ...]) -> None:
    intent, telling = await silent(place)
    notices: list[Notice] = [telling.of(ActionRequiredNotice), telling.of(AuthorizedNotice), telling.captured()]
    for number in order:
        await place.notices.apply(notices[number])
        await place.notices.apply(notices[number])
    names = await place.names(intent)
    assert [name for name in names if name != "payment.action_required"] == ["payment.authorized", "payment.captured"]
    assert names.count("payment.action_required") == (1 if order[0] == 0 else 0)


async def test_capture_requested_elsewhere_counts_and_ours_is_not_made(place: Place) -> None:
    intent, telling = await silent(place)
    assert await place.notices.apply(telling.captured(amount_minor=9_000)) is Applied.APPLIED
    await place.commands.capture(place.capture_command(9_014, intent=intent, gateway_ref="ref"))
    published = await place.published(intent)
    assert [contract for contract, _ in published][-1] == "event:gateway:payment.captured"
    assert published[-1][1]["amount_minor"] == 9_000


async def test_a_decline_after_an_approval_contradicts(place: Place) -> None:
    intent, ref = await place.held(15_050)
    refusal = Telling(place, intent, ref).of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
    assert await place.notices.apply(refusal) is Applied.CONTRADICTS
    assert await place.names(intent) == ["payment.authorized"]


async def test_release_and_expiry_at_the_processor_are_published_by_name(place: Place) -> None:
    voided, ref = await place.held(15_050, manual=True)
    assert await place.notices.apply(Telling(place, voided, ref).of(VoidedNotice)) is Applied.APPLIED
    assert await place.names(voided) == ["payment.authorized", "payment.voided"]
    expired, ref = await place.held(15_050, manual=True)
    for _ in range(2):
        await place.notices.apply(Telling(place, expired, ref).of(ExpiredNotice))
    assert await place.names(expired) == ["payment.authorized", "payment.authorization_expired"]


async def test_a_release_of_captured_funds_contradicts(place: Place) -> None:
    intent, ref = await place.captured(15_050)
    assert await place.notices.apply(Telling(place, intent, ref).of(VoidedNotice)) is Applied.CONTRADICTS


async def test_release_that_failed_before_is_published_when_it_is_true(place: Place) -> None:
    intent, ref = await place.held(9_061, manual=True)
    await place.commands.void(place.void_command(9_061, intent=intent, gateway_ref=ref))
    assert await place.notices.apply(Telling(place, intent, ref).of(VoidedNotice)) is Applied.APPLIED
    assert await place.names(intent) == ["payment.authorized", "payment.void_failed", "payment.voided"]


async def test_a_wish_that_is_canceled_at_the_processor_is_declined(place: Place) -> None:
    intent, telling = await silent(place)
    assert await place.notices.apply(telling.of(VoidedNotice)) is Applied.APPLIED
    assert await place.names(intent) == ["payment.declined"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((False, True), ["refund.succeeded", "refund.failed"]),
        # Success that is received after the failure is the older event: nothing was given, nothing is taken back.
        ((True, False), ["refund.failed"]),
    ],
)
async def test_a_refund_that_succeeds_and_fails_leaves_nothing_in_any_order(
    place: Place, order: tuple[bool, ...], expected: list[str]
) -> None:
    intent, ref = await place.captured(20_000)
    refund = new_id()
    await place.commands.refund(place.refund_command(9_052, intent=intent, gateway_ref=ref, refund=refund))
    telling = Telling(place, intent, ref)
    taken_on = (await place.attempts(intent))[-1].result_ref
    for failed in order:
        for _ in range(2):
            await place.notices.apply(telling.refund(refund, failed=failed, ref=taken_on))
    assert (await place.names(intent))[2:] == expected


async def test_a_refund_that_we_never_requested_is_unknown(place: Place) -> None:
    intent, ref = await place.captured(20_000)
    assert await place.notices.apply(Telling(place, intent, ref).refund(new_id(), failed=False)) is (
        Applied.UNKNOWN_PAYMENT
    )


@pytest.mark.parametrize("end", [DisputeState.WON, DisputeState.LOST])
async def test_dispute_whose_end_comes_first_is_published_from_its_start(place: Place, end: DisputeState) -> None:
    intent, ref = await place.captured(15_050)
    telling = Telling(place, intent, ref)
    for state in (end, DisputeState.OPEN, end):
        await place.notices.apply(telling.dispute(state))
    assert (await place.names(intent))[2:] == ["dispute.opened", f"dispute.{end}"]
    other = DisputeState.LOST if end is DisputeState.WON else DisputeState.WON
    # Which of two decisions of one instant was the last one, nobody can tell.
    assert await place.notices.apply(telling.dispute(other)) is Applied.CONTRADICTS


@pytest.mark.parametrize(
    ("state", "is_sent"),
    [
        (DisputeState.OPEN, False),
        (DisputeState.LOST, False),
        (DisputeState.WON, True),
        (DisputeState.INQUIRY, True),
        (DisputeState.INQUIRY_CLOSED, True),
    ],
)
async def test_dispute_stops_the_refund_of_its_money_that_was_not_sent(
    place: Place, database: Database, state: DisputeState, is_sent: bool
) -> None:
    intent, ref = await place.captured(1_000)
    fits, exceeds = new_id(), new_id()
    for refund, amount_minor in ((fits, 500), (exceeds, 300)):
        (held, *_) = await place.attempts(intent)
        await AttemptStore(database).open(
            msgspec.structs.replace(
                held,
                id=attempt_id(tenant_id=place.tenant_id, subject_id=refund, operation=Operation.REFUND),
                operation=Operation.REFUND,
                refund_id=refund,
                gateway_ref=ref,
                amount_minor=amount_minor,
                in_doubt=0,
                asked_at=None,
                next_ask_at=place.clock.now(),
                created_at=place.clock.now() + timedelta(seconds=500 - amount_minor),
            )
        )
    await place.notices.apply(Telling(place, intent, ref).dispute(state))
    await place.pass_time(timedelta(minutes=1))
    refunds = {a.refund_id: a for a in await place.attempts(intent) if a.refund_id is not None}
    assert refunds[fits].status is AttemptStatus.APPROVED
    stopped = refunds[exceeds]
    assert (stopped.status is AttemptStatus.APPROVED) == is_sent
    if not is_sent:
        assert (stopped.status, stopped.reason, stopped.asks) == (AttemptStatus.DECLINED, "disputed", 0)
        assert (await place.names(intent)).count("refund.failed") == 1


async def test_refund_that_may_have_been_sent_is_not_stopped(place: Place) -> None:
    intent, ref = await place.captured(20_000)
    refund = new_id()
    await place.commands.refund(place.refund_command(9_052, intent=intent, gateway_ref=ref, refund=refund))
    telling = Telling(place, intent, ref)
    await place.notices.apply(msgspec.structs.replace(telling.dispute(DisputeState.OPEN), amount_minor=20_000))
    assert "refund.failed" not in await place.names(intent)


async def test_the_last_decision_about_a_dispute_counts(place: Place) -> None:
    intent, ref = await place.captured(15_050)
    begun = Telling(place, intent, ref)
    await place.notices.apply(begun.dispute(DisputeState.OPEN))
    decided = [begun.dispute(DisputeState.OPEN)]
    for state in (DisputeState.LOST, DisputeState.WON, DisputeState.LOST):
        place.clock.advance(timedelta(days=1))
        decided.append(Telling(place, intent, ref).dispute(state))
        assert await place.notices.apply(decided[-1]) is Applied.APPLIED
    # Nothing that is older than the last decision changes it.
    assert [await place.notices.apply(notice) for notice in decided] == [Applied.KNOWN] * 4
    published = (await place.published(intent))[2:]
    assert [(name.rpartition(":")[2], body.get("reversals", 0)) for name, body in published] == [
        ("dispute.opened", 0),
        ("dispute.lost", 0),
        ("dispute.won", 1),
        ("dispute.lost", 2),
    ]


async def test_a_changed_amount_of_an_open_dispute_is_no_repetition(place: Place) -> None:
    intent, ref = await place.captured(15_050)
    telling = Telling(place, intent, ref)
    await place.notices.apply(telling.dispute(DisputeState.OPEN))
    changed = msgspec.structs.replace(telling.dispute(DisputeState.OPEN), amount_minor=300)
    assert await place.notices.apply(changed) is Applied.CONTRADICTS


async def test_a_notice_and_our_own_call_at_once_are_published_once(place: Place) -> None:
    for _ in range(20):
        intent, ref = await place.held(15_050)
        notice = Telling(place, intent, ref).captured(15_050)
        await asyncio.gather(
            place.commands.capture(place.capture_command(15_050, intent=intent, gateway_ref=ref)),
            place.notices.apply(notice),
        )
        assert await place.names(intent) == ["payment.authorized", "payment.captured"]
        [_, capture] = await place.attempts(intent)
        assert (capture.operation, capture.status) == (Operation.CAPTURE, AttemptStatus.APPROVED)


async def test_a_notice_of_a_hold_carries_its_end_where_that_is_watched(place: Place) -> None:
    command = place.authorize_command(9_014)
    body = msgspec.structs.replace(command.body, capture_method="manual")
    await place.commands.authorize(msgspec.structs.replace(command, body=body))
    intent = command.body.payment_intent_id
    ends_at = place.clock.now() + timedelta(days=7)
    await place.notices.apply(Telling(place, intent).of(AuthorizedNotice, expires_at=ends_at))
    [attempt] = await place.attempts(intent)
    assert attempt.expires_at == ends_at
