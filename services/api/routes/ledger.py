"""The books, as clients see them; the ledger is asked over the broker."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from libs.common.clock import iso
from libs.common.contracts import Message
from libs.common.contracts.ledger import AccountBalance, AccountType, JournalEntry, ListBalances, ListEntries, Side
from libs.common.money import format_minor
from services.api.auth import Access
from services.api.routes.documentation import Documented
from services.api.routes.parameters import AnyRequest, Query, QueryParameter, next_link
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
        description="By account and currency, as a bare array; within a period when one is given.",
        tags=["ledger"],
        documented=Documented(answer=list[BalanceBody], permission=_READ, query=_PERIOD, refusals=("query_invalid",)),
    )
    async def list_balances(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, _READ)
        query = Query(request)
        found = await ask(
            ListBalances(
                tenant_id=caller.tenant_id,
                posted_from=query.begin(),
                posted_until=query.end(),
                currency=query.currency(),
            )
        )
        return json_answer([balance_body(balance) for balance in found.balances])

    found: list[Any] = [list_entries, list_balances]
    return found


def entry_body(entry: JournalEntry) -> EntryBody:
    """Show a journal entry as clients see it."""
    return EntryBody(
        id=str(entry.id),
        payment_intent_id=None if entry.payment_intent_id is None else str(entry.payment_intent_id),
        posted_at=iso(entry.posted_at),
        kind=entry.kind,
        occurred_at=iso(entry.occurred_at),
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
    return BalanceBody(
        account=balance.account,
        currency=balance.currency,
        debits_total=format_minor(balance.debits_minor, balance.currency),
        credits_total=format_minor(balance.credits_minor, balance.currency),
        balance=format_minor(net_credit, balance.currency),
        account_type=balance.account_type,
        normal_side=normal_side,
        normal_balance=format_minor(net_credit if normal_side is Side.CREDIT else -net_credit, balance.currency),
    )
