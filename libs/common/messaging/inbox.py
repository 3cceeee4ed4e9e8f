"""The inbox: each event of a tenant takes effect once per consumer, however often it arrives.

Whoever says something chooses its id, and what comes from outside decides some of them. So an id counts within its tenant:
an event of one tenant never passes for one of another's.
"""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db import Connection, Database, PartitionedTable
from libs.common.db.statements import Statement
from libs.common.ids import derived_id, new_id
from libs.common.settings import BrokerSettings

type InboxKey = tuple[str, UUID]
"""What an event counts as: its tenant, which may be empty, and its id."""

_DAYS_AHEAD = 7
"""Days for which partitions exist ahead of time."""


def inbox_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the inbox for a service's models; its migration creates exactly this."""
    return sa.Table(
        "inbox",
        metadata,
        sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
        sa.Column("queue", sa.Text, nullable=False, comment="Where it was received: one effect per consumer."),
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


# By a subquery for each row, so that no plan ever reads the inbox as a whole.
_MARK = Statement("""
INSERT INTO inbox (event_id, queue)
SELECT t.id, :queue FROM unnest(:keys::uuid[], :event_ids::uuid[]) AS t(id, plain_id)
 WHERE (SELECT count(*) FROM inbox AS i WHERE i.event_id = t.plain_id AND i.queue = :queue) = 0
 ORDER BY t.id ON CONFLICT DO NOTHING RETURNING event_id
""")


def key_of(tenant_id: str, event_id: UUID) -> UUID:
    """Name an event of a tenant; in the same place of time, so that it lies in the same partition."""
    return derived_id(event_id, f"inbox of {tenant_id}") if tenant_id else event_id


async def mark(connection: Connection, queue: str, events: Sequence[InboxKey]) -> set[InboxKey]:
    """Remember events as received from `queue`, inside the caller's transaction, and return those that are new.

    A concurrent transaction that marks the same event is waited for: exactly one of the two sees it as new. An event that an
    earlier version has remembered by its id alone is not new either.
    """
    keys = {key_of(*event): event for event in events}
    # Ordered, so that two batches that share events never wait for each other in a circle.
    rows = await _MARK.fetch(
        connection, keys=list(keys), queue=queue, event_ids=[event_id for _, event_id in keys.values()]
    )
    return {keys[row["event_id"]] for row in rows}


async def try_out(database: Database, queue: str) -> None:
    """Write to the inbox and take it back: shows whether the database takes writes at this moment.

    Raises:
        DatabaseUnavailable: when it does not.
    """
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await mark(connection, queue, [("", new_id())])
        await transaction.rollback()
