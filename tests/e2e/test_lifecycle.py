"""The whole life of payments over HTTP, through four services: captured in parts, voided, expired, refunded, disputed."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support.platform import Answer, Client
from tests.support.receiver import Receiver

WAIT_SECONDS = 60
CLEARING = ("DISPUTE_CLEARING", "GATEWAY_CLEARING")


class Merchant:
    """A merchant's program: it sends requests, waits for a fact, and receives webhooks."""

    def __init__(self, client: Client, receiver: Receiver) -> None:
        self.client = client
        self._receiver = receiver

    async def held(self, amount: str, *, capture_method: str = "manual") -> str:
        """Create and confirm a payment; returns its id."""
        body = {"amount": amount, "currency": "BRL", "customer_ref": "c-1", "capture_method": capture_method}
        made = await self.client.call("POST", "/v1/payment-intents", body, key=str(uuid4()))
        assert made.status == 200, made.raw
        assert made.json["capture_method"] == capture_method
        confirmed = await self.client.confirm(made.json["id"])
        assert confirmed.status == 200, confirmed.raw
        return str(made.json["id"])

    async def settled(self, amount: str) -> str:
        """Lead a payment into the books; returns its id."""
        intent = await self.held(amount, capture_method="automatic")
        await self.client.settled(intent)
        return intent

    async def do(self, intent: str, what: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Ask for a capture, void or refund."""
        return await self.client.call("POST", f"/v1/payment-intents/{intent}/{what}", body, key=key or str(uuid4()))

    async def read(self, intent: str, part: str = "") -> Any:
        """Read a payment, or a part of it."""
        answer = await self.client.call("GET", f"/v1/payment-intents/{intent}{part}")
        assert answer.status == 200, answer.raw
        return answer.json

    async def until(self, intent: str, **expected_fields: str) -> Any:
        """Wait until members of a payment have these values."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not expected_fields.items() <= (found := await self.read(intent)).items():
                await asyncio.sleep(0.05)
        return found

    async def delivered(self, intent: str, *expected: str) -> dict[str, dict[str, Any]]:
        """Wait until webhooks have delivered these events of a payment and no others; returns their data by name."""

        def received() -> list[Any]:
            bodies = (json.loads(delivery.body) for delivery in self._receiver.received)
            return [body for body in bodies if body["data"]["payment_intent_id"] == intent]

        async with asyncio.timeout(WAIT_SECONDS):
            while Counter(body["type"] for body in received()) < Counter(expected):
                await asyncio.sleep(0.05)
        assert Counter(body["type"] for body in received()) == Counter(expected)
        return {body["type"]: body["data"] for body in received()}

    async def entries(self, intent: str, *, at_least: int) -> dict[str, int]:
        """Wait for that many journal entries of a payment; returns what each account holds, debits less credits."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                answer = await self.client.call("GET", f"/v1/ledger/entries?payment_intent_id={intent}")
                assert answer.status == 200, answer.raw
                if len(answer.json) >= at_least:
                    break
                await asyncio.sleep(0.05)
        assert len(answer.json) == at_least
        sums: Counter[str] = Counter()
        for line in (line for entry in answer.json for line in entry["lines"]):
            minor = int(line["amount"].replace(".", ""))
            sums[line["account"]] += minor if line["side"] == "DEBIT" else -minor
        return dict(sums)


@pytest.fixture
async def merchant(admin: Client, operator: Client, receiver: Receiver) -> AsyncIterator[Merchant]:
    registered = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["*"]})
    assert registered.status == 201, registered.raw
    yield Merchant(operator, receiver)
    assert (await admin.call("DELETE", f"/v1/webhooks/{registered.json['id']}")).status == 204


async def test_a_part_is_captured_then_given_back_in_two_refunds(merchant: Merchant) -> None:
    intent = await merchant.held("150.50")
    held = await merchant.read(intent)
    assert (held["status"], held["authorized_amount"], held["captured_amount"]) == ("AUTHORIZED", "150.50", "0.00")
    assert held["expires_at"]
    early = await merchant.do(intent, "refund", {"amount": "1.00"})
    assert (early.status, early.json["code"]) == (409, "cannot_refund")
    assert early.json["detail"] == "cannot refund payment with status AUTHORIZED"
    more = await merchant.do(intent, "capture", {"amount": "150.51"})
    assert (more.status, more.json["code"]) == (422, "capture_exceeds_authorization")

    key = str(uuid4())
    captured = await merchant.do(intent, "capture", {"amount": "100.50"}, key=key)
    assert captured.status == 200, captured.raw
    assert captured.json["captured_amount"] == "100.50"
    again = await merchant.do(intent, "capture", {"amount": 100.5}, key=key)
    assert (again.raw, again.headers["Idempotency-Replayed"]) == (captured.raw, "true")
    await merchant.until(intent, status="SETTLED")

    first = await merchant.do(intent, "refund", {"amount": "40.25", "reason": "customer_request"})
    assert first.status == 200, first.raw
    assert (first.json["status"], first.json["amount"], first.json["reason"]) == (
        "COMPLETED",
        "40.25",
        "customer_request",
    )
    assert first.json["gateway_ref"]
    assert (await merchant.read(intent))["status"] == "PARTIALLY_REFUNDED"
    refused = await merchant.client.confirm(intent)
    assert (refused.status, refused.json["detail"]) == (409, "cannot confirm status PARTIALLY_REFUNDED")
    too_much = await merchant.do(intent, "refund", {"amount": 1000})
    assert (too_much.status, too_much.json["code"]) == (422, "refund_exceeds_payment")
    assert too_much.json["detail"] == "total refunds (1040.25) would exceed payment amount (100.50)"

    rest = await merchant.do(intent, "refund")
    assert (rest.json["amount"], rest.json["reason"]) == ("60.25", None)
    done = await merchant.read(intent)
    assert (done["status"], done["refunded_amount"]) == ("REFUNDED", "100.50")
    after = await merchant.do(intent, "refund", {"amount": 1})
    assert (after.status, after.json["detail"]) == (409, "cannot refund payment with status REFUNDED")
    assert [r["id"] for r in await merchant.read(intent, "/refunds")] == [rest.json["id"], first.json["id"]]

    books = await merchant.entries(intent, at_least=3)
    assert books == {"CASH": 0, "REVENUE": -10050, "REFUND_EXPENSE": 10050}
    delivered = await merchant.delivered(
        intent,
        *("payment.intent.created", "payment.authorized", "payment.captured", "payment.settled"),
        *("payment.refunded", "payment.refunded"),
    )
    assert delivered["payment.captured"]["captured_amount"] == "100.50"
    assert set(delivered["payment.refunded"]) >= {
        *("payment_intent_id", "refund_id", "amount", "currency", "reason", "payment_status", "order_id"),
        *("correlation_id", "tenant_id"),
    }
    timeline = [event["type"] for event in await merchant.read(intent, "/events")]
    assert timeline.count("payment.refund") == timeline.count("payment.refunded") == 2


async def test_held_funds_are_let_go_of_and_a_wish_at_once(merchant: Merchant) -> None:
    intent = await merchant.held("77.00")
    voided = await merchant.do(intent, "void")
    assert (voided.status, voided.json["status"]) == (200, "VOIDED"), voided.raw
    assert (await merchant.do(intent, "void")).json["status"] == "VOIDED"
    late = await merchant.do(intent, "capture")
    assert (late.status, late.json["detail"]) == (409, "cannot capture status VOIDED")
    await merchant.delivered(intent, "payment.intent.created", "payment.authorized", "payment.voided")

    wish = await merchant.client.create("78.00")
    assert (await merchant.do(wish["id"], "void")).json["status"] == "VOIDED"
    refused = await merchant.client.confirm(wish["id"])
    assert (refused.status, refused.json["code"]) == (409, "cannot_confirm")
    await merchant.delivered(wish["id"], "payment.intent.created", "payment.voided")


async def test_a_payment_voided_while_processing_is_let_go_of(merchant: Merchant) -> None:
    made = await merchant.client.create("90.13")
    begun = await merchant.client.confirm(made["id"], headers={"Prefer": "respond-async"})
    assert (begun.status, begun.json["status"]) == (202, "PROCESSING"), begun.raw
    voided = await merchant.do(made["id"], "void")
    assert (voided.status, voided.json["status"]) in {(200, "VOIDED"), (202, "PROCESSING")}, voided.raw
    assert (await merchant.until(made["id"], status="VOIDED"))["captured_amount"] == "0.00"
    await merchant.delivered(made["id"], "payment.intent.created", "payment.authorized", "payment.voided")


async def test_a_void_that_the_processor_refuses_leaves_the_funds_held(merchant: Merchant) -> None:
    intent = await merchant.held("90.61")
    answer = await merchant.do(intent, "void")
    assert (answer.status, answer.json["status"]) == (200, "AUTHORIZED"), answer.raw
    assert (await merchant.do(intent, "capture")).json["captured_amount"] == "90.61"


async def test_a_capture_and_a_void_at_once_are_decided_once(merchant: Merchant) -> None:
    for _ in range(3):
        intent = await merchant.held("79.00")
        captured, voided = await asyncio.gather(merchant.do(intent, "capture"), merchant.do(intent, "void"))
        assert sorted((captured.status, voided.status)) == [200, 409]
        won = "SETTLED" if captured.status == 200 else "VOIDED"
        await merchant.until(intent, status=won)


async def test_a_hold_that_nobody_captures_expires(merchant: Merchant) -> None:
    intent = await merchant.held("90.44")
    expired = await merchant.until(intent, status="EXPIRED")
    assert expired["expires_at"] is None
    await merchant.delivered(intent, "payment.intent.created", "payment.authorized", "payment.expired")
    refused = await merchant.do(intent, "capture")
    assert (refused.status, refused.json["detail"]) == (409, "cannot capture status EXPIRED")


@pytest.mark.parametrize(("amount", "end"), [("90.41", "SETTLED"), ("90.42", "FAILED")])
async def test_a_customer_acts_before_the_funds_are_held(merchant: Merchant, amount: str, end: str) -> None:
    made = await merchant.client.create(amount)
    confirmed = await merchant.client.confirm(made["id"])
    assert (confirmed.status, confirmed.json["status"]) == (200, "REQUIRES_ACTION"), confirmed.raw
    assert confirmed.json["action_url"].startswith("https://")
    await merchant.until(made["id"], status=end)
    ending = {"SETTLED": ("payment.authorized", "payment.captured", "payment.settled"), "FAILED": ("payment.failed",)}
    await merchant.delivered(made["id"], "payment.intent.created", "payment.requires_action", *ending[end])


async def test_a_customer_who_has_left_is_let_go_of(merchant: Merchant) -> None:
    made = await merchant.client.create("90.43")
    await merchant.client.confirm(made["id"])
    voided = await merchant.do(made["id"], "void")
    assert (voided.status, voided.json["status"]) == (200, "VOIDED"), voided.raw
    await merchant.delivered(made["id"], "payment.intent.created", "payment.requires_action", "payment.voided")


async def test_a_refund_that_the_processor_refuses_is_undone(merchant: Merchant) -> None:
    intent = await merchant.settled("200.00")
    refused = await merchant.do(intent, "refund", {"amount": "90.51"})
    assert (refused.status, refused.json["status"]) == (200, "FAILED"), refused.raw
    assert refused.json["failure_code"] == "processor_refused"
    assert (await merchant.read(intent))["status"] == "SETTLED"
    assert await merchant.entries(intent, at_least=1) == {"CASH": 20000, "REVENUE": -20000}
    # What failed is left to refund.
    assert (await merchant.do(intent, "refund")).json["amount"] == "200.00"
    await merchant.delivered(
        intent,
        *("payment.intent.created", "payment.authorized", "payment.captured", "payment.settled"),
        *("refund.failed", "payment.refunded"),
    )


async def test_a_refund_that_fails_after_it_succeeded_is_undone_in_the_books(merchant: Merchant) -> None:
    intent = await merchant.settled("90.54")
    refunded = await merchant.do(intent, "refund")
    assert refunded.json["status"] == "COMPLETED", refunded.raw
    await merchant.until(intent, status="SETTLED", refunded_amount="0.00")
    [refund] = await merchant.read(intent, "/refunds")
    assert (refund["status"], refund["failure_code"]) == ("FAILED", "processor_refused")
    assert await merchant.entries(intent, at_least=3) == {"CASH": 9054, "REVENUE": -9054, "REFUND_EXPENSE": 0}
    delivered = await merchant.delivered(
        intent,
        *("payment.intent.created", "payment.authorized", "payment.captured", "payment.settled"),
        *("payment.refunded", "refund.failed"),
    )
    assert delivered["refund.failed"]["payment_status"] == "SETTLED"


async def test_a_pending_refund_ends_by_itself(merchant: Merchant) -> None:
    intent = await merchant.settled("90.52")
    body = {"amount": "90.52"}
    answer = await merchant.client.call(
        "POST",
        f"/v1/payment-intents/{intent}/refund",
        body,
        key=str(uuid4()),
        headers={"Prefer": "respond-async"},
    )
    assert (answer.status, answer.json["status"]) == (200, "PENDING"), answer.raw
    none_left = await merchant.do(intent, "refund")
    assert (none_left.status, none_left.json["code"]) == (422, "refund_exceeds_payment")
    await merchant.until(intent, status="REFUNDED")


async def test_twenty_refunds_at_once_never_give_back_more_than_was_captured(merchant: Merchant) -> None:
    intent = await merchant.settled("100.00")
    answers = await asyncio.gather(*(merchant.do(intent, "refund", {"amount": "30.00"}) for _ in range(20)))
    assert Counter(answer.status for answer in answers) == {200: 3, 422: 17}
    await merchant.until(intent, status="PARTIALLY_REFUNDED", refunded_amount="90.00")
    assert await merchant.entries(intent, at_least=4) == {"CASH": 1000, "REVENUE": -10000, "REFUND_EXPENSE": 9000}
    key = str(uuid4())
    same = await asyncio.gather(*(merchant.do(intent, "refund", {"amount": "1.00"}, key=key) for _ in range(10)))
    assert {answer.status for answer in same} <= {200, 409}
    await merchant.until(intent, refunded_amount="91.00")


@pytest.mark.parametrize(
    ("amount", "end", "books"),
    [
        ("90.72", "WON", {"CASH": 9072, "REVENUE": -9072, "DISPUTE_CLEARING": 0}),
        ("90.73", "LOST", {"CASH": 0, "REVENUE": -9073, "DISPUTE_CLEARING": 0, "DISPUTE_LOSSES": 9073}),
    ],
)
async def test_a_dispute_takes_the_money_and_is_decided(
    merchant: Merchant, amount: str, end: str, books: dict[str, int]
) -> None:
    intent = await merchant.settled(amount)
    await merchant.until(intent, disputed_amount=amount)
    refused = await merchant.do(intent, "refund", {"amount": "1.00"})
    assert (refused.status, refused.json["code"]) == (422, "refund_exceeds_payment")
    assert refused.json["detail"].endswith(f"less {amount} in dispute")
    async with asyncio.timeout(WAIT_SECONDS):
        while (disputes := await merchant.read(intent, "/disputes"))[0]["status"] != end:
            await asyncio.sleep(0.05)
    assert (disputes[0]["amount"], disputes[0]["reason"]) == (amount, "fraudulent")
    assert disputes[0]["evidence_due_at"]
    assert (await merchant.read(intent))["disputed_amount"] == ("0.00" if end == "WON" else amount)
    assert await merchant.entries(intent, at_least=3) == books
    await merchant.delivered(
        intent,
        *("payment.intent.created", "payment.authorized", "payment.captured", "payment.settled"),
        *("dispute.opened", f"dispute.{end.lower()}"),
    )


async def test_what_cannot_be_refunded_says_so_in_known_words(merchant: Merchant) -> None:
    nobody = str(uuid4())
    unknown = await merchant.do(nobody, "refund", {"amount": 1})
    assert (unknown.status, unknown.json["detail"]) == (404, "payment intent not found")
    missing = await merchant.client.call("GET", f"/v1/payment-intents/{nobody}/refunds")
    assert (missing.status, missing.json["code"]) == (404, "payment_intent_not_found")
    intent = await merchant.client.create("10.00")
    missing = await merchant.client.call("POST", f"/v1/payment-intents/{intent['id']}/refund", {"amount": 1})
    assert (missing.status, missing.json["detail"]) == (400, "Missing Idempotency-Key")
    for body in ({"amount": 0.004}, {"amount": -1}, {"amount": "x"}, {"amount": 1, "reason": "x" * 501}):
        invalid = await merchant.do(intent["id"], "refund", body)
        assert invalid.status == 422, (body, invalid.raw)
