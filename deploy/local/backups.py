"""`just backup` and `just restore`: one moment of all four schemas, with what was published and may be lost published again.

The databases of the services are in one cluster, so that a moment of its log is one moment of all of them. Redis and RabbitMQ
have no backup: both begin empty after a restore, since what they had may be of a time that never was.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec

from deploy.local import containers, lifecycle, packages, records, servers, supervision
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure, log_tail
from deploy.local.layout import Layout, platform_layout
from deploy.local.native import pgbackrest, postgres, rabbitmq, redis
from deploy.local.native.pgbackrest import Backup
from deploy.local.records import Server
from deploy.local.waiting import locked
from libs.common.clock import iso

AGAIN = timedelta(hours=1)
"""How far before the restored moment what was published is published again: RabbitMQ may have had it, undelivered.

A message that waits longer is one of a payment that `just stuck` names, or a dead letter."""
RESEND_SECONDS = 3600.0
_CONNECT_SECONDS = 10.0
_NOT_REACHED = "before configured recovery target was reached"

Report = Callable[[str], None]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore did."""

    backup: Backup
    moment: datetime
    """Of the last transaction that is there."""
    aside: Path | None
    """Where the data lies that was there before."""


def back_up(report: Report, *, is_full: bool = False) -> Backup:
    """Back the cluster of the dev profile up, and have its log archived from the first time on.

    Raises:
        LocalFailure: when it is not ours or does not run, or pgBackRest fails.
    """
    place = _place()
    server, condition = servers.condition("dev", "postgres")
    if server is None or condition != servers.ANSWERS:
        raise LocalFailure(f"PostgreSQL is {condition}. Start it with ./scripts/up.sh.")
    _require_native(server)
    _require_installed(report)
    identifier, mode = asyncio.run(_cluster(server.url))
    if mode != "on":
        raise LocalFailure(
            "PostgreSQL was started by an earlier version: ./scripts/down.sh, ./scripts/up.sh, then again."
        )
    data = Path(server.data)
    with locked(place.run / "lock"):
        pgbackrest.begin(place, data, port=server.port, stanza=pgbackrest.stanza_of(identifier))
        pgbackrest.back_up(data, is_full=is_full)
    return pgbackrest.backups(place)[-1]


def restore(report: Report, *, until: datetime | None = None) -> Restored:
    """Replace the cluster by a moment of the newest one that was backed up: `until`, or the end of its archived log.

    The services are stopped, and start again on what is there then.

    One that is interrupted is run again: nothing else starts the services before.

    Raises:
        LocalFailure: when there is no backup of before, the log does not reach that far, or something does not start.
    """
    place = _place()
    _require_installed(report)
    found = pgbackrest.backups(place)
    if not found:
        raise LocalFailure(f"There is no backup in {pgbackrest.repository(place)}; BACKUP_FOLDER names another folder.")
    chosen = choose(found, until)
    known = records.read(place).servers.get("postgres")
    if servers.is_given("dev", "postgres") or containers.are_chosen():
        known = Server(kind="given", url="")
    if known is not None:
        _require_native(known)
    with locked(place.run / "lock"):
        report("Stopping ...")
        lifecycle.restore_mark(place).touch()
        supervision.stop(place)
        servers.stop("dev")
        aside = postgres.set_aside(place, at=datetime.now(UTC))
        redis.wipe(place)
        rabbitmq.wipe(place)
        report(f"Restoring {chosen.label} of {chosen.stanza} ...")
        data = postgres.data_folder(place)
        port = records.read(place).last_port("postgres", preferred=place.preferred_port("postgres"))
        pgbackrest.restore(place, data, port=port, backup=chosen, until=until)
        moment = _replay(place, report, backup=chosen, until=until)
    env = lifecycle.up(report, restored=lambda env: _read_first(report, env, since=moment))
    publish_again(report, env, until=moment)
    lifecycle.restore_mark(place).unlink()
    return Restored(backup=chosen, moment=moment, aside=aside)


def _read_first(report: Report, env: Mapping[str, str], *, since: datetime) -> None:
    """Tell the gateway which time is lost, before it calls a processor."""
    report(lifecycle.run_service("gateway", ["restored", "--to", iso(since)], env, seconds=RESEND_SECONDS).strip())


def publish_again(report: Report, env: Mapping[str, str], *, until: datetime) -> None:
    """Have each service publish again what it published in the last hour before a moment: its readers know what they had."""
    window = ["--since", iso(until - AGAIN), "--until", iso(until + timedelta(seconds=1))]
    for service in SERVICES:
        report(lifecycle.run_service(service, ["resend", *window], env, seconds=RESEND_SECONDS).strip())


def choose(found: list[Backup], until: datetime | None) -> Backup:
    """Return the newest backup of the newest cluster that had ended by then."""
    newest = found[-1].stanza
    before = [backup for backup in found if until is None or backup.ended_at <= until]
    if not before:
        raise LocalFailure(f"The oldest backup ended at {iso(found[0].ended_at)}: nothing before that can be restored.")
    return next((backup for backup in reversed(before) if backup.stanza == newest), before[-1])


def described(backup: Backup) -> str:
    """Describe a backup in a line."""
    size = f"{backup.size_bytes / 1024**2:.0f} MiB"
    return f"Backup {backup.label} ({backup.kind}) of {size}. Any moment since {iso(backup.ended_at)} can be restored."


def parse_moment(text: str) -> datetime:
    """Read an instant with its zone; without one it is of UTC.

    Raises:
        LocalFailure: when it is none.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise LocalFailure(f"'{text}' is no instant; write 2026-11-22T10:00:00Z.") from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)


def _replay(place: Layout, report: Report, *, backup: Backup, until: datetime | None) -> datetime:
    """Start the cluster and wait until the log is replayed; returns the moment of the last transaction."""
    report("Replaying the log ...")
    try:
        server = servers.ensure("dev", report=report).postgres
        return asyncio.run(recovered(server, backup))
    except (LocalFailure, OSError, asyncpg.PostgresError) as fault:
        if until is not None and _NOT_REACHED in log_tail(place.logs / "postgres.log"):
            raise LocalFailure(
                f"The archived log ends before {iso(until)}. Without --to all of it is restored."
            ) from fault
        raise


async def recovered(server: Server, backup: Backup) -> datetime:
    """Wait until a cluster takes writes; returns the moment of the last transaction, the end of its backup where none came after."""
    async with asyncio.timeout(postgres.RECOVERY_SECONDS):
        while True:
            connection = await asyncpg.connect(server.url, timeout=_CONNECT_SECONDS)
            try:
                if not await connection.fetchval("SELECT pg_is_in_recovery()"):
                    last = await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")
                    return last if isinstance(last, datetime) else backup.ended_at
            finally:
                await connection.close()
            await asyncio.sleep(0.2)


async def _cluster(url: str) -> tuple[int, str]:
    connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    try:
        row = await connection.fetchrow(
            "SELECT system_identifier AS id, current_setting('archive_mode') AS mode FROM pg_control_system()"
        )
    finally:
        await connection.close()
    assert row is not None, "a function that returns one row"
    return row["id"], row["mode"]


def _place() -> Layout:
    place = platform_layout()
    if place.profile != "dev":
        raise LocalFailure(f"Profile {place.profile} is not backed up from here; its nodes are copies of each other.")
    return place


def _require_installed(report: Report) -> None:
    if absent := packages.missing(["pgbackrest"]):
        packages.install(absent, report=report)


def _require_native(server: Server) -> None:
    if server.kind != "native":
        raise LocalFailure(
            "PostgreSQL is a server of yours or in a container: back it up with tools of its own (docs/backup.md)."
        )
