"""The SQL of payment intents: created, changed and read, each together with the key, the audit line and the messages it needs."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from libs.common.messaging import INSERT_OUTBOX, Publication
from services.api.http.cursors import Position
from services.api.idempotency import KEY_COLUMNS, Claim, KeyAnswer, KeyRecord, key_of
from services.api.payments.domain import CaptureMethod, IntentFilter, PaymentIntent, Status, TimelineEvent
from services.api.payments.sql.timeline import INSERT_EVENTS

KINDS = {
    "tenant_id": "text",
    "id": "uuid",
    "amount_minor": "bigint",
    "currency": "text",
    "status": "text",
    "capture_method": "text",
    "payment_method": "text",
    "return_url": "text",
    "payment_method_type": "text",
    "billing_details": "text",
    "customer_id": "uuid",
    "saved_method_id": "uuid",
    "off_session": "bool",
    "attempt": "smallint",
    "unsent_attempts": "smallint",
    "customer_ref": "text",
    "description": "text",
    "metadata": "jsonb",
    "order_id": "text",
    "gateway_ref": "text",
    "action_url": "text",
    "next_action": "text",
    "expires_at": "timestamptz",
    "capturing_minor": "bigint",
    "is_voiding": "bool",
    "captured_minor": "bigint",
    "refunding_minor": "bigint",
    "refunded_minor": "bigint",
    "disputed_minor": "bigint",
    "failure_code": "text",
    "failure_message": "text",
    "decline_code": "text",
    "advice_code": "text",
    "network_decline_code": "text",
    "network_advice_code": "text",
    "version": "int",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "authorized_at": "timestamptz",
    "settled_at": "timestamptz",
}
"""The columns of an intent and their types: every statement below is made of this list."""
IMMUTABLE = frozenset(
    {
        *("tenant_id", "id", "amount_minor", "currency", "capture_method", "customer_ref", "customer_id"),
        *("payment_method_type", "billing_details", "description", "metadata", "order_id", "created_at"),
    }
)
"""The columns that no change touches."""
CHANGING = tuple(column for column in KINDS if column not in IMMUTABLE)
INTENT_COLUMNS = ", ".join(f"i.{column}" for column in KINDS)
"""The columns of an intent, of a table that is called `i`."""

_pick = itemgetter(*KINDS)

# By tenant too: another tenant's intent is not found, whoever knows its id.
_GET = Statement(
    "SELECT {columns} FROM payment_intents i WHERE tenant_id = :tenant_id AND id = :intent_id", columns=INTENT_COLUMNS
)

# One round trip, without a lock: the version is compared where the confirmation is written. A left join, since the first
# request under a key has no row of it yet.
_GET_WITH_KEY = Statement(
    """
SELECT {columns}, {key_columns}
  FROM payment_intents i
  LEFT JOIN idempotency_keys k ON k.tenant_id = i.tenant_id AND k.operation = :claim.operation AND k.key = :claim.key
 WHERE i.tenant_id = :claim.tenant_id AND i.id = :intent_id
""",
    columns=INTENT_COLUMNS,
    key_columns=KEY_COLUMNS,
)

# In id order, so that two batches never wait for each other in a circle.
_LOCK = Statement(
    """
SELECT {columns} FROM unnest(:tenant_ids::text[], :ids::uuid[]) AS w(tenant_id, id)
  JOIN payment_intents i USING (tenant_id, id)
 ORDER BY i.id FOR UPDATE OF i
""",
    columns=INTENT_COLUMNS,
)

# One round trip for a whole batch: the rows are locked, so no version is compared.
_SAVE = Statement(
    """
