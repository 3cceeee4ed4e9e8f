"""The books, as clients see them; the ledger answers over the broker."""

from uuid import UUID

from litestar import Response

from libs.common.contracts.ledger import FollowEntries, ListBalances, ListEntries
from libs.common.contracts.ledger_books import BookTime, GetBalancesAt
from libs.common.contracts.ledger_errors import QueryInvalid
from services.api.books.routes.parameters import CURRENCY
from services.api.books.schemas.entries import BalanceBody, EntryBody, balance_body, entry_body
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, wrong
from services.api.http.rendering import final_before, json_answer
from services.api.http.requests import Ask

ENTRIES, ENTRIES_MAX = 200, 500
OFFSET_MAX = 100_000_000
_READ = "ledger:read"

_INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
_PERIOD = (
    QueryParameter(name="from", description="Posted at or after this date or instant (UTC).", shape=_INSTANT),
    QueryParameter(name="to", description="Posted until this instant, or on this date, included.", shape=_INSTANT),
    CURRENCY,
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
    QueryParameter(
        name="after",
        description="The feed: entries recorded after this one, oldest first, as far as that is final; from the first one "
        "after `00000000-0000-0000-0000-000000000000`. With `limit` alone.",
        shape={"type": "string", "format": "uuid"},
    ),
)
_BEGIN = UUID(int=0)


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


class Entries(Resource):
    """Routes: `GET /v1/ledger/entries` and `GET /v1/ledger/balances`."""

    ask: Ask

    @operation(
        "GET",
        "/v1/ledger/entries",
        operation_id="listLedgerEntries",
        summary="List journal entries",
        description="Newest first, as a bare array; the next page is in the `Link` header. With `after` oldest first: who "
        "always goes on after the last entry gets each entry once, half a second after it was recorded.",
        tags=["ledger"],
        answer=list[EntryBody],
        permission=_READ,
        query=_ENTRIES_QUERY,
        refusals=(QueryInvalid,),
        final=True,
    )
    async def list_entries(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        after = query.identifier("after")
        if after is not None:
            return await self._follow(caller, query, after)
        page = await self.ask(
            ListEntries(
                tenant_id=caller.tenant_id,
                posted_from=query.begin(),
                posted_until=query.end(),
                currency=query.currency(own=True),
                account=query.text("account", length_max=64),
                payment_intent_id=query.identifier("payment_intent_id"),
                limit=query.integer("limit", default=ENTRIES, at_least=1, at_most=ENTRIES_MAX),
                offset=query.integer("offset", default=0, at_least=0, at_most=OFFSET_MAX),
                cursor=query.cursor(),
            )
        )
        link = query.link(page.next_cursor)
        return json_answer([entry_body(entry) for entry in page.entries], headers=link)

    async def _follow(self, caller: Caller, query: Query, after: UUID) -> Response[bytes]:
        for name in query.given:
            if name not in {"after", "limit"}:
                raise wrong(name, "does not go together with after")
        feed = await self.ask(
            FollowEntries(
                tenant_id=caller.tenant_id,
                after=None if after == _BEGIN else after,
                limit=query.integer("limit", default=ENTRIES, at_least=1, at_most=ENTRIES_MAX),
            )
        )
        return json_answer([entry_body(entry) for entry in feed.entries], headers=final_before(feed.final_before))

    @operation(
        "GET",
        "/v1/ledger/balances",
        operation_id="listLedgerBalances",
        summary="List balances",
        description="By account and currency, as a bare array; within a period, or as of an instant, when one is given.",
        tags=["ledger"],
        answer=list[BalanceBody],
        permission=_READ,
        query=_BALANCES_QUERY,
        ignored=("limit", "offset"),
        refusals=(QueryInvalid,),
        final=True,
    )
    async def list_balances(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        found = await self.ask(balances_request(query, caller.tenant_id))
        return json_answer(
            [balance_body(balance) for balance in found.balances], headers=final_before(found.final_before)
        )


def balances_request(query: Query, tenant_id: str) -> ListBalances | GetBalancesAt:
    """Read which balances are meant.

    Raises:
        Invalid: for an instant together with a period, or more than one time.
    """
    before, times, account = query.end("as_of"), query.names("time", _TIMES), query.text("account", length_max=64)
    begin, end, currency = query.begin(), query.end(), query.currency(own=True)
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
