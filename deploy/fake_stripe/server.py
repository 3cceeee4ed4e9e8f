"""The server: whose key it is, what befalls the request, what it does, and which answer its key keeps."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import BasicAuth, web

from deploy.fake_stripe import answers
from deploy.fake_stripe.accounts import Account, Accounts, permit
from deploy.fake_stripe.books import Books, Cause, shown
from deploy.fake_stripe.clock import Clock
from deploy.fake_stripe.controls import CONTROLS, change_settings
from deploy.fake_stripe.faults import Fault, FaultKind, Faults
from deploy.fake_stripe.forms import integer, nested
from deploy.fake_stripe.idempotency import Answer, Keys
from deploy.fake_stripe.lists import expanded
from deploy.fake_stripe.pages import PAGE, customer_page
from deploy.fake_stripe.refusals import Refusal, invalid
from deploy.fake_stripe.routes import ROUTES, Handler, Route
from deploy.fake_stripe.settings import Settings
from deploy.fake_stripe.webhooks import Mischief, Sender

_BACKLOG = 1024
_TICK_SECONDS = 1.0
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z_]+)?\Z")


class FakeStripe:
    """A server with any number of accounts: each unknown `sk_test_...` or `rk_test_...` is the key of a new one."""

    def __init__(self, *, seed: int = 0, latency_seconds: float = 0.0, behind_seconds: int = 0) -> None:
        self.clock = Clock(behind_seconds=behind_seconds)
        """The stand-in's time; `clock.advance` turns it forward."""
        self.faults = Faults(seed=seed)
        self.sender = Sender(seed=seed)
        self.latency_seconds = latency_seconds
        """How long every call of the API takes."""
        self.url = ""
        self._accounts = Accounts(clock=self.clock, announce=self.sender.announce)
        self._keys = Keys()

    def account(self, api_key: str) -> Books:
        """The account of a key in the key's mode, opened when it is first used."""
        return self._accounts.open(api_key).books

    def add_key(self, api_key: str, *, of: str, permissions: frozenset[str] | None = None) -> Books:
        """Let a further key open the account of another one, in the mode that its name tells.

        `permissions` (`charge_read`, `payment_intent_write`) restrict it; None: it may do everything.
        """
        return self._accounts.add_key(api_key, of=of, permissions=permissions)

    def connect(self, api_key: str, *, to: str) -> Books:
        """Connect the account of a key to the platform of another one; returns its test mode."""
        return self._accounts.connect(api_key, to=to)

    def expire_key(self, api_key: str) -> None:
        """Let a key open nothing any more, as after it was rolled."""
        self._accounts.expire_key(api_key)

    def settings(self, api_key: str) -> Settings:
        """The settings of a key's account."""
        return self._whole(api_key).settings

    def _whole(self, api_key: str) -> Account:
        return self._accounts.of(self.account(api_key))

    def application(self) -> web.Application:
        """Build the application."""
        application = web.Application(client_max_size=2**20)
        for route in ROUTES:
            application.router.add_route(route.method, route.path, self._serving(route))
        for path, handler in CONTROLS:
            application.router.add_post(path, self._controlling(handler))
        for method, path, act in (
            ("POST", "/_control/faults", self._add_fault),
            ("DELETE", "/_control/faults", self._clear_faults),
            ("POST", "/_control/mischief", self._change_mischief),
            ("POST", "/_control/clock", self._turn_clock),
            ("POST", "/_control/account", self._change_account),
            ("POST", "/_control/keys", self._change_key),
        ):
            application.router.add_route(method, path, _guarded(act))
        for method in ("GET", "POST"):
            application.router.add_route(method, PAGE, customer_page(self._accounts, self.clock))
        application.router.add_route("*", "/{rest:.*}", self._unknown)
        return application

    def _serving(self, route: Route) -> Any:
        async def serve(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            identifier = answers.request_id()
            try:
                params = _json(request, raw) if request.path.startswith("/v2/") else _fields(request, raw)
            except Refusal as refusal:
                return answers.rendered(answers.refused(refusal), request_id=identifier)
            fault = self.faults.draw(method=request.method, path=request.path, params=params)
            if fault is not None and (early := _instead(request, fault, identifier)) is not None:
                return early
            version = request.headers.get("Stripe-Version", "")
            answer = await self._answer(request, route, params, raw, fault, identifier=identifier)
            if fault is not None and fault.kind is FaultKind.DROP_AFTER:
                return answers.cut(request)
            if fault is not None and fault.kind is FaultKind.DROP_WITHIN:
                return await answers.cut_within(request, answer, at_byte=fault.at_byte)
            if fault is not None and fault.kind is FaultKind.HANG_AFTER:
                await asyncio.sleep(fault.seconds)
            return answers.rendered(answer, request_id=identifier, **({"version": version} if version else {}))

        return serve

    async def _answer(
        self,
        request: web.Request,
        route: Route,
        params: dict[str, Any],
        raw: bytes,
        fault: Fault | None,
        *,
        identifier: str,
    ) -> Answer:
        """Answer one request; its key is taken before it takes its time, as Stripe does."""
        try:
            api_key = _api_key(request)
            opened = self._accounts.open(api_key)
            books = self._accounts.acting_for(opened.books, request.headers.get("Stripe-Account"))
            permit(opened, api_key, method=request.method, path=request.path)
            cause = _cause(request, identifier)
            # One account and mode share their keys, however many API keys there are.
            space = f"{books.account_id}:{books.livemode}"
            key = cause.idempotency_key or ""
            now = self.clock.now()
            if key and (known := self._keys.begin(space, key, path=request.path, raw=raw, now=now)) is not None:
                return known
            slow = fault.seconds if fault is not None and fault.kind is FaultKind.SLOW else 0.0
            await asyncio.sleep(self.latency_seconds + slow)
            self.clock.run_due()
            books.cause = cause
            books.pages = f"http://{request.host}"
            try:
                answer = _executed(books, route, dict(request.match_info), params, fault)
            except Refusal as refusal:
                if key:
                    self._keys.let_go(space, key)
                return answers.refused(refusal)
            finally:
                books.cause = Cause()
            if key:
                self._keys.keep(space, key, answer)
            return answer
        except Refusal as refusal:
            return answers.refused(refusal)

    def _controlling(self, handler: Handler) -> Any:
        async def serve(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            try:
                params = _fields(request, raw)
                books = self._accounts.acting_for(
                    self.account(_api_key(request)), request.headers.get("Stripe-Account")
                )
                self.clock.run_due()
                done = handler(books, dict(request.match_info), params)
                return answers.rendered(Answer(status=200, body=shown(done)))
            except Refusal as refusal:
                return answers.rendered(answers.refused(refusal))

        return serve

    async def _add_fault(self, request: web.Request) -> Any:
        self.faults.add(msgspec.json.decode(await request.read(), type=Fault))
        return {"met": self.faults.met}

    async def _clear_faults(self, _: web.Request) -> Any:
        self.faults.clear()
        return {"met": self.faults.met}

    async def _change_mischief(self, request: web.Request) -> Any:
        self.sender.mischief = msgspec.json.decode(await request.read(), type=Mischief)
        return {}

    async def _turn_clock(self, request: web.Request) -> Any:
        params = nested(parse_qsl((await request.read()).decode()))
        seconds = integer(params, "seconds", default=0)
        if seconds < 0:
            raise invalid("The clock is only turned forward.", param="seconds")
        return {"now": self.clock.advance(seconds)}

    async def _change_account(self, request: web.Request) -> Any:
        books = self.account(_api_key(request))
        return msgspec.to_builtins(change_settings(books, await request.read()))

    async def _change_key(self, request: web.Request) -> Any:
        """Add a key to the account of the caller's (`add`, `permissions[]`), let one expire (`expire`), or connect its account
        to that of the caller (`connect`)."""
        params = nested(parse_qsl((await request.read()).decode()))
        own = _api_key(request)
        if "expire" in params:
            self.expire_key(str(params["expire"]))
            return {}
        if "connect" in params:
            return {"account": self.connect(str(params["connect"]), to=own).account_id}
        given = params.get("permissions")
        permissions = frozenset(given) if isinstance(given, list) else None
        try:
            books = self.add_key(str(params.get("add", "")), of=own, permissions=permissions)
        except ValueError as fault:
            raise invalid(str(fault), param="add") from fault
        return {"account": books.account_id, "livemode": books.livemode}

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        message = (
            f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs or we can "
            "help at https://support.stripe.com/."
        )
        return answers.rendered(
            Answer(status=404, body={"error": {"type": "invalid_request_error", "message": message}})
        )


def _fields(request: web.Request, raw: bytes) -> dict[str, Any]:
    return nested([*request.query.items(), *parse_qsl(raw.decode(errors="replace"), keep_blank_values=True)])


def _json(request: web.Request, raw: bytes) -> dict[str, Any]:
    """Read the parameters of the second API, whose bodies are JSON."""
    try:
        body = msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
    except msgspec.MsgspecError as fault:
        raise invalid("Invalid JSON", param="") from fault
    return nested(request.query.items()) | body


def _guarded(act: Callable[[web.Request], Any]) -> Any:
    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return answers.rendered(Answer(status=200, body=await act(request)))
        except Refusal as refusal:
            return answers.rendered(answers.refused(refusal))
        except msgspec.MsgspecError as fault:
            return answers.rendered(answers.refused(invalid(str(fault), param="")))

    return serve


def _instead(request: web.Request, fault: Fault, identifier: str) -> web.StreamResponse | None:
    """What the caller receives although nothing runs; None when the request runs."""
    if fault.kind is FaultKind.DROP_BEFORE:
        return answers.cut(request)
    if fault.kind is FaultKind.ERROR_BEFORE:
        return answers.html(fault)
    answer = answers.instead(fault)
    return None if answer is None else answers.rendered(answer, request_id=identifier)


def _executed(books: Books, route: Route, path: dict[str, str], params: dict[str, Any], fault: Fault | None) -> Answer:
    """Run one request without giving way to another.

    Raises:
        Refusal: where nothing ran, so that no key keeps the answer.
    """
    if fault is not None and fault.card and "payment_method" in params:
        params["payment_method"] = fault.card
    try:
        route.check(params)
        if fault is not None and fault.kind is FaultKind.CARD_ERROR:
            message = "Your card was declined."
            raise Refusal(402, message, kind="card_error", code=fault.code, decline_code=fault.decline_code)
        done = route.handler(books, path, params)
        # A copy as of now: what a key keeps does not follow the object.
        answer = Answer(status=200, body=shown(expanded(books, done, params.get("expand", []))))
    except Refusal as refusal:
        if not refusal.is_executed:
            raise
        refusal.body = shown(refusal.body)
        answer = answers.refused(refusal)
    return answers.broken(fault) if fault is not None and fault.kind is FaultKind.ERROR_AFTER else answer


def _cause(request: web.Request, identifier: str) -> Cause:
    version = request.headers.get("Stripe-Version", "")
    if version and not _VERSION.match(version):
        message = f"Invalid Stripe API version: {version}. API versions must be in the format YYYY-MM-DD."
        raise Refusal(400, message, is_executed=False)
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    return Cause(request_id=identifier, idempotency_key=key or None, version=version)


def _api_key(request: web.Request) -> str:
    given = request.headers.get("Authorization", "")
    try:
        key = BasicAuth.decode(given).login if given.startswith("Basic ") else given.removeprefix("Bearer ")
    except ValueError:
        key = ""
    if not key:
        message = "You did not provide an API key. You need to provide your API key in the Authorization header."
        raise Refusal(401, message, is_executed=False)
    return key


@asynccontextmanager
async def running_fake_stripe(
    *, port: int = 0, seed: int = 0, latency_seconds: float = 0.0, behind_seconds: int = 0
) -> AsyncIterator[FakeStripe]:
    """Serve a fake Stripe on loopback until the block ends; `behind_seconds` starts its clock in the past."""
    fake = FakeStripe(seed=seed, latency_seconds=latency_seconds, behind_seconds=behind_seconds)
    runner = web.AppRunner(fake.application(), access_log=None)
    await runner.setup()
    await fake.sender.open()
    ticking = asyncio.create_task(_tick(fake))
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=_BACKLOG).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield fake
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await fake.sender.close()
        await runner.cleanup()


async def _tick(fake: FakeStripe) -> None:
    """Do what becomes due while nobody calls."""
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        fake.clock.run_due()
