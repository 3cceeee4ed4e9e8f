"""Floor, ceiling and currencies of an account."""

import asyncio
from uuid import UUID

import pytest

from libs.common.contracts.ledger import (
    AccountType,
    OpenAccount,
)
from services.ledger.core import BALANCE_MINOR_MAX
from tests.integration.ledger.bank import Bank, refused
from tests.integration.ledger.conftest import audit
from tests.integration.ledger.test_schema import as_owner
from tests.support.databases import TestDatabase


class TestLimits:
    """Floor, ceiling and currencies of an account."""

    async def test_an_account_is_never_taken_below_its_floor(self, bank: Bank) -> None:
        assert await refused(bank.post("WALLET", "VAULT", 1001)) == "floor_crossed"
        await bank.post("WALLET", "VAULT", 1000)
        assert await refused(bank.post("WALLET", "VAULT", 1)) == "floor_crossed"
        assert await bank.balance("WALLET") == (0, 0)

    async def test_an_account_never_holds_more_than_its_ceiling(self, bank: Bank) -> None:
        await bank.open("DRAWER", AccountType.ASSET, ceiling_minor=500)
        await bank.post("DRAWER", "WALLET", 500)
        assert await refused(bank.post("DRAWER", "WALLET", 1)) == "ceiling_crossed"
        await bank.post("WALLET", "DRAWER", 1)

    async def test_an_account_takes_the_currencies_of_its_policy(self, bank: Bank) -> None:
        await bank.open("LOCAL", AccountType.ASSET, currencies=["BRL"])
        await bank.post("LOCAL", "WALLET", 1)
        assert await refused(bank.post("LOCAL", "WALLET", 1, currency="USD")) == "currency_not_taken"

    async def test_callers_at_once_never_overdraw(self, bank: Bank) -> None:
        answers = await asyncio.gather(*(bank.post("WALLET", "VAULT", 7) for _ in range(200)), return_exceptions=True)
        assert sum(isinstance(answer, UUID) for answer in answers) == 1000 // 7
        assert await bank.balance("WALLET") == (1000 % 7, 0)
        assert await audit(bank.database) == []

    @pytest.mark.parametrize(
        "limits",
        [
            {"floor_minor": 1, "ceiling_minor": 0},
            {"currencies": []},
            {"currencies": ["XXX"]},
            {"floor_minor": -(2**70)},
        ],
    )
    async def test_limits_that_cannot_be_are_refused(self, bank: Bank, limits: dict[str, object]) -> None:
        assert await refused(bank.open("ODD", AccountType.ASSET, **limits)) == "account_invalid"

    async def test_an_account_opened_again_with_other_limits_is_a_conflict(self, bank: Bank) -> None:
        request = OpenAccount(
            tenant_id=bank.tenant_id, account_id=bank.ids["WALLET"], code="WALLET", label="WALLET",
            account_type=AccountType.LIABILITY, floor_minor=0,
        )  # fmt: skip
        assert (await bank.accounts.open_account(request)).floor_minor == 0
        other = OpenAccount(**{name: getattr(request, name) for name in request.__struct_fields__} | {"floor_minor": 1})
        assert await refused(bank.accounts.open_account(other)) == "account_id_taken"

    async def test_a_total_that_no_book_can_hold_is_refused_alone(
        self, bank: Bank, ledger_database: TestDatabase
    ) -> None:
        total = "UPDATE balances SET debits_minor = $1 WHERE tenant_id = $2 AND account_id = $3"
        await as_owner(ledger_database, total, BALANCE_MINOR_MAX, bank.tenant_id, bank.ids["VAULT"])
        try:
            assert await refused(bank.post("VAULT", "WALLET", 1)) == "balance_overflow"
        finally:
            await as_owner(ledger_database, total, 1000, bank.tenant_id, bank.ids["VAULT"])
