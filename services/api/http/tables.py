"""Tables for spreadsheets: CSV (RFC 4180), row by row, so that a table of any length needs the memory of one page."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from typing import Any

from litestar import Litestar
from litestar.response import Stream
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send

from services.api.http.parameters import AnyRequest, Query, QueryParameter

_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""How a text begins that a spreadsheet takes for a formula (OWASP, CSV injection), in characters of full width too."""
_FURTHER = re.compile(r"([;\t\r\n|])(?=[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet that separates by something else than a comma would begin another cell with a formula."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
"""An amount of ours: below zero it begins as a formula does, and is none."""
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


def csv_rows(rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows; a text that a spreadsheet would run is quoted by an apostrophe."""
    out = io.StringIO()
    csv.writer(out).writerows([_plain(text) for text in row] for row in rows)
    return out.getvalue().encode()


def _plain(text: str) -> str:
    if _NUMBER.match(text):
        return text
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


class _Table(Stream):
    """A table that is sent row by row."""

    def to_asgi_response(self, app: Litestar | None, request: AnyRequest, **options: Any) -> ASGIResponse:  # noqa: ARG002
        """Answer with this table."""
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


def file_answer(
    filename: str, parts: AsyncIterator[bytes], *, media_type: str, headers: dict[str, str] | None = None
) -> Stream:
    """Answer with a file, part by part.

    When a part cannot be had, the answer breaks off without its end, so that nobody takes a part for the whole.
    """
    disposition = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return _Table(parts, media_type=media_type, headers={**disposition, **(headers or {})})


def csv_answer(
    name: str,
    columns: Sequence[str],
    pages: AsyncIterator[Iterable[Sequence[str]]],
    *,
    headers: dict[str, str] | None = None,
) -> Stream:
    """Answer with a file `<name>.csv`, page by page."""

    async def parts() -> AsyncIterator[bytes]:
        yield csv_rows([columns])
        async for page in pages:
            yield csv_rows(page)

    return file_answer(f"{name}.csv", parts(), media_type="text/csv", headers=headers)


async def one_page(rows: Iterable[Sequence[str]]) -> AsyncIterator[Iterable[Sequence[str]]]:
    """Make a table that is known as a whole a single page."""
    yield rows
