"""One act for several rows of a list: shown first, then carried out for each by itself, and what became of each."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.common.ids import new_id
from services.api.console.calling import Refused
from services.api.console.declared import Column, Listing, Page, View
from services.api.console.operations import Operation
from services.api.console.visits import Visit

ROWS_MAX = 50
"""Rows of one act."""
_AT_ONCE = 4
"""Rows that are read or changed at the same time: each is a call of the API, which has limits."""
_CHOSEN, _KEY = "id.", "key."


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row."""

    id: str
    row: Mapping[str, Any]
    """The row as it was before; empty where it could not be read."""
    key: str
    """The key under which it is changed, however often the form is sent."""
    fault: Refused | None = None
    """Why it was refused; None: it was done, or it is not begun."""


def chosen(form: Mapping[str, str]) -> Sequence[str]:
    """List the ids of the rows that are chosen in a form."""
    return [name.removeprefix(_CHOSEN) for name in form if name.startswith(_CHOSEN)][:ROWS_MAX]


async def show_bulk(visit: Visit, page: Page, operation: Operation, form: Mapping[str, str], *, back: str) -> View:
    """Show the rows that are chosen, as they are now, and ask whether to go on."""
    [parameter] = operation.parameters
    reading = visit.operations.above(operation)

    async def read(thing_id: str) -> Outcome:
        row: Mapping[str, Any] = {"id": thing_id}
        try:
            if reading is not None:
                row = await visit.read(reading.id, path={parameter: thing_id})
        except Refused as refused:
            return Outcome(id=thing_id, row=row, key="", fault=refused)
        return Outcome(id=thing_id, row=row, key=str(new_id()))

    return _view(page, operation, await _each(chosen(form), read), back=back, is_done=False)


async def do_bulk(visit: Visit, page: Page, operation: Operation, form: Mapping[str, str], *, back: str) -> View:
    """Carry out an operation for each of the rows; one that is refused stops none of the others."""
    [parameter] = operation.parameters

    async def act(thing_id: str) -> Outcome:
        key = form.get(f"{_KEY}{thing_id}", "")
        row: Mapping[str, Any] = {"id": thing_id}
        path = {parameter: thing_id}
        try:
            answer = await visit.call(
                operation.id,
                path=path,
                body=None if operation.declaration.body is None else {},
                headers={"idempotency-key": key} if key else None,
            )
            reading = visit.operations.above(operation)
            row = await visit.read(reading.id, path=path) if reading is not None else answer.json()
        except Refused as refused:
            return Outcome(id=thing_id, row=row, key=key, fault=refused)
        return Outcome(id=thing_id, row=row, key=key)

    return _view(page, operation, await _each(chosen(form), act), back=back, is_done=True)


async def _each(ids: Sequence[str], do: Any) -> list[Outcome]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(thing_id: str) -> Outcome:
        async with places:
            found: Outcome = await do(thing_id)
            return found

    return list(await asyncio.gather(*(one(thing_id) for thing_id in ids)))


def _view(page: Page, operation: Operation, outcomes: Sequence[Outcome], *, back: str, is_done: bool) -> View:
    columns: Sequence[Column] = page.show.columns if isinstance(page.show, Listing) else ()
    return View(
        template="bulk.html",
        title=operation.summary,
        values={
            "operation": operation,
            "outcomes": outcomes,
            "columns": columns,
            "key": page.key,
            "back": back,
            "is_done": is_done,
            "ready": sum(one.fault is None for one in outcomes),
        },
    )
