"""What is handled of holds: the requests of the api."""

from libs.common.contracts.ledger_books import CaptureHold, GetHold, Hold, HoldPage, ListHolds, PlaceHold, VoidHold
from libs.common.db import Database
from libs.common.messaging import Bus
from services.ledger.holds import queries
from services.ledger.holds.commands import HoldCommands


class HoldConsumers:
    """Answers requests about holds."""

    def __init__(self, database: Database, commands: HoldCommands) -> None:
        self._database = database
        self._commands = commands

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(PlaceHold, self.on_place_hold)
        bus.answer(CaptureHold, self.on_capture_hold)
        bus.answer(VoidHold, self.on_void_hold)
        bus.answer(GetHold, self.on_get_hold)
        bus.answer(ListHolds, self.on_list_holds)

    async def on_place_hold(self, request: PlaceHold) -> Hold:
        """Set an amount aside."""
        return await self._commands.place(request)

    async def on_capture_hold(self, request: CaptureHold) -> Hold:
        """Post all or a part of a hold."""
        return await self._commands.capture(request)

    async def on_void_hold(self, request: VoidHold) -> Hold:
        """Let a hold go."""
        return await self._commands.void(request)

    async def on_get_hold(self, request: GetHold) -> Hold:
        """Show a hold."""
        return await queries.get(self._database, request.tenant_id, request.hold_id)

    async def on_list_holds(self, request: ListHolds) -> HoldPage:
        """List the holds of a tenant."""
        return await queries.page(self._database, request)
