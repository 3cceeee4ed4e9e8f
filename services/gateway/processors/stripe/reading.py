"""The statement of one Stripe account: each call reads one page, and nothing is changed by any."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import aiohttp
import stripe

from libs.common.ids import parse_id
from libs.common.money import UnsupportedCurrency
from libs.common.observability.logging import get_logger
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port.reading import Held, StatementMovement, StatementPage, StatementPayout
from services.gateway.processors.stripe.amounts import UnsupportedAmount
from services.gateway.processors.stripe.client import endpoint_of
from services.gateway.processors.stripe.failures import Limited, report_limit, unlimited
from services.gateway.processors.stripe.statement import balance_of, movement_of, payout_of
from services.gateway.processors.stripe.states import redirect_address

log = get_logger("gateway.stripe_statement")

_PAGE_MAX = 100
"""Stripe's largest page."""
_PAGE_SECONDS = 20.0
"""How long a page may take; nobody waits for it."""
_MOVEMENTS = "/v1/balance_transactions"
_UNREADABLE = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
    *(UnsupportedAmount, UnsupportedCurrency),
)
"""What reading an object raises whose shape is another than the pinned version of the API promises."""

type _Object = dict[str, Any]


class StripeReader:
    """The port to a statement, spoken to Stripe."""

    def __init__(
        self,
        client: stripe.StripeClient,
        turn: Callable[[str], Awaitable[None]] | None = None,
        limited: Limited = unlimited,
    ) -> None:
        """`turn` waits until a call to an endpoint may go out; it raises `ProcessorUnavailable` where none may for long.

        `limited` is called where the account, or an endpoint, has had too many calls: it is to be left alone for a while.
        """
        self._client = client
        self._turn = turn
        self._limited = limited

    async def movements(self, *, since: datetime, cursor: str = "") -> StatementPage[StatementMovement]:
        """Read what moved since an instant."""
        params = _since(since) | {"expand": ["data.source"]}
        return await self._page(_MOVEMENTS, params, cursor, movement_of)

    async def payouts(self, *, since: datetime, cursor: str = "") -> StatementPage[StatementPayout]:
        """Read the payouts that were made since an instant."""
        return await self._page("/v1/payouts", _since(since), cursor, payout_of)

    async def movements_of(self, payout_ref: str, *, cursor: str = "") -> StatementPage[StatementMovement]:
        """Read which movements an automatic payout consists of."""
        return await self._page(_MOVEMENTS, {"payout": payout_ref, "expand": ["data.source"]}, cursor, movement_of)

    async def payment_intent_of(self, payment_ref: str) -> UUID | None:
        """Read our id of a payment in its metadata; None also where the key may not read it, or it is of no such payment.

        One payment that cannot be read must not hold up the statement: what is not known to be ours is foreign.
        """
        try:
            intent = await self._get(f"/v1/payment_intents/{quote(payment_ref, safe='')}", {})
        except ProcessorUnavailable as fault:
            if not isinstance(fault.__cause__, stripe.InvalidRequestError | stripe.PermissionError):
                raise
            log.warning("statement.payment_unreadable", payment=payment_ref, reason=type(fault.__cause__).__name__)
            return None
        return parse_id(str((intent.get("metadata") or {}).get("payment_intent_id") or ""))

    async def customer_way(self, payment_ref: str) -> tuple[str, str]:
        """Read how the customer goes on with a payment that waits for them: the client secret, and the address of the page,
        which carries it; empty where there is none, or it waits for nobody.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        intent = await self._get(f"/v1/payment_intents/{quote(payment_ref, safe='')}", {})
        if intent["status"] != "requires_action":
            return "", ""
        return str(intent.get("client_secret") or ""), redirect_address(intent)

    async def balance(self) -> dict[str, Held]:
        """Read what the account has, by currency."""
        found = await self._get("/v1/balance", {})
        try:
            return balance_of(found)
        except _UNREADABLE as fault:
            # A currency that we do not know, perhaps: whoever reads it goes on without it, and tries again.
            raise ProcessorUnavailable("/v1/balance has another shape than was promised") from fault

    async def disputes(self, *, since: datetime, cursor: str = "") -> StatementPage[_Object]:
        """Read the disputes that were opened since an instant."""
        return await self._page("/v1/disputes", _since(since), cursor, dict)

    async def refunds(self, *, since: datetime, cursor: str = "") -> StatementPage[_Object]:
        """Read the refunds that were made since an instant."""
        return await self._page("/v1/refunds", _since(since), cursor, dict)

    async def undelivered_events(self, *, since: datetime, cursor: str = "") -> StatementPage[_Object]:
        """Read the events since an instant that reached no webhook endpoint; Stripe keeps them for 30 days."""
        return await self._page("/v1/events", _since(since) | {"delivery_success": False}, cursor, dict)

    async def object(self, kind: str, reference: str) -> _Object | None:
        """Read an object by its kind (`payment_intent`) and id; None where the account has none of it.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        return await self._named(f"/v1/{kind}s/{quote(reference, safe='')}", {}, reference)

    async def movement(self, reference: str) -> _Object | None:
        """Read one balance transaction with what moved it; None where the account has none of it.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        return await self._named(f"{_MOVEMENTS}/{quote(reference, safe='')}", {"expand": ["source"]}, reference)

    async def _page[T](self, path: str, params: _Object, cursor: str, read: Callable[[_Object], T]) -> StatementPage[T]:
        after = {"starting_after": cursor} if cursor else {}
        page = await self._get(path, params | {"limit": _PAGE_MAX} | after)
        items: list[T] = []
        unreadable: list[str] = []
        found: list[_Object] = page["data"]
        for each in found:
            try:
                items.append(read(each))
            except _UNREADABLE:
                log.error("statement.unreadable", path=path, reference=str(each.get("id")), exc_info=True)
                unreadable.append(str(each.get("id")))
        return StatementPage(
            items=tuple(items),
            unreadable=tuple(unreadable),
            next_cursor=str(found[-1]["id"]) if found and page.get("has_more") else "",
        )

    async def _named(self, path: str, params: _Object, reference: str) -> _Object | None:
        """Read the object of an id; None where the account has none of it. Another answer, as of somebody in between, shows
        nothing, and is requested again."""
        try:
            found: Any = await self._get(path, params)
        except ProcessorUnavailable as fault:
            if getattr(fault.__cause__, "http_status", None) == 404:
                return None
            raise
        if not isinstance(found, dict) or found.get("id") != reference:
            raise ProcessorUnavailable(f"{path} is answered with another object")
        return found

    async def _get(self, path: str, params: _Object) -> _Object:
        endpoint = endpoint_of("get", path)
        if self._turn is not None:
            await self._turn(endpoint)
        try:
            async with asyncio.timeout(_PAGE_SECONDS):
                answered = await self._client.raw_request_async("get", path, **params)
                found: _Object = answered.data
                return found
        except (stripe.StripeError, aiohttp.ClientError, OSError, TimeoutError) as fault:
            report_limit(fault, self._limited, endpoint=endpoint)
            raise ProcessorUnavailable(f"{path} cannot be read: {type(fault).__name__}") from fault


def _since(since: datetime) -> _Object:
    return {"created": {"gte": int(since.timestamp())}}
