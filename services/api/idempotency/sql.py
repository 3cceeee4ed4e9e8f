"""The SQL of idempotency keys: which request was made under a key, and what was answered, byte for byte."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, arrays_of, columns_of
from services.api.idempotency.domain import Answer, Claim, KeyRecord

_PRUNE_MAX = 5000
"""Expired keys that one round of pruning removes at most, so that it never holds locks for long."""


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `idempotency_keys`."""

    tenant_id: str
    operation: str
    key: str
    fingerprint: bytes
    status: str
    """`in_progress` or `completed`."""
    payment_intent_id: UUID
    """What the request is about: an intent, a refund, or what another service makes."""
    response_status: int | None
    response_body: bytes | None
    lease_until: datetime
    created_at: datetime
    completed_at: datetime | None
    expires_at: datetime


KINDS = {
    "tenant_id": "text",
    "operation": "text",
    "key": "text",
    "fingerprint": "bytea",
    "status": "text",
    "payment_intent_id": "uuid",
    "response_status": "smallint",
    "response_body": "bytea",
    "lease_until": "timestamptz",
    "created_at": "timestamptz",
    "completed_at": "timestamptz",
    "expires_at": "timestamptz",
}
"""The columns of a key, and their types."""
_PRIMARY_KEY = ("tenant_id", "operation", "key")
_VALUES = ", ".join(f":key_row.{column}::{kind}" for column, kind in KINDS.items())
_RENEW = ", ".join(f"{column} = excluded.{column}" for column in KINDS if column not in _PRIMARY_KEY)

INSERT_KEY = f"INSERT INTO idempotency_keys AS k ({columns_of(KeyRow)}) SELECT {_VALUES}"
"""Writes a key, in progress or completed; for a `Statement` whose value `key_row` is made by `key_row`. `FROM` a CTE may
follow, so that nothing is claimed where that one has no row; then `IF_FREE`."""
INSERT_KEYS = (
    f"INSERT INTO idempotency_keys AS k ({columns_of(KeyRow)}) SELECT {', '.join(f'n.{column}' for column in KINDS)} "  # noqa: S608 - no input
    f"FROM unnest({arrays_of('key_rows', KINDS)}) AS n({', '.join(KINDS)})"
)
"""The same for many keys at once, `key_rows`, each of them once: a join with a CTE may follow, then `IN_ORDER` and `IF_FREE`."""
IN_ORDER = f"ORDER BY {', '.join(f'n.{column}' for column in _PRIMARY_KEY)}"
"""One order in every statement, so that two of them never wait for each other's keys in a circle."""
IF_FREE = f"ON CONFLICT ({', '.join(_PRIMARY_KEY)}) DO UPDATE SET {_RENEW} WHERE k.expires_at <= excluded.created_at"
"""Only a key that is free or expired is claimed; a concurrent claim of the same key is waited for."""
KEY_COLUMNS = "k.fingerprint, k.status AS key_status, k.response_status, k.response_body, k.lease_until, k.expires_at"
"""What `key_of` reads."""

# Without a lock, since a take-over compares again. Expired keys too: the caller judges by its claim's instant.
_FIND = Statement(
    "SELECT {columns} FROM idempotency_keys k WHERE tenant_id = :tenant_id AND operation = :operation AND key = :key",
    columns=KEY_COLUMNS,
)

# From the row, not from the claim: whoever resumes must use the id that the first request minted.
_SUBJECT = Statement("""
SELECT payment_intent_id FROM idempotency_keys
 WHERE tenant_id = :claim.tenant_id AND operation = :claim.operation AND key = :claim.key
""")

# Of two requests with one key at once the second waits for the first, and counts 0 where that one has committed.
_CLAIM = Statement(
    "WITH claimed AS ({insert_key} {if_free} RETURNING 1) SELECT count(*) AS claimed FROM claimed",
    insert_key=INSERT_KEY,
    if_free=IF_FREE,
)

# Whichever answer is written first counts: a consumer's, or that of the request that stops waiting.
_COMPLETE = Statement("""
UPDATE idempotency_keys
   SET status = 'completed', response_status = :answer.status, response_body = :answer.body, completed_at = :at
 WHERE tenant_id = :claim.tenant_id AND operation = :claim.operation AND key = :claim.key AND status = 'in_progress'
RETURNING 1
""")

# Of two requests that find the lease over one gets the key: the other one sees the new lease.
_TAKE_OVER = Statement("""
UPDATE idempotency_keys SET lease_until = :claim.lease_until
 WHERE tenant_id = :claim.tenant_id AND operation = :claim.operation AND key = :claim.key
   AND status = 'in_progress' AND lease_until <= :claim.claimed_at
RETURNING 1
""")

# The subject distinguishes this claim from a later one of the same key.
_FREE = Statement("""
DELETE FROM idempotency_keys
 WHERE tenant_id = :claim.tenant_id AND operation = :claim.operation AND key = :claim.key
   AND payment_intent_id = :subject_id AND status = 'in_progress'
RETURNING 1
""")

# The row stays, since the work may be done: whoever takes over needs its subject to repeat it under the same id.
_END_LEASE = Statement("""
UPDATE idempotency_keys SET lease_until = :claim.claimed_at
 WHERE tenant_id = :claim.tenant_id AND operation = :claim.operation AND key = :claim.key
   AND payment_intent_id = :subject_id AND status = 'in_progress'
RETURNING 1
""")

