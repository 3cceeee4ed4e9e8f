"""A void of a Pix races with its payment: the money is taken once, no capture is requested, and no code is shown meanwhile."""

from uuid import UUID

import pytest

from libs.common.contracts import gateway
from services.api.errors import NotYet
from tests.integration.api.conftest import Api
from tests.integration.api.payments.test_operations import ASYNC, do
from tests.integration.api.payments.test_payment_method_types import MONEY, PIX, create, waiting
from tests.integration.api.payments.test_unasked_captures import command_of, status_of
from tests.support.platform import Client

CAPTURE, VOID = "command:gateway:payment.capture", "command:gateway:payment.void"


@pytest.fixture
def client(api: Api, tenant_id: str) -> Client:
    return api.client(tenant_id)


def refused(intent: str) -> gateway.VoidFailed:
    return gateway.VoidFailed(
        payment_intent_id=UUID(intent), reason="already_captured", detail="The payment has been captured.", **MONEY
    )


async def test_pix_paid_before_its_void_is_answered_is_taken_once(api: Api, client: Client, tenant_id: str) -> None:
    intent = str((await create(client, PIX)).json["id"])
    await client.confirm(intent, headers=ASYNC)
    assert (await do(client, intent, "void", headers=ASYNC)).status == 202
    # The money is taken before anything else is known of the payment.
    for early in (api.captured, api.posted):
        with pytest.raises(NotYet):
            await early(tenant_id, intent)
    await api.authorized(tenant_id, intent)
    for _ in range(2):
        await api.handle(tenant_id, refused(intent), by=api.consumers.on_void_failed)
        await api.captured(tenant_id, intent)
    with pytest.raises(NotYet):
        await api.posted(tenant_id, intent)
    assert await status_of(client, intent) == ("AUTHORIZED", "0.00")
    for _ in range(2):
        await api.capture_reported(tenant_id, intent, await command_of(api, tenant_id), amount_minor=15050)
        await api.captured(tenant_id, intent)
        await api.posted(tenant_id, intent)
        await api.handle(tenant_id, refused(intent), by=api.consumers.on_void_failed)
    assert await status_of(client, intent) == ("SETTLED", "150.50")
    published = await api.published(tenant_id)
    assert (published.count(CAPTURE), published.count(VOID)) == (0, 1)


async def test_code_is_not_shown_while_its_void_is_in_progress(api: Api, client: Client, tenant_id: str) -> None:
    intent = await waiting(api, client, tenant_id)
    assert (await do(client, intent, "void", headers=ASYNC)).status == 202
    path = f"/v1/payment-intents/{intent}"
    shown = (await client.call("GET", path)).json
    assert (shown["status"], shown["next_action"], shown["action_url"]) == ("REQUIRES_ACTION", None, None)
    answer = await client.call("GET", f"{path}/next-action")
    assert (answer.status, answer.json["code"]) == (409, "no_action_required")
    # It can be paid again where the processor refuses to cancel it.
    await api.handle(tenant_id, refused(intent), by=api.consumers.on_void_failed)
    shown = (await client.call("GET", path)).json
    assert shown["next_action"]["pix_display_qr_code"]["data"] == "0002"
