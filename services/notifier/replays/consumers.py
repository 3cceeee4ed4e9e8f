"""What is handled of replays: the requests of the api."""

from libs.common.clock import Clock
from libs.common.contracts.notifier import CancelReplay, GetReplay, Replay, StartReplay
from libs.common.db import Database
from libs.common.messaging import Bus
from services.notifier.replays import commands, queries


class ReplayConsumers:
    """Answers requests about replays."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(StartReplay, self.on_start_replay)
        bus.answer(CancelReplay, self.on_cancel_replay)
        bus.answer(GetReplay, self.on_get_replay)

    async def on_start_replay(self, request: StartReplay) -> Replay:
        """Begin a replay, or count what it would have."""
        return await commands.start_replay(self._database, request, clock=self._clock)

    async def on_cancel_replay(self, request: CancelReplay) -> Replay:
        """End a replay early."""
        return await commands.cancel_replay(self._database, request, clock=self._clock)

    async def on_get_replay(self, request: GetReplay) -> Replay:
        """Show how far a replay is."""
        return await queries.get_replay(self._database, request)
