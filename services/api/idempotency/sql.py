"""Idempotency keys: which request was asked under a key, and what was answered, byte for byte."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database

_PRUNE_MAX = 5000
"""Expired keys that one round of pruning removes at most, so that it never holds locks for long."""


class Answer(msgspec.Struct, frozen=True):
    """What the client is told: a status and a JSON body, kept exactly."""

    status: int
    body: bytes


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A request's wish to be the one that takes effect under a key."""

    tenant_id: str
    """Whose key."""
    operation: str
    """What is asked: `create`, or `confirm:<intent id>`."""
    key: str
    """The client's key, normalised."""
    fingerprint: bytes
    """A digest of what the client sent."""
    fingerprint_earlier: bytes
    """The same as version 0.1 made it, which may still stand in a row."""
    claimed_at: datetime
    """Now."""
    lease_until: datetime
    """Until then whoever began is believed to be at work."""
    expires_at: datetime
    """From then on the key is free again."""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered under a key."""

    fingerprint: bytes
    """SHA-256 of the request that came first."""
    answer: Answer | None
    """What it was answered; None while it is in progress."""
    lease_until: datetime
    """Until then whoever began is believed to be at work."""
    expires_at: datetime
    """From then on the key counts as never used."""


_COLUMNS = (
    "tenant_id, operation, key, fingerprint, status, payment_intent_id, response_status, response_body, lease_until, "
    "created_at, completed_at, expires_at"
)
_RENEW = (
    "ON CONFLICT (tenant_id, operation, key) DO UPDATE SET fingerprint = excluded.fingerprint, "
    "status = excluded.status, payment_intent_id = excluded.payment_intent_id, "
    "response_status = excluded.response_status, response_body = excluded.response_body, "
    "lease_until = excluded.lease_until, created_at = excluded.created_at, completed_at = excluded.completed_at, "
    "expires_at = excluded.expires_at WHERE k.expires_at <= excluded.created_at"
)
CLAIM_PARAMETERS = 11
"""How many parameters `insert_claim` takes."""


def insert_claim(first: int, *, source: str = "") -> str:
    """Write the INSERT that claims a key, answered or in progress; it returns a row when the key was free or expired.

    A concurrent claim of the same key is waited for. `source` names another CTE: nothing is claimed when it has no row.
    """
    kinds = (
        *("text", "text", "text", "bytea", "text", "uuid"),
        *("smallint", "bytea", "timestamptz", "timestamptz", "timestamptz"),
    )
    slots = [f"${first + i}::{kind}" for i, kind in enumerate(kinds)]
    created = slots[9]
    slots.insert(10, f"CASE WHEN {slots[4]} = 'completed' THEN {created} END")
    origin = f" FROM {source}" if source else ""
    return f"INSERT INTO idempotency_keys AS k ({_COLUMNS}) SELECT {', '.join(slots)}{origin} {_RENEW} RETURNING 1"


def claim_values(claim: Claim, *, payment_intent_id: UUID, answer: Answer | None) -> tuple[object, ...]:
    """Turn a claim into the parameters that `insert_claim` expects; with an answer it is completed at once."""
    return (
        claim.tenant_id,
        claim.operation,
        claim.key,
        claim.fingerprint,
        "completed" if answer is not None else "in_progress",
        payment_intent_id,
        answer.status if answer is not None else None,
        answer.body if answer is not None else None,
        claim.lease_until,
        claim.claimed_at,
        claim.expires_at,
    )


KEY_COLUMNS = "k.fingerprint, k.status AS key_status, k.response_status, k.response_body, k.lease_until, k.expires_at"
"""What `key_of` reads."""


def key_of(row: asyncpg.Record) -> KeyRecord | None:
    """Read the key part of a row; None where no key was found."""
    if row["fingerprint"] is None:
        return None
    answered = row["key_status"] == "completed"
    return KeyRecord(
        fingerprint=row["fingerprint"],
        answer=Answer(row["response_status"], row["response_body"]) if answered else None,
        lease_until=row["lease_until"],
        expires_at=row["expires_at"],
    )


_FIND = f"SELECT {KEY_COLUMNS} FROM idempotency_keys k WHERE tenant_id = $1 AND operation = $2 AND key = $3"  # noqa: S608
_SUBJECT = "SELECT payment_intent_id FROM idempotency_keys WHERE tenant_id = $1 AND operation = $2 AND key = $3"
_REMEMBER = f"WITH claimed AS ({insert_claim(1)}) SELECT count(*) AS claimed FROM claimed"  # noqa: S608
_COMPLETE = (
    "UPDATE idempotency_keys SET status = 'completed', response_status = $4, response_body = $5, completed_at = $6 "
    "WHERE tenant_id = $1 AND operation = $2 AND key = $3 AND status = 'in_progress' RETURNING 1"
)
_TAKE_OVER = (
    "UPDATE idempotency_keys SET lease_until = $4 "
    "WHERE tenant_id = $1 AND operation = $2 AND key = $3 AND status = 'in_progress' AND lease_until <= $5 RETURNING 1"
)
_FREE = (
    "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND operation = $2 AND key = $3 AND payment_intent_id = $4 "
    "AND status = 'in_progress' RETURNING 1"
)
_END_LEASE = (
    "UPDATE idempotency_keys SET lease_until = $5 WHERE tenant_id = $1 AND operation = $2 AND key = $3 "
    "AND payment_intent_id = $4 AND status = 'in_progress' RETURNING 1"
)
_ANSWERED = (
    "SELECT k.tenant_id, k.operation, k.key, k.response_status, k.response_body "
    "FROM unnest($1::text[], $2::text[], $3::text[]) AS w(tenant_id, operation, key) "
    "JOIN idempotency_keys k USING (tenant_id, operation, key) WHERE k.status = 'completed'"
)
_PRUNE = (
    "WITH gone AS (DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys "
    "WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)) RETURNING 1) SELECT count(*) AS gone FROM gone"
)


async def find(database: Database, claim: Claim) -> KeyRecord | None:
    """Look up what is remembered under the key of `claim`."""
    row = await database.fetchrow(_FIND, claim.tenant_id, claim.operation, claim.key)
    return None if row is None else key_of(row)


async def subject_of(database: Database, claim: Claim) -> UUID | None:
    """Look up what the key of `claim` is about: the intent or refund that it creates or changes."""
    row = await database.fetchrow(_SUBJECT, claim.tenant_id, claim.operation, claim.key)
    return None if row is None else row["payment_intent_id"]


async def remember(database: Database, claim: Claim, *, payment_intent_id: UUID, answer: Answer) -> bool:
    """Keep an answer that changed nothing else; False when another request holds the key."""
    values = claim_values(claim, payment_intent_id=payment_intent_id, answer=answer)
    row = await database.fetchrow(_REMEMBER, *values)
    return row is not None and row["claimed"] == 1


async def begin(database: Database, claim: Claim, *, subject_id: UUID) -> bool:
    """Claim a key, in progress, about what is to be created; False when another request holds it."""
    row = await database.write(_REMEMBER, *claim_values(claim, payment_intent_id=subject_id, answer=None))
    return row is not None and row["claimed"] == 1


async def free(database: Database, claim: Claim, *, subject_id: UUID) -> None:
    """Forget a key in progress under which nothing was done."""
    await database.write(_FREE, claim.tenant_id, claim.operation, claim.key, subject_id)


async def end_lease(database: Database, claim: Claim, *, subject_id: UUID) -> None:
    """Let the next request under a key in progress take it over at once."""
    await database.write(_END_LEASE, claim.tenant_id, claim.operation, claim.key, subject_id, claim.claimed_at)


async def claim_within(connection: Connection, claim: Claim, *, subject_id: UUID) -> bool:
    """Claim a key inside a transaction, in progress; False when another request holds it.

    A concurrent claim of the same key is waited for. What is rolled back has claimed nothing.
    """
    row = await connection.fetchrow(_REMEMBER, *claim_values(claim, payment_intent_id=subject_id, answer=None))
    return row is not None and row["claimed"] == 1


async def complete_within(connection: Connection, claim: Claim, answer: Answer, *, at: datetime) -> None:
    """Answer a key that the same transaction has claimed."""
    await connection.execute(_COMPLETE, claim.tenant_id, claim.operation, claim.key, answer.status, answer.body, at)


async def complete(database: Database, claim: Claim, answer: Answer, *, at: datetime) -> bool:
    """Answer a key that is in progress; False when it has an answer already."""
    row = await database.fetchrow(
        _COMPLETE, claim.tenant_id, claim.operation, claim.key, answer.status, answer.body, at
    )
    return row is not None


async def take_over(database: Database, claim: Claim) -> bool:
    """Take over a key whose holder has gone; False when somebody else was quicker or it has an answer."""
    row = await database.fetchrow(
        _TAKE_OVER, claim.tenant_id, claim.operation, claim.key, claim.lease_until, claim.claimed_at
    )
    return row is not None


async def answered(database: Database, keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], Answer]:
    """Of these (tenant, operation, key), return those that have an answer."""
    rows = await database.fetch(_ANSWERED, [k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys])
    return {
        (row["tenant_id"], row["operation"], row["key"]): Answer(row["response_status"], row["response_body"])
        for row in rows
    }


async def prune(database: Database, *, now: datetime) -> int:
    """Forget expired keys; returns how many, at most a few thousand a call."""
    row = await database.fetchrow(_PRUNE, now, _PRUNE_MAX)
    return 0 if row is None else int(row["gone"])
