"""The port, spoken to Stripe: payment intents with manual capture, one request per operation, each under its attempt's key.

Where an answer is lost, the same key gives it again. Where the key itself keeps an error of Stripe's (a 500 is kept too),
or a state makes no sense to the request, the payment intent is read: its state is the truth. A refund is found among the
payment's refunds by our id in its metadata; an authorization without any reference, by Stripe's search.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import stripe

from libs.common.errors import Invalid
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Pending,
    ProcessorRequest,
    Refund,
    RequiresAction,
    Unknown,
    UnknownReason,
    Void,
)
from services.gateway.processors.stripe.amounts import UnsupportedAmount, from_stripe, to_stripe
from services.gateway.processors.stripe.client import StripeAccount
from services.gateway.processors.stripe.failures import MustBeRead, decline_reason, failure, sentence

_METADATA_MAX = 500
"""Characters of a metadata value (https://docs.stripe.com/api/metadata)."""
_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""The reasons for a refund that Stripe knows; other words go into the metadata."""
_EXPAND = ["latest_charge.balance_transaction"]
"""With the intent come its charge, for the end of the hold, and the money's movement, for the moment of the capture."""
_INTENTS, _REFUNDS = "/v1/payment_intents", "/v1/refunds"
EXPIRED = frozenset({"automatic", "expired"})
"""The cancellation reasons of a hold that has ended by itself: `expired` since 2025-03-31.basil, `automatic` before
(https://docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow)."""
_IDENTIFY_SECONDS = 3.0
"""How long Stripe may take to name the account of a key; whoever adds it waits."""
_REFUNDS_READ_MAX = 100
"""Refunds of one payment that are looked through for ours: Stripe's largest page."""

type _Object = dict[str, Any]


def instant(seconds: int | None) -> datetime | None:
    """Read Stripe's time: whole seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class StripeProcessor:
    """One Stripe account, as an adapter of the port."""

    def __init__(self, account: StripeAccount, client: stripe.StripeClient) -> None:
        self._account = account
        self._client = client

    @property
    def name(self) -> str:
        """The account's name in our books."""
        return self._account.name

    async def authorize(self, request: Authorize) -> Answer:
        """Create and confirm a payment intent that is captured later."""
        if request.known_ref:
            return await self._answer(
                request, lambda: self._retrieve(request.known_ref), lambda intent: self._held(request, intent)
            )
        method = request.payment_method or self._account.payment_method
        if not method:
            return Declined(
                reason=DeclineReason.PROCESSOR_REFUSED, detail="The payment names no payment method to charge."
            )

        async def create() -> _Object:
            params: Any = {
                "amount": to_stripe(request.amount_minor, request.currency),
                "currency": request.currency.lower(),
                "capture_method": "manual",
                "confirm": True,
                "payment_method": method,
                # Since `endive` `payment_method_types` is refused (400 `payment_method_types_no_longer_supported`).
                "allowed_payment_method_types": ["card"],
                "metadata": _metadata(request, attempt=request.idempotency_key, customer_ref=request.customer_ref),
                "expand": _EXPAND,
            }
            if self._account.return_url:
                params["return_url"] = self._account.return_url
            return await self._call("post", _INTENTS, params, request)

        return await self._answer(
            request, create, lambda intent: self._held(request, intent), read=lambda: self._search(request)
        )

    async def capture(self, request: Capture) -> Answer:
        """Capture a payment intent, all or a part."""

        async def take() -> _Object:
            params: Any = {"amount_to_capture": to_stripe(request.amount_minor, request.currency), "expand": _EXPAND}
            return await self._call("post", f"{_intent(request.gateway_ref)}/capture", params, request)

        return await self._answer(
            request,
            take,
            lambda intent: self._taken(request, intent),
            read=lambda: self._retrieve(request.gateway_ref),
        )

    async def void(self, request: Void) -> Answer:
        """Cancel a payment intent."""

        async def release() -> _Object:
            return await self._call("post", f"{_intent(request.gateway_ref)}/cancel", {}, request)

        return await self._answer(
            request,
            release,
            lambda intent: self._released(request, intent),
            read=lambda: self._retrieve(request.gateway_ref),
        )

    async def refund(self, request: Refund) -> Answer:
        """Refund a payment intent, all or a part."""
        if request.known_ref:

            async def retrieve() -> _Object:
                return await self._call("get", f"{_REFUNDS}/{quote(request.known_ref, safe='')}", {})

            return await self._answer(request, retrieve, lambda refund: self._returned(request, refund))

        async def give_back() -> _Object:
            params: Any = {
                "payment_intent": request.gateway_ref,
                "amount": to_stripe(request.amount_minor, request.currency),
                "metadata": _metadata(request, refund_id=str(request.refund_id), reason=request.reason),
            }
            if request.reason in _REASONS:
                params["reason"] = request.reason
            return await self._call("post", _REFUNDS, params, request)

        return await self._answer(
            request,
            give_back,
            lambda refund: self._returned(request, refund),
            read=lambda: self._find_refund(request),
        )

    async def account_id(self) -> str:
        """Read whose key this is: Stripe's id of the account, `acct_...`.

        Raises:
            Invalid: when Stripe refuses the key, or the key may not read its account.
            ProcessorUnavailable: when Stripe does not answer at the moment.
        """
        try:
            async with asyncio.timeout(_IDENTIFY_SECONDS):
                return str((await self._call("get", "/v1/account", {}))["id"])
        except (stripe.AuthenticationError, stripe.PermissionError) as fault:
            what = (
                "is refused by Stripe"
                if isinstance(fault, stripe.AuthenticationError)
                else "must be a key that may read its own account: Stripe refuses GET /v1/account"
            )
            raise Invalid(f"secret_key {what}", errors=(("/secret_key", what),)) from fault
        except (stripe.StripeError, aiohttp.ClientError, OSError, TimeoutError) as fault:
            raise ProcessorUnavailable("Stripe does not show whose key this is; nothing was changed") from fault

    async def _answer(
        self,
        request: ProcessorRequest,
        call: Callable[[], Awaitable[_Object]],
        understand: Callable[[_Object], Answer | None],
        *,
        read: Callable[[], Awaitable[_Object | None]] | None = None,
    ) -> Answer:
        """Call, and where the error does not show what became of it, read; `understand` knows what a state means."""
        try:
            async with asyncio.timeout(request.timeout_seconds):
                try:
                    found: _Object | None = await call()
                    otherwise: Answer = Unknown(reason=UnknownReason.PROCESSOR_ERROR)
                except UnsupportedAmount as fault:
                    return Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail=str(fault))
                except (stripe.StripeError, aiohttp.ClientError, OSError) as fault:
                    met = failure(fault, call=request.call)
                    if not isinstance(met, MustBeRead):
                        return met
                    otherwise = met.otherwise
                    found = await _quietly(read) if read is not None else None
                answer = understand(found) if found is not None else None
                return answer or otherwise
        except TimeoutError:
            return Unknown(reason=UnknownReason.TIMEOUT)

    async def _call(
        self, method: str, path: str, params: dict[str, Any], request: ProcessorRequest | None = None
    ) -> _Object:
        """Make one call; with a request, under its key.

        The SDK's raw request: the same client, keys, version and errors, without an object for every member of the answer,
        which costs as much again as all the rest of the call (measured).
        """
        key = {} if request is None else {"idempotency_key": request.idempotency_key}
        answered = await self._client.raw_request_async(method, path, **params, **key)
        found: _Object = answered.data
        return found

    async def _retrieve(self, reference: str) -> _Object:
        return await self._call("get", _intent(reference), {"expand": _EXPAND})

    async def _search(self, request: Authorize) -> _Object | None:
        # Nothing but Stripe's index knows an intent whose id we never received. It lags behind by up to a minute, so
        # finding nothing proves nothing: the outcome stays unknown, and is called about again on the schedule.
        query = f"metadata['attempt']:'{request.idempotency_key}'"
        page = await self._call("get", f"{_INTENTS}/search", {"query": query, "limit": 1})
        return await self._retrieve(page["data"][0]["id"]) if page["data"] else None

    async def _find_refund(self, request: Refund) -> _Object | None:
        page = await self._call("get", _REFUNDS, {"payment_intent": request.gateway_ref, "limit": _REFUNDS_READ_MAX})
        return next(
            (r for r in page["data"] if (r.get("metadata") or {}).get("refund_id") == str(request.refund_id)), None
        )

    def _held(self, request: Authorize, intent: _Object) -> Answer | None:
        reference = str(intent["id"])
        if intent["amount"] != to_stripe(request.amount_minor, request.currency):
            return _OTHER_MONEY
        match intent["status"]:
            case "requires_capture" | "succeeded":
                charge = _expanded(intent.get("latest_charge"))
                card = (charge.get("payment_method_details") or {}).get("card") or {}
                return Approved(
                    gateway_ref=reference,
                    approved_at=instant(charge.get("created") or intent.get("created")) or request.requested_at,
                    expires_at=instant(card.get("capture_before")),
                )
            case "requires_action":
                redirect = (intent.get("next_action") or {}).get("redirect_to_url") or {}
                return RequiresAction(gateway_ref=reference, action_url=redirect.get("url") or "")
            case "processing":
                return Pending(gateway_ref=reference)
            case "requires_payment_method":
                return declined(intent)
            case "canceled":
                return ended(intent)
            case _:
                return None

    def _taken(self, request: Capture, intent: _Object) -> Answer | None:
        match intent["status"]:
            case "succeeded":
                # Without a record of how much was received, it was what we requested: nobody else captures.
                received = intent.get("amount_received")
                if received is not None and from_stripe(received, request.currency) != request.amount_minor:
                    return Declined(
                        reason=DeclineReason.ALREADY_CAPTURED, detail="Another amount has been captured already."
                    )
                movement = _expanded(_expanded(intent.get("latest_charge")).get("balance_transaction"))
                return Approved(
                    gateway_ref=str(intent["id"]),
                    approved_at=instant(movement.get("created")) or request.requested_at,
                )
            case "canceled":
                return ended(intent)
            case _:
                return None

    def _released(self, request: Void, intent: _Object) -> Answer | None:
        match intent["status"]:
            case "canceled":
                return Approved(
                    gateway_ref=str(intent["id"]),
                    approved_at=instant(intent.get("canceled_at")) or request.requested_at,
                )
            case "succeeded":
                return Declined(reason=DeclineReason.ALREADY_CAPTURED, detail="The payment has been captured.")
            case _:
                return None

    def _returned(self, request: Refund, refund: _Object) -> Answer | None:
        if refund["amount"] != to_stripe(request.amount_minor, request.currency):
            return _OTHER_MONEY
        match refund["status"]:
            case "succeeded":
                return Approved(
                    gateway_ref=str(refund["id"]), approved_at=instant(refund.get("created")) or request.requested_at
                )
            case "pending" | "requires_action":
                return Pending(gateway_ref=str(refund["id"]))
            case "failed" | "canceled":
                why = str(refund.get("failure_reason") or "unknown").replace("_", " ")
                return Declined(
                    reason=decline_reason(refund.get("failure_reason"), otherwise=DeclineReason.PROCESSOR_REFUSED),
                    detail=f"The refund did not reach the customer: {why}.",
                )
            case _:
                return None


