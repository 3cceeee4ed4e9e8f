"""Payments and refunds that wait for another service: found by age, by one sweeper at a time, each with its back-off."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from services.api.payments.domain import PaymentIntent, Refund
from services.api.payments.sql.intents import INTENT_COLUMNS, intent_of
from services.api.payments.sql.refunds import REFUND_COLUMNS, refund_of

IS_WAITING = (
    "status = 'PROCESSING' OR (status = 'REQUIRES_ACTION' AND is_voiding) OR (status = 'AUTHORIZED' AND "
    "(capture_method = 'automatic' OR capturing_minor > 0 OR captured_minor > 0 OR is_voiding))"
)
"""Which intents wait for another service, not for a person: the predicate of `ix_payment_intents_waiting`."""

_CORRELATION = (
    "(SELECT e.correlation_id FROM payment_intent_events e WHERE e.payment_intent_id = i.id "
    "AND e.tenant_id = i.tenant_id ORDER BY e.id DESC LIMIT 1) AS correlation_id"
)
_DUE_INTENTS = f"""
SELECT {INTENT_COLUMNS}, CASE WHEN s.version = i.version THEN s.repeats ELSE 0 END AS repeats, {_CORRELATION}
FROM payment_intents i LEFT JOIN sweeps s ON s.subject_id = i.id AND s.tenant_id = i.tenant_id
WHERE ({IS_WAITING}) AND i.updated_at < $1 AND i.updated_at > $2
  AND (s.subject_id IS NULL OR s.version <> i.version OR s.next_at <= $3)
ORDER BY i.updated_at LIMIT $4 FOR UPDATE OF i SKIP LOCKED
"""  # noqa: S608 - built from constants
_DUE_REFUNDS = f"""
SELECT {INTENT_COLUMNS}, {", ".join(f"r.{name} AS refund_{name}" for name in REFUND_COLUMNS)},
    coalesce(s.repeats, 0) AS repeats, {_CORRELATION}
FROM refunds r JOIN payment_intents i ON i.id = r.payment_intent_id AND i.tenant_id = r.tenant_id
LEFT JOIN sweeps s ON s.subject_id = r.id AND s.tenant_id = r.tenant_id
WHERE r.status = 'PENDING' AND r.updated_at < $1 AND r.updated_at > $2 AND (s.subject_id IS NULL OR s.next_at <= $3)
ORDER BY r.updated_at LIMIT $4 FOR UPDATE OF r SKIP LOCKED
"""  # noqa: S608 - built from constants
_WRITE = """
INSERT INTO sweeps (tenant_id, subject_id, version, repeats, next_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::timestamptz[])
ON CONFLICT (subject_id, tenant_id) DO UPDATE
SET version = excluded.version, repeats = excluded.repeats, next_at = excluded.next_at
WHERE sweeps.version <> excluded.version OR sweeps.next_at <= $6
RETURNING subject_id
"""
_FORGET = "DELETE FROM sweeps WHERE ctid = ANY(ARRAY(SELECT ctid FROM sweeps WHERE next_at < $1 LIMIT $2))"
_STAGE = (
    "CASE WHEN status = 'PROCESSING' THEN 'processing' WHEN status = 'REQUIRES_ACTION' THEN 'abandoning' "
    "WHEN captured_minor > 0 THEN 'captured' WHEN is_voiding THEN 'voiding' "
    "WHEN capturing_minor > 0 THEN 'capturing' ELSE 'authorized_automatic' END"
)
_AGES = f"""
SELECT {_STAGE} AS stage, count(*) AS waiting, min(updated_at) AS since
FROM payment_intents WHERE {IS_WAITING} GROUP BY 1
UNION ALL
SELECT 'refund_pending', count(*), min(updated_at) FROM refunds WHERE status = 'PENDING'
"""  # noqa: S608 - built from constants
_STUCK = f"""
WITH waiting AS (
    (SELECT tenant_id, id AS payment_intent_id, NULL::uuid AS refund_id, {_STAGE} AS stage, updated_at AS since
        FROM payment_intents WHERE ({IS_WAITING}) AND updated_at < $1 ORDER BY updated_at LIMIT $2)
    UNION ALL
    (SELECT tenant_id, payment_intent_id, id, 'refund_pending', updated_at FROM refunds
        WHERE status = 'PENDING' AND updated_at < $1 ORDER BY updated_at LIMIT $2)
)
SELECT w.*, coalesce(s.repeats, 0) AS repeats, s.next_at FROM waiting w
LEFT JOIN sweeps s ON s.subject_id = coalesce(w.refund_id, w.payment_intent_id) AND s.tenant_id = w.tenant_id
ORDER BY w.since LIMIT $2
"""  # noqa: S608 - built from constants


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A payment or refund that has waited too long, locked."""

    intent: PaymentIntent
    refund: Refund | None = None
    """The refund that waits; None where the payment itself does."""
    repeats: int
    """How often its command was published again, as it stands."""
    correlation_id: str
    """The cause of what happened to the payment last."""

    @property
    def subject_id(self) -> UUID:
        """The refund, or the intent where it waits itself."""
        return self.intent.id if self.refund is None else self.refund.id


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """What was published again, and when it may be the next time."""

    tenant_id: str
    subject_id: UUID
    version: int
    repeats: int
    next_at: datetime


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """How many payments wait in one stage."""

    stage: str
    count: int
    since: datetime | None
    """Since when the oldest one waits."""


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """A payment or refund that has waited too long, as an operator sees it."""

    tenant_id: str
    payment_intent_id: UUID
    refund_id: UUID | None
    """The refund that waits; None where the payment itself does."""
    stage: str
    """What it waits for."""
    since: datetime
    """Since when."""
    repeats: int
    """How often its command was published again."""
    next_at: datetime | None
    """Not before this instant the next time; None before the first."""


