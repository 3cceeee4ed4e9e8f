"""Of the ledger: holds, roles of accounts, exchange rates and conversions, ends of periods, verification."""

import asyncio
from zoneinfo import ZoneInfo

from services.api.console.calling import Refused
from services.api.console.declared import (
    YES_OR_NO,
    Act,
    Column,
    Detail,
    Filter,
    Kind,
    Listing,
    Page,
    Panel,
    View,
)
from services.api.console.pages.months import month_of
from services.api.console.showing import buttons_of, rows_of
from services.api.console.visits import Visit

_HOLD = {"hold_id": "id"}
_OPEN = ("state", ("OPEN",))
_TONES = {"OPEN": "waiting"}
_HOLD_ACTS = (
    Act(operation="captureHold", title="Capture", path=_HOLD, when=_OPEN, query={"amount": "amount"}),
    Act(operation="voidHold", title="Void", path=_HOLD, when=_OPEN, is_danger=True),
)
_LEGS = (
    Column(member="from_currency", title="From"),
    Column(member="to_currency", title="To"),
    Column(member="rate", title="Rate"),
    Column(member="inverse", title="Inverted", kind=Kind.FLAG),
    Column(member="source", title="Source"),
    Column(member="effective_at", title="In force from", kind=Kind.TIME),
)

HOLDS = Page(
    key="holds",
    title="Holds",
    needs="listHolds",
    group="Books",
    show=Listing(
        operation="listHolds",
        filters=(Filter(name="state", title="State", choices=("OPEN", "CAPTURED", "VOIDED", "EXPIRED")),),
        columns=(
            Column(member="amount", title="Amount", kind=Kind.MONEY, link="/console/holds/{id}"),
            Column(member="state", title="State", kind=Kind.STATE, tones=_TONES),
            Column(member="debit_account", title="To debit"),
            Column(member="credit_account", title="To credit"),
            Column(member="captured", title="Captured", kind=Kind.MONEY, is_minor=True),
            Column(member="placed_at", title="Placed", kind=Kind.TIME),
            Column(member="expires_at", title="Expires", kind=Kind.TIME, is_minor=True),
        ),
        acts=(Act(operation="placeHold", title="Place a hold"),),
        row_acts=_HOLD_ACTS,
        empty="No hold is like this. A hold keeps money of an account for an entry to come; place one.",
    ),
    one=Detail(
        operation="getHold",
        parameter="hold_id",
        title="id",
        fields=(
            Column(member="state", title="State", kind=Kind.STATE, tones=_TONES),
            Column(member="amount", title="Amount", kind=Kind.MONEY),
            Column(member="captured", title="Captured", kind=Kind.MONEY),
            Column(member="debit_account", title="To debit", link="/console/accounts/{debit_account}"),
            Column(member="credit_account", title="To credit", link="/console/accounts/{credit_account}"),
            Column(member="entry_id", title="Entry", link="/console/entries/{entry_id}"),
            Column(member="placed_at", title="Placed", kind=Kind.TIME),
            Column(member="expires_at", title="Expires", kind=Kind.TIME),
            Column(member="resolved_at", title="Resolved", kind=Kind.TIME),
            Column(member="id", title="ID", kind=Kind.CODE),
        ),
        acts=_HOLD_ACTS,
    ),
)

_ROLE = {"role": "role"}
ROLES = Page(
    key="account-roles",
    title="Roles of accounts",
    needs="listAccountRoles",
    group="Books",
    show=Listing(
        operation="listAccountRoles",
        columns=(
            Column(member="role", title="Role", link="/console/account-roles/{role}"),
            Column(member="account", title="Account", link="/console/accounts/{account}"),
            Column(member="account_type", title="Type"),
            Column(member="is_default", title="As at first", kind=Kind.FLAG),
            Column(member="changed_by", title="Changed by", is_minor=True),
            Column(member="changed_at", title="Changed", kind=Kind.TIME, is_minor=True),
        ),
        row_acts=(Act(operation="putAccountRole", title="Change", path=_ROLE),),
    ),
    one=Detail(
        operation="getAccountRole",
        parameter="role",
        title="role",
        fields=(
            Column(member="account", title="Account", link="/console/accounts/{account}"),
            Column(member="account_type", title="Type"),
            Column(member="account_types", title="Types that may play it", kind=Kind.LIST),
            Column(member="is_default", title="As at first", kind=Kind.FLAG),
        ),
        acts=(Act(operation="putAccountRole", title="Change", path=_ROLE),),
        panels=(
            Panel(
                title="Changes",
                member="changes",
                columns=(
                    Column(member="account", title="Account"),
                    Column(member="changed_by", title="Changed by"),
                    Column(member="changed_at", title="Changed", kind=Kind.TIME),
                    Column(member="revision", title="Revision", kind=Kind.COUNT),
                ),
                empty="It was always played by this account.",
            ),
        ),
    ),
)

