"""Accounts of the stand-in: several keys, restricted and expired ones, two modes, and what one does not see of another."""

from typing import Any

from deploy.fake_stripe import Fault, FaultKind
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeProcessor
from tests.support.fake_stripe import KEY, PAYMENT, Caller


async def test_account_has_several_keys_and_a_rolled_one_opens_nothing(caller: Caller) -> None:
    paid = await caller.paid()
    caller.fake.add_key("sk_test_second", of=KEY)
    account = await caller.found("/v1/account", api_key="sk_test_second")
    assert account["id"] == (await caller.found("/v1/account"))["id"] == caller.books.account_id
    caller.fake.expire_key(KEY)
    assert (await caller.get("/v1/account")).code == (401, "api_key_expired")
    found = await caller.found(f"/v1/payment_intents/{paid['id']}", api_key="sk_test_second")
    assert found["id"] == paid["id"]


async def test_restricted_key_does_what_it_may(caller: Caller) -> None:
    paid = await caller.paid()
    caller.fake.add_key("rk_test_reads", of=KEY, permissions=frozenset({"payment_intent_read", "charge_write"}))
    read = await caller.get(f"/v1/payment_intents/{paid['id']}", api_key="rk_test_reads")
    listed = await caller.get("/v1/charges", api_key="rk_test_reads")
    assert (read.status, listed.status) == (200, 200)
    refused = await caller.post("/v1/payment_intents", PAYMENT, api_key="rk_test_reads")
    assert refused.status == 403
    assert "rak_payment_intent_write" in refused.error["message"]
    assert "rk_test_reads" not in refused.error["message"]
    assert (await caller.get("/v1/account", api_key="rk_test_reads")).status == 403
    caller.fake.add_key("rk_test_webhooks", of=KEY, permissions=frozenset({"webhook_read"}))
    deleting = await caller.call("DELETE", "/v1/webhook_endpoints/we_none", api_key="rk_test_webhooks")
    assert deleting.status == 403


async def test_other_account_or_mode_has_no_such_object(caller: Caller) -> None:
    paid = await caller.paid()
    live = caller.fake.add_key("sk_live_mine", of=KEY)
    assert (live.livemode, live.account_id) == (True, caller.books.account_id)
    for path in (f"/v1/payment_intents/{paid['id']}", f"/v1/charges/{paid['latest_charge']}"):
        stranger = await caller.get(path, api_key="sk_test_stranger")
        assert stranger.code == (404, "resource_missing")
        assert "similar object" not in stranger.error["message"]
        other_mode = await caller.get(path, api_key="sk_live_mine")
        assert other_mode.code == (404, "resource_missing")
        assert "similar object exists in test mode" in other_mode.error["message"]
    unknown = await caller.get("/v1/account", api_key="sk_live_unknown")
    assert (unknown.status, "sk_live_unknown" in unknown.error["message"]) == (401, False)


async def test_live_mode_charges_what_a_client_made_and_no_test_card(caller: Caller) -> None:
    caller.fake.add_key("sk_live_mine", of=KEY)
    refused = await caller.post("/v1/payment_intents", PAYMENT, api_key="sk_live_mine")
    assert refused.code == (400, "resource_missing")
    method = await caller.made("/_control/payment_methods", {"card": "pm_card_visa"}, api_key="sk_live_mine")
    params = PAYMENT | {"payment_method": method["id"]}
    paid = await caller.made("/v1/payment_intents", params, api_key="sk_live_mine")
    assert (paid["livemode"], paid["status"]) == (True, "succeeded")
    assert not caller.books.payment_intents


async def test_header_of_another_account_is_refused(caller: Caller) -> None:
    own = caller.books.account_id
    assert (await caller.get("/v1/balance", Stripe_Account=own)).status == 200
    assert (await caller.get("/v1/balance", Stripe_Account="acct_other")).code == (403, "account_invalid")


