"""What is always true of attempts."""

from services.gateway.operations.domain.attempts import (
    DECIDED,
    UNDECIDED,
    UNHEARD,
    Attempt,
    AttemptStatus,
    attempt_id,
    check_amount,
)
from services.gateway.operations.domain.changes import approved, close, declined, release
from services.gateway.operations.domain.patience import Patience

__all__ = [
    "DECIDED",
    "UNDECIDED",
    "UNHEARD",
    "Attempt",
    "AttemptStatus",
    "Patience",
    "approved",
    "attempt_id",
    "check_amount",
    "close",
    "declined",
    "release",
]
