"""Operations on payments: authorize, capture, void, refund; their attempts and what became of them."""

from services.gateway.operations.commands.attempts import Commands
from services.gateway.operations.commands.resolving import Resolving
from services.gateway.operations.commands.restoring import Restoring, restored
from services.gateway.operations.consumers import OperationConsumers
from services.gateway.operations.domain.attempts import (
    UNHEARD,
    Attempt,
    AttemptStatus,
    attempt_id,
    is_declined_unreported,
    released,
)
from services.gateway.operations.domain.changes import NO_CODES, close, is_left_open
from services.gateway.operations.domain.patience import Patience
from services.gateway.operations.schemas import action_required, again, hold_watched, outcome
from services.gateway.operations.sql.attempts import (
    COLUMNS,
    OUTCOME,
    AttemptStore,
    attempt_of,
    open_attempts,
)
from services.gateway.operations.sql.recording import OpenOutcomes
from services.gateway.operations.workers import operation_workers

__all__ = [
    "COLUMNS",
    "NO_CODES",
    "OUTCOME",
    "UNHEARD",
    "Attempt",
    "AttemptStatus",
    "AttemptStore",
    "Commands",
    "OpenOutcomes",
    "OperationConsumers",
    "Patience",
    "Resolving",
    "Restoring",
    "action_required",
    "again",
    "attempt_id",
    "attempt_of",
    "close",
    "hold_watched",
    "is_declined_unreported",
    "is_left_open",
    "open_attempts",
    "operation_workers",
    "outcome",
    "released",
    "restored",
]
