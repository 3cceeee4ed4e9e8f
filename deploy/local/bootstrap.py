"""The database, its roles and its schemas, from the same SQL file that compose runs with psql."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.local.errors import LocalFailure
from deploy.local.records import with_path

SQL = Path(__file__).resolve().parents[1] / "postgres" / "bootstrap.sql"
"""The file that compose's `postgres-init` runs as well."""

SERVICES = ("api", "ledger", "gateway", "notifier")
"""The four services, in the order in which they are started."""

ROLES = tuple(f"{service}_{kind}" for service in SERVICES for kind in ("owner", "app"))
"""The eight roles: per service one that migrates and one that serves."""

LOCK_KEY = 0x7061796D656E7473  # "payments" in ASCII
"""Advisory lock, held in the administrator's database: roles belong to the whole cluster, so bootstraps go in turn."""

CONNECT_SECONDS = 15.0
COMMAND_SECONDS = 60.0

_VARIABLE = re.compile(r":'(\w+)'")


async def bootstrap(
    admin_dsn: str, database: str = "payments", *, passwords: Mapping[str, str] | None = None, only: str = ""
) -> None:
    """Make the database where it is missing, and in it the roles, schemas and rights of the four services.

    Safe to repeat and to run from several processes at once. A role without an entry in `passwords` gets its own name
    as password, which is for development only. With `only` it is the database of that service alone.

    Raises:
        LocalFailure: when PostgreSQL refuses, or a password is given for a role that does not exist.
    """
    unknown = set(passwords or {}).difference(ROLES)
    if unknown:
        raise LocalFailure(f"There is no role {', '.join(sorted(unknown))}; the roles are {', '.join(ROLES)}.")
    variables = {f"{role}_password": (passwords or {}).get(role, role) for role in ROLES}
    script = substitute(SQL.read_text(), variables)
    host = urlsplit(admin_dsn).hostname
    try:
        admin = await asyncpg.connect(admin_dsn, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
        try:
            await admin.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
            if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
                await admin.execute(f"CREATE DATABASE {identifier(database)}")
            inside = await asyncpg.connect(
                with_path(admin_dsn, database), timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS
            )
            try:
                await inside.execute(script)
                if only:
                    await inside.execute(leave(only, database))
            finally:
                await inside.close()
        finally:
            await admin.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as refused:
        raise LocalFailure(f"PostgreSQL at {host} refused to set up the database {database}: {refused}") from refused


def leave(only: str, database: str) -> str:
    """Return the SQL that removes the other services from the database of one; a schema with tables in it is refused."""
    others = [service for service in SERVICES if service != only]
    roles = ", ".join(f"{service}_{kind}" for service in others for kind in ("owner", "app"))
    schemas = ", ".join(others)
    return f"DROP SCHEMA {schemas} RESTRICT; REVOKE ALL ON DATABASE {identifier(database)} FROM {roles};"


def substitute(script: str, variables: Mapping[str, str]) -> str:
    """Replace psql's `:'name'` by the quoted values, as psql does.

    Raises:
        LocalFailure: when the script names a variable that is not given, or a value cannot be a text in PostgreSQL.
    """

    def quoted(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in variables:
            raise LocalFailure(f"{SQL.name} wants the variable {name}, which is not given.")
        return literal(variables[name])

    lines = [line if line.lstrip().startswith("--") else _VARIABLE.sub(quoted, line) for line in script.splitlines()]
    return "\n".join(lines) + "\n"


def literal(value: str) -> str:
    """Return a text as an SQL literal that reads the same whatever `standard_conforming_strings` is.

    Raises:
        LocalFailure: when the text holds a NUL, which PostgreSQL cannot store.
    """
    if "\0" in value:
        raise LocalFailure("A value for PostgreSQL may not contain a NUL character.")
    doubled = value.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in value else f"'{doubled}'"


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier.

    Raises:
        LocalFailure: when it is empty, too long for PostgreSQL (63 bytes) or holds a NUL.
    """
    if not name or "\0" in name or len(name.encode()) > 63:
        raise LocalFailure(f"{name!r} cannot be a name in PostgreSQL: 1 to 63 bytes, no NUL.")
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
