"""The gateway at a fake Stripe: commands over RabbitMQ, calls and webhooks over HTTP, outcomes over RabbitMQ."""

import json
import time
from collections import Counter
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
import pytest

from deploy.fake_stripe import Fault, FaultKind
from deploy.fake_stripe.balance import charge_fee
from deploy.fake_stripe.payouts import create_payout
from deploy.fake_stripe.webhooks import Mischief, roll_secret, signature
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, RefundPayment
from libs.common.ids import new_id
from services.gateway.settings import Settings
from tests.integration.gateway.conftest import StripeGateway, stripe_gateway
from tests.support.databases import TestDatabase
from tests.support.waiting import until

AMOUNT = 15_050


def authorize(payment_method: str = "") -> AuthorizePayment:
    return AuthorizePayment(
        payment_intent_id=new_id(), amount_minor=AMOUNT, currency="BRL", payment_method=payment_method
    )


async def held(stripe: StripeGateway, payment_method: str = "") -> tuple[UUID, str]:
    command = authorize(payment_method)
    await stripe.api.send(command)
    _, _, body = await stripe.api.outcome_of(command.payment_intent_id, "payment.authorized")
    return command.payment_intent_id, body["gateway_ref"]


async def taken(stripe: StripeGateway, payment_method: str = "") -> tuple[UUID, str]:
    intent, reference = await held(stripe, payment_method)
    await stripe.api.send(
        CapturePayment(payment_intent_id=intent, amount_minor=AMOUNT, currency="BRL", gateway_ref=reference)
    )
    await stripe.api.outcome_of(intent, "payment.captured")
    return intent, reference


async def refunded(stripe: StripeGateway, intent: UUID, reference: str) -> UUID:
    command = RefundPayment(
        payment_intent_id=intent, amount_minor=AMOUNT, currency="BRL", gateway_ref=reference, refund_id=new_id()
    )
    await stripe.api.send(command)
    return command.refund_id


async def quiet(stripe: StripeGateway) -> None:
    """Wait until every webhook has been delivered and worked on."""

    async def nothing_waits() -> bool:
        if stripe.fake.sender.waiting:
            return False
        async with stripe.http.get(f"{stripe.base}/metrics") as answer:
            page = await answer.text()
        return sum_of(page, "gateway_stripe_events_total") >= sum_of(page, "gateway_webhooks_kept_total") / 2

    await until(nothing_waits)


def sum_of(page: str, name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name))


def published(stripe: StripeGateway, intent: UUID) -> Counter[str]:
    """What was published about a payment, each event once, however often it was sent."""
    return Counter(
        name for _, name in {(e.id, n) for n, e, b in stripe.api.received if b.get("payment_intent_id") == str(intent)}
    )


async def test_a_payment_goes_through_and_its_fee_is_published(stripe: StripeGateway, tenant_id: str) -> None:
    intent, reference = await taken(stripe)
    _, event, fee = await stripe.api.outcome_of(intent, "processor_movement.recorded")
    assert event.tenant_id == tenant_id
    assert (fee["amount_minor"], fee["currency"], fee["kind"]) == (AMOUNT, "BRL", "charge")
    assert fee["fees"] == [{"kind": "processor", "direction": "out", "amount_minor": charge_fee(AMOUNT)}]
    assert stripe.books.payment_intents[reference]["metadata"]["payment_intent_id"] == str(intent)


async def test_outcome_is_published_once_in_whatever_order_webhooks_come(
    stripe: StripeGateway,
) -> None:
    stripe.fake.sender.mischief = Mischief(duplicated_share=1.0, delay_seconds_max=0.5)
    intents = [await taken(stripe) for _ in range(5)]
    for intent, _ in intents:
        await stripe.api.outcome_of(intent, "processor_movement.recorded")
    await quiet(stripe)
    for intent, _ in intents:
        assert published(stripe, intent) == {
            "payment.authorized": 1,
            "payment.captured": 1,
            "processor_movement.recorded": 1,
        }
    assert len(stripe.books.charges) == 5


