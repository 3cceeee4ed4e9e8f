"""How a replay is shown to its tenant."""

from libs.common.contracts.notifier import Replay
from services.notifier.replays.domain import ReplayState, ReplayStatus


def replay_view(replay: ReplayState) -> Replay:
    """Show a replay to its tenant."""
    return Replay(
        id=None if replay.status is ReplayStatus.DRY_RUN else replay.id,
        endpoint_id=replay.endpoint_id,
        status=replay.status,
        total=replay.total,
        scheduled=replay.scheduled,
        created_at=replay.created_at,
        ended_at=replay.ended_at,
    )
