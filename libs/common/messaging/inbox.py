"""The inbox: each event takes effect once per consumer, however often it arrives."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db import Connection, PartitionedTable
from libs.common.settings import BrokerSettings

_DAYS_AHEAD = 7
"""Days for which partitions exist ahead of time."""


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
        # By the time in the event's id, so that the key stays unique over all days.
        postgresql_partition_by="RANGE (event_id)",
    )


def inbox_partitions(settings: BrokerSettings) -> PartitionedTable:
    """Keep the inbox for as long as the settings say, by day, as the events' ids tell it.

    An event that comes later than its id says (the id is derived from that of its payment) is remembered for as many days
    from then on.
    """
    return PartitionedTable(name="inbox", ahead=_DAYS_AHEAD, kept_days=settings.inbox_retention_days)


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
