"""Lists and details: what a declaration shows of what the API answers."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

from services.api.console.calling import Answer, Refused
from services.api.console.declared import Act, Column, Detail, Listing, Panel, View, member_of
from services.api.console.sessions import Session
from services.api.console.visits import Visit

_NAMED = re.compile(r"\{([\w.]+)\}")
_NEXT = re.compile(r'<([^>]*)>;\s*rel="?next"?')
_CURSORS = ("next_cursor", "next_after")
ROWS = 25
"""Rows of a list that its page shows at a time."""


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
    rows = rows_of(answer.json(), listing.member) if answer is not None else ()
    bulk = [act for act in listing.bulk if await visit.may(act.operation)]
    if listing.shape is not None:
        rows = [listing.shape(row) for row in rows]
    table = Table(
        columns=listing.columns,
        rows=rows,
        buttons=[await buttons_of(visit, listing.row_acts, row) for row in rows] if listing.row_acts else (),
        next=next_query(answer, {name: value for name, value in chosen.items() if value}) if answer is not None else "",
        empty=listing.empty,
    )
    export = f"/console/export/{listing.operation}?{urlencode({**chosen, 'format': 'csv'})}"
    collected = f"/console/rows/{visit.key}?{urlencode({name: value for name, value in chosen.items() if value})}"
    return View(
        template=listing.template,
        values={
            "listing": listing,
            "chosen": chosen,
            "table": table,
            "buttons": await buttons_of(visit, listing.acts, {}),
            "export": export if listing.is_exported else collected if listing.file is not None else "",
            "bulk": bulk,
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
            "buttons": await buttons_of(visit, detail.acts, thing),
        },
    )


async def show_panel(panel: Panel, visit: Visit, thing: Mapping[str, Any]) -> Table | None:
    """Read the rows of a panel; None where whoever looks may not."""
    if not panel.operation:
        found = member_of(thing, panel.member)
        return Table(columns=panel.columns, rows=found if isinstance(found, list) else (), empty=panel.empty)
    if not await visit.may(panel.operation):
        return None
    path, query = _members(thing, panel.path), _members(thing, panel.query)
    if path is None or query is None:
        # Without the member that it goes by, everything would be listed.
        return Table(columns=panel.columns, rows=(), empty=panel.empty)
    try:
        found = await visit.read(panel.operation, path=path, **query)
    except Refused as refused:
        # The rest of the page is of use without it.
        return Table(columns=panel.columns, rows=(), refused=refused)
    rows = rows_of(found, panel.member)
    return Table(
        columns=panel.columns,
        rows=rows,
        buttons=[await buttons_of(visit, panel.acts, {**thing, **row}) for row in rows] if panel.acts else (),
        empty=panel.empty,
    )


async def buttons_of(visit: Visit, acts: Sequence[Act], thing: Mapping[str, Any]) -> list[Button]:
    """Return the acts that whoever looks may carry out on a thing as it is."""
    found = []
    for act in acts:
        if act.when is not None and str(member_of(thing, act.when[0])) not in act.when[1]:
            continue
        path = _members(thing, act.path)
        if path is None or not await visit.may(act.operation):
            continue
        values = path | {name: str(member_of(thing, member) or "") for name, member in act.query.items()}
        address = act.page or f"/console/do/{act.operation}"
        address += ("&" if "?" in address else "?") + urlencode({**values, **act.fill})
        found.append(Button(title=act.title, address=address, is_danger=act.is_danger))
    return found


def _members(thing: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str] | None:
    """Return members of a thing by the parameters that they are; None where one is missing."""
    found = {parameter: member_of(thing, member) for parameter, member in names.items()}
    if any(value is None or value == "" for value in found.values()):
        return None
    return {parameter: str(value) for parameter, value in found.items()}


def linked(template: str, row: Mapping[str, Any]) -> str:
    """Fill an address with members of a row, each one segment; empty where one is missing."""
    names = _NAMED.findall(template)
    if any(not member_of(row, name) for name in names):
        return ""
    return _NAMED.sub(lambda found: segment(member_of(row, found[1])), template)


def segment(value: Any) -> str:
    """Write a value as one segment of an address: what would end it is escaped twice, as servers decode a path once."""
    return quote(str(value).replace("%", "%25").replace("/", "%2F"), safe="")


def segment_value(text: str) -> str:
    """Read what `segment` has written, from a path that was decoded once."""
    return unquote(text)


def with_done(address: str, operation_id: str, session: Session) -> str:
    """Return an address of ours whose page says in this session that an operation was carried out."""
    parts = urlsplit(address)
    kept = [pair for pair in parse_qsl(parts.query) if pair[0] != "done"]
    return f"{parts.path}?{urlencode([*kept, ('done', session.signed(operation_id))])}"


def rows_of(found: Any, member: str = "") -> Sequence[Mapping[str, Any]]:
    """Return the rows of an answer: a member of it, its `data`, or itself."""
    if member:
        found = member_of(found, member)
    elif isinstance(found, dict):
        found = found.get("data", [])
    return found if isinstance(found, list) else []


def next_query(answer: Answer, chosen: Mapping[str, str]) -> str:
    """Return the query of the next rows, by the answer's cursor or its `Link`."""
    found = answer.json()
    if isinstance(found, dict):
        for name in _CURSORS:
            if found.get(name):
                return urlencode({**chosen, name.removeprefix("next_"): found[name]})
        return ""
    link = _NEXT.search(answer.headers.get("link", ""))
    return link[1].partition("?")[2] if link else ""
