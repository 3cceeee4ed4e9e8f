"""Tenants with processor accounts of their own: keys sealed, payments routed, webhooks verified by account."""

import base64
import json

import aio_pika
import aiohttp
import asyncpg
import msgspec
import pytest

from deploy.fake_stripe import running_fake_stripe
from deploy.fake_stripe.webhooks import create_endpoint, signature
from libs.common.clock import ManualClock, SystemClock
from libs.common.contracts.gateway import AuthorizePayment
from libs.common.contracts.gateway_errors import (
    DefaultPaymentMethodLive,
    GatewayConfigConflict,
    GatewayConfigNotFound,
)
from libs.common.contracts.gateway_requests import (
    AddGatewayConfig,
    DeleteGatewayConfig,
    ListGatewayConfigs,
    ListProcessorEvents,
    RotateGatewayKeys,
)
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.ids import new_id
from services.gateway.accounts import Configs, KeyRing
from services.gateway.accounts.domain import account_name
from services.gateway.accounts.queries import list_configs
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.notices import EventStore
from services.gateway.notices.queries import list_events
from services.gateway.settings import LOCAL_ENCRYPTION_KEY, Settings
from tests.integration.gateway.conftest import serving
from tests.integration.gateway.test_service import Api
from tests.support.brokers import administrator
from tests.support.databases import TestDatabase
from tests.support.waiting import until

KEY, SECRET = "sk_test_of_the_tenant_1234", "whsec_of_the_tenant_5678"


def adding(tenant_id: str, **changes: object) -> AddGatewayConfig:
    named: dict[str, object] = {
        "tenant_id": tenant_id,
        "config_id": new_id(),
        "processor": "stripe",
        "currencies": ("BRL",),
        "secret_key": KEY,
        "webhook_secret": SECRET,
        "payment_method": "pm_card_visa",
    }
    return msgspec.convert(named | changes, AddGatewayConfig)


class Decisions:
    """The decisions and the questions about configurations, on a database."""

    def __init__(self, configs: Configs, database: Database, events: EventStore) -> None:
        self.configs = configs
        self.database = database
        self.events = events


@pytest.fixture
async def decisions(gateway_database: TestDatabase, clock: ManualClock) -> object:
    async with gateway_database.open("gateway") as database:
        keyring = KeyRing(LOCAL_ENCRYPTION_KEY)
        yield Decisions(Configs(database=database, keyring=keyring, clock=clock), database, EventStore(database))


async def test_keys_are_sealed_and_only_their_ends_are_shown(
    decisions: Decisions, gateway_database: TestDatabase, tenant_id: str
) -> None:
    request = adding(tenant_id)
    added = await decisions.configs.add(request)
    assert (added.secret_key_last4, added.webhook_secret_last4) == ("1234", "5678")
    assert added.webhook_path == f"/webhooks/stripe/{request.config_id}"
    assert await decisions.configs.add(request) == added
    with pytest.raises(GatewayConfigConflict):
        await decisions.configs.add(msgspec.structs.replace(request, currencies=("USD",)))
    shown = await list_configs(decisions.database, ListGatewayConfigs(tenant_id=tenant_id))
    assert shown.configs == [added]
    assert KEY not in str(shown)
    books = await asyncpg.connect(gateway_database.admin_url)
    row = str(
        dict((await books.fetchrow("SELECT * FROM gateway.gateway_configs WHERE tenant_id = $1", tenant_id)) or {})
    )
    await books.close()
    assert KEY not in row
    assert SECRET not in row


async def test_keys_rotate_and_configurations_of_others_do_not_exist(decisions: Decisions, tenant_id: str) -> None:
    added = await decisions.configs.add(adding(tenant_id))
    rotated = await decisions.configs.rotate(
        RotateGatewayKeys(tenant_id=tenant_id, config_id=added.id, secret_key="sk_test_of_the_tenant_abcd")
    )
    assert (rotated.secret_key_last4, rotated.webhook_secret_last4) == ("abcd", "5678")
    with pytest.raises(GatewayConfigNotFound):
        await decisions.configs.rotate(RotateGatewayKeys(tenant_id="another", config_id=added.id, secret_key=KEY))
    with pytest.raises(GatewayConfigNotFound):
        await decisions.configs.delete(DeleteGatewayConfig(tenant_id="another", config_id=added.id))
    for _ in range(2):
        await decisions.configs.delete(DeleteGatewayConfig(tenant_id=tenant_id, config_id=added.id))
    assert (await list_configs(decisions.database, ListGatewayConfigs(tenant_id=tenant_id))).configs == []
    with pytest.raises(GatewayConfigNotFound):
        await decisions.configs.rotate(RotateGatewayKeys(tenant_id=tenant_id, config_id=added.id, secret_key=KEY))


