"""What is saved of a customer is charged through the account that has it, or not at all."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_customers import DetachSavedMethod, StartSetup
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.customers import CustomerStore, Saving
from services.gateway.operations import Attempt
from services.gateway.processors.port.saving import Vault
from services.gateway.processors.sandbox import SandboxVault
from tests.integration.gateway.customers.test_saving import Always
from tests.integration.gateway.operations.test_lifecycle import Place
from tests.support.databases import TestDatabase


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway") as opened:
        yield opened
        await opened.write("UPDATE attempts SET next_ask_at = NULL, expires_at = NULL")


async def _vault(name: str) -> Vault:
    return SandboxVault()


class Saved(Place):
    """A gateway, and a card that is saved of a customer."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str) -> None:
        super().__init__(database, clock, tenant_id)
        self.customer = new_id()
        self.customers = CustomerStore(database)
        self.saving = Saving(self.customers, accounts=Always("sandbox"), vault_of=_vault, clock=clock)
        self.commands._chargeable = self.customers.chargeable

    async def save(self, card: str = "") -> UUID:
        request = StartSetup(
            tenant_id=self.tenant_id, customer_id=self.customer, setup_id=new_id(), payment_method=card
        )
        found = (await self.saving.start(request)).payment_method_id
        assert found is not None
        return found

    async def charge(self, method: UUID, *, customer: UUID | None = None, **changes: Any) -> Attempt:
        command = self.authorize_command(15_050)
        body = msgspec.structs.replace(
            command.body,
            customer_id=customer or self.customer,
            saved_method_id=method,
            off_session=True,
            **changes,
        )
        for _ in range(2):
            await self.commands.authorize(msgspec.structs.replace(command, body=body))
        [attempt] = await self.attempts(command.body.payment_intent_id)
        return attempt


@pytest.fixture
def place(database: Database, clock: ManualClock, tenant_id: str) -> Saved:
    return Saved(database, clock, tenant_id)


async def test_saved_card_is_charged_once(place: Saved) -> None:
    attempt = await place.charge(await place.save())
    assert (attempt.status, attempt.processor, attempt.off_session) == ("APPROVED", "sandbox", True)
    assert attempt.payment_method.endswith("_4242")
    assert attempt.processor_customer == f"sandbox_cus_{place.customer}"
    assert attempt.asks == 1


async def test_proof_that_nobody_can_give_is_a_decline(place: Saved) -> None:
    attempt = await place.charge(await place.save("pm_card_authenticationRequired"))
    assert (attempt.status, attempt.reason) == ("DECLINED", "authentication_required")
    assert attempt.decline_code == "authentication_required"


async def test_what_is_detached_or_anothers_is_not_charged(place: Saved) -> None:
    method = await place.save()
    attempt = await place.charge(method, customer=new_id())
    assert (attempt.status, attempt.reason, attempt.asks) == ("DECLINED", "payment_method_detached", 0)
    await place.saving.detach(
        DetachSavedMethod(tenant_id=place.tenant_id, customer_id=place.customer, payment_method_id=method)
    )
    attempt = await place.charge(method)
    assert (attempt.status, attempt.reason, attempt.asks) == ("DECLINED", "payment_method_detached", 0)
