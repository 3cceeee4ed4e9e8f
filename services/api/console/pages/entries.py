"""Journal entries: the list, and one of them as T-accounts."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.api.console.declared import Act, Column, Filter, Kind, Listing, Page, View
from services.api.console.showing import buttons_of
from services.api.console.visits import Visit


def turnover(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return what lines debit, by currency, exactly."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        if line["side"] == "DEBIT":
            sums[line["currency"]] = sums.get(line["currency"], Decimal(0)) + Decimal(line["amount"])
    return [{"amount": f"{amount:f}", "currency": currency} for currency, amount in sorted(sums.items())]


def _row(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    def named(side: str) -> list[str]:
        return list(dict.fromkeys(line["account"] for line in entry["lines"] if line["side"] == side))

    return {
        **entry,
        "amounts": turnover(entry["lines"]),
        "debited": named("DEBIT"),
        "credited": named("CREDIT"),
        "payment": "payment" if entry["payment_intent_id"] else None,
    }


LIST = Listing(
    operation="listLedgerEntries",
    filters=(
        Filter(name="account", title="Account"),
        Filter(name="currency", title="Currency"),
        Filter(name="from", title="From", kind="date"),
        Filter(name="to", title="To", kind="date"),
        Filter(name="payment_intent_id", title="Payment"),
    ),
    columns=(
        Column(member="posted_at", title="Recorded", kind=Kind.TIME, link="/console/entries/{id}"),
        Column(member="kind", title="Kind"),
        Column(member="debited", title="Debited", kind=Kind.LIST),
        Column(member="credited", title="Credited", kind=Kind.LIST),
        Column(member="amounts", title="Amount", kind=Kind.AMOUNTS),
        Column(member="payment", title="Payment", link="/console/payments/{payment_intent_id}", is_minor=True),
        Column(member="effective_at", title="Counts at", kind=Kind.TIME, is_minor=True),
    ),
    acts=(Act(operation="postLedgerEntries", title="New entry", page="/console/compose"),),
    shape=_row,
    empty="No entry is like this. Clear the filters; entries follow from payments, or you make one.",
)

_ACTS = (
    Act(
        operation="reverseLedgerEntry",
        title="Reverse",
        path={"entry_id": "id"},
        when=("reversed_by", ("None",)),
        is_danger=True,
    ),
)


async def show_entry(visit: Visit, entry_id: str) -> View:
    """Show an entry, and what it belongs to."""
    entry = await visit.read("getLedgerEntry", path={"entry_id": entry_id})
    return View(
        template="entry.html",
        title=entry["number"] or entry_id,
        values={"entry": entry, "amounts": turnover(entry["lines"]), "buttons": await buttons_of(visit, _ACTS, entry)},
    )


ENTRIES = Page(
    key="entries",
    title="Entries",
    needs="listLedgerEntries",
    group="Books",
    show=LIST,
    one=show_entry,
    letter="e",
)
