"""A tenant brings a Stripe account of its own over the api, and its payments go that way from HTTP to the books and back."""

import asyncio
import subprocess
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.e2e.own_account.shop import CONNECTIONS_MAX, OPERATIONS_TOKEN, Shop
from tests.support.databases import SERVICES
from tests.support.platform import ROOT


@pytest.mark.parametrize("service", SERVICES)
async def test_operators_pages_ask_for_the_token_on_every_service(shop: Shop, service: str) -> None:
    base, http = shop.platform.base(service), shop.platform.http
    for path in ("/metrics", "/asyncapi", "/asyncapi.json"):
        for method in ("GET", "HEAD"):
            for headers, status in (
                ({}, 401),
                ({"Authorization": f"Bearer {OPERATIONS_TOKEN[:-1]}"}, 401),
                ({"Authorization": f"Bearer {shop.admin.token}"}, 401),
                ({"Authorization": f"Bearer {OPERATIONS_TOKEN}"}, 200),
            ):
                async with http.request(method, base + path, headers=headers) as answer:
                    assert answer.status == status, (method, path, headers)
                    assert status == 200 or "http_requests_total" not in await answer.text()
    for path in ("/healthz", "/readyz"):
        async with http.get(base + path) as answer:
            assert answer.status == 200


async def _wire(base: str, sent: bytes) -> bytes:
    """Send bytes over a connection of its own and return all of the answer, however the service ends it."""
    address = urlsplit(base)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


async def test_every_service_bounds_requests_before_it_asks_who_makes_them(shop: Shop) -> None:
    start, end = b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n"
    sent = (
        start + end,
        start + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + end,
        start + b"X: " + b"x" * 70_000 + b"\r\n" + end,
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n" + end,
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n" + end,
        start + b"X-Slow: 1",
    )
    bases = [shop.platform.base(service) for service in SERVICES]
    every = await asyncio.gather(*(asyncio.gather(*(_wire(base, part) for part in sent)) for base in bases))
    for service, answers in zip(SERVICES, every, strict=True):
        statuses = [int(answer.split(b" ", 2)[1]) for answer in answers]
        assert statuses == [200, 431, 431, 414, 413, 408], service
        assert all(b"application/problem+json" in answer for answer in answers[1:]), service


