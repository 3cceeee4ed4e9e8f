"""What runs on a clock for reconciliation: making runs that are due, going on with them, and counting."""

from libs.common.service import Worker
from services.gateway.reconciliation.runs.commands import Reconciling

_MAKE_EVERY_SECONDS = 30.0
"""How soon after its time a run of the schedule is made."""
_WORK_EVERY_SECONDS = 1.0
"""How soon a requested run is begun."""
_COUNT_EVERY_SECONDS = 30.0
"""How fresh the gauges are; alerts on them wait for minutes anyway."""
_FORGET_EVERY_SECONDS = 3600.0
"""How often it is looked for what is older than it is kept."""


def run_workers(reconciling: Reconciling) -> list[Worker]:
    """List what is done about reconciliation on our own clock."""
    return [
        Worker(name="make reconciliation runs", every_seconds=_MAKE_EVERY_SECONDS, run=reconciling.make_due),
        Worker(name="reconcile", every_seconds=_WORK_EVERY_SECONDS, run=reconciling.work),
        Worker(name="forget reconciliation", every_seconds=_FORGET_EVERY_SECONDS, run=reconciling.forget),
        Worker(name="count discrepancies", every_seconds=_COUNT_EVERY_SECONDS, run=reconciling.count),
    ]
