"""A bank's inquiry is published once, in whatever order its notices come, and goes on as the dispute that it becomes."""

from datetime import timedelta

import pytest

from libs.common.db import Database
from libs.common.messaging.resend import Window
from services.gateway.notices.commands.resending import resend
from services.gateway.processors.port import Applied, DisputeState
from tests.integration.gateway.notices.test_notices import silent
from tests.integration.gateway.operations.test_lifecycle import Place

INQUIRY, CLOSED = DisputeState.INQUIRY, DisputeState.INQUIRY_CLOSED
OPEN, WON = DisputeState.OPEN, DisputeState.WON


@pytest.mark.parametrize(
    ("states", "published"),
    [
        ([INQUIRY, INQUIRY], ["inquiry_opened"]),
        ([INQUIRY, CLOSED, CLOSED, INQUIRY], ["inquiry_opened", "inquiry_closed"]),
        ([CLOSED, INQUIRY], ["inquiry_opened", "inquiry_closed"]),
        ([INQUIRY, OPEN, OPEN, INQUIRY, CLOSED, WON], ["inquiry_opened", "opened", "won"]),
        ([OPEN, INQUIRY, CLOSED], ["opened"]),
        ([INQUIRY, CLOSED, WON], ["inquiry_opened", "inquiry_closed", "opened", "won"]),
    ],
)
async def test_inquiry_is_published_once_in_any_order(
    place: Place, database: Database, states: list[DisputeState], published: list[str]
) -> None:
    intent, telling = await silent(place)
    await place.notices.apply(telling.captured())
    for state in states:
        await place.notices.apply(telling.dispute(state))
    expected = [f"dispute.{name}" for name in published]
    assert [name for name in await place.names(intent) if name.startswith("dispute.")] == expected
    assert len(await database.fetch("SELECT id FROM disputes WHERE payment_intent_id = $1", intent)) == 1


async def test_repeated_inquiry_is_known(place: Place) -> None:
    _, telling = await silent(place)
    await place.notices.apply(telling.captured())
    assert await place.notices.apply(telling.dispute(INQUIRY)) is Applied.APPLIED
    assert await place.notices.apply(telling.dispute(INQUIRY)) is Applied.KNOWN


@pytest.mark.parametrize(
    ("states", "published"),
    [([CLOSED], ["inquiry_opened", "inquiry_closed"]), ([CLOSED, OPEN], ["opened"])],
)
async def test_inquiry_is_published_again_until_it_is_a_dispute(
    place: Place, database: Database, states: list[DisputeState], published: list[str]
) -> None:
    intent, telling = await silent(place)
    await place.notices.apply(telling.captured())
    for state in states:
        await place.notices.apply(telling.dispute(state))
    before = await place.names(intent)
    at = place.clock.now()
    window = Window(since=at - timedelta(hours=1), until=at + timedelta(hours=1), payment_intent_id=intent)
    await resend(database, window)
    again = (await place.names(intent))[len(before) :]
    assert [name for name in again if name.startswith("dispute.")] == [f"dispute.{name}" for name in published]