async def test_a_webhook_wins_where_every_answer_is_lost(stripe: StripeGateway) -> None:
    stripe.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/payment_intents"))
    intent, reference = await held(stripe)
    assert list(stripe.books.payment_intents) == [reference]
    await stripe.api.send(
        CapturePayment(payment_intent_id=intent, amount_minor=AMOUNT, currency="BRL", gateway_ref=reference)
    )
    await stripe.api.outcome_of(intent, "payment.captured")
    assert published(stripe, intent)["payment.captured"] == 1
    assert stripe.books.payment_intents[reference]["amount_received"] == AMOUNT


async def test_hold_that_only_webhooks_report_has_its_end(stripe: StripeGateway) -> None:
    stripe.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/payment_intents"))
    command = msgspec.structs.replace(authorize(), capture_method="manual")
    await stripe.api.send(command)

    async def end_is_published() -> bool:
        held = [b for n, _, b in stripe.api.received if n == "payment.authorized"]
        return any(b["expires_at"] for b in held if b["payment_intent_id"] == str(command.payment_intent_id))

    await until(end_is_published)


async def test_a_customer_proves_who_they_are(stripe: StripeGateway) -> None:
    command = authorize("pm_card_threeDSecure2Required")
    await stripe.api.send(command)
    _, _, action = await stripe.api.outcome_of(command.payment_intent_id, "payment.action_required")
    assert action["action_url"].startswith(f"{stripe.fake.url}/redirect/")
    await stripe.control(f"payment_intents/{action['gateway_ref']}/authenticate/success")
    await stripe.api.outcome_of(command.payment_intent_id, "payment.authorized")


async def test_a_customer_who_fails_to_is_declined(stripe: StripeGateway) -> None:
    command = authorize("pm_card_threeDSecure2Required")
    await stripe.api.send(command)
    _, _, action = await stripe.api.outcome_of(command.payment_intent_id, "payment.action_required")
    await stripe.control(f"payment_intents/{action['gateway_ref']}/authenticate/failure")
    _, _, declined = await stripe.api.outcome_of(command.payment_intent_id, "payment.declined")
    assert declined["reason"] == "authentication_failed"


async def test_a_decline_is_published_with_the_codes_of_the_network(stripe: StripeGateway) -> None:
    command = authorize("pm_card_chargeDeclinedFraudulent")
    await stripe.api.send(command)
    _, _, declined = await stripe.api.outcome_of(command.payment_intent_id, "payment.declined")
    assert declined["reason"] == "fraud_suspected"
    codes = {"decline_code": "fraudulent", "advice_code": "do_not_try_again"}
    assert declined["codes"] == codes | {"network_decline_code": "59", "network_advice_code": "03"}


async def test_a_hold_that_lapses_is_published(stripe: StripeGateway) -> None:
    intent, reference = await held(stripe)
    await stripe.control(f"payment_intents/{reference}/expire")
    await stripe.api.outcome_of(intent, "payment.authorization_expired")
    await quiet(stripe)
    assert published(stripe, intent) == {"payment.authorized": 1, "payment.authorization_expired": 1}


@pytest.mark.parametrize("outcome", ["won", "lost"])
async def test_a_dispute_is_published_from_its_opening_to_its_end(stripe: StripeGateway, outcome: str) -> None:
    intent, _ = await taken(stripe, "pm_card_createDispute")
    _, _, opened = await stripe.api.outcome_of(intent, "dispute.opened")
    assert (opened["amount_minor"], opened["reason"]) == (AMOUNT, "fraudulent")
    assert opened["evidence_due_at"]
    await stripe.control(f"disputes/{opened['gateway_ref']}/{outcome}")
    _, _, ended = await stripe.api.outcome_of(intent, f"dispute.{outcome}")
    assert ended["dispute_id"] == opened["dispute_id"]

    # The charge, what the bank took, and what it gave back.
    moved = 3 if outcome == "won" else 2

    async def all_movements() -> bool:
        return published(stripe, intent)["processor_movement.recorded"] == moved

    await until(all_movements)
    await quiet(stripe)
    counted = published(stripe, intent)
    assert (counted["dispute.opened"], counted[f"dispute.{outcome}"]) == (1, 1)
    assert counted["processor_movement.recorded"] == moved


