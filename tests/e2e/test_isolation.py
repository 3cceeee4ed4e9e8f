"""Isolation that is real: no role reads another's schema, and nobody edits the books."""

import asyncpg
import pytest

from tests.support.databases import SERVICES
from tests.support.platform import Platform

ROLES = [f"{service}_{kind}" for service in SERVICES for kind in ("app", "owner")]


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_reads_another_services_schema(platform: Platform, role: str) -> None:
    own = role.split("_", maxsplit=1)[0]
    connection = await asyncpg.connect(platform.database.url(role))
    try:
        admin = await asyncpg.connect(platform.database.admin_url)
        tables = await admin.fetch(
            "SELECT table_schema AS schema, table_name AS name FROM information_schema.tables WHERE table_schema = ANY($1)",
            [service for service in SERVICES if service != own],
        )
        await admin.close()
        assert len(tables) > 10
        for table in tables:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f'SELECT 1 FROM "{table["schema"]}"."{table["name"]}" LIMIT 1')
    finally:
        await connection.close()


@pytest.mark.parametrize("table", ["journal_entries", "postings"])
@pytest.mark.parametrize("role", ["ledger_app", "ledger_owner"])
async def test_nobody_edits_or_deletes_what_stands_in_the_books(platform: Platform, table: str, role: str) -> None:
    connection = await asyncpg.connect(platform.database.url(role))
    try:
        for statement in (
            f"UPDATE {table} SET tenant_id = tenant_id",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(statement)
    finally:
        await connection.close()
