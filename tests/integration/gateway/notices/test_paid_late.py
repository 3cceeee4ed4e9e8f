"""A Pix that was paid in the last moment is taken once, in whatever order its end and its payment are reported."""

from itertools import permutations
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.gateway_methods import PaymentMethodType
from services.gateway.operations.domain.attempts import AttemptStatus
from services.gateway.processors.port import (
    ActionRequiredNotice,
    Applied,
    DeclinedNotice,
    DeclineReason,
    ExpiredNotice,
    Notice,
    Operation,
    VoidedNotice,
)
from tests.integration.gateway.notices.test_notices import Telling
from tests.integration.gateway.operations.test_lifecycle import Place

TAKEN = ["payment.authorized", "payment.captured"]
SILENT = 9_014


async def pix(place: Place) -> tuple[UUID, Telling]:
    """A Pix whose authorization was requested and never answered."""
    command = place.authorize_command(SILENT)
    body = msgspec.structs.replace(command.body, payment_method_type=PaymentMethodType.PIX)
    await place.commands.authorize(msgspec.structs.replace(command, body=body))
    return body.payment_intent_id, Telling(place, body.payment_intent_id)


@pytest.mark.parametrize("order", list(permutations(("shown", "unpaid", "paid"))), ids="-".join)
async def test_money_of_the_last_moment_is_taken_once(place: Place, order: tuple[str, ...]) -> None:
    intent, telling = await pix(place)
    notices: dict[str, Notice] = {
        "shown": telling.of(ActionRequiredNotice),
        "unpaid": telling.of(DeclinedNotice, reason=DeclineReason.PAYMENT_EXPIRED, detail="Nobody paid."),
        "paid": telling.captured(SILENT),
    }
    applied = [await place.notices.apply(notices[name]) for name in (*order, *order)]
    assert applied[len(order) :] == [Applied.KNOWN] * len(order)
    assert Applied.CONTRADICTS not in applied
    names = await place.names(intent)
    assert [name for name in names if name in TAKEN] == TAKEN
    # What had expired is not reported once the money is there.
    assert names.index("payment.captured") == len(names) - 1


async def test_a_code_that_was_voided_ends_once_its_end_is_reported(place: Place) -> None:
    command = place.authorize_command(15_050)
    body = msgspec.structs.replace(command.body, payment_method_type=PaymentMethodType.PIX)
    await place.commands.authorize(msgspec.structs.replace(command, body=body))
    intent = body.payment_intent_id
    [shown] = await place.attempts(intent)
    assert shown.status is AttemptStatus.ACTION_REQUIRED
    await place.commands.void(place.void_command(15_050, intent=intent, gateway_ref=shown.known_ref))

    ended = Telling(place, intent, shown.known_ref).of(VoidedNotice)
    applied = [await place.notices.apply(ended) for _ in range(2)]

    assert applied == [Applied.APPLIED, Applied.KNOWN]
    statuses = {each.operation: each.status for each in await place.attempts(intent)}
    assert statuses == {Operation.AUTHORIZE: AttemptStatus.DECLINED, Operation.VOID: AttemptStatus.APPROVED}
    assert await place.names(intent) == ["payment.action_required", "payment.voided", "payment.declined"]


async def test_other_refusal_of_what_was_paid_contradicts(place: Place) -> None:
    _, telling = await pix(place)
    await place.notices.apply(telling.captured(SILENT))
    refused = telling.of(DeclinedNotice, reason=DeclineReason.CARD_DECLINED, detail="No.")
    assert await place.notices.apply(refused) is Applied.CONTRADICTS
    assert await place.notices.apply(telling.of(ExpiredNotice)) is Applied.CONTRADICTS
