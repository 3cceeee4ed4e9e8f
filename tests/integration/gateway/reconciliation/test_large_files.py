"""What a large file has is counted in slices, each of which costs what it has, however many lines are there already."""

import json
from typing import Any

import pytest

from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.imports.sql import reading as sql

_ROWS, _SLICE = 1_200, 300
_STAGE = """
INSERT INTO import_rows (number, tenant_id, id, import_id, statement_id, line, identity, essence, account, bank_id, booked_on, currency,
                         amount_minor, fee_minor, kind, refs, counterparty, description, raw)
SELECT n, $1, gen_random_uuid(), $2::uuid, NULL, n, sha256(n::text::bytea), '\\x00', 'DE1', CASE WHEN $4 THEN 'id ' || n ELSE '' END, '2026-11-01',
       'EUR', n, 0, '', jsonb_build_object('payout', $2::uuid::text), '', 'Invoice ' || n, '{}'
  FROM generate_series(1, $3::bigint) AS n
"""


def rows_of(plan: dict[str, Any]) -> int:
    """Count the rows that all parts of a plan have looked at."""
    removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
    here = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    return int(here) + sum(rows_of(each) for each in plan.get("Plans", ()))


@pytest.mark.parametrize("has_ids", [False, True])
async def test_slice_costs_what_it_has_whatever_is_there_already(
    database: Database, tenant_id: str, *, has_ids: bool
) -> None:
    source_id = new_id()
    looked_at = []
    # The second file has the same lines: each of them is found, and completed by what it refers to where it has an id.
    for _ in range(2):
        values: dict[str, Any] = {"import_id": new_id(), "tenant_id": tenant_id, "source_id": source_id}
        values |= {"identity": b"", "number": 0, "occurrence": 0, "apart": [], "fresh": [], "limit": _SLICE}
        values |= {"conflicts_max": 10, "at": (await database.fetchrow("SELECT now() AS at"))["at"]}  # type: ignore[index]
        async with database.transaction() as tx:
            await tx.execute(_STAGE, tenant_id, values["import_id"], _ROWS, has_ids)
            for _ in range(_ROWS // _SLICE):
                [last] = await tx.fetch(
                    "SELECT identity, number FROM import_rows WHERE import_id = $1 AND identity > $2 ORDER BY identity OFFSET $3 LIMIT 1",
                    values["import_id"],
                    values["identity"],
                    _SLICE - 1,
                )
                plan = await tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.KEEP.text}", *sql.KEEP.arguments(values))
                looked_at.append(rows_of(json.loads(plan)[0]["Plan"]))
                values |= {"identity": last["identity"], "number": last["number"], "occurrence": 1}
    assert max(looked_at) < 30 * _SLICE
    rows = await database.fetch("SELECT refs FROM statement_lines WHERE tenant_id = $1", tenant_id)
    assert len(rows) == _ROWS
    changed = sum(json.loads(row["refs"])["payout"] == str(values["import_id"]) for row in rows)
    assert changed == (_ROWS if has_ids else 0)
