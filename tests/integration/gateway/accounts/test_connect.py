"""Tenants whose accounts are connected to one platform: one key, payments apart, the platform's fee on each."""

import aio_pika
import msgspec
import pytest

from deploy.fake_stripe import running_fake_stripe
from deploy.fake_stripe.webhooks import create_endpoint
from libs.common.clock import ManualClock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, RefundPayment
from libs.common.contracts.gateway_customers import DetachSavedMethod, StartSetup
from libs.common.contracts.gateway_requests import (
    AddGatewayConfig,
    DeleteGatewayConfig,
    GatewayConfig,
    RotateGatewayKeys,
)
from libs.common.errors import Invalid
from libs.common.ids import new_id
from services.gateway.accounts import Configs, KeyRing, StripeAccounts, account_guards
from services.gateway.accounts.connect import ConnectedAccounts
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.accounts.sql.configs import _CONNECTED as CONNECTED
from services.gateway.accounts.stripe_accounts import PLATFORM_TENANT
from services.gateway.customers import Saving, chargeable
from services.gateway.processors.port import Approved
from services.gateway.processors.stripe import StripeAccount, StripeConnections
from services.gateway.settings import LOCAL_ENCRYPTION_KEY, ProcessorSettings, Settings
from tests.integration.gateway.accounts.conftest import Accounts
from tests.integration.gateway.conftest import serving
from tests.integration.gateway.customers.test_saving import FAST, Always
from tests.integration.gateway.test_service import Api
from tests.support.brokers import administrator
from tests.support.databases import TestDatabase
from tests.support.stripe import authorize
from tests.support.waiting import until


async def test_two_tenants_of_one_platform_are_charged_apart(
    gateway_database: TestDatabase, stripe_settings: Settings, clock: object
) -> None:
    platform = f"sk_test_{new_id().hex}"
    async with running_fake_stripe() as fake, gateway_database.open("gateway") as database:
        base = f"http://127.0.0.1:{stripe_settings.http.http_port}"
        endpoint = create_endpoint(
            fake.account(platform),
            {"url": f"{base}/webhooks/stripe/connect", "enabled_events": ["*"], "connect": "true"},
        )
        stripe = msgspec.structs.replace(
            stripe_settings.stripe,
            stripe_api_base=fake.url,
            stripe_secret_key=platform,
            stripe_connect_webhook_secrets=(endpoint["secret"],),
            stripe_statement_every_seconds=0.2,
        )
        connections = StripeConnections(api_base=fake.url)
        connected = ConnectedAccounts(
            connections=connections,
            platform=StripeAccount(name="stripe", secret_key=platform),
            webhook_secrets=(),
            database=database,
        )
        configs = Configs(
            database=database,
            keyring=KeyRing(LOCAL_ENCRYPTION_KEY),
            clock=clock,  # type: ignore[arg-type]
            mode_of=connected.mode_of,
        )
        shops = [f"sk_test_{new_id().hex}" for _ in range(2)]
        tenants = [f"tenant-{new_id().hex[-12:]}" for _ in shops]

        def adding(tenant_id: str, account: str) -> AddGatewayConfig:
            return AddGatewayConfig(
                tenant_id=tenant_id,
                config_id=new_id(),
                processor="stripe",
                connected_account=account,
                application_fee_bps=250,
                application_fee_minor=15,
                refund_application_fee=tenant_id == tenants[1],
                payment_method="pm_card_visa",
            )

        async with connections.open():
            stranger = fake.account(f"sk_test_{new_id().hex}").account_id
            with pytest.raises(Invalid) as refused:
                await configs.add(adding(tenants[0], stranger))
            assert refused.value.errors[0][0] == "/connected_account"
            books = [fake.connect(shop, to=platform) for shop in shops]
            added: list[GatewayConfig] = [
                await configs.add(adding(tenant, each.account_id)) for tenant, each in zip(tenants, books, strict=True)
            ]
        assert added[0].webhook_path == "/webhooks/stripe/connect"
        with pytest.raises(Invalid):
            await configs.rotate(
                RotateGatewayKeys(tenant_id=tenants[0], config_id=added[0].id, secret_key=f"sk_test_{new_id().hex}")
            )
        async with serving(msgspec.structs.replace(stripe_settings, stripe=stripe)):
            connection = await aio_pika.connect(administrator(stripe_settings.broker.rabbitmq_url))
            async with connection:
                for tenant, own in zip(tenants, books, strict=True):
                    api = Api(await connection.channel(), tenant)
                    await api.listen()
                    intent = new_id()
                    await api.send(AuthorizePayment(payment_intent_id=intent, amount_minor=10_000, currency="BRL"))
                    _, _, held = await api.outcome_of(intent, "payment.authorized")
                    reference = held["gateway_ref"]
                    assert list(own.payment_intents) == [reference]
                    # Of the hold nothing is taken: a fee of it would stand where that of a small part rounds to nothing.
                    assert own.payment_intents[reference]["application_fee_amount"] is None
                    await api.send(
                        CapturePayment(
                            payment_intent_id=intent, amount_minor=4_000, currency="BRL", gateway_ref=reference
                        )
                    )
                    await api.outcome_of(intent, "payment.captured")
                    _, event, moved = await api.outcome_of(intent, "processor_movement.recorded")
                    assert event.tenant_id == tenant
                    # 2.5 percent of what was captured, and 0.15.
                    assert {"kind": "platform", "direction": "out", "amount_minor": 115} in moved["fees"]
                    for amount in (1, 1_000):
                        await api.send(
                            RefundPayment(
                                payment_intent_id=intent,
                                refund_id=new_id(),
                                amount_minor=amount,
                                currency="BRL",
                                gateway_ref=reference,
                            )
                        )
                        await api.outcome_of(intent, "payment.refunded", "refund.succeeded")
                # The last of them has listened to the platform's events as well.
                earned = await until(lambda: earnings(api))
        assert set(earned) == {("in", "platform_earning", 115), ("out", "platform_earning_refund", 29)}
        moved_here = fake.account(platform).balance_transactions.values()
        # Of one cent no fee would have been taken, so none is given back: Stripe refuses that for a charge without one.
        assert [each["amount"] for each in moved_here] == [115, 115, -29]


