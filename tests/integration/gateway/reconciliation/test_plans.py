"""What a step of a run looks at is as much as the step has, however much has moved, was paid out and was imported before.

Also where PostgreSQL expects few rows of the tenant, as of each that grows faster than its statistics: here they are never read.
"""

import json
from datetime import timedelta
from typing import Any

import pytest

from libs.common.db.statements import Statement
from libs.common.ids import first_id, new_id
from services.gateway.movements.domain import payout_id
from services.gateway.reconciliation.imports.domain import identity_of
from services.gateway.reconciliation.runs import sql
from services.gateway.reconciliation.runs.domain import entry_of
from services.gateway.reconciliation.runs.domain.run import begun
from services.gateway.reconciliation.runs.sql import explaining, posted, reports
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.test_carried_balances import rows_of_movements
from tests.integration.gateway.reconciliation.test_large_files import rows_of
from tests.integration.gateway.reconciliation.test_only_booked import LATELY, SINCE, K
from tests.support.bank_histories import payout_row

ROWS = 4_000
STEP = 100


async def copied(office: Office, table: str, key: str, **changed: str) -> None:
    """Have as many rows of a table as `ROWS`, like the one that the tenant has; `n` is the number of each."""
    async with office.database.connection() as connection:
        columns = [
            row["attname"]
            for row in await connection.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
                table,
            )
        ]
        await connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(changed.get(c, f't.{c}') for c in columns)} "
            f"FROM {table} AS t, generate_series(2, $2) AS n WHERE t.tenant_id = $1 AND t.{key} LIKE '%1'",
            office.tenant_id,
            ROWS,
        )


async def plan_of(office: Office, statement: Statement, **values: Any) -> dict[str, Any]:
    """Run a statement; return how."""
    async with office.database.transaction() as tx:
        text = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}"
        plan = json.loads(await tx.fetchval(text, *statement.arguments({"tenant_id": office.tenant_id, **values})))[0]
    found: dict[str, Any] = plan["Plan"]
    return found


@pytest.fixture
async def moved(office: Office) -> None:
    """Movements, each a second after the other, and payouts."""
    await office.move(5, SINCE, movement_id=new_id(SINCE), seen_at=SINCE, status="available")
    await copied(
        office,
        "processor_movements",
        "id",
        id="'txn_' || n",
        movement_id="encode(int8send(((extract(epoch FROM created_at + n * interval '1 second') * 1000)::int8 << 16)) "
        "|| set_byte(substr(sha256(n::text::bytea), 1, 8), 0, 128), 'hex')::uuid",
        created_at="created_at + n * interval '1 second'",
        seen_at="seen_at + n * interval '1 second'",
    )
    payout = payout_row(office.tenant_id, "po_1", 5_000, LATELY.date())
    payout |= {"payout_id": payout_id(office.tenant_id, "po_1"), "updated_at": SINCE - timedelta(days=90)}
    async with office.database.connection() as connection:
        await connection.execute(
            f"INSERT INTO processor_payouts ({', '.join(payout)}) VALUES ({', '.join(f'${n}' for n in range(1, len(payout) + 1))})",
            *payout.values(),
        )
    await copied(
        office,
        "processor_payouts",
        "id",
        id="'po_' || n",
        payout_id="encode(decode('000000000000', 'hex') || substr(sha256(n::text::bytea), 1, 10), 'hex')::uuid",
    )


async def test_entries_are_explained_by_what_can_explain_them(office: Office, moved: None) -> None:
    rows = await office.rows(
        f"SELECT movement_id FROM processor_movements WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT {STEP}"
    )
    lately = "UPDATE processor_payouts SET updated_at = $2 WHERE tenant_id = $1 AND id = 'po_1' RETURNING payout_id"
    [paid_out] = await office.rows(lately, LATELY)
    entries = [entry_of(row["movement_id"], K.MOVEMENT) for row in rows] + [
        entry_of(paid_out["payout_id"], K.PAYOUT_PAID)
    ]
    named = ",".join(map(str, entries))
    plan = await plan_of(office, explaining.UNEXPLAINED, entries=named, since=SINCE)
    assert plan["Actual Rows"] == 0
    assert rows_of_movements(plan) < 3 * STEP
    # Payouts of long ago are read and not derived.
    assert rows_of(plan) < 20 * STEP + 3 * ROWS
    assert await sql.unexplained(office.database, office.tenant_id, named, since=SINCE) == []


