"""Captures, voids and refunds over HTTP, with the gateway's voice played by the test: late, twice, early, or never."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from libs.common.contracts import gateway
from libs.common.ids import new_id
from services.api.errors import ContradictoryOutcome, NotYet
from services.api.payments.schemas import RefundRequest
from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase
from tests.support.platform import Answer, Client

ASYNC = {"Prefer": "respond-async"}


async def confirmed(client: Client, *, method: str) -> str:
    """A payment that is processing."""
    made = await client.call(
        "POST",
        "/v1/payment-intents",
        {"amount": "150.50", "currency": "BRL", "customer_ref": "c", "capture_method": method},
        key=str(uuid4()),
    )
    assert made.status == 200, made.raw
    intent = str(made.json["id"])
    await client.confirm(intent, headers=ASYNC)
    return intent


async def held(api: Api, client: Client, tenant: str) -> str:
    """A payment with manual capture whose funds are held."""
    intent = await confirmed(client, method="manual")
    await api.authorized(tenant, intent)
    return intent


async def settled(api: Api, client: Client, tenant: str) -> str:
    """A payment that stands in the books."""
    intent = str((await client.create())["id"])
    await client.confirm(intent, headers=ASYNC)
    await api.authorized(tenant, intent)
    await api.captured(tenant, intent)
    await api.posted(tenant, intent)
    return intent


async def do(client: Client, intent: str, what: str, body: object = None, **more: object) -> Answer:
    """Ask for something under a key of its own, unless one is given."""
    key = str(more.pop("key", uuid4()))
    return await client.call("POST", f"/v1/payment-intents/{intent}/{what}", body, key=key, **more)  # type: ignore[arg-type]


async def until_published(api: Api, tenant: str, contract: str) -> None:
    """Wait until a message has been published about a tenant."""
    async with asyncio.timeout(60):
        while contract not in await api.published(tenant):
            await asyncio.sleep(0.01)


async def _is_voiding(api: Api, intent: str) -> bool:
    [row] = await api.database.fetch("SELECT is_voiding FROM payment_intents WHERE id = $1", UUID(intent))
    return bool(row["is_voiding"])


def released(intent: str) -> gateway.PaymentVoided:
    """The gateway reports: the funds were released."""
    return gateway.PaymentVoided(
        payment_intent_id=UUID(intent),
        amount_minor=15050,
        currency="BRL",
        gateway_ref="ref",
        voided_at=datetime.now(UTC),
    )


def succeeded(intent: str, refund: str, amount_minor: int = 5000) -> gateway.RefundSucceeded:
    """The gateway reports: the money was given back."""
    return gateway.RefundSucceeded(
        payment_intent_id=UUID(intent),
        refund_id=UUID(refund),
        amount_minor=amount_minor,
        currency="BRL",
        gateway_ref="re_1",
        refunded_at=datetime.now(UTC),
    )


def failed(intent: str, refund: str, amount_minor: int = 5000) -> gateway.RefundFailed:
    """The gateway reports: the money did not reach the customer."""
    return gateway.RefundFailed(
        payment_intent_id=UUID(intent),
        refund_id=UUID(refund),
        amount_minor=amount_minor,
        currency="BRL",
        reason="processor_refused",
        detail="It came back.",
        failed_at=datetime.now(UTC),
    )


async def test_capture_without_an_answer_is_202_and_requested_once(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await held(api, client, tenant_id)
    key = str(uuid4())
    first = await do(client, intent, "capture", {"amount": "100.00"}, key=key)
    assert (first.status, first.json["status"], first.json["captured_amount"]) == (202, "AUTHORIZED", "0.00")
    assert (await do(client, intent, "capture", {"amount": 100}, key=key)).raw == first.raw
    # Another key, the same amount: people click twice.
    assert (await do(client, intent, "capture", {"amount": "100.00"})).status == 202
    other = await do(client, intent, "capture", {"amount": "99.00"})
    assert (other.status, other.json["code"]) == (409, "cannot_capture")
    assert (await api.published(tenant_id)).count("command:gateway:payment.capture") == 1


async def test_a_capture_that_is_answered_in_time_is_200_for_its_key_for_ever(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await held(api, client, tenant_id)
    key = str(uuid4())
    asking = asyncio.create_task(do(client, intent, "capture", key=key))
    await until_published(api, tenant_id, "command:gateway:payment.capture")
    await api.captured(tenant_id, intent)
    answer = await asking
    assert (answer.status, answer.json["captured_amount"]) == (200, "150.50")
    assert (await do(client, intent, "capture", key=key)).raw == answer.raw


async def test_a_void_that_is_answered_in_time_is_200_for_its_key_for_ever(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await held(api, client, tenant_id)
    key = str(uuid4())
    asking = asyncio.create_task(do(client, intent, "void", key=key))
    await until_published(api, tenant_id, "command:gateway:payment.void")
    await api.handle(tenant_id, released(intent), by=api.consumers.on_payment_voided)
    answer = await asking
    assert (answer.status, answer.json["status"]) == (200, "VOIDED")
    assert (await do(client, intent, "void", key=key)).raw == answer.raw


@pytest.mark.parametrize("method", ["automatic", "manual"])
async def test_payment_voided_while_processing_ends_voided(api: Api, tenant_id: str, method: str) -> None:
    client = api.client(tenant_id)
    intent = await confirmed(client, method=method)
    first = await do(client, intent, "void", headers=ASYNC)
    assert (first.status, first.json["status"]) == (202, "PROCESSING")
    again = await do(client, intent, "void", headers=ASYNC)
    confirm = await client.confirm(intent, headers=ASYNC)
    assert (again.status, confirm.status, confirm.json["status"]) == (202, 202, "PROCESSING")
    assert (await do(client, intent, "capture")).status == 409
    # There is nothing to release before the processor has answered.
    assert "command:gateway:payment.void" not in await api.published(tenant_id)
    await api.authorized(tenant_id, intent)
    published = await api.published(tenant_id)
    assert published.count("command:gateway:payment.void") == 1
    assert "command:gateway:payment.capture" not in published
    await api.handle(tenant_id, released(intent), by=api.consumers.on_payment_voided)
    assert await client.status(intent) == "VOIDED"


async def test_decline_of_a_payment_voided_while_processing_answers_its_void(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await confirmed(client, method="automatic")
    key = str(uuid4())
    asking = asyncio.create_task(do(client, intent, "void", key=key))
    async with asyncio.timeout(60):
        while not await _is_voiding(api, intent):
            await asyncio.sleep(0.01)
    await api.declined(tenant_id, intent)
    answer = await asking
    assert (answer.status, answer.json["status"], answer.json["failure_code"]) == (200, "VOIDED", None)
    assert (await do(client, intent, "void", key=key)).raw == answer.raw


async def test_a_refund_that_is_answered_in_time_is_complete_for_its_key(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    key = str(uuid4())
    asking = asyncio.create_task(do(client, intent, "refund", {"amount": "50.00"}, key=key))
    await until_published(api, tenant_id, "command:gateway:payment.refund")
    [shown] = (await client.call("GET", f"/v1/payment-intents/{intent}/refunds")).json
    await api.handle(tenant_id, succeeded(intent, shown["id"]), by=api.consumers.on_refund_succeeded)
    answer = await asking
    assert (answer.status, answer.json["status"]) == (200, "COMPLETED")
    # What the processor takes back later is no answer to this request.
    await api.handle(tenant_id, failed(intent, shown["id"]), by=api.consumers.on_refund_failed)
    assert (await do(client, intent, "refund", {"amount": "50.00"}, key=key)).raw == answer.raw


async def test_each_member_of_a_refund_request_is_in_the_refund(api: Api, tenant_id: str) -> None:
    body = {"amount": "50.00", "reason": "my own words"}
    assert body.keys() == set(RefundRequest.__struct_fields__), "give the new member a value here"
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    refund = (await do(client, intent, "refund", body, headers=ASYNC)).json
    [listed] = (await client.call("GET", f"/v1/payment-intents/{intent}/refunds")).json
    for shown in (refund, listed):
        assert {name: shown[name] for name in body} == body


async def test_the_same_refund_at_once_under_one_key_is_one_refund(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    key = str(uuid4())
    answers = await asyncio.gather(
        *(do(client, intent, "refund", {"amount": "50.00"}, key=key, headers=ASYNC) for _ in range(10))
    )
    assert {answer.status for answer in answers} == {200}
    assert len({answer.raw for answer in answers}) == 1
    assert (await api.published(tenant_id)).count("command:gateway:payment.refund") == 1
    reused = await do(client, intent, "refund", {"amount": "51.00"}, key=key)
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")


async def test_a_refusal_does_not_use_up_its_key(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    key = str(uuid4())
    assert (await do(client, intent, "refund", {"amount": "150.51"}, key=key)).status == 422
    assert (await do(client, intent, "refund", {"amount": "150.50"}, key=key, headers=ASYNC)).status == 200


async def test_a_payment_in_a_currency_that_was_withdrawn_is_read_and_refunded(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    # As it was made when the lev was a currency.
    await api.database.write("UPDATE payment_intents SET currency = 'BGN' WHERE tenant_id = $1", tenant_id)
    shown = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert (shown["currency"], shown["amount"]) == ("BGN", "150.50")
    [listed] = (await client.call("GET", "/v1/payment-intents")).json["data"]
    assert listed["captured_amount"] == "150.50"
    refund = await do(client, intent, "refund", {"amount": "50.00"}, headers=ASYNC)
    assert (refund.status, refund.json["amount"], refund.json["currency"]) == (200, "50.00", "BGN")
    assert (await client.call("GET", f"/v1/payment-intents/{intent}/refunds")).json[0]["amount"] == "50.00"
    new = {"amount": "1.00", "currency": "BGN", "customer_ref": "c"}
    refused = await client.call("POST", "/v1/payment-intents", new, key=str(uuid4()))
    assert (refused.status, refused.json["code"]) == (400, "unsupported_currency")


async def test_a_refund_is_pending_until_the_gateway_says_how_it_ended(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    refund = (await do(client, intent, "refund", {"amount": "50.00"})).json
    assert refund["status"] == "PENDING"
    assert await client.status(intent) == "SETTLED"
    event = succeeded(intent, refund["id"])
    for _ in range(2):
        await api.handle(tenant_id, event, by=api.consumers.on_refund_succeeded)
    assert await client.status(intent) == "PARTIALLY_REFUNDED"
    published = await api.published(tenant_id)
    assert published.count("event:api:payment.refunded") == 1
    await api.handle(tenant_id, failed(intent, refund["id"]), by=api.consumers.on_refund_failed)
    assert await client.status(intent) == "SETTLED"
    [shown] = (await client.call("GET", f"/v1/payment-intents/{intent}/refunds")).json
    assert (shown["status"], shown["failure_message"]) == ("FAILED", "It came back.")


async def test_event_of_an_unknown_refund_waits(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    with pytest.raises(NotYet):
        await api.handle(tenant_id, succeeded(intent, str(new_id())), by=api.consumers.on_refund_succeeded)
    refund = (await do(client, intent, "refund", {"amount": "50.00"}, headers=ASYNC)).json
    with pytest.raises(ContradictoryOutcome):
        await api.handle(tenant_id, succeeded(intent, refund["id"], 5001), by=api.consumers.on_refund_succeeded)


async def test_several_refunds_in_one_set_are_counted_one_after_the_other(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    refunds = [(await do(client, intent, "refund", {"amount": "50.00"}, headers=ASYNC)).json["id"] for _ in range(3)]
    await api.handle(
        tenant_id, *(succeeded(intent, refund) for refund in refunds), by=api.consumers.on_refund_succeeded
    )
    shown = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert (shown["status"], shown["refunded_amount"]) == ("PARTIALLY_REFUNDED", "150.00")
    rest = await do(client, intent, "refund", headers=ASYNC)
    assert rest.json["amount"] == "0.50"


async def test_the_end_of_a_dispute_waits_for_its_beginning(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    common = {
        "payment_intent_id": UUID(intent),
        "amount_minor": 15050,
        "currency": "BRL",
        "dispute_id": new_id(),
        "gateway_ref": "dp_1",
        "happened_at": datetime.now(UTC),
    }
    lost = gateway.DisputeLost(**common)  # type: ignore[arg-type]
    opened = gateway.DisputeOpened(**common, reason="fraudulent")  # type: ignore[arg-type]
    with pytest.raises(NotYet):
        await api.handle(tenant_id, lost, by=api.consumers.on_dispute_lost)
    for _ in range(2):
        await api.handle(tenant_id, opened, by=api.consumers.on_dispute_opened)
    await api.handle(tenant_id, lost, by=api.consumers.on_dispute_lost)
    [shown] = (await client.call("GET", f"/v1/payment-intents/{intent}/disputes")).json
    assert (shown["status"], shown["amount"]) == ("LOST", "150.50")
    assert [name for name in await api.published(tenant_id) if "dispute" in name] == [
        "event:api:dispute.opened",
        "event:api:dispute.lost",
    ]


async def test_what_was_done_stands_in_the_audit_log(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    voided, refunded = await held(api, client, tenant_id), await settled(api, client, tenant_id)
    await do(client, voided, "void", headers=ASYNC)
    refund = (await do(client, refunded, "refund", headers=ASYNC)).json["id"]
    rows = await api.database.fetch(
        "SELECT action, target, detail FROM audit_log WHERE tenant_id = $1 AND action LIKE 'payment_intent.%' "
        "AND action NOT LIKE '%.create' AND action NOT LIKE '%.confirm' ORDER BY created_at, id",
        tenant_id,
    )
    assert [(row["action"], row["target"]) for row in rows] == [
        ("payment_intent.void", voided),
        ("payment_intent.refund", refunded),
    ]
    assert refund in rows[1]["detail"]


async def test_nobody_else_can_touch_a_payment(api: Api, tenant_id: str) -> None:
    intent = await settled(api, api.client(tenant_id), tenant_id)
    stranger = api.client(f"{tenant_id}-other")
    for what in ("capture", "void", "refund"):
        answer = await do(stranger, intent, what)
        assert (answer.status, answer.json["code"]) == (404, "payment_intent_not_found")
    reader = api.client(tenant_id, perms=["payments:read"])
    for what in ("capture", "void", "refund"):
        assert (await do(reader, intent, what)).json["permissionCode"] == "payments:write"


async def test_capture_that_lost_to_a_deadlock_is_decided_again(
    api: Api, api_database: TestDatabase, tenant_id: str
) -> None:
    client = api.client(tenant_id)
    intent = await held(api, client, tenant_id)
    admin = await asyncpg.connect(api_database.admin_url)
    try:
        # A sequence does not roll back: the first two tries lose, the third finds nobody in its way.
        await admin.execute("CREATE SEQUENCE api.tries")
        await admin.execute("GRANT USAGE ON SEQUENCE api.tries TO api_requests")
        await admin.execute(
            "CREATE FUNCTION api.lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF nextval('api.tries') <= 2 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF; "
            "RETURN NEW; END $$"
        )
        await admin.execute(
            "CREATE TRIGGER lose BEFORE UPDATE ON api.payment_intents FOR EACH ROW EXECUTE FUNCTION api.lose()"
        )
        answer = await do(client, intent, "capture", headers=ASYNC)
        assert answer.status == 202, answer.raw
        assert await admin.fetchval("SELECT last_value FROM api.tries") == 3
    finally:
        await admin.execute("DROP FUNCTION IF EXISTS api.lose() CASCADE")
        await admin.execute("DROP SEQUENCE IF EXISTS api.tries")
        await admin.close()


async def test_refund_that_was_made_at_the_processor_becomes_one_of_ours(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await settled(api, client, tenant_id)
    made = msgspec.structs.replace(succeeded(intent, str(uuid4())), is_adopted=True)
    for _ in range(2):
        await api.handle(tenant_id, made, by=api.consumers.on_refund_succeeded)
    [shown] = (await client.call("GET", f"/v1/payment-intents/{intent}/refunds")).json
    assert (shown["id"], shown["status"], shown["amount"]) == (str(made.refund_id), "COMPLETED", "50.00")
    payment = (await client.call("GET", f"/v1/payment-intents/{intent}")).json
    assert (payment["status"], payment["refunded_amount"]) == ("PARTIALLY_REFUNDED", "50.00")
    back = msgspec.structs.replace(failed(intent, str(made.refund_id)), after_success=True)
    await api.handle(tenant_id, back, by=api.consumers.on_refund_failed)
    [shown] = (await client.call("GET", f"/v1/payment-intents/{intent}/refunds")).json
    assert shown["status"] == "FAILED"
