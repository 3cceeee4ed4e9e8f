"""A customer who is to prove something pays with another method instead: the first authorization ends before the second is sent."""

from datetime import timedelta
from itertools import permutations
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from services.gateway.operations import Attempt, AttemptStatus
from services.gateway.processors.port import (
    ActionRequiredNotice,
    Applied,
    AuthorizedNotice,
    Declined,
    DeclinedNotice,
    DeclineReason,
    Taken,
    Unknown,
    UnknownReason,
    VoidedNotice,
)
from tests.integration.gateway.notices.test_notices import Telling
from tests.integration.gateway.operations.test_again import again, authorization, names
from tests.integration.gateway.operations.test_lifecycle import Place
from tests.support.gateway_process import PATIENCE, Fixed, Gateway
from tests.support.gateway_process import again as repeated

CHALLENGED = 9_043
APPROVED, DECLINED, PENDING = AttemptStatus.APPROVED, AttemptStatus.DECLINED, AttemptStatus.PENDING
SILENCE = Unknown(reason=UnknownReason.TIMEOUT)
SECOND = "payment.authorized"


@pytest.fixture
def gateway(database: Database, clock: ManualClock, tenant_id: str, fixed: Fixed) -> Gateway:
    return Gateway(database, clock, tenant_id, fixed)


async def challenged(gateway: Gateway) -> tuple[UUID, str]:
    """A payment whose customer is to prove something; returns its id and the processor's reference."""
    command = gateway.authorize_command(CHALLENGED)
    await gateway.commands.authorize(command)
    intent = command.body.payment_intent_id
    first = await authorization(gateway, intent, 0)
    assert first.status is AttemptStatus.ACTION_REQUIRED
    return intent, first.result_ref


async def replace(gateway: Gateway, intent: UUID, number: int = 1) -> None:
    await gateway.commands.authorize(again(gateway, intent, number, CHALLENGED))


async def rounds(gateway: Gateway, count: int = 2) -> None:
    for _ in range(count):
        await gateway.resolve_after(timedelta(minutes=1))


async def operations(gateway: Gateway, intent: UUID) -> list[tuple[str, int, str]]:
    return sorted((a.operation.value, a.number, a.status.value) for a in await gateway.attempts(intent))


async def test_second_is_sent_once_the_first_is_cancelled(gateway: Gateway, fixed: Fixed, place: Place) -> None:
    intent, ref = await challenged(gateway)
    fixed.answers["void"] = SILENCE
    for _ in range(2):
        # The command comes twice, and nothing is sent while it is not known whether the first can still be paid.
        await replace(gateway, intent)
        await gateway.resolve_after(timedelta(seconds=30))
    first, waiting = await authorization(gateway, intent, 0), await authorization(gateway, intent, 1)
    assert (first.status, first.reason, first.result_ref) == (DECLINED, "replaced", ref)
    assert (waiting.status, waiting.in_doubt, waiting.asks) == (PENDING, 0, 0)
    del fixed.answers["void"]
    await rounds(gateway, 3)
    second = await authorization(gateway, intent, 1)
    assert (second.status, second.asks, second.result_ref not in ("", ref)) == (APPROVED, 1, True)
    assert await names(gateway, intent) == ["payment.action_required", "payment.declined", SECOND]
    # Nothing that is reported late of the first one moves anything.
    telling, before = Telling(place, intent, ref), await gateway.attempts(intent)
    for late in (telling.of(VoidedNotice), telling.of(AuthorizedNotice), telling.of(ActionRequiredNotice)):
        assert await place.notices.apply(late) is Applied.KNOWN
    assert await gateway.attempts(intent) == before


async def test_challenge_that_succeeds_late_is_released(gateway: Gateway, fixed: Fixed, place: Place) -> None:
    """After the second confirmation arrived and before the cancellation: the processor lets go of the hold."""
    intent, ref = await challenged(gateway)
    fixed.answers["void"] = SILENCE
    await replace(gateway, intent)
    assert await place.notices.apply(Telling(place, intent, ref).of(AuthorizedNotice)) is Applied.KNOWN
    del fixed.answers["void"]
    await rounds(gateway, 3)
    assert await operations(gateway, intent) == [
        ("authorize", 0, "DECLINED"),
        ("authorize", 1, "APPROVED"),
        ("close", 0, "APPROVED"),
    ]


