"""The stand-in for Stripe keeps Stripe's own rules: keys, errors, balances, webhooks."""

from typing import Any

import aiohttp
import pytest

from deploy.fake_stripe import FakeStripe, Fault, FaultKind, running_fake_stripe
from deploy.fake_stripe.balance import charge_fee
from deploy.fake_stripe.webhooks import create_endpoint, roll_secret, signature
from services.gateway.processors.stripe import NotGenuine, verify

KEY = "sk_test_rules"
PAYMENT = {"amount": "1000", "currency": "brl", "payment_method": "pm_card_visa", "confirm": "true"}


class Caller:
    """Calls the API as curl would."""

    def __init__(self, fake: FakeStripe, http: aiohttp.ClientSession) -> None:
        self.fake = fake
        self._http = http

    async def post(
        self, path: str, params: dict[str, str], *, key: str = "", api_key: str = KEY
    ) -> tuple[int, Any, Any]:
        headers = {"Authorization": f"Bearer {api_key}"} | ({"Idempotency-Key": key} if key else {})
        async with self._http.post(self.fake.url + path, data=params, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers


@pytest.fixture
async def caller() -> Any:
    async with running_fake_stripe() as fake, aiohttp.ClientSession() as http:
        yield Caller(fake, http)


async def test_key_gives_the_same_answer_for_the_same_parameters_alone(caller: Caller) -> None:
    status, first, headers = await caller.post("/v1/payment_intents", PAYMENT, key="k")
    assert (status, "Idempotent-Replayed" in headers) == (200, False)
    status, again, headers = await caller.post("/v1/payment_intents", PAYMENT, key="k")
    assert (status, again, headers["Idempotent-Replayed"]) == (200, first, "true")
    status, body, _ = await caller.post("/v1/payment_intents", PAYMENT | {"amount": "2"}, key="k")
    assert (status, body["error"]["type"]) == (400, "idempotency_error")
    status, body, _ = await caller.post("/v1/payment_intents", PAYMENT, key="k", api_key="sk_test_other")
    assert body["id"] != first["id"]


async def test_a_key_keeps_declines_and_errors_but_not_what_never_ran(caller: Caller) -> None:
    declined = PAYMENT | {"payment_method": "pm_card_chargeDeclined"}
    for _ in range(2):
        status, body, _ = await caller.post("/v1/payment_intents", declined, key="declined")
        assert (status, body["error"]["decline_code"]) == (402, "generic_decline")
    assert len(caller.fake.account(KEY).payment_intents) == 1
    caller.fake.faults.add(Fault(kind=FaultKind.ERROR_AFTER, times=1))
    for _ in range(2):
        status, body, headers = await caller.post("/v1/payment_intents", PAYMENT, key="error")
        assert (status, headers["Stripe-Should-Retry"]) == (500, "false")
    assert len(caller.fake.account(KEY).payment_intents) == 2
    status, _, _ = await caller.post("/v1/payment_intents", PAYMENT | {"amount": "x"}, key="wrong")
    assert status == 400
    status, _, _ = await caller.post("/v1/payment_intents", PAYMENT, key="wrong")
    assert status == 200


async def test_errors_have_stripes_shape(caller: Caller) -> None:
    status, body, _ = await caller.post("/v1/payment_intents", PAYMENT | {"colour": "red"})
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "parameter_unknown", "colour")
    status, body, _ = await caller.post("/v1/payment_intents/pi_none/capture", {})
    assert (status, body["error"]["code"]) == (404, "resource_missing")
    status, body, _ = await caller.post("/v1/payment_intents", PAYMENT, api_key="pk_test_public")
    assert (status, body["error"]["type"]) == (401, "invalid_request_error")
    status, body, _ = await caller.post("/v1/nothing", {})
    assert status == 404


async def test_balance_is_captures_less_fees_refunds_disputes_and_payouts(caller: Caller) -> None:
    books = caller.fake.account(KEY)
    _, paid, _ = await caller.post("/v1/payment_intents", PAYMENT | {"amount": "10000"})
    _, disputed, _ = await caller.post(
        "/v1/payment_intents", PAYMENT | {"amount": "5000", "payment_method": "pm_card_createDispute"}
    )
    await caller.post("/v1/refunds", {"payment_intent": paid["id"], "amount": "3000"})
    (dispute,) = books.disputes.values()
    await caller.post(f"/_control/disputes/{dispute['id']}/won", {})
    _, payout, _ = await caller.post("/v1/payouts", {"amount": "1000", "currency": "brl"})
    await caller.post(f"/_control/payouts/{payout['id']}/failed", {})
    left = sum(t["net"] for t in books.balance_transactions.values())
    assert left == 10_000 + 5_000 - charge_fee(10_000) - charge_fee(5_000) - 3_000 - 1_500
    status, body, _ = await caller.post("/v1/payouts", {"amount": "999999", "currency": "brl"})
    assert (status, body["error"]["code"]) == (400, "balance_insufficient")
    assert disputed["status"] == "succeeded"


async def test_a_rolled_secret_signs_beside_the_new_one(caller: Caller) -> None:
    endpoint = create_endpoint(caller.fake.account(KEY), {"url": "http://127.0.0.1:1/", "enabled_events": ["*"]})
    old = endpoint["secret"]
    roll_secret(endpoint, overlap_seconds=60)
    header = signature(b"{}", endpoint["secret"], old)
    for secret in (old, endpoint["secret"]):
        assert verify(b"{}", header, ["whsec_other", secret], tolerance_seconds=300) == "{}"
    with pytest.raises(NotGenuine, match="forged"):
        verify(b"{}", header, ["whsec_other"], tolerance_seconds=300)
    with pytest.raises(NotGenuine, match="forged"):
        verify(b"{}", header, [], tolerance_seconds=300)