_OTHER_MONEY = Declined(
    reason=DeclineReason.PROCESSOR_REFUSED, detail="The processor was called for other money under this key."
)
"""The answer where the key led to something else: what is requested now has certainly not been done."""


def declined(intent: _Object) -> Declined:
    """Return why a payment intent was not charged."""
    error = intent.get("last_payment_error") or {}
    return Declined(
        reason=decline_reason(error.get("decline_code"), error.get("code"), otherwise=DeclineReason.CARD_DECLINED),
        detail=sentence(error.get("message")),
    )


def ended(intent: _Object) -> Declined:
    """Return why a payment intent that was cancelled can neither be held nor taken."""
    if intent.get("cancellation_reason") in EXPIRED:
        return Declined(reason=DeclineReason.AUTHORIZATION_EXPIRED, detail="The authorization has expired.")
    return Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="The payment was cancelled at the processor.")


def _expanded(value: Any) -> _Object:
    return value if isinstance(value, dict) else {}


async def _quietly(read: Callable[[], Awaitable[_Object | None]]) -> _Object | None:
    """Read the state; where that fails too, nothing is known that was not known before."""
    try:
        return await read()
    except (stripe.StripeError, aiohttp.ClientError, OSError):
        return None


def _metadata(request: ProcessorRequest, **more: str) -> dict[str, str]:
    named = {"tenant_id": request.tenant_id, "payment_intent_id": str(request.payment_intent_id)} | more
    return {name: value[:_METADATA_MAX] for name, value in named.items() if value}


def _intent(reference: str) -> str:
    # Quoted: a reference comes with a command, and is no path of its own.
    return f"{_INTENTS}/{quote(reference, safe='')}"
