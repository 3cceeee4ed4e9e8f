"""What a spreadsheet is given never runs, and amounts stay amounts."""

import csv
import io

import pytest

from services.api.http.tables import csv_rows


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
