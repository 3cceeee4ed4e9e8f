"""The rows of a list as CSV: page after page of the API, so that a file of any length needs the memory of one page."""

from collections.abc import AsyncIterator, Iterable, Sequence
from urllib.parse import parse_qsl

from litestar.response import Stream

from services.api.console.declared import Listing, Page, member_of
from services.api.console.showing import next_query, rows_of
from services.api.console.visits import Visit
from services.api.http.tables import csv_answer

ROWS_MAX = 50_000
"""Rows of one file; its last line says where there are more."""
_PAGE = "500"
_SIZES = ("pageSize", "limit")


async def export_rows(visit: Visit, page: Page, listing: Listing) -> Stream:
    """Answer the rows of a list as a file.

    Raises:
        Refused: when the API refuses to read the first of them.
    """
    operation = visit.operations[listing.operation]
    takes = {parameter.name: parameter.shape for parameter in operation.declaration.query}
    query = {filter_.name: visit.query.get(filter_.name, filter_.default) for filter_ in listing.filters}
    for name in _SIZES:
        if name in takes:
            query[name] = str(min(int(_PAGE), takes[name].get("maximum", int(_PAGE))))
    sent = {name: value for name, value in {**listing.fixed, **query}.items() if name in takes and value}
    first = await visit.call(operation.id, query=list(sent.items()))
    columns = listing.columns if listing.file is None else listing.file

    async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
        answer, count = first, 0
        while True:
            rows = rows_of(answer.json(), listing.member)
            yield [[_written(member_of(row, column.member)) for column in columns] for row in rows]
            count += len(rows)
            following = next_query(answer, sent)
            if not following:
                return
            if count >= ROWS_MAX:
                yield [[f"There are more than {ROWS_MAX} rows: choose a shorter time.", *[""] * (len(columns) - 1)]]
                return
            answer = await visit.call(operation.id, query=parse_qsl(following))

    return csv_answer(page.key, [column.member for column in columns], pages())


def _written(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)
