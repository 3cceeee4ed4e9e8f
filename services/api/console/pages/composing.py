"""An entry that a person makes: its lines with their sums, posted at once or proposed for somebody else to approve."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from services.api.console.calling import Answer, Refused
from services.api.console.declared import HIDDEN, Page, View
from services.api.console.forms import key_of
from services.api.console.showing import with_done
from services.api.console.visits import Visit

_SIDES = ("DEBIT", "CREDIT")
LINES, LINES_MORE, LINES_MAX = 4, 4, 80
"""Lines that the form has at first, that are added at a time, and at most."""
_SUGGESTED_MAX = 500
_UNPROCESSABLE = 422
_AMOUNT = re.compile(r"\d{1,18}(\.\d{1,8})?", re.ASCII)
_MEMBERS = ("account", "side", "amount", "currency")


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of one currency come to."""

    currency: str
    debits: str
    credits: str
    difference: str
    """What is missing on one side, above zero where credits are."""

    @property
    def is_balanced(self) -> bool:
        """Whether both sides are the same."""
        return Decimal(self.difference) == 0


def lines_of(form: Mapping[str, str]) -> list[dict[str, str]]:
    """Read the lines of the form, those without an amount and an account left out."""
    found = []
    for number in range(LINES_MAX):
        line = {name: form.get(f"line.{number}.{name}", "").strip() for name in _MEMBERS}
        if line["account"] or line["amount"]:
            found.append({**line, "currency": line["currency"].upper()})
    return found


def sums_of(lines: Sequence[Mapping[str, str]]) -> list[Sum]:
    """Add lines up by currency and side, exactly; what is no amount counts for nothing."""
    sums: dict[str, dict[str, Decimal]] = {}
    for line in lines:
        if not line["amount"]:
            continue
        sides = sums.setdefault(line["currency"], dict.fromkeys(_SIDES, Decimal(0)))
        if _AMOUNT.fullmatch(line["amount"]) and line["side"] in sides:
            sides[line["side"]] += Decimal(line["amount"])
    return [
        Sum(
            currency=currency,
            debits=f"{sides['DEBIT']:f}",
            credits=f"{sides['CREDIT']:f}",
            difference=f"{sides['DEBIT'] - sides['CREDIT']:f}",
        )
        for currency, sides in sorted(sums.items())
    ]


async def show(visit: Visit) -> View:
    """Show an empty form, or one with what the address names."""
    query = visit.query
    first = {"account": "", "side": "DEBIT", "amount": query.get("amount", ""), "currency": query.get("currency", "")}
    written = {name: query.get(name, "") for name in ("description", "reason")}
    return await _form(visit, written, lines=[first, {**first, "side": "CREDIT"}])


async def send(visit: Visit, form: Mapping[str, str]) -> View | str:
    """Check, post or propose what was written, or give it more lines."""
    lines, what = lines_of(form), form.get("do", "")
    entry = {"description": form.get("description", ""), "lines": lines}
    if form.get("occurred_at"):
        entry["occurred_at"] = form["occurred_at"]
    # What one person may not post is proposed with the same form, which is another request.
    keyed = {"idempotency-key": f"{form.get('_key', '')}-{what}"}
    try:
        match what:
            case "check":
                checked = await visit.call("postLedgerEntries", body={"entries": [entry], "dry_run": True})
                _require_posted(checked.json())
                return await _form(visit, form, lines=lines, is_checked=True)
            case "post":
                posted = await visit.call("postLedgerEntries", body={"entries": [entry]}, headers=keyed)
                made = posted.json()["results"][0]["id"]
                return with_done(f"/console/entries/{made}", "postLedgerEntries", visit.session)
            case "propose":
                body = {"entries": [entry], "reason": form.get("reason") or form.get("description", "")}
                proposed = await visit.call("proposeLedgerEntries", body=body, headers=keyed)
                return with_done(f"/console/proposals/{proposed.json()['id']}", "proposeLedgerEntries", visit.session)
            case _:
                return await _form(visit, form, lines=lines, more=LINES_MORE)
    except Refused as fault:
        if fault.status in {401, 403}:
            raise
        return await _form(visit, form, lines=lines, fault=fault)


def _require_posted(answer: Mapping[str, Any]) -> None:
    """Refuse what a dry run says would be refused.

    Raises:
        Refused: with the code and the sentence of the first refusal.
    """
    for result in answer["results"]:
        if result["code"]:
            raise Refused(Answer.problem(_UNPROCESSABLE, result["code"], result["detail"] or result["code"]))


async def _form(
    visit: Visit,
    form: Mapping[str, str],
    *,
    lines: Sequence[Mapping[str, str]],
    more: int = 0,
    is_checked: bool = False,
    fault: Refused | None = None,
) -> View:
    accounts, policy = await asyncio.gather(visit.read("listAccounts"), visit.read("getApprovalPolicy"))
    shown = max(LINES, len(lines) + more)
    empty: dict[str, str] = {"account": "", "side": "DEBIT", "amount": "", "currency": ""}
    used = [line["currency"] for line in lines if line["currency"]]
    rows: list[Mapping[str, Any]] = [
        *lines,
        *({**empty, "currency": used[-1] if used else ""} for _ in range(min(shown, LINES_MAX) - len(lines))),
    ]
    return View(
        template="compose.html",
        values={
            "rows": rows,
            "sides": _SIDES,
            "sums": sums_of(lines),
            "written": {name: form.get(name, "") for name in ("description", "occurred_at", "reason")},
            "key": key_of(form, fault),
            "accounts": accounts[:_SUGGESTED_MAX],
            "demands": bool(policy["rules"]),
            "may_post": await visit.may("postLedgerEntries"),
            "is_checked": is_checked,
            "fault": fault,
        },
    )


COMPOSE = Page(key="compose", title="New entry", needs="postLedgerEntries", group=HIDDEN, show=show, send=send)
