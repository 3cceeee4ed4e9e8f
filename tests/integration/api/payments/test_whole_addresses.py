"""The address that an answer to a confirmation leads the customer to is of the authorization that the answer is about."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from libs.common.contracts import Message, gateway
from libs.common.contracts.gateway_requests import ClientSecret, ReadClientSecret
from services.api.app import seed
from tests.integration.api.conftest import Api, serving, settings_for
from tests.integration.api.payments.test_confirmed_again import confirm, created, report
from tests.support.databases import TestDatabase

PAGE = "https://hooks.example/3d_secure_2/hosted?payment_intent="


class Processor:
    """The gateway, which has the whole address of the authorization that awaits its customer."""

    awaited = ""

    async def ask(self, message: Message) -> ClientSecret:
        assert isinstance(message, ReadClientSecret)
        return ClientSecret(client_secret="s", action_url=f"{PAGE}{self.awaited}&client_secret=s")


@pytest.fixture(scope="module")
def processor() -> Processor:
    return Processor()


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase, processor: Processor) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=processor.ask) as running:
        yield running


async def test_answer_of_one_card_never_leads_to_the_page_of_another(
    api: Api, processor: Processor, tenant_id: str
) -> None:
    client = api.client(tenant_id)
    intent, keys = await created(client, payment_method="pm_card_threeDSecure2Required"), [str(uuid4()), str(uuid4())]
    assert (await confirm(client, intent, None)).status == 202
    shown = []
    for attempt, key in enumerate(keys):
        processor.awaited = f"pi_{attempt}"
        await report(
            api, tenant_id, intent, gateway.PaymentActionRequired, attempt=attempt, action_url=f"{PAGE}pi_{attempt}"
        )
        shown += [(await confirm(client, intent, None, key=key)).json for _ in range(2)]
        if attempt == 0:
            assert (await confirm(client, intent)).status == 202
    shown.append((await confirm(client, intent, None, key=keys[0])).json)
    whole = "&client_secret=s"
    assert [(each["gateway_ref"], each["action_url"], each["next_action"]["url"]) for each in shown] == [
        *[("pi_0", f"{PAGE}pi_0{whole}", f"{PAGE}pi_0{whole}")] * 2,
        *[("pi_1", f"{PAGE}pi_1{whole}", f"{PAGE}pi_1{whole}")] * 2,
        ("pi_0", f"{PAGE}pi_0", f"{PAGE}pi_0"),
    ]
