"""The server: who asks, under which key, what befalls the request, and the answer as Stripe sends it."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import BasicAuth, web

from deploy.fake_stripe.books import API_VERSION, Books
from deploy.fake_stripe.faults import Fault, FaultKind, Faults
from deploy.fake_stripe.forms import nested
from deploy.fake_stripe.idempotency import Answer, Keys
from deploy.fake_stripe.refusals import Refusal
from deploy.fake_stripe.routes import ROUTES, Handler
from deploy.fake_stripe.webhooks import Mischief, Sender

_HTML = "<html><body>Bad Gateway</body></html>"
_BACKLOG = 1024


class FakeStripe:
    """A server with any number of accounts: each secret key that begins with `sk_test_` or `rk_test_` is one."""

    def __init__(self, *, seed: int = 0, latency_seconds: float = 0.0) -> None:
        self.faults = Faults(seed=seed)
        self.sender = Sender(seed=seed)
        self.latency_seconds = latency_seconds
        """How long every call of the API takes."""
        self.url = ""
        self._accounts: dict[str, Books] = {}
        self._keys = Keys()

    def account(self, api_key: str) -> Books:
        """The account of a key, opened when it is first used."""
        if api_key not in self._accounts:
            self._accounts[api_key] = Books(api_key, self.sender.announce)
        return self._accounts[api_key]

    def add_key(self, api_key: str, *, of: str) -> None:
        """Let a further key open the account of another one."""
        self._accounts[api_key] = self.account(of)

    def application(self) -> web.Application:
        """Build the application."""
        application = web.Application(client_max_size=2**20)
        for method, path, handler in ROUTES:
            application.router.add_route(method, path, self._serving(handler))
        application.router.add_post("/_control/faults", self._add_fault)
        application.router.add_delete("/_control/faults", self._clear_faults)
        application.router.add_post("/_control/mischief", self._change_mischief)
        application.router.add_route("*", "/{rest:.*}", self._unknown)
        return application

    def _serving(self, handler: Handler) -> Any:
        async def serve(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            params = nested([*request.query.items(), *parse_qsl(raw.decode(), keep_blank_values=True)])
            if request.path.startswith("/_control"):
                return _rendered(await self._answer(request, handler, params, raw, None))
            fault = self.faults.draw(method=request.method, path=request.path, params=params)
            if fault is not None and (early := _instead(request, fault)) is not None:
                return early
            answer = await self._answer(request, handler, params, raw, fault)
            if fault is not None and fault.kind is FaultKind.DROP_AFTER:
                return _cut(request)
            if fault is not None and fault.kind is FaultKind.HANG_AFTER:
                await asyncio.sleep(fault.seconds)
            return _rendered(answer)

        return serve

    async def _answer(
        self, request: web.Request, handler: Handler, params: dict[str, Any], raw: bytes, fault: Fault | None
    ) -> Answer:
        """Answer one request; its key is taken before it takes its time, as Stripe does."""
        try:
            api_key = _api_key(request)
            key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
            if key and (known := self._keys.begin(api_key, key, path=request.path, raw=raw)) is not None:
                return known
            if not request.path.startswith("/_control"):
                slow = fault.seconds if fault is not None and fault.kind is FaultKind.SLOW else 0.0
                await asyncio.sleep(self.latency_seconds + slow)
            return self._execute(request, handler, params, api_key=api_key, key=key, fault=fault)
        except Refusal as refusal:
            return Answer(status=refusal.status, body=refusal.body, headers=refusal.headers)

    def _execute(
        self,
        request: web.Request,
        handler: Handler,
        params: dict[str, Any],
        *,
        api_key: str,
        key: str,
        fault: Fault | None,
    ) -> Answer:
        """Run one request without giving way to another, and keep its answer under its key."""
        books = self.account(api_key)
        if fault is not None and fault.card and "payment_method" in params:
            params["payment_method"] = fault.card
        try:
            shown = handler(books, dict(request.match_info), params)
            answer = Answer(status=200, body=_public(books, shown, list(params.get("expand") or [])))
        except Refusal as refusal:
            if key and not refusal.is_executed:
                self._keys.let_go(api_key, key)
                raise
            answer = Answer(status=refusal.status, body=refusal.body, headers=refusal.headers)
        if fault is not None and fault.kind is FaultKind.ERROR_AFTER:
            error = {"type": "api_error", "message": "Sorry! There was an error. We have been notified."}
            answer = Answer(status=500, body={"error": error}, headers={"Stripe-Should-Retry": "false"})
        # A copy as of now: what a key keeps does not follow the object.
        answer.body = json.loads(json.dumps(answer.body))
        if key:
            self._keys.keep(api_key, key, answer)
        return answer

    async def _add_fault(self, request: web.Request) -> web.StreamResponse:
        self.faults.add(msgspec.json.decode(await request.read(), type=Fault))
        return _rendered(Answer(status=200, body={"met": self.faults.met}))

    async def _clear_faults(self, _: web.Request) -> web.StreamResponse:
        self.faults.clear()
        return _rendered(Answer(status=200, body={"met": self.faults.met}))

    async def _change_mischief(self, request: web.Request) -> web.StreamResponse:
        self.sender.mischief = msgspec.json.decode(await request.read(), type=Mischief)
        return _rendered(Answer(status=200, body={}))

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        return _rendered(Answer(status=404, body={"error": {"type": "invalid_request_error", "message": message}}))


def _instead(request: web.Request, fault: Fault) -> web.StreamResponse | None:
    """What is answered although nothing runs; None when the request runs."""
    match fault.kind:
        case FaultKind.DROP_BEFORE:
            return _cut(request)
        case FaultKind.ERROR_BEFORE:
            return web.Response(status=fault.status, text=_HTML, content_type="text/html")
        case FaultKind.RATE_LIMIT:
            error = {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}
            return _rendered(Answer(status=429, body={"error": error}, headers={"Retry-After": f"{fault.seconds:g}"}))
        case FaultKind.LOCK_TIMEOUT:
            error = {"type": "invalid_request_error", "code": "lock_timeout", "message": "The object is in use."}
            return _rendered(Answer(status=409, body={"error": error}, headers={"Stripe-Should-Retry": "true"}))
        case _:
            return None


def _api_key(request: web.Request) -> str:
    given = request.headers.get("Authorization", "")
    try:
        key = BasicAuth.decode(given).login if given.startswith("Basic ") else given.removeprefix("Bearer ")
    except ValueError:
        key = ""
    if not key.startswith(("sk_test_", "rk_test_")):
        raise Refusal(401, "Invalid API Key provided.", is_executed=False)
    return key


def _public(books: Books, shown: dict[str, Any], expand: list[str]) -> dict[str, Any]:
    names = [path for path in expand if not path.startswith("data.")]
    copy = books.expanded(shown, names)
    if inner := [path.removeprefix("data.") for path in expand if path.startswith("data.")]:
        copy["data"] = [books.expanded(each, inner) for each in copy.get("data", [])]
    return {name: value for name, value in copy.items() if not name.startswith("_")}


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _rendered(answer: Answer) -> web.StreamResponse:
    headers = {"Request-Id": f"req_{secrets.token_hex(7)}", "Stripe-Version": API_VERSION} | answer.headers
    body = json.dumps(answer.body, indent=2).encode()
    return web.Response(status=answer.status, body=body, content_type="application/json", headers=headers)


@asynccontextmanager
async def running_fake_stripe(
    *, port: int = 0, seed: int = 0, latency_seconds: float = 0.0
) -> AsyncIterator[FakeStripe]:
    """Serve a fake Stripe on loopback until the block ends."""
    fake = FakeStripe(seed=seed, latency_seconds=latency_seconds)
    runner = web.AppRunner(fake.application(), access_log=None)
    await runner.setup()
    await fake.sender.open()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=_BACKLOG).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield fake
    finally:
        await fake.sender.close()
        await runner.cleanup()
