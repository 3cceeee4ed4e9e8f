"""The SQL of own units, and of the decimals that each currency has in these books."""

from collections.abc import Iterable, Mapping

from libs.common.contracts.ledger_units import OwnUnit
from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from libs.common.money import is_own_unit

_UNIT = columns_of(OwnUnit)
# Two at once may add one more than there may be; what counts is that the number is bounded.
_ADD = Statement(
    """
INSERT INTO own_units (tenant_id, {columns}) SELECT :tenant_id, {values}
 WHERE (SELECT count(*) FROM own_units WHERE tenant_id = :tenant_id) < :units_max
    ON CONFLICT DO NOTHING
""",
    columns=_UNIT,
    values=values_of("unit", OwnUnit),
)
# By the primary key, without a lock: a unit never changes.
_FIND = Statement("SELECT {columns} FROM own_units WHERE tenant_id = :tenant_id AND code = :code", columns=_UNIT)
# In the order of the primary key; a tenant has few.
_LIST = Statement("SELECT {columns} FROM own_units WHERE tenant_id = :tenant_id ORDER BY code", columns=_UNIT)
# By the primary key, once a request whose amounts are in own units.
_CODES = Statement("SELECT code FROM own_units WHERE tenant_id = :tenant_id AND code = ANY(:codes::bpchar[])")
# A few hundred rows, read once by each process that starts.
_EXPONENTS = Statement("SELECT currency, exponent FROM currency_exponents")
# What is there stays: another number for the same code would change every amount in it.
_ADD_EXPONENTS = Statement("""
INSERT INTO currency_exponents (currency, exponent)
SELECT currency, exponent FROM unnest(:currencies::bpchar[], :exponents::int2[]) AS known(currency, exponent)
 ORDER BY currency ON CONFLICT DO NOTHING
""")

_unit = reader_of(OwnUnit)


async def add_unit(tx: Connection, tenant_id: str, unit: OwnUnit, *, units_max: int) -> None:
    """Add an own unit, unless the tenant has one of its code, or as many as it may have."""
    await _ADD.execute(tx, tenant_id=tenant_id, unit=unit, units_max=units_max)


async def find_unit(connection: Connection, tenant_id: str, code: str) -> OwnUnit | None:
    """Find an own unit of a tenant."""
    row = await _FIND.fetchrow(connection, tenant_id=tenant_id, code=code)
    return None if row is None else _unit(row)


async def units_of(connection: Connection, tenant_id: str) -> list[OwnUnit]:
    """List a tenant's own units, by code."""
    return [_unit(row) for row in await _LIST.fetch(connection, tenant_id=tenant_id)]


async def missing_units(connection: Connection, tenant_id: str, codes: Iterable[str]) -> set[str]:
    """Return which of some codes are own units that the tenant does not have; currencies alone cost no statement."""
    own = {code for code in codes if is_own_unit(code)}
    if not own:
        return own
    rows = await _CODES.fetch(connection, tenant_id=tenant_id, codes=sorted(own))
    return own - {row["code"] for row in rows}


async def stored_exponents(connection: Connection) -> dict[str, int]:
    """Read how many decimals each currency has in these books."""
    return {row["currency"]: row["exponent"] for row in await _EXPONENTS.fetch(connection)}


async def add_exponents(connection: Connection, exponents: Mapping[str, int]) -> None:
    """Write how many decimals currencies have that the books do not know yet."""
    await _ADD_EXPONENTS.execute(connection, currencies=list(exponents), exponents=list(exponents.values()))
