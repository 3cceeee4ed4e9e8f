"""Lists and details: what a declaration shows of what the API answers."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from services.api.console.calling import Answer, Refused
from services.api.console.declared import Act, Column, Detail, Listing, Panel, View, member_of
from services.api.console.visits import Visit

_NAMED = re.compile(r"\{([\w.]+)\}")
_NEXT = re.compile(r'<([^>]*)>;\s*rel="?next"?')
_CURSORS = ("next_cursor", "next_after")
ROWS = 25
"""Rows of a list that its page shows at a time."""
_ROW_ACTS_MAX = 3


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """An act as it is offered."""

    title: str
    address: str
    is_danger: bool


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as they are shown."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    buttons: Sequence[Sequence[Button]] = ()
    """Those of each row; empty: none has any."""
    next: str = ""
    """The address of the next rows; empty: these are the last."""
    empty: str = ""
    refused: Refused | None = None
    """Why there are no rows."""


async def show_listing(listing: Listing, visit: Visit) -> View:
    """Show a list.

    Raises:
        Refused: when the API refuses to read it.
    """
    chosen = {filter_.name: visit.query.get(filter_.name, filter_.default) for filter_ in listing.filters}
    waits = any(filter_.required and not chosen[filter_.name] for filter_ in listing.filters)
    fixed = {"limit": str(ROWS), **listing.fixed}
    paging = {name: visit.query[name] for name in ("cursor", "after", "offset") if visit.query.get(name)}
    answer = None
    if not waits:
        takes = {parameter.name for parameter in visit.operations[listing.operation].declaration.query}
        sent = {name: value for name, value in {**fixed, **chosen, **paging}.items() if name in takes}
        answer = await visit.call(listing.operation, query=list(sent.items()))
    rows = _rows(answer.json(), listing.member) if answer is not None else ()
    table = Table(
        columns=listing.columns,
        rows=rows,
        buttons=[await _buttons(visit, listing.row_acts, row) for row in rows] if listing.row_acts else (),
        next=_next(answer, {name: value for name, value in chosen.items() if value}) if answer is not None else "",
        empty=listing.empty,
    )
    export = f"/console/export/{listing.operation}?{urlencode({**chosen, 'format': 'csv'})}"
    return View(
        template="list.html",
        values={
            "listing": listing,
            "chosen": chosen,
            "table": table,
            "buttons": await _buttons(visit, listing.acts, {}),
            "export": export if listing.is_exported else "",
            "waits": waits,
        },
    )


async def show_detail(detail: Detail, visit: Visit, thing_id: str) -> View:
    """Show one thing, and what belongs to it.

    Raises:
        Refused: when the API refuses to read the thing.
    """
    thing = await visit.read(detail.operation, path={detail.parameter: thing_id}, **detail.query)
    tables = await asyncio.gather(*(show_panel(panel, visit, thing) for panel in detail.panels))
    return View(
        template=detail.template,
        title=str(member_of(thing, detail.title) or thing_id),
        values={
            "detail": detail,
            "thing": thing,
            "thing_id": thing_id,
            "panels": [pair for pair in zip(detail.panels, tables, strict=True) if pair[1] is not None],
            "buttons": await _buttons(visit, detail.acts, thing),
        },
    )


async def show_panel(panel: Panel, visit: Visit, thing: Mapping[str, Any]) -> Table | None:
    """Read the rows of a panel; None where whoever looks may not."""
    if not panel.operation:
        found = member_of(thing, panel.member)
        return Table(columns=panel.columns, rows=found if isinstance(found, list) else (), empty=panel.empty)
    if not await visit.may(panel.operation):
        return None
    path = {name: str(member_of(thing, member)) for name, member in panel.path.items()}
    query = {name: str(member_of(thing, member) or "") for name, member in panel.query.items()}
    try:
        found = await visit.read(panel.operation, path=path, **query)
    except Refused as refused:
        # The rest of the page is of use without it.
        return Table(columns=panel.columns, rows=(), refused=refused)
    rows = _rows(found, panel.member)
    return Table(
        columns=panel.columns,
        rows=rows,
        buttons=[await _buttons(visit, panel.acts, {**thing, **row}) for row in rows] if panel.acts else (),
        empty=panel.empty,
    )


async def _buttons(visit: Visit, acts: Sequence[Act], thing: Mapping[str, Any]) -> list[Button]:
    found = []
    for act in acts:
        if act.when is not None and str(member_of(thing, act.when[0])) not in act.when[1]:
            continue
        if not await visit.may(act.operation):
            continue
        path = {name: str(member_of(thing, member)) for name, member in act.path.items()}
        found.append(
            Button(title=act.title, address=f"/console/do/{act.operation}?{urlencode(path)}", is_danger=act.is_danger)
        )
    return found


def linked(template: str, row: Mapping[str, Any]) -> str:
    """Fill an address with members of a row, each one segment; empty where one is missing."""
    names = _NAMED.findall(template)
    if any(not member_of(row, name) for name in names):
        return ""
    return _NAMED.sub(lambda found: urlencode({"": member_of(row, found[1])})[1:].replace("+", "%20"), template)


def _rows(found: Any, member: str) -> Sequence[Mapping[str, Any]]:
    if member:
        found = member_of(found, member)
    elif isinstance(found, dict):
        found = found.get("data", [])
    return found if isinstance(found, list) else []


def _next(answer: Answer, chosen: Mapping[str, str]) -> str:
    """Return the query of the next rows, by the answer's cursor or its `Link`."""
    found = answer.json()
    if isinstance(found, dict):
        for name in _CURSORS:
            if found.get(name):
                return urlencode({**chosen, name.removeprefix("next_"): found[name]})
        return ""
    link = _NEXT.search(answer.headers.get("link", ""))
    return link[1].partition("?")[2] if link else ""