async def test_challenge_that_succeeded_before_is_released(gateway: Gateway, fixed: Fixed, place: Place) -> None:
    """Its report and the second confirmation have crossed: what is held is released, and only then the second one is sent."""
    intent, ref = await challenged(gateway)
    assert await place.notices.apply(Telling(place, intent, ref).of(AuthorizedNotice)) is Applied.APPLIED
    fixed.answers["void"] = SILENCE
    for _ in range(2):
        await replace(gateway, intent)
        await gateway.resolve_after(timedelta(seconds=30))
    assert (await authorization(gateway, intent, 1)).asks == 0
    del fixed.answers["void"]
    await rounds(gateway, 3)
    assert await operations(gateway, intent) == [
        ("authorize", 0, "APPROVED"),
        ("authorize", 1, "APPROVED"),
        ("expire", 0, "APPROVED"),
    ]
    assert await names(gateway, intent) == ["payment.action_required", SECOND, "payment.authorization_expired", SECOND]
    second = Telling(place, intent, (await authorization(gateway, intent, 1)).result_ref)
    assert await place.notices.apply(second.of(AuthorizedNotice)) is Applied.KNOWN
    assert await place.notices.apply(second.captured(CHALLENGED)) is Applied.APPLIED


async def test_second_hold_known_by_notice_first(gateway: Gateway, fixed: Fixed, place: Place) -> None:
    """The second one's answer is lost, and its notice comes: the first one's hold is over, so nothing contradicts."""
    intent, ref = await challenged(gateway)
    await place.notices.apply(Telling(place, intent, ref).of(AuthorizedNotice))
    fixed.answers["authorize"] = SILENCE
    await replace(gateway, intent)
    await rounds(gateway)
    second = await authorization(gateway, intent, 1)
    assert (second.status, second.asks) == (AttemptStatus.UNKNOWN, 1)
    notice = msgspec.structs.replace(Telling(place, intent, "second").of(AuthorizedNotice), attempt_id=second.id)
    assert await place.notices.apply(notice) is Applied.APPLIED
    assert (await authorization(gateway, intent, 1)).status is APPROVED


@pytest.mark.parametrize("known", ["taken", "held", "nothing"])
async def test_money_taken_of_the_first_stops_the_second(
    gateway: Gateway, fixed: Fixed, place: Place, known: str
) -> None:
    """A person has captured it at the processor: that is the payment's money, and the second card is not charged."""
    intent, ref = await challenged(gateway)
    telling = Telling(place, intent, ref)
    if known != "nothing":
        reported = telling.captured(CHALLENGED) if known == "taken" else telling.of(AuthorizedNotice)
        assert await place.notices.apply(reported) is Applied.APPLIED
    taken = Taken(amount_minor=CHALLENGED, at=place.clock.now())
    refusal = Declined(reason=DeclineReason.ALREADY_CAPTURED, detail="Taken.", taken=taken)
    fixed.answers["void"] = refusal
    await replace(gateway, intent)
    await rounds(gateway, 3)
    assert (await names(gateway, intent)).count("payment.captured") == 1
    assert await place.notices.apply(telling.captured(CHALLENGED)) is Applied.KNOWN
    found = [each for each in await operations(gateway, intent) if each[0] not in ("close", "expire")]
    assert found == [("authorize", 0, "APPROVED"), ("authorize", 1, "DECLINED"), ("capture", 0, "APPROVED")]
    second = await authorization(gateway, intent, 1)
    assert (second.reason, second.asks) == ("earlier_attempt_open", 0)


@pytest.mark.parametrize("is_held", [True, False])
async def test_what_cannot_be_cancelled_stops_the_second(
    gateway: Gateway, fixed: Fixed, place: Place, is_held: bool
) -> None:
    intent, ref = await challenged(gateway)
    if is_held:
        await place.notices.apply(Telling(place, intent, ref).of(AuthorizedNotice))
    fixed.answers["void"] = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.", is_still_held=is_held)
    await replace(gateway, intent)
    await rounds(gateway)
    second = await authorization(gateway, intent, 1)
    assert (second.status, second.reason, second.in_doubt) == (DECLINED, "earlier_attempt_open", 0)
    # It is tried again for as long as it may hold anything, and the next confirmation goes on.
    del fixed.answers["void"]
    await gateway.resolve_after(timedelta(hours=1))
    await gateway.commands.release_expired(limit=1_000)
    await rounds(gateway, 1)
    await replace(gateway, intent, 2)
    await rounds(gateway, 1)
    assert (await authorization(gateway, intent, 2)).status is APPROVED