async def test_entry_of_a_payout_of_long_ago_is_explained(office: Office, moved: None) -> None:
    old = payout_id(office.tenant_id, "po_1")
    strange = entry_of(payout_id(office.tenant_id, "po_unknown"), K.PAYOUT_PAID)
    named = f"{entry_of(old, K.PAYOUT_PAID)},{strange}"
    assert await sql.unexplained(office.database, office.tenant_id, named, since=SINCE) == [strange]


async def test_parts_of_payouts_are_looked_for_by_their_words(office: Office, moved: None) -> None:
    source_id, import_id = new_id(LATELY), new_id(LATELY)
    async with office.database.connection() as connection:
        await connection.execute(
            "INSERT INTO import_sources (tenant_id, id, name, reading, created_at, updated_at) "
            """VALUES ($1, $2, 'report', '{"format": "stripe_payout_reconciliation"}', $3, $3)""",
            *(office.tenant_id, source_id, LATELY),
        )
        await connection.execute(
            "INSERT INTO file_imports (tenant_id, id, source_id, file_name, sha256, size_bytes, status, first_on, last_on, created_at, "
            "ended_at, kinds) VALUES ($1, $2::uuid, $3, 'report', $2::uuid::text, 1, 'IMPORTED', $4::date, $4::date, $5, $5, '{fee}')",
            *(office.tenant_id, import_id, source_id, LATELY.date(), LATELY),
        )
        await connection.execute(
            "INSERT INTO statement_lines (source_id, occurrence, tenant_id, id, import_id, line, identity, essence, account, bank_id, "
            "booked_on, currency, amount_minor, fee_minor, kind, refs, counterparty, description, raw, created_at) "
            "SELECT $2, 1, $1, gen_random_uuid(), $3, n, sha256(n::text::bytea), '\\x00', '', 'txn_other_' || n, $4::date, 'BRL', 5, 0, '', "
            "jsonb_build_object('payout', 'po_other' || n / 10), '', '', '{}', $5 FROM generate_series(1, $6::int) AS n",
            *(office.tenant_id, source_id, import_id, LATELY.date(), LATELY, ROWS),
        )
    known = await office.rows(
        "UPDATE processor_movements SET payout_ref = 'po_other' || right(id, 1), reporting_category = 'fee' "
        f"WHERE tenant_id = $1 AND id IN (SELECT 'txn_' || n FROM generate_series(1, {STEP}) AS n) RETURNING id, movement_id"
    )
    plan = await plan_of(
        office,
        reports.MISSING,
        moved=[reports.Sought(id=row["id"], identity=identity_of("", row["id"])) for row in known],
        first_on=LATELY.date(),
        last_on=LATELY.date(),
        first_lines=200,
    )
    # A part of each of the ten payouts is there, and none of these movements among them.
    assert plan["Actual Rows"] == STEP
    assert rows_of(plan) < 30 * STEP
    assert "ix_statement_lines_words" in json.dumps(plan)


async def test_what_runs_have_found_is_read_in_the_order_of_indexes(office: Office) -> None:
    async with office.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        values = explaining.KNOWN.arguments({"tenant_id": "t", "after": first_id(SINCE), "limit": 9})
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {explaining.KNOWN.text}", *values)
        assert "ix_discrepancies_unsettled" in plan
        assert "ix_discrepancies_adjusted" in plan
        run = begun(
            tenant_id="t",
            run_id=new_id(SINCE),
            window_from=SINCE,
            window_until=LATELY,
            is_dry=False,
            requested_by="",
            at=LATELY,
        )
        values = posted.POSTED.arguments({"run": run, "after": new_id(SINCE), "limit": 9})
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {posted.POSTED.text}", *values)
        assert "pk_reconciliation_posted" in plan
        assert '"Sort"' not in plan
