"""Authorizations after the first one: none is sent while an earlier one of its payment is not over at the processor."""

from datetime import datetime

from libs.common.db import Database
from libs.common.db.statements import Statement, columns_of, reader_of
from services.gateway.operations.domain.attempts import Attempt

IS_OPEN = "status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED')"

_IS_BEFORE = (
    "before.payment_intent_id = attempts.payment_intent_id AND before.tenant_id = attempts.tenant_id "
    "AND before.number < attempts.number AND before.operation IN ('authorize', 'close', 'expire', 'void')"
)
_IS_CANCELLED = (
    "EXISTS (SELECT 1 FROM attempts done WHERE done.payment_intent_id = before.payment_intent_id "
    "AND done.tenant_id = before.tenant_id AND done.number = before.number "
    "AND done.operation = 'close' AND done.status = 'APPROVED')"
)
_IS_RELEASED = _IS_CANCELLED.replace("= 'close'", "IN ('expire', 'void')")
IS_AFTER_OPEN_ONE = (
    "operation = 'authorize' AND number > 0 AND status = 'PENDING' AND in_doubt = 0 "  # noqa: S608 - constants
    "AND EXISTS (SELECT 1 FROM attempts before WHERE " + _IS_BEFORE + " AND CASE before.operation "
    "WHEN 'authorize' THEN before.status <> 'DECLINED' AND NOT (before.status = 'APPROVED' AND " + _IS_RELEASED + ") "
    "WHEN 'close' THEN NOT " + _IS_CANCELLED + " ELSE FALSE END)"
)
"""Which attempts must not be sent: authorizations of whose payment an earlier one is not declined, not cancelled where it is
to be, or holds funds that are not released. One that may have been sent goes on."""

# Where nothing of the earlier ones is awaited any more, or it was awaited too long: an account may take no calls for days, and
# nobody is charged hours after they have left. By `ix_attempts_again`, without a lock: what it finds is declined only while it
# was certainly never sent.
_AFTER_OPEN_ONE = Statement(
    """
SELECT {columns} FROM attempts WHERE next_ask_at <= :now AND {is_after_open_one} AND (
    created_at <= :waiting_since OR NOT EXISTS (SELECT 1 FROM attempts before WHERE {is_before} AND before.{is_open}))
ORDER BY next_ask_at LIMIT :limit
""",
    columns=columns_of(Attempt),
    is_open=IS_OPEN,
    is_after_open_one=IS_AFTER_OPEN_ONE,
    is_before=_IS_BEFORE,
)

_attempt_of = reader_of(Attempt)


async def after_open_ones(database: Database, *, now: datetime, waiting_since: datetime, limit: int) -> list[Attempt]:
    """Read authorizations that are due and not to be sent: an earlier one of the payment was not cancelled, and will not be, or
    not in time for those that have waited since before `waiting_since`."""
    rows = await _AFTER_OPEN_ONE.fetch(database, now=now, waiting_since=waiting_since, limit=limit)
    return [_attempt_of(row) for row in rows]
