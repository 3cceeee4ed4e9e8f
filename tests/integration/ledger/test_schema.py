"""The database itself refuses what no book may contain, whoever asks."""

import re
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.clock import ManualClock
from services.ledger.schema.tables import METADATA
from tests.integration.ledger.conftest import Ledger, captured
from tests.support.databases import TestDatabase

_ELSEWHERE = re.compile(r"alembic_version|_default\b")
"""The version table is Alembic's own, and partitions are the migration's."""


async def test_the_migration_makes_what_the_models_describe(ledger_database: TestDatabase) -> None:
    url = ledger_database.url("ledger_owner").replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, connect_args={"server_settings": {"search_path": "ledger"}})

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = compare_metadata(context, METADATA)
        return [d for d in found if not _ELSEWHERE.search(str(d))]

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_every_column_shows_what_it_is(ledger_database: TestDatabase) -> None:
    connection = await asyncpg.connect(ledger_database.url("ledger_owner"))
    silent = await connection.fetch(
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
        "AND c.relname <> 'alembic_version' "
        "AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL"
    )
    await connection.close()
    assert silent == []


async def test_every_key_of_a_tenants_data_has_the_tenant_in_it(ledger_database: TestDatabase) -> None:
    connection = await asyncpg.connect(ledger_database.url("ledger_owner"))
    keys = await connection.fetch(
        "SELECT i.indexrelid::regclass::text AS key FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
        "WHERE c.relnamespace = 'ledger'::regnamespace AND i.indisunique "
        "AND NOT c.relispartition "
        "AND c.relname NOT IN ('outbox', 'outbox_published', 'outbox_refused', 'operator_actions', 'inbox', 'partition_rules', 'alembic_version', 'chains', 'entry_groups', 'chain_checks', "
        "'claim_checks', 'invariant_checks', 'watermark', 'change_chains', 'change_groups', 'change_checks', 'sealed_changes', "
        "'sealed_tables', 'signed_heads', 'currency_exponents') "
        "AND NOT EXISTS (SELECT FROM pg_attribute a "
        "WHERE a.attrelid = i.indexrelid AND a.attname = 'tenant_id')"
    )
    await connection.close()
    assert keys == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE postings SET amount_minor = amount_minor + 1",
        "DELETE FROM postings",
        "TRUNCATE postings",
        "UPDATE journal_entries SET occurred_at = now()",
        "DELETE FROM journal_entries",
        "TRUNCATE journal_entries",
        "UPDATE role_changes SET changed_by = ''",
        "DELETE FROM role_changes",
        "UPDATE exchange_rates SET rate = rate * 2",
        "DELETE FROM exchange_rates",
        "TRUNCATE exchange_rates",
        "UPDATE conversions SET bought_minor = bought_minor + 1",
        "DELETE FROM conversions",
    ],
)
async def test_nobody_changes_or_removes_what_stands_in_the_books(
    ledger: Ledger, ledger_database: TestDatabase, clock: ManualClock, tenant_id: str, statement: str
) -> None:
    await ledger.handle_captures(captured(tenant_id, at=clock.now()))
    for role, refused in (
        ("ledger_app", asyncpg.InsufficientPrivilegeError),
        ("ledger_owner", asyncpg.RestrictViolationError),
        ("", asyncpg.RestrictViolationError),
    ):
        url = ledger_database.url(role) if role else ledger_database.admin_url
        connection = await asyncpg.connect(url, server_settings={"search_path": "ledger"})
        with pytest.raises(refused):
            await connection.execute(statement)
        await connection.close()
    assert len(await ledger.book(tenant_id)) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO journal_entries SELECT * FROM journal_entries",
        "INSERT INTO postings SELECT * FROM postings",
        "INSERT INTO balances SELECT * FROM balances",
        "INSERT INTO entry_groups SELECT * FROM entry_groups",
        "UPDATE balances SET version = version",
        "UPDATE chains SET sequence = sequence",
        "UPDATE accounts SET code = 'X'",
        "DELETE FROM accounts",
        "DELETE FROM balances",
        "TRUNCATE balances",
        "UPDATE inbox SET queue = ''",
        "DROP TABLE postings",
        "ALTER TABLE postings DISABLE TRIGGER ALL",
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE journal_entries (id int)",
    ],
)
async def test_the_runtime_role_may_do_no_more_than_it_needs(ledger: Ledger, statement: str) -> None:
    async with ledger.database.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


_INSERT = """
WITH entry AS (
    INSERT INTO journal_entries (tenant_id, id, kind, line_count, occurred_at, effective_at, posted_at, digest,
                                 chain, sequence, position, seal)
    SELECT $1, $2, 'capture', $3::int2, '2026-11-22Z', '2026-11-22Z', '2026-11-22Z', sha256('x'), 0, 1, 1, sha256('x')
     WHERE $3::int2 > 0
), balance AS (
    UPDATE balances SET debits_minor = debits_minor + $7, credits_minor = credits_minor + $8, version = version + $9
     WHERE tenant_id = $1 AND account_id = $10
)
INSERT INTO postings (tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor,
                      debits_after_minor, credits_after_minor, posted_at, effective_at)
SELECT $1, $2, line_no, $10, currency, line_no, side, amount, 100, 100, '2026-11-22Z', '2026-11-22Z'
  FROM unnest($4::text[], $5::int8[], $6::text[]) WITH ORDINALITY AS line(side, amount, currency, line_no)
"""