WITH moved AS (
    UPDATE payment_intents i SET {assignments}
      FROM unnest(:intents[].tenant_id::text[], :intents[].id::uuid[], {arrays}) AS w(tenant_id, id, {changing})
     WHERE i.tenant_id = w.tenant_id AND i.id = w.id
),
answered AS (
    UPDATE idempotency_keys k
       SET status = 'completed', response_status = a.status, response_body = a.body, completed_at = :at
      FROM unnest(:answers[].tenant_id::text[], :answers[].subject_id::uuid[], :answers[].status::smallint[],
                  :answers[].body::bytea[]) AS a(tenant_id, id, status, body)
     WHERE k.tenant_id = a.tenant_id AND k.payment_intent_id = a.id AND k.status = 'in_progress'
),
recorded AS ({insert_events})
{insert_outbox}
""",
    assignments=", ".join(f"{column} = w.{column}" for column in CHANGING),
    arrays=", ".join(f":intents[].{column}::{KINDS[column]}[]" for column in CHANGING),
    changing=", ".join(CHANGING),
    insert_events=INSERT_EVENTS,
    insert_outbox=INSERT_OUTBOX,
)

FILTERS = {
    "statuses": "i.status = ANY(:filters.statuses::text[])",
    "customer_ref": "i.customer_ref = :filters.customer_ref",
    # By bytes, as the index is: no reference of 128 characters comes after the prefix and as many of the last character.
    "customer_ref_prefix": "i.customer_ref ~>=~ :filters.customer_ref_prefix AND i.customer_ref ~<=~ "
    "(:filters.customer_ref_prefix || repeat(chr(1114111), 128))",
    "currency": "i.currency = :filters.currency",
    "order_id": "i.order_id = :filters.order_id",
    "refund_id": "i.id = (SELECT payment_intent_id FROM refunds WHERE tenant_id = :tenant_id AND id = :filters.refund_id)",
    # By the primary key: the gateway knows the references.
    "gateway_ref": "i.id = ANY(:reference.intent_ids::uuid[])",
    # By no index: whoever sets it sets a period too. The number is compared first, which costs a fifth of the whole.
    "amounts": "i.amount_minor = ANY(:amounts.minor::bigint[]) AND i.amount_minor || i.currency = ANY(:amounts.texts::text[])",
    "created_from": "i.created_at >= :filters.created_from",
    "created_until": "i.created_at < :filters.created_until",
}
"""What each member of an `IntentFilter` means; a member that is not set is left out of the statement."""
# Exact, so it reads every row that matches: `Totals` bounds how far back and how often.
_COUNT = "SELECT count(*) AS total FROM payment_intents i WHERE {where}"
# A cursor is a place in the index, so a page costs the same however deep it is; an offset costs more with each page.
_PAGE = """
SELECT {columns} FROM payment_intents i WHERE {where}
 ORDER BY i.created_at DESC, i.id DESC LIMIT :limit OFFSET :offset
