"""What reports have in common: parameters of the query, and reading every page of one."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from libs.common.money import BOOKED_PATTERN
from services.api.http.parameters import QueryParameter
from services.api.http.requests import Ask

INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
FROM_TO = (
    QueryParameter(name="from", description="Posted at or after this date or instant.", shape=INSTANT),
    QueryParameter(name="to", description="Posted until this instant, or on this date, included.", shape=INSTANT),
)
TZ = QueryParameter(
    name="tz",
    description="IANA time zone of dates and periods.",
    shape={"type": "string", "default": "UTC", "examples": ["America/Sao_Paulo"]},
)
CURRENCY = QueryParameter(
    name="currency",
    description="ISO 4217 code, or the code of an own unit.",
    shape={"type": "string", "pattern": BOOKED_PATTERN},
)
CURSOR = QueryParameter(
    name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string", "maxLength": 512}
)


def limited(what: str, default: int, most: int) -> QueryParameter:
    """Declare how many of something are on a page."""
    return QueryParameter(
        name="limit",
        description=f"{what} on a page; a file has all of them.",
        shape={"type": "integer", "minimum": 1, "maximum": most, "default": default},
    )


AGED = "As of the last refresh, whose instant and age are in the headers; exact for any span before it."
LIVE = "From the books themselves, as of now."


async def all_pages(ask: Ask, requested: Any, first: Any) -> AsyncIterator[Any]:
    """Ask for page after page, one at a time, beginning with one that is there."""
    page = first
    yield page
    while page.next_cursor is not None:
        page = await ask(msgspec.structs.replace(requested, cursor=page.next_cursor))
        yield page
