"""What a spreadsheet is given never runs, and amounts stay amounts."""

import csv
import io

import pytest

from services.api.routes.tables import csv_rows


def read(raw: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(raw.decode(), newline="")))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\tx", "\rx", "-2+3+cmd|' /C calc'!A0", "-", "-1e5"]
)
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert read(csv_rows([[text]])) == [[f"'{text}"]]


@pytest.mark.parametrize(
    "text", ["-150.50", "0", "12.34", "-0.5", "2026-11-22T00:00:00+00:00", 'say "x", y', "a\nb", ""]
)
def test_amounts_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert read(csv_rows([[text, "z"]])) == [[text, "z"]]