# One statement for everybody in this process who waits for an answer.
_ANSWERED = Statement("""
SELECT k.tenant_id, k.operation, k.key, k.response_status, k.response_body
  FROM unnest(:tenant_ids::text[], :operations::text[], :keys::text[]) AS w(tenant_id, operation, key)
  JOIN idempotency_keys k USING (tenant_id, operation, key)
 WHERE k.status = 'completed'
""")

# By `ctid`, so that the rows are found once, in the order of the index on `expires_at`.
_PRUNE = Statement(
    """
WITH pruned AS (
    DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM idempotency_keys WHERE expires_at <= :now ORDER BY expires_at LIMIT {limit}))
    RETURNING 1
)
SELECT count(*) AS pruned FROM pruned
""",
    limit=_PRUNE_MAX,
)


def key_row(claim: Claim, *, subject_id: UUID, answer: Answer | None) -> KeyRow:
    """Return the row that a claim writes; with an answer it is completed at once."""
    return KeyRow(
        tenant_id=claim.tenant_id,
        operation=claim.operation,
        key=claim.key,
        fingerprint=claim.fingerprint,
        status="in_progress" if answer is None else "completed",
        payment_intent_id=subject_id,
        response_status=None if answer is None else answer.status,
        response_body=None if answer is None else answer.body,
        lease_until=claim.lease_until,
        created_at=claim.claimed_at,
        completed_at=None if answer is None else claim.claimed_at,
        expires_at=claim.expires_at,
    )


def key_of(row: asyncpg.Record) -> KeyRecord | None:
    """Read the key part of a row; None where it has no key."""
    if row["fingerprint"] is None:
        return None
    is_completed = row["key_status"] == "completed"
    return KeyRecord(
        fingerprint=row["fingerprint"],
        answer=Answer(row["response_status"], row["response_body"]) if is_completed else None,
        lease_until=row["lease_until"],
        expires_at=row["expires_at"],
    )


async def find(database: Database, claim: Claim) -> KeyRecord | None:
    """Look up what is kept under the key of `claim`."""
    row = await _FIND.fetchrow(database, tenant_id=claim.tenant_id, operation=claim.operation, key=claim.key)
    return None if row is None else key_of(row)


async def subject_of(database: Database, claim: Claim) -> UUID | None:
    """Look up what the key of `claim` is about: the intent or refund that it creates or changes."""
    row = await _SUBJECT.fetchrow(database, claim=claim)
    return None if row is None else row["payment_intent_id"]


async def keep(database: Database, claim: Claim, *, subject_id: UUID, answer: Answer) -> bool:
    """Keep an answer that changed nothing else; False when another request holds the key."""
    row = await _CLAIM.fetchrow(database, key_row=key_row(claim, subject_id=subject_id, answer=answer))
    return row is not None and row["claimed"] == 1


async def begin(database: Database, claim: Claim, *, subject_id: UUID) -> bool:
    """Claim a key, in progress, about what is to be created; False when another request holds it."""
    row = await _CLAIM.write(database, key_row=key_row(claim, subject_id=subject_id, answer=None))
    return row is not None and row["claimed"] == 1


async def free(database: Database, claim: Claim, *, subject_id: UUID) -> None:
    """Forget a key in progress under which nothing was done."""
    await _FREE.write(database, claim=claim, subject_id=subject_id)


async def end_lease(database: Database, claim: Claim, *, subject_id: UUID) -> None:
    """Let the next request under a key in progress take it over at once."""
    await _END_LEASE.write(database, claim=claim, subject_id=subject_id)


async def claim_within(tx: Connection, claim: Claim, *, subject_id: UUID) -> bool:
    """Claim a key inside a transaction, in progress; False when another request holds it.

    A concurrent claim of the same key is waited for. What is rolled back has claimed nothing.
    """
    row = await _CLAIM.fetchrow(tx, key_row=key_row(claim, subject_id=subject_id, answer=None))
    return row is not None and row["claimed"] == 1


async def complete_within(tx: Connection, claim: Claim, answer: Answer, *, at: datetime) -> None:
    """Answer a key that the same transaction has claimed."""
    await _COMPLETE.execute(tx, claim=claim, answer=answer, at=at)


async def complete(database: Database, claim: Claim, answer: Answer, *, at: datetime) -> bool:
    """Answer a key that is in progress; False when it has an answer already."""
    return await _COMPLETE.fetchrow(database, claim=claim, answer=answer, at=at) is not None


async def take_over(database: Database, claim: Claim) -> bool:
    """Take over a key whose holder is gone; False when somebody else was quicker or it has an answer."""
    return await _TAKE_OVER.fetchrow(database, claim=claim) is not None


async def answered(database: Database, keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], Answer]:
    """Of these (tenant, operation, key), return those that have an answer."""
    rows = await _ANSWERED.fetch(
        database, tenant_ids=[k[0] for k in keys], operations=[k[1] for k in keys], keys=[k[2] for k in keys]
    )
    return {
        (row["tenant_id"], row["operation"], row["key"]): Answer(row["response_status"], row["response_body"])
        for row in rows
    }


async def prune(database: Database, *, now: datetime) -> int:
    """Delete expired keys; returns how many, at most a few thousand a call."""
    row = await _PRUNE.fetchrow(database, now=now)
    return 0 if row is None else int(row["pruned"])
