"""Accounts are opened beside the default ones, each id and code once for each tenant."""

import asyncio
from uuid import UUID

import pytest

from libs.common.contracts.ledger import AccountType, ListAccounts, OpenAccount
from libs.common.contracts.ledger_errors import AccountCodeTaken, AccountIdTaken, AccountInvalid
from libs.common.contracts.ledger_roles import Role
from libs.common.errors import Conflict
from libs.common.ids import new_id
from tests.integration.ledger.conftest import Ledger


def opening(
    tenant_id: str,
    code: str = "FEES",
    *,
    account_id: UUID | None = None,
    label: str = "Processor fees",
    account_type: AccountType = AccountType.EXPENSE,
) -> OpenAccount:
    return OpenAccount(
        tenant_id=tenant_id, account_id=account_id or new_id(), code=code, label=label, account_type=account_type
    )


class TestOpenAccount:
    async def test_it_stands_beside_the_default_accounts(self, ledger: Ledger, tenant_id: str) -> None:
        opened = await ledger.accounts.on_open_account(opening(tenant_id))
        assert (opened.code, opened.label, opened.is_default) == ("FEES", "Processor fees", False)
        listed = (await ledger.accounts.on_list_accounts(ListAccounts(tenant_id=tenant_id))).accounts
        assert [account.code for account in listed] == sorted(["FEES", *Role])

    async def test_the_same_again_is_success(self, ledger: Ledger, tenant_id: str) -> None:
        request = opening(tenant_id)
        assert await ledger.accounts.on_open_account(request) == await ledger.accounts.on_open_account(request)

    async def test_a_taken_code_is_a_conflict_also_that_of_a_default_account(
        self, ledger: Ledger, tenant_id: str
    ) -> None:
        await ledger.accounts.on_open_account(opening(tenant_id))
        for code in ("FEES", "CASH"):
            with pytest.raises(AccountCodeTaken, match=f"account code {code} already exists for tenant"):
                await ledger.accounts.on_open_account(opening(tenant_id, code))

    async def test_a_taken_id_with_other_content_is_a_conflict(self, ledger: Ledger, tenant_id: str) -> None:
        request = opening(tenant_id)
        await ledger.accounts.on_open_account(request)
        for other in (
            opening(tenant_id, "OTHER", account_id=request.account_id),
            opening(tenant_id, account_id=request.account_id, label="Other"),
            opening(tenant_id, account_id=request.account_id, account_type=AccountType.ASSET),
        ):
            with pytest.raises(AccountIdTaken):
                await ledger.accounts.on_open_account(other)

    async def test_one_code_requested_by_many_at_once_is_opened_once(self, ledger: Ledger, tenant_id: str) -> None:
        answers = await asyncio.gather(
            *(ledger.accounts.on_open_account(opening(tenant_id)) for _ in range(6)), return_exceptions=True
        )
        assert sum(isinstance(answer, Conflict) for answer in answers) == 5

    async def test_the_same_code_and_id_belong_to_each_tenant_alone(self, ledger: Ledger, tenant_id: str) -> None:
        account_id = new_id()
        for tenant in (tenant_id, f"{tenant_id}-b"):
            assert (await ledger.accounts.on_open_account(opening(tenant, account_id=account_id))).id == account_id

    async def test_an_unusable_code_is_refused(self, ledger: Ledger, tenant_id: str) -> None:
        with pytest.raises(AccountInvalid):
            await ledger.accounts.on_open_account(opening(tenant_id, "a\0b"))
