"""What a request of one tenant reads begins where it does for the service: the limit to the tenant costs no index."""

import json
import re
from types import ModuleType
from typing import Any

import pytest

from libs.common.db import Connection, tenancy
from libs.common.db.statements import Statement
from services.ledger.balances.sql import current, effective
from services.ledger.closing import sql as closing
from services.ledger.entries.sql import facts, journal
from services.ledger.reports.sql import statements, views
from tests.support.databases import TestDatabase

FOLDING = {"_FOLD_ALL", "_FOLD_NAMED"}
"""What no request does."""


def _bounds(plan: dict[str, Any]) -> int:
    """Count the bounds by which indexes are searched."""
    own = len(re.findall(r" [<>]=? ", str(plan.get("Index Cond", ""))))
    return own + sum(_bounds(each) for each in plan.get("Plans", []))


async def _bounds_of(tx: Connection, statement: Statement) -> int:
    # For values that the planner does not know, as it plans once a statement has run often.
    await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    values = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement.text))))
    await tx.execute(f"PREPARE planned AS {statement.text}")
    plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned{f'({values})' if values else ''}")
    await tx.execute("DEALLOCATE planned")
    return _bounds(json.loads(plan)[0]["Plan"])


@pytest.mark.parametrize("module", [current, effective, closing, facts, journal, statements, views])
async def test_reading_begins_in_the_index_for_one_tenant_too(
    ledger_database: TestDatabase, module: ModuleType
) -> None:
    named = {name: each for name, each in vars(module).items() if isinstance(each, Statement) and name not in FOLDING}
    async with ledger_database.open("ledger", pool_size=1) as database:
        async with database.transaction() as tx:
            unlimited = {name: await _bounds_of(tx, each) for name, each in named.items()}
        with tenancy.limited_to("t"):
            async with database.transaction() as tx:
                limited = {name: await _bounds_of(tx, each) for name, each in named.items()}
    assert limited == unlimited
    assert any(unlimited.values())
