"""A payment is authorized again after a decline: never while an earlier authorization is not over, and never two hold or take money."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import AuthorizePayment
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Received
from services.gateway.operations import Attempt, AttemptStatus, attempt_id
from services.gateway.processors.port import (
    Applied,
    CapturedNotice,
    Declined,
    DeclinedNotice,
    DeclineReason,
    NotTaken,
    NotTakenReason,
    Operation,
    Taken,
    Unknown,
    UnknownReason,
    VoidedNotice,
)
from tests.integration.gateway.notices.test_notices import Telling
from tests.integration.gateway.operations.test_lifecycle import Place
from tests.support.gateway_process import PATIENCE, Fixed, Gateway

DECLINED_ONCE = 9_005
REFUSED = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.")
SILENCE = Unknown(reason=UnknownReason.TIMEOUT)
APPROVED, PENDING = AttemptStatus.APPROVED, AttemptStatus.PENDING


@pytest.fixture
def gateway(database: Database, clock: ManualClock, tenant_id: str, fixed: Fixed) -> Gateway:
    return Gateway(database, clock, tenant_id, fixed)


def again(
    gateway: Gateway, intent: UUID, number: int = 1, amount_minor: int = DECLINED_ONCE
) -> Received[AuthorizePayment]:
    command = gateway.authorize_command(amount_minor, intent=intent)
    return msgspec.structs.replace(command, body=msgspec.structs.replace(command.body, attempt=number))


async def declined(gateway: Gateway) -> tuple[UUID, str]:
    command = gateway.authorize_command(DECLINED_ONCE)
    await gateway.commands.authorize(command)
    intent = command.body.payment_intent_id
    return intent, (await authorization(gateway, intent, 0)).result_ref


async def authorization(gateway: Gateway, intent: UUID, number: int) -> Attempt:
    found = {a.number: a for a in await gateway.attempts(intent) if a.operation is Operation.AUTHORIZE}
    return found[number]


async def names(gateway: Gateway, intent: UUID) -> list[str]:
    return [contract.rpartition(":")[2] for contract, _ in await gateway.published(intent)]


async def test_second_authorization_is_sent_once_the_first_is_cancelled(gateway: Gateway, fixed: Fixed) -> None:
    intent, ref = await declined(gateway)
    fixed.answers["void"] = SILENCE
    for _ in range(2):
        await gateway.commands.authorize(again(gateway, intent))
        await gateway.resolve_after(timedelta(seconds=30))
        waiting = await authorization(gateway, intent, 1)
        assert (waiting.status, waiting.in_doubt, waiting.asks) == (PENDING, 0, 0)
    del fixed.answers["void"]
    for _ in range(3):
        await gateway.resolve_after(timedelta(minutes=1))
    held = await authorization(gateway, intent, 1)
    assert (held.status, held.asks) == (APPROVED, 1)
    assert held.gateway_ref not in ("", ref)
    assert held.id == attempt_id(
        tenant_id=gateway.tenant_id, subject_id=intent, operation=Operation.AUTHORIZE, number=1
    )
    assert await names(gateway, intent) == ["payment.declined", "payment.authorized"]


async def test_nothing_is_sent_after_one_that_was_paid_after_all(gateway: Gateway, place: Place, fixed: Fixed) -> None:
    intent, _ = await declined(gateway)
    await gateway.commands.authorize(again(gateway, intent))
    taken = Taken(amount_minor=9_000, at=place.clock.now())
    fixed.answers["void"] = msgspec.structs.replace(REFUSED, reason=DeclineReason.ALREADY_CAPTURED, taken=taken)
    for _ in range(3):
        await gateway.resolve_after(timedelta(hours=1))
    unsent = await authorization(gateway, intent, 1)
    assert (unsent.status, unsent.reason, unsent.asks) == (AttemptStatus.DECLINED, "earlier_attempt_open", 0)
    assert (await authorization(gateway, intent, 0)).status is APPROVED
    # Nor ever again.
    await gateway.commands.authorize(again(gateway, intent, 2))
    await gateway.resolve_after(timedelta(0))
    assert (await authorization(gateway, intent, 2)).reason == "earlier_attempt_open"


async def test_nothing_is_sent_after_one_that_cannot_be_cancelled(gateway: Gateway, fixed: Fixed) -> None:
    intent, _ = await declined(gateway)
    fixed.answers["void"] = REFUSED
    for number in (1, 2):
        await gateway.commands.authorize(again(gateway, intent, number))
        for _ in range(2):
            await gateway.resolve_after(timedelta(0))
        unsent = await authorization(gateway, intent, number)
        assert (unsent.status, unsent.reason, unsent.in_doubt) == (AttemptStatus.DECLINED, "earlier_attempt_open", 0)
    del fixed.answers["void"]
    await gateway.resolve_after(timedelta(hours=1))
    await gateway.commands.release_expired(limit=1_000)
    await gateway.commands.authorize(again(gateway, intent, 3))
    for _ in range(2):
        await gateway.resolve_after(timedelta(0))
    assert (await authorization(gateway, intent, 3)).status is APPROVED


async def test_second_one_does_not_wait_for_ever_for_the_first(gateway: Gateway, fixed: Fixed) -> None:
    """The account of the first takes no key any more: its tenant has another one by now."""
    intent, _ = await declined(gateway)
    fixed.answers["void"] = NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED)
    await gateway.commands.authorize(again(gateway, intent))
    await gateway.resolve_after(PATIENCE.authorization_wait - timedelta(seconds=1))
    assert (await authorization(gateway, intent, 1)).status is PENDING
    await gateway.resolve_after(timedelta(seconds=1))
    unsent = await authorization(gateway, intent, 1)
    assert (unsent.status, unsent.reason, unsent.asks) == (AttemptStatus.DECLINED, "earlier_attempt_open", 0)
    del fixed.answers["void"]
    await gateway.commands.authorize(again(gateway, intent, 2))
    for _ in range(2):
        await gateway.resolve_after(timedelta(minutes=1))
    assert (await authorization(gateway, intent, 2)).status is APPROVED
    assert (await authorization(gateway, intent, 1)) == unsent
    assert [name for name in await names(gateway, intent) if name != "payment.declined"] == ["payment.authorized"]


async def test_first_one_that_was_never_to_be_cancelled_is_cancelled(gateway: Gateway, fixed: Fixed) -> None:
    """It was declined by a gateway of before, with its customer at the processor's page, where it could still be paid."""
    intent, _ = await declined(gateway)
    forget = "UPDATE attempts SET id = $1, payment_intent_id = $1 WHERE payment_intent_id = $2 AND operation = 'close'"
    await gateway.database.write(forget, new_id(), intent)
    fixed.answers["void"] = SILENCE
    await gateway.commands.authorize(again(gateway, intent))
    await gateway.resolve_after(timedelta(minutes=1))
    assert (await authorization(gateway, intent, 1)).status is PENDING
    del fixed.answers["void"]
    for _ in range(2):
        await gateway.resolve_after(timedelta(minutes=2))
    assert (await authorization(gateway, intent, 1)).status is APPROVED
    [closing] = [a for a in await gateway.attempts(intent) if a.operation is Operation.CLOSE]
    assert (closing.number, closing.status) == (0, APPROVED)


