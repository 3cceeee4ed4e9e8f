"""A bank's inquiry is shown and published once, moves no money, and goes on as the dispute that it becomes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common.contracts import gateway
from libs.common.ids import new_id
from services.api.errors import NotYet
from tests.integration.api.conftest import Api
from tests.integration.api.payments.test_operations import settled

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
OPENED, CLOSED, DISPUTED = "dispute.inquiry_opened", "dispute.inquiry_closed", "dispute.opened"


class Story:
    """What the gateway reports about one inquiry."""

    def __init__(self, api: Api, tenant_id: str, intent: str) -> None:
        self._api, self._tenant, self.intent = api, tenant_id, intent
        named: dict[str, Any] = {
            "payment_intent_id": UUID(intent),
            "amount_minor": 5000,
            "currency": "BRL",
            "dispute_id": new_id(),
            "gateway_ref": "dp_1",
            "happened_at": AT,
        }
        due = AT + timedelta(days=7)
        consumers = api.consumers
        self._steps: dict[str, tuple[Any, Any]] = {
            OPENED: (
                gateway.InquiryOpened(**named, reason="general", evidence_due_at=AT),
                consumers.on_inquiry_opened,
            ),
            CLOSED: (gateway.InquiryClosed(**named), consumers.on_inquiry_closed),
            DISPUTED: (
                gateway.DisputeOpened(**named, reason="fraudulent", evidence_due_at=due),
                consumers.on_dispute_opened,
            ),
            "dispute.lost": (gateway.DisputeLost(**named), consumers.on_dispute_lost),
        }

    async def report(self, step: str) -> None:
        message, handler = self._steps[step]
        await self._api.handle(self._tenant, message, by=handler)

    async def shown(self) -> tuple[dict[str, Any], list[str]]:
        """The dispute as it is listed, and what the timeline has of it."""
        client = self._api.client(self._tenant)
        [dispute] = (await client.call("GET", f"/v1/payment-intents/{self.intent}/disputes")).json
        timeline = (await client.call("GET", f"/v1/payment-intents/{self.intent}/events")).json
        return dispute, [line["type"] for line in timeline if "dispute" in line["type"]]


@pytest.fixture
async def story(api: Api, tenant_id: str) -> Story:
    return Story(api, tenant_id, await settled(api, api.client(tenant_id), tenant_id))


@pytest.mark.parametrize(
    ("steps", "status", "lines"),
    [
        ((OPENED, OPENED), "INQUIRY", [OPENED]),
        ((OPENED, CLOSED, CLOSED, OPENED), "INQUIRY_CLOSED", [OPENED, CLOSED]),
        ((OPENED, DISPUTED, DISPUTED, OPENED, CLOSED), "OPEN", [OPENED, DISPUTED]),
        ((OPENED, CLOSED, DISPUTED), "OPEN", [OPENED, CLOSED, DISPUTED]),
        ((DISPUTED, OPENED, CLOSED), "OPEN", [DISPUTED]),
    ],
)
async def test_inquiry_is_recorded_once_in_any_order(
    api: Api, tenant_id: str, story: Story, steps: tuple[str, ...], status: str, lines: list[str]
) -> None:
    for step in steps:
        await story.report(step)
    dispute, timeline = await story.shown()
    assert (dispute["status"], timeline) == (status, lines)
    published = [name for name in await api.published(tenant_id) if "dispute" in name]
    assert published == [f"event:api:{line}" for line in lines]
    # Only a dispute takes money from what can be refunded.
    async with api.database.connection() as connection:
        disputed = await connection.fetchval(
            "SELECT disputed_minor FROM payment_intents WHERE id = $1", UUID(story.intent)
        )
    assert disputed == (5000 if status == "OPEN" else 0)


async def test_dispute_has_its_own_reason_and_due_date(story: Story) -> None:
    await story.report(OPENED)
    assert ((await story.shown())[0]["reason"]) == "general"
    await story.report(DISPUTED)
    dispute, _ = await story.shown()
    assert (dispute["reason"], dispute["evidence_due_at"][:10]) == ("fraudulent", "2026-12-01")


async def test_end_waits_for_what_it_ends(story: Story) -> None:
    with pytest.raises(NotYet):
        await story.report(CLOSED)
    await story.report(OPENED)
    with pytest.raises(NotYet):
        await story.report("dispute.lost")
