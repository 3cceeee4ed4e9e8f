"""Pacts with the real clients: what they read is written down, and our production code is held to it.

The orders service reads `payment.settled` from `payments.x`; the web suite lists, creates and confirms payments and shows
problems. Both sides of each pact are run: the consumer's reading of its own example, and our provider's answer.
"""

import asyncio
import json
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from pact import Pact, Verifier, match
from pact.types import Message

from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.api.payments.commands.publications import publications_of
from services.api.payments.domain import Decision, Fact, PaymentIntent, Status
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import Platform

SETTLED = "a payment of an order is settled"
TENANT = "00000000-0000-0000-0000-000000000002"
INTENT = "0190f3a4-5b6c-7d8e-9f01-23456789abce"
DECIMAL = r"^\d+\.\d+$"
INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?\+00:00$"


def _orders_pact(folder: Path) -> Path:
    """What the orders service reads of `payment.settled`: ids at the top level, a decimal string, nothing else."""
    pact = Pact("orders", "payments").with_specification("V4")
    (
        pact.upon_receiving(SETTLED, "Async")
        .with_body(
            {
                "order_id": match.like("ord-1"),
                "tenant_id": match.uuid(TENANT),
                "payment_intent_id": match.uuid(INTENT),
                "correlation_id": match.like("corr-1"),
                "status": "SETTLED",
                "amount": match.regex("100.00", regex=DECIMAL),
                "currency": match.regex("BRL", regex=r"^[A-Z]{3}$"),
            },
            "application/json",
        )
        .with_metadata({"routing_key": "payment.settled"})
    )
    paid: list[str] = []

    def orders_service(body: str | bytes | None, metadata: dict[str, object]) -> None:
        event = json.loads(str(body))
        assert metadata["routing_key"] == "payment.settled"
        assert UUID(event["tenant_id"])
        assert re.match(DECIMAL, event["amount"])
        paid.append(event["order_id"])

    pact.verify(orders_service, kind="Async")
    assert paid == ["ord-1"]
    pact.write_file(folder, overwrite=True)
    return folder / "orders-payments.json"


def _settled_message() -> Message:
    """The event as the api's own code says it."""
    now = datetime.now(UTC)
    intent = PaymentIntent(
        tenant_id=TENANT,
        id=new_id(),
        amount_minor=10000,
        currency="BRL",
        status=Status.SETTLED,
        customer_ref="customer@example.com",
        description=None,
        metadata={},
        order_id="ord-7",
        created_at=now,
        updated_at=now,
    )
    correlation = Correlation(correlation_id="corr-7", tenant_id=TENANT)
    (publication,) = publications_of(Decision(intent, (Fact.SETTLED,)), at=now, correlation=correlation)
    return Message(
        contents=publication.message.encode(),
        metadata={"routing_key": publication.message.contract.name},
        content_type="application/json",
    )


def test_orders_service_can_read_a_settled_payment(tmp_path: Path) -> None:
    pact_file = _orders_pact(tmp_path)
    (
        Verifier("payments", host="127.0.0.1")
        .message_handler({SETTLED: lambda **_: _settled_message()})
        .add_source(pact_file)
        .verify()
    )


def _intent_as_shown() -> dict[str, Any]:
    return {
        "id": match.uuid(INTENT),
        "amount": match.regex("150.50", regex=DECIMAL),
        "currency": match.regex("BRL", regex=r"^[A-Z]{3}$"),
        "status": match.regex(
            "CREATED",
            regex="^(CREATED|PROCESSING|AUTHORIZED|SETTLED|FAILED|VOIDED|REFUNDED|PARTIALLY_REFUNDED)$",
        ),
        "customer_ref": match.like("customer@example.com"),
        "created_at": match.regex("2026-11-22T17:57:07.701598+00:00", regex=INSTANT),
        "updated_at": match.regex("2026-11-22T17:57:07.701598+00:00", regex=INSTANT),
    }


def _web_suite_pact(folder: Path) -> Path:
    """What the web suite asks and shows: the list, a new payment, a problem."""
    pact = Pact("web-suite", "payments").with_specification("V4")
    (
        pact.upon_receiving("a page of payments")
        .given("a payment exists")
        .with_request("GET", "/v1/payment-intents")
        .with_query_parameter("page", "1")
        .with_query_parameter("pageSize", "15")
        .will_respond_with(200)
        .with_body(
            {
                "data": match.each_like(_intent_as_shown(), min=1),
                "total": match.int(1),
                "page": match.int(1),
                "pageSize": match.int(15),
            },
            "application/json",
        )
    )
    (
        pact.upon_receiving("a new payment")
        .with_request("POST", "/v1/payment-intents")
        .with_header("Idempotency-Key", match.regex("pay-create-1", regex="^pay-create-"))
        .with_body({"amount": 150.5, "currency": "BRL", "customer_ref": "customer@example.com"}, "application/json")
        .will_respond_with(200)
        .with_body(_intent_as_shown() | {"amount": "150.50", "status": "CREATED"}, "application/json")
    )
    (
        pact.upon_receiving("a payment that does not exist")
        .with_request("GET", f"/v1/payment-intents/{INTENT}")
        .will_respond_with(404)
        .with_body(
            {
                "status": 404,
                "title": "Not Found",
                "detail": match.like("payment intent not found"),
                "correlation_id": match.like("4be3c5a8f0d94f0c8f3f6c6f6a3c2b10"),
                "code": match.regex("payment_intent_not_found", regex="^[a-z_]+$"),
            },
            "application/problem+json",
        )
    )
    pact.write_file(folder, overwrite=True)
    return folder / "web-suite-payments.json"


async def test_web_suite_gets_what_it_shows(platform: Platform, tmp_path: Path) -> None:
    # A tenant of its own: the page shows what this test has made and nothing else.
    operator = person(platform, new_tenant(), "web@suite", ("payments:read", "payments:write"))
    loop = asyncio.get_running_loop()

    def a_payment_exists(**_: object) -> None:
        assert threading.current_thread() is not threading.main_thread()
        asyncio.run_coroutine_threadsafe(operator.create(), loop).result(timeout=10)

    def verify() -> None:
        (
            Verifier("payments", host="127.0.0.1")
            .add_transport(url=platform.base())
            .add_custom_header("Authorization", f"Bearer {operator.token}")
            .add_custom_header("X-Tenant-Id", operator.tenant)
            .state_handler({"a payment exists": a_payment_exists}, teardown=False)
            .add_source(_web_suite_pact(tmp_path))
            .verify()
        )

    await asyncio.to_thread(verify)
