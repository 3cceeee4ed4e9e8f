"""Payment intents: created, moved and read, each together with the key, the audit line and the messages it needs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.messaging import Publication, insert_outbox, outbox_arrays
from services.api.audit import AuditRecord
from services.api.audit.sql import AUDIT_PARAMETERS, audit_values, insert_audit
from services.api.http.cursors import Position
from services.api.idempotency import Answer, Claim, KeyRecord
from services.api.idempotency.sql import CLAIM_PARAMETERS, KEY_COLUMNS, claim_values, insert_claim, key_of
from services.api.payments.domain import CaptureMethod, PaymentIntent, Status
from services.api.payments.sql.timeline import TimelineEvent, event_arrays, insert_events


class IntentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a tenant's intents are meant; None means all."""

    statuses: tuple[str, ...] | None = None
    """Any of these."""
    customer_ref: str | None = None
    """Exactly this reference."""
    currency: str | None = None
    """This currency."""
    order_id: str | None = None
    """The intent of this order."""
    created_from: datetime | None = None
    """Created at or after this instant."""
    created_until: datetime | None = None
    """Created before this instant."""


INTENT_COLUMNS = (
    "i.tenant_id, i.id, i.amount_minor, i.currency, i.status, i.customer_ref, i.description, i.metadata, i.order_id, "
    "i.gateway_ref, i.capture_method, i.payment_method, i.action_url, i.expires_at, i.capturing_minor, i.is_voiding, "
    "i.captured_minor, i.refunding_minor, i.refunded_minor, i.disputed_minor, i.failure_code, i.failure_message, "
    "i.version, i.created_at, i.updated_at, i.authorized_at, i.settled_at"
)
"""The columns of an intent, of a table that is called `i`."""
_CREATED_AT = CLAIM_PARAMETERS + 1
_AUDIT_AT = _CREATED_AT + 13
_OUTBOX_AT = _AUDIT_AT + AUDIT_PARAMETERS
_OUTBOX_PARAMETERS = 7


def _slots(first: int, kinds: str) -> str:
    return ", ".join(f"${first + i}::{kind}" for i, kind in enumerate(kinds.split()))


_CREATE = f"""
WITH claimed AS ({insert_claim(1)}),
created AS (
    INSERT INTO payment_intents (tenant_id, id, amount_minor, currency, status, customer_ref, description, metadata,
                                 version, created_at, updated_at, capture_method, payment_method)
    SELECT {_slots(_CREATED_AT, "text uuid bigint text text text text jsonb int timestamptz timestamptz text text")}
    FROM claimed
),
audited AS ({insert_audit(_AUDIT_AT, source="claimed")}),
told AS ({insert_events(_OUTBOX_AT + _OUTBOX_PARAMETERS, source="claimed")}),
said AS ({insert_outbox(_OUTBOX_AT, source="claimed")})
SELECT count(*) AS claimed FROM claimed
"""  # noqa: S608 - built from constants

_BEGIN_CONFIRMATION = f"""
WITH moved AS (
    UPDATE payment_intents SET status = ${_CREATED_AT + 2}, version = version + 1, updated_at = ${_CREATED_AT + 3}
    WHERE tenant_id = $1 AND id = ${_CREATED_AT} AND version = ${_CREATED_AT + 1} - 1
    RETURNING 1
),
claimed AS ({insert_claim(1, source="moved")}),
audited AS ({insert_audit(_CREATED_AT + 4, source="moved")}),
told AS ({insert_events(_CREATED_AT + 4 + AUDIT_PARAMETERS + _OUTBOX_PARAMETERS, source="moved")}),
said AS ({insert_outbox(_CREATED_AT + 4 + AUDIT_PARAMETERS, source="moved")})
SELECT count(*) AS moved FROM moved
"""  # noqa: S608 - built from constants