async def test_second_waits_no_longer_than_for_any_cancellation(gateway: Gateway, fixed: Fixed) -> None:
    intent, _ = await challenged(gateway)
    fixed.answers["void"] = SILENCE
    await replace(gateway, intent)
    await gateway.resolve_after(PATIENCE.authorization_wait)
    assert (await authorization(gateway, intent, 1)).reason == "earlier_attempt_open"


async def test_silence_takes_no_reference_back(gateway: Gateway, fixed: Fixed, place: Place) -> None:
    """The call gets no answer, and a notice has named the payment meanwhile: the second card ends it by that."""
    fixed.answers["authorize"] = SILENCE
    command = gateway.authorize_command(CHALLENGED)
    await gateway.commands.authorize(command)
    intent = command.body.payment_intent_id
    stale = await authorization(gateway, intent, 0)
    page = "https://issuer.example/1"
    reported = Telling(place, intent, "pi_0").of(ActionRequiredNotice, action_url=page, attempt_id=stale.id)
    assert await place.notices.apply(reported) is Applied.APPLIED
    await gateway.commands._outcomes.learn(stale, SILENCE)
    first = await authorization(gateway, intent, 0)
    assert (first.status, first.result_ref, first.action_url) == (AttemptStatus.ACTION_REQUIRED, "pi_0", page)
    await replace(gateway, intent)
    first = await authorization(gateway, intent, 0)
    assert (first.status, first.reason, first.result_ref) == (DECLINED, "replaced", "pi_0")


@pytest.mark.parametrize("comes_again", [True, False])
async def test_first_ends_that_was_left_open_beside_the_second(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, comes_again: bool
) -> None:
    """By a gateway that did not end it yet, beside an api that asks for it: the repeated command ends it, or the end of its wait."""
    intent, _ = await challenged(gateway)

    async def nothing(_: Attempt) -> None:
        return

    with monkeypatch.context() as patch:
        patch.setattr(gateway.commands._outcomes, "cancel_before", nothing)
        await replace(gateway, intent)
    assert await operations(gateway, intent) == [("authorize", 0, "ACTION_REQUIRED"), ("authorize", 1, "PENDING")]
    if comes_again:
        await gateway.commands.authorize(repeated(again(gateway, intent, 1, CHALLENGED)))
        await rounds(gateway, 3)
    else:
        await gateway.resolve_after(PATIENCE.authorization_wait)
        await rounds(gateway, 1)
        assert (await authorization(gateway, intent, 1)).reason == "earlier_attempt_open"
    ended = "APPROVED" if comes_again else "DECLINED"
    assert await operations(gateway, intent) == [
        ("authorize", 0, "DECLINED"),
        ("authorize", 1, ended),
        ("close", 0, "APPROVED"),
    ]


@pytest.mark.parametrize("order", list(permutations(("replace", "held", "declined"))), ids="-".join)
async def test_no_order_sends_the_second_beside_the_first(
    gateway: Gateway, fixed: Fixed, place: Place, order: tuple[str, ...]
) -> None:
    """The customer fails, then succeeds with the first, and has chosen another one: whatever is known of it first."""
    intent, ref = await challenged(gateway)
    telling = Telling(place, intent, ref)
    for step in (*order, *order):
        if step == "replace":
            await replace(gateway, intent)
        elif step == "held":
            await place.notices.apply(telling.of(AuthorizedNotice))
        else:
            await place.notices.apply(
                telling.of(DeclinedNotice, reason=DeclineReason.AUTHENTICATION_FAILED, detail="No.")
            )
    fixed.answers["void"] = SILENCE
    for _ in range(2):
        await gateway.resolve_after(timedelta(seconds=30))
    assert (await authorization(gateway, intent, 1)).asks == 0
    del fixed.answers["void"]
    await rounds(gateway, 3)
    assert (await authorization(gateway, intent, 1)).status is APPROVED
    over = [each for each in await operations(gateway, intent) if each[0] in ("close", "expire")]
    assert {status for _, _, status in over} == {"APPROVED"}
