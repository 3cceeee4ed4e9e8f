"""What work has cost, as the servers and the kernel count it: rows, WAL, statements, messages, CPU and memory.

Counts are the same on a busy machine as on a quiet one, apart from how full packs and groups are; rates are not. Where
`pg_stat_statements` is loaded (`shared_preload_libraries`), statements are counted too.
"""

import asyncio
import os
import platform
import subprocess
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from deploy.local.servers import Servers
from libs.common.contracts import PUBLIC_EXCHANGE, REGISTRY
from libs.common.ids import new_id
from libs.common.messaging.shipments import destinations
from tests.support.databases import SERVICES

_FLUSHED_SECONDS = 11.0
"""A backend tells what it has counted when it has rested for ten seconds, if not before."""
PACK_MAX = 100

_ROWS = """
SELECT t.schemaname || '.' || coalesce(p.relname, t.relname) AS name, sum(t.n_tup_ins)::bigint AS inserted,
       sum(t.n_tup_upd)::bigint AS updated, sum(t.n_tup_hot_upd)::bigint AS hot, sum(t.n_tup_del)::bigint AS deleted
  FROM pg_stat_user_tables t LEFT JOIN pg_inherits i ON i.inhrelid = t.relid LEFT JOIN pg_class p ON p.oid = i.inhparent
 GROUP BY 1
"""
_BACKENDS = "SELECT pid, usename FROM pg_stat_activity WHERE datname = current_database()"
# A round of the relay puts the rows of one contract into one pack for each destination.
_PUBLISHED = """
SELECT contract, count(*) AS events, sum(octet_length(body)) AS bytes FROM {schema}.outbox_published
 WHERE batch_id >= $1 GROUP BY batch_id, contract
"""

type Books = "asyncpg.Connection[asyncpg.Record]"


class Rows(msgspec.Struct, frozen=True):
    """Rows of a table that were written."""

    inserted: int
    updated: int
    hot: int
    """Those of the updated ones for which no index was written."""
    deleted: int

    @property
    def written(self) -> int:
        """How many writes that were."""
        return self.inserted + self.updated + self.deleted

    def since(self, before: "Rows") -> "Rows":
        """What was written since then."""
        return Rows(
            self.inserted - before.inserted,
            self.updated - before.updated,
            self.hot - before.hot,
            self.deleted - before.deleted,
        )


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody has counted up to a moment."""

    mark: Any
    """An id that is larger than all ids until now."""
    rows: Mapping[str, Rows]
    wal_bytes: int
    wal_pages: int
    """Whole pages among them: of each page that is changed for the first time after a checkpoint."""
    commits: int
    statements: Mapping[str, int]
    """Statements by role; empty where the server does not count them."""
    cpu: Mapping[str, float]
    """Seconds by process."""


async def snapshot(books: Books, servers: Servers, services: Mapping[str, int]) -> Snapshot:
    """Read all counters; `services` are the process ids of our services. What was done just now is in it."""
    await asyncio.sleep(_FLUSHED_SECONDS)
    wal = await books.fetchrow("SELECT wal_bytes::bigint, wal_fpi FROM pg_stat_wal")
    assert wal is not None
    return Snapshot(
        mark=new_id(),
        rows=await rows(books),
        wal_bytes=wal["wal_bytes"],
        wal_pages=wal["wal_fpi"],
        commits=await books.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"),
        statements=await _statements(books),
        cpu=await cpu_of(books, servers, services),
    )


async def rows(books: Books) -> dict[str, Rows]:
    """Read how many rows were written, by table; a partitioned table is one."""
    await books.execute("SELECT pg_stat_clear_snapshot()")
    return {
        row["name"]: Rows(row["inserted"], row["updated"], row["hot"], row["deleted"])
        for row in await books.fetch(_ROWS)
    }


async def _statements(books: Books) -> dict[str, int]:
    if not await books.fetchval(
        "SELECT 'pg_stat_statements' = ANY (string_to_array(replace(setting, ' ', ''), ',')) "
        "FROM pg_settings WHERE name = 'shared_preload_libraries'"
    ):
        return {}
    await books.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
    found = await books.fetch(
        "SELECT r.rolname, sum(s.calls)::bigint AS calls FROM public.pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid "
        "WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1"
    )
    return {row["rolname"]: row["calls"] for row in found if row["rolname"].endswith("_app")}


async def cpu_of(books: Books, servers: Servers, services: Mapping[str, int]) -> dict[str, float]:
    """Sum up the CPU seconds of our services, of PostgreSQL for each of them, and of the other servers' processes."""
    used: defaultdict[str, float] = defaultdict(float)
    for service, process in services.items():
        used[service] += seconds_of(process)
    backends = {row["pid"]: row["usename"] for row in await books.fetch(_BACKENDS)}
    for found in servers.postgres.processes:
        for child in _descendants(found.pid):
            role = backends.get(child, "")
            used[f"postgres {role.removesuffix('_app')}" if role.endswith("_app") else "postgres rest"] += seconds_of(
                child
            )
    for name, server in (("rabbitmq", servers.rabbitmq), ("redis", servers.redis)):
        used[name] += sum(seconds_of(child) for root in server.processes for child in _descendants(root.pid))
    used["load generator"] = sum(os.times()[:2])
    return dict(used)


