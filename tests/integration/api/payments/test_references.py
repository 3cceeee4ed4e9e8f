"""Payments are found by what the processor calls them, which the gateway knows."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.contracts import Message
from libs.common.contracts.gateway_requests import FindPaymentsByReference, PaymentsOfReference
from services.api.app import seed
from tests.integration.api.conftest import Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Client


class Processor:
    """The gateway, which knows what references are about."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], list[UUID]] = {}

    async def ask(self, message: Message) -> PaymentsOfReference:
        assert isinstance(message, FindPaymentsByReference)
        return PaymentsOfReference(payment_intent_ids=self.known.get((message.tenant_id, message.reference), []))


@pytest.fixture(scope="module")
def processor() -> Processor:
    return Processor()


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase, processor: Processor) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=processor.ask) as running:
        yield running


async def listed(client: Client, query: str) -> Any:
    answer = await client.call("GET", f"/v1/payment-intents?{query}")
    assert answer.status == 200, answer.raw
    return answer.json


async def test_reference_of_the_processor_finds_its_payments(api: Api, processor: Processor, tenant_id: str) -> None:
    client, other = api.client(tenant_id), api.client(f"other-{uuid4()}")
    intents = [(await client.create())["id"] for _ in range(3)]
    foreign = (await other.create())["id"]
    processor.known[tenant_id, "pi_1"] = [UUID(each) for each in (intents[0], intents[2], foreign)]

    found = await listed(client, "gateway_ref=pi_1")
    assert [each["id"] for each in found["data"]] == [intents[2], intents[0]]
    assert found["total"] == 2
    assert (await listed(client, "gateway_ref=pi_1&status=SETTLED"))["data"] == []
    first = await listed(client, "gateway_ref=pi_1&pageSize=1")
    second = await listed(client, f"gateway_ref=pi_1&pageSize=1&cursor={first['next_cursor']}")
    assert [each["id"] for each in (*first["data"], *second["data"])] == [intents[2], intents[0]]
    for nobodys in ("pi_2", "pi_"):
        assert (await listed(client, f"gateway_ref={nobodys}"))["data"] == []
    assert (await listed(other, "gateway_ref=pi_1"))["data"] == []


async def test_reference_that_is_too_long_is_refused(api: Api, tenant_id: str) -> None:
    answer = await api.client(tenant_id).call("GET", f"/v1/payment-intents?gateway_ref={'p' * 256}")
    assert (answer.status, answer.json["code"]) == (422, "invalid_request")
