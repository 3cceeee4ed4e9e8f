"""What a service has published lately, each message exactly as it was sent: the relay keeps it when it takes it from the outbox.

A day is a partition and leaves as one. Whoever has lost messages (a queue that was deleted, a database restored from a
backup) gets them again with the ids that they had, so that every other subscriber's inbox knows them.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db import Connection, Database, PartitionedTable
from libs.common.db.statements import Statement, arrays_of
from libs.common.errors import Unavailable
from libs.common.ids import first_id, time_of_id
from libs.common.messaging.envelope import Publication
from libs.common.messaging.resend import PAGE_ROWS, Window
from libs.common.settings import BrokerSettings

_DAYS_AHEAD = 7
"""Days for which partitions exist ahead of time."""
FIELD_TYPES = {
    "event_id": "uuid",
    "contract": "text",
    "tenant_id": "text",
    "correlation_id": "text",
    "traceparent": "text",
    "occurred_at": "timestamptz",
    "body": "text",
}
"""The columns of a message and their types."""
FIELDS = ", ".join(FIELD_TYPES)
SENT_BEFORE = -1
"""The `attempts` of an outbox row that is published again: it is kept already."""
AHEAD_MAX = 4 * PAGE_ROWS
"""Rows in the outbox while more is published again: what happens now stands behind no more than that."""
_ROOM_SECONDS = 60.0
_LOOK_SECONDS = 0.1

_OLDEST = "SELECT batch_id FROM outbox_published ORDER BY batch_id LIMIT 1"
_PUBLISH_AGAIN = Statement(
    """
WITH page AS (
    SELECT batch_id, seq, {fields} FROM outbox_published
    WHERE batch_id >= :since AND batch_id < :until AND (batch_id, seq) > (:after, :seq)
      AND (:contract = '' OR split_part(contract, ':', 3) = :contract)
      AND (:intent::text IS NULL OR body::jsonb ->> 'payment_intent_id' = :intent)
    ORDER BY batch_id, seq LIMIT :limit
), again AS (
    INSERT INTO outbox ({fields}, attempts) SELECT {fields}, {sent_before} FROM page ORDER BY batch_id, seq
)
SELECT batch_id, seq FROM page ORDER BY batch_id, seq
""",
    fields=FIELDS,
    sent_before=SENT_BEFORE,
)
_WAITING = f"SELECT count(*) AS rows FROM (SELECT FROM outbox LIMIT {AHEAD_MAX}) AS waiting"  # noqa: S608 - a number

_REBUILT = Statement(
    "INSERT INTO outbox ({fields}, attempts) SELECT *, {sent_before} FROM unnest({arrays})",
    arrays=arrays_of("publications", FIELD_TYPES),
    fields=FIELDS,
    sent_before=SENT_BEFORE,
)


def published_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what was published, for a service's models; its migration creates exactly this."""
    return sa.Table(
        "outbox_published",
        metadata,
        sa.Column("batch_id", pg.UUID, nullable=False, comment="UUIDv7 of the relay's round: when it was published."),
        sa.Column("seq", sa.BigInteger, nullable=False, comment="Its place in the outbox."),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text, nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever published it."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text, nullable=False, comment="The body as JSON, exactly as it was sent."),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="When it was published.",
        ),
        sa.PrimaryKeyConstraint("batch_id", "seq"),
        postgresql_partition_by="RANGE (batch_id)",
    )


def published_partitions(settings: BrokerSettings) -> PartitionedTable:
    """Keep what was published for as many days as the settings say."""
    return PartitionedTable(name="outbox_published", ahead=_DAYS_AHEAD, kept_days=max(1, settings.outbox_kept_days))


async def kept_since(database: Database) -> datetime | None:
    """Return since when what was published is kept; None where nothing is."""
    row = await database.fetchrow(_OLDEST)
    return None if row is None else time_of_id(row["batch_id"])


async def rebuilt(connection: Connection, publications: Sequence[Publication]) -> None:
    """Put messages that were rebuilt from tables into the outbox; they are not kept, since they were published before."""
    if publications:
        await _REBUILT.execute(connection, publications=publications)


async def publish_again(database: Database, window: Window) -> int:
    """Put what was published in a window into the outbox again, page by page; returns how many messages that were."""
    count, after, seq = 0, UUID(int=0), 0
    intent = None if window.payment_intent_id is None else str(window.payment_intent_id)
    since, until = first_id(window.since), first_id(window.until)
    await wait_for_room(database)
    while rows := await _PUBLISH_AGAIN.write_all(
        database,
        since=since,
        until=until,
        after=after,
        seq=seq,
        contract=window.contract,
        intent=intent,
        limit=PAGE_ROWS,
    ):
        count += len(rows)
        after, seq = rows[-1]["batch_id"], rows[-1]["seq"]
        await wait_for_room(database)
    return count


async def wait_for_room(database: Database) -> None:
    """Wait until the relay has carried away what stands in the outbox, but for a few pages.

    Raises:
        Unavailable: when it does not.
    """
    try:
        async with asyncio.timeout(_ROOM_SECONDS):
            while (row := await database.fetchrow(_WAITING)) is not None and row["rows"] >= AHEAD_MAX:  # noqa: ASYNC110 - the relay is another process
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as fault:
        raise Unavailable(
            "the outbox does not become empty: run the same command once messages are published"
        ) from fault