@pytest.mark.parametrize("service", SERVICES)
async def test_connections_are_bounded_and_the_next_is_refused(shop: Shop, service: str) -> None:
    base = shop.platform.base(service)
    address = urlsplit(base)
    idle = [await asyncio.open_connection(address.hostname, address.port) for _ in range(CONNECTIONS_MAX)]
    try:
        refused = await _wire(base, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert refused.split(b" ", 2)[1] == b"503"
        assert b"retry-after" in refused.lower()
    finally:
        for _, writer in idle:
            writer.close()
    async with asyncio.timeout(30):
        while b" 200 " not in await _wire(base, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            await asyncio.sleep(0.05)


async def test_payments_and_their_refunds_use_the_tenants_own_account(shop: Shop) -> None:
    config = await shop.configure()
    name = f"stripe:{config['id']}"
    intent_id = await shop.paid()
    assert await shop.processors(intent_id) == [("authorize", name, "APPROVED"), ("capture", name, "APPROVED")]
    (charge,) = shop.made_for(intent_id, shop.account.charges)
    assert charge["amount_captured"] == 2_500

    answer = await shop.operator.call(
        "POST", f"/v1/payment-intents/{intent_id}/refund", {"amount": "10.00"}, key=str(uuid4())
    )
    assert answer.status == 200, answer.raw
    await shop.operator.settled(intent_id, status="PARTIALLY_REFUNDED")
    assert charge["amount_refunded"] == 1_000

    listed = await shop.admin.call("GET", "/v1/gateway-configs")
    assert shop.key not in listed.raw.decode()
    assert [c["secret_key_last4"] for c in listed.json] == ["wxyz"]
    audited = (await shop.admin.call("GET", "/v1/audit?action=gateway.add_gateway_config")).json["data"]
    assert audited[0]["target"]
    assert shop.key not in str(audited)

    # Deleted, it takes no new payment, and still gives back what it took.
    assert (await shop.admin.call("DELETE", f"/v1/gateway-configs/{config['id']}")).status == 204
    assert (await shop.admin.call("GET", "/v1/gateway-configs")).json == []
    await asyncio.sleep(0.2)
    assert [p for _, p, _ in await shop.processors(await shop.paid())] == ["sandbox", "sandbox"]
    answer = await shop.operator.call("POST", f"/v1/payment-intents/{intent_id}/refund", key=str(uuid4()))
    assert answer.status == 200, answer.raw
    await shop.operator.settled(intent_id, status="REFUNDED")


async def test_declined_card_then_another_is_charged_once(shop: Shop) -> None:
    config = await shop.configure()
    body = {"amount": "25.00", "currency": "EUR", "customer_ref": "c", "payment_method": "pm_card_chargeDeclined"}
    made = (await shop.operator.call("POST", "/v1/payment-intents", body, key=str(uuid4()))).json["id"]
    where, declined = f"/v1/payment-intents/{made}/confirm", "pm_card_chargeDeclinedInsufficientFunds"
    first = await shop.operator.confirm(made)
    assert (first.json["status"], first.json["failure_code"]) == ("FAILED", "card_declined"), first.raw
    for method, status in ((declined, "FAILED"), ("pm_card_visa", "AUTHORIZED")):
        # Two windows of one customer.
        answers = await asyncio.gather(
            *(shop.operator.call("POST", where, {"payment_method": method}, key=str(uuid4())) for _ in range(2))
        )
        assert {a.status for a in answers} <= {200, 202}, answers
        assert status in {a.json["status"] for a in answers}, answers
    await shop.operator.settled(made)
    account = shop.account
    intents = shop.made_for(made, account.payment_intents)
    assert [intent["status"] for intent in intents] == ["canceled", "canceled", "succeeded"]
    taken = [
        charge
        for charge in account.charges.values()
        if charge["captured"] and charge["payment_intent"] in {i["id"] for i in intents}
    ]
    assert [charge["amount_captured"] for charge in taken] == [2_500]
    attempts = await shop.processors(made)
    assert [(operation, status) for operation, _, status in attempts if operation != "close"] == [
        *[("authorize", "DECLINED")] * 2,
        *(("authorize", "APPROVED"), ("capture", "APPROVED")),
    ]
    entries = (await shop.operator.call("GET", f"/v1/ledger/entries?payment_intent_id={made}")).json
    captures = [entry["lines"] for entry in entries if entry["kind"] == "capture"]
    assert [[(line["side"], line["amount"]) for line in lines] for lines in captures] == [
        [("DEBIT", "25.00"), ("CREDIT", "25.00")]
    ]
    timeline = (await shop.operator.call("GET", f"/v1/payment-intents/{made}/events")).json
    public = [
        event["type"]
        for event in timeline
        if event["type"] in {"payment.failed", "payment.authorized", "payment.settled"}
    ]
    assert public == ["payment.failed", "payment.failed", "payment.authorized", "payment.settled"]
    # Stripe's events of the payments before are of those.
    kept = await shop.admin.call("GET", "/v1/gateway-events?status=UNMATCHED,CONTRADICTED,FAILED")
    assert kept.json == []
    assert (await shop.admin.call("DELETE", f"/v1/gateway-configs/{config['id']}")).status == 204


async def test_a_dispute_reaches_the_payment(shop: Shop) -> None:
    config = await shop.configure()
    intent_id = await shop.paid()
    (intent,) = shop.made_for(intent_id, shop.account.payment_intents)
    auth = {"Authorization": f"Bearer {shop.key}"}
    url = f"{shop.fake.url}/_control/payment_intents/{intent['id']}/dispute"
    async with shop.platform.http.post(url, headers=auth) as done:
        assert done.status == 200
    async with asyncio.timeout(60):
        while not (await shop.operator.call("GET", f"/v1/payment-intents/{intent_id}/disputes")).json:
            await asyncio.sleep(0.05)
    [dispute] = (await shop.operator.call("GET", f"/v1/payment-intents/{intent_id}/disputes")).json
    for reference in (intent["id"], dispute["gateway_ref"]):
        found = (await shop.operator.call("GET", f"/v1/payment-intents?gateway_ref={reference}")).json
        assert [each["id"] for each in found["data"]] == [intent_id], reference
    # An event counts as handled once what it reported is recorded.
    expected, handled = {"charge.dispute.created", "payment_intent.succeeded"}, set[str]()
    async with asyncio.timeout(60):
        while not expected <= handled:
            events = await shop.admin.call("GET", "/v1/gateway-events?status=HANDLED&limit=500")
            handled = {e["type"] for e in events.json}
    assert (await shop.admin.call("GET", "/v1/gateway-events?status=UNMATCHED")).json == []
    assert (await shop.admin.call("DELETE", f"/v1/gateway-configs/{config['id']}")).status == 204


async def test_only_administrators_see_configurations_attempts_and_events(shop: Shop) -> None:
    for path in ("/v1/gateway-configs", f"/v1/payment-intents/{uuid4()}/attempts", "/v1/gateway-events"):
        assert (await shop.operator.call("GET", path)).status == 403
    answer = await shop.admin.call("GET", f"/v1/payment-intents/{uuid4()}/attempts")
    assert (answer.status, answer.json["code"]) == (404, "payment_intent_not_found")
    intent = await shop.operator.create("25.00")
    assert await shop.processors(intent["id"]) == []
    answer = await shop.admin.call("DELETE", f"/v1/gateway-configs/{uuid4()}")
    assert (answer.status, answer.json["code"]) == (404, "gateway_config_not_found")
    answer = await shop.admin.call("POST", "/v1/gateway-configs", {"processor": "stripe", "secret_key": "pk_test_x"})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/secret_key")


async def test_the_status_of_the_gateway_is_shown_in_words(shop: Shop) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        shop.platform.command("gateway", "status"),
        cwd=ROOT,
        env=shop.platform.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "circuit stripe     closed" in done.stdout
    assert "left to a person   0" in done.stdout
