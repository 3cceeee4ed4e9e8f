"""Payment methods are saved at a fake Stripe: one customer there, one setup an id, through crashes, lost answers and late events."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from deploy.fake_stripe import FakeStripe, customers, running_fake_stripe, setups
from deploy.fake_stripe.faults import Fault, FaultKind
from libs.common.clock import ManualClock
from libs.common.contracts.gateway_customers import (
    DetachSavedMethod,
    FindSavedMethod,
    GetSetup,
    ListSavedMethods,
    ReadSetupSecret,
    Setup,
    StartSetup,
)
from libs.common.contracts.gateway_errors import SavedMethodNotFound, SetupNotFound, SetupRefused
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.accounts import KeyRing, StripeAccounts, account_guards
from services.gateway.customers import Saving, queries, sql
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port.saving import NewCustomer, Vault
from services.gateway.processors.stripe import StripeAccount, StripeConnections
from services.gateway.processors.stripe.vault import StripeVault
from services.gateway.settings import LOCAL_ENCRYPTION_KEY, ProcessorSettings, StripeSettings
from tests.support.databases import TestDatabase

KEY = "sk_test_of_those_who_save"
FAST = StripeSettings(stripe_calls_per_second_test=10_000, stripe_calls_per_second_endpoint=10_000)


class Always:
    """Serves everything by one account."""

    def __init__(self, name: str = "stripe") -> None:
        self.name = name

    async def choose(self, *, tenant_id: str, currency: str) -> str:
        return self.name


class Shop:
    """A tenant with one customer, and the gateway's decisions about what is saved of them."""

    def __init__(self, fake: FakeStripe, database: Database, vault_of: Any, clock: ManualClock, tenant: str) -> None:
        self.fake = fake
        self.database = database
        self.clock = clock
        self.tenant = tenant
        self.customer = new_id()
        self.vault_of = vault_of
        self.saving = self.another()

    def another(self) -> Saving:
        """The decisions of another process."""
        return Saving(self.database, accounts=Always(), vault_of=self.vault_of, clock=self.clock)

    @property
    def books(self) -> Any:
        return self.fake.account(KEY)

    def request(
        self, *, setup: UUID | None = None, customer: UUID | None = None, card: str = "pm_card_visa"
    ) -> StartSetup:
        return StartSetup(
            tenant_id=self.tenant,
            customer_id=customer or self.customer,
            setup_id=setup or new_id(),
            name="Ana",
            email="a@example.com",
            payment_method=card,
        )

    async def saved(self, card: str = "pm_card_visa") -> Setup:
        return await self.saving.start(self.request(card=card))

    async def get(self, setup: UUID) -> Setup:
        return await self.saving.get(GetSetup(tenant_id=self.tenant, customer_id=self.customer, setup_id=setup))

    async def methods(self) -> list[UUID]:
        request = ListSavedMethods(tenant_id=self.tenant, customer_id=self.customer)
        return [each.id for each in (await queries.list_methods(self.database, request)).methods]

    async def detach(self, method: UUID) -> None:
        await self.saving.detach(
            DetachSavedMethod(tenant_id=self.tenant, customer_id=self.customer, payment_method_id=method)
        )

    async def delete(self) -> None:
        async with self.database.transaction() as tx:
            await sql.delete(tx, [(self.tenant, self.customer)], at=self.clock.now())

    async def event(self, kind: str, found: dict[str, Any], *, tenant: str = "", processor: str = "stripe") -> bool:
        return await self.saving.notice(tenant_id=tenant or self.tenant, processor=processor, kind=kind, found=found)


@pytest.fixture
async def shop(gateway_database: TestDatabase, clock: ManualClock, tenant_id: str) -> AsyncIterator[Shop]:
    async with running_fake_stripe() as fake, gateway_database.open("gateway") as database:
        connections = StripeConnections(api_base=fake.url)
        accounts = StripeAccounts(
            connections=connections,
            platform=StripeAccount(name="stripe", secret_key=KEY),
            platform_webhook_secrets=(),
            database=database,
            keyring=KeyRing(LOCAL_ENCRYPTION_KEY),
            cache_seconds=60,
            guards=account_guards(ProcessorSettings(), FAST, clock),
        )

        async def vault_of(name: str) -> Vault:
            return await accounts.vault(name)

        async with connections.open():
            yield Shop(fake, database, vault_of, clock, tenant_id)


