"""The books, as clients see them; the ledger is asked over the broker."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from libs.common.clock import iso
from libs.common.contracts import Message
from libs.common.contracts.ledger import AccountBalance, AccountType, JournalEntry, ListBalances, ListEntries, Side
from libs.common.contracts.ledger_books import BookTime, GetBalancesAt
from libs.common.money import format_minor
from services.api.access import Access
from services.api.routes.documentation import Documented
from services.api.routes.parameters import AnyRequest, Query, QueryParameter, next_link, wrong
from services.api.routes.rendering import json_answer

ENTRIES, ENTRIES_MAX = 200, 500
OFFSET_MAX = 100_000_000
_READ = "ledger:read"
_DEBIT_SIDE = frozenset({AccountType.ASSET, AccountType.EXPENSE})

_INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
_PERIOD = (
    QueryParameter(name="from", description="Posted at or after this date or instant (UTC).", shape=_INSTANT),
    QueryParameter(name="to", description="Posted until this instant, or on this date, included.", shape=_INSTANT),
    QueryParameter(name="currency", description="ISO 4217 code.", shape={"type": "string", "pattern": "^[A-Z]{3}$"}),
)
_ENTRIES_QUERY = (
    *_PERIOD,
    QueryParameter(name="account", description="Touching the account with this code.", shape={"type": "string"}),
    QueryParameter(name="payment_intent_id", description="Of this intent.", shape={"type": "string", "format": "uuid"}),
    QueryParameter(
        name="limit",
        description="Entries at most.",
        shape={"type": "integer", "minimum": 1, "maximum": ENTRIES_MAX, "default": ENTRIES},
    ),
    QueryParameter(
        name="offset",
        description="Skip this many.",
        shape={"type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0},
    ),
    QueryParameter(
        name="cursor", description="From the `Link` of the page before: fast at any depth.", shape={"type": "string"}
    ),
)


class LineBody(msgspec.Struct, frozen=True, kw_only=True):
    """One debit or credit."""

    side: Side
    account: str
    amount: str
    currency: str


class EntryBody(msgspec.Struct, frozen=True, kw_only=True):
    """One business event in the books."""

    id: str
    payment_intent_id: str | None
    posted_at: str
    kind: str
    occurred_at: str
    effective_at: Annotated[
        str | None, msgspec.Meta(description="When it counts: later than `occurred_at` where that period was closed.")
    ]
    reverses: Annotated[str | None, msgspec.Meta(description="The entry that it takes back, where it is a reversal.")]
    lines: list[LineBody]


class BalanceBody(msgspec.Struct, frozen=True, kw_only=True):
    """What one account holds in one currency."""

    account: str
    currency: str
    debits_total: str
    credits_total: str
    balance: Annotated[str, msgspec.Meta(description="Credits minus debits, whatever the type of account.")]
    account_type: AccountType
    normal_side: Side
    normal_balance: Annotated[str, msgspec.Meta(description="Positive in the account's normal direction.")]
    pending_debits: Annotated[str | None, msgspec.Meta(description="Held for debits; null but for the present.")]
    pending_credits: Annotated[str | None, msgspec.Meta(description="Held for credits; null but for the present.")]
    available: Annotated[
        str | None,
        msgspec.Meta(description="`normal_balance` less what is held against it; null but for the present."),
    ]


_BALANCES_QUERY = (
    *_PERIOD,
    QueryParameter(
        name="as_of",
        description="As the books stood at this instant, or at the end of this date; not together with `from` and `to`.",
        shape=_INSTANT,
    ),
    QueryParameter(
        name="time",
        description="With `as_of`: by when postings were recorded, or by when they count, back-dated ones included.",
        shape={"type": "string", "enum": [time.value for time in BookTime], "default": BookTime.RECORDED.value},
    ),
    QueryParameter(
        name="account", description="With `as_of`: the account with this code only.", shape={"type": "string"}
    ),
)
_TIMES = {time.value: (time.value,) for time in BookTime}


def ledger_routes(access: Access, ask: Callable[[Message], Awaitable[Any]]) -> list[HTTPRouteHandler]:
    """Build `GET /v1/ledger/entries` and `GET /v1/ledger/balances`."""

    @get(
        "/v1/ledger/entries",
        operation_id="listLedgerEntries",
        summary="List journal entries",
        description="Newest first, as a bare array; the next page is in the `Link` header.",
        tags=["ledger"],
        documented=Documented(
            answer=list[EntryBody],
            permission=_READ,
            query=_ENTRIES_QUERY,
            refusals=("query_invalid",),
        ),
    )
    async def list_entries(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        page = await ask(
            ListEntries(
                tenant_id=caller.tenant_id,
                posted_from=query.begin(),
                posted_until=query.end(),
                currency=query.currency(),
                account=query.text("account", length_max=64),
                payment_intent_id=query.identifier("payment_intent_id"),
                limit=query.integer("limit", default=ENTRIES, at_least=1, at_most=ENTRIES_MAX),
                offset=query.integer("offset", default=0, at_least=0, at_most=OFFSET_MAX),
                cursor=query.cursor(),
            )
        )
        link = {"Link": next_link(query.given, page.next_cursor)} if page.next_cursor else None
        return json_answer([entry_body(entry) for entry in page.entries], headers=link)

    @get(
        "/v1/ledger/balances",
        operation_id="listLedgerBalances",
        summary="List balances",
        description="By account and currency, as a bare array; within a period, or as of an instant, when one is given.",
        tags=["ledger"],
        documented=Documented(
            answer=list[BalanceBody],
            permission=_READ,
            query=_BALANCES_QUERY,
            ignored=("limit", "offset"),
            refusals=("query_invalid",),
        ),
    )
    async def list_balances(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        found = await ask(balances_wanted(query, caller.tenant_id))
        return json_answer([balance_body(balance) for balance in found.balances])

    found: list[Any] = [list_entries, list_balances]
    return found


def balances_wanted(query: Query, tenant_id: str) -> ListBalances | GetBalancesAt:
    """Read which balances are meant.

    Raises:
        Invalid: for an instant together with a period, or more than one time.
    """
    before, times, account = query.end("as_of"), query.names("time", _TIMES), query.text("account", length_max=64)
    begin, end, currency = query.begin(), query.end(), query.currency()
    if before is None:
        for name, given in (("time", times), ("account", account)):
            if given is not None:
                raise wrong(name, "needs as_of")
        return ListBalances(tenant_id=tenant_id, posted_from=begin, posted_until=end, currency=currency)
    if begin is not None or end is not None:
        raise wrong("as_of", "does not go together with from and to")
    if times is not None and len(times) != 1:
        raise wrong("time", "must be one of recorded, effective")
    return GetBalancesAt(
        tenant_id=tenant_id,
        before=before,
        time=BookTime(times[0] if times else "recorded"),
        currency=currency,
        account=account,
    )


def entry_body(entry: JournalEntry) -> EntryBody:
    """Show a journal entry as clients see it."""
    return EntryBody(
        id=str(entry.id),
        payment_intent_id=None if entry.payment_intent_id is None else str(entry.payment_intent_id),
        posted_at=iso(entry.posted_at),
        kind=entry.kind,
        occurred_at=iso(entry.occurred_at),
        effective_at=None if entry.effective_at is None else iso(entry.effective_at),
        reverses=None if entry.reverses is None else str(entry.reverses),
        lines=[
            LineBody(
                side=line.side,
                account=line.account,
                amount=format_minor(line.amount_minor, line.currency),
                currency=line.currency,
            )
            for line in entry.lines
        ],
    )


def balance_body(balance: AccountBalance) -> BalanceBody:
    """Show a balance as clients see it."""
    net_credit = balance.credits_minor - balance.debits_minor
    normal_side = Side.DEBIT if balance.account_type in _DEBIT_SIDE else Side.CREDIT
    normal = net_credit if normal_side is Side.CREDIT else -net_credit
    against = balance.pending_debits_minor if normal_side is Side.CREDIT else balance.pending_credits_minor

    def shown(amount_minor: int | None) -> str | None:
        return None if amount_minor is None else format_minor(amount_minor, balance.currency)

    return BalanceBody(
        account=balance.account,
        currency=balance.currency,
        debits_total=format_minor(balance.debits_minor, balance.currency),
        credits_total=format_minor(balance.credits_minor, balance.currency),
        balance=format_minor(net_credit, balance.currency),
        account_type=balance.account_type,
        normal_side=normal_side,
        normal_balance=format_minor(normal, balance.currency),
        pending_debits=shown(balance.pending_debits_minor),
        pending_credits=shown(balance.pending_credits_minor),
        available=shown(None if against is None else normal - against),
    )
