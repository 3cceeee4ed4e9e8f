"""The timeline of a payment intent: what happened, when, by whom; written together with what happened."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.db import Connection, Database


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to an intent, told by one message of ours."""

    tenant_id: str
    """Whose intent."""
    payment_intent_id: UUID
    """Which intent."""
    id: UUID
    """The message that tells it."""
    type: str
    """What happened, as the message is called: `payment.authorized`, `payment.authorize` for what was asked."""
    status: str
    """The intent's status from then on."""
    actor: str
    """Subject of the token, or the service that said so: `gateway`, `ledger`."""
    cause_id: UUID | None
    """The message that was heard; None for a request over HTTP."""
    correlation_id: str
    """The request that set it in motion."""
    occurred_at: datetime
    """When."""


_COLUMNS = "tenant_id, payment_intent_id, id, type, status, actor, cause_id, correlation_id, occurred_at"
_KINDS = ("text", "uuid", "uuid", "text", "text", "text", "uuid", "text", "timestamptz")


def insert_events(first: int, *, source: str = "") -> str:
    """Write the INSERT whose arrays are parameters `first` and following; nothing is written when `source` is empty."""
    slots = ", ".join(f"${first + i}::{kind}[]" for i, kind in enumerate(_KINDS))
    condition = f" WHERE EXISTS (SELECT 1 FROM {source})" if source else ""  # noqa: S608 - a name of ours
    return f"INSERT INTO payment_intent_events ({_COLUMNS}) SELECT * FROM unnest({slots}){condition}"  # noqa: S608


def event_arrays(events: Sequence[TimelineEvent]) -> tuple[list[object], ...]:
    """Turn events into the arrays that `insert_events` expects."""
    names = TimelineEvent.__struct_fields__
    return tuple([getattr(event, name) for event in events] for name in names)


_PUBLISHED = (
    "SELECT tenant_id, payment_intent_id, id FROM unnest($1::text[], $2::uuid[], $3::uuid[]) "
    "AS w(tenant_id, payment_intent_id, id) JOIN payment_intent_events USING (tenant_id, payment_intent_id, id)"
)


async def published(connection: Connection, ids: Sequence[tuple[str, UUID, UUID]]) -> frozenset[tuple[str, UUID, UUID]]:
    """Tell which of these (tenant, intent, message) we have published."""
    rows = await connection.fetch(_PUBLISHED, *(list(column) for column in zip(*ids, strict=True)))
    return frozenset((row["tenant_id"], row["payment_intent_id"], row["id"]) for row in rows)


_TIMELINE = (
    f"SELECT {_COLUMNS} FROM payment_intent_events WHERE tenant_id = $1 AND payment_intent_id = $2 "  # noqa: S608
    "ORDER BY occurred_at, id LIMIT $3"
)


async def timeline(database: Database, tenant_id: str, intent_id: UUID, *, limit: int) -> list[TimelineEvent]:
    """Read what happened to an intent, oldest first."""
    rows = await database.fetch(_TIMELINE, tenant_id, intent_id, limit)
    return [TimelineEvent(**{name: row[name] for name in TimelineEvent.__struct_fields__}) for row in rows]
