"""Search: an id leads to what it names; else orders, customers, references of them and amounts are looked for at once."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from babel.numbers import NumberFormatError, parse_decimal

from libs.common.ids import parse_id
from services.api.console.calling import Refused
from services.api.console.declared import HIDDEN, Column, Kind, Page, View
from services.api.console.pages.payments import LIST
from services.api.console.showing import Table
from services.api.console.visits import Visit

_ROWS = "10"
_CURRENCY = re.compile(r"\b([A-Z]{3})\b")
_AMOUNT = re.compile(r"[0-9][0-9.,\s\u00a0\u202f]*\Z", re.ASCII)
_REFERENCE = re.compile(r"[a-z]+_[A-Za-z0-9_]+\Z")
"""What the processor's references look like: `pi_...`, `re_...`; no request to the gateway is about anything else."""
_SYMBOLS = re.compile(r"R\$|US\$|[$€£¥]")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one way."""

    title: str
    table: Table
    more: str
    """The address of all of it."""


_NAMED = (
    ("getCustomer", "customer_id", "customers"),
    ("getDiscrepancy", "discrepancy_id", "discrepancies"),
    ("getReconciliationRun", "run_id", "runs"),
    ("getWebhook", "endpoint_id", "webhooks"),
    ("getProposal", "proposal_id", "proposals"),
    ("getHold", "hold_id", "holds"),
    ("getLedgerEntry", "entry_id", "entries"),
    ("getImport", "import_id", "imports"),
)
"""Operations that read what an id names that is no payment, the parameter of their path, and the page that shows it."""
_CUSTOMERS = (
    Column(member="reference", title="Reference", link="/console/customers/{id}"),
    Column(member="name", title="Name"),
    Column(member="email", title="Email"),
    Column(member="created_at", title="Created", kind=Kind.TIME, is_minor=True),
)


async def show(visit: Visit) -> View:
    """Show what is found, or lead to the only thing that can be meant."""
    text = visit.query.get("q", "").strip()
    if not text:
        return _view(text, [])
    if parse_id(text) is not None and (address := await _named(visit, text)):
        return View(template="search.html", values={}, leads_to=address)
    orders, *others = await asyncio.gather(
        _payments(visit, "Order", order_id=text),
        _payments(visit, "Customer reference", customer_ref=text),
        _customers(visit, "Customers", reference=text),
        _customers(visit, "Customers by email", email=text) if "@" in text else _nothing(),
        _of_amount(visit, text),
        _payments(visit, "Customer reference begins with this", customer_ref_prefix=text),
        _requests(visit, text),
        _payments(visit, "Reference at the processor", gateway_ref=text) if _REFERENCE.match(text) else _nothing(),
    )
    exact, _, _, _, prefix, _, referred = others
    for found in (orders, referred):
        if found is not None and len(found.table.rows) == 1:
            return View(template="search.html", values={}, leads_to=f"/console/payments/{found.table.rows[0]['id']}")
    if exact is not None and prefix is not None and len(prefix.table.rows) == len(exact.table.rows):
        # Nothing begins with it but what is it.
        others[4] = None
    return _view(text, [found for found in others if found is not None])


def amount_of(text: str, locale: Any) -> tuple[str, str] | None:
    """Read an amount as people write it in a language, and the currency where its code is there; None where it is none."""
    code = _CURRENCY.search(text)
    rest = _SYMBOLS.sub("", _CURRENCY.sub("", text)).strip()
    if not _AMOUNT.match(rest):
        return None
    for known in (locale, "en"):
        try:
            # Strict: a comma that groups no thousands is no comma of this language.
            return format(parse_decimal(rest, locale=known, strict=True), "f"), code[1] if code else ""
        except NumberFormatError:
            continue
    return None


async def _named(visit: Visit, thing_id: str) -> str:
    """Return the page of what an id names; empty where it names nothing that whoever looks may see."""
    if await _is_there(visit, "getPaymentIntent", "intent_id", thing_id):
        # Mostly it is one; the others are at other services, which may be slow or away.
        return f"/console/payments/{thing_id}"
    found = await asyncio.gather(
        *(_is_there(visit, operation, parameter, thing_id) for operation, parameter, _ in _NAMED),
        _payments(visit, "Refund", refund_id=thing_id),
    )
    *there, refunded = found
    for (_, _, page), is_there in zip(_NAMED, there, strict=True):
        if is_there:
            return f"/console/{page}/{thing_id}"
    return f"/console/payments/{refunded.table.rows[0]['id']}" if isinstance(refunded, Found) else ""


async def _is_there(visit: Visit, operation: str, parameter: str, thing_id: str) -> bool:
    if not await visit.may(operation):
        return False
    try:
        await visit.call(operation, path={parameter: thing_id})
    except Refused:
        return False
    return True


async def _payments(visit: Visit, title: str, **query: str) -> Found | None:
    if not await visit.may("listPaymentIntents"):
        return None
    try:
        found = await visit.read("listPaymentIntents", path=None, **query, pageSize=_ROWS, total="false")
    except Refused:
        # It cannot be a reference of this kind: it is too long.
        return None
    return _found(title, LIST.columns, found["data"], f"/console/payments?{urlencode(query)}")


async def _customers(visit: Visit, title: str, **query: str) -> Found | None:
    if not await visit.may("listCustomers"):
        return None
    try:
        found = await visit.read("listCustomers", path=None, **query, limit=_ROWS)
    except Refused:
        return None
    return _found(title, _CUSTOMERS, found["data"], f"/console/customers?{urlencode(query)}")


async def _of_amount(visit: Visit, text: str) -> Found | None:
    read = amount_of(text, visit.preferences.language.locale)
    if read is None:
        return None
    amount, currency = read
    query = {"amount": amount, **({"currency": currency} if currency else {})}
    return await _payments(visit, "Amount, in the last 30 days", **query)


async def _requests(visit: Visit, text: str) -> Found | None:
    """Look for what was requested under a correlation id."""
    if not await visit.may("listAudit"):
        return None
    try:
        answer = await visit.read("listAudit", correlation_id=text, limit=_ROWS)
    except Refused:
        return None
    rows = answer["data"] if isinstance(answer, dict) else answer
    columns = (
        Column(member="action", title="Action"),
        Column(member="target", title="Target", kind=Kind.CODE),
        Column(member="actor", title="Actor"),
        Column(member="at", title="When", kind=Kind.TIME),
    )
    return _found(
        "Requests of this correlation ID", columns, rows, f"/console/audit?{urlencode({'correlation_id': text})}"
    )


async def _nothing() -> None:
    return None


def _found(title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], more: str) -> Found | None:
    return Found(title=title, table=Table(columns=columns, rows=rows), more=more) if rows else None


def _view(text: str, found: Sequence[Found]) -> View:
    return View(template="search.html", values={"text": text, "found": found}, title=text)


SEARCH = Page(key="search", title="Search", needs="listPaymentIntents", group=HIDDEN, show=show)
"""What is found by the field at the top."""
