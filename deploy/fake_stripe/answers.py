"""What is sent back: as Stripe sends it, late, cut off, or instead of an answer."""

import asyncio
import json
import secrets

from aiohttp import web

from deploy.fake_stripe.faults import Fault, FaultKind
from deploy.fake_stripe.idempotency import Answer, key_in_use
from deploy.fake_stripe.refusals import Refusal
from deploy.fake_stripe.settings import API_VERSION

_HTML = "<html><body>Bad Gateway</body></html>"


def request_id() -> str:
    """Mint the id of a request."""
    return f"req_{secrets.token_hex(7)}"


def refused(refusal: Refusal) -> Answer:
    """The answer that a refusal is."""
    return Answer(status=refusal.status, body=refusal.body, headers=refusal.headers)


def instead(fault: Fault) -> Answer | None:
    """What Stripe answers although nothing ran; None where the fault is of another kind."""
    retry = {} if fault.should_retry is None else {"Stripe-Should-Retry": str(fault.should_retry).lower()}
    wait = {"Retry-After": f"{fault.seconds:g}"}
    match fault.kind:
        case FaultKind.RATE_LIMIT | FaultKind.ENDPOINT_LIMIT:
            limit = "global-rate" if fault.kind is FaultKind.RATE_LIMIT else "endpoint-rate"
            headers = wait | {"Stripe-Rate-Limited-Reason": limit} | retry
            return refused(Refusal(429, "Request rate limit exceeded.", code="rate_limit", headers=headers))
        case FaultKind.LOCK_TIMEOUT:
            message = (
                "This object cannot be accessed right now because another API request or Stripe process is currently "
                "accessing it. If you see this error intermittently, retry the request. If you see this error frequently "
                "and are making multiple concurrent requests to a single object, make your requests serially or at a lower "
                "rate."
            )
            return refused(Refusal(429, message, code="lock_timeout", headers=retry))
        case FaultKind.KEY_IN_USE:
            return refused(key_in_use())
        case FaultKind.UNAUTHORIZED:
            return refused(Refusal(401, "Expired API Key provided.", code="api_key_expired", headers=retry))
        case FaultKind.FORBIDDEN:
            message = "The provided key does not have the required permissions for this endpoint."
            return refused(Refusal(403, message, headers=retry))
        case _:
            return None


def broken(fault: Fault) -> Answer:
    """The 500 after the request has run."""
    error = {
        "type": "api_error",
        "message": "Sorry! There was an error while talking to one of our backends. We have been notified.",
    }
    should_retry = "true" if fault.should_retry else "false"
    return Answer(status=500, body={"error": error}, headers={"Stripe-Should-Retry": should_retry})


def html(fault: Fault) -> web.StreamResponse:
    """What a broken load balancer answers."""
    return web.Response(status=fault.status, text=_HTML, content_type="text/html")


def cut(request: web.Request) -> web.StreamResponse:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def cut_within(request: web.Request, answer: Answer, *, at_byte: int) -> web.StreamResponse:
    """Send the first bytes of an answer, headers included, and end the connection."""
    body = _body(answer)
    lines = [f"HTTP/1.1 {answer.status} X", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    whole = ("\r\n".join([*lines, *(f"{n}: {v}" for n, v in answer.headers.items())]) + "\r\n\r\n").encode() + body
    transport = request.transport
    if transport is not None:
        transport.write(whole[:at_byte])
        # Closed, not aborted: what was written still arrives.
        transport.close()
        await asyncio.sleep(0)
    return web.Response()


def rendered(answer: Answer, *, request_id: str = "", version: str = API_VERSION) -> web.StreamResponse:
    """An answer as Stripe sends it."""
    headers = {"Request-Id": request_id, "Stripe-Version": version} | answer.headers
    return web.Response(status=answer.status, body=_body(answer), content_type="application/json", headers=headers)


def _body(answer: Answer) -> bytes:
    return json.dumps(answer.body, indent=2).encode()