_GET = f"SELECT {INTENT_COLUMNS} FROM payment_intents i WHERE tenant_id = $1 AND id = $2"  # noqa: S608
_GET_WITH_KEY = f"""
SELECT {INTENT_COLUMNS}, {KEY_COLUMNS}
FROM payment_intents i
LEFT JOIN idempotency_keys k ON k.tenant_id = i.tenant_id AND k.operation = $3 AND k.key = $4
WHERE i.tenant_id = $1 AND i.id = $2
"""  # noqa: S608
_LOCK = f"""
SELECT {INTENT_COLUMNS} FROM unnest($1::text[], $2::uuid[]) AS w(tenant_id, id) JOIN payment_intents i USING (tenant_id, id)
ORDER BY i.id FOR UPDATE OF i
"""  # noqa: S608
_CHANGING = {
    "status": "text",
    "version": "int",
    "gateway_ref": "text",
    "action_url": "text",
    "expires_at": "timestamptz",
    "capturing_minor": "bigint",
    "is_voiding": "bool",
    "captured_minor": "bigint",
    "refunding_minor": "bigint",
    "refunded_minor": "bigint",
    "disputed_minor": "bigint",
    "failure_code": "text",
    "failure_message": "text",
    "updated_at": "timestamptz",
    "authorized_at": "timestamptz",
    "settled_at": "timestamptz",
}
"""The columns that a change can touch, and their kinds."""
_ANSWERS_AT = len(_CHANGING) + 3
_SAID_AT = _ANSWERS_AT + 5
_SAVE = f"""
WITH moved AS (
    UPDATE payment_intents i
    SET {", ".join(f"{name} = w.{name}" for name in _CHANGING)}
    FROM unnest($1::text[], $2::uuid[],
                {", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_CHANGING.values(), start=3))})
         AS w(tenant_id, id, {", ".join(_CHANGING)})
    WHERE i.tenant_id = w.tenant_id AND i.id = w.id
),
answered AS (
    UPDATE idempotency_keys k
    SET status = 'completed', response_status = a.status, response_body = a.body, completed_at = ${_ANSWERS_AT}
    FROM unnest(${_ANSWERS_AT + 1}::text[], ${_ANSWERS_AT + 2}::uuid[], ${_ANSWERS_AT + 3}::smallint[],
                ${_ANSWERS_AT + 4}::bytea[]) AS a(tenant_id, id, status, body)
    WHERE k.tenant_id = a.tenant_id AND k.payment_intent_id = a.id AND k.status = 'in_progress'
),
told AS ({insert_events(_SAID_AT + _OUTBOX_PARAMETERS)})
{insert_outbox(_SAID_AT)}
"""  # noqa: S608 - built from constants


