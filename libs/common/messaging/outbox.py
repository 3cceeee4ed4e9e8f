"""The transactional outbox: what is published commits with what was decided, and the relay sends it afterwards.

Each service has its own `outbox` table in its own schema; rows are deleted once the broker has confirmed them, so the
table stays as small as the backlog. What the broker refused for one destination moves to `outbox_refused`, one row for
each destination, so that no other destination gets it again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.contracts.base import key
from libs.common.db import Connection
from libs.common.messaging.envelope import Publication

OUTBOX_COLUMNS = "event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body"
"""The columns that `say` fills, in the order of `outbox_arrays`."""

_ARRAYS = "uuid[], text[], text[], text[], text[], timestamptz[], text[]"


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the outbox for a service's models; its migration creates exactly this."""
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order of insertion."),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text, nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever published it."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text, nullable=False, comment="The body as JSON, exactly as it will be sent."),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="Refusals by the broker."),
        sa.Column(
            "available_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="Not sent before this instant.",
        ),
    )


def outbox_refused_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what waits for a destination that refused it; a service's migration creates exactly this."""
    return sa.Table(
        "outbox_refused",
        metadata,
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order of refusal."),
        sa.Column(
            "destination",
            sa.Text,
            nullable=False,
            comment="The queue, or payments.x; empty: all that the contract names.",
        ),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text, nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever published it."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text, nullable=False, comment="The body as JSON, exactly as it will be sent."),
        sa.Column("attempts", sa.Integer, nullable=False, comment="Refusals so far."),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False, comment="Not sent before this instant."),
        sa.Index("ix_outbox_refused_due", "destination", "available_at"),
    )


def outbox_arrays(publications: Sequence[Publication]) -> tuple[list[Any], ...]:
    """Turn publications into the seven arrays that `insert_outbox` expects."""
    ids: list[UUID] = []
    contracts: list[str] = []
    tenants: list[str] = []
    correlations: list[str] = []
    traces: list[str] = []
    times: list[datetime] = []
    bodies: list[str] = []
    for publication in publications:
        ids.append(publication.event_id)
        contracts.append(key(publication.message.contract))
        tenants.append(publication.correlation.tenant_id)
        correlations.append(publication.correlation.correlation_id)
        traces.append(publication.correlation.traceparent)
        times.append(publication.occurred_at)
        bodies.append(publication.message.encode().decode())
    return ids, contracts, tenants, correlations, traces, times, bodies


def insert_outbox(first: int, *, source: str = "") -> str:
    """Write the INSERT whose arrays are parameters `first` to `first + 6`; for a CTE that decides and publishes at once.

    `source` names another CTE: nothing is published when that one has no row.
    """
    slots = ", ".join(f"${first + i}::{kind}" for i, kind in enumerate(_ARRAYS.split(", ")))
    condition = f" WHERE EXISTS (SELECT 1 FROM {source})" if source else ""  # noqa: S608 - a name of ours
    return f"INSERT INTO outbox ({OUTBOX_COLUMNS}) SELECT * FROM unnest({slots}){condition}"  # noqa: S608 - no input


_KINDS = zip(OUTBOX_COLUMNS.split(", "), _ARRAYS.split(", "), strict=True)
INSERT_OUTBOX = (
    f"INSERT INTO outbox ({OUTBOX_COLUMNS}) SELECT * FROM "  # noqa: S608 - no input
    f"unnest({', '.join(f':publications[].{column}::{kind}' for column, kind in _KINDS)})"
)
"""The same for a `Statement`, whose value `publications` is what is published; a condition may follow."""

_EACH = ", ".join(f"p.{column}" for column in OUTBOX_COLUMNS.split(", "))
_KINDS_OF = zip(OUTBOX_COLUMNS.split(", "), _ARRAYS.split(", "), strict=True)
INSERT_OUTBOX_OF = (
    f"INSERT INTO outbox ({OUTBOX_COLUMNS}) SELECT {_EACH} FROM "  # noqa: S608 - no input
    f"unnest({', '.join(f':publications[].{column}::{kind}' for column, kind in _KINDS_OF)}, :publishers::uuid[]) "
    f"WITH ORDINALITY AS p({OUTBOX_COLUMNS}, publisher, place) "
    "JOIN {decided} AS w ON w.id = p.publisher ORDER BY p.place"
)
"""The same for many decisions at once: `publishers` names what each message is about, and `{decided}` a CTE of the ids
of those that were decided. Of the others nothing is published."""

_PUBLISH = insert_outbox(1)


async def publish(connection: Connection, publications: Sequence[Publication]) -> None:
    """Put messages into the outbox, inside the caller's transaction, in their order."""
    if publications:
        await connection.execute(_PUBLISH, *outbox_arrays(publications))