async def test_saved_card_is_known_by_what_may_be_shown_of_it(shop: Shop) -> None:
    setup = await shop.saved("pm_card_mastercard")
    assert (setup.status, setup.processor) == ("SUCCEEDED", "stripe")
    (method,) = (
        await queries.list_methods(shop.database, ListSavedMethods(tenant_id=shop.tenant, customer_id=shop.customer))
    ).methods
    assert method.id == setup.payment_method_id
    assert (method.type, method.brand, method.last4, method.exp_month, method.exp_year) == (
        "card",
        "mastercard",
        "4444",
        12,
        2034,
    )
    (customer,) = shop.books.customers.values()
    assert (customer["name"], customer["email"]) == ("Ana", "a@example.com")
    assert customer["metadata"] == {"tenant_id": shop.tenant, "customer_id": str(shop.customer)}


async def test_one_customer_is_made_however_many_setups_begin_at_once(shop: Shop) -> None:
    processes = [shop.another() for _ in range(3)]
    setups = await asyncio.gather(*(saving.start(shop.request()) for saving in processes * 2))
    assert len({setup.id for setup in setups}) == 6
    assert len(shop.books.customers) == 1
    assert len(await shop.methods()) == 6


async def test_same_setup_at_once_and_again_is_one(shop: Shop) -> None:
    request = shop.request()
    setups = await asyncio.gather(*(shop.another().start(request) for _ in range(4)), return_exceptions=True)
    done = [setup for setup in setups if isinstance(setup, Setup)]
    # Two calls under one key at once: Stripe answers one of them that it works on the other.
    assert done and all(isinstance(each, Setup | ProcessorUnavailable) for each in setups)
    assert await shop.saving.start(request) == done[0]
    assert len(shop.books.setup_intents) == len(shop.books.customers) == 1


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/setup_intents"])
@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_lost_answer_is_requested_again_under_the_same_key(shop: Shop, path: str, kind: FaultKind) -> None:
    request = shop.request()
    shop.fake.faults.add(Fault(kind=kind, path=path, times=1))
    with pytest.raises(ProcessorUnavailable):
        await shop.saving.start(request)
    setup = await shop.another().start(request)
    assert setup.status == "SUCCEEDED"
    assert len(shop.books.customers) == len(shop.books.setup_intents) == len(await shop.methods()) == 1


async def test_customer_is_searched_for_once_the_key_may_be_forgotten(shop: Shop) -> None:
    shop.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/customers", times=1))
    with pytest.raises(ProcessorUnavailable):
        await shop.saved()
    shop.clock.advance(timedelta(days=2))
    shop.fake.clock.advance(2 * 86_400)
    assert (await shop.saved()).status == "SUCCEEDED"
    assert len(shop.books.customers) == 1


async def test_renamed_customer_whose_making_was_not_answered_is_found(shop: Shop) -> None:
    shop.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/customers", times=1))
    with pytest.raises(ProcessorUnavailable):
        await shop.saved()
    renamed = msgspec.structs.replace(shop.request(), name="Bia")
    assert (await shop.another().start(renamed)).status == "SUCCEEDED"
    assert len(shop.books.customers) == 1


async def test_address_that_the_processor_does_not_take_is_named(shop: Shop) -> None:
    with pytest.raises(SetupRefused) as refused:
        await shop.saving.start(msgspec.structs.replace(shop.request(), email="nobody"))
    assert refused.value.detail == "Invalid email address: nobody."
    assert (await shop.saved()).status == "SUCCEEDED"


async def test_declined_card_saves_nothing_and_names_why(shop: Shop) -> None:
    setup = await shop.saved("pm_card_chargeDeclinedExpiredCard")
    assert (setup.status, setup.failure_code) == ("REQUIRES_PAYMENT_METHOD", "expired_card")
    assert await shop.methods() == []
    with pytest.raises(SetupRefused) as refused:
        await shop.saved("pm_of_nobody")
    assert refused.value.errors[0][0] == "/payment_method"


