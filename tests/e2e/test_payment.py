"""One payment, from HTTP to the books, to other teams and to the merchant's webhook."""

import asyncio
import json
from decimal import Decimal
from uuid import uuid4

import aio_pika
import pytest
from standardwebhooks.webhooks import Webhook

from libs.common.contracts.ledger_roles import Role
from tests.support.platform import DEMO_TENANT, OPERATOR, SALES, Client, Platform
from tests.support.receiver import Received, Receiver


async def test_payment_enters_by_http_and_leaves_settled_booked_and_notified(
    platform: Platform, operator: Client, admin: Client, receiver: Receiver
) -> None:
    registered = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.*"]})
    assert registered.status == 201, registered.raw
    secret = registered.json["secret"]
    connection = await aio_pika.connect(platform.rabbitmq_url)
    async with connection:
        channel = await connection.channel()
        public = await channel.declare_queue(exclusive=True)
        await public.bind("payments.x", "#")

        intent = await operator.create("150.50", customer_ref="customer@example.com")
        assert intent["status"] == "CREATED"
        assert intent["amount"] == "150.50"
        confirmed = await operator.confirm(intent["id"])
        assert confirmed.status == 200, confirmed.raw
        assert confirmed.json["status"] == "AUTHORIZED"
        assert confirmed.json["gateway_ref"]
        await operator.settled(intent["id"])

        entries = await operator.call("GET", f"/v1/ledger/entries?payment_intent_id={intent['id']}")
        assert entries.status == 200
        (entry,) = entries.json
        lines = {(line["side"], line["account"]): (line["amount"], line["currency"]) for line in entry["lines"]}
        assert lines == {("DEBIT", "CASH"): ("150.50", "BRL"), ("CREDIT", "REVENUE"): ("150.50", "BRL")}

        events = [await _next_of(public, intent["id"]) for _ in range(4)]
    assert [name for name, _, _ in events] == [
        "payment.intent.created",
        "payment.authorized",
        "payment.captured",
        "payment.settled",
    ]
    settled = events[-1][1]
    assert (
        settled
        | {
            "order_id": "",
            "tenant_id": DEMO_TENANT,
            "payment_intent_id": intent["id"],
            "status": "SETTLED",
            "amount": "150.50",
            "currency": "BRL",
        }
        == settled
    )
    assert all(headers["X-Tenant-Id"] == DEMO_TENANT for _, _, headers in events)

    async with asyncio.timeout(60):
        while len(delivered := _of(receiver, intent["id"])) < 4:
            await asyncio.sleep(0.05)
    assert {delivery.type for delivery in delivered} == {name for name, _, _ in events}
    for delivery in receiver.received:
        Webhook(secret).verify(delivery.body, delivery.headers)
    deliveries = await admin.call("GET", f"/v1/webhooks/{registered.json['id']}/deliveries")
    assert deliveries.status == 200, deliveries.raw
    removed = await admin.call("DELETE", f"/v1/webhooks/{registered.json['id']}")
    assert removed.status == 204


async def _next_of(
    queue: aio_pika.abc.AbstractQueue, intent_id: str
) -> tuple[str, dict[str, object], dict[str, object]]:
    """Return the next event of a payment; those of payments that other tests have left pending are passed over."""
    async with asyncio.timeout(60):
        while True:
            while (message := await queue.get(fail=False)) is None:
                await asyncio.sleep(0.02)
            await message.ack()
            body = json.loads(message.body)
            if body.get("payment_intent_id") == intent_id:
                break
    assert message.routing_key is not None
    assert message.message_id
    return message.routing_key, body, dict(message.headers)


def _of(receiver: Receiver, intent_id: str) -> list[Received]:
    """Return the deliveries that tell of a payment."""
    return [
        delivery
        for delivery in receiver.received
        if json.loads(delivery.body)["data"]["payment_intent_id"] == intent_id
    ]


async def test_correlation_and_the_caller_s_trace_follow_a_confirm(platform: Platform, operator: Client) -> None:
    trace_id, correlation_id = "4bf92f3577b34da6a3ce929d0e0e4736", f"corr-{uuid4().hex}"
    traceparent = f"00-{trace_id}-00f067aa0ba902b7-01"
    connection = await aio_pika.connect(platform.rabbitmq_url)
    async with connection:
        channel = await connection.channel()
        public = await channel.declare_queue(exclusive=True)
        for name in ("authorized", "captured", "settled"):
            await public.bind("payments.x", f"payment.{name}")
        # The processor loses its answers to this amount for a while: the gateway then has something to log.
        intent = await operator.create("90.13")
        answer = await operator.confirm(
            intent["id"],
            headers={"X-Correlation-Id": correlation_id, "traceparent": traceparent},
        )
        assert answer.headers["X-Correlation-Id"] == correlation_id
        events = [await _next_of(public, intent["id"]) for _ in range(3)]
    for _, body, headers in events:
        assert body["correlation_id"] == headers["X-Correlation-Id"] == correlation_id
        # Traces are off here: what the caller sent goes on, so that its own spans are the parents of what other teams record.
        assert headers["traceparent"] == traceparent
    lines = [json.loads(line) for line in platform.log("gateway").splitlines() if correlation_id in line]
    assert lines
    assert {line["trace_id"] for line in lines} == {trace_id}
    assert all(line["service"] == "gateway" for line in lines)


