"""What grows is bounded: partitions are made ahead of their time and dropped by age, by one worker of each service.

A partition leaves in milliseconds, however many rows it has, and no row is deleted one by one. The tables, and the
functions that change them, are made by migrations with `partition_rules`; the runtime role may not do more than those allow.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from libs.common.clock import Clock
from libs.common.db.connections import Connection, DatabaseUnavailable
from libs.common.db.database import Database
from libs.common.db.statements import Statement
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger

log = get_logger("partitions")

_LOCK_TIMEOUTS_MS = (100, 250, 250, 1_500)
"""How long each try to lock a table waits, and with it every writer behind it. The last one outlasts the second after which
PostgreSQL cancels an autovacuum that is in the way."""
_PAUSE_SECONDS = 0.5
_ROUNDS_MAX = 1_000
"""Partitions that one run drops of one table at most."""
_PRUNE_MAX = 5_000
"""Rows that one statement deletes from a default partition at most, so that it never holds locks for long."""


class PartitionedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table in partitions by time, and how long its rows are kept."""

    name: str
    """The table."""
    ahead: int
    """Partitions that exist ahead of the present one: how long rows have a place while nobody makes partitions."""
    kept_days: int
    """Partitions that ended longer ago than this are dropped; 0: none is."""


class TableSize(msgspec.Struct, frozen=True, kw_only=True):
    """How large a table has become."""

    table: str
    """The table."""
    bytes: int
    """What it takes on disk with all its partitions and indexes."""
    default_bytes: int
    """What its default partition takes of that."""
    ahead: int
    """Partitions that begin in the future."""
    oldest: datetime | None
    """When the oldest partition ends; None where there is none."""


_SIZE = Statement("""
SELECT (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)::int8 FROM pg_partition_tree(:table::text::regclass) AS t)
       AS bytes,
       coalesce(pg_total_relation_size(to_regclass(:table || '_default')), 0) AS default_bytes,
       count(*) FILTER (WHERE p.begins > first_id(:at)) AS ahead, min(time_of_id(p.ends)) AS oldest
  FROM partitions_of(:table) AS p
""")
_MAKE = Statement("SELECT make_partition(:table, :now, :ahead)")
_DROP = Statement("SELECT drop_partition(:table, :before)")
_PRUNE = Statement("SELECT prune_default_partition(:table, :before, :limit)")
_PLAIN_SIZE = "SELECT coalesce(pg_total_relation_size(to_regclass($1)), 0) AS bytes"


async def size_of(connection: Connection, table: str, *, at: datetime) -> TableSize:
    """Measure a partitioned table."""
    row = await _SIZE.fetchrow(connection, table=table, at=at)
    assert row is not None
    return TableSize(table=table, **dict(row))


def _is_locked(fault: BaseException) -> bool:
    return isinstance(fault, asyncpg.DeadlockDetectedError) or isinstance(
        fault.__cause__, asyncpg.LockNotAvailableError
    )


class PartitionKeeper:
    """Makes partitions ahead, drops those whose time is over, and measures; any number of processes may, one at a time."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        tables: Sequence[PartitionedTable],
        measured: Sequence[str] = (),
        lock_timeouts_ms: Sequence[int] = _LOCK_TIMEOUTS_MS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._tables = tables
        self._measured = measured
        self._lock_timeouts_ms = lock_timeouts_ms

    async def run(self) -> None:
        """Look after every table; what cannot be done is logged and counted, and tried again in the next run.

        The sizes of `measured`, tables without partitions, are measured as well.
        """
        for name in self._measured:
            row = await self._database.fetchrow(_PLAIN_SIZE, name)
            metrics.TABLE_BYTES.labels(name).set(0 if row is None else row["bytes"])
        for table in self._tables:
            for step in (self.make, self.drop, self.measure):
                try:
                    await step(table)
                except DatabaseUnavailable as fault:
                    if not _is_locked(fault):
                        raise
                    metrics.PARTITION_FAILURES.labels(table.name).inc()
                    log.error("partitions.locked", table=table.name, step=step.__name__)
                except asyncpg.PostgresError as fault:
                    metrics.PARTITION_FAILURES.labels(table.name).inc()
                    log.error("partitions.failed", table=table.name, step=step.__name__, reason=str(fault))

    async def make(self, table: PartitionedTable) -> int:
        """Make the present partition and those ahead; returns how many were missing.

        Rows that came while there was none are moved out of the default partition.
        """
        now, made = self._clock.now(), 0
        for ahead in range(table.ahead + 1):
            result = await self._locking(_MAKE, table=table.name, now=now, ahead=ahead)
            if result == "made":
                made += 1
            elif result == "crowded":
                metrics.PARTITION_FAILURES.labels(table.name).inc()
                log.error("partitions.crowded", table=table.name, ahead=ahead)
        if made:
            log.info("partitions.made", table=table.name, partitions=made)
        return made

    async def drop(self, table: PartitionedTable) -> list[str]:
        """Drop partitions whose time is over, the oldest first, and old rows of the default partition; returns their names."""
        if table.kept_days == 0:
            return []
        before, dropped = self._clock.now() - timedelta(days=table.kept_days), list[str]()
        for _ in range(_ROUNDS_MAX):
            name = await self._locking(_DROP, table=table.name, before=before)
            if name is None or name == "busy":
                break
            if name == "crowded":
                log.warning("partitions.young_rows", table=table.name)
                break
            dropped.append(name)
        if dropped:
            log.info("partitions.dropped", table=table.name, partitions=dropped, kept_days=table.kept_days)
        while await self._prune(table.name, before) == _PRUNE_MAX:
            continue
        return dropped

    async def measure(self, table: PartitionedTable) -> None:
        """Set the gauges of a table."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            await tx.execute(f"SET LOCAL lock_timeout = {self._lock_timeouts_ms[-1]}")
            size = await size_of(tx, table.name, at=now)
        metrics.TABLE_BYTES.labels(table.name).set(size.bytes)
        metrics.DEFAULT_PARTITION_BYTES.labels(table.name).set(size.default_bytes)
        metrics.PARTITIONS_AHEAD.labels(table.name).set(size.ahead)
        oldest = 0.0 if size.oldest is None else max(0.0, (now - size.oldest).total_seconds())
        metrics.OLDEST_PARTITION_AGE.labels(table.name).set(oldest)

    async def _prune(self, table: str, before: datetime) -> int:
        async with self._database.connection() as connection:
            return int(await _PRUNE.fetchval(connection, table=table, before=before, limit=_PRUNE_MAX))

    async def _locking(self, statement: Statement, **values: object) -> str | None:
        """Run a statement that locks a table: briefly, several times, so that nobody waits behind it for long."""
        for number, timeout_ms in enumerate(self._lock_timeouts_ms, start=1):
            try:
                async with self._database.transaction() as tx:
                    await tx.execute(f"SET LOCAL lock_timeout = {timeout_ms}")
                    result: str | None = await statement.fetchval(tx, **values)
                    return result
            except (DatabaseUnavailable, asyncpg.DeadlockDetectedError) as fault:
                if not _is_locked(fault) or number == len(self._lock_timeouts_ms):
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
        return None