async def as_owner(ledger_database: TestDatabase, statement: str, *arguments: object) -> None:
    """Run a statement as the owner of the schema: what refuses it is a constraint or a trigger, not a missing right."""
    connection = await asyncpg.connect(
        ledger_database.url("ledger_owner"), server_settings={"search_path": "ledger", "timezone": "UTC"}
    )
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def one_account(ledger_database: TestDatabase, tenant_id: str) -> UUID:
    """Give the tenant one account with a balance in BRL, and return it."""
    account = uuid4()
    await as_owner(
        ledger_database,
        "INSERT INTO accounts VALUES ($1, $2, 'SUSPENSE', 'Suspense', 'ASSET', false, now())",
        tenant_id,
        account,
    )
    await as_owner(
        ledger_database,
        "INSERT INTO balances (tenant_id, account_id, currency, debit_normal) VALUES ($1, $2, 'BRL', true)",
        tenant_id,
        account,
    )
    return account


@pytest.mark.parametrize(
    ("line_count", "lines", "moved", "constraint"),
    [
        (2, [("DEBIT", 100, "BRL"), ("CREDIT", 99, "BRL")], (100, 99, 2), "entry_balanced"),
        (2, [("DEBIT", 100, "BRL"), ("DEBIT", 100, "BRL")], (200, 0, 2), "entry_balanced"),
        (2, [("DEBIT", 100, "BRL"), ("CREDIT", 100, "USD")], (100, 100, 2), "entry_balanced"),
        (2, [("DEBIT", -100, "BRL"), ("CREDIT", -100, "BRL")], (100, 100, 2), "ck_postings_amount_minor"),
        (2, [("DEBIT", 0, "BRL"), ("CREDIT", 0, "BRL")], (100, 100, 2), "ck_postings_amount_minor"),
        (2, [("LEFT", 100, "BRL"), ("RIGHT", 100, "BRL")], (100, 100, 2), "ck_postings_side"),
        (3, [("DEBIT", 100, "BRL"), ("CREDIT", 100, "BRL")], (100, 100, 2), "entry_complete"),
        (2, [], (0, 0, 0), "entry_complete"),
        (0, [("DEBIT", 100, "BRL"), ("CREDIT", 100, "BRL")], (100, 100, 2), "entry_complete"),
        (2, [("DEBIT", 100, "BRL"), ("CREDIT", 100, "BRL")], (0, 0, 0), "balance_follows_postings"),
        (2, [("DEBIT", 100, "BRL"), ("CREDIT", 100, "BRL")], (101, 100, 2), "balance_follows_postings"),
        (2, [("DEBIT", 100, "BRL"), ("CREDIT", 100, "BRL")], (100, 100, 3), "balance_follows_postings"),
    ],
)
async def test_a_wrong_entry_is_refused_by_the_database_itself(
    ledger_database: TestDatabase,
    tenant_id: str,
    line_count: int,
    lines: list[tuple[str, int, str]],
    moved: tuple[int, int, int],
    constraint: str,
) -> None:
    account = await one_account(ledger_database, tenant_id)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await as_owner(
        ledger_database,
            _INSERT, tenant_id, uuid4(), line_count, *[list(column) for column in zip(*lines, strict=True)] or [[], [], []],
            *moved, account
        )  # fmt: skip
    assert refused.value.constraint_name == constraint


async def test_a_right_entry_is_taken_and_no_line_can_be_added_to_it(
    ledger: Ledger, ledger_database: TestDatabase, tenant_id: str
) -> None:
    account, entry_id = await one_account(ledger_database, tenant_id), uuid4()
    lines = (["DEBIT", "CREDIT"], [100, 100], ["BRL", "BRL"])
    await as_owner(ledger_database, _INSERT, tenant_id, entry_id, 2, *lines, 100, 100, 2, account)
    assert len(await ledger.book(tenant_id)) == 2
    more = _INSERT.replace(
        "$10, currency, line_no, side, amount, 100, 100", "$10, currency, line_no + 2, side, amount, 200, 200"
    )
    for statement in (more, more.replace("SELECT $1, $2, line_no,", "SELECT $1, $2, line_no + 2,")):
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.UniqueViolationError)):
            await as_owner(ledger_database, statement, tenant_id, entry_id, 0, *lines, 100, 100, 2, account)
    assert len(await ledger.book(tenant_id)) == 2


async def test_an_entry_and_its_lines_in_two_statements_are_refused(
    ledger_database: TestDatabase, tenant_id: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await as_owner(
            ledger_database,
            "INSERT INTO journal_entries (tenant_id, id, kind, line_count, occurred_at, effective_at, posted_at, digest, "
            "chain, sequence, position, seal) "
            "VALUES ($1, $2, 'capture', 2, now(), now(), now(), sha256('x'), 0, 1, 1, sha256('x'))",
            tenant_id,
            uuid4(),
        )
    assert refused.value.constraint_name == "entry_complete"
