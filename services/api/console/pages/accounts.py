"""The chart of accounts with its balances, and the statement of one account."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from services.api.console.declared import HIDDEN, Act, Page, View
from services.api.console.pages.months import month_around, named_month
from services.api.console.showing import buttons_of, next_query
from services.api.console.visits import Visit

_TYPES = ("ASSET", "LIABILITY", "EQUITY", "REVENUE", "EXPENSE")
ACCOUNTS_MAX = 300
"""Accounts that a page shows; beyond that one has to search."""
_LINES = "100"
_ACTS = (
    Act(operation="createAccount", title="New account"),
    Act(operation="placeHold", title="Place a hold"),
    Act(operation="createConversion", title="Exchange money"),
    Act(operation="getConsolidatedBalances", title="In one currency", page="/console/consolidated"),
)


async def show(visit: Visit) -> View:
    """Show the chart of accounts with balances, now or as of an instant."""
    as_of, time = visit.query.get("as_of", ""), visit.query.get("time", "")
    currency, text = visit.query.get("currency", "").strip().upper(), visit.query.get("q", "").strip()
    accounts, balances = await asyncio.gather(
        visit.read("listAccounts"),
        visit.read("listLedgerBalances", as_of=as_of, time=time if as_of else "", currency=currency),
    )
    by_code: dict[str, list[Mapping[str, Any]]] = {}
    for balance in balances:
        by_code.setdefault(balance["account"], []).append(balance)
    found = [one for one in accounts if text.lower() in f"{one['code']} {one['label']}".lower()]
    if currency:
        found = [one for one in found if one["code"] in by_code]
    shown = found[:ACCOUNTS_MAX]
    groups = [(kind, [one for one in shown if one["account_type"] == kind]) for kind in _TYPES]
    return View(
        template="accounts.html",
        values={
            "groups": [(kind, rows) for kind, rows in groups if rows],
            "balances": by_code,
            "more": len(found) - len(shown),
            "chosen": {"as_of": as_of, "time": time, "currency": currency, "q": text},
            "buttons": await buttons_of(visit, _ACTS, {}),
        },
    )


async def show_account(visit: Visit, code: str) -> View:
    """Show the statement of an account in one currency: opening balance, lines, closing balance."""
    calendar, balances = await asyncio.gather(
        visit.read("getLedgerCalendar"),
        visit.read("listLedgerBalances"),
    )
    held = {balance["currency"]: balance for balance in balances if balance["account"] == code}
    currency = visit.query.get("currency", "").upper() or next(iter(sorted(held)), "")
    month, query = _period(visit.query)
    statement, following, export = None, "", ""
    if currency:
        chosen = {"account": code, "currency": currency, "tz": calendar["zone"], **query}
        sent = {**chosen, "limit": _LINES, "cursor": visit.query.get("cursor", "")}
        answer = await visit.call("reportStatement", query=list(sent.items()))
        statement = answer.json()
        kept = {name: value for name, value in visit.query.items() if name not in {"cursor", "done"}}
        following = next_query(answer, kept)
        export = f"/console/export/reportStatement?{urlencode({**chosen, 'format': 'csv'})}"
    return View(
        template="account.html",
        title=code,
        values={
            "code": code,
            "statement": statement,
            "currencies": sorted({*held, *([currency] if currency else [])}),
            "balance": held.get(currency),
            "currency": currency,
            "zone": calendar["zone"],
            "month": month,
            "around": month_around(month) if month else ("", ""),
            "chosen": query,
            "is_first": not visit.query.get("cursor"),
            "next": following,
            "export": export,
        },
    )


def _period(query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the month that the address names, and the period of the statement."""
    found = named_month(query.get("month", ""))
    if found is not None:
        return query["month"], {"from": found[0], "to": found[1]}
    return "", {name: query[name] for name in ("from", "to") if query.get(name)}


async def show_consolidated(visit: Visit) -> View:
    """Show what all accounts hold, in one currency."""
    currency, at = visit.query.get("currency", "").strip().upper(), visit.query.get("at", "")
    found = await visit.read("getConsolidatedBalances", currency=currency, at=at) if currency else None
    for account in found["accounts"] if found else ():
        for held in account["held"]:
            held["balance"] = _normal(held["balance"], account["normal_side"])
    return View(template="consolidated.html", values={"found": found, "chosen": {"currency": currency, "at": at}})


def _normal(balance: str, side: str) -> str:
    """Turn credits less debits into what is positive in the account's normal direction."""
    return balance if side == "CREDIT" else f"{-Decimal(balance):f}"


CONSOLIDATED = Page(
    key="consolidated",
    title="Balances in one currency",
    needs="getConsolidatedBalances",
    group=HIDDEN,
    show=show_consolidated,
)
ACCOUNTS = Page(
    key="accounts",
    title="Accounts",
    needs="listAccounts",
    group="Books",
    show=show,
    one=show_account,
    letter="a",
)