async def test_customer_proves_themselves_and_the_reading_learns_it(shop: Shop) -> None:
    setup = await shop.saved("pm_card_authenticationRequired")
    assert setup.status == "REQUIRES_ACTION"
    secret = await shop.saving.secret(
        ReadSetupSecret(tenant_id=shop.tenant, customer_id=shop.customer, setup_id=setup.id)
    )
    (intent,) = shop.books.setup_intents.values()
    assert secret.client_secret == intent["client_secret"]
    assert intent["client_secret"] not in repr(secret)
    setups.prove(shop.books, intent, is_proven=True)
    assert (await shop.get(setup.id)).status == "SUCCEEDED"
    assert len(await shop.methods()) == 1
    over = await shop.saving.secret(
        ReadSetupSecret(tenant_id=shop.tenant, customer_id=shop.customer, setup_id=setup.id)
    )
    assert over.client_secret == ""


async def test_event_saves_once_in_any_order_and_for_its_tenant_alone(shop: Shop) -> None:
    shop.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/setup_intents", times=1))
    request = shop.request()
    with pytest.raises(ProcessorUnavailable):
        await shop.saving.start(request)
    (intent,) = shop.books.setup_intents.values()
    assert not await shop.event("setup_intent.succeeded", intent, tenant="another")
    assert not await shop.event("setup_intent.succeeded", intent, processor="stripe:of-another")
    stale = intent | {"status": "requires_action"}
    for kind, found in (("setup_intent.succeeded", intent), ("setup_intent.requires_action", stale)) * 2:
        assert await shop.event(kind, found)
    assert (await shop.get(request.setup_id)).status == "SUCCEEDED"
    assert len(await shop.methods()) == 1
    foreign = intent | {"id": "seti_other"}
    assert not await shop.event("setup_intent.succeeded", foreign)
    assert not await shop.event("setup_intent.succeeded", {"id": "seti_x", "metadata": {"setup_id": "no id"}})


async def test_detached_method_is_nobodys_here_and_there(shop: Shop) -> None:
    method = (await shop.saved()).payment_method_id
    assert method is not None
    shop.fake.faults.add(Fault(kind=FaultKind.DROP_BEFORE, path="/detach", times=1))
    await shop.detach(method)
    # Charged no more at once, although the processor could not be called.
    assert await shop.methods() == []
    with pytest.raises(SavedMethodNotFound):
        await queries.find_method(
            shop.database,
            FindSavedMethod(tenant_id=shop.tenant, customer_id=shop.customer, payment_method_id=method),
        )
    (kept,) = [each for each in shop.books.payment_methods.values() if each["customer"]]
    await shop.saving.forget_due()
    assert kept["customer"] is not None, "it is not due yet"
    shop.clock.advance(timedelta(minutes=11))
    await asyncio.gather(shop.another().forget_due(), shop.another().forget_due())
    assert kept["customer"] is None
    # Forgotten there: again is success here, and calls nobody.
    shop.fake.faults.add(Fault(kind=FaultKind.SLOW, path="/detach", seconds=0))
    await shop.detach(method)
    assert FaultKind.SLOW not in shop.fake.faults.met


async def test_method_that_was_detached_at_stripe_is_detached_here(shop: Shop) -> None:
    method = (await shop.saved()).payment_method_id
    (kept,) = [each for each in shop.books.payment_methods.values() if each["customer"]]
    assert not await shop.event("payment_method.detached", kept, processor="stripe:of-another")
    assert len(await shop.methods()) == 1
    assert await shop.event("payment_method.detached", kept)
    assert await shop.event("payment_method.detached", kept)
    assert await shop.methods() == []
    assert method is not None


