"""pgBackRest for a private PostgreSQL: its log is archived as it is written, so that any moment since a backup can be restored.

The archive is a folder, the repository, which outlives the cluster and its data: `BACKUP_FOLDER` names one on another disk. It has
one stanza for each cluster that was ever backed up, named after PostgreSQL's own identifier of the cluster.
"""

import os
import pwd
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from deploy.local.errors import LocalFailure
from deploy.local.layout import Layout
from deploy.local.native import postgres
from deploy.local.processes import run, which

BACKUP_SECONDS = 6 * 3600.0
"""How long a backup or a restore may take; a gigabyte takes some seconds."""
QUICK_SECONDS = 180.0
"""How long what only looks into the repository may take, or waits for one file of the log to be archived."""
FULL_KEPT = 2
"""Full backups that are kept, with what builds on them and the log since the older one."""


class Backup(msgspec.Struct, frozen=True):
    """One backup in the repository."""

    stanza: str
    label: str
    kind: str
    """`full`, or `incr`, which has what changed since the one before."""
    ended_at: datetime
    """From this moment on any can be restored."""
    size_bytes: int
    """Of the cluster."""


def is_installed() -> bool:
    """Tell whether pgBackRest is installed on this machine."""
    return bool(program())


def program() -> str:
    """Return the path of pgBackRest, empty when it is not installed."""
    return which("pgbackrest")


def repository(place: Layout) -> Path:
    """Return the folder of the backups, made where it is missing."""
    named = os.environ.get("BACKUP_FOLDER", "").strip()
    folder = Path(named).absolute() if named else place.local / "backups"
    if not named and not _reaches(folder):
        folder = postgres.ELSEWHERE / f"backups-{place.key}"
    _own(folder)
    if not _reaches(folder):
        raise LocalFailure(f"PostgreSQL's user cannot reach {folder}; name another folder in BACKUP_FOLDER.")
    return folder


def begin(place: Layout, data: Path, *, port: int, stanza: str) -> None:
    """Have the log of a cluster archived from now on; again changes nothing.

    Raises:
        LocalFailure: with what pgBackRest says.
    """
    _configure(place, data, port=port, stanza=stanza)
    _call(data, ["stanza-create"], seconds=QUICK_SECONDS)
    # Last, since PostgreSQL archives as soon as it is there.
    _archive(data)


def back_up(data: Path, *, is_full: bool) -> None:
    """Make a backup; the first one is a full one.

    Raises:
        LocalFailure: with what pgBackRest says.
    """
    _call(data, ["--type=full" if is_full else "--type=incr", "backup"], seconds=BACKUP_SECONDS)


def backups(place: Layout) -> list[Backup]:
    """List the backups in the repository, of all clusters, the oldest first."""
    command = [program(), "--config=/dev/null", f"--repo1-path={repository(place)}", "--log-level-file=off"]
    done = _run([*command, "--output=json", "info"], seconds=QUICK_SECONDS)
    stanzas: list[dict[str, Any]] = msgspec.json.decode(done.encode() or b"[]")
    found = [
        Backup(
            stanza=stanza["name"],
            label=backup["label"],
            kind=backup["type"],
            ended_at=datetime.fromtimestamp(backup["timestamp"]["stop"], UTC),
            size_bytes=backup["info"]["size"],
        )
        for stanza in stanzas
        for backup in stanza.get("backup", [])
        if not backup.get("error")
    ]
    return sorted(found, key=lambda backup: backup.ended_at)


def restore(place: Layout, data: Path, *, port: int, backup: Backup, until: datetime | None) -> None:
    """Write a backup into an empty data folder; PostgreSQL replays the log when it starts, up to a moment or to its end.

    Raises:
        LocalFailure: with what pgBackRest says.
    """
    _configure(place, data, port=port, stanza=backup.stanza)
    moment = "" if until is None else f"{until:%Y-%m-%d %H:%M:%S.%f+00}"
    target = ["--type=time", f"--target={moment}", "--target-action=promote"] if moment else []
    _call(data, [*target, f"--set={backup.label}", "restore"], seconds=BACKUP_SECONDS)
    # Before it starts: what it writes from then on is a timeline of its own, whose beginning must be archived too.
    _archive(data)


def stanza_of(system_identifier: int) -> str:
    """Return the stanza of a cluster."""
    return f"payments-{system_identifier}"


def _archive(data: Path) -> None:
    script = postgres.archiver(data)
    script.write_text(f'#!/bin/sh\nexec {shlex.join(_command(data))} archive-push "$1"\n')
    script.chmod(0o755)


def _configure(place: Layout, data: Path, *, port: int, stanza: str) -> None:
    folder = postgres.archiver(data).parent
    _own(folder)
    (folder / "pgbackrest.conf").write_text(
        "[global]\n"
        f"repo1-path={repository(place)}\n"
        f"repo1-retention-full={FULL_KEPT}\n"
        f"lock-path={folder / 'lock'}\n"
        "log-level-file=off\n"
        "log-level-console=off\n"
        "log-level-stderr=warn\n"
        "compress-type=lz4\n"
        "start-fast=y\n"
        "process-max=2\n"
        f"\n[{stanza}]\n"
        f"pg1-path={data}\n"
        f"pg1-port={port}\n"
        "pg1-user=postgres\n"
    )


def _command(data: Path) -> list[str]:
    folder = postgres.archiver(data).parent
    configuration = folder / "pgbackrest.conf"
    stanza = next(line[1:-1] for line in configuration.read_text().splitlines() if line.startswith("[payments-"))
    return [program(), f"--config={configuration}", f"--stanza={stanza}"]


def _call(data: Path, arguments: Sequence[str], *, seconds: float) -> None:
    _run([*_command(data), *arguments], seconds=seconds)


def _run(command: list[str], *, seconds: float) -> str:
    # There is no unix socket: pgBackRest leaves the host to libpq.
    env = {**postgres.environment(), "PGHOST": "127.0.0.1"}
    done = run(command, seconds=seconds, user=postgres.database_user(), env=env, cwd=Path("/"))
    if done.returncode:
        output = "\n".join(f"  | {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-15:])
        raise LocalFailure(f"pgbackrest {command[-1]} failed with code {done.returncode}:\n{output}")
    return done.stdout


def _own(folder: Path) -> None:
    """Make a folder that is PostgreSQL's."""
    folder.mkdir(parents=True, exist_ok=True)
    if user := postgres.database_user():
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        folder.chmod(0o750)


def _reaches(folder: Path) -> bool:
    """Tell whether PostgreSQL's user can come to a folder, or to where it would be made."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return run(["test", "-x", str(existing)], seconds=10, user=postgres.database_user()).returncode == 0