UNITS = Page(
    key="own-units",
    title="Own units",
    needs="listOwnUnits",
    group="Books",
    show=Listing(
        operation="listOwnUnits",
        columns=(
            Column(member="code", title="Code", kind=Kind.CODE),
            Column(member="name", title="Name"),
            Column(member="decimals", title="Decimals", kind=Kind.COUNT),
            Column(member="created_by", title="Added by", is_minor=True),
            Column(member="created_at", title="Added", kind=Kind.TIME, is_minor=True),
        ),
        acts=(Act(operation="addOwnUnit", title="Add an own unit"),),
    ),
)

RATES = Page(
    key="rates",
    title="Exchange rates",
    needs="listExchangeRates",
    group="Books",
    show=Listing(
        operation="listExchangeRates",
        filters=(
            Filter(name="from_currency", title="From currency"),
            Filter(name="to_currency", title="To currency"),
            Filter(name="at", title="In force on", kind="date"),
            Filter(name="history", title="With earlier ones", choices=("true", "false"), names=YES_OR_NO),
        ),
        columns=(
            Column(member="from_currency", title="From"),
            Column(member="to_currency", title="To"),
            Column(member="rate", title="Rate"),
            Column(member="effective_at", title="In force from", kind=Kind.TIME),
            Column(member="source", title="Source", is_minor=True),
            Column(member="recorded_by", title="Recorded by", is_minor=True),
            Column(member="recorded_at", title="Recorded", kind=Kind.TIME, is_minor=True),
        ),
        acts=(
            Act(operation="recordExchangeRate", title="Record a rate"),
            Act(operation="createConversion", title="Exchange money"),
        ),
        empty="No rate is recorded. Record the first one: it is in force from an instant of your choice.",
    ),
)

CONVERSIONS = Page(
    key="conversions",
    title="Exchange of currencies",
    needs="listConversions",
    group="Books",
    show=Listing(
        operation="listConversions",
        columns=(
            Column(
                member="amount",
                title="Given",
                kind=Kind.MONEY,
                currency="from_currency",
                link="/console/conversions/{id}",
            ),
            Column(member="received_amount", title="Received", kind=Kind.MONEY, currency="to_currency"),
            Column(member="gain", title="Gain", kind=Kind.MONEY, currency="from_currency", is_minor=True),
            Column(member="rate", title="Rate"),
            Column(member="from_account", title="From the account", is_minor=True),
            Column(member="to_account", title="To the account", is_minor=True),
            Column(member="occurred_at", title="Happened", kind=Kind.TIME),
            Column(member="recorded_by", title="Recorded by", is_minor=True),
        ),
        acts=(Act(operation="createConversion", title="Exchange money"),),
        empty="Nothing was exchanged yet. Record a rate, then exchange money by it.",
    ),
    one=Detail(
        operation="getConversion",
        parameter="conversion_id",
        title="id",
        fields=(
            Column(member="amount", title="Given", kind=Kind.MONEY, currency="from_currency"),
            Column(member="received_amount", title="Received", kind=Kind.MONEY, currency="to_currency"),
            Column(member="gain", title="Gain", kind=Kind.MONEY, currency="from_currency"),
            Column(member="rate", title="Rate"),
            Column(member="from_account", title="From the account", link="/console/accounts/{from_account}"),
            Column(member="to_account", title="To the account", link="/console/accounts/{to_account}"),
            Column(member="entries.sold", title="Entry of what was given", link="/console/entries/{entries.sold}"),
            Column(
                member="entries.bought", title="Entry of what was received", link="/console/entries/{entries.bought}"
            ),
            Column(member="occurred_at", title="Happened", kind=Kind.TIME),
            Column(member="recorded_at", title="Recorded", kind=Kind.TIME),
            Column(member="recorded_by", title="Recorded by"),
        ),
        panels=(Panel(title="Rates that were used", member="legs", columns=_LEGS),),
    ),
)

_CLOSING = (
    Act(operation="revalueCurrencies", title="1. Value other currencies"),
    Act(operation="closeYear", title="2. End a year"),
    Act(operation="closePeriod", title="3. Close the books"),
    Act(operation="putLedgerCalendar", title="Change the calendar"),
)


async def show_periods(visit: Visit) -> View:
    """Show until when the books are closed, and what ends a period."""
    calendar, periods = await asyncio.gather(visit.read("getLedgerCalendar"), visit.read("listPeriods"))
    zone = ZoneInfo(calendar["zone"])
    return View(
        template="periods.html",
        values={
            "calendar": calendar,
            "periods": rows_of(periods),
            "month": month_of(visit.now, zone),
            "buttons": await buttons_of(visit, _CLOSING, {}),
        },
    )


PERIODS = Page(key="periods", title="Ends of periods", needs="listPeriods", group="Books", show=show_periods)


async def show_verification(visit: Visit) -> View:
    """Show whether the books were found to be as they were written."""
    try:
        found = await visit.read("getLedgerVerification")
    except Refused as refused:
        if refused.status in {401, 403}:
            raise
        return View(template="verification.html", values={"found": None, "fault": refused})
    return View(template="verification.html", values={"found": found, "fault": None})


VERIFICATION = Page(
    key="verification", title="Verification", needs="getLedgerVerification", group="Books", show=show_verification
)
