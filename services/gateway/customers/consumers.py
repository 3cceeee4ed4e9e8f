"""What is handled of customers: the requests of the api, and its command to forget one."""

from collections.abc import Sequence

from libs.common.clock import Clock
from libs.common.contracts.gateway_customers import (
    DetachSavedMethod,
    FindSavedMethod,
    ForgetCustomer,
    GetSetup,
    ListSavedMethods,
    MethodDetached,
    ReadSetupSecret,
    SavedMethod,
    SavedMethodList,
    Setup,
    SetupSecret,
    StartSetup,
)
from libs.common.db import Connection, Database
from libs.common.messaging import Bus, Received
from services.gateway.customers import commands, queries
from services.gateway.customers.commands import Saving


class CustomerConsumers:
    """Answers requests about what processors keep of customers."""

    def __init__(self, saving: Saving, *, database: Database, clock: Clock) -> None:
        self._saving = saving
        self._database = database
        self._clock = clock

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject, and handle its command."""
        bus.answer(StartSetup, self.on_start_setup)
        bus.answer(GetSetup, self.on_get_setup)
        bus.answer(ReadSetupSecret, self.on_read_setup_secret)
        bus.answer(ListSavedMethods, self.on_list_saved_methods)
        bus.answer(FindSavedMethod, self.on_find_saved_method)
        bus.answer(DetachSavedMethod, self.on_detach_saved_method)
        bus.handle(ForgetCustomer, self.on_forget_customer)

    async def on_start_setup(self, request: StartSetup) -> Setup:
        """Begin to save a payment method."""
        return await self._saving.start(request)

    async def on_get_setup(self, request: GetSetup) -> Setup:
        """Read how far a setup is."""
        return await self._saving.get(request)

    async def on_read_setup_secret(self, request: ReadSetupSecret) -> SetupSecret:
        """Fetch the secret with which a customer goes on."""
        return await self._saving.secret(request)

    async def on_list_saved_methods(self, request: ListSavedMethods) -> SavedMethodList:
        """List what is saved of a customer."""
        return await queries.list_methods(self._database, request)

    async def on_find_saved_method(self, request: FindSavedMethod) -> SavedMethod:
        """Read one saved payment method."""
        return await queries.find_method(self._database, request)

    async def on_detach_saved_method(self, request: DetachSavedMethod) -> MethodDetached:
        """Charge a saved payment method no more."""
        return await self._saving.detach(request)

    async def on_forget_customer(self, tx: Connection, received: Sequence[Received[ForgetCustomer]]) -> None:
        """Note that customers were deleted; processors are called afterwards."""
        await commands.forget_customers(tx, received, at=self._clock.now())