async def earnings(api: Api) -> list[tuple[str, str, int]] | None:
    """What was published of the platform's own statement since `api` listens, once a fee was given back."""
    found = [
        (moved["direction"], moved["kind"], moved["amount_minor"])
        for name, event, moved in api.received
        if name == "processor_movement.recorded" and event.tenant_id == PLATFORM_TENANT
    ]
    return sorted(found) if any(kind == "platform_earning_refund" for _, kind, _ in found) else None


async def test_no_account_and_the_platforms_own_are_nobodys(accounts: Accounts, clock: ManualClock) -> None:
    platform, shop = accounts.key(), accounts.key()
    books = accounts.fake.account(platform)
    accounts.fake.connect(shop, to=platform)
    connected = ConnectedAccounts(
        connections=accounts.connections,
        platform=StripeAccount(name="stripe", secret_key=platform),
        webhook_secrets=(),
        database=accounts.database,
    )
    await accounts.configs.add(
        AddGatewayConfig(tenant_id="tenant-1", config_id=new_id(), processor="stripe", secret_key=accounts.key())
    )
    # An event that names no account is for none of the configurations that have none.
    assert await connected.whose("") == []
    assert await configs_sql.connected(accounts.database, "") == []
    configs = Configs(
        database=accounts.database, keyring=KeyRing(LOCAL_ENCRYPTION_KEY), clock=clock, mode_of=connected.mode_of
    )

    def adding(account: str) -> AddGatewayConfig:
        return AddGatewayConfig(tenant_id="tenant-1", config_id=new_id(), processor="stripe", connected_account=account)

    # Before the platform's own account is known in the database, too.
    with pytest.raises(Invalid) as refused:
        await configs.add(adding(books.account_id))
    assert refused.value.errors[0][0] == "/connected_account"
    assert await accounts.owner(platform) is None
    added = await configs.add(adding(accounts.fake.account(shop).account_id))
    assert await accounts.owner(shop) == f"stripe:{added.id}"
    assert await connected.whose(accounts.fake.account(shop).account_id) == [("tenant-1", f"stripe:{added.id}")]


