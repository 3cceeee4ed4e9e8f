"""The inbox: each event takes effect once per consumer, however often it arrives."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db import Connection

RETENTION = timedelta(days=14)
"""How long an event is remembered: longer than any queue, retry or dead letter is normally left."""

_FORGET_MAX = 5000
"""Rows that one round of forgetting removes at most, so that it never holds locks for long."""


def inbox_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the inbox for a service's models; its migration creates exactly this."""
    return sa.Table(
        "inbox",
        metadata,
        sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
        sa.Column("queue", sa.Text, nullable=False, comment="Where it was heard: one effect per consumer."),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="When it took effect.",
        ),
        # The random column leads, so that concurrent inserts do not fight for one leaf page.
        sa.PrimaryKeyConstraint("event_id", "queue"),
        sa.Index("ix_inbox_received_at", "received_at", postgresql_using="brin"),
    )


async def mark(connection: Connection, queue: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Remember events as heard in `queue`, inside the caller's transaction, and return those that are new.

    A concurrent transaction that marks the same event is waited for: exactly one of the two sees it as new.
    """
    rows = await connection.fetch(
        # Ordered, so that two batches that share events never wait for each other in a circle.
        "INSERT INTO inbox (event_id, queue) SELECT id, $2 FROM unnest($1::uuid[]) AS t(id) ORDER BY id "
        "ON CONFLICT DO NOTHING RETURNING event_id",
        list(event_ids),
        queue,
    )
    return {row["event_id"] for row in rows}


async def forget(connection: Connection, *, before: datetime) -> int:
    """Forget events that took effect before an instant; returns how many, at most a few thousand a call."""
    status = await connection.execute(
        "DELETE FROM inbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM inbox WHERE received_at < $1 LIMIT $2))",
        before,
        _FORGET_MAX,
    )
    return int(status.rsplit(" ", 1)[-1])