async def test_a_pending_refund_is_published_when_it_arrives(stripe: StripeGateway) -> None:
    intent, reference = await taken(stripe, "pm_card_pendingRefund")
    await refunded(stripe, intent, reference)

    async def accepted() -> str | None:
        return next(iter(stripe.books.refunds), None)

    await stripe.control(f"refunds/{await until(accepted)}/succeeded")
    await stripe.api.outcome_of(intent, "refund.succeeded")
    await quiet(stripe)
    assert published(stripe, intent)["refund.succeeded"] == 1


async def test_a_refund_that_comes_back_is_published_after_its_success(stripe: StripeGateway) -> None:
    intent, reference = await taken(stripe, "pm_card_refundFail")
    await refunded(stripe, intent, reference)
    _, _, done = await stripe.api.outcome_of(intent, "refund.succeeded")
    await stripe.control(f"refunds/{done['gateway_ref']}/failed")
    _, _, failed = await stripe.api.outcome_of(intent, "refund.failed")
    assert failed["after_success"] is True


async def test_a_payout_is_published_from_its_beginning_to_its_end(stripe: StripeGateway) -> None:
    # Its money is available at once; that of another card is pending for days.
    await taken(stripe, "pm_card_bypassPending")
    payout = create_payout(stripe.books, {"amount": "5000", "currency": "brl"})

    async def reported(name: str) -> dict[str, Any] | None:
        return next((b for n, _, b in stripe.api.received if n == name and b["gateway_ref"] == payout["id"]), None)

    async def moved(kind: str) -> dict[str, Any] | None:
        found = (b for n, _, b in stripe.api.received if n == "processor_movement.recorded" and b["kind"] == kind)
        return next((b for b in found if b["source_ref"] == payout["id"]), None)

    left = await until(lambda: moved("payout"))
    assert (left["direction"], left["amount_minor"], left["currency"]) == ("out", 5_000, "BRL")
    await stripe.control(f"payouts/{payout['id']}/paid")
    arrived = await until(lambda: reported("payout.paid"))
    assert (arrived["amount_minor"], arrived["currency"]) == (5_000, "BRL")
    await stripe.control(f"payouts/{payout['id']}/failed")
    assert (await until(lambda: reported("payout.debited")))["payout_id"] == arrived["payout_id"]
    assert (await until(lambda: moved("payout_return")))["direction"] == "in"


async def post(
    stripe: StripeGateway, body: bytes, header: str | None, path: str = "/webhooks/stripe"
) -> tuple[int, str]:
    headers = {} if header is None else {"Stripe-Signature": header}
    async with stripe.http.post(stripe.base + path, data=body, headers=headers) as answer:
        found = await answer.json()
        return answer.status, str(found.get("code", ""))


EVENT = {"id": "evt_1", "object": "event", "type": "product.created", "created": 1_763_800_000, "data": {"object": {}}}