async def test_a_configuration_that_follows_another_gets_its_events_at_once(
    accounts: Accounts, clock: ManualClock
) -> None:
    platform, shop = accounts.key(), accounts.key()
    account = accounts.fake.connect(shop, to=platform).account_id
    connected = ConnectedAccounts(
        connections=accounts.connections,
        platform=StripeAccount(name="stripe", secret_key=platform),
        webhook_secrets=(),
        database=accounts.database,
    )
    configs = Configs(
        database=accounts.database,
        keyring=KeyRing(LOCAL_ENCRYPTION_KEY),
        clock=clock,
        mode_of=connected.mode_of,
    )
    adding = AddGatewayConfig(tenant_id="t", config_id=new_id(), processor="stripe", connected_account=account)
    await configs.add(adding)
    assert len(await connected.whose(account)) == 1
    await configs.delete(DeleteGatewayConfig(tenant_id="t", config_id=adding.config_id))
    second = msgspec.structs.replace(adding, config_id=new_id(), application_fee_bps=10)
    await configs.add(second)
    assert {name for _, name in await connected.whose(account)} == {
        f"stripe:{adding.config_id}",
        f"stripe:{second.config_id}",
    }


async def test_whose_an_account_is_has_an_index(accounts: Accounts) -> None:
    async with accounts.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {CONNECTED.text}", "acct_1")
    assert "ix_gateway_configs_connected" in plan


async def test_card_is_saved_and_charged_through_a_connected_account(
    gateway_database: TestDatabase, clock: ManualClock, tenant_id: str
) -> None:
    key = f"sk_test_{new_id().hex}"
    platform, customer = StripeAccount(name="stripe", secret_key=key), new_id()
    async with running_fake_stripe() as fake, gateway_database.open("gateway") as database:
        connections = StripeConnections(api_base=fake.url)
        keyring = KeyRing(LOCAL_ENCRYPTION_KEY)
        own = fake.connect(f"sk_test_{new_id().hex}", to=key)
        accounts = StripeAccounts(
            connections=connections,
            platform=platform,
            platform_webhook_secrets=(),
            database=database,
            keyring=keyring,
            cache_seconds=60,
            guards=account_guards(ProcessorSettings(), FAST, clock),
        )
        async with connections.open():
            connected = ConnectedAccounts(
                connections=connections, platform=platform, webhook_secrets=(), database=database
            )
            configs = Configs(database=database, keyring=keyring, clock=clock, mode_of=connected.mode_of)
            added = await configs.add(
                AddGatewayConfig(
                    tenant_id=tenant_id, config_id=new_id(), processor="stripe", connected_account=own.account_id
                )
            )
            name = f"stripe:{added.id}"
            saving = Saving(database, accounts=Always(name), vault_of=accounts.vault, clock=clock)
            setup = await saving.start(
                StartSetup(
                    tenant_id=tenant_id, customer_id=customer, setup_id=new_id(), payment_method="pm_card_mastercard"
                )
            )
            assert setup.payment_method_id is not None
            found = await chargeable(database, tenant_id, customer, setup.payment_method_id)
            assert found is not None
            assert found.processor == name
            charged = await (await accounts.adapter(name)).authorize(
                authorize(payment_method=found.method_ref, processor_customer=found.customer_ref, off_session=True)
            )
            assert isinstance(charged, Approved), charged
            await saving.detach(
                DetachSavedMethod(tenant_id=tenant_id, customer_id=customer, payment_method_id=setup.payment_method_id)
            )
        # Each is of the connected account, and none of the platform's, where a customer of one tenant would be another's.
        for books, count in ((own, 1), (fake.account(key), 0)):
            assert [len(books.customers), len(books.setup_intents), len(books.payment_intents)] == [count] * 3
        (charge,) = own.charges.values()
        assert charge["customer"] == found.customer_ref
        assert own.payment_methods[found.method_ref]["customer"] is None
