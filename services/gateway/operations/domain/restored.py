"""What a database that was restored does not know: calls of the time that it has lost.

A lost attempt comes again with the key that it had, since keys are derived. While the processor surely remembers it, the call
does nothing twice. After that it could, so what stands in the processor's records is read first.
"""

from datetime import datetime, timedelta

import msgspec

from libs.common.ids import time_of_id
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.processors.port import Operation

_READ_FIRST = frozenset({Operation.AUTHORIZE, Operation.REFUND})
"""What a second call under a forgotten key does twice; what is captured or released once stays so."""


class LostTime(msgspec.Struct, frozen=True, kw_only=True):
    """The time between the moment that was restored and the restore."""

    since: datetime
    """Of the last transaction that the database has."""
    until: datetime
    """From then on it knows every call again."""

    def may_have(self, attempt: Attempt, *, now: datetime, key_lifetime: timedelta) -> bool:
        """Return whether an attempt that seems to be called for the first time may have been called in this time, under a
        key that may be forgotten now.

        What it is about was made before the restore, or nobody could have requested it in that time.
        """
        if attempt.asks or attempt.operation not in _READ_FIRST or now < self.since + key_lifetime:
            return False
        is_first = attempt.asked_at is None or attempt.asked_at >= self.until
        return is_first and time_of_id(attempt.refund_id or attempt.payment_intent_id) < self.until