async def test_what_is_not_stripes_is_refused_and_counted(stripe: StripeGateway) -> None:
    body = json.dumps(EVENT).encode()
    good = signature(body, stripe.secret)
    assert await post(stripe, body, None) == (400, "webhook_malformed")
    assert await post(stripe, body, "t=x,v1=y") == (400, "webhook_forged")
    assert await post(stripe, body, "nonsense") == (400, "webhook_malformed")
    assert await post(stripe, body, signature(body, "whsec_of_somebody_else")) == (400, "webhook_forged")
    assert await post(stripe, body + b" ", good) == (400, "webhook_forged")
    assert await post(stripe, body, signature(body, stripe.secret, at=1_700_000_000)) == (400, "webhook_stale")
    for wrong in (
        b"[]",
        b"{",
        b'"x"',
        b"\xff\xfe",
        b'{"id": "evt_2"}',
        b'{"id":"e\\u0000","type":"x","created":1,"data":{"object":{}}}',
        *(json.dumps(EVENT | {"created": created}).encode() for created in (10**20, 10**15, -1, None, "1", 1.5)),
    ):
        assert await post(stripe, wrong, signature(wrong, stripe.secret)) == (400, "webhook_malformed")
    ahead = json.dumps(EVENT | {"created": int(time.time()) + 3_600}).encode()
    assert await post(stripe, ahead, signature(ahead, stripe.secret)) == (400, "webhook_stale")
    large = b"x" * 300_000
    assert await post(stripe, large, signature(large, stripe.secret)) == (400, "webhook_too_large")
    async with stripe.http.get(f"{stripe.base}/metrics") as answer:
        page = await answer.text()
    for reason in ("malformed", "forged", "stale", "too_large"):
        assert sum_of(page, f'gateway_webhooks_refused_total{{reason="{reason}"}}') >= 1


async def test_both_addresses_take_events_and_unknown_types_are_kept(
    stripe: StripeGateway, gateway_database: TestDatabase
) -> None:
    books = await asyncpg.connect(gateway_database.admin_url)
    for number, path in enumerate(["/webhooks/stripe", "/v1/webhooks/stripe"]):
        body = json.dumps(EVENT | {"id": f"evt_kept_{number}"}).encode()
        for _ in range(2):
            assert (await post(stripe, body, signature(body, stripe.secret), path))[0] == 200

    async def kept() -> bool:
        rows = await books.fetch("SELECT status, body FROM gateway.stripe_events WHERE id LIKE 'evt_kept_%'")
        return [row["status"] for row in rows] == ["IGNORED", "IGNORED"] and "product.created" in rows[0]["body"]

    await until(kept)
    await books.close()


async def test_a_rolled_secret_is_taken_while_both_are_in_force(stripe_settings: Settings, tenant_id: str) -> None:
    async with stripe_gateway(stripe_settings, tenant_id) as stripe:
        (endpoint,) = stripe.books.webhook_endpoints.values()
        roll_secret(endpoint, overlap_seconds=60)
        # The gateway knows the old secret only; Stripe signs with both.
        stripe.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/payment_intents"))
        await held(stripe)


async def test_commands_wait_while_the_circuit_is_open_as_health_shows(
    stripe_settings: Settings, tenant_id: str
) -> None:
    hasty = msgspec.structs.replace(
        stripe_settings.processor,
        circuit_breaker_failure_threshold=2,
        circuit_breaker_recovery_timeout=1.0,
        max_retries=1,
    )
    async with stripe_gateway(msgspec.structs.replace(stripe_settings, processor=hasty), tenant_id) as stripe:
        stripe.fake.faults.add(Fault(kind=FaultKind.ERROR_BEFORE, status=503))
        commands = [authorize() for _ in range(10)]
        await stripe.api.send(*commands)

        async def state(expected: str) -> bool:
            async with stripe.http.get(f"{stripe.base}/readyz") as answer:
                assert answer.status == 200
                details: dict[str, str] = (await answer.json())["details"]
            assert details["circuit_sandbox"] == "closed"
            return details["circuit_stripe"] == expected

        await until(lambda: state("open"))
        stripe.fake.faults.clear()
        for command in commands:
            name, _, _ = await stripe.api.outcome_of(
                command.payment_intent_id, "payment.authorized", "payment.declined"
            )
            assert name == "payment.authorized"
        await until(lambda: state("closed"))
        assert len(stripe.books.charges) == 10


async def test_stripes_own_pages_are_not_needed(stripe: StripeGateway) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{stripe.base}/webhooks/stripe") as answer:
        assert answer.status == 405
