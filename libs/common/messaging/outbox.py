"""The transactional outbox: what is published commits with what was decided, and the relay sends it afterwards.

Each service has its own `outbox` table in its own schema; rows are deleted once the broker has confirmed them, so the
table stays as small as the backlog. What the broker refused for one destination moves to `outbox_refused`, one row for
each destination, so that no other destination gets it again.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db import Connection
from libs.common.db.statements import Statement, arrays_of
from libs.common.messaging.envelope import Publication

_KINDS = {
    "event_id": "uuid",
    "contract": "text",
    "tenant_id": "text",
    "correlation_id": "text",
    "traceparent": "text",
    "occurred_at": "timestamptz",
    "body": "text",
}
"""What each of these columns is; a `Publication` has its value under the same name."""

OUTBOX_COLUMNS = ", ".join(_KINDS)
"""The columns that are written when something is published."""

OUTBOX_ARRAYS = arrays_of("publications", _KINDS)
"""The same as parameters of a `Statement` whose value `publications` is what is published, each an array."""


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


INSERT_OUTBOX = f"INSERT INTO outbox ({OUTBOX_COLUMNS}) SELECT * FROM unnest({OUTBOX_ARRAYS})"  # noqa: S608 - no input
"""Publishes in a `Statement` that also decides; its value `publications` is what is published, and a condition may follow."""

_EACH = ", ".join(f"p.{column}" for column in _KINDS)
INSERT_OUTBOX_OF = (
    f"INSERT INTO outbox ({OUTBOX_COLUMNS}) SELECT {_EACH} FROM "  # noqa: S608 - no input
    f"unnest({OUTBOX_ARRAYS}, :publishers::uuid[]) WITH ORDINALITY AS p({OUTBOX_COLUMNS}, publisher, place) "
    "JOIN {decided} AS w ON w.id = p.publisher ORDER BY p.place"
)
"""The same for many decisions at once: `publishers` names what each message is about, and `{decided}` a CTE of the ids
of those that were decided. Of the others nothing is published."""

_PUBLISH = Statement(INSERT_OUTBOX)


async def publish(connection: Connection, publications: Sequence[Publication]) -> None:
    """Put messages into the outbox, inside the caller's transaction, in their order."""
    if publications:
        await _PUBLISH.execute(connection, publications=publications)
