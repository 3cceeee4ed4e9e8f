"""Creating, reading and confirming payment intents, and their idempotency, over real HTTP on a real database."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import PaymentAuthorized
from libs.common.db import Connection
from libs.common.errors import TooEarly
from libs.common.messaging import Received
from services.api import metrics
from services.api.errors import ContradictoryOutcome
from services.api.idempotency import earlier_fingerprint, forget_expired_keys
from services.api.payments.commands import NewIntent
from tests.integration.api.conftest import CONFIRM_TIMEOUT_SECONDS, DECLINE_CODES, Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Answer, Client

BODY = {"amount": 150.5, "currency": "BRL", "customer_ref": "CUST-001"}
AUTHORIZE, CAPTURE = "command:gateway:payment.authorize", "command:gateway:payment.capture"


@pytest.fixture
def client(api: Api, tenant_id: str) -> Client:
    """An operator of a tenant of this test."""
    return api.client(tenant_id)


async def confirmed(api: Api, client: Client, *, key: str | None = None) -> tuple[str, "asyncio.Task[Answer]"]:
    """An intent whose confirmation waits for the issuer."""
    intent_id = (await client.create())["id"]
    path = f"/v1/payment-intents/{intent_id}/confirm"
    waiting = asyncio.create_task(client.call("POST", path, {}, key=key or str(uuid4())))
    await api.until_processing(client, intent_id)
    return intent_id, waiting


async def test_create_answers_the_reference_shape(api: Api, client: Client, tenant_id: str) -> None:
    answer = await client.call("POST", "/v1/payment-intents", BODY, key="k1", headers={"X-Correlation-Id": "corr-1"})
    assert answer.status == 200
    assert answer.headers["x-correlation-id"] == "corr-1"
    body = answer.json
    assert {
        "amount": "150.50",
        "currency": "BRL",
        "status": "CREATED",
        "customer_ref": "CUST-001",
        "gateway_ref": None,
    }.items() <= body.items()
    assert body["created_at"].endswith("+00:00")
    assert await api.published(tenant_id) == ["event:api:payment.intent.created"]
    row = await api.database.fetchrow(
        "SELECT body, correlation_id FROM outbox WHERE tenant_id = $1 AND contract LIKE '%intent.created'", tenant_id
    )
    assert row is not None
    published = json.loads(row["body"])
    assert published["correlation_id"] == row["correlation_id"] == "corr-1"
    assert (published["amount"], published["payment_intent_id"], published["order_id"]) == ("150.50", body["id"], "")


async def test_fifty_identical_creates_make_one_intent(api: Api, client: Client, tenant_id: str) -> None:
    answers = await asyncio.gather(*(client.call("POST", "/v1/payment-intents", BODY, key="same") for _ in range(50)))
    assert {a.status for a in answers} == {200}
    assert len({a.raw for a in answers}) == 1
    assert sum("idempotency-replayed" in a.headers for a in answers) == 49
    row = await api.database.fetchrow("SELECT count(*) AS n FROM payment_intents WHERE tenant_id = $1", tenant_id)
    assert row is not None
    assert row["n"] == 1
    assert await api.published(tenant_id) == ["event:api:payment.intent.created"]
    audited = await api.database.fetch("SELECT action, actor, outcome FROM audit_log WHERE tenant_id = $1", tenant_id)
    assert [tuple(a) for a in audited] == [("payment_intent.create", "ops@example.com", "success")]


async def test_same_key_replays_however_the_json_is_written(client: Client) -> None:
    first = await client.call("POST", "/v1/payment-intents", BODY, key="k")
    again = await client.call(
        "POST",
        "/v1/payment-intents",
        raw=b'{ "customer_ref":"CUST-00\\u0031",  "currency":"BRL", "amount":150.50 }',
        key='"k"',
    )
    assert again.raw == first.raw
    assert again.headers["idempotency-replayed"] == "true"


async def test_same_key_with_another_body_is_refused(client: Client) -> None:
    await client.call("POST", "/v1/payment-intents", BODY, key="k")
    counted = metrics.IDEMPOTENCY.labels("mismatch")
    before = counted._value.get()
    answer = await client.call("POST", "/v1/payment-intents", BODY | {"amount": 999}, key="k")
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
    assert counted._value.get() == before + 1


async def test_key_that_the_version_before_stored_is_replayed(api: Api, client: Client, tenant_id: str) -> None:
    first = await client.call("POST", "/v1/payment-intents", BODY, key="k")
    request = NewIntent(amount_minor=15050, currency="BRL", customer_ref="CUST-001", description=None, metadata={})
    await api.database.write(
        "UPDATE idempotency_keys SET fingerprint = $2 WHERE tenant_id = $1 RETURNING 1",
        tenant_id,
        earlier_fingerprint("create", request.meaning),
    )
    again = await client.call("POST", "/v1/payment-intents", BODY, key="k")
    assert (again.raw, again.headers["idempotency-replayed"]) == (first.raw, "true")
    other = await client.call("POST", "/v1/payment-intents", BODY | {"amount": 999}, key="k")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


async def test_an_expired_key_is_free_again(api: Api, client: Client, tenant_id: str) -> None:
    first = await client.call("POST", "/v1/payment-intents", BODY, key="k")
    await api.database.write(
        "UPDATE idempotency_keys SET expires_at = now() - interval '1 second' WHERE tenant_id = $1", tenant_id
    )
    second = await client.call("POST", "/v1/payment-intents", BODY | {"amount": 2}, key="k")
    assert second.status == 200
    assert second.json["id"] != first.json["id"]


async def test_a_refused_body_does_not_consume_the_key(client: Client) -> None:
    assert (await client.call("POST", "/v1/payment-intents", BODY | {"amount": 0}, key="k")).status == 422
    assert (await client.call("POST", "/v1/payment-intents", BODY, key="k")).status == 200


async def test_keys_of_two_tenants_do_not_meet(api: Api, client: Client) -> None:
    other = api.client(f"tenant-{uuid4().hex[:8]}")
    first, second = [await c.call("POST", "/v1/payment-intents", BODY, key="k") for c in (client, other)]
    assert first.json["id"] != second.json["id"]
    assert (await other.call("GET", f"/v1/payment-intents/{first.json['id']}")).status == 404


@pytest.mark.parametrize(
    ("currency", "given", "shown"),
    [
        ("BRL", b"150.5", "150.50"),
        ("BRL", b'"12.34"', "12.34"),
        ("BRL", b"59.97000000000001", "59.97"),
        ("JPY", b"150", "150"),
        ("KWD", b"1.234", "1.234"),
        ("USD", b"1e2", "100.00"),
        ("USD", b"10000000000000.00", "10000000000000.00"),
    ],
)
async def test_amounts_are_read_exactly(client: Client, currency: str, given: bytes, shown: str) -> None:
    raw = b'{"amount":%s,"currency":"%s","customer_ref":"c"}' % (given, currency.encode())
    answer = await client.call("POST", "/v1/payment-intents", raw=raw, key=str(uuid4()))
    assert answer.status == 200, answer.raw
    assert answer.json["amount"] == shown
    read = await client.call("GET", f"/v1/payment-intents/{answer.json['id']}")
    assert read.json["amount"] == shown


async def test_metadata_and_description_are_kept(client: Client) -> None:
    body = BODY | {"description": "Pedido ação 🎉", "metadata": {"k" * 40: "v" * 500}}
    created = await client.call("POST", "/v1/payment-intents", body, key="k")
    read = (await client.call("GET", f"/v1/payment-intents/{created.json['id']}")).json
    assert (read["description"], read["metadata"]) == (body["description"], body["metadata"])


async def test_confirm_answers_authorized_once_the_gateway_says_so(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, waiting = await confirmed(api, client, key="c")
    assert await api.published(tenant_id) == ["event:api:payment.intent.created", AUTHORIZE]
    await api.authorized(tenant_id, intent_id)
    await api.captured(tenant_id, intent_id)
    await api.posted(tenant_id, intent_id)
    answer = await waiting
    # The intent as it stood when it became AUTHORIZED, whatever happened since.
    assert (answer.status, answer.json["status"], answer.json["gateway_ref"]) == (
        200,
        "AUTHORIZED",
        f"sandbox_{intent_id}",
    )
    replay = await client.call("POST", f"/v1/payment-intents/{intent_id}/confirm", key="c")
    assert (replay.raw, replay.headers["idempotency-replayed"]) == (answer.raw, "true")
    assert await client.status(intent_id) == "SETTLED"
    assert await api.published(tenant_id) == [
        "event:api:payment.intent.created",
        AUTHORIZE,
        "event:api:payment.authorized",
        CAPTURE,
        "event:api:payment.captured",
        "event:api:payment.settled",
    ]


async def test_confirm_answers_failed_when_the_issuer_declines(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, waiting = await confirmed(api, client)
    await api.declined(tenant_id, intent_id)
    answer = await waiting
    assert answer.status == 200
    codes = msgspec.structs.asdict(DECLINE_CODES)
    assert (codes | {"status": "FAILED", "failure_code": "insufficient_funds"}).items() <= answer.json.items()
    assert (await api.published(tenant_id))[-1] == "event:api:payment.failed"
    failed = await api.database.fetch(
        "SELECT body FROM outbox WHERE tenant_id = $1 AND contract = 'event:api:payment.failed'", tenant_id
    )
    assert codes.items() <= msgspec.json.decode(failed[0]["body"]).items()


async def test_confirm_without_a_word_in_time_is_accepted(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, waiting = await confirmed(api, client, key="c")
    answer = await waiting
    assert (answer.status, answer.json["status"]) == (202, "PROCESSING")
    await api.authorized(tenant_id, intent_id)
    replay = await client.call("POST", f"/v1/payment-intents/{intent_id}/confirm", key="c")
    assert (replay.status, replay.raw) == (202, answer.raw)
    fresh = await client.confirm(intent_id)
    assert (fresh.status, fresh.json["status"]) == (200, "AUTHORIZED")


async def test_a_client_that_prefers_not_to_wait_is_answered_at_once(client: Client) -> None:
    intent_id = (await client.create())["id"]
    async with asyncio.timeout(CONFIRM_TIMEOUT_SECONDS / 2):
        answer = await client.confirm(intent_id, headers={"Prefer": "respond-async"})
    assert (answer.status, answer.json["status"]) == (202, "PROCESSING")
    assert answer.headers["preference-applied"] == "respond-async"


async def test_confirming_again_asks_nobody_twice(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, waiting = await confirmed(api, client)
    meanwhile = await client.confirm(intent_id)
    assert (meanwhile.status, meanwhile.json["status"]) == (202, "PROCESSING")
    await api.authorized(tenant_id, intent_id)
    await waiting
    for step, status in ((None, "AUTHORIZED"), (api.captured, "AUTHORIZED"), (api.posted, "SETTLED")):
        if step is not None:
            await step(tenant_id, intent_id)
        again = await client.confirm(intent_id)
        assert (again.status, again.json["status"]) == (200, status)
    assert (await api.published(tenant_id)).count(AUTHORIZE) == 1


async def test_twenty_confirms_at_once_ask_the_gateway_once(api: Api, client: Client, tenant_id: str) -> None:
    intent_id = (await client.create())["id"]
    answers = await asyncio.gather(*(client.confirm(intent_id, headers={"Prefer": "respond-async"}) for _ in range(20)))
    assert {a.status for a in answers} == {202}
    assert (await api.published(tenant_id)).count(AUTHORIZE) == 1


async def test_the_same_confirm_while_the_first_waits_is_in_progress(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, waiting = await confirmed(api, client, key="c")
    answer = await client.call("POST", f"/v1/payment-intents/{intent_id}/confirm", key="c")
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (409, "idempotency_in_progress", "1")
    await api.authorized(tenant_id, intent_id)
    assert (await waiting).status == 200


async def test_a_confirm_whose_process_died_is_resumed(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, waiting = await confirmed(api, client, key="c")
    await waiting
    # What a killed process leaves behind: the key in progress, and a lease that has ended.
    await api.database.write(
        "UPDATE idempotency_keys SET status = 'in_progress', response_status = NULL, response_body = NULL, "
        "completed_at = NULL, lease_until = now() - interval '1 second' WHERE tenant_id = $1 AND key = 'c'",
        tenant_id,
    )
    resumed = asyncio.create_task(client.call("POST", f"/v1/payment-intents/{intent_id}/confirm", key="c"))
    await asyncio.wait([resumed], timeout=0.1)
    await api.authorized(tenant_id, intent_id)
    answer = await resumed
    assert (answer.status, answer.json["status"]) == (200, "AUTHORIZED")
    assert (await api.published(tenant_id)).count(AUTHORIZE) == 1


@pytest.mark.parametrize("raw", [None, b"", b"{}", b" { } "])
async def test_confirm_needs_no_body(client: Client, raw: bytes | None) -> None:
    intent_id = (await client.create())["id"]
    answer = await client.call(
        "POST",
        f"/v1/payment-intents/{intent_id}/confirm",
        raw=raw,
        key=str(uuid4()),
        headers={"Prefer": "respond-async"},
    )
    assert answer.status == 202


async def test_event_handled_twice_changes_nothing(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, waiting = await confirmed(api, client)
    await api.authorized(tenant_id, intent_id, intent_id)
    await waiting
    await api.posted(tenant_id, intent_id)  # before the capture was handled: both are published
    await api.posted(tenant_id, intent_id)
    await api.captured(tenant_id, intent_id)  # late
    await api.authorized(tenant_id, intent_id)
    published = await api.published(tenant_id)
    assert published[2:] == [
        "event:api:payment.authorized",
        CAPTURE,
        "event:api:payment.captured",
        "event:api:payment.settled",
    ]
    row = await api.database.fetchrow(
        "SELECT status, captured_minor, settled_at IS NOT NULL AS settled FROM payment_intents WHERE tenant_id = $1",
        tenant_id,
    )
    assert row is not None
    assert tuple(row) == ("SETTLED", 15050, True)


async def test_early_events_are_postponed_and_contradictions_refused(api: Api, client: Client, tenant_id: str) -> None:
    intent_id = (await client.create())["id"]
    for early in (api.authorized, api.captured, api.posted):
        with pytest.raises(TooEarly):
            await early(tenant_id, intent_id)
    with pytest.raises(TooEarly):
        await api.authorized(tenant_id, str(uuid4()))
    await client.confirm(intent_id, headers={"Prefer": "respond-async"})
    with pytest.raises(ContradictoryOutcome):
        await api.authorized(tenant_id, intent_id, amount_minor=1)
    await api.authorized(tenant_id, intent_id)
    await api.capture_failed(tenant_id, intent_id)
    assert await client.status(intent_id) == "FAILED"
    with pytest.raises(TooEarly):
        await api.posted(tenant_id, intent_id)


async def test_a_set_that_holds_early_events_is_counted_once(api: Api, client: Client, tenant_id: str) -> None:
    intent_id, early = [(await client.create())["id"] for _ in range(2)]
    await client.confirm(intent_id, headers={"Prefer": "respond-async"})
    authorized = metrics.TRANSITIONS.labels("AUTHORIZED")
    before = authorized._value.get()
    with pytest.raises(TooEarly):
        await api.authorized(tenant_id, intent_id, early)
    assert authorized._value.get() == before
    after_commit: list[Callable[[], None]] = []

    async def once_more(transaction: Connection, received: list[Received[PaymentAuthorized]]) -> None:
        after_commit.append(await api.consumers.on_payment_authorized(transaction, received))

    known = PaymentAuthorized(
        payment_intent_id=UUID(intent_id), amount_minor=15050, currency="BRL", gateway_ref=f"sandbox_{intent_id}"
    )
    await api.handle(tenant_id, known, by=once_more)
    assert authorized._value.get() == before
    [counts] = after_commit
    counts()
    assert authorized._value.get() == before + 1


async def test_a_batch_moves_many_intents_at_once(api: Api, client: Client, tenant_id: str) -> None:
    ids = [(await client.create())["id"] for _ in range(20)]
    for intent_id in ids:
        await client.confirm(intent_id, headers={"Prefer": "respond-async"})
    await api.authorized(tenant_id, *reversed(ids))
    assert {await client.status(i) for i in ids} == {"AUTHORIZED"}
    assert (await api.published(tenant_id)).count(CAPTURE) == 20


async def test_two_batches_about_the_same_intents_do_not_deadlock(api: Api, client: Client, tenant_id: str) -> None:
    ids = [(await client.create())["id"] for _ in range(10)]
    for intent_id in ids:
        await client.confirm(intent_id, headers={"Prefer": "respond-async"})
    await asyncio.gather(*(api.authorized(tenant_id, *order) for order in (ids, list(reversed(ids))) * 3))
    assert (await api.published(tenant_id)).count(CAPTURE) == 10


async def test_expired_keys_are_forgotten(api: Api, client: Client, tenant_id: str) -> None:
    await client.create()
    await forget_expired_keys(api.database, ManualClock(datetime.now(UTC) + timedelta(days=2)))
    left = await api.database.fetch("SELECT 1 FROM idempotency_keys WHERE tenant_id = $1", tenant_id)
    assert left == []


async def test_the_payment_of_an_order_is_found(api: Api, client: Client, tenant_id: str) -> None:
    intent: dict[str, Any] = await client.create()
    # Orders are linked by charge requests only; the row stands for one.
    await api.database.write("UPDATE payment_intents SET order_id = 'o-1' WHERE tenant_id = $1", tenant_id)
    answer = await client.call("GET", "/v1/payments?orderId=o-1")
    assert answer.json == [{"id": intent["id"], "order_id": "o-1", "status": "CREATED", "amount": "150.50"}]
    assert (await client.call("GET", "/v1/payments?orderId=o-2")).json == []
    assert (await client.call("GET", "/v1/payments")).status == 422


async def test_a_fresh_intent_that_another_process_confirmed_is_confirmed_once(
    api: Api, api_database: TestDatabase, client: Client, tenant_id: str
) -> None:
    """The process that made it remembers it as it was made; what is written shows that it is not so any more."""
    intent = await client.create()
    async with serving(api_database, settings_for(api_database)) as other:
        elsewhere = await other.client(tenant_id).confirm(intent["id"], headers={"Prefer": "respond-async"})
    assert elsewhere.status == 202
    here = await client.confirm(intent["id"], headers={"Prefer": "respond-async"})
    assert (here.status, here.json["status"]) == (202, "PROCESSING")
    assert (await api.published(tenant_id)).count(AUTHORIZE) == 1


async def test_a_fresh_intent_is_not_there_for_another_tenant(api: Api, client: Client, tenant_id: str) -> None:
    intent = await client.create()
    stranger = api.client(f"{tenant_id}-2")
    assert (await stranger.confirm(intent["id"], headers={"Prefer": "respond-async"})).status == 404
    assert (await client.confirm(intent["id"], headers={"Prefer": "respond-async"})).status == 202
