"""Tables for spreadsheets: CSV (RFC 4180), row by row, so that a table of any length needs the memory of one page."""

import asyncio
import codecs
import csv
import io
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Context, Decimal, localcontext
from typing import Any

import msgspec
from litestar import Litestar
from litestar.response import Stream
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send

from libs.common.clock import iso
from services.api.http.parameters import AnyRequest, Query, QueryParameter, wrong

_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""How a text begins that a spreadsheet takes for a formula (OWASP, CSV injection), in characters of full width too."""
_FURTHER = re.compile(r"([;\t\r\n|])(?=[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet that separates by something else than a comma would begin another cell with a formula."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
"""An amount of ours: below zero it begins as a formula does, and is none."""
_EXACT = Context(prec=60)
"""More digits than all amounts of a tenant together have."""
_FORMATS = {"json": ("json",), "csv": ("csv",)}
_PAGE_FORMATS = {**_FORMATS, "html": ("html",)}

FORMAT = QueryParameter(
    name="format",
    description="`csv` for a spreadsheet, streamed and complete; `Accept: text/csv` does the same.",
    shape={"type": "string", "enum": [*_FORMATS], "default": "json"},
)
PAGE_FORMAT = QueryParameter(
    name="format",
    description="`csv` for a spreadsheet, `html` for a page to print; `Accept: text/csv` and `text/html` do the same.",
    shape={"type": "string", "enum": [*_PAGE_FORMATS], "default": "json"},
)


_COMMA, _POINT = ("de-DE", "es-ES", "fr-FR", "it-IT", "nl-NL", "pl-PL", "pt-BR", "pt-PT"), ("en-GB", "en-US", "es-MX")
"""Locales by how their spreadsheets write decimals; where by a comma, they separate cells by a semicolon."""
LOCALE = QueryParameter(
    name="locale",
    description="Of a CSV file: as spreadsheets of this locale read it by a double click, with a byte order mark, and semicolons "
    "and decimal commas where it has them; at the end totals by currency, and as of when.",
    shape={"type": "string", "enum": [*sorted(_COMMA + _POINT)]},
)


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A table for people: as their spreadsheet reads it, with its totals."""

    has_commas: bool
    """Whether decimals are after a comma, and cells therefore between semicolons."""
    amounts: tuple[str, ...]
    """The columns of amounts: in no other one a point is one of decimals, as in an account's code."""
    sums: tuple[str, ...]
    """The columns that are added up by the column `currency`."""
    as_of: str
    """The instant of the figures."""


def chosen_locale(query: Query) -> str | None:
    """Return the locale whose spreadsheets read the file; None: it is for programs."""
    locale = query.text("locale")
    if locale is not None and locale not in _COMMA + _POINT:
        raise wrong("locale", f"must be one of {', '.join(sorted(_COMMA + _POINT))}")
    return locale


def sheet_of(locale: str | None, *, sums: Sequence[str], as_of: datetime, amounts: Sequence[str] = ()) -> Sheet | None:
    """Return how a table is written for a locale, whose columns of amounts are `sums`, and those that are not added up; None: as for programs."""
    if locale is None:
        return None
    return Sheet(has_commas=locale in _COMMA, amounts=(*sums, *amounts), sums=tuple(sums), as_of=iso(as_of))


def wants_csv(request: AnyRequest, query: Query) -> bool:
    """Tell whether the client wants a table for a spreadsheet; what it names in `format` wins over what it accepts."""
    formats = query.names("format", _FORMATS)
    return "csv" in formats if formats is not None else "text/csv" in (request.headers.get("accept") or "")


def chosen_format(request: AnyRequest, query: Query) -> str:
    """Return `json`, `csv` or `html`; what the client names in `format` wins over what it accepts."""
    formats = query.names("format", _PAGE_FORMATS)
    if formats is not None:
        return formats[0]
    accepted = request.headers.get("accept") or ""
    return "csv" if "text/csv" in accepted else "html" if "text/html" in accepted else "json"


def named_format(query: Query, formats: Collection[str]) -> str | None:
    """Return which of further formats a client names in `format`; None where it names another one or none."""
    named = query.text("format")
    return named if named in formats else None