async def due_intents(tx: Connection, *, before: datetime, after: datetime, now: datetime, limit: int) -> list[Due]:
    """Lock the intents that have waited since before an instant, oldest first, and may be swept `now`."""
    rows = await tx.fetch(_DUE_INTENTS, before, after, now, limit)
    return [_due(row) for row in rows]


async def due_refunds(tx: Connection, *, before: datetime, after: datetime, now: datetime, limit: int) -> list[Due]:
    """Lock the refunds that have waited since before an instant, oldest first, and may be swept `now`."""
    rows = await tx.fetch(_DUE_REFUNDS, before, after, now, limit)
    return [_due(row, refund=refund_of({n: row[f"refund_{n}"] for n in REFUND_COLUMNS})) for row in rows]


async def write_sweeps(tx: Connection, sweeps: Sequence[Sweep], *, now: datetime) -> set[UUID]:
    """Remember what is published again; returns the subjects that no other process has swept meanwhile."""
    names = ("tenant_id", "subject_id", "version", "repeats", "next_at")
    ordered = sorted(sweeps, key=lambda sweep: sweep.subject_id)
    rows = await tx.fetch(_WRITE, *([getattr(sweep, name) for sweep in ordered] for name in names), now)
    return {row["subject_id"] for row in rows}


async def forget(database: Database, *, before: datetime, limit: int) -> int:
    """Forget sweeps that were to be continued before an instant and were not: what they were about has gone on."""
    async with database.connection() as connection:
        status = await connection.execute(_FORGET, before, limit)
    return int(status.rsplit(" ", 1)[-1])


async def ages(database: Database) -> list[Waiting]:
    """Count the payments and refunds that wait, by stage, with the age of the oldest."""
    rows = await database.fetch(_AGES)
    return [Waiting(stage=row["stage"], count=row["waiting"], since=row["since"]) for row in rows]


async def stuck(database: Database, *, before: datetime, limit: int) -> list[Stuck]:
    """Read the payments and refunds that have waited since before an instant, oldest first."""
    rows = await database.fetch(_STUCK, before, limit)
    return [Stuck(**{name: row[name] for name in Stuck.__struct_fields__}) for row in rows]


def _due(row: asyncpg.Record, *, refund: Refund | None = None) -> Due:
    return Due(intent=intent_of(row), refund=refund, repeats=row["repeats"], correlation_id=row["correlation_id"] or "")