async def test_what_an_earlier_master_key_sealed_is_sealed_anew(
    gateway_database: TestDatabase, clock: ManualClock, tenant_id: str
) -> None:
    new = base64.b64encode(b"n" * 32).decode()
    async with gateway_database.open("gateway") as database:
        first = await Configs(database=database, keyring=KeyRing(LOCAL_ENCRYPTION_KEY), clock=clock).add(
            adding(tenant_id)
        )
        rotating = Configs(database=database, keyring=KeyRing(new, [LOCAL_ENCRYPTION_KEY]), clock=clock)
        assert await rotating.reseal() >= 1
        assert await rotating.reseal() == 0
        config = await configs_sql.find(database, first.id)
        assert config is not None
        opened = KeyRing(new)
        assert opened.unseal(config.sealed_key, tenant_id=tenant_id, owner_id=first.id) == KEY
        (sealed,) = config.sealed_webhook_secrets
        assert opened.unseal(sealed, tenant_id=tenant_id, owner_id=first.id) == SECRET
        # Back, for the other tests of this database.
        assert await Configs(database=database, keyring=KeyRing(LOCAL_ENCRYPTION_KEY, [new]), clock=clock).reseal() >= 1


async def test_a_key_that_cannot_be_opened_keeps_no_other_from_being_sealed_anew(
    gateway_database: TestDatabase, clock: ManualClock, tenant_id: str
) -> None:
    lost, new = (base64.b64encode(letter * 32).decode() for letter in (b"l", b"n"))
    async with gateway_database.open("gateway") as database:
        made = [
            await Configs(database=database, keyring=KeyRing(key), clock=clock).add(adding(tenant_id))
            for key in (lost, LOCAL_ENCRYPTION_KEY, lost, LOCAL_ENCRYPTION_KEY)
        ]
        await Configs(database=database, keyring=KeyRing(new, [LOCAL_ENCRYPTION_KEY]), clock=clock).reseal()
        found = [await configs_sql.find(database, config.id) for config in made]
        sealed = [KeyRing(new).is_current(config.sealed_key) for config in found if config is not None]
        assert sealed == [False, True, False, True]
        # Back, for the other tests of this database.
        back = KeyRing(LOCAL_ENCRYPTION_KEY, [new, lost])
        assert await Configs(database=database, keyring=back, clock=clock).reseal() >= 4


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"processor": "adyen"}, "/processor"),
        ({"currencies": ("BRL", "XXQ")}, "/currencies/1"),
        ({"secret_key": ""}, "/secret_key"),
        ({"secret_key": "pk_test_public_key"}, "/secret_key"),
        ({"webhook_secret": "secret"}, "/webhook_secret"),
        ({"payment_method": "card"}, "/payment_method"),
        ({"return_url": "javascript:alert(1)"}, "/return_url"),
        ({"processor": "sandbox"}, "/secret_key"),
    ],
)
async def test_what_cannot_be_is_named(
    decisions: Decisions, tenant_id: str, changes: dict[str, object], pointer: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await decisions.configs.add(adding(tenant_id, **changes))
    assert pointer in [where for where, _ in caught.value.errors]


async def test_payments_and_webhooks_of_a_tenant_use_its_own_account_alone(
    decisions: Decisions, stripe_settings: Settings, tenant_id: str
) -> None:
    async with running_fake_stripe() as fake, aiohttp.ClientSession() as http:
        settings = msgspec.structs.replace(
            stripe_settings, stripe=msgspec.structs.replace(stripe_settings.stripe, stripe_api_base=fake.url)
        )
        base = f"http://127.0.0.1:{settings.http.http_port}"
        config_id = new_id()
        # Of no other test's account: whoever is first owns it.
        key = f"sk_test_{new_id().hex}"
        own = fake.account(key)
        endpoint = create_endpoint(own, {"url": f"{base}/webhooks/stripe/{config_id}", "enabled_events": ["*"]})
        await decisions.configs.add(
            adding(tenant_id, config_id=config_id, secret_key=key, webhook_secret=endpoint["secret"])
        )
        async with serving(settings):
            connection = await aio_pika.connect(administrator(settings.broker.rabbitmq_url))
            async with connection:
                api = Api(await connection.channel(), tenant_id)
                await api.listen()
                reais = AuthorizePayment(payment_intent_id=new_id(), amount_minor=1_000, currency="BRL")
                dollars = AuthorizePayment(payment_intent_id=new_id(), amount_minor=1_000, currency="USD")
                await api.send(reais, dollars)
                _, _, ours = await api.outcome_of(reais.payment_intent_id, "payment.authorized")
                _, _, platforms = await api.outcome_of(dollars.payment_intent_id, "payment.authorized")
                assert list(own.payment_intents) == [ours["gateway_ref"]]
                assert platforms["gateway_ref"] not in own.payment_intents

                # The tenant forges an event of its account about a payment of the platform's.
                forged = json.dumps(
                    {
                        "id": "evt_forged",
                        "type": "payment_intent.succeeded",
                        "created": 1_763_800_000,
                        "data": {
                            "object": {
                                "id": platforms["gateway_ref"],
                                "status": "succeeded",
                                "amount": 1_000,
                                "amount_received": 1_000,
                                "currency": "usd",
                                "metadata": {
                                    "tenant_id": tenant_id,
                                    "payment_intent_id": str(dollars.payment_intent_id),
                                },
                            }
                        },
                    }
                ).encode()
                header = {"Stripe-Signature": signature(forged, endpoint["secret"])}
                async with http.post(f"{base}/webhooks/stripe/{config_id}", data=forged, headers=header) as answer:
                    assert answer.status == 200
                async with http.post(f"{base}/webhooks/stripe", data=forged, headers=header) as answer:
                    assert answer.status == 400
                async with http.post(f"{base}/webhooks/stripe/{new_id()}", data=forged, headers=header) as answer:
                    assert answer.status == 404

                async def tried() -> bool:
                    found = await list_events(decisions.events, ListProcessorEvents(tenant_id=tenant_id))
                    return any(event.id == "evt_forged" and event.reason == "unknown_payment" for event in found.events)

                await until(tried)
                assert not any(name == "payment.captured" for name, _, _ in api.received)
                handled = await list_events(
                    decisions.events, ListProcessorEvents(tenant_id=tenant_id, statuses=("HANDLED",))
                )
                assert {event.processor for event in handled.events} == {account_name(config_id)}


async def always_live(_: str) -> bool:
    return True


async def test_default_payment_method_is_refused_in_live_mode(decisions: Decisions, tenant_id: str) -> None:
    for kind in ("sk", "rk"):
        live = f"{kind}_live_{new_id().hex}"
        with pytest.raises(DefaultPaymentMethodLive) as caught:
            await decisions.configs.add(adding(tenant_id, secret_key=live))
        assert (caught.value.reason, caught.value.errors[0][0]) == ("default_payment_method_live", "/payment_method")
    assert await configs_sql.of_tenant(decisions.database, tenant_id) == []
    with pytest.raises(Invalid, match="connected_account"):
        await decisions.configs.add(
            adding(tenant_id, secret_key="", webhook_secret="", connected_account="acct_12345678")
        )
    # A connected account is of the mode of the platform's key.
    connected = Configs(
        database=decisions.database, keyring=KeyRing(LOCAL_ENCRYPTION_KEY), clock=SystemClock(), mode_of=always_live
    )
    with pytest.raises(DefaultPaymentMethodLive):
        await connected.add(adding(tenant_id, secret_key="", webhook_secret="", connected_account="acct_12345678"))
    assert await configs_sql.of_tenant(decisions.database, tenant_id) == []
    added = await decisions.configs.add(adding(tenant_id, secret_key=live, payment_method=""))
    assert added.payment_method == ""