async def test_method_that_was_detached_before_it_was_known_is_not_saved(shop: Shop) -> None:
    shop.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/setup_intents", times=1))
    request = shop.request()
    with pytest.raises(ProcessorUnavailable):
        await shop.saving.start(request)
    (intent,) = shop.books.setup_intents.values()
    (kept,) = [each for each in shop.books.payment_methods.values() if each["customer"]]
    customers.detach(shop.books, kept, {})
    assert not await shop.event("payment_method.detached", kept)
    assert await shop.event("setup_intent.succeeded", intent)
    assert (await shop.get(request.setup_id)).status == "SUCCEEDED"
    assert await shop.methods() == []


async def test_what_is_anothers_is_not_found(shop: Shop) -> None:
    setup = await shop.saved()
    assert setup.payment_method_id is not None
    other = new_id()
    for tenant, customer in ((shop.tenant, other), ("another", shop.customer)):
        with pytest.raises(SavedMethodNotFound):
            await queries.find_method(
                shop.database,
                FindSavedMethod(tenant_id=tenant, customer_id=customer, payment_method_id=setup.payment_method_id),
            )
        with pytest.raises(SavedMethodNotFound):
            await shop.saving.detach(
                DetachSavedMethod(tenant_id=tenant, customer_id=customer, payment_method_id=setup.payment_method_id)
            )
        with pytest.raises(SetupNotFound):
            await shop.saving.get(GetSetup(tenant_id=tenant, customer_id=customer, setup_id=setup.id))
    with pytest.raises(SetupNotFound):
        await shop.saving.start(shop.request(setup=setup.id, customer=other))
    assert len(await shop.methods()) == 1


async def test_deleted_customer_is_forgotten_with_all_that_is_saved(shop: Shop) -> None:
    waiting = await shop.saved("pm_card_authenticationRequired")
    await shop.saved()
    await shop.delete()
    await shop.delete()
    assert await shop.methods() == []
    with pytest.raises(SetupNotFound):
        await shop.saved()
    intent = next(each for each in shop.books.setup_intents.values() if each["status"] == "requires_action")
    setups.prove(shop.books, intent, is_proven=True)
    assert await shop.event("setup_intent.succeeded", intent)
    # Saved at the last moment: known, and charged by nobody.
    assert (await shop.get(waiting.id)).status == "SUCCEEDED"
    assert await shop.methods() == []
    shop.fake.faults.add(Fault(kind=FaultKind.DROP_BEFORE, path="/v1/customers", times=1))
    await shop.saving.forget_due()
    shop.clock.advance(timedelta(minutes=11))
    await shop.saving.forget_due()
    assert [each["_is_deleted"] for each in shop.books.customers.values()] == [True]
    assert not any(each["customer"] for each in shop.books.payment_methods.values())


async def test_deleted_customer_whom_a_search_finds_late_is_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.fake.faults.add(Fault(kind=FaultKind.DROP_AFTER, path="/v1/customers", times=1))
    with pytest.raises(ProcessorUnavailable):
        await shop.saved()
    await shop.delete()
    find, searched = StripeVault.find_customer, set[UUID]()

    async def find_late(self: StripeVault, *, customer_id: UUID) -> str:
        found = await find(self, customer_id=customer_id) if customer_id in searched else ""
        searched.add(customer_id)
        return found

    monkeypatch.setattr(StripeVault, "find_customer", find_late)
    await shop.saving.forget_due()
    assert shop.customer in searched
    shop.clock.advance(timedelta(minutes=11))
    await shop.saving.forget_due()
    assert [each["_is_deleted"] for each in shop.books.customers.values()] == [True]


async def test_customer_who_is_deleted_while_being_made_is_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = StripeVault.create_customer

    async def create_late(self: StripeVault, new: NewCustomer) -> str:
        await shop.delete()
        await shop.another().forget_due()
        return await create(self, new)

    monkeypatch.setattr(StripeVault, "create_customer", create_late)
    await shop.saved()
    assert await shop.methods() == []
    shop.clock.advance(timedelta(minutes=11))
    await shop.saving.forget_due()
    assert [each["_is_deleted"] for each in shop.books.customers.values()] == [True]


async def test_deletion_before_the_first_setup_counts(shop: Shop) -> None:
    await shop.delete()
    with pytest.raises(SetupNotFound):
        await shop.saved()
    assert not shop.books.customers
