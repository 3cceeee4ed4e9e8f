"""Files of banks and processors: sources with their rules, imports with progress, lines, and matches by hand."""

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import structs

from libs.common.money import currency as known_currency
from libs.common.money import is_known_currency
from services.api.console.calling import Answer, Refused
from services.api.console.declared import YES_OR_NO, Act, Column, Detail, Filter, Kind, Listing, Page, Panel, View
from services.api.console.forms import key_of
from services.api.console.showing import buttons_of, show_listing, with_done
from services.api.console.visits import Visit

_SOURCE = {"source_id": "id"}
_ENDED = frozenset({"IMPORTED", "REJECTED", "ABANDONED"})
_RULES = ("reference", "exact", "date_window", "tolerance", "fee_aware", "one_to_many", "many_to_one", "by_hand")
_LONG = 60
_AMOUNT = re.compile(r"-?\d{1,16}(\.\d{1,8})?", re.ASCII)

SOURCES = Page(
    key="sources",
    title="Sources of files",
    needs="listImportSources",
    group="Reconciliation",
    show=Listing(
        operation="listImportSources",
        columns=(
            Column(member="name", title="Name", link="/console/sources/{id}"),
            Column(member="format", title="Format"),
            Column(member="time_zone", title="Time zone", is_minor=True),
            Column(member="updated_at", title="Changed", kind=Kind.TIME, is_minor=True),
        ),
        acts=(Act(operation="createImportSource", title="New source"),),
        empty="No source yet. Add the bank or processor whose files you import, and how they are read.",
    ),
    one=Detail(
        operation="getImportSource",
        parameter="source_id",
        title="name",
        fields=(
            Column(member="name", title="Name"),
            Column(member="format", title="Format"),
            Column(member="encoding", title="Encoding"),
            Column(member="time_zone", title="Time zone"),
            Column(member="reversal_turns_sign", title="A reversal turns the sign", kind=Kind.FLAG),
            Column(member="fields", title="Field map", kind=Kind.JSON),
            Column(member="created_at", title="Created", kind=Kind.TIME),
            Column(member="updated_at", title="Changed", kind=Kind.TIME),
            Column(member="id", title="ID", kind=Kind.CODE),
        ),
        acts=(
            Act(operation="replaceImportSource", title="Change", path=_SOURCE),
            Act(operation="replaceMatchingRules", title="Change the rules", path=_SOURCE),
            Act(operation="deleteImportSource", title="Delete", path=_SOURCE, is_danger=True),
        ),
        panels=(
            Panel(
                title="Rules by which its lines are matched",
                operation="getMatchingRules",
                path=_SOURCE,
                member="rules",
                columns=(
                    Column(member="kind", title="Rule"),
                    Column(member="confidence", title="Confidence in percent", kind=Kind.COUNT),
                    Column(member="window_days", title="Days around", kind=Kind.COUNT),
                    Column(member="tolerance_minor", title="Tolerance in minor units", kind=Kind.COUNT),
                    Column(member="parts_max", title="Parts at most", kind=Kind.COUNT),
                ),
            ),
            Panel(
                title="Imports",
                operation="listImports",
                query={"source_id": "id"},
                columns=(
                    Column(member="file_name", title="File", link="/console/imports/{id}"),
                    Column(member="status", title="Status", kind=Kind.STATE),
                    Column(member="lines_new", title="New lines", kind=Kind.COUNT),
                    Column(member="errors_total", title="Faults", kind=Kind.COUNT),
                    Column(member="created_at", title="Begun", kind=Kind.TIME),
                ),
                empty="No file of it was imported yet.",
            ),
        ),
    ),
)


async def show_imports(visit: Visit) -> View:
    """Show the form that imports a file, and what was imported."""
    sources, imports = await asyncio.gather(
        visit.read("listImportSources"), visit.read("listImports", limit=str(_LONG))
    )
    names = {source["id"]: source["name"] for source in sources}
    return View(
        template="imports.html",
        values={
            "sources": sources,
            "imports": imports,
            "names": names,
            "chosen": visit.query.get("source_id", ""),
            "may": await visit.may("startImport"),
            "buttons": await buttons_of(visit, (Act(operation="createImportSource", title="New source"),), {}),
        },
    )


async def show_import(visit: Visit, import_id: str) -> View:
    """Show how far an import is, and its faults by line."""
    found = await visit.read("getImport", path={"import_id": import_id})
    return View(
        template="import.html",
        title=found["file_name"],
        values={"found": found, "is_over": found["status"] in _ENDED},
    )


IMPORTS = Page(
    key="imports",
    title="Imports",
    needs="listImports",
    group="Reconciliation",
    show=show_imports,
    one=show_import,
)


def _line_row(line: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**line, "match": "match" if line["match_id"] else None}


