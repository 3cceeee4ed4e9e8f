"""What runs on a clock for repairs: looking at proposals, and repairing by itself where that is set."""

from libs.common.service import Worker
from services.gateway.reconciliation.repairs.commands import Repairing

_FOLLOW_EVERY_SECONDS = 5.0
"""How soon it is noticed that a proposal is due to be looked at."""
_REPAIR_EVERY_SECONDS = 30.0
"""How soon something is repaired by itself."""


def repair_workers(repairing: Repairing) -> list[Worker]:
    """List what is done about repairs on our own clock."""
    return [
        Worker(name="follow proposals of repairs", every_seconds=_FOLLOW_EVERY_SECONDS, run=repairing.follow),
        Worker(name="repair discrepancies", every_seconds=_REPAIR_EVERY_SECONDS, run=repairing.repair_all),
    ]
