"""What is saved of a customer is charged through the account that has it, or not at all."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_customers import DetachSavedMethod, GetSetup, StartSetup
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.customers import Saving, chargeable
from services.gateway.operations import Attempt
from services.gateway.processors.port.saving import Vault
from services.gateway.processors.sandbox import SandboxVault
from tests.integration.gateway.customers.test_saving import Always
from tests.integration.gateway.operations.test_lifecycle import Place
from tests.support.gateway_process import open_circuit


async def _vault(name: str) -> Vault:
    return SandboxVault()


class Saved(Place):
    """A gateway, and a card that is saved of a customer."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str) -> None:
        super().__init__(database, clock, tenant_id)
        self.customer = new_id()
        self.saving = Saving(database, accounts=Always("sandbox"), vault_of=_vault, clock=clock)
        self.commands._chargeable = partial(chargeable, database)

    async def save(self, card: str = "") -> UUID:
        request = StartSetup(
            tenant_id=self.tenant_id, customer_id=self.customer, setup_id=new_id(), payment_method=card
        )
        found = (await self.saving.start(request)).payment_method_id
        assert found is not None
        return found

    async def detach(self, method: UUID) -> None:
        await self.saving.detach(
            DetachSavedMethod(tenant_id=self.tenant_id, customer_id=self.customer, payment_method_id=method)
        )

    async def charge(self, method: UUID, *, customer: UUID | None = None, retries: int = 0, **changes: Any) -> Attempt:
        command = self.authorize_command(15_050, retries=retries)
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
    await place.detach(method)
    attempt = await place.charge(method)
    assert (attempt.status, attempt.reason, attempt.asks) == ("DECLINED", "payment_method_detached", 0)


@pytest.mark.parametrize(
    ("calls_in_doubt", "outcome"), [(0, ("DECLINED", "payment_method_detached", 0)), (1, ("APPROVED", "", 1))]
)
async def test_what_is_detached_while_its_payment_waits_is_not_charged(
    place: Saved, calls_in_doubt: int, outcome: tuple[str, str, int]
) -> None:
    method = await place.save()
    await open_circuit(place)
    attempt = await place.charge(method, retries=4)
    assert (attempt.status, attempt.asked_at) == ("PENDING", None)
    await place.detach(method)
    # A call that may have been carried out is found out about, whatever is detached since.
    await place.database.write("UPDATE attempts SET in_doubt = $2 WHERE id = $1", attempt.id, calls_in_doubt)
    await place.resolve_after(timedelta(seconds=31))
    [attempt] = await place.attempts(attempt.payment_intent_id)
    assert (attempt.status, attempt.reason, attempt.asks) == outcome
    assert len(await place.published(attempt.payment_intent_id)) == 1


async def test_call_that_is_counted_meanwhile_outlasts_a_detachment(place: Saved) -> None:
    method = await place.save()
    await open_circuit(place)
    attempt = await place.charge(method, retries=4)

    async def chargeable(*_: Any) -> None:
        await place.store.count_call(attempt, now=place.clock.now())

    place.commands._chargeable = chargeable
    await place.resolve_after(timedelta(seconds=31))
    [attempt] = await place.attempts(attempt.payment_intent_id)
    assert (attempt.status, attempt.in_doubt) == ("PENDING", 2)
    assert await place.published(attempt.payment_intent_id) == []


async def test_setup_that_the_sandbox_refused_keeps_its_reason(place: Saved) -> None:
    request = StartSetup(
        tenant_id=place.tenant_id,
        customer_id=place.customer,
        setup_id=new_id(),
        payment_method="pm_card_chargeDeclined",
    )
    started = await place.saving.start(request)
    assert started.failure_code == "generic_decline"
    reading = GetSetup(tenant_id=place.tenant_id, customer_id=place.customer, setup_id=request.setup_id)
    assert await place.saving.get(reading) == started
