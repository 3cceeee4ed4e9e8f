"""Tenants with processor accounts of their own: keys sealed, payments routed, webhooks verified by account."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import aio_pika
import aiohttp
import asyncpg
import msgspec
import pytest

from deploy.fake_stripe import FakeStripe, running_fake_stripe
from deploy.fake_stripe.faults import Fault, FaultKind
from deploy.fake_stripe.webhooks import create_endpoint, signature
from libs.common.clock import ManualClock, SystemClock
from libs.common.contracts.gateway import AuthorizePayment
from libs.common.contracts.gateway_requests import (
    AddGatewayConfig,
    DeleteGatewayConfig,
    ListGatewayConfigs,
    ListProcessorEvents,
    RotateGatewayKeys,
)
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import new_id
from services.gateway.accounts import AccountStore, Configs, ConfigStore, KeyRing, StripeAccounts, move_account
from services.gateway.accounts.domain import Ownership, account_name
from services.gateway.accounts.queries import list_configs
from services.gateway.errors import GatewayConfigConflict, GatewayConfigNotFound, ProcessorUnavailable
from services.gateway.notices import EventStore
from services.gateway.notices.queries import list_events
from services.gateway.processors.stripe import StripeConnections
from services.gateway.settings import LOCAL_ENCRYPTION_KEY, Settings
from tests.integration.gateway.conftest import serving
from tests.integration.gateway.test_service import Api, until
from tests.support.brokers import administrator
from tests.support.databases import TestDatabase

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

    def __init__(self, configs: Configs, store: ConfigStore, events: EventStore) -> None:
        self.configs = configs
        self.store = store
        self.events = events


@pytest.fixture
async def decisions(gateway_database: TestDatabase, clock: ManualClock) -> object:
    async with gateway_database.open("gateway") as database:
        store, keyring = ConfigStore(database), KeyRing(LOCAL_ENCRYPTION_KEY)
        yield Decisions(Configs(store=store, keyring=keyring, clock=clock), store, EventStore(database))


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
    shown = await list_configs(decisions.store, ListGatewayConfigs(tenant_id=tenant_id))
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
    assert (await list_configs(decisions.store, ListGatewayConfigs(tenant_id=tenant_id))).configs == []
    with pytest.raises(GatewayConfigNotFound):
        await decisions.configs.rotate(RotateGatewayKeys(tenant_id=tenant_id, config_id=added.id, secret_key=KEY))


async def test_what_an_earlier_master_key_sealed_is_sealed_anew(
    gateway_database: TestDatabase, clock: ManualClock, tenant_id: str
) -> None:
    new = base64.b64encode(b"n" * 32).decode()
    async with gateway_database.open("gateway") as database:
        store = ConfigStore(database)
        first = await Configs(store=store, keyring=KeyRing(LOCAL_ENCRYPTION_KEY), clock=clock).add(adding(tenant_id))
        rotating = Configs(store=store, keyring=KeyRing(new, [LOCAL_ENCRYPTION_KEY]), clock=clock)
        assert await rotating.reseal() >= 1
        assert await rotating.reseal() == 0
        config = await store.find(first.id)
        assert config is not None
        opened = KeyRing(new)
        assert opened.unseal(config.sealed_key, tenant_id=tenant_id, owner_id=first.id) == KEY
        (sealed,) = config.sealed_webhook_secrets
        assert opened.unseal(sealed, tenant_id=tenant_id, owner_id=first.id) == SECRET
        # Back, for the other tests of this database.
        assert await Configs(store=store, keyring=KeyRing(LOCAL_ENCRYPTION_KEY, [new]), clock=clock).reseal() >= 1


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


class Accounts:
    """Decisions about configurations where Stripe names the account of a key."""

    def __init__(
        self, fake: FakeStripe, store: ConfigStore, clock: ManualClock, connections: StripeConnections
    ) -> None:
        self.fake = fake
        keyring = KeyRing(LOCAL_ENCRYPTION_KEY)
        accounts = StripeAccounts(
            connections=connections,
            platform=None,
            platform_webhook_secrets=(),
            store=store,
            keyring=keyring,
            cache_seconds=60,
        )
        self.store = store
        self.configs = Configs(store=store, keyring=keyring, clock=clock, identify=accounts.identify)
        self.before = Configs(store=store, keyring=keyring, clock=clock)
        """As a version decided that did not ask Stripe."""

    def key(self, *, of: str = "", kind: str = "sk") -> str:
        """A new key, of an account of its own or of that of another key."""
        key = f"{kind}_test_{new_id().hex}"
        if of:
            self.fake.add_key(key, of=of)
        return key

    async def owner(self, key: str) -> str | None:
        """Which configuration owns the account of a key."""
        async with self.store._database.connection() as connection:
            found: str | None = await connection.fetchval(
                "SELECT processor FROM stripe_accounts WHERE account_id = $1", self.fake.account(key).account_id
            )
        return found


@pytest.fixture
async def accounts(gateway_database: TestDatabase, clock: ManualClock) -> AsyncIterator[Accounts]:
    async with running_fake_stripe() as fake, gateway_database.open("gateway") as database:
        connections = StripeConnections(api_base=fake.url)
        async with connections.open():
            yield Accounts(fake, ConfigStore(database), clock, connections)


async def test_a_stripe_account_belongs_to_one_configuration(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    request = adding(tenant_id, secret_key=key)
    first = await accounts.configs.add(request)
    assert await accounts.configs.add(request) == first
    assert await accounts.owner(key) == account_name(first.id)
    same, other = accounts.key(of=key), accounts.key(of=key)
    with pytest.raises(GatewayConfigConflict, match=f"gateway configuration {first.id} of another tenant") as caught:
        await accounts.configs.add(adding(str(new_id()), secret_key=same))
    assert same not in caught.value.detail
    with pytest.raises(GatewayConfigConflict, match=f"gateway configuration {first.id} charges"):
        await accounts.configs.add(adding(tenant_id, secret_key=other))
    assert [config.id for config in await accounts.store.of_tenant(tenant_id)] == [first.id]
    # Its settings are changed by a new configuration in the place of a deleted one.
    await accounts.configs.delete(DeleteGatewayConfig(tenant_id=tenant_id, config_id=first.id))
    with pytest.raises(GatewayConfigConflict):
        await accounts.configs.add(adding(str(new_id()), secret_key=same))
    second = await accounts.configs.add(adding(tenant_id, secret_key=other, currencies=()))
    assert await accounts.owner(key) == account_name(second.id)


async def test_two_that_add_one_account_at_once_do_not_both_get_it(accounts: Accounts) -> None:
    key = accounts.key()
    requests = [adding(str(new_id()), secret_key=accounts.key(of=key)) for _ in range(6)]
    answers = await asyncio.gather(*(accounts.configs.add(one) for one in requests), return_exceptions=True)
    assert sum(isinstance(answer, GatewayConfigConflict) for answer in answers) == 5
    kept = [config for one in requests for config in await accounts.store.of_tenant(one.tenant_id)]
    assert await accounts.owner(key) == kept[0].name
    assert len(kept) == 1


async def test_a_key_is_rotated_within_its_account_only(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    added = await accounts.configs.add(adding(tenant_id, secret_key=key))
    taken = await accounts.configs.add(adding(str(new_id()), secret_key=accounts.key()))

    def rotating(secret_key: str) -> RotateGatewayKeys:
        return RotateGatewayKeys(tenant_id=tenant_id, config_id=added.id, secret_key=secret_key)

    new = accounts.key(of=key, kind="rk")
    assert (await accounts.configs.rotate(rotating(new))).secret_key_last4 == new[-4:]
    taken_config = await accounts.store.find(taken.id)
    assert taken_config is not None
    taken_key = KeyRing(LOCAL_ENCRYPTION_KEY).unseal(
        taken_config.sealed_key, tenant_id=taken_config.tenant_id, owner_id=taken.id
    )
    with pytest.raises(GatewayConfigConflict, match=str(taken.id)):
        await accounts.configs.rotate(rotating(accounts.key(of=taken_key)))
    with pytest.raises(Invalid, match="same Stripe account and mode"):
        await accounts.configs.rotate(rotating(accounts.key()))
    with pytest.raises(Invalid, match="secret_key is refused by Stripe"):
        # The fake takes keys of test mode only.
        await accounts.configs.rotate(rotating(f"sk_live_{new_id().hex}"))
    (kept,) = await accounts.store.of_tenant(tenant_id)
    assert (kept.key_last4, await accounts.owner(key)) == (new[-4:], account_name(added.id))


async def test_nothing_is_added_while_the_account_of_a_key_is_unknown(accounts: Accounts, tenant_id: str) -> None:
    accounts.fake.faults.add(Fault(kind=FaultKind.ERROR_BEFORE, method="GET", path="/v1/account"))
    with pytest.raises(ProcessorUnavailable, match="whose key"):
        await accounts.configs.add(adding(tenant_id, secret_key=accounts.key()))
    assert await accounts.store.of_tenant(tenant_id) == []


async def test_unknown_accounts_are_looked_up_and_shared_ones_go_on(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    first = await accounts.before.add(adding(tenant_id, secret_key=key))
    second = await accounts.before.add(adding(str(new_id()), secret_key=accounts.key(of=key)))
    while await accounts.configs.look_up_accounts() == 50:
        pass
    assert await accounts.owner(key) == account_name(first.id)
    config = await accounts.store.find(second.id)
    assert config is not None and config.deleted_at is None


async def test_an_account_changes_hands_once_it_is_confirmed_and_never_while_it_is_used(
    accounts: Accounts, tenant_id: str
) -> None:
    """The first tenant leaves; the second, which shares the account of old, gets it; then a third adds it anew."""
    key, third = accounts.key(), str(new_id())
    first = await accounts.before.add(adding(tenant_id, secret_key=key))
    second = await accounts.before.add(adding(str(new_id()), secret_key=accounts.key(of=key)))
    while await accounts.configs.look_up_accounts() == 50:
        pass
    account_id = accounts.fake.account(key).account_id
    store = AccountStore(accounts.store._database)
    now = SystemClock().now()

    async def move(*arguments: str) -> str:
        return await move_account(store, [account_id, "--reason", "sold", *arguments], now=now)

    def code(printed: str) -> str:
        return printed.rpartition(" ")[2]

    with pytest.raises(Conflict, match=f"{first.id} of tenant {tenant_id} still charges"):
        await move("--to-config", str(second.id))
    await accounts.configs.delete(DeleteGatewayConfig(tenant_id=tenant_id, config_id=first.id))
    with pytest.raises(Conflict, match="not of"):
        stranger = await accounts.configs.add(adding(third, secret_key=accounts.key()))
        await move("--to-config", str(stranger.id))
    with pytest.raises(NotFound, match="live mode"):
        await move("--to-config", str(second.id), "--live")
    planned = await move("--to-config", str(second.id))
    assert await accounts.owner(key) == account_name(first.id)
    with pytest.raises(Conflict, match="code"):
        await move("--to-tenant", third, "--confirm", code(planned))
    await move("--to-config", str(second.id), "--confirm", code(planned))
    assert await accounts.owner(key) == account_name(second.id)
    owner = await accounts.store.find(second.id)
    assert owner is not None
    assert await store.owns(tenant_id=owner.tenant_id, processor=owner.name) is True
    assert await store.owns(tenant_id=tenant_id, processor=account_name(first.id)) is False
    with pytest.raises(Conflict):
        await move("--to-config", str(second.id), "--confirm", code(planned))

    await accounts.configs.delete(DeleteGatewayConfig(tenant_id=owner.tenant_id, config_id=second.id))
    same = adding(third, secret_key=accounts.key(of=key))
    with pytest.raises(GatewayConfigConflict):
        await accounts.configs.add(same)
    await move("--to-tenant", third, "--confirm", code(await move("--to-tenant", third)))
    with pytest.raises(GatewayConfigConflict, match="an operator has given it"):
        await accounts.configs.add(adding(tenant_id, secret_key=accounts.key(of=key)))
    added = await accounts.configs.add(same)
    assert await accounts.owner(key) == account_name(added.id)
    lines = await store._database.fetch(
        "SELECT action, detail::json ->> 'reason' AS reason FROM operator_actions WHERE subject = $1", account_id
    )
    assert [tuple(line) for line in lines] == [("stripe_account.moved", "sold")] * 2


async def test_the_platforms_own_account_is_no_tenants(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    await accounts.store.own(
        Ownership(
            account_id=accounts.fake.account(key).account_id, is_live=False, tenant_id=str(new_id()), processor="stripe"
        ),
        at=SystemClock().now(),
    )
    with pytest.raises(GatewayConfigConflict, match="STRIPE_SECRET_KEY"):
        await accounts.configs.add(adding(tenant_id, secret_key=key))