async def test_keys_are_added_and_rolled_over_http_too(caller: Caller) -> None:
    caller.fake.account(KEY)
    added = await caller.made("/_control/keys", {"add": "rk_live_x", "permissions[]": "balance_read"})
    assert added == {"account": caller.books.account_id, "livemode": True}
    assert (await caller.get("/v1/balance", api_key="rk_live_x")).json["livemode"] is True
    assert (await caller.get("/v1/charges", api_key="rk_live_x")).status == 403
    assert (await caller.post("/_control/keys", {"add": "pk_test_x"})).status == 400
    await caller.made("/_control/keys", {"expire": "rk_live_x"})
    assert (await caller.get("/v1/balance", api_key="rk_live_x")).status == 401


async def test_adapter_reads_whose_key_it_has(caller: Caller) -> None:
    caller.fake.add_key("sk_test_second", of=KEY)
    connections = StripeConnections(api_base=caller.fake.url)
    async with connections.open():

        async def whose(key: str) -> Any:
            account = StripeAccount(name="stripe", secret_key=key)
            return await StripeProcessor(account, connections.client(account)).account_id()

        assert await whose("sk_test_second") == await whose(KEY) == caller.books.account_id
        assert await whose("sk_test_stranger") != caller.books.account_id


FAULTS = [
    (Fault(kind=FaultKind.UNAUTHORIZED), 401, "api_key_expired", None),
    (Fault(kind=FaultKind.FORBIDDEN), 403, "", None),
    (Fault(kind=FaultKind.KEY_IN_USE), 409, "idempotency_key_in_use", "true"),
    (Fault(kind=FaultKind.RATE_LIMIT, seconds=7), 429, "rate_limit", None),
    (Fault(kind=FaultKind.LOCK_TIMEOUT), 429, "lock_timeout", None),
    (Fault(kind=FaultKind.LOCK_TIMEOUT, should_retry=True), 429, "lock_timeout", "true"),
    (Fault(kind=FaultKind.CARD_ERROR, decline_code="lost_card"), 402, "card_declined", None),
]


async def test_faults_answer_as_stripe_does_and_nothing_runs(caller: Caller) -> None:
    for fault, status, code, retry in FAULTS:
        caller.fake.faults.clear()
        caller.fake.faults.add(fault)
        answer = await caller.post("/v1/payment_intents", PAYMENT)
        assert (*answer.code, answer.headers.get("Stripe-Should-Retry")) == (status, code, retry), fault
    assert not caller.books.payment_intents
    assert caller.fake.faults.met == {fault.kind: 2 if "lock" in fault.kind else 1 for fault, *_ in FAULTS}


async def test_broken_answer_tells_whether_to_retry(caller: Caller) -> None:
    for should_retry, header in ((None, "false"), (True, "true"), (False, "false")):
        caller.fake.faults.add(Fault(kind=FaultKind.ERROR_AFTER, should_retry=should_retry, times=1))
        answer = await caller.post("/v1/payment_intents", PAYMENT)
        assert (answer.status, answer.headers["Stripe-Should-Retry"]) == (500, header)
    assert len(caller.books.charges) == 3


async def test_capture_meets_402_in_each_state(caller: Caller) -> None:
    held, taken = await caller.held(), await caller.held()
    await caller.made(f"/v1/payment_intents/{taken['id']}/capture")
    released = await caller.held()
    await caller.made(f"/v1/payment_intents/{released['id']}/cancel")
    caller.fake.faults.add(Fault(kind=FaultKind.CARD_ERROR, path="/capture", decline_code="generic_decline"))
    for intent, status in ((held, "requires_capture"), (taken, "succeeded"), (released, "canceled")):
        answer = await caller.post(f"/v1/payment_intents/{intent['id']}/capture")
        assert answer.code == (402, "card_declined")
        assert caller.books.payment_intents[intent["id"]]["status"] == status
    caller.fake.faults.clear()
    gone = await caller.held(payment_method="pm_card_captureDeclined")
    answer = await caller.post(f"/v1/payment_intents/{gone['id']}/capture")
    assert answer.code == (402, "capture_charge_authorization_expired")