async def test_balances_prove_the_books(operator: Client) -> None:
    intent = await operator.create("10.00", currency="USD")
    await operator.confirm(intent["id"])
    await operator.settled(intent["id"])
    balances = (await operator.call("GET", "/v1/ledger/balances")).json
    assert isinstance(balances, list)
    for currency in {row["currency"] for row in balances}:
        rows = [row for row in balances if row["currency"] == currency]
        assert sum(Decimal(row["debits_total"]) for row in rows) == sum(Decimal(row["credits_total"]) for row in rows)
        assert sum(Decimal(row["balance"]) for row in rows) == 0


@pytest.mark.parametrize(
    ("amount", "reason"),
    [("90.01", "insufficient_funds"), ("90.02", "card_declined"), ("90.12", "insufficient_funds")],
)
async def test_declined_payment_fails_and_books_nothing(operator: Client, amount: str, reason: str) -> None:
    intent = await operator.create(amount)
    answer = await operator.confirm(intent["id"])
    assert answer.status == 200, answer.raw
    assert answer.json["status"] == "FAILED"
    assert answer.json["failure_code"] == reason
    entries = await operator.call("GET", f"/v1/ledger/entries?payment_intent_id={intent['id']}")
    assert entries.json == []


async def test_payments_settle_once_through_every_trouble_of_the_processor(operator: Client) -> None:
    async def settles(amount: str) -> None:
        intent = await operator.create(amount)
        answer = await operator.confirm(intent["id"])
        assert answer.status in {200, 202}, (amount, answer.raw)
        await operator.settled(intent["id"])
        entries = await operator.call("GET", f"/v1/ledger/entries?payment_intent_id={intent['id']}")
        assert len(entries.json) == 1, amount

    # Most of each is waiting, so they wait together.
    amounts = ("90.11", "90.13", "90.21", "90.22", "90.23", "90.33", "90.34", "90.35", "90.36")
    async with asyncio.TaskGroup() as together:
        for amount in amounts:
            together.create_task(settles(amount))


async def test_unknown_outcome_is_never_guessed(operator: Client) -> None:
    intent = await operator.create("90.14")
    answer = await operator.confirm(intent["id"], headers={"Prefer": "respond-async"})
    assert (answer.status, answer.json["status"]) == (202, "PROCESSING")
    await asyncio.sleep(2)
    assert await operator.status(intent["id"]) == "PROCESSING"


async def test_accounts_and_profile_are_served(platform: Platform, operator: Client) -> None:
    me = await operator.call("GET", "/v1/me")
    assert me.json["tid"] == DEMO_TENANT
    accounts = await operator.call("GET", "/v1/accounts")
    opened = {account["code"] for account in accounts.json if account["is_default"]}
    assert opened == set(Role)
    sales = await platform.login(SALES)
    denied = await sales.call(
        "POST", "/v1/payment-intents", {"amount": 1, "currency": "BRL", "customer_ref": "x"}, key=str(uuid4())
    )
    assert denied.status == 403
    assert denied.json["permissionCode"] == "payments:write"


async def test_webhook_is_tried_again_until_the_endpoint_answers(
    operator: Client, admin: Client, receiver: Receiver
) -> None:
    registered = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.intent.created"]})
    receiver.answer = lambda _: 500
    intent = await operator.create("7.00")
    async with asyncio.timeout(60):
        while len(_of(receiver, intent["id"])) < 2:
            await asyncio.sleep(0.05)
        receiver.answer = lambda _: 200
        while len(delivered := _of(receiver, intent["id"])) < 3:
            await asyncio.sleep(0.05)
    assert len({delivery.headers["webhook-id"] for delivery in delivered}) == 1
    assert len({delivery.body for delivery in delivered}) == 1
    for delivery in delivered:
        Webhook(registered.json["secret"]).verify(delivery.body, delivery.headers)
    await admin.call("DELETE", f"/v1/webhooks/{registered.json['id']}")


async def test_services_describe_and_report_themselves(platform: Platform) -> None:
    for service in ("api", "ledger", "gateway", "notifier"):
        for path, content in (
            ("/healthz", '"ok"'),
            ("/readyz", '"rabbitmq":"ok"'),
            ("/metrics", "http_requests_total"),
            ("/asyncapi", "<!doctype html>"),
            ("/asyncapi.json", '"asyncapi":"3.0.0"'),
        ):
            async with platform.http.get(platform.base(service) + path) as answer:
                assert answer.status == 200, (service, path)
                assert content in await answer.text()
    for path in ("/docs", "/openapi.json"):
        async with platform.http.get(platform.base() + path) as answer:
            assert answer.status == 200
            text = await answer.text()
            assert "https://cdn" not in text
            assert "unpkg.com" not in text


async def test_unknown_route_and_method_are_problems(platform: Platform) -> None:
    async with platform.http.get(platform.base() + "/nowhere", headers={"X-Correlation-Id": "seen"}) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert answer.headers["X-Correlation-Id"] == "seen"
        assert (await answer.json())["correlation_id"] == "seen"
    async with platform.http.delete(platform.base() + "/v1/me") as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]


async def test_wrong_password_is_refused(platform: Platform) -> None:
    client = Client(platform.http, platform.base())
    answer = await client.call("POST", "/v1/auth/token", {"email": OPERATOR[0], "password": "wrong"})
    assert answer.status == 401
    assert answer.json["detail"] == "Invalid credentials"
