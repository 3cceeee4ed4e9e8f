"""With what a customer goes on is read by whoever may charge for the tenant whose payment it is, and by nobody else."""

import asyncio
from uuid import UUID, uuid4

import pytest

from libs.common.contracts import gateway
from tests.integration.api.conftest import Api
from tests.support.platform import Client


async def waiting(api: Api, client: Client, tenant: str) -> str:
    """A payment whose customer goes on in the processor's client library; returns its path."""
    intent = str((await client.create())["id"])
    await client.confirm(intent, headers={"Prefer": "respond-async"})
    action = gateway.PaymentActionRequired(
        payment_intent_id=UUID(intent), gateway_ref="pi_1", amount_minor=15050, currency="BRL"
    )
    await api.handle(tenant, action, by=api.consumers.on_payment_action_required)
    return f"/v1/payment-intents/{intent}/next-action"


@pytest.mark.parametrize(
    ("perms", "refusal"),
    [(["payments:read"], (403, "missing_permission")), (["payments:read", "payments:write"], (503, "unavailable"))],
    ids=["reads", "charges"],
)
async def test_secret_is_not_for_those_who_may_only_read(
    api: Api, tenant_id: str, perms: list[str], refusal: tuple[int, str]
) -> None:
    path = await waiting(api, api.client(tenant_id), tenant_id)
    reader = api.client(tenant_id, perms=perms)
    assert (await reader.call("GET", path.removesuffix("/next-action"))).json["next_action"] == {
        "type": "use_stripe_sdk"
    }
    answer = await reader.call("GET", path)
    # The gateway alone has the secret, and it is away here, which who may read it is answered.
    assert (answer.status, answer.json["code"]) == refusal


async def test_secret_is_not_for_another_tenant(api: Api, tenant_id: str) -> None:
    path = await waiting(api, api.client(tenant_id), tenant_id)
    answer = await api.client(f"other-{uuid4().hex[:8]}").call("GET", path)
    assert (answer.status, answer.json["code"]) == (404, "payment_intent_not_found")


async def test_permission_is_of_the_token_that_came_with_the_request(api: Api, tenant_id: str) -> None:
    path = await waiting(api, api.client(tenant_id), tenant_id)
    # On the same connections, in turns and at once: nobody is taken for whoever came before.
    callers = [api.client(tenant_id), api.client(tenant_id, perms=["payments:read"]), api.stranger()] * 8
    answers = await asyncio.gather(*(caller.call("GET", path) for caller in callers))
    assert [answer.status for answer in answers] == [503, 403, 401] * 8
