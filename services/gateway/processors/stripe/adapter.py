"""The port, spoken to Stripe: payment intents with manual capture, one request per operation, each under its attempt's key.

Where an answer is lost, the same key gives it again. Where the key itself keeps an error of Stripe's (a 500 is kept too),
or a state makes no sense to the request, the payment intent is read: its state is the truth. A refund is found among the
payment's refunds by our id in its metadata; an authorization without any reference, by Stripe's search.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import stripe

from libs.common.contracts.gateway_errors import ProcessorAccountUnreadable
from libs.common.errors import Invalid
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import (
    Absent,
    Answer,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Finding,
    NotTaken,
    ProcessorRequest,
    Refund,
    Unknown,
    UnknownReason,
    Void,
)
from services.gateway.processors.stripe.amounts import UnsupportedAmount, to_stripe
from services.gateway.processors.stripe.client import StripeAccount
from services.gateway.processors.stripe.failures import MISSING, Failure, MustBeRead, error_code, failure, limit_of
from services.gateway.processors.stripe.fees import application_fee
from services.gateway.processors.stripe.methods import charged
from services.gateway.processors.stripe.states import StripeObject, held, released, returned, taken

_METADATA_MAX = 500
"""Characters of a metadata value (https://docs.stripe.com/api/metadata)."""
_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""The reasons for a refund that Stripe knows; other words go into the metadata."""
_CANCELLATION_REASONS = frozenset({"abandoned", "duplicate", "fraudulent", "requested_by_customer"})
"""Why a payment intent may be cancelled (https://docs.stripe.com/api/payment_intents/cancel)."""
_EXPAND = ["latest_charge.balance_transaction"]
"""With the intent come its charge, for the end of the hold, and the money's movement, for the moment of the capture."""
_INTENTS, _REFUNDS = "/v1/payment_intents", "/v1/refunds"
_IDENTIFY_SECONDS = 3.0
"""How long Stripe may take to name the account of a key; whoever adds it waits."""
_MEMBERS = ("id", "status", "amount")
"""What every payment intent and every refund has, and no page of somebody in between."""
_REFUNDS_PAGE = 100
"""Refunds of one payment that are read at a time: Stripe's largest page."""


class StripeProcessor:
    """One Stripe account, as an adapter of the port."""

    def __init__(
        self,
        account: StripeAccount,
        client: stripe.StripeClient,
        sent: Callable[[], None] = lambda: None,
        limited: Callable[[NotTaken], None] = lambda _: None,
    ) -> None:
        """`sent` is called for each call that goes out, `limited` where a reading beside an operation was one too many."""
        self._account = account
        self._client = client
        self._sent = sent
        self._limited = limited

    @property
    def name(self) -> str:
        """The account's name in our books."""
        return self._account.name

    @property
    def is_live(self) -> bool:
        """Whether it moves real money."""
        return self._account.is_live

    async def authorize(self, request: Authorize) -> Answer:
        """Create and confirm a payment intent that is captured later."""
        if request.known_ref:
            return await self._answer(
                request, lambda: self._retrieve(request.known_ref), lambda intent: held(request, intent)
            )
        method = request.payment_method or self._account.payment_method
        if not method and not request.payment_method_type.is_asynchronous:
            return Declined(
                reason=DeclineReason.PROCESSOR_REFUSED, detail="The payment names no payment method to charge."
            )

        async def create() -> StripeObject:
            params: Any = {
                "amount": to_stripe(request.amount_minor, request.currency),
                "currency": request.currency.lower(),
                "confirm": True,
                # Since `endive` `payment_method_types` is refused (400 `payment_method_types_no_longer_supported`).
                "allowed_payment_method_types": [request.payment_method_type.value],
                **charged(request, method),
                "metadata": _metadata(request, attempt=request.idempotency_key, customer_ref=request.customer_ref),
                "expand": _EXPAND,
            }
            if request.payment_method_type.is_asynchronous:
                # What is paid is captured by itself. The fee of a card is named at its capture: one of the whole hold would
                # stand where that of a small part rounds to nothing, which cannot be named.
                params |= self._fee(request)
            if return_url := request.return_url or self._account.return_url:
                params["return_url"] = return_url
            return await self._call("post", _INTENTS, params, request)

        return await self._answer(
            request, create, lambda intent: held(request, intent), read=lambda: self._search(request)
        )

    async def capture(self, request: Capture) -> Answer:
        """Capture a payment intent, all or a part."""
        if request.known_ref:
            return await self._answer(
                request, lambda: self._retrieve(request.known_ref), lambda intent: taken(request, intent)
            )

        async def take() -> StripeObject:
            params: Any = {"amount_to_capture": to_stripe(request.amount_minor, request.currency), "expand": _EXPAND}
            # Of what is captured, which may be less than was held.
            params |= self._fee(request)
            return await self._call("post", f"{_intent(request.gateway_ref)}/capture", params, request)

        return await self._answer(
            request,
            take,
            lambda intent: taken(request, intent),
            read=lambda: self._retrieve(request.gateway_ref),
        )

    async def void(self, request: Void) -> Answer:
        """Cancel a payment intent."""

        params = {"cancellation_reason": request.reason} if request.reason in _CANCELLATION_REASONS else {}

        async def release() -> StripeObject:
            return await self._call("post", f"{_intent(request.gateway_ref)}/cancel", params, request)

        return await self._answer(
            request,
            release,
            lambda intent: released(request, intent),
            read=lambda: self._retrieve(request.gateway_ref),
        )

    async def refund(self, request: Refund) -> Answer:
        """Refund a payment intent, all or a part."""
        if request.known_ref:

            async def retrieve() -> StripeObject:
                return await self._call("get", f"{_REFUNDS}/{quote(request.known_ref, safe='')}", {})

            return await self._answer(request, retrieve, lambda refund: returned(request, refund))

        async def give_back() -> StripeObject:
            params: Any = {
                "payment_intent": request.gateway_ref,
                "amount": to_stripe(request.amount_minor, request.currency),
                "metadata": _metadata(request, refund_id=str(request.refund_id), reason=request.reason),
            }
            if request.reason in _REASONS:
                params["reason"] = request.reason
            # Stripe refuses it for a charge without a fee; one of at least this amount has had one, where this amount has.
            if self._account.refund_application_fee and self._fee(request):
                params["refund_application_fee"] = True
            return await self._call("post", _REFUNDS, params, request)

        return await self._answer(
            request,
            give_back,
            lambda refund: returned(request, refund),
            read=lambda: self._find_refund(request),
        )

    async def look_up(self, request: ProcessorRequest) -> Finding:
        """Read what became of a request: by the payment, or by our ids in the metadata."""
        try:
            async with asyncio.timeout(request.timeout_seconds):
                return await self._found(request) or Unknown(reason=UnknownReason.UNDECIDED)
        except TimeoutError:
            return Unknown(reason=UnknownReason.TIMEOUT)
        except (stripe.StripeError, aiohttp.ClientError, OSError) as fault:
            return _unread(failure(fault, builds_on_payment=True))

    async def _found(self, request: ProcessorRequest) -> Finding | None:
        match request:
            case Authorize():
                intent = await (self._retrieve(request.known_ref) if request.known_ref else self._search(request))
                return Absent() if intent is None else held(request, intent)
            case Capture():
                return taken(request, await self._retrieve(request.gateway_ref))
            case Void():
                return released(request, await self._retrieve(request.gateway_ref))
            case Refund():
                refund = await self._find_refund(request)
                return Absent() if refund is None else returned(request, refund)
            case _:
                raise TypeError(f"no request that this processor knows: {type(request).__name__}")

    async def account_id(self) -> str:
        """Read whose key this is: Stripe's id of the account, `acct_...`.

        Raises:
            Invalid: when Stripe refuses the key.
            ProcessorAccountUnreadable: when the key may not read its account.
            ProcessorUnavailable: when Stripe does not answer at the moment.
        """
        return str((await self._read_of_key("/v1/account"))["id"])

    async def knows(self, payment_ref: str) -> bool:
        """Read whether the key's account has a payment in the key's mode.

        Raises:
            Invalid: when Stripe refuses the key.
            ProcessorAccountUnreadable: when the key may not read payments.
            ProcessorUnavailable: when Stripe does not answer at the moment.
        """
        try:
            await self._read_of_key(_intent(payment_ref))
        except ProcessorUnavailable as fault:
            if isinstance(fault.__cause__, stripe.InvalidRequestError) and error_code(fault.__cause__) == MISSING:
                return False
            raise
        return True

    async def _read_of_key(self, path: str) -> StripeObject:
        try:
            async with asyncio.timeout(_IDENTIFY_SECONDS):
                return await self._call("get", path, {}, members=("id",))
        except stripe.AuthenticationError as fault:
            what = "is refused by Stripe"
            raise Invalid(f"secret_key {what}", errors=(("/secret_key", what),)) from fault
        except stripe.PermissionError as fault:
            if self._account.connected_account:
                what = "must be an account that is connected to the platform's"
                raise Invalid(f"connected_account {what}", errors=(("/connected_account", what),)) from fault
            what = f"must be a key that may read its own account: Stripe refuses GET {path}"
            raise ProcessorAccountUnreadable(f"secret_key {what}", errors=(("/secret_key", what),)) from fault
        except (stripe.StripeError, aiohttp.ClientError, OSError, TimeoutError) as fault:
            raise ProcessorUnavailable("Stripe does not show whose key this is; nothing was changed") from fault

    async def _answer(
        self,
        request: ProcessorRequest,
        call: Callable[[], Awaitable[StripeObject]],
        understand: Callable[[StripeObject], Answer | Absent | None],
        *,
        read: Callable[[], Awaitable[StripeObject | None]] | None = None,
    ) -> Answer:
        """Call, and where the error does not show what became of it, read; `understand` knows what a state means.

        Without `read` the call is a reading itself, and an error of it decides nothing.
        """
        try:
            async with asyncio.timeout(request.timeout_seconds):
                try:
                    found: StripeObject | None = await call()
                    otherwise: Answer = Unknown(reason=UnknownReason.UNDECIDED)
                except UnsupportedAmount as fault:
                    return Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail=str(fault))
                except (stripe.StripeError, aiohttp.ClientError, OSError) as fault:
                    met = failure(fault, builds_on_payment=read is None or not isinstance(request, Authorize))
                    if read is None:
                        return _unread(met)
                    if not isinstance(met, MustBeRead):
                        return met
                    try:
                        found = await read()
                    except (stripe.StripeError, aiohttp.ClientError, OSError) as unread:
                        if (limit := limit_of(unread)) is not None:
                            self._limited(limit)
                        if isinstance(request, Authorize) and isinstance(met.otherwise, Declined):
                            # A key keeps its first result, so under one that is refused nothing was ever held.
                            return met.otherwise
                        # What the error means is decided by the state, and the state could not be read.
                        return Unknown(reason=UnknownReason.UNDECIDED, is_worth_repeating=False)
                    otherwise = met.otherwise
                return otherwise if found is None else _decided(understand(found), otherwise)
        except TimeoutError:
            return Unknown(reason=UnknownReason.TIMEOUT)

    def _fee(self, request: Authorize | Capture | Refund) -> dict[str, int]:
        account = self._account
        if not account.connected_account:
            return {}
        fee = application_fee(
            request.amount_minor,
            request.currency,
            bps=account.application_fee_bps,
            fixed_minor=account.application_fee_minor,
        )
        return {"application_fee_amount": fee} if fee else {}

    async def _call(
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        request: ProcessorRequest | None = None,
        *,
        members: Sequence[str] = _MEMBERS,
    ) -> StripeObject:
        """Make one call; with a request, under its key. The answer has at least these `members`.

        The SDK's raw request: the same client, keys, version and errors, without an object for every member of the answer,
        which costs as much again as all the rest of the call (measured).
        """
        self._sent()
        key = {} if request is None else {"idempotency_key": request.idempotency_key}
        answered = await self._client.raw_request_async(method, path, **params, **key)
        return _checked(answered.data, members)

    async def _page(self, path: str, params: dict[str, Any]) -> StripeObject:
        page = await self._call("get", path, params, members=("data",))
        if not isinstance(page["data"], list):
            raise stripe.APIError("the answer is no list")
        for found in page["data"]:
            _checked(found, _MEMBERS)
        return page

    async def _retrieve(self, reference: str) -> StripeObject:
        return await self._call("get", _intent(reference), {"expand": _EXPAND})

    async def _search(self, request: Authorize) -> StripeObject | None:
        # Nothing but Stripe's index knows an intent whose id we never received. It lags behind by up to a minute, so
        # finding nothing proves nothing: the outcome stays unknown, and is called about again on the schedule.
        query = f"metadata['attempt']:'{request.idempotency_key}'"
        page = await self._page(f"{_INTENTS}/search", {"query": query, "limit": 1})
        return await self._retrieve(page["data"][0]["id"]) if page["data"] else None

    async def _find_refund(self, request: Refund) -> StripeObject | None:
        params: dict[str, Any] = {"payment_intent": request.gateway_ref, "limit": _REFUNDS_PAGE}
        while True:
            page = await self._page(_REFUNDS, params)
            for refund in page["data"]:
                if (refund.get("metadata") or {}).get("refund_id") == str(request.refund_id):
                    found: StripeObject = refund
                    return found
            if not page.get("has_more") or not page["data"]:
                return None
            params["starting_after"] = page["data"][-1]["id"]


def _decided(answer: Answer | Absent | None, otherwise: Answer) -> Answer:
    """Return what the state shows; where it shows that nothing was done, a refusal stands, anything else stays unknown.

    An unknown outcome stays that, since the call itself may still be carried out; and a refusal beside a state that means
    nothing to us proves nothing.
    """
    match answer:
        case None:
            undecided = Unknown(reason=UnknownReason.UNDECIDED, is_worth_repeating=False)
            return undecided if isinstance(otherwise, Declined) else otherwise
        case Absent() if isinstance(otherwise, Declined):
            return msgspec.structs.replace(otherwise, is_still_held=answer.is_still_held)
        case Absent():
            return otherwise
        case _:
            return answer


def _unread(met: Failure) -> NotTaken | Unknown:
    """Return what it means that Stripe could not be read: the outcome is as unknown as before, whatever the error."""
    if isinstance(met, MustBeRead):
        return _unread(met.otherwise)
    return met if isinstance(met, NotTaken | Unknown) else Unknown(reason=UnknownReason.UNDECIDED)


def _checked(found: Any, names: Sequence[str]) -> StripeObject:
    """Return an object of Stripe's that has these members.

    Raises:
        stripe.APIError: when it is something else, as where somebody in between answers; nothing is concluded from that.
    """
    if not isinstance(found, dict) or any(found.get(name) is None for name in names):
        raise stripe.APIError("the answer is another object than was requested")
    return found


def _metadata(request: ProcessorRequest, **more: str) -> dict[str, str]:
    named = {"tenant_id": request.tenant_id, "payment_intent_id": str(request.payment_intent_id)} | more
    return {name: value[:_METADATA_MAX] for name, value in named.items() if value}


def _intent(reference: str) -> str:
    # Quoted: a reference comes with a command, and is no path of its own.
    return f"{_INTENTS}/{quote(reference, safe='')}"
