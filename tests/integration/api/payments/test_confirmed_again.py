"""A payment that was declined is confirmed again with another payment method: one authorization after the other, never two."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.clock import SystemClock
from libs.common.contracts import gateway
from libs.common.observability.correlation import Correlation
from services.api.errors import NotYet
from services.api.idempotency import Idempotency
from services.api.payments.commands import Caller, Operations
from services.api.payments.domain import ATTEMPTS_MAX, ChosenMethod
from services.api.payments.schemas import render_intent, render_refund
from tests.integration.api.conftest import Api
from tests.support.platform import Answer, Client

ASYNC = {"Prefer": "respond-async"}
GOOD = {"payment_method": "pm_card_visa"}
FAILURE = ("failure_code", "failure_message", "decline_code", "gateway_ref")


async def confirm(client: Client, intent: str, body: Any = GOOD, *, key: str = "", waits: bool = False) -> Answer:
    headers = {} if waits else ASYNC
    return await client.call(
        "POST", f"/v1/payment-intents/{intent}/confirm", body, key=key or str(uuid4()), headers=headers
    )


async def created(client: Client, **more: Any) -> str:
    body = {"amount": "150.50", "currency": "BRL", "customer_ref": "c", **more}
    made = await client.call("POST", "/v1/payment-intents", body, key=str(uuid4()))
    assert made.status == 200, made.raw
    return str(made.json["id"])


async def declined(api: Api, client: Client, tenant: str, **more: Any) -> str:
    """A payment whose first authorization was declined."""
    intent = await created(client, payment_method="pm_card_chargeDeclined", **more)
    assert (await confirm(client, intent, None)).status == 202
    await api.declined(tenant, intent)
    return intent


def declined_of(intent: str) -> gateway.AuthorizationDeclined:
    return gateway.AuthorizationDeclined(
        payment_intent_id=UUID(intent), amount_minor=15050, currency="BRL", reason="card_declined", detail="No."
    )


async def report(api: Api, tenant: str, intent: str, kind: type[Any], *, attempt: int, **more: str) -> None:
    """The gateway reports what became of one authorization."""
    at = datetime.now(UTC)
    given = {
        "payment_intent_id": UUID(intent),
        "amount_minor": 15050,
        "currency": "BRL",
        "attempt": attempt,
        "gateway_ref": f"pi_{attempt}",
        "reason": "card_declined",
        "detail": "No.",
        "voided_at": at,
        "expired_at": at,
        **more,
    }
    message = kind(**{name: value for name, value in given.items() if name in kind.__struct_fields__})
    by: dict[type[Any], Callable[..., Any]] = {
        gateway.PaymentActionRequired: api.consumers.on_payment_action_required,
        gateway.PaymentAuthorized: api.consumers.on_payment_authorized,
        gateway.AuthorizationDeclined: api.consumers.on_authorization_declined,
        gateway.AuthorizationExpired: api.consumers.on_authorization_expired,
        gateway.PaymentVoided: api.consumers.on_payment_voided,
        gateway.VoidFailed: api.consumers.on_void_failed,
    }
    after_commit = await api.handle(tenant, message, by=by[kind])
    after_commit()


async def commands(api: Api, tenant: str, name: str) -> list[Any]:
    """The commands of a name that were published about a tenant, in their order."""
    rows = await api.database.fetch(
        "SELECT body FROM outbox WHERE tenant_id = $1 AND contract = $2 ORDER BY seq",
        tenant,
        f"command:gateway:payment.{name}",
    )
    return [msgspec.json.decode(row["body"]) for row in rows]


async def test_declined_payment_is_authorized_again(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await declined(api, client, tenant_id)
    bare = await confirm(client, intent, None)
    assert (bare.status, bare.json["status"], bare.json["failure_code"]) == (200, "FAILED", "insufficient_funds")
    assert len(await commands(api, tenant_id, "authorize")) == 1
    begun = await confirm(client, intent)
    assert (begun.status, begun.json["status"], begun.json["payment_method"]) == (202, "PROCESSING", "pm_card_visa")
    assert [begun.json[name] for name in FAILURE] == [None] * len(FAILURE)
    sent = [(c.get("attempt", 0), c["payment_method"]) for c in await commands(api, tenant_id, "authorize")]
    assert sent == [(0, "pm_card_chargeDeclined"), (1, "pm_card_visa")]
    # Whatever is reported late of the authorization before is not about this one.
    before = await client.call("GET", f"/v1/payment-intents/{intent}")
    for kind in (
        *(gateway.AuthorizationDeclined, gateway.PaymentActionRequired, gateway.PaymentAuthorized),
        *(gateway.PaymentVoided, gateway.VoidFailed, gateway.AuthorizationExpired),
    ):
        await report(api, tenant_id, intent, kind, attempt=0)
    assert (await client.call("GET", f"/v1/payment-intents/{intent}")).raw == before.raw
    with pytest.raises(NotYet):
        await report(api, tenant_id, intent, gateway.PaymentAuthorized, attempt=2)
    await report(api, tenant_id, intent, gateway.PaymentAuthorized, attempt=1)
    [capture] = await commands(api, tenant_id, "capture")
    assert (capture["attempt"], capture["gateway_ref"]) == (1, "pi_1")
    again = await confirm(client, intent)
    assert (again.status, again.json["status"]) == (200, "AUTHORIZED")
    public = [name.rpartition(":")[2] for name in await api.published(tenant_id) if name.startswith("event:api:")]
    assert public == ["payment.intent.created", "payment.failed", "payment.authorized"]


async def test_answer_is_that_of_the_new_authorization(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent, key = await declined(api, client, tenant_id), str(uuid4())
    asking = asyncio.create_task(confirm(client, intent, key=key, waits=True))
    async with asyncio.timeout(60):
        while await client.status(intent) != "PROCESSING":
            await asyncio.sleep(0.01)
    await report(api, tenant_id, intent, gateway.AuthorizationDeclined, attempt=0)
    await report(api, tenant_id, intent, gateway.PaymentAuthorized, attempt=1)
    answer = await asking
    assert (answer.status, answer.json["status"]) == (200, "AUTHORIZED")
    assert (await confirm(client, intent, key=key)).raw == answer.raw
    reused = await confirm(client, intent, {"payment_method": "pm_card_mastercard"}, key=key)
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")


async def test_decline_that_was_just_committed_is_no_answer_to_the_next_one(api: Api, tenant_id: str) -> None:
    """Of one process: a customer who reads of a decline pays otherwise, beside an authorization that goes on."""
    client = api.client(tenant_id)
    intent = await created(client)
    assert (await confirm(client, intent, None)).status == 202
    clock, correlation = SystemClock(), Correlation(correlation_id="c", tenant_id=tenant_id)
    operations = Operations(
        api.database, clock=clock, render=render_intent, render_refund=render_refund, answers=api.answers
    )
    keys = Idempotency(api.database, clock=clock, ttl_seconds=600, request_timeout_seconds=30)
    claim = keys.claim(tenant_id=tenant_id, operation=f"confirm:{intent}", key=str(uuid4()), body=b"{}")
    caller = Caller(actor="ops", correlation=correlation)
    handing = asyncio.create_task(api.answers.run())
    after_commit = await api.handle(tenant_id, declined_of(intent), by=api.consumers.on_authorization_declined)
    asking = asyncio.create_task(
        operations.confirm(
            UUID(intent),
            action="payment_intent.confirm",
            method=ChosenMethod(payment_method="pm_card_visa"),
            return_url="",
            claim=claim,
            caller=caller,
        )
    )
    # Before it is decided, and afterwards.
    await asyncio.sleep(0)
    after_commit()
    async with asyncio.timeout(60):
        while await client.status(intent) != "PROCESSING":
            await asyncio.sleep(0.01)
    after_commit()
    await report(api, tenant_id, intent, gateway.PaymentAuthorized, attempt=1)
    answer = await asking
    handing.cancel()
    assert answer is not None
    assert msgspec.json.decode(answer.body)["status"] == "AUTHORIZED"


async def test_of_many_confirmations_at_once_one_takes_effect(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    for intent in (await declined(api, client, tenant_id), await created(client)):
        before = len(await commands(api, tenant_id, "authorize"))
        answers = await asyncio.gather(*(confirm(client, intent, GOOD if n % 3 else None) for n in range(9)))
        # A bare one may have been decided before, when it was declined.
        assert {(a.status, a.json["status"]) for a in answers} <= {(202, "PROCESSING"), (200, "FAILED")}
        assert len(await commands(api, tenant_id, "authorize")) == before + 1


async def test_void_beside_a_confirmation_leaves_nothing_held(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    for _ in range(5):
        intent = await declined(api, client, tenant_id)
        path = f"/v1/payment-intents/{intent}/void"
        void, begun = await asyncio.gather(
            client.call("POST", path, key=str(uuid4()), headers=ASYNC), confirm(client, intent)
        )
        assert begun.status == 202
        if void.status == 409:
            void = await client.call("POST", path, key=str(uuid4()), headers=ASYNC)
        assert (void.status, void.json["status"]) == (202, "PROCESSING")
        # It would go on, did it not wait for the outcome to be let go of.
        assert (await confirm(client, intent)).status == 202
        await report(api, tenant_id, intent, gateway.AuthorizationDeclined, attempt=1)
        assert await client.status(intent) == "VOIDED"
        ended = await confirm(client, intent)
        assert (ended.status, ended.json["code"]) == (409, "cannot_confirm")


async def test_payment_is_declined_a_limited_number_of_times(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await declined(api, client, tenant_id)
    for attempt in range(1, ATTEMPTS_MAX):
        assert (await confirm(client, intent)).status == 202
        await report(api, tenant_id, intent, gateway.AuthorizationDeclined, attempt=attempt)
    refused = await confirm(client, intent)
    assert (refused.status, refused.json["code"]) == (409, "too_many_attempts")
    assert (await confirm(client, intent, None)).json["status"] == "FAILED"
    assert len(await commands(api, tenant_id, "authorize")) == ATTEMPTS_MAX
    public = [name for name in await api.published(tenant_id) if name == "event:api:payment.failed"]
    assert len(public) == ATTEMPTS_MAX


async def test_what_cannot_be_charged_again_is_refused_by_name(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await declined(api, client, tenant_id)
    slip = await created(client, payment_method_type="pix")
    taken = await created(client)
    await confirm(client, taken)
    await api.authorized(tenant_id, taken)
    await api.capture_failed(tenant_id, taken)
    for each, body, status, code in (
        (intent, {"payment_method": str(uuid4())}, 422, "customer_required"),
        (intent, GOOD | {"off_session": True}, 422, "customer_required"),
        (intent, {"off_session": True}, 422, "customer_required"),
        (intent, {"payment_method": "x" * 256}, 422, "invalid_request"),
        (intent, GOOD | {"customer": str(uuid4())}, 422, "unknown_fields"),
        (slip, GOOD, 422, "payment_method_type_not_allowed"),
        # What was held could not be taken: the processor may have let go of it or not.
        (taken, GOOD, 409, "cannot_confirm"),
        (str(uuid4()), GOOD, 404, "payment_intent_not_found"),
    ):
        refused = await confirm(client, each, body)
        assert (refused.status, refused.json["code"]) == (status, code), refused.raw
    assert [await client.status(each) for each in (intent, slip, taken)] == ["FAILED", "CREATED", "FAILED"]


async def test_another_method_replaces_one_that_waits_for_its_customer(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await created(client, payment_method="pm_card_threeDSecure2Required")
    assert (await confirm(client, intent, None)).status == 202
    await report(api, tenant_id, intent, gateway.PaymentActionRequired, attempt=0)
    # Who clicks twice, or names the same one, is led to the proof that is awaited.
    for body in (None, {"payment_method": "pm_card_threeDSecure2Required"}, {"return_url": "https://shop.example"}):
        same = await confirm(client, intent, body)
        assert (same.status, same.json["status"]) == (200, "REQUIRES_ACTION")
    assert len(await commands(api, tenant_id, "authorize")) == 1
    answers = await asyncio.gather(*(confirm(client, intent) for _ in range(5)))
    assert {(a.status, a.json["status"], a.json["next_action"]) for a in answers} == {(202, "PROCESSING", None)}
    sent = [(c.get("attempt", 0), c["payment_method"]) for c in await commands(api, tenant_id, "authorize")]
    assert sent == [(0, "pm_card_threeDSecure2Required"), (1, "pm_card_visa")]
    # Whatever becomes of the first one by now is not about the second.
    before = await client.call("GET", f"/v1/payment-intents/{intent}")
    for kind in (
        *(gateway.PaymentActionRequired, gateway.PaymentAuthorized, gateway.AuthorizationDeclined),
        *(gateway.AuthorizationExpired, gateway.PaymentVoided),
    ):
        await report(api, tenant_id, intent, kind, attempt=0)
    assert (await client.call("GET", f"/v1/payment-intents/{intent}")).raw == before.raw
    await report(api, tenant_id, intent, gateway.PaymentActionRequired, attempt=1)
    assert (await confirm(client, intent)).json["status"] == "REQUIRES_ACTION"
    await report(api, tenant_id, intent, gateway.PaymentAuthorized, attempt=1)
    [capture] = await commands(api, tenant_id, "capture")
    assert (capture["attempt"], capture["gateway_ref"]) == (1, "pi_1")


async def test_what_was_never_sent_does_not_count_as_an_attempt(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    intent = await declined(api, client, tenant_id)
    for attempt in range(1, ATTEMPTS_MAX + 2):
        assert (await confirm(client, intent)).status == 202
        unsent = {"reason": "earlier_attempt_open"} if attempt <= 2 else {}
        await report(api, tenant_id, intent, gateway.AuthorizationDeclined, attempt=attempt, **unsent)
    refused = await confirm(client, intent)
    assert (refused.status, refused.json["code"]) == (409, "too_many_attempts")
    # Nor without end.
    await api.database.write(
        "UPDATE payment_intents SET unsent_attempts = 45, attempt = 48 WHERE id = $1", UUID(intent)
    )
    assert (await confirm(client, intent)).status == 202
    await report(api, tenant_id, intent, gateway.AuthorizationDeclined, attempt=49)
    assert (await confirm(client, intent)).json["code"] == "too_many_attempts"
