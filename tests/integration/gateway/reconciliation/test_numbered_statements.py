"""Two equal payments of one day both count where two numbered statements have them; what is sent again never counts twice."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

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


def camt(number: str, opening: int, *movements: Movement, closing: int | None = None) -> bytes:
    closing = opening + sum(euros for _, euros in movements) if closing is None else closing
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


WHOLE = ("17/1", 100, ("05", 10), ("05", 10), ("05", 5), ("05", 10))
"""The same as one statement, under the number of its first page."""
DAY_ALONE = ("99/1", *WHOLE[1:])
"""The same under another number."""


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


PAGES = {1: (100, 10), 2: (110, 10, 5), 3: (125, 10)}
"""Pages of a statement of one day: what each opens with, and its movements."""


def mt940_page(page: int, *, last: int = 3) -> bytes:
    opening, *movements = PAGES[page]
    written = mt940(f"00017/{page:03}", opening, *(("05", euros) for euros in movements))
    for tag, is_inside in ((b":60", page > 1), (b":62", page < last)):
        written = written.replace(tag + b"F:", tag + b"M:") if is_inside else written
    return written


def camt_page(page: int, *, last: int = 3, tag: str = "StmtPgntn") -> bytes:
    opening, *movements = PAGES[page]
    written = camt("17", opening, *(("05", euros) for euros in movements))
    written = written.replace(b"OPBD", b"ITBD") if page > 1 else written
    return paginated(written.replace(b"CLBD", b"ITBD") if page < last else written, page, last=last, tag=tag)


def paginated(written: bytes, page: int, *, last: int = 3, tag: str = "StmtPgntn") -> bytes:
    pages = f"<{tag}><PgNb>{page}</PgNb><LastPgInd>{str(page == last).lower()}</LastPgInd></{tag}>".encode()
    if tag == "MsgPgntn":
        return written.replace(b"<GrpHdr/>", b"<GrpHdr><MsgId>1</MsgId>" + pages + b"</GrpHdr>")
    return written.replace(b"<Acct>", pages + b"<Acct>")


@pytest.mark.parametrize(
    ("form", "page"),
    [("mt940", mt940_page), ("camt053", camt_page), ("camt053", partial(camt_page, tag="MsgPgntn"))],
    ids=["MT940", "CAMT.053", "messages of CAMT.053"],
)
async def test_equal_lines_of_the_pages_of_a_statement_all_count(
    bank: Bank, form: str, page: Callable[[int], bytes]
) -> None:
    """In each order, those first that have a page missing between them; and what is sent again is not counted again."""
    for order in ((1, 3, 2), (3, 1, 2), (2, 1, 3)):
        bank.source_id = new_id()
        await bank.source(format=form, fields=None)
        taken = [await bank.take(page(number)) for number in order]
        assert [(each.status, each.lines_new) for each in taken] == [("IMPORTED", len(PAGES[n]) - 1) for n in order]
        for again in (*(page(number) + b"\n" for number in order), WRITERS[form](*WHOLE), WRITERS[form](*DAY_ALONE)):
            assert (await bank.take(again)).lines_new == 0


async def test_a_page_with_the_balances_of_the_whole_statement_is_refused(bank: Bank) -> None:
    """Of two such pages of one day an equal line could be one or two."""
    bank.source_id = new_id()
    await bank.source(format="camt053", fields=None)
    for page in (1, 2):
        for tag in ("StmtPgntn", "MsgPgntn"):
            written = paginated(camt("17", 100, ("05", 10), closing=120), page, last=2, tag=tag)
            assert (await bank.take(written)).status == "REJECTED"
    assert await amounts(bank) == []


async def test_balances_between_pages_may_stand_in_either_order(bank: Bank) -> None:
    bank.source_id = new_id()
    await bank.source(format="camt053", fields=None)
    middle = camt_page(2).replace(b">110.00", b">first").replace(b">125.00", b">110.00").replace(b">first", b">125.00")
    assert middle != camt_page(2)
    for page in (camt_page(3), middle, camt_page(1)):
        assert (await bank.take(page)).status == "IMPORTED"
    assert await amounts(bank) == [5, 10, 10, 10]


async def test_pages_of_another_size_of_the_same_statement_count_nothing_again(bank: Bank) -> None:
    for written in (
        cut(1, 100, 10, 5, 3, 7),
        cut(2, 125, 4),
        cut(1, 100, 10),
        cut(2, 110, 5),
        cut(3, 115, 3),
        cut(4, 118, 7),
    ):
        assert (await bank.take(written)).status == "IMPORTED"
    assert (await bank.take(cut(5, 125, 4) + b"\n")).lines_new == 0
    assert await amounts(bank) == [3, 4, 5, 7, 10]


def cut(page: int, opening: int, *euros: int) -> bytes:
    """A page that is neither known to be the first nor the last by its balances."""
    written = mt940(f"17/{page}", opening, *(("05", each) for each in euros))
    return written.replace(b":60F:", b":60M:").replace(b":62F:", b":62M:")


PARTS = ((100, 10), (110, 5), (115, 3), (118, 7))


def part(page: int) -> bytes:
    opening, euros = PARTS[page]
    written = mt940(f"17/{page + 1}", opening, ("05", euros))
    written = written.replace(b":60F:", b":60M:") if page else written
    return written.replace(b":62F:", b":62M:") if page + 1 < len(PARTS) else written


@pytest.mark.parametrize("is_whole_first", [True, False])
async def test_a_whole_statement_and_its_pages_count_once(bank: Bank, is_whole_first: bool) -> None:
    whole = mt940("17/1", 100, *(("05", euros) for _, euros in PARTS))
    pages = [part(page) for page in range(len(PARTS))]
    for written in [whole, *pages] if is_whole_first else [*pages, whole]:
        assert (await bank.take(written)).status == "IMPORTED"
    assert await amounts(bank) == [3, 5, 7, 10]


@pytest.mark.parametrize(
    ("files", "total"),
    [
        # A page, a file by hand of it and the next one, and the page behind that.
        (((1, 100, 10), (8, 100, 10, 10), (3, 120, 10)), 3),
        (((8, 100, 10, 10), (1, 100, 10), (2, 110, 10), (3, 120, 10)), 3),
        # A file by hand that ends in the middle of the next page.
        (((1, 100, 10), (8, 100, 10, 10), (2, 110, 10, 10)), 3),
        (((8, 100, 10, 10), (1, 100, 10), (2, 110, 10, 10)), 3),
        (((2, 110, 10, 10), (8, 100, 10, 10), (1, 100, 10)), 3),
        (((8, 100, 10, 10), (2, 110, 10, 10), (9, 120, 10), (1, 100, 10)), 3),
    ],
)
async def test_equal_lines_of_statements_that_overlap_count_once(
    bank: Bank, files: Sequence[tuple[int, int, *tuple[int, ...]]], total: int
) -> None:
    for number, opening, *movements in files:
        taken = await bank.take(mt940(f"{number}/1", opening, *(("05", euros) for euros in movements)))
        assert taken.status == "IMPORTED"
    assert await amounts(bank) == [10] * total


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
