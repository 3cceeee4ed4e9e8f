"""What amounts are in, as the books keep it: the own units of tenants, and how many decimals each currency has."""

from services.ledger.units.commands import CurrencyExponents, UnitCommands
from services.ledger.units.consumers import UnitConsumers
from services.ledger.units.domain import missing_unit
from services.ledger.units.sql import missing_units

__all__ = ["CurrencyExponents", "UnitCommands", "UnitConsumers", "missing_unit", "missing_units"]
