"""Dead letters of other teams' messages go back by the api's own rights, in our own form, unless they still cannot be read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.contracts.dead_letters import DeadLetterUnreadable, ListDeadLetters, RedriveDeadLetter
from libs.common.contracts.foreign import ORDERS as SUBSCRIPTION
from libs.common.messaging.foreign import EXCHANGE_HEADER, KEY_HEADER
from libs.common.messaging.letter_box import LetterBox
from services.api.app import build
from services.api.settings import Settings
from tests.integration.api.conftest import Api
from tests.integration.api.orders.test_orders import CONFIRMED, payment
from tests.support.partners import ORDERS, Partners

pytestmark = pytest.mark.integration
NOTED: dict[str, Any] = {EXCHANGE_HEADER: ORDERS, KEY_HEADER: CONFIRMED}


@pytest.fixture
async def box(partnered_settings: Settings) -> AsyncIterator[LetterBox]:
    """The letters as another process of the api answers for them."""
    service = build(partnered_settings)
    await service.database.open()
    try:
        yield service.bus._letter_box
    finally:
        await service.database.close()


async def only(box: LetterBox) -> UUID:
    async with asyncio.timeout(30):
        while not (found := (await box.list_letters(ListDeadLetters(queue=SUBSCRIPTION.queue))).letters):
            await asyncio.sleep(0.05)
    [letter] = found
    return letter.id


async def test_an_order_goes_back_and_is_charged(partnered: tuple[Api, Partners], box: LetterBox) -> None:
    api, partners = partnered
    tenant = str(uuid4())
    body = {"orderId": "back", "tenantId": tenant, "totalAmount": 5}
    await partners.publish("api.dead", SUBSCRIPTION.queue, body, headers=NOTED | {"x-reason": "tenant_suspended"})
    done = await box.redrive(RedriveDeadLetter(letter_id=await only(box), actor="a"))
    assert done.queue == SUBSCRIPTION.queue
    assert (await payment(api, tenant, "back"))["amount_minor"] == 500


@pytest.mark.parametrize(("body", "headers"), [(b"[", NOTED), (b"{}", {})])
async def test_what_still_cannot_be_read_stays(
    partnered: tuple[Api, Partners], box: LetterBox, body: bytes, headers: dict[str, Any]
) -> None:
    _, partners = partnered
    await partners.publish("api.dead", SUBSCRIPTION.queue, body, headers=headers)
    letter = await only(box)
    with pytest.raises(DeadLetterUnreadable):
        await box.redrive(RedriveDeadLetter(letter_id=letter, actor="a"))
    assert await only(box) == letter
    assert await partners.dead_letter(SUBSCRIPTION.queue) is not None
