"""Tables for spreadsheets: CSV (RFC 4180), row by row, so that a table of any length needs the memory of one page."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence

from litestar.response import Stream

from services.api.routes.parameters import AnyRequest, Query, QueryParameter

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula (OWASP, CSV injection)."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
"""An amount of ours: below zero it begins as a formula does, and is none."""
_FORMATS = {"json": ("json",), "csv": ("csv",)}

FORMAT = QueryParameter(
    name="format",
    description="`csv` for a spreadsheet, streamed and complete; `Accept: text/csv` does the same.",
    shape={"type": "string", "enum": [*_FORMATS], "default": "json"},
)


def wants_csv(request: AnyRequest, query: Query) -> bool:
    """Tell whether the client wants a table for a spreadsheet; what it names in `format` wins over what it accepts."""
    formats = query.names("format", _FORMATS)
    return "csv" in formats if formats is not None else "text/csv" in (request.headers.get("accept") or "")


def csv_rows(rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows; a text that a spreadsheet would run is quoted by an apostrophe."""
    out = io.StringIO()
    csv.writer(out).writerows([_plain(text) for text in row] for row in rows)
    return out.getvalue().encode()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.match(text) else text


def csv_answer(
    name: str,
    columns: Sequence[str],
    pages: AsyncIterator[Iterable[Sequence[str]]],
    *,
    headers: dict[str, str] | None = None,
) -> Stream:
    """Answer with a file `<name>.csv`, page by page.

    When a page cannot be had, the answer breaks off without its end, so that nobody takes a part for the whole.
    """

    async def parts() -> AsyncIterator[bytes]:
        yield csv_rows([columns])
        async for page in pages:
            yield csv_rows(page)

    disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Stream(parts(), media_type="text/csv", headers={**disposition, **(headers or {})})


async def one_page(rows: Iterable[Sequence[str]]) -> AsyncIterator[Iterable[Sequence[str]]]:
    """Make a table that is known as a whole a single page."""
    yield rows
