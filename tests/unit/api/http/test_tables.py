"""What a spreadsheet is given never runs, and amounts stay amounts."""

import csv
import io
from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.api.http.tables import csv_answer, csv_rows, one_page, sheet_of


def read(raw: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(raw.decode(), newline="")))


RUN = (
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\tx", "\rx", "-2+3+cmd|' /C calc'!A0", "-", "-1e5"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "\n=1", "\nx", " =1", "\u00a0=1", "\ufeff=1", "\r\n+1"),
)


@pytest.mark.parametrize("text", RUN)
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    [[shown]] = read(csv_rows([[text]]))
    assert shown.startswith("'")
    assert shown.replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a;=1", "a;'=1"),
        ("a;b;+1;@x", "a;b;'+1;'@x"),
        ("a\t=1", "a\t'=1"),
        ("a\n=1", "a\n'=1"),
        ("a; \uff1d1", "a;' \uff1d1"),
        ("=1;=2", "'=1;'=2"),
        ("a;b", "a;b"),
        ("a=1", "a=1"),
    ],
)
def test_no_cell_of_another_separator_begins_a_formula(text: str, shown: str) -> None:
    assert read(csv_rows([[text]])) == [[shown]]


@pytest.mark.parametrize(
    "text", ["-150.50", "0", "12.34", "-0.5", "2026-11-22T00:00:00+00:00", 'say "x", y', "a\nb", ""]
)
def test_amounts_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert read(csv_rows([[text, "z"]])) == [[text, "z"]]


ROWS = (("=a;b", "1.10", "0.00", "BRL"), ("b\r\n;c", "-7.00", "1234567.89", "BRL"), ("c3-1-2", "", "70", "JPY"))


@pytest.mark.parametrize(
    ("locale", "mark", "separator", "decimal"),
    [(None, b"", ",", "."), ("pt-BR", BOM_UTF8, ";", ","), ("en-US", BOM_UTF8, ",", ".")],
)
async def test_a_sheet_is_written_as_its_locale_reads_it(
    locale: str | None, mark: bytes, separator: str, decimal: str
) -> None:
    sheet = sheet_of(locale, sums=("debit", "credit"), as_of=datetime(2026, 11, 30, 12, tzinfo=UTC))
    table = csv_answer("t", ("what", "debit", "credit", "currency"), one_page(ROWS), sheet=sheet)
    assert isinstance(table.iterator, AsyncIterator)
    raw = b"".join([part async for part in table.iterator if isinstance(part, bytes)])
    assert raw.startswith(mark + b"what")
    shown = [*csv.reader(io.StringIO(raw.removeprefix(BOM_UTF8).decode(), newline=""), delimiter=separator)]
    expected = [
        ["what", "debit", "credit", "currency"],
        ["'=a;b", "1.10", "0.00", "BRL"],
        ["b\r\n;c", "-7.00", "1234567.89", "BRL"],
        ["c3-1-2", "", "70", "JPY"],
    ]
    if locale is not None:
        expected += [["total", "-5.90", "1234567.89", "BRL"], ["total", "0", "70", "JPY"]]
        expected += [["as of", "2026-11-30T12:00:00+00:00", "", ""]]
    assert shown == [[*row[:1], *(text.replace(".", decimal) for text in row[1:])] for row in expected]


async def test_point_of_a_code_stays_and_nothing_is_added_without_sums() -> None:
    sheet = sheet_of("pt-BR", sums=(), amounts=("2026",), as_of=datetime(2026, 11, 30, 12, tzinfo=UTC))
    rows = [("BRL", "1.10", "7.50"), ("USD", "2024.5", "-0.25")]
    table = csv_answer("t", ("currency", "account", "2026"), one_page(rows), sheet=sheet)
    assert isinstance(table.iterator, AsyncIterator)
    raw = b"".join([part async for part in table.iterator if isinstance(part, bytes)])
    assert raw.removeprefix(BOM_UTF8).decode().splitlines() == [
        "currency;account;2026",
        "BRL;1.10;7,50",
        "USD;2024.5;-0,25",
        "as of;2026-11-30T12:00:00+00:00;",
    ]
