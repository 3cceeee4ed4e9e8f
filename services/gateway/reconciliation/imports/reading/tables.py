"""Rows of delimited text, with the line in which each begins, below the header that has the columns which are needed."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from unicodedata import normalize

from services.gateway.reconciliation.imports.domain import COLUMNS_MAX, NAME_MAX, TEXT_MAX, FileRefused, Wrong

PREAMBLE_MAX = 40
"""Rows above the header: banks put the account and the period there."""
_SPREADSHEET_TEXT = re.compile(r'="?(.*?)"?$', re.DOTALL)
_SCIENTIFIC = re.compile(r"[0-9]+([.,][0-9]+)?E\+?[0-9]+(?!\n)$", re.ASCII | re.IGNORECASE)
_TOTAL = re.compile(
    r"((grand |sub)?totals?|(gesamt|end|anfangs)?(summe|saldo)|gesamt|sum|suma|totale|closing balance|opening balance)"
    r"(\s*($|[^\w\s]|\d)|\s+(amount|balance|of|in|am|im|de|do|da|[a-z]{3})\b)",
    re.IGNORECASE,
)
"""A name may begin like a total, as that of Total Energies does: what follows the word says that it is none."""


@lru_cache(maxsize=2048)
def plain(header: str) -> str:
    """Write a header so that case, spaces and quotes around it do not matter."""
    return " ".join(normalize("NFKC", header).strip("\ufeff'\" \t").casefold().split())


class Row:
    """One row, by column."""

    __slots__ = ("_at", "cells", "number")

    def __init__(self, number: int, cells: list[str], at: dict[str, int]) -> None:
        self.number = number
        self.cells = cells
        self._at = at

    def get(self, column: str) -> str:
        """Give a cell without space around it; empty where the row is too short or has no such column."""
        place = self._at.get(column)
        return self.cells[place].strip() if place is not None and place < len(self.cells) else ""

    def need(self, column: str, *, named: str = "") -> str:
        """Give a cell that must not be empty.

        Raises:
            Wrong: it is.
        """
        cell = self.get(column)
        if not cell:
            raise Wrong("the column is empty", column=named or column)
        return cell


class Table:
    """The rows of a text that follow its header."""

    def __init__(self, text_lines: Iterable[str], *, delimiter: str, columns: Sequence[str]) -> None:
        """Look for the header: the first row that has all `columns`.

        Raises:
            FileRefused: none of the first rows has them; says which are missing and which there are.
        """
        self._reader = csv.reader(text_lines, delimiter=delimiter, strict=True)
        needed = [plain(column) for column in columns]
        best: tuple[int, list[str]] = (-1, [])
        self.header: list[str] = []
        for number, cells in islice(self.rows(), PREAMBLE_MAX):
            if isinstance(cells, str):
                continue
            headers = [plain(cell) for cell in cells]
            if len(cells) <= COLUMNS_MAX and all(column in headers for column in needed):
                self.header, self.cells, self.number = headers, cells, number
                break
            hits = sum(column in headers for column in needed)
            if hits > best[0]:
                best = (hits, cells)
        if not self.header:
            missing = [column for column in columns if plain(column) not in [plain(cell) for cell in best[1]]]
            raise FileRefused(
                f"no header: missing {', '.join(missing)[:300]}; the nearest row has {', '.join(c.strip() for c in best[1])[:500]}"
            )
        twice = [column for column in needed if self.header.count(column) > 1]
        if twice:
            raise FileRefused(f"the header has {', '.join(twice)[:300]} more than once", number=self.number)
        self.at = {name: place for place, name in reversed(list(enumerate(self.header)))}

    def rows(self) -> Iterator[tuple[int, list[str] | str]]:
        """Give the next rows as cells with the line in which they begin, or what is wrong with one; empty ones are left out."""
        reader = self._reader
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as fault:
                yield number, _words(fault)
                continue
            if any(cells) and not all(cell.isspace() or not cell for cell in cells):
                yield number, cells

    def is_header(self, cells: list[str]) -> bool:
        """Tell whether the header is repeated here."""
        return (
            len(cells) == len(self.header)
            and cells[-1] == self.cells[-1]
            and [plain(cell) for cell in cells] == self.header
        )

    def raw(self, cells: list[str]) -> dict[str, str]:
        """Write a row by column, empty cells left out."""
        return {
            name[:NAME_MAX]: cell[:TEXT_MAX] for name, cell in zip(self.header, cells, strict=False) if cell and name
        }


def _words(fault: csv.Error) -> str:
    if "unexpected end" in str(fault):
        return "the file ends inside quotes: it is truncated"
    if "field larger" in str(fault):
        return "a cell is too long: a quote is not closed, or the file is of another kind"
    return "the quotes are not those of a CSV"


def is_total(cells: list[str]) -> bool:
    """Tell whether a row adds up those above it, or says a balance."""
    first = next((cell.strip() for cell in cells if cell.strip()), "")
    return _TOTAL.match(first) is not None


def name_of(cell: str, *, column: str) -> str:
    """Read an id or a reference. Text that a spreadsheet has to keep, `="0012"`, is that text.

    Raises:
        Wrong: a spreadsheet has turned it into a number, or it is too long.
    """
    if cell[:1] == "=":
        match = _SPREADSHEET_TEXT.match(cell)
        cell = cell if match is None else match[1]
    if "E" in cell.upper() and _SCIENTIFIC.match(cell):
        raise Wrong(f"{cell[:30]!r} was rewritten by a spreadsheet; export it as text", column=column)
    if len(cell) > NAME_MAX:
        raise Wrong(f"longer than {NAME_MAX} characters", column=column)
    return cell


def text_of(cell: str) -> str:
    """Read a description, whose lines become one."""
    return " ".join(cell.split())[:TEXT_MAX]
