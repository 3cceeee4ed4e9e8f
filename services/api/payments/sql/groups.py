"""The SQL of new intents and of confirmations: many requests in one statement, so that one commit serves them all.

A new column of an intent is written by the list of columns alone; what a confirmation changes is in `CONFIRMED`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement, arrays_of
from libs.common.messaging import INSERT_OUTBOX_OF, Publication
from services.api.audit import INSERT_AUDIT_OF, AuditRecord, audits_values
from services.api.idempotency import IF_FREE, IN_ORDER, INSERT_KEYS, KeyRow
from services.api.payments.domain import PaymentIntent, TimelineEvent
from services.api.payments.sql.intents import KINDS, metadata_text
from services.api.payments.sql.timeline import INSERT_EVENTS_OF

CONFIRMED = ("status", "return_url", "version", "updated_at")
"""The columns of an intent that a confirmation changes."""

# One round trip for a whole group: the intents, their keys with the answers, audit lines, timelines and messages, all or
# nothing for each of them. A request without a free key has no row in `claimed`, and nothing else of it is written.
_CREATE = Statement(
    """
WITH claimed AS ({insert_keys} {in_order} {if_free} RETURNING k.payment_intent_id AS id),
created AS (
    INSERT INTO payment_intents ({columns}) SELECT {each} FROM unnest({arrays}, :metadata::jsonb[]) AS i({placed}, metadata)
      JOIN claimed AS w ON w.id = i.id
),
audited AS ({insert_audit}),
recorded AS ({insert_events}),
published AS ({insert_outbox})
SELECT id FROM claimed
""",
    insert_keys=INSERT_KEYS,
    in_order=IN_ORDER,
    if_free=IF_FREE,
    columns=", ".join(KINDS),
    each=", ".join(f"i.{column}" for column in KINDS),
    arrays=arrays_of("intents", KINDS, without=["metadata"]),
    placed=", ".join(column for column in KINDS if column != "metadata"),
    insert_audit=INSERT_AUDIT_OF,
    insert_events=INSERT_EVENTS_OF,
    insert_outbox=INSERT_OUTBOX_OF,
    decided="claimed",
)

_CONFIRM = """
WITH stored AS (
    SELECT i.tenant_id, i.id, {confirmed_values}
      FROM unnest(:intents[].tenant_id::text[], :intents[].id::uuid[], {arrays}) AS d(tenant_id, id, {confirmed})
      JOIN payment_intents i ON i.tenant_id = d.tenant_id AND i.id = d.id AND i.version = d.version - 1
     ORDER BY i.id FOR UPDATE OF i {skip}
),
moved AS (
    UPDATE payment_intents i SET {assignments}
      FROM stored AS d WHERE i.tenant_id = d.tenant_id AND i.id = d.id
    RETURNING i.id
),
claimed AS ({insert_keys} JOIN moved AS w ON w.id = n.payment_intent_id {in_order} {if_free} RETURNING 1),
audited AS ({insert_audit}),
recorded AS ({insert_events}),
published AS ({insert_outbox})
SELECT id FROM moved
"""
_CONFIRMING = {
    "arrays": arrays_of("intents", {column: KINDS[column] for column in CONFIRMED}),
    "confirmed": ", ".join(CONFIRMED),
    "confirmed_values": ", ".join(f"d.{column}" for column in CONFIRMED),
    "assignments": ", ".join(f"{column} = d.{column}" for column in CONFIRMED),
    "insert_keys": INSERT_KEYS,
    "in_order": IN_ORDER,
    "if_free": IF_FREE,
    "insert_audit": INSERT_AUDIT_OF,
    "insert_events": INSERT_EVENTS_OF,
    "insert_outbox": INSERT_OUTBOX_OF,
    "decided": "moved",
}
# The version shows whether somebody else has changed an intent meanwhile: then `moved` has no row, and nothing of it is
# written. What somebody else has locked is left out, so that a group does not wait for one of its members.
_CONFIRM_GROUP = Statement(_CONFIRM, skip="SKIP LOCKED", **_CONFIRMING)
# The same for what a group left out: it waits for the lock, on its own.
_CONFIRM_LOCKED = Statement(_CONFIRM, skip="", **_CONFIRMING)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """An intent that is created or confirmed, and what is written beside it."""

    intent: PaymentIntent
    """As it is from now on."""
    key_row: KeyRow
    """The key of the request, about this intent."""
    audit: AuditRecord
    """What the client did."""
    publications: Sequence[Publication]
    """What is published of it, in this order."""
    events: Sequence[TimelineEvent]
    """The lines of its timeline."""


async def create(database: Database, group: Sequence[Written]) -> list[bool]:
    """Write new intents with their keys and answers, audit lines and messages: each completely, or nothing of it.

    Returns for each whether it was written; False when its key is taken, as it is for the second of two with one key.
    """
    first = _first_of_each(group, lambda each: (each.key_row.tenant_id, each.key_row.operation, each.key_row.key))
    metadata = {"metadata": [metadata_text(group[place].intent) for place in first]}
    return await _write(database, _CREATE, group, first, **metadata)


async def confirm(database: Database, group: Sequence[Written]) -> list[bool]:
    """Save confirmed intents over the version that each was decided on, with keys, audit lines and messages.

    Returns for each whether it was written; False when somebody else has changed or locked the intent, as for the second of
    two that confirm one intent.
    """
    return await _write(database, _CONFIRM_GROUP, group, _first_of_each(group, lambda each: each.intent.id))


async def confirm_locked(database: Database, written: Written) -> bool:
    """Save one confirmed intent as `confirm` does, but wait for whoever has locked it."""
    return bool(await _CONFIRM_LOCKED.write_all(database, **_values([written])))


def _first_of_each(group: Sequence[Written], key_of: Callable[[Written], Hashable]) -> list[int]:
    """Return which members to write: the first of those that exclude each other, which the others then find written."""
    first: dict[Hashable, int] = {}
    for place, each in enumerate(group):
        first.setdefault(key_of(each), place)
    return list(first.values())


async def _write(
    database: Database, statement: Statement, group: Sequence[Written], places: Sequence[int], **values: Any
) -> list[bool]:
    rows = await statement.write_all(database, **_values([group[place] for place in places]), **values)
    ids = {row["id"] for row in rows}
    written = [False] * len(group)
    for place in places:
        written[place] = group[place].intent.id in ids
    return written


def _values(group: Sequence[Written]) -> dict[str, Any]:
    audits = audits_values([each.audit for each in group])
    return {
        "intents": [each.intent for each in group],
        "key_rows": [each.key_row for each in group],
        **audits,
        "audited": [each.intent.id for each in group],
        "events": [event for each in group for event in each.events],
        "publications": [publication for each in group for publication in each.publications],
        "publishers": [each.intent.id for each in group for _ in each.publications],
    }
