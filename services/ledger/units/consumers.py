"""What is handled of own units: the requests of the api."""

from libs.common.contracts.ledger_units import AddOwnUnit, ListOwnUnits, OwnUnit, OwnUnitList
from libs.common.messaging import Bus
from services.ledger.units.commands import UnitCommands


class UnitConsumers:
    """Answers requests about own units."""

    def __init__(self, units: UnitCommands) -> None:
        self._units = units

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(AddOwnUnit, self.on_add_own_unit)
        bus.answer(ListOwnUnits, self.on_list_own_units)

    async def on_add_own_unit(self, request: AddOwnUnit) -> OwnUnit:
        """Let a tenant's books count in a unit of its own."""
        return await self._units.add(request)

    async def on_list_own_units(self, request: ListOwnUnits) -> OwnUnitList:
        """List a tenant's own units."""
        return await self._units.units(request)
