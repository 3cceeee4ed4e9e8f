"""A raw server in Stripe's place that gives each API key the answer that a test has written for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.support.ports import free_port
from tests.support.stripe_answers import Reply, State

AMOUNT = 15_050
"""The amount of every payment, in minor units."""
WAIT_SECONDS = 40
"""What `Retry-After` says."""
_HANG_SECONDS = 30.0
"""How long an answer takes that comes too late; whoever called has gone by then."""
_CREATED = 1_790_000_000

_STATUSES = {
    State.HELD: "requires_capture",
    State.OTHER_AMOUNT: "succeeded",
    State.EXPIRED: "canceled",
    State.NEW: "settling",
}
"""Stripe's word for a state, where it is another one."""

_ERRORS: dict[Reply, tuple[int, dict[str, str], dict[str, str]]] = {
    Reply.BAD_REQUEST: (400, {"type": "invalid_request_error", "code": "parameter_invalid_empty"}, {}),
    Reply.KEY_REUSED: (400, {"type": "idempotency_error"}, {}),
    Reply.UNAUTHORIZED: (401, {"type": "invalid_request_error", "code": "api_key_expired"}, {}),
    Reply.DECLINE: (402, {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor"}, {}),
    Reply.FORBIDDEN: (403, {"type": "invalid_request_error", "code": "more_permissions_required"}, {}),
    Reply.MISSING: (404, {"type": "invalid_request_error", "code": "resource_missing"}, {}),
    Reply.KEY_IN_USE: (409, {"type": "idempotency_error", "code": "idempotency_key_in_use"}, {}),
    Reply.LOCKED: (409, {"type": "invalid_request_error", "code": "lock_timeout"}, {}),
    Reply.CONFLICT: (409, {"type": "invalid_request_error"}, {}),
    Reply.CONFLICT_RETRY: (409, {"type": "invalid_request_error"}, {"Stripe-Should-Retry": "true"}),
    Reply.RATE_LIMIT: (429, {"type": "rate_limit_error", "code": "rate_limit"}, {}),
    Reply.RATE_LIMIT_WAIT: (429, {"type": "rate_limit_error"}, {"Retry-After": str(WAIT_SECONDS)}),
    Reply.ENDPOINT_LIMIT: (429, {"type": "rate_limit_error"}, {"Stripe-Rate-Limited-Reason": "endpoint-rate"}),
    Reply.LOCK_TIMEOUT: (429, {"type": "invalid_request_error", "code": "lock_timeout"}, {}),
    Reply.ERROR: (500, {"type": "api_error"}, {}),
    Reply.ERROR_RETRY: (500, {"type": "api_error"}, {"Stripe-Should-Retry": "true"}),
    Reply.ERROR_KEPT: (500, {"type": "api_error"}, {"Stripe-Should-Retry": "false"}),
    Reply.DOWN: (503, {"type": "api_error"}, {}),
    Reply.DOWN_WAIT: (503, {"type": "api_error"}, {"Retry-After": str(WAIT_SECONDS)}),
}


class Script:
    """What the account of one API key answers, and what it was called for."""

    def __init__(self, *, refund_id: str = "") -> None:
        self.refund_id = refund_id
        self.reply = Reply.OK
        self.state = State.TAKEN
        self.reads: Reply | None = None
        """What a reading is answered; None: what a call is, or 200 after an error of a call."""
        self.called: list[tuple[str, str]] = []
        """The method and the path of each request."""
        self.keys: list[str] = []
        """The idempotency key of each call."""

    @property
    def reading(self) -> Reply:
        """What a reading is answered."""
        if self.reads is not None:
            return self.reads
        return Reply.ERROR if self.state is State.UNREADABLE else Reply.OK

    def intent(self, reference: str) -> dict[str, Any]:
        """The payment intent in the state that is set."""
        is_other = self.state is State.OTHER_AMOUNT
        return {
            "id": reference,
            "object": "payment_intent",
            "status": _STATUSES.get(self.state, self.state),
            "amount": AMOUNT + is_other,
            "amount_received": AMOUNT - is_other if self.state in {State.TAKEN, State.OTHER_AMOUNT} else 0,
            "currency": "brl",
            "created": _CREATED,
            "canceled_at": _CREATED if self.state in {State.CANCELED, State.EXPIRED} else None,
            "cancellation_reason": "expired" if self.state is State.EXPIRED else None,
            "latest_charge": None,
            "last_payment_error": {"code": "card_declined", "message": "Your card was declined."},
            "metadata": {},
        }

    def refund(self) -> dict[str, Any]:
        """The refund in the state that is set."""
        return {
            "id": "re_1",
            "object": "refund",
            "status": _STATUSES.get(self.state, self.state),
            "amount": AMOUNT + (self.state is State.OTHER_AMOUNT),
            "currency": "brl",
            "created": _CREATED,
            "metadata": {"refund_id": self.refund_id},
        }

    def found(self, path: str) -> dict[str, Any]:
        """What is at a path: an object, or the list that it stands in."""
        parts = path.removeprefix("/v1/").split("/")
        if parts[0] == "refunds":
            one = self.refund()
            is_list = len(parts) == 1
        else:
            one = self.intent("pi_1")
            is_list = parts[-1] == "search"
        if not is_list:
            return one
        return {"object": "list", "has_more": False, "data": [] if self.state is State.ABSENT else [one]}

    def answered(self, path: str) -> dict[str, Any]:
        """What a call makes or changes."""
        return self.refund() if path.startswith("/v1/refunds") else self.intent("pi_1")


class ScriptedStripe:
    """The server's side of all scripts."""

    def __init__(self) -> None:
        self.url = ""
        self.scripts: dict[str, Script] = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request as its key's script has it."""
        script = self.scripts[request.headers["Authorization"].removeprefix("Bearer ")]
        await request.read()
        script.called.append((request.method, request.path))
        is_call = request.method == "POST"
        if is_call:
            script.keys.append(request.headers["Idempotency-Key"])
        reply = script.reply if is_call else script.reading
        shown = script.answered(request.path) if is_call else script.found(request.path)
        return await _answer(request, reply, json.dumps(shown).encode())


async def _answer(request: web.Request, reply: Reply, shown: bytes) -> web.StreamResponse:
    if reply in _ERRORS:
        status, error, headers = _ERRORS[reply]
        return web.json_response({"error": {"message": "No", **error}}, status=status, headers=headers)
    transport = request.transport
    assert transport is not None
    match reply:
        case Reply.OK:
            return web.Response(body=shown, content_type="application/json")
        case Reply.MALFORMED:
            return web.Response(body=shown[:-2], content_type="application/json")
        case Reply.SHAPELESS:
            return web.json_response({"object": "event", "data": {}})
        case Reply.TIMEOUT:
            await asyncio.sleep(_HANG_SECONDS)
        case Reply.CUT:
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + shown)
            # Closed, not aborted: what was written still arrives.
            transport.close()
        case _:
            transport.abort()
    return web.Response()


@asynccontextmanager
async def running_scripted_stripe() -> AsyncIterator[ScriptedStripe]:
    """Serve until the block ends."""
    stripe = ScriptedStripe()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", stripe.serve)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    stripe.url = f"http://127.0.0.1:{port}"
    try:
        yield stripe
    finally:
        await runner.cleanup()
