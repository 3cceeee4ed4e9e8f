"""A Stripe account belongs to one configuration of one tenant."""

import asyncio

import pytest

from deploy.fake_stripe.faults import Fault, FaultKind
from libs.common.clock import SystemClock
from libs.common.contracts.gateway_errors import GatewayConfigConflict, ProcessorAccountChanged
from libs.common.contracts.gateway_requests import (
    DeleteGatewayConfig,
    RotateGatewayKeys,
)
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import new_id
from services.gateway.accounts import KeyRing, move_account, owns_account
from services.gateway.accounts.domain import Ownership, account_name
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.errors import ProcessorUnavailable
from services.gateway.settings import LOCAL_ENCRYPTION_KEY
from tests.integration.gateway.accounts.conftest import Accounts
from tests.integration.gateway.accounts.test_configs import adding


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
    assert [config.id for config in await configs_sql.of_tenant(accounts.database, tenant_id)] == [first.id]
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
    kept = [config for one in requests for config in await configs_sql.of_tenant(accounts.database, one.tenant_id)]
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
    taken_config = await configs_sql.find(accounts.database, taken.id)
    assert taken_config is not None
    taken_key = KeyRing(LOCAL_ENCRYPTION_KEY).unseal(
        taken_config.sealed_key, tenant_id=taken_config.tenant_id, owner_id=taken.id
    )
    with pytest.raises(GatewayConfigConflict, match=str(taken.id)):
        await accounts.configs.rotate(rotating(accounts.key(of=taken_key)))
    with pytest.raises(ProcessorAccountChanged, match="same Stripe account and mode"):
        await accounts.configs.rotate(rotating(accounts.key()))
    with pytest.raises(Invalid, match="secret_key is refused by Stripe"):
        # The fake takes keys of test mode only.
        await accounts.configs.rotate(rotating(f"sk_live_{new_id().hex}"))
    (kept,) = await configs_sql.of_tenant(accounts.database, tenant_id)
    assert (kept.key_last4, await accounts.owner(key)) == (new[-4:], account_name(added.id))


async def test_nothing_is_added_while_the_account_of_a_key_is_unknown(accounts: Accounts, tenant_id: str) -> None:
    accounts.fake.faults.add(Fault(kind=FaultKind.ERROR_BEFORE, method="GET", path="/v1/account"))
    with pytest.raises(ProcessorUnavailable, match="whose key"):
        await accounts.configs.add(adding(tenant_id, secret_key=accounts.key()))
    assert await configs_sql.of_tenant(accounts.database, tenant_id) == []


async def test_unknown_accounts_are_looked_up_and_shared_ones_go_on(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    first = await accounts.before.add(adding(tenant_id, secret_key=key))
    second = await accounts.before.add(adding(str(new_id()), secret_key=accounts.key(of=key)))
    while await accounts.configs.look_up_accounts() == 50:
        pass
    assert await accounts.owner(key) == account_name(first.id)
    config = await configs_sql.find(accounts.database, second.id)
    assert config is not None and config.deleted_at is None


async def test_account_moves_once_confirmed_and_never_while_it_is_used(accounts: Accounts, tenant_id: str) -> None:
    """The first tenant leaves; the second, which shares the account of old, gets it; then a third adds it anew."""
    key, third = accounts.key(), str(new_id())
    first = await accounts.before.add(adding(tenant_id, secret_key=key))
    second = await accounts.before.add(adding(str(new_id()), secret_key=accounts.key(of=key)))
    while await accounts.configs.look_up_accounts() == 50:
        pass
    account_id = accounts.fake.account(key).account_id
    database = accounts.database
    now = SystemClock().now()

    async def move(*arguments: str) -> str:
        return await move_account(database, [account_id, "--reason", "sold", *arguments], now=now)

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
    owner = await configs_sql.find(accounts.database, second.id)
    assert owner is not None
    assert await owns_account(database, tenant_id=owner.tenant_id, processor=owner.name) is True
    assert await owns_account(database, tenant_id=tenant_id, processor=account_name(first.id)) is False
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
    lines = await database.fetch(
        "SELECT action, detail::json ->> 'reason' AS reason FROM operator_actions WHERE subject = $1", account_id
    )
    assert [tuple(line) for line in lines] == [("stripe_account.moved", "sold")] * 2


async def test_the_platforms_own_account_is_no_tenants(accounts: Accounts, tenant_id: str) -> None:
    key = accounts.key()
    await configs_sql.own(
        accounts.database,
        Ownership(
            account_id=accounts.fake.account(key).account_id, is_live=False, tenant_id=str(new_id()), processor="stripe"
        ),
        at=SystemClock().now(),
    )
    with pytest.raises(GatewayConfigConflict, match="STRIPE_SECRET_KEY"):
        await accounts.configs.add(adding(tenant_id, secret_key=key))
