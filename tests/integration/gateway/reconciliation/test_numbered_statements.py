"""Two equal payments of one day both count where two numbered statements have them; what is sent again never counts twice."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.imports.commands import reading
from tests.integration.gateway.reconciliation.test_imports import Bank, database

__all__ = ["database"]

type Movement = tuple[str, int]
"""A day of November, and euros that came; below zero they left."""
type File = tuple[str, int, *tuple[Movement, ...]]
"""The number of a statement, its opening balance and its movements."""


@pytest.fixture
async def bank(database: Database, tenant_id: str) -> Bank:
    made = Bank(database, tenant_id, ManualClock(datetime(2026, 12, 1, tzinfo=UTC)))
    await made.source(format="mt940", fields=None)
    return made


def mt940(number: str, opening: int, *movements: Movement) -> bytes:
    closing = opening + sum(euros for _, euros in movements)
    return "\n".join(
        [
            ":20:STARTUMS",
            ":25:50880050/0194774400888",
            f":28C:{number}",
            f":60F:C261101EUR{opening},00",
            *(
                f":61:2611{day}11{day}{'C' if euros > 0 else 'D'}{abs(euros)},00NTRFNONREF\n:86:SALARY"
                for day, euros in movements
            ),
            f":62F:C261130EUR{closing},00",
            "-\n",
        ]
    ).encode()


def camt(number: str, opening: int, *movements: Movement) -> bytes:
    closing = opening + sum(euros for _, euros in movements)
    entries = "".join(
        f'<Ntry><Amt Ccy="EUR">{abs(euros)}.00</Amt><CdtDbtInd>{"CRDT" if euros > 0 else "DBIT"}</CdtDbtInd><Sts>BOOK</Sts>'
        f"<BookgDt><Dt>2026-11-{day}</Dt></BookgDt></Ntry>"
        for day, euros in movements
    )
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>'
        for kind, amount in (("OPBD", opening), ("CLBD", closing))
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><GrpHdr/>'
        f"<Stmt><Id>{number}</Id><Acct><Id><IBAN>DE1</IBAN></Id></Acct>{balances}{entries}</Stmt>"
        "</BkToCstmrStmt></Document>"
    ).encode()


WRITERS = {"mt940": mt940, "camt053": camt}
MORNING, NOON, EVENING = ("17/1", 100, ("05", 10)), ("18/1", 110, ("05", 10), ("05", 5)), ("19/1", 125, ("05", 10))
"""Three statements of one day; each has a payment of ten."""
DAY = ("99/1", 90, ("04", 10), ("05", 10), ("05", 10), ("05", 5), ("05", 10))
"""Another one of all of it, and of the day before, that somebody has made by hand."""


@pytest.mark.parametrize("form", ["mt940", "camt053"])
@pytest.mark.parametrize(
    "files",
    [(MORNING, NOON, EVENING), (EVENING, NOON, MORNING), (NOON, MORNING, EVENING), (NOON, EVENING, MORNING)],
    ids=["in order", "backwards", "noon first", "morning last"],
)
async def test_equal_lines_of_the_statements_of_a_day_all_count(bank: Bank, form: str, files: Sequence[File]) -> None:
    write = WRITERS[form]
    bank.source_id = new_id()
    await bank.source(format=form, fields=None)
    for each in files:
        assert (await bank.take(write(*each))).status == "IMPORTED"
    assert await amounts(bank) == [5, 10, 10, 10]
    # All of it again, in another file: the day before is new.
    assert (await bank.take(write(*DAY))).lines_new == 1
    for each in files:
        assert (await bank.take(write(*each) + b"\n")).lines_new == 0


async def test_files_with_several_statements_and_slices(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SLICE", 1)
    await bank.take(mt940(*MORNING) + mt940(*NOON))
    assert await amounts(bank) == [5, 10, 10]
    assert (await bank.take(mt940(*NOON) + mt940(*EVENING))).lines_new == 1
    assert (await bank.take(mt940(*MORNING) + mt940(*NOON) + mt940(*EVENING))).lines_new == 0
    assert await amounts(bank) == [5, 10, 10, 10]


@pytest.mark.parametrize(
    "second",
    [
        ("17/1", 100, ("05", 10)),
        ("18/1", 100, ("05", 10)),
        ("18/1", 90, ("04", 10), ("05", 10)),
        ("18/1", 100, ("05", 10), ("06", 3)),
        # It opens with what the first has closed with, but is of the day after.
        ("17/1", 110, ("05", 10)),
    ],
    ids=["the same", "under another number", "from the day before", "to the day after", "without another number"],
)
async def test_what_may_be_the_same_counts_once(bank: Bank, second: File) -> None:
    await bank.take(mt940(*MORNING))
    await bank.take(mt940(*second) + b"\n")
    assert (await amounts(bank)).count(10) == 1 + any(day == "04" for day, _ in second[2:])


async def amounts(bank: Bank) -> Sequence[int]:
    return sorted(amount // 100 for (amount,) in await bank.lines("amount_minor"))
