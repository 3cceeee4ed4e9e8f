"""The console's routes with the API at its port: what is requested of it is kept, and its answers are chosen by the test."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from litestar import Litestar

from services.api.access import Session as Token
from services.api.console import (
    Attempts,
    Changes,
    Console,
    Ended,
    Entrance,
    Inside,
    Operations,
    ProviderEntrance,
    Sessions,
    console_routes,
)
from services.api.console.sessions import COOKIE, Session
from services.api.errors import StoreUnavailable
from services.api.http.callers import Principal
from services.api.identity_providers import Attempt, Begun
from services.api.routing import RESOURCES, document

NOW = datetime(2026, 11, 30, tzinfo=UTC)
KEY = base64.b64encode(bytes(32)).decode()
SESSIONS, ATTEMPTS = Sessions(KEY), Attempts(KEY)
OPERATIONS = Operations(RESOURCES, lambda: document(RESOURCES))


class Sent(msgspec.Struct, kw_only=True):
    """A request that has reached the API."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


class Providers:
    """The identity providers of tenants: what reaches them is kept, and what comes of it is chosen by the test."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.begun: list[tuple[str, str]] = []
        self.completed: list[tuple[Attempt | None, dict[str, str], str]] = []

    async def begin(self, tenant_id: str, *, host: str, next_: str, address: str) -> Begun:
        """Begin a login at a provider, for whom it is another host."""
        if self.fault is not None:
            raise self.fault
        self.begun.append((tenant_id, host))
        attempt = Attempt(
            tenant_id=tenant_id,
            issuer="https://login.example",
            client_id="payments",
            state="state",
            nonce="nonce",
            verifier="verifier",
            redirect_uri=f"{host}/console/login/callback/a",
            next=next_,
            ends_at=int(NOW.timestamp()) + 60,
        )
        return Begun(address="https://login.example/authorize?client_id=payments&state=state", attempt=attempt)

    async def complete(
        self, attempt: Attempt | None, query: Mapping[str, str], *, path: str, address: str
    ) -> tuple[Token, str]:
        """Let in whoever comes, unless a fault is chosen."""
        self.completed.append((attempt, dict(query), path))
        if self.fault is not None:
            raise self.fault
        return Token(access_token="t", expires_in=60), "" if attempt is None else attempt.next


class Seat:
    """Somebody at a browser, who has logged in."""

    def __init__(self, *, is_operator: bool = True, csrf: str = "csrf") -> None:
        self.sent: list[Sent] = []
        self.kept: dict[str, bytes] = {}
        self.is_memory_away = False
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        """Status and JSON by method and path; anything else is not found."""
        self.identify: Callable[[str], Principal] = lambda _: Principal(
            sub="ops", tid="*" if is_operator else "a", roles=("admin",), perms=frozenset(), plan="", region="", jti="j"
        )
        inside = Inside()
        inside.enclose(self._api)
        entrance = Entrance(
            inside=inside,
            operations=OPERATIONS,
            sessions=SESSIONS,
            ended=Ended(self),
            permits=self._permits,
            identify=self._identify,
            clock=self,
            is_local=False,
        )
        self.providers = Providers()
        providers = ProviderEntrance(entrance, logins=self.providers, attempts=ATTEMPTS, is_local=False)
        changes = Changes(self._look, streams_max=1)
        self._app = Litestar(console_routes(entrance, providers, Console(OPERATIONS), changes), openapi_config=None)
        self.session = Session(token="t.o.k", csrf=csrf, tenant_id="a", name="ops", ends_at=int(NOW.timestamp()) + 60)
        self.cookies = {COOKIE: SESSIONS.seal(self.session)}

    def now(self) -> datetime:
        """Be the clock."""
        return NOW

    async def read(self, key: str) -> bytes | None:
        """Be the memory that processes share."""
        if self.is_memory_away:
            raise StoreUnavailable("Redis does not answer")
        return self.kept.get(key)

    async def write(self, key: str, value: bytes, *, seconds: int) -> None:
        """Be the memory that processes share; nothing vanishes from it."""
        if self.is_memory_away:
            raise StoreUnavailable("Redis does not answer")
        assert seconds > 0
        self.kept[key] = value

    async def get(self, address: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Open an address."""
        return await self._request("GET", address, headers=headers)

    async def post(
        self, address: str, form: Mapping[str, str] | bytes, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a form, with the secret of the session."""
        body = form if isinstance(form, bytes) else urlencode({"_csrf": self.session.csrf, **form}).encode()
        lines = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return await self._request("POST", address, headers=lines, content=body)

    async def _request(self, method: str, address: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)  # type: ignore[arg-type]  # Litestar's own types for the same
        async with httpx.AsyncClient(transport=transport, base_url="https://console.example") as client:
            client.cookies.update(self.cookies)
            return await client.request(method, address, **more)

    async def _identify(self, token: str) -> Principal:
        return self.identify(token)

    async def _permits(self, token: str, tenant_id: str, permission: str) -> bool:
        return True

    async def _look(self, topics: Any) -> Mapping[Any, str]:
        return {}

    async def _api(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.sent.append(
            Sent(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode(),
                headers=headers,
                body=msgspec.json.decode(body) if body else None,
            )
        )
        missing = (404, {"title": "Not Found", "status": 404, "code": "not_found"})
        status, answer = self.answers.get((scope["method"], scope["path"]), missing)
        lines = [(b"retry-after", b"7")] if status in {429, 503} else []
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": msgspec.json.encode(answer)})
