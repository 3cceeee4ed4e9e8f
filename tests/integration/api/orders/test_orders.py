"""Orders are charged once each, in any form and order, and released when they are cancelled."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pamqp import encode
from prometheus_client import REGISTRY

from libs.common.clock import SystemClock
from libs.common.contracts.foreign import ORDERS as SUBSCRIPTION
from libs.common.contracts.foreign import ForeignMessage
from libs.common.messaging.foreign import EXCHANGE_HEADER, KEY_HEADER
from services.api.errors import TenantNotYet
from services.api.orders import OrderConsumers, Orders
from services.api.settings import CancelPolicy, OrderSettings
from tests.integration.api.conftest import Api
from tests.support.partners import ORDERS, PAYMENTS, Partners

pytestmark = pytest.mark.integration
CHARGE, CONFIRMED, CANCELLED = "payment.charge_requested", "order.confirmed", "order.cancelled"


async def payments(api: Api, tenant: str, order_id: str) -> list[dict[str, Any]]:
    query = (
        "SELECT id::text, amount_minor, currency, customer_ref, status, is_voiding, refunding_minor, capture_method "
        "FROM payment_intents WHERE tenant_id = $1 AND order_id = $2"
    )
    return [dict(row) for row in await api.database.fetch(query, tenant, order_id)]


async def payment(api: Api, tenant: str, order_id: str, until: Callable[[dict[str, Any]], bool] = bool) -> Any:
    async with asyncio.timeout(30):
        while not ((found := await payments(api, tenant, order_id)) and until(found[0])):
            await asyncio.sleep(0.02)
    [only] = found
    return only


async def handled(api: Api, partners: Partners, tenant: str) -> None:
    """Wait until everything that was published before is handled: one more order is."""
    last = f"last-{uuid4().hex[:8]}"
    await partners.order(CONFIRMED, tenant, last, 1.0)
    await payment(api, tenant, last)


async def letter(partners: Partners) -> tuple[str, str, bytes]:
    async with asyncio.timeout(30):
        while (found := await partners.dead_letter(SUBSCRIPTION.queue)) is None:
            await asyncio.sleep(0.02)
    return str(found.headers["x-reason"]), str(found.headers["x-detail"]), found.body


async def test_an_order_is_charged_once_whatever_comes(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    tenant, order = str(uuid4()), str(uuid4())
    snake = {
        "order_id": order,
        "tenant_id": tenant,
        "total_amount": "0.30",
        "currency": "BRL",
        "customer_ref": "cust_abc",
    }
    camel = {"orderId": order, "tenantId": tenant, "totalAmount": 0.30000000000000004, "customerId": "b@example.com"}
    packed = {"eventId": str(uuid4()), "eventType": CONFIRMED, "aggregateId": order, "payload": camel}
    await asyncio.gather(
        *(partners.publish(ORDERS, key, body) for key in (CONFIRMED, CHARGE) for body in (snake, camel, packed)),
        *(partners.publish(PAYMENTS, CHARGE, body, content_type=None) for body in (camel, snake, packed, camel)),
    )
    found = await payment(api, tenant, order)
    await handled(api, partners, tenant)
    assert len(await payments(api, tenant, order)) == 1
    assert (found["amount_minor"], found["currency"], found["status"]) == (30, "BRL", "PROCESSING")
    assert found["customer_ref"] in {"cust_abc", "b@example.com"}
    assert found["capture_method"] == "automatic"
    contracts = "SELECT contract FROM (SELECT contract, body FROM outbox UNION ALL SELECT contract, body FROM outbox_published) m WHERE body LIKE $1 ORDER BY 1"
    published = [row["contract"] for row in await api.database.fetch(contracts, f"%{found['id']}%")]
    assert published == ["command:gateway:payment.authorize", "event:api:payment.intent.created"]
    # Another tenant's order of the same name is another order.
    other = str(uuid4())
    await partners.order(CHARGE, other, order, 5)
    assert (await payment(api, other, order))["amount_minor"] == 500


async def test_another_amount_of_an_order_is_noted(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    tenant, before = str(uuid4()), REGISTRY.get_sample_value("orders_contradicted_total") or 0
    await partners.order(CONFIRMED, tenant, "o-1", 10)
    await payment(api, tenant, "o-1")
    for amount, more in ((10, {}), (12.5, {}), (10, {"currency": "USD"})):
        await partners.order(CHARGE, tenant, "o-1", amount, **more)
    # Both at once, in one transaction or two.
    await asyncio.gather(*(partners.order(CHARGE, tenant, "o-2", amount) for amount in (10, 11)))
    await handled(api, partners, tenant)
    assert [each["amount_minor"] for each in await payments(api, tenant, "o-1")] == [1000]
    assert len(await payments(api, tenant, "o-2")) == 1
    query = (
        "SELECT target, detail->>'charged' AS charged, detail->>'requested' AS requested FROM audit_log "
        "WHERE tenant_id = $1 AND action = 'order.contradicted' ORDER BY target, requested"
    )
    noted = [tuple(row) for row in await api.database.fetch(query, tenant)]
    assert noted[:2] == [("o-1", "10.00 BRL", "10.00 USD"), ("o-1", "10.00 BRL", "12.50 BRL")]
    assert [target for target, _, _ in noted[2:]] == ["o-2"]
    assert REGISTRY.get_sample_value("orders_contradicted_total") == before + 3


async def test_a_cancelled_order_is_never_charged(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    tenant, order = str(uuid4()), str(uuid4())
    await partners.order(CANCELLED, tenant, order)
    await partners.order(CONFIRMED, tenant, order, 10)
    await partners.order(CHARGE, tenant, order, 10)
    await handled(api, partners, tenant)
    assert await payments(api, tenant, order) == []


async def test_a_cancelled_order_gives_back_what_was_taken(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    tenant = str(uuid4())
    cases = ("processing", "captured", "settled", "declined")
    orders = {case: f"{case}-{uuid4().hex[:8]}" for case in cases}
    for order in orders.values():
        await partners.order(CONFIRMED, tenant, order, 150.5)
    ids = {case: (await payment(api, tenant, order))["id"] for case, order in orders.items()}
    await api.declined(tenant, ids["declined"])
    await api.authorized(tenant, ids["captured"], ids["settled"])
    await api.captured(tenant, ids["captured"], ids["settled"])
    await api.posted(tenant, ids["settled"])
    for order in [*orders.values(), *orders.values()]:
        await partners.order(CANCELLED, tenant, order)
    assert (await payment(api, tenant, orders["processing"], lambda p: p["is_voiding"]))["status"] == "PROCESSING"
    await payment(api, tenant, orders["settled"], lambda p: p["refunding_minor"] == 15050)
    # Taken and not in the books yet: given back as soon as it is.
    await api.posted(tenant, ids["captured"])
    await payment(api, tenant, orders["captured"], lambda p: p["refunding_minor"] == 15050)
    # The processor was quicker than the void: nothing of it is kept either.
    await api.authorized(tenant, ids["processing"])
    assert (await payment(api, tenant, orders["processing"], lambda p: p["status"] == "AUTHORIZED"))["is_voiding"]
    assert (await payment(api, tenant, orders["declined"]))["status"] == "FAILED"
    # Confirmed again with another method, it would be collected after all.
    path = f"/v1/payment-intents/{ids['declined']}/confirm"
    method = {"payment_method": "pm_card_visa"}
    asynchronous = {"Prefer": "respond-async"}
    assert (await api.client(tenant).call("POST", path, method, key="again", headers=asynchronous)).status == 202
    async with api.database.transaction() as tx:
        await tx.execute("UPDATE orders SET due_at = now() WHERE order_id = $1 AND due_at > now()", orders["declined"])
    await releasing(api).release_due()
    await payment(api, tenant, orders["declined"], lambda p: p["is_voiding"])
    reasons = await api.database.fetch(
        "SELECT reason, count(*) AS n FROM refunds WHERE tenant_id = $1 GROUP BY 1", tenant
    )
    assert [(row["reason"], row["n"]) for row in reasons] == [("order_cancelled", 2)]


GOOD: dict[str, Any] = {"orderId": "bad-1", "tenantId": "bad-tenant", "totalAmount": 10.5, "currency": "BRL"}
BAD: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "undecodable_message"),
    "NaN": (b'{"orderId": "o", "tenantId": "t", "totalAmount": NaN}', "undecodable_message"),
    "no order": (GOOD | {"orderId": None}, "invalid_request"),
    "an empty order": (GOOD | {"orderId": " "}, "invalid_request"),
    "an order that is a number": (GOOD | {"orderId": 7}, "invalid_request"),
    "a long order": (GOOD | {"orderId": "o" * 129}, "invalid_request"),
    "no tenant": ({k: v for k, v in GOOD.items() if k != "tenantId"}, "invalid_request"),
    "no amount": (GOOD | {"totalAmount": None}, "invalid_request"),
    "zero": (GOOD | {"totalAmount": 0}, "invalid_amount"),
    "negative": (GOOD | {"totalAmount": -50}, "invalid_amount"),
    "words": (GOOD | {"totalAmount": "abc"}, "invalid_amount"),
    "a list": (GOOD | {"totalAmount": [1]}, "invalid_request"),
    "true": (GOOD | {"totalAmount": True}, "invalid_request"),
    "NaN in a string": (GOOD | {"totalAmount": "NaN"}, "invalid_amount"),
    "real precision": (GOOD | {"totalAmount": 10.005}, "invalid_amount"),
    "too much": (GOOD | {"totalAmount": 1e16}, "invalid_amount"),
    "an exponent": (b'{"orderId": "o", "tenantId": "t", "totalAmount": 1e999}', "invalid_amount"),
    "four letters": (GOOD | {"currency": "BRLX"}, "unsupported_currency"),
    "lower case": (GOOD | {"currency": "brl"}, "unsupported_currency"),
    "decimals of yen": (GOOD | {"currency": "JPY", "totalAmount": 100.55}, "invalid_amount"),
    "a card": (GOOD | {"customerId": "4242 4242 4242 4242"}, "invalid_request"),
    "NUL": (GOOD | {"customerId": "a\0b"}, "invalid_request"),
    "a deleted tenant": (GOOD | {"tenantId": "gone"}, "tenant_deleted"),
}


async def test_what_cannot_be_charged_is_a_dead_letter_as_it_came(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    await partners.flat_tenant("tenant.deleted", {"tenant_id": "gone"})
    async with asyncio.timeout(30):
        while await api.database.fetchrow("SELECT 1 FROM tenants WHERE id = 'gone'") is None:
            await asyncio.sleep(0.02)
    for name, (body, reason) in BAD.items():
        await partners.publish(PAYMENTS, CHARGE, body)
        why, detail, kept = await letter(partners)
        assert why == reason, (name, why, detail)
        assert detail
        assert not isinstance(body, bytes) or kept == body
    rows = await api.database.fetch(
        "SELECT 1 FROM payment_intents WHERE tenant_id = ANY($1)", ["bad-tenant", "t", "gone"]
    )
    assert rows == []
    # What concerns no payment is passed over, and the queue goes on.
    await handled(api, partners, str(uuid4()))


async def test_a_letter_that_went_back_is_handled_or_dies_again(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    tenant = str(uuid4())
    noted: dict[str, Any] = {EXCHANGE_HEADER: ORDERS, KEY_HEADER: CONFIRMED}
    died = {"queue": SUBSCRIPTION.queue, "exchange": ORDERS, "routing-keys": [CONFIRMED]}
    for order, headers in {"noted": noted, "by-the-broker": {"x-death": [died]}}.items():
        body = {"orderId": order, "tenantId": tenant, "totalAmount": 5}
        await partners.publish("", SUBSCRIPTION.queue, body, headers=headers)
        assert (await payment(api, tenant, order))["amount_minor"] == 500
    # By the default exchange nobody says what it is about: it is not passed over.
    for headers in ({}, {"x-death": [died | {"exchange": "", "routing-keys": [SUBSCRIPTION.queue]}, 7]}):
        await partners.publish("", SUBSCRIPTION.queue, {"orderId": "o", "tenantId": tenant}, headers=headers)
        assert (await letter(partners))[0] == "unknown_routing_key"
    # Only letters say by a header where they were published.
    body = {"orderId": "own-key", "tenantId": tenant, "totalAmount": 5}
    await partners.publish(ORDERS, CONFIRMED, body, headers={KEY_HEADER: CANCELLED})
    await payment(api, tenant, "own-key")


def releasing(api: Api, *, auto_provision: bool = True, policy: CancelPolicy = CancelPolicy.REFUND) -> Orders:
    return Orders(api.database, clock=SystemClock(), policy=policy, auto_provision=auto_provision)


def orders_of(api: Api, *, auto_provision: bool = True, policy: CancelPolicy = CancelPolicy.REFUND) -> OrderConsumers:
    orders = releasing(api, policy=policy, auto_provision=auto_provision)
    return OrderConsumers(orders, OrderSettings(), currencies=frozenset())


def message(routing_key: str, tenant: str, order: str) -> ForeignMessage:
    body = {"orderId": order, "tenantId": tenant, "totalAmount": 10}
    return ForeignMessage(exchange=ORDERS, routing_key=routing_key, content=json.dumps(body))


async def test_an_unknown_tenant_is_waited_for_where_none_is_made(partnered: tuple[Api, Partners]) -> None:
    api, _ = partnered
    strict, tenant = orders_of(api, auto_provision=False), str(uuid4())
    with pytest.raises(TenantNotYet):
        await api.handle(tenant, message(CHARGE, tenant, "o-1"), by=strict.on_orders)
    assert await payments(api, tenant, "o-1") == []


async def test_a_charge_and_a_cancellation_never_miss_each_other(partnered: tuple[Api, Partners]) -> None:
    api, _ = partnered
    one, other, tenant = orders_of(api), orders_of(api), str(uuid4())
    await api.handle(tenant, message(CHARGE, tenant, "first"), by=one.on_orders)
    ids = [f"race-{n}" for n in range(10)]
    await asyncio.gather(
        *(
            api.handle(tenant, message(key, tenant, order), by=by.on_orders)
            for order in ids
            for key, by in ((CHARGE, one), (CANCELLED, other), (CONFIRMED, other))
        )
    )
    for order in ids:
        found = await payments(api, tenant, order)
        assert len(found) <= 1
        assert all(each["is_voiding"] for each in found), order
    # Ignored cancellations leave no trace: the order is charged afterwards.
    ignoring = orders_of(api, policy=CancelPolicy.IGNORE)
    for key in (CANCELLED, CHARGE, CANCELLED):
        await api.handle(tenant, message(key, tenant, "ignored"), by=ignoring.on_orders)
    [kept] = await payments(api, tenant, "ignored")
    assert not kept["is_voiding"]


async def test_old_orders_are_forgotten_and_charged_no_more(partnered: tuple[Api, Partners]) -> None:
    api, _ = partnered
    orders, tenant = orders_of(api), str(uuid4())
    keep = ("young", "waits", "cancelled lately")
    for order in ("old", "cancelled", *keep):
        await api.handle(tenant, message(CHARGE, tenant, order), by=orders.on_orders)
    async with api.database.transaction() as tx:
        await tx.execute("UPDATE orders SET created_at = now() - interval '91 days' WHERE order_id <> 'young'")
        for name, value, order in (
            ("cancelled_at", "now() - interval '91 days'", "cancelled"),
            ("cancelled_at", "now()", "cancelled lately"),
            ("due_at", "now()", "waits"),
        ):
            await tx.execute(
                f"UPDATE orders SET {name} = {value} WHERE tenant_id = $1 AND order_id = $2", tenant, order
            )
    await releasing(api).forget_old(kept=timedelta(days=90))
    rows = await api.database.fetch("SELECT order_id FROM orders WHERE tenant_id = $1", tenant)
    assert {row["order_id"] for row in rows} == set(keep)
    # Its payment names the order: a request that comes again finds it.
    await api.handle(tenant, message(CONFIRMED, tenant, "old"), by=orders.on_orders)
    assert len(await payments(api, tenant, "old")) == 1


async def test_no_property_of_a_message_ends_the_connection(
    partnered: tuple[Api, Partners], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, partners = partnered
    tenant = str(uuid4())
    text = encode.METHODS["shortstr"]
    with monkeypatch.context() as patch:
        # An instant that no calendar has, and an id that is no UTF-8.
        patch.setitem(encode.METHODS, "timestamp", lambda _: (2**63).to_bytes(8))
        patch.setitem(encode.METHODS, "shortstr", lambda v: b"\x02\xff\xfe" if v == "BAD" else text(v))
        body = {"orderId": "odd", "tenantId": tenant, "totalAmount": 5}
        odd = {"X-Correlation-Id": 7, "X-Tenant-Id": [1, {"a": None}]}
        await partners.publish(ORDERS, CONFIRMED, body, message_id="BAD", headers=odd, timestamp=datetime.now(UTC))
        # A header whose name is no UTF-8.
        patch.setitem(encode.METHODS, "table", lambda _: b"\0\0\0\x05\x02\xff\xfet\x01")
        await partners.publish(ORDERS, CONFIRMED, body | {"orderId": "header"}, headers=odd)
    assert (await payment(api, tenant, "header"))["amount_minor"] == 500
    assert (await payment(api, tenant, "odd"))["amount_minor"] == 500
    await handled(api, partners, tenant)


@pytest.mark.parametrize("is_malformed", [False, True])
async def test_trace_of_an_order_goes_on_to_its_payment(partnered: tuple[Api, Partners], *, is_malformed: bool) -> None:
    api, partners = partnered
    tenant, order, trace = str(uuid4()), str(uuid4()), f"00-{uuid4().hex}-00f067aa0ba902b7-01"
    sent = f"{trace}{'0' * 300}" if is_malformed else trace
    body = {"orderId": order, "tenantId": tenant, "totalAmount": 5.0, "customerId": "c"}
    await partners.publish(ORDERS, CONFIRMED, body, headers={"traceparent": sent})
    found = await payment(api, tenant, order)
    rows = await api.database.fetch(
        "SELECT traceparent FROM (SELECT traceparent, body FROM outbox "
        "UNION ALL SELECT traceparent, body FROM outbox_published) m WHERE body LIKE $1",
        f"%{found['id']}%",
    )
    assert {row["traceparent"] for row in rows} == {"" if is_malformed else trace}
