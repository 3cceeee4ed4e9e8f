"""A key is rotated within its account and mode, by one caller at a time, and never on faith."""

import asyncio

import pytest

from deploy.fake_stripe.faults import Fault, FaultKind
from libs.common.clock import SystemClock
from libs.common.contracts.gateway_errors import (
    GatewayConfigConflict,
    ProcessorAccountChanged,
    ProcessorAccountUnreadable,
)
from libs.common.contracts.gateway_requests import GatewayConfig, RotateGatewayKeys
from libs.common.ids import new_id
from services.gateway.accounts.domain import account_name
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.operations import AttemptStore
from services.gateway.operations.domain.attempts import Attempt, AttemptStatus
from services.gateway.processors.port import Operation
from tests.integration.gateway.accounts.conftest import Accounts
from tests.integration.gateway.accounts.test_configs import adding


def rotating(added: GatewayConfig, tenant_id: str, secret_key: str) -> RotateGatewayKeys:
    return RotateGatewayKeys(tenant_id=tenant_id, config_id=added.id, secret_key=secret_key)


async def test_of_two_rotations_at_once_one_is_a_conflict(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    added = await accounts.configs.add(adding(tenant_id, secret_key=key))
    new = [accounts.key(of=key) for _ in range(4)]
    # All of them have read the configuration before the first one writes.
    accounts.fake.faults.add(Fault(kind=FaultKind.SLOW, method="GET", path="/v1/account", seconds=0.5))
    answers = await asyncio.gather(
        *(accounts.configs.rotate(rotating(added, tenant_id, each)) for each in new), return_exceptions=True
    )
    done = [answer for answer in answers if isinstance(answer, GatewayConfig)]
    assert len(done) == 1
    assert [type(each) for each in answers if each not in done] == [GatewayConfigConflict] * 3
    (kept,) = await configs_sql.of_tenant(accounts.database, tenant_id)
    assert kept.key_last4 == done[0].secret_key_last4


async def test_a_key_of_the_other_mode_is_refused(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    added = await accounts.configs.add(adding(tenant_id, secret_key=key))
    live = f"sk_live_{new_id().hex}"
    accounts.fake.add_key(live, of=key)
    with pytest.raises(ProcessorAccountChanged) as caught:
        await accounts.configs.rotate(rotating(added, tenant_id, live))
    assert (caught.value.reason, caught.value.errors[0][0]) == ("processor_account_changed", "/secret_key")


async def test_a_key_that_may_not_read_its_account_is_refused(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    added = await accounts.configs.add(adding(tenant_id, secret_key=key))
    restricted = f"rk_test_{new_id().hex}"
    accounts.fake.add_key(restricted, of=key, permissions=frozenset({"payment_intent_write"}))
    with pytest.raises(ProcessorAccountUnreadable, match="GET /v1/account") as caught:
        await accounts.configs.rotate(rotating(added, tenant_id, restricted))
    assert caught.value.reason == "processor_account_unreadable"
    with pytest.raises(ProcessorAccountUnreadable):
        await accounts.configs.add(adding(str(new_id()), secret_key=restricted))
    (kept,) = await configs_sql.of_tenant(accounts.database, tenant_id)
    assert kept.key_last4 == key[-4:]


async def test_an_account_that_was_never_known_is_found_out_first(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    added = await accounts.before.add(adding(tenant_id, secret_key=key))
    with pytest.raises(ProcessorAccountChanged):
        await accounts.configs.rotate(rotating(added, tenant_id, accounts.key()))
    new = accounts.key(of=key)
    assert (await accounts.configs.rotate(rotating(added, tenant_id, new))).secret_key_last4 == new[-4:]


async def test_where_the_old_key_is_refused_a_payment_proves_the_new(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    added = await accounts.before.add(adding(tenant_id, secret_key=key))
    payment = await accounts.pay(key)
    now = SystemClock().now()
    held = Attempt(
        tenant_id=tenant_id,
        id=new_id(),
        payment_intent_id=new_id(),
        operation=Operation.AUTHORIZE,
        processor=account_name(added.id),
        status=AttemptStatus.PENDING,
        amount_minor=15_050,
        currency="BRL",
        customer_ref="",
        gateway_ref=payment,
        asked_at=now,
        next_ask_at=now,
        created_at=now,
        correlation_id="rotation",
        traceparent="",
    )
    await AttemptStore(accounts.database).open(held)
    new, foreign = accounts.key(of=key), accounts.key()
    accounts.fake.expire_key(key)
    with pytest.raises(ProcessorAccountChanged):
        await accounts.configs.rotate(rotating(added, tenant_id, foreign))
    assert (await accounts.configs.rotate(rotating(added, tenant_id, new))).secret_key_last4 == new[-4:]