async def test_notices_of_the_first_one_leave_the_second_alone(gateway: Gateway, place: Place) -> None:
    intent, ref = await declined(gateway)
    await gateway.commands.authorize(again(gateway, intent))
    for _ in range(2):
        await gateway.resolve_after(timedelta(0))
    first, second = Telling(place, intent, ref), await authorization(gateway, intent, 1)
    assert second.status is APPROVED
    before = await gateway.published(intent)
    notices = (
        (first.of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No."), Applied.KNOWN),
        (first.of(VoidedNotice), Applied.KNOWN),
        (first.captured(9_000), Applied.CONTRADICTS),
    )
    for notice, applied in notices:
        assert await place.notices.apply(notice) is applied
    assert await authorization(gateway, intent, 1) == second
    assert await gateway.published(intent) == before
    assert (
        await place.notices.apply(Telling(place, intent, second.result_ref).captured(DECLINED_ONCE)) is Applied.APPLIED
    )
    # Stripe's event that the first one was cancelled may come last.
    assert await place.notices.apply(first.of(VoidedNotice)) is Applied.KNOWN
    [capture] = [a for a in await gateway.attempts(intent) if a.operation is Operation.CAPTURE]
    assert (capture.number, capture.id) == (
        1,
        attempt_id(tenant_id=gateway.tenant_id, subject_id=intent, operation=Operation.CAPTURE),
    )


async def test_money_of_the_first_is_not_taken_beside_the_second(gateway: Gateway, place: Place, fixed: Fixed) -> None:
    """Declined without a reference, so that nothing could be cancelled: a contradiction, which a person looks at."""
    fixed.answers["authorize"] = REFUSED
    intent, ref = await declined(gateway)
    assert ref == ""
    del fixed.answers["authorize"]
    await gateway.commands.authorize(again(gateway, intent))
    await gateway.resolve_after(timedelta(0))
    assert (await authorization(gateway, intent, 1)).status is APPROVED
    first = await authorization(gateway, intent, 0)
    late = Telling(place, intent, "ref").of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
    assert await place.notices.apply(msgspec.structs.replace(late, attempt_id=first.id)) is Applied.KNOWN
    taken: CapturedNotice = Telling(place, intent, "ref").captured(9_000)
    assert await place.notices.apply(msgspec.structs.replace(taken, attempt_id=first.id)) is Applied.CONTRADICTS
    assert await place.notices.apply(taken) is Applied.CONTRADICTS
    # The late event has let it be cancelled, which shows the same money.
    fixed.answers["void"] = msgspec.structs.replace(
        REFUSED, reason=DeclineReason.ALREADY_CAPTURED, taken=Taken(amount_minor=9_000, at=place.clock.now())
    )
    with capture_logs() as logs:
        await gateway.resolve_after(timedelta(0))
    alerts = [
        (line["log_level"], line["gateway_ref"]) for line in logs if line["event"] == "attempt.taken_beside_another"
    ]
    assert alerts == [("error", "ref")]
    assert not [a for a in await gateway.attempts(intent) if a.operation is Operation.CAPTURE]