def csv_rows(rows: Iterable[Sequence[str]], *, commas: Collection[int] | None = None) -> bytes:
    """Write rows; a text that a spreadsheet would run is quoted by an apostrophe.

    `commas` are the places of amounts where decimals are after a comma, and cells therefore between semicolons.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter="," if commas is None else ";")
    for row in rows:
        writer.writerow([_plain(text, has_comma=place in (commas or ())) for place, text in enumerate(row)])
    return out.getvalue().encode()


def _plain(text: str, *, has_comma: bool) -> str:
    if _NUMBER.match(text):
        return text.replace(".", ",") if has_comma else text
    text = _FURTHER.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) else text


class _Parts(ASGIStreamingResponse):
    """A streamed answer that ends when its reader has left.

    The framework's own looks for the reader in a task group of another library, which our tasks, that start at once,
    leave in an order that it reports as an error.
    """

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send part after part."""
        left = asyncio.create_task(_disconnected(receive))
        parts = aiter(self.iterator)
        try:
            async for part in parts:
                raw = part if isinstance(part, bytes) else part.encode(self.encoding)
                await send({"type": "http.response.body", "body": raw, "more_body": True})
                if left.done():
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            left.cancel()
            if isinstance(parts, AsyncGenerator):
                await parts.aclose()


class _Streamed(Stream):
    """What is sent part by part, as the rows of a table."""

    def to_asgi_response(self, app: Litestar | None, request: AnyRequest, **options: Any) -> ASGIResponse:  # noqa: ARG002
        """Answer with these parts."""
        assert isinstance(self.iterator, AsyncIterator)
        return _Parts(
            iterator=self.iterator,
            headers={**(options.get("headers") or {}), **self.headers},
            media_type=self.media_type,
            status_code=self.status_code or options.get("status_code"),
        )


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def streamed(parts: AsyncIterator[bytes], *, media_type: str, headers: dict[str, str] | None = None) -> Stream:
    """Answer part by part, until the reader has left."""
    return _Streamed(parts, media_type=media_type, headers=headers or {})


def file_answer(
    filename: str, parts: AsyncIterator[bytes], *, media_type: str, headers: dict[str, str] | None = None
) -> Stream:
    """Answer with a file, part by part.

    When a part cannot be had, the answer breaks off without its end, so that nobody takes a part for the whole.
    """
    disposition = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return streamed(parts, media_type=media_type, headers={**disposition, **(headers or {})})


def csv_answer(
    name: str,
    columns: Sequence[str],
    pages: AsyncIterator[Iterable[Sequence[str]]],
    *,
    headers: dict[str, str] | None = None,
    sheet: Sheet | None = None,
) -> Stream:
    """Answer with a file `<name>.csv`, page by page."""

    async def parts() -> AsyncIterator[bytes]:
        commas = None
        if sheet is not None and sheet.has_commas:
            commas = frozenset(place for place, name in enumerate(columns) if name in sheet.amounts)
        # By the mark, spreadsheets read UTF-8 as what it is.
        yield (b"" if sheet is None else codecs.BOM_UTF8) + csv_rows([columns], commas=commas)
        totals = None if sheet is None else _Totals(columns, sheet)
        async for page in pages:
            yield csv_rows(page if totals is None else totals.count(page), commas=commas)
        if totals is not None:
            yield csv_rows(totals.rows(), commas=commas)

    return file_answer(f"{name}.csv", parts(), media_type="text/csv", headers=headers)


class _Totals:
    """Adds up columns by currency, as the rows pass."""

    def __init__(self, columns: Sequence[str], sheet: Sheet) -> None:
        self._width, self._sheet = len(columns), sheet
        self._currency = columns.index("currency")
        self._places = [columns.index(name) for name in sheet.sums]
        self._sums: dict[str, list[Decimal]] = {}

    def count(self, rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
        """Pass rows on, and add them up; an empty cell is nothing."""
        for row in rows:
            sums = self._sums.setdefault(row[self._currency], [Decimal(0)] * len(self._places))
            with localcontext(_EXACT):
                for i, place in enumerate(self._places):
                    # With the decimals of the row, also where they are zeros.
                    sums[i] += Decimal(row[place] or 0)
            yield row

    def rows(self) -> Iterator[Sequence[str]]:
        """Return the totals of each currency, and as of when they are."""
        for currency, sums in sorted(self._sums.items() if self._places else ()):
            row = ["total", *("" for _ in range(self._width - 1))]
            row[self._currency] = currency
            for place, total in zip(self._places, sums, strict=True):
                row[place] = f"{total:f}"
            yield row
        yield ["as of", self._sheet.as_of, *("" for _ in range(self._width - 2))]


async def one_page(rows: Iterable[Sequence[str]]) -> AsyncIterator[Iterable[Sequence[str]]]:
    """Make a table that is known as a whole a single page."""
    yield rows
