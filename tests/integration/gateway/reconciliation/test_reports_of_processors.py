"""A report of all that moved must have what moved in its days: of the same account and currency, and nowhere near its ends."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.imports.domain import identity_of
from tests.support.bank_histories import BankHistory

FIRST, LAST = date(2026, 11, 2), date(2026, 11, 12)


@pytest.fixture
async def bank(database: Database, tenant_id: str) -> BankHistory:
    return BankHistory(database, tenant_id)


async def report(bank: BankHistory, *names: str, kinds: Sequence[str] = ("charge",)) -> None:
    """Import a report of some movements, and of some kinds of them."""
    bank.source_id = new_id()
    await bank.source("stripe_balance_change")
    row = await bank.database.fetchrow(
        "UPDATE file_imports SET first_on = $2, last_on = $3, kinds = $4 WHERE source_id = $1 RETURNING id",
        bank.source_id,
        FIRST,
        LAST,
        [*kinds],
    )
    assert row is not None
    for number, name in enumerate(names):
        ref = f"txn_{bank.tenant_id}_{name}"
        await bank.line(
            f"{name}-line",
            100,
            FIRST,
            bank_id=ref,
            account="",
            import_id=row["id"],
            identity=identity_of("", ref),
            occurrence=1,
            line=number,
        )


async def missing(bank: BankHistory) -> set[str]:
    rows = await bank.database.fetch(
        "SELECT subject FROM discrepancies WHERE tenant_id = $1 AND aspect = 'report' AND type = 'MISSING_REMOTE' AND settled_at IS NULL",
        bank.tenant_id,
    )
    return {row["subject"].rpartition("_")[2] for row in rows}


async def test_what_a_report_lacks_of_its_days_is_found_and_settles(bank: BankHistory) -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    kinds = {"payout": "payout", "back": "payout_return"}
    for name, after in (
        ("has", 5),
        ("lacks", 6),
        ("edge", 2),
        ("end", 10),
        ("out", 13),
        ("payout", 6),
        ("back", 7),
        ("usd", 6),
    ):
        await bank.movement(name, 100, 100)
        await bank.database.fetch(
            "UPDATE processor_movements SET created_at = $2, seen_at = $2, updated_at = $2, is_booked = false, kind = $3, "
            "currency = $4, movement_id = $5 WHERE id = $1 RETURNING id",
            f"txn_{bank.tenant_id}_{name}",
            at := day + timedelta(days=after),
            kinds.get(name, "fee"),
            "USD" if name == "usd" else "EUR",
            new_id(at),
        )
    # One without any line of the account shows nothing.
    await report(bank)
    await bank.run()
    assert await missing(bank) == set()
    before = await bank.run()
    await report(bank, "has")
    run = await bank.run()
    assert await missing(bank) == {"lacks"}
    # What it lacks agrees no more.
    assert before.matched - run.matched == 1
    matches = "SELECT subject FROM reconciliation_matches WHERE tenant_id = $1 AND subject LIKE '%_lacks'"
    assert await bank.database.fetch(matches, bank.tenant_id) == []
    assert (await bank.run()).new == 0
    ref = f"txn_{bank.tenant_id}_lacks"
    await bank.line("later", 100, FIRST, bank_id=ref, account="", identity=identity_of("", ref))
    await bank.run()
    assert await missing(bank) == set()


async def test_only_a_whole_report_that_is_in_use_lacks_anything(bank: BankHistory) -> None:
    at = datetime(2026, 11, 6, tzinfo=UTC)
    for name in ("has", "lacks"):
        await bank.movement(name, 100, 100)
        await bank.database.fetch(
            "UPDATE processor_movements SET created_at = $2, seen_at = $2, updated_at = $2, is_booked = false, kind = 'fee', "
            "movement_id = $3 WHERE id = $1 RETURNING id",
            f"txn_{bank.tenant_id}_{name}",
            at,
            new_id(at),
        )

    async def found(*names: str, **more: Sequence[str]) -> set[str]:
        await report(bank, *names, **more)
        await bank.run()
        return await missing(bank)

    # One of another category, and one of before such were remembered.
    assert await found("has", kinds=["refund"]) == set()
    assert await found("has", kinds=[]) == set()
    assert await found("has", kinds=["charge", "refund"]) == {"lacks"}
    mistaken = bank.source_id
    # A right one settles it, from whatever source it is; so does that the wrong one is used no more.
    assert await found("has", "lacks") == set()
    await bank.database.fetch("DELETE FROM statement_lines WHERE source_id = $1 RETURNING id", bank.source_id)
    await bank.run()
    assert await missing(bank) == {"lacks"}
    await bank.database.fetch("UPDATE import_sources SET deleted_at = now() WHERE id = $1 RETURNING id", mistaken)
    await bank.run()
    assert await missing(bank) == set()