def intent_of(row: asyncpg.Record) -> PaymentIntent:
    """Read an intent from a row with `INTENT_COLUMNS`."""
    metadata: str = row["metadata"]
    return PaymentIntent(
        tenant_id=row["tenant_id"],
        id=row["id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        status=Status(row["status"]),
        customer_ref=row["customer_ref"],
        description=row["description"],
        metadata={} if metadata == "{}" else msgspec.json.decode(metadata, type=dict[str, str]),
        order_id=row["order_id"],
        gateway_ref=row["gateway_ref"],
        capture_method=CaptureMethod(row["capture_method"]),
        payment_method=row["payment_method"],
        action_url=row["action_url"],
        expires_at=row["expires_at"],
        capturing_minor=row["capturing_minor"],
        is_voiding=row["is_voiding"],
        captured_minor=row["captured_minor"],
        refunding_minor=row["refunding_minor"],
        refunded_minor=row["refunded_minor"],
        disputed_minor=row["disputed_minor"],
        failure_code=row["failure_code"],
        failure_message=row["failure_message"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        authorized_at=row["authorized_at"],
        settled_at=row["settled_at"],
    )


async def create(
    database: Database,
    intent: PaymentIntent,
    *,
    claim: Claim,
    answer: Answer,
    audit: AuditRecord,
    publications: Sequence[Publication],
    events: Sequence[TimelineEvent],
) -> bool:
    """Write a new intent, its key with the answer, its audit line and its messages, all or nothing, in one round trip.

    False when the key is taken: then nothing was written.
    """
    row = await database.write(
        _CREATE,
        *claim_values(claim, payment_intent_id=intent.id, answer=answer),
        intent.tenant_id,
        intent.id,
        intent.amount_minor,
        intent.currency,
        intent.status.value,
        intent.customer_ref,
        intent.description,
        msgspec.json.encode(intent.metadata).decode() if intent.metadata else "{}",
        intent.version,
        intent.created_at,
        intent.updated_at,
        intent.capture_method.value,
        intent.payment_method,
        *audit_values(audit),
        *outbox_arrays(publications),
        *event_arrays(events),
    )
    return row is not None and row["claimed"] == 1


async def begin_confirmation(
    database: Database,
    intent: PaymentIntent,
    *,
    claim: Claim,
    answer: Answer | None,
    audit: AuditRecord,
    publications: Sequence[Publication],
    events: Sequence[TimelineEvent],
) -> bool:
    """Save a confirmed intent over the version it was decided on, with key, audit line and messages, in one round trip.

    False when somebody else changed the intent meanwhile: then nothing was written.
    """
    row = await database.write(
        _BEGIN_CONFIRMATION,
        *claim_values(claim, payment_intent_id=intent.id, answer=answer),
        intent.id,
        intent.version,
        intent.status.value,
        intent.updated_at,
        *audit_values(audit),
        *outbox_arrays(publications),
        *event_arrays(events),
    )
    return row is not None and row["moved"] == 1


async def get(database: Database, tenant_id: str, intent_id: UUID) -> PaymentIntent | None:
    """Read one intent."""
    row = await database.fetchrow(_GET, tenant_id, intent_id)
    return None if row is None else intent_of(row)


async def get_with_key(
    database: Database, intent_id: UUID, claim: Claim
) -> tuple[PaymentIntent, KeyRecord | None] | None:
    """Read one intent and what is remembered under the key of `claim`, in one round trip."""
    row = await database.fetchrow(_GET_WITH_KEY, claim.tenant_id, intent_id, claim.operation, claim.key)
    return None if row is None else (intent_of(row), key_of(row))


async def lock(connection: Connection, ids: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], PaymentIntent]:
    """Read intents by (tenant, id) and lock them, in id order so that two batches never wait in a circle."""
    rows = await connection.fetch(_LOCK, [tenant for tenant, _ in ids], [intent_id for _, intent_id in ids])
    return {(row["tenant_id"], row["id"]): intent_of(row) for row in rows}


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer for whoever waits under a key about something: an intent, or a refund."""

    tenant_id: str
    """Whose key."""
    subject_id: UUID
    """What it is about."""
    answer: Answer
    """What is answered."""


async def save(
    connection: Connection,
    intents: Sequence[PaymentIntent],
    *,
    answers: Sequence[KeyAnswer],
    publications: Sequence[Publication],
    events: Sequence[TimelineEvent],
    at: datetime,
) -> None:
    """Save locked intents, answer the keys that wait for them and say what must be said, in one round trip."""
    await connection.execute(
        _SAVE,
        [i.tenant_id for i in intents],
        [i.id for i in intents],
        *([getattr(i, name) for i in intents] for name in _CHANGING),
        at,
        [a.tenant_id for a in answers],
        [a.subject_id for a in answers],
        [a.answer.status for a in answers],
        [a.answer.body for a in answers],
        *outbox_arrays(publications),
        *event_arrays(events),
    )


def _where(tenant_id: str, wanted: IntentFilter) -> tuple[str, list[Any]]:
    clauses, values = ["i.tenant_id = $1"], [tenant_id]

    def add(clause: str, value: Any) -> None:
        if value is not None:
            values.append(value)
            clauses.append(clause.format(f"${len(values)}"))

    add("i.status = ANY({}::text[])", None if wanted.statuses is None else list(wanted.statuses))
    add("i.customer_ref = {}", wanted.customer_ref)
    add("i.currency = {}", wanted.currency)
    add("i.order_id = {}", wanted.order_id)
    add("i.created_at >= {}", wanted.created_from)
    add("i.created_at < {}", wanted.created_until)
    return " AND ".join(clauses), values


async def count(database: Database, tenant_id: str, wanted: IntentFilter) -> int:
    """Count a tenant's intents."""
    where, values = _where(tenant_id, wanted)
    row = await database.fetchrow(f"SELECT count(*) AS total FROM payment_intents i WHERE {where}", *values)  # noqa: S608
    return 0 if row is None else int(row["total"])


async def page(
    database: Database,
    tenant_id: str,
    wanted: IntentFilter,
    *,
    limit: int,
    offset: int = 0,
    after: Position | None = None,
) -> list[PaymentIntent]:
    """Read a tenant's intents, newest first; `after` continues where a page ended, however deep, at the same cost."""
    where, values = _where(tenant_id, wanted)
    if after is not None:
        values += [after.created_at, after.id]
        where += f" AND (i.created_at, i.id) < (${len(values) - 1}, ${len(values)})"
    values += [limit, offset]
    rows = await database.fetch(
        f"SELECT {INTENT_COLUMNS} FROM payment_intents i WHERE {where} "  # noqa: S608 - values travel as parameters
        f"ORDER BY i.created_at DESC, i.id DESC LIMIT ${len(values) - 1} OFFSET ${len(values)}",
        *values,
    )
    return [intent_of(row) for row in rows]