_LINES = Listing(
    operation="listStatementLines",
    filters=(
        Filter(name="matched", title="Matched", choices=("false", "true"), names=YES_OR_NO, default="false"),
        Filter(name="from", title="From", kind="date"),
        Filter(name="until", title="Until", kind="date"),
    ),
    columns=(
        Column(member="booked_on", title="Booked", kind=Kind.TIME),
        Column(member="amount", title="Amount", kind=Kind.MONEY),
        Column(member="counterparty", title="Counterparty"),
        Column(member="description", title="Description"),
        Column(member="references", title="References", kind=Kind.JSON, is_minor=True),
        Column(member="bank_id", title="ID at the bank", is_minor=True),
        Column(member="match", title="Match", link="/console/matches?part_id={id}", is_minor=True),
    ),
    shape=_line_row,
    template="lines.html",
    empty="No line is like this. Lines come from files: import one.",
)


async def show_lines(visit: Visit) -> View:
    """Show lines of statements, and a form that matches those that are chosen."""
    return await _listed(visit)


async def _listed(visit: Visit, *, form: Mapping[str, str] | None = None, fault: Refused | None = None) -> View:
    sources = {source["id"]: source["name"] for source in await visit.read("listImportSources")}
    filters = (*_LINES.filters, Filter(name="source_id", title="Source", choices=tuple(sources), names=sources))
    view = await show_listing(structs.replace(_LINES, filters=filters), visit)
    form = form or {}
    names = ("references", "difference", "currency", "other_currency", "other_amount", "reason")
    return View(
        template=view.template,
        values={
            **view.values,
            "may": await visit.may("matchLines"),
            "written": {name: form.get(name, "") for name in names},
            "ticked": [name.removeprefix("id.") for name in form if name.startswith("id.")],
            "key": key_of(form, fault),
            "fault": fault,
        },
    )


async def match(visit: Visit, form: Mapping[str, str]) -> View | str:
    """Match the chosen lines with what was named."""
    body: dict[str, Any] = {
        "line_ids": [name.removeprefix("id.") for name in form if name.startswith("id.")],
        "references": [line.strip() for line in form.get("references", "").splitlines() if line.strip()],
        "reason": form.get("reason", ""),
    }
    try:
        other = form.get("other_currency", "").strip().upper()
        if other:
            body["other_currency"] = other
            body["other_minor"] = minor(form.get("other_amount", ""), other, name="other_amount")
        elif form.get("difference", "").strip():
            body["difference_minor"] = minor(form["difference"], form.get("currency", ""), name="difference")
        await visit.call("matchLines", body=body, headers={"idempotency-key": form.get("_key", "")})
    except Refused as fault:
        if fault.status in {401, 403}:
            raise
        return await _listed(visit, form=form, fault=fault)
    return with_done(form.get("back", "/console/lines"), "matchLines", visit.session)


def minor(text: str, code: str, *, name: str) -> int:
    """Read an amount, below zero too, into minor units of its currency, exactly.

    Raises:
        Refused: for what is no such amount.
    """
    code = code.strip().upper()
    if is_known_currency(code) and _AMOUNT.fullmatch(text.strip()):
        number = Decimal(text.strip()).scaleb(known_currency(code).exponent)
        if number == number.to_integral_value():
            return int(number)
    raise Refused(
        Answer.problem(422, "invalid_amount", f"{name} must be an amount of a currency, such as -2.50 and BRL")
    )


LINES = Page(
    key="lines",
    title="Lines of statements",
    needs="listStatementLines",
    group="Reconciliation",
    show=show_lines,
    send=match,
    letter="l",
)


def _match_row(found: Mapping[str, Any]) -> Mapping[str, Any]:
    parts = [f"{part['side']} {part['reference'] or part['id']} {part['amount']}" for part in found["parts"]]
    return {**found, "shown_parts": parts, "in_force": "no" if found["unmatched_at"] else "yes"}


MATCHES = Page(
    key="matches",
    title="Matches",
    needs="listLineMatches",
    group="Reconciliation",
    show=Listing(
        operation="listLineMatches",
        filters=(
            Filter(name="in_force", title="In force", choices=("true", "false"), names=YES_OR_NO, default="true"),
            Filter(name="rule", title="Rule", choices=_RULES),
            Filter(name="part_id", title="Line, payout or movement"),
        ),
        columns=(
            Column(member="matched_at", title="Matched", kind=Kind.TIME),
            Column(member="amount", title="Amount", kind=Kind.MONEY),
            Column(member="difference", title="Difference", kind=Kind.MONEY),
            Column(member="rule", title="Rule"),
            Column(member="confidence", title="Confidence in percent", kind=Kind.COUNT, is_minor=True),
            Column(member="shown_parts", title="What belongs together", kind=Kind.LIST),
            Column(member="matched_by", title="By", is_minor=True),
            Column(member="reason", title="Reason", is_minor=True),
            Column(member="unmatch_reason", title="Taken apart, because", is_minor=True),
        ),
        row_acts=(
            Act(
                operation="unmatchLines",
                title="Take apart",
                path={"match_id": "id"},
                when=("in_force", ("yes",)),
                is_danger=True,
            ),
        ),
        shape=_match_row,
        empty="No match is like this. Runs match lines by the rules of their source, and people by hand.",
    ),
)
