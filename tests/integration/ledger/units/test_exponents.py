"""How many decimals a currency has stands in the books, and no version reads them otherwise."""

import asyncpg
import pytest

from libs.common.currencies import EXPONENTS
from libs.common.errors import BrokenInvariant
from services.ledger.units import CurrencyExponents
from tests.support.databases import TestDatabase

LATER = EXPONENTS | {"QQQ": 3}


async def test_the_decimals_of_every_currency_are_written_down(ledger_database: TestDatabase) -> None:
    """Also of those that were withdrawn; a later version adds what is new, and an earlier one goes on beside it."""
    async with ledger_database.open("ledger") as database:
        for version in (EXPONENTS, EXPONENTS, LATER, EXPONENTS):
            async with CurrencyExponents(database, version).opened():
                pass
        rows = await database.fetch("SELECT currency, exponent FROM currency_exponents")
        assert {row["currency"]: row["exponent"] for row in rows} == LATER
        assert {"BGN", "ITL", "DEM"} < LATER.keys()


async def test_a_version_with_other_decimals_is_kept_from_the_books(ledger_database: TestDatabase) -> None:
    async with ledger_database.open("ledger") as database:
        await CurrencyExponents(database, EXPONENTS).keep()
        other = CurrencyExponents(database, EXPONENTS | {"BGN": 0, "JPY": 2})
        named = "BGN has 2 decimals in the books and 0 in this version; JPY has 0 decimals in the books and 2 in this"
        with pytest.raises(BrokenInvariant, match=named):
            async with other.opened():
                raise AssertionError("it was opened")


async def test_the_stored_decimals_never_change(ledger_database: TestDatabase) -> None:
    async with ledger_database.open("ledger") as database:
        await CurrencyExponents(database, EXPONENTS).keep()
        for statement in ("UPDATE currency_exponents SET exponent = 0", "DELETE FROM currency_exponents"):
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)):
                await database.fetch(statement)
