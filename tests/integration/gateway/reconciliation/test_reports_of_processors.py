"""A report of all that moved must have what moved in its days: of the same account and currency, and nowhere near its ends."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.contracts.api_facts import PaymentFact
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.imports.domain import identity_of
from services.gateway.reconciliation.runs.sources import Sources
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.listing import Listing
from tests.integration.gateway.reconciliation.test_at_once import MADE, UNTIL, intent_of, paid, record
from tests.support.bank_histories import BankHistory

FIRST, LAST = date(2026, 11, 2), date(2026, 11, 12)


@pytest.fixture
async def bank(database: Database, tenant_id: str) -> BankHistory:
    return BankHistory(database, tenant_id)


async def report(
    bank: BankHistory,
    *names: str,
    kinds: Sequence[str] = ("charge",),
    file_format: str = "stripe_balance_change",
    payout: str = "",
) -> None:
    """Import a report of some movements, and of some kinds of them; of payouts it names one."""
    bank.source_id = new_id()
    await bank.source(file_format)
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
            refs=json.dumps({"payout": payout} if payout else {}),
        )


async def move(bank: BankHistory, name: str, at: datetime, **changes: str) -> None:
    """Move something on a day, of which nothing else is compared."""
    await bank.movement(name, 100, 100)
    fields = {"kind": "fee"} | changes
    await bank.database.fetch(
        "UPDATE processor_movements SET created_at = $2, seen_at = $2, updated_at = $2, is_booked = false, movement_id = $3, "
        f"{', '.join(f'{field} = ${number}' for number, field in enumerate(fields, start=4))} WHERE id = $1 RETURNING id",
        f"txn_{bank.tenant_id}_{name}",
        at,
        new_id(at),
        *fields.values(),
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
        currency = "USD" if name == "usd" else "EUR"
        await move(bank, name, day + timedelta(days=after), kind=kinds.get(name, "fee"), currency=currency)
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
        await move(bank, name, at)

    async def found(*names: str, kinds: Sequence[str] = ("charge",)) -> set[str]:
        await report(bank, *names, kinds=kinds)
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


async def test_payout_report_has_all_parts_of_each_payout_that_it_names(bank: BankHistory) -> None:
    at, po = datetime(2026, 11, 6, tzinfo=UTC), f"po_{bank.tenant_id}"
    of = {"has": "A", "lacks": "A", "refund": "A", "other": "B", "none": ""}
    for name, payout in of.items():
        fields = {"payout_ref": po + payout} if payout else {}
        await move(bank, name, at, reporting_category="refund" if name == "refund" else "charge", **fields)

    async def found(*names: str, kinds: Sequence[str] = ("charge",)) -> set[str]:
        await report(bank, *names, kinds=kinds, file_format="stripe_payout_reconciliation", payout=f"{po}A")
        await bank.run()
        return await missing(bank)

    # One of no payout, and one of a payout that it does not name, are none of its matter, nor is another category.
    assert await found("has") == {"lacks"}
    [row] = await bank.database.fetch(
        "SELECT detail FROM discrepancies WHERE tenant_id = $1 AND aspect = 'report'", bank.tenant_id
    )
    assert row["detail"].endswith(f"which has others of its payout {po}A")
    assert await found("has", kinds=["charge", "refund"]) == {"lacks"}
    mistaken = bank.source_id
    assert await found("lacks", kinds=["charge"]) == set()
    # Which of them names the payout first decides.
    await bank.database.fetch(
        "UPDATE import_sources SET deleted_at = now() WHERE id <> $1 AND tenant_id = $2 RETURNING id",
        mistaken,
        bank.tenant_id,
    )
    await bank.run()
    assert await missing(bank) == {"refund"}


@pytest.mark.parametrize("file_format", ["stripe_balance_change", "stripe_payout_reconciliation"])
async def test_movement_that_a_report_alone_has_is_found_and_settles(bank: BankHistory, file_format: str) -> None:
    await move(bank, "has", datetime(2026, 11, 6, tzinfo=UTC))
    await report(bank, "has", "unknown", file_format=file_format, payout=f"po_{bank.tenant_id}")
    await bank.run()
    assert await bank.found() == {("MISSING_LOCAL", "unknown-line")}
    await move(bank, "unknown", datetime(2026, 11, 6, tzinfo=UTC))
    await bank.run()
    assert await bank.found() == set()


async def test_reports_are_heeded_where_pages_are_compared_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [paid(number) for number in range(6)]
    lacking = made[4]
    await record(office, *made)
    office.sides = Listing(*made)
    office.runs = office.another()
    bank = BankHistory(office.database, office.tenant_id)
    await bank.source("stripe_balance_change")
    [file] = await bank.database.fetch(
        "UPDATE file_imports SET first_on = '2026-10-01', last_on = '2026-11-20', kinds = ARRAY[''], ended_at = $2 WHERE tenant_id = $1 "
        "RETURNING id",
        office.tenant_id,
        MADE,
    )
    rows = await office.rows("SELECT id, payment_intent_id FROM processor_movements WHERE tenant_id = $1")
    for number, row in enumerate(row for row in rows if row["payment_intent_id"] != intent_of(lacking)):
        identity = identity_of("", row["id"])
        await bank.line(
            row["id"], 100, FIRST, bank_id=row["id"], account="", identity=identity, import_id=file["id"], line=number
        )
    named: list[UUID] = []
    payments_of = Sources.payments_of

    async def counted(sources: Sources, tenant_id: str, intents: Sequence[UUID]) -> list[PaymentFact]:
        named.extend(intents)
        return await payments_of(sources, tenant_id, intents)

    monkeypatch.setattr(Sources, "payments_of", counted)
    run = await office.compare(MADE, UNTIL)
    assert (run.payments, run.matched, run.found) == (6, 5, {"MISSING_REMOTE": 1})
    # No more of them was compared one by one than the one that the report lacks.
    assert named == [intent_of(lacking)]