"""
_AFTER = "(i.created_at, i.id) < (:after.created_at, :after.id)"
_STATEMENTS_MAX = 256
"""Statements that are kept at most: one for each choice of filters."""


def intent_of(row: asyncpg.Record) -> PaymentIntent:
    """Read an intent from a row with `INTENT_COLUMNS`."""
    values = dict(zip(KINDS, _pick(row), strict=True))
    metadata: str = values["metadata"]
    values["status"] = Status(values["status"])
    values["capture_method"] = CaptureMethod(values["capture_method"])
    values["payment_method_type"] = PaymentMethodType(values["payment_method_type"])
    values["metadata"] = {} if metadata == "{}" else msgspec.json.decode(metadata, type=dict[str, str])
    return PaymentIntent(**values)


def metadata_text(intent: PaymentIntent) -> str:
    """Return the metadata of an intent as its row has it."""
    return msgspec.json.encode(intent.metadata).decode() if intent.metadata else "{}"


async def get(database: Database, tenant_id: str, intent_id: UUID) -> PaymentIntent | None:
    """Read one intent."""
    row = await _GET.fetchrow(database, tenant_id=tenant_id, intent_id=intent_id)
    return None if row is None else intent_of(row)


async def get_with_key(
    database: Database, intent_id: UUID, claim: Claim
) -> tuple[PaymentIntent, KeyRecord | None] | None:
    """Read one intent and what is kept under the key of `claim`, in one round trip."""
    row = await _GET_WITH_KEY.fetchrow(database, intent_id=intent_id, claim=claim)
    return None if row is None else (intent_of(row), key_of(row))


# By the primary key, for the payments on a page of somebody else's rows.
_REFERENCES = Statement("""
SELECT id, order_id, customer_ref FROM payment_intents WHERE tenant_id = :tenant_id AND id = ANY(:ids::uuid[])
""")


async def references(database: Database, tenant_id: str, ids: Collection[UUID]) -> dict[UUID, tuple[str | None, str]]:
    """Read the order and the merchant's reference of the customer of some of a tenant's payments; unknown ones are left out."""
    async with database.connection() as connection:
        rows = await _REFERENCES.fetch(connection, tenant_id=tenant_id, ids=list(ids))
    return {row["id"]: (row["order_id"], row["customer_ref"]) for row in rows}


async def lock(tx: Connection, ids: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], PaymentIntent]:
    """Read intents by (tenant, id) and lock them."""
    rows = await _LOCK.fetch(tx, tenant_ids=[tenant for tenant, _ in ids], ids=[intent_id for _, intent_id in ids])
    return {(row["tenant_id"], row["id"]): intent_of(row) for row in rows}


async def save(
    tx: Connection,
    intents: Sequence[PaymentIntent],
    *,
    answers: Sequence[KeyAnswer],
    publications: Sequence[Publication],
    events: Sequence[TimelineEvent],
    at: datetime,
) -> None:
    """Save locked intents, answer the keys that wait for them and publish their messages, in one round trip."""
    await _SAVE.execute(tx, intents=intents, answers=answers, publications=publications, events=events, at=at)


async def count(database: Database, tenant_id: str, filters: IntentFilter) -> int:
    """Count a tenant's intents."""
    names = _names_of(filters)
    row = await _counting(names).fetchrow(database, **_values(tenant_id, filters, names))
    return 0 if row is None else int(row["total"])


async def page(
    database: Database,
    tenant_id: str,
    filters: IntentFilter,
    *,
    limit: int,
    offset: int = 0,
    after: Position | None = None,
) -> list[PaymentIntent]:
    """Read a tenant's intents, newest first; `after` continues where a page ended, however deep, at the same cost."""
    names = _names_of(filters)
    values = _values(tenant_id, filters, names) | {"limit": limit, "offset": offset}
    if after is not None:
        values["after"] = after
    rows = await _paging(names, is_continued=after is not None).fetch(database, **values)
    return [intent_of(row) for row in rows]


def _names_of(filters: IntentFilter) -> tuple[str, ...]:
    return tuple(name for name in FILTERS if getattr(filters, name) is not None)


def _values(tenant_id: str, filters: IntentFilter, names: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {"tenant_id": tenant_id}
    if "amounts" in names:
        values["amounts"] = filters.amounts
    if "gateway_ref" in names:
        values["reference"] = filters.gateway_ref
    return values | {"filters": filters} if {*names} - {"amounts", "gateway_ref"} else values


def _where(names: tuple[str, ...]) -> str:
    return " AND ".join(["i.tenant_id = :tenant_id", *(FILTERS[name] for name in names)])


@lru_cache(maxsize=_STATEMENTS_MAX)
def _counting(names: tuple[str, ...]) -> Statement:
    return Statement(_COUNT, where=_where(names))


@lru_cache(maxsize=_STATEMENTS_MAX)
def _paging(names: tuple[str, ...], *, is_continued: bool) -> Statement:
    where = f"{_where(names)} AND {_AFTER}" if is_continued else _where(names)
    return Statement(_PAGE, columns=INTENT_COLUMNS, where=where)
