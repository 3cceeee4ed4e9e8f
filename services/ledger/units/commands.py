"""Adding own units, and holding the decimals of currencies against those that the books were written with."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from libs.common.clock import Clock
from libs.common.contracts.ledger_errors import UnitConflict, UnitLimitReached
from libs.common.contracts.ledger_units import AddOwnUnit, ListOwnUnits, OwnUnit, OwnUnitList
from libs.common.db import Database
from libs.common.errors import BrokenInvariant, Transient
from libs.common.money import currency
from services.ledger.units import sql
from services.ledger.units.domain import UNITS_MAX, check_unit, differing_exponents


class UnitCommands:
    """What one ledger process decides about own units."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, request: AddOwnUnit) -> OwnUnit:
        """Let a tenant's books count in a unit of its own; again is success.

        Raises:
            UnitInvalid: when no unit can have this code or this name.
            UnitConflict: when the tenant has one of this code with another name.
            UnitLimitReached: when the tenant has as many as it may have.
        """
        check_unit(request.code, request.name)
        unit = OwnUnit(
            code=request.code,
            exponent=currency(request.code).exponent,
            name=request.name,
            created_at=self._clock.now(),
            created_by=request.created_by,
        )
        async with self._database.transaction() as tx:
            await sql.add_unit(tx, request.tenant_id, unit, units_max=UNITS_MAX)
            existing = await sql.find_unit(tx, request.tenant_id, request.code)
        if existing is None:
            raise UnitLimitReached(f"the tenant has {UNITS_MAX} own units already")
        if existing.name != request.name:
            raise UnitConflict(f"the tenant's own unit {request.code} is {existing.name}")
        return existing

    async def units(self, request: ListOwnUnits) -> OwnUnitList:
        """List a tenant's own units."""
        async with self._database.connection() as connection:
            return OwnUnitList(units=await sql.units_of(connection, request.tenant_id))


class CurrencyExponents:
    """Keeps a version that reads amounts with other decimals away from the books."""

    def __init__(self, database: Database, exponents: Mapping[str, int]) -> None:
        self._database = database
        self._exponents = exponents

    async def keep(self) -> None:
        """Write down the decimals of currencies that are new in this version, and compare the others.

        Raises:
            BrokenInvariant: when amounts of a currency were written with other decimals than this version reads.
        """
        async with self._database.transaction() as tx:
            await sql.add_exponents(tx, self._exponents)
            stored = await sql.stored_exponents(tx)
        if differing := differing_exponents(stored, self._exponents):
            raise BrokenInvariant(f"the amounts in the books would be read wrongly: {'; '.join(differing)}")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Compare before anything else is done, if the database answers by then.

        Raises:
            BrokenInvariant: as `keep` does; the process ends.
        """
        with suppress(Transient):
            await self.keep()
        yield
