"""Reads of replays."""

from libs.common.contracts.notifier import GetReplay, Replay
from libs.common.contracts.notifier.errors import ReplayNotFound
from libs.common.db import Database
from services.notifier.replays import sql
from services.notifier.replays.schemas import replay_view


async def get_replay(database: Database, request: GetReplay) -> Replay:
    """Return how far a replay is.

    Raises:
        ReplayNotFound: when the tenant has no such replay.
    """
    async with database.connection() as connection:
        replay = await sql.find(connection, tenant_id=request.tenant_id, replay_id=request.replay_id)
    if replay is None:
        raise ReplayNotFound("webhook replay not found")
    return replay_view(replay)
