"""The port to what is kept of customers, spoken to Stripe: customers, setup intents, payment methods."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote
from uuid import UUID

import aiohttp
import stripe

from libs.common.contracts.gateway_errors import SetupRefused
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port.saving import KeptMethod, NewCustomer, SetupRequest, SetupState, SetupStatus
from services.gateway.processors.stripe.client import StripeAccount, endpoint_of
from services.gateway.processors.stripe.failures import (
    MISSING,
    Limited,
    error_code,
    report_limit,
    sentence,
    unlimited,
)

_CALL_SECONDS = 4.0
"""How long a call may take: who saves a payment method waits for three of them at most."""
_STATUSES = {
    "requires_payment_method": SetupStatus.REQUIRES_PAYMENT_METHOD,
    # With a payment method that nobody has confirmed: the client library does both at once.
    "requires_confirmation": SetupStatus.REQUIRES_PAYMENT_METHOD,
    "requires_action": SetupStatus.REQUIRES_ACTION,
    "processing": SetupStatus.PROCESSING,
    "succeeded": SetupStatus.SUCCEEDED,
    "canceled": SetupStatus.CANCELED,
}
_FAILURE_MAX = 500

type _Object = dict[str, Any]


class StripeVault:
    """What one Stripe account keeps of customers."""

    def __init__(
        self,
        account: StripeAccount,
        client: stripe.StripeClient,
        turn: Callable[[str], Awaitable[None]],
        limited: Limited = unlimited,
    ) -> None:
        """`turn` waits until a call to an endpoint may go out; it raises `ProcessorUnavailable` where none may for long.

        `limited` is called where the account, or an endpoint, has had too many calls: it is to be left alone for a while.
        """
        self._account = account
        self._client = client
        self._turn = turn
        self._limited = limited

    async def create_customer(self, new: NewCustomer) -> str:
        """Make a customer, under its key; where that was used under another name or address, return whom it has made."""
        named = {name: text for name, text in (("name", new.name), ("email", new.email)) if text}
        metadata = {"tenant_id": new.tenant_id, "customer_id": str(new.customer_id)}
        params = named | {"metadata": metadata}
        try:
            return str((await self._call("post", "/v1/customers", params, key=new.idempotency_key))["id"])
        except ProcessorUnavailable as fault:
            match fault.__cause__:
                case stripe.InvalidRequestError() as refused:
                    # An address that Stripe does not take: it would not the next time either.
                    raise SetupRefused(sentence(refused.user_message)) from refused
                case stripe.IdempotencyError() if ref := await self.find_customer(customer_id=new.customer_id):
                    return ref
            raise

    async def find_customer(self, *, customer_id: UUID) -> str:
        """Search for the customer by our id in its metadata."""
        query = {"query": f"metadata['customer_id']:'{customer_id}'", "limit": 1}
        found = (await self._call("get", "/v1/customers/search", query, member="data"))["data"]
        return str(found[0]["id"]) if found else ""

    async def delete_customer(self, ref: str) -> None:
        """Delete a customer, by which all that is attached is detached."""
        try:
            await self._call("delete", f"/v1/customers/{quote(ref, safe='')}", {})
        except ProcessorUnavailable as fault:
            if not _is_missing(fault.__cause__):
                raise

    async def start_setup(self, request: SetupRequest) -> SetupState:
        """Create a setup intent, and confirm it where it is known what is saved."""
        params: _Object = {
            "customer": request.customer_ref,
            "usage": "off_session",
            "allowed_payment_method_types": ["card"],
            "metadata": {
                "tenant_id": request.tenant_id,
                "customer_id": str(request.customer_id),
                "setup_id": str(request.setup_id),
            },
            "expand": ["payment_method"],
        }
        if request.payment_method:
            params |= {"confirm": True, "payment_method": request.payment_method}
            if return_url := request.return_url or self._account.return_url:
                params["return_url"] = return_url
        try:
            return _state(await self._sent("post", "/v1/setup_intents", params, key=str(request.setup_id)))
        except stripe.CardError as fault:
            # The error shows the setup intent as it stands now: another card may be tried with it.
            body: Any = fault.json_body
            found = (body.get("error") or {}).get("setup_intent") if isinstance(body, dict) else None
            if isinstance(found, dict) and found.get("id"):
                return _state(found)
            raise SetupRefused(sentence(fault.user_message)) from fault
        except stripe.InvalidRequestError as fault:
            param = str(fault.param or "")
            pointer = f"/{param}" if param in {"payment_method", "return_url"} else ""
            what = sentence(fault.user_message)
            raise SetupRefused(what, errors=((pointer, what),) if pointer else ()) from fault
        except (stripe.StripeError, aiohttp.ClientError, OSError, TimeoutError) as fault:
            raise _unavailable("/v1/setup_intents", fault) from fault

    async def read_setup(self, ref: str) -> SetupState:
        """Read a setup intent with its payment method."""
        path = f"/v1/setup_intents/{quote(ref, safe='')}"
        found = await self._call("get", path, {"expand": ["payment_method"]})
        method = found.get("payment_method")
        if isinstance(method, dict) and not method.get("customer"):
            # Detached since, for good: nothing can be charged to it.
            found = found | {"payment_method": None}
        return _state(found)

    async def detach(self, ref: str) -> None:
        """Detach a payment method from its customer; it can never be used again."""
        path = f"/v1/payment_methods/{quote(ref, safe='')}/detach"
        try:
            await self._call("post", path, {})
        except ProcessorUnavailable as fault:
            # Refused where it is detached already, and in no other words than a sentence: it is read.
            if isinstance(fault.__cause__, stripe.InvalidRequestError) and not await self._is_attached(ref):
                return
            raise

    async def _is_attached(self, ref: str) -> bool:
        try:
            return bool((await self._call("get", f"/v1/payment_methods/{quote(ref, safe='')}", {})).get("customer"))
        except ProcessorUnavailable as fault:
            if _is_missing(fault.__cause__):
                return False
            raise

    async def _call(self, method: str, path: str, params: _Object, *, key: str = "", member: str = "id") -> _Object:
        try:
            return await self._sent(method, path, params, key=key, member=member)
        except (stripe.StripeError, aiohttp.ClientError, OSError, TimeoutError) as fault:
            raise _unavailable(path, fault) from fault

    async def _sent(self, method: str, path: str, params: _Object, *, key: str = "", member: str = "id") -> _Object:
        endpoint = endpoint_of(method, path)
        await self._turn(endpoint)
        options = {"idempotency_key": key} if key else {}
        async with asyncio.timeout(_CALL_SECONDS):
            try:
                answered: Any = (await self._client.raw_request_async(method, path, **params, **options)).data
            except stripe.RateLimitError as fault:
                report_limit(fault, self._limited, endpoint=endpoint)
                raise
        if not isinstance(answered, dict) or answered.get(member) is None:
            raise stripe.APIError("the answer is another object than was requested")
        return answered


def _state(found: _Object) -> SetupState:
    status = _STATUSES.get(str(found["status"]), SetupStatus.PROCESSING)
    method, error = found.get("payment_method"), found.get("last_setup_error") or {}
    action = found.get("next_action") or {}
    is_failed = status is SetupStatus.REQUIRES_PAYMENT_METHOD and bool(error)
    return SetupState(
        ref=str(found["id"]),
        status=status,
        method=_kept(method) if status is SetupStatus.SUCCEEDED and isinstance(method, dict) else None,
        failure_code=str(error.get("decline_code") or error.get("code") or "declined") if is_failed else "",
        failure_message=sentence(error.get("message"))[:_FAILURE_MAX] if is_failed else "",
        action_url=str((action.get("redirect_to_url") or {}).get("url") or ""),
        client_secret="" if status.is_over else str(found.get("client_secret") or ""),
    )


def _kept(method: _Object) -> KeptMethod:
    card = method.get("card") or {}
    return KeptMethod(
        ref=str(method["id"]),
        type=str(method["type"]),
        brand=str(card.get("brand") or ""),
        last4=str(card.get("last4") or ""),
        exp_month=int(card.get("exp_month") or 0),
        exp_year=int(card.get("exp_year") or 0),
    )


def _is_missing(fault: BaseException | None) -> bool:
    return isinstance(fault, stripe.InvalidRequestError) and error_code(fault) == MISSING


def _unavailable(path: str, fault: Exception) -> ProcessorUnavailable:
    return ProcessorUnavailable(f"{path} is not answered: {type(fault).__name__}")
