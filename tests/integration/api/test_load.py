"""The api under more requests than it takes: what waits is bounded, and the rest is refused at once."""

import asyncio

from msgspec.structs import replace

from tests.integration.api.conftest import Api, serving, settings_for
from tests.support.databases import TestDatabase


async def test_beyond_those_who_may_wait_a_confirmation_is_answered_at_once(
    api: Api, api_database: TestDatabase, tenant_id: str
) -> None:
    settings = settings_for(api_database)
    payments = replace(settings.payments, confirm_timeout_seconds=30, confirm_waiting_max=1)
    async with serving(api_database, replace(settings, payments=payments)) as narrow:
        client = narrow.client(tenant_id)
        first, second = [(await client.create())["id"] for _ in range(2)]
        waiting = asyncio.create_task(client.confirm(first))
        await narrow.until_processing(client, first)
        async with asyncio.timeout(10):
            answer = await client.confirm(second)
        assert (answer.status, answer.json["status"]) == (202, "PROCESSING")
        await api.authorized(tenant_id, first)
        answered = await waiting
        assert (answered.status, answered.json["status"]) == (200, "AUTHORIZED")


async def test_beyond_those_in_progress_a_request_is_refused_early(
    api: Api, api_database: TestDatabase, tenant_id: str
) -> None:
    settings = settings_for(api_database)
    payments = replace(settings.payments, confirm_timeout_seconds=30)
    http = replace(settings.http, http_in_flight_max=1)
    async with serving(api_database, replace(settings, payments=payments, http=http)) as narrow:
        client = narrow.client(tenant_id)
        intent_id = (await client.create())["id"]
        waiting = asyncio.create_task(client.confirm(intent_id))
        await api.until_processing(api.client(tenant_id), intent_id)
        refused = await client.call("GET", f"/v1/payment-intents/{intent_id}", headers={"X-Correlation-Id": "c-1"})
        assert (refused.status, refused.json["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-correlation-id"] == refused.json["correlation_id"] == "c-1"
        assert (await client.call("GET", "/healthz")).status == 200
        await api.authorized(tenant_id, intent_id)
        assert (await waiting).status == 200
        assert await client.status(intent_id) == "AUTHORIZED"