def seconds_of(process: int) -> float:
    """CPU seconds of a process so far; 0 where there is none."""
    try:
        user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> dict[str, int]:
    """What a process has in memory now and had at most, in MiB."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    kilobytes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {"now": int(kilobytes["VmRSS"]) // 1024, "most": int(kilobytes["VmHWM"]) // 1024}


def machine(root: Path) -> dict[str, Any]:
    """Name the machine and the commit that was measured there."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()

    cpu = [line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "commit": git("rev-parse", "HEAD"),
        "is_changed": bool(git("status", "--porcelain")),
        "machine": {
            "cores": os.cpu_count(),
            "cpu": cpu[0] if cpu else "",
            "memory_mib": memory[0] if memory else 0,
            "load_before": os.getloadavg(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _descendants(parent: int) -> list[int]:
    """Return a process and those that it, or one of these, has started."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children[int(stat.read_text().rpartition(")")[2].split()[1])].append(int(stat.parent.name))
        except OSError:
            continue
    found = [parent]
    for process in found:
        found += children[process]
    return found


async def messages(books: Books, mark: Any) -> dict[str, dict[str, int]]:
    """Count the events, AMQP messages and bytes of bodies that each service has published since a snapshot."""
    counted = {}
    for service in SERVICES:
        sent: Counter[str] = Counter()
        for row in await books.fetch(_PUBLISHED.format(schema=service), mark):
            contract = REGISTRY[row["contract"]].contract
            sent["events"] += row["events"]
            for place in destinations(contract):
                sent["bytes"] += row["bytes"]
                sent["messages"] += row["events"] if place == PUBLIC_EXCHANGE else -(-row["events"] // PACK_MAX)
        counted[service] = {name: sent[name] for name in ("events", "messages", "bytes")}
    return counted


async def per_payment(books: Books, before: Snapshot, after: Snapshot, payments: int) -> dict[str, Any]:
    """Divide what was counted between two snapshots by the payments made meanwhile."""

    def each(count: float, digits: int = 2) -> float:
        return round(count / payments, digits)

    none = Rows(0, 0, 0, 0)
    written = {name: found.since(before.rows.get(name, none)) for name, found in after.rows.items()}
    written = {name: found for name, found in sorted(written.items()) if found.written * 100 >= payments}
    sent = await messages(books, before.mark)
    return {
        "cpu_ms": {name: each((used - before.cpu.get(name, 0.0)) * 1000) for name, used in sorted(after.cpu.items())},
        "rows_written": each(sum(found.written for found in written.values())),
        "rows": {
            name: {field: each(getattr(found, field)) for field in Rows.__struct_fields__}
            for name, found in written.items()
        },
        "wal_bytes": each(after.wal_bytes - before.wal_bytes, 0),
        "wal_pages": each(after.wal_pages - before.wal_pages),
        "commits": each(after.commits - before.commits),
        "statements": {
            role.removesuffix("_app"): each(calls - before.statements.get(role, 0))
            for role, calls in sorted(after.statements.items())
        },
        **{
            name: {service: each(sent[service][name]) for service in SERVICES}
            for name in ("events", "messages", "bytes")
        },
    }
