"""A capture that the api did not request moves nothing until the gateway's own records confirm it."""

from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from libs.common.contracts import gateway
from services.api.errors import ContradictoryOutcome, NotYet
from tests.integration.api.conftest import Api
from tests.integration.api.payments.test_confirmed_again import confirm, declined, report
from tests.integration.api.payments.test_operations import do, held
from tests.support.platform import Client

REPORT = "command:gateway:payment.report_capture"
REFUND = "command:gateway:payment.refund"


async def command_of(api: Api, tenant: str) -> UUID:
    """The id of the last command to report a capture."""
    row = await api.database.fetchrow(
        "SELECT event_id FROM outbox WHERE tenant_id = $1 AND contract = $2 ORDER BY seq DESC LIMIT 1", tenant, REPORT
    )
    assert row is not None
    event_id: UUID = row["event_id"]
    return event_id


async def status_of(client: Client, intent: str) -> tuple[str, str]:
    """Status and captured amount."""
    intents = await client.call("GET", f"/v1/payment-intents/{intent}")
    return intents.json["status"], intents.json["captured_amount"]


def counted(outcome: str) -> float:
    """How often this process has counted an unasked capture."""
    return REGISTRY.get_sample_value("payment_captures_unasked_total", {"outcome": outcome}) or 0.0


@pytest.fixture
def client(api: Api, tenant_id: str) -> Client:
    return api.client(tenant_id)


async def test_forged_capture_moves_nothing_and_is_named(api: Api, client: Client, tenant_id: str) -> None:
    intent = await held(api, client, tenant_id)
    before = counted("unknown")
    await api.captured(tenant_id, intent)
    with pytest.raises(NotYet):
        await api.posted(tenant_id, intent)
    assert await status_of(client, intent) == ("AUTHORIZED", "0.00")
    # What the forger would publish next.
    with pytest.raises(ContradictoryOutcome):
        await api.capture_reported(tenant_id, intent, uuid4(), amount_minor=15050)
    await api.capture_reported(tenant_id, intent, await command_of(api, tenant_id), amount_minor=0)
    assert counted("unknown") == before + 1
    [line] = await api.database.fetch(
        "SELECT action, target, outcome FROM audit_log WHERE tenant_id = $1 AND actor = 'gateway'", tenant_id
    )
    assert tuple(line) == ("payment.capture_unknown", intent, "failed")
    with pytest.raises(NotYet):
        await api.posted(tenant_id, intent)
    assert await status_of(client, intent) == ("AUTHORIZED", "0.00")
    assert "event:api:payment.captured" not in await api.published(tenant_id)
    # The merchant's own capture is none the worse for it.
    assert (await do(client, intent, "capture", headers={"Prefer": "respond-async"})).status == 202
    await api.posted(tenant_id, intent)
    assert await status_of(client, intent) == ("SETTLED", "150.50")


@pytest.mark.parametrize("is_voiding", [False, True])
async def test_capture_at_the_processor_settles_once_confirmed(
    api: Api, client: Client, tenant_id: str, is_voiding: bool
) -> None:
    intent = await held(api, client, tenant_id)
    if is_voiding:
        await do(client, intent, "void", headers={"Prefer": "respond-async"})
    with pytest.raises(NotYet):
        await api.posted(tenant_id, intent)
    await api.captured(tenant_id, intent)
    await api.captured(tenant_id, intent)
    command = await command_of(api, tenant_id)
    await api.capture_reported(tenant_id, intent, command, amount_minor=15050)
    assert await status_of(client, intent) == ("AUTHORIZED", "150.50")
    await api.posted(tenant_id, intent)
    await api.capture_reported(tenant_id, intent, command, amount_minor=15050)
    assert await status_of(client, intent) == ("SETTLED", "150.50")
    published = await api.published(tenant_id)
    assert published.count("event:api:payment.captured") == published.count("event:api:payment.settled") == 1


async def test_capture_of_another_amount_waits_for_the_records(api: Api, client: Client, tenant_id: str) -> None:
    intent = await held(api, client, tenant_id)
    await do(client, intent, "capture", {"amount": "100.00"}, headers={"Prefer": "respond-async"})
    await api.captured(tenant_id, intent, amount_minor=9000)
    assert await status_of(client, intent) == ("AUTHORIZED", "0.00")
    await api.capture_reported(tenant_id, intent, await command_of(api, tenant_id), amount_minor=9000)
    assert await status_of(client, intent) == ("AUTHORIZED", "90.00")


async def end(api: Api, client: Client, tenant: str, how: str) -> str:
    """A payment that has ended without its money."""
    if how == "declined":
        return await declined(api, client, tenant)
    intent = await held(api, client, tenant)
    if how == "failed":
        await api.capture_failed(tenant, intent)
    else:
        reported = {"voided": gateway.PaymentVoided, "expired": gateway.AuthorizationExpired}[how]
        await report(api, tenant, intent, reported, attempt=0)
    return intent


@pytest.mark.parametrize("how", ["declined", "failed", "voided", "expired"])
async def test_payment_that_was_taken_after_all_settles(api: Api, client: Client, tenant_id: str, how: str) -> None:
    intent = await end(api, client, tenant_id, how)
    with pytest.raises(NotYet):
        await api.posted(tenant_id, intent)
    ended = await status_of(client, intent)
    # Its own event proves nothing; a forged one is named, and changes nothing.
    await api.captured(tenant_id, intent)
    await api.capture_reported(tenant_id, intent, await command_of(api, tenant_id), amount_minor=0)
    assert await status_of(client, intent) == ended
    await api.captured(tenant_id, intent)
    await api.capture_reported(tenant_id, intent, await command_of(api, tenant_id), amount_minor=15050)
    await api.posted(tenant_id, intent)
    shown = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert (shown["status"], shown["captured_amount"], shown["failure_code"]) == ("SETTLED", "150.50", None)
    public = [name for name in await api.published(tenant_id) if name.startswith("event:api:payment.")]
    assert public[-2:] == ["event:api:payment.captured", "event:api:payment.settled"]
    # So that the merchant can give it back.
    refund = await do(client, intent, "refund", headers={"Prefer": "respond-async"})
    assert (refund.status, refund.json["status"], refund.json["amount"]) == (200, "PENDING", "150.50")
    # A decline was reported without a reference, and the refund is of what was taken.
    [sent] = await api.database.fetch(
        "SELECT body::jsonb ->> 'gateway_ref' AS ref FROM outbox WHERE tenant_id = $1 AND contract = $2",
        tenant_id,
        REFUND,
    )
    assert shown["gateway_ref"] == sent["ref"] == f"sandbox_{intent}"


async def test_capture_of_what_is_confirmed_again_waits_for_its_end(api: Api, client: Client, tenant_id: str) -> None:
    intent = await declined(api, client, tenant_id)
    await api.captured(tenant_id, intent)
    command = await command_of(api, tenant_id)
    assert (await confirm(client, intent)).json["status"] == "PROCESSING"
    for early in (
        api.captured(tenant_id, intent),
        api.capture_reported(tenant_id, intent, command, amount_minor=15050),
    ):
        with pytest.raises(NotYet):
            await early
    # The gateway does not send it while the one before is paid.
    await report(api, tenant_id, intent, gateway.AuthorizationDeclined, attempt=1)
    await api.capture_reported(tenant_id, intent, command, amount_minor=15050)
    await api.posted(tenant_id, intent)
    assert await status_of(client, intent) == ("SETTLED", "150.50")
