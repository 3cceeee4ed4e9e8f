"""What holds for every request, around all routes: origins, sizes, time, rates, chaos and the headers of every answer."""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from time import perf_counter

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.types.asgi_types import ReceiveMessage

from libs.common.errors import PlatformError
from libs.common.settings import HttpSettings
from libs.common.web.errors import BodyTooLarge, RateLimited, RouteNotFound
from libs.common.web.problems import MEDIA_TYPE, problem_of
from services.api import metrics
from services.api.http.callers import BearerVerifier, BeforeLooking, Principal, verified
from services.api.http.chaos import Chaos
from services.api.http.errors import ChaosInjected, RequestTimeout
from services.api.http.large_bodies import LargeBodies
from services.api.http.passages import INSIDE, PassageLog, passage_of, tenant_of
from services.api.rate_limit import Count, Limit, RateLimiter
from services.api.settings import EdgeSettings, RateSettings

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
LOGIN_PATH, CHAOS_PATH, API_PREFIX = "/v1/auth/token", "/v1/admin/chaos", "/v1/"
IMPORT_PATHS = "/v1/reconciliation/imports/"
CONSOLE_PART_PATH = "/console/upload/putImportPart"
"""Where the console's page of imports sends parts of a file."""
JOURNAL_PATHS = frozenset({"/v1/ledger/entries", "/v1/ledger/proposals"})
KEYS_TOGETHER = 10
"""How many times the limit of one key all keys of a tenant may use together."""
EXPOSED = (
    "X-Correlation-Id, Retry-After, Link, Allow, Idempotency-Replayed, Preference-Applied, RateLimit, RateLimit-Policy, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Age, X-Report-Refreshed-At, X-Final-Before, "
    "Content-Disposition"
)
"""Headers that a page of another origin may read."""
_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_PREFLIGHT_SECONDS = "600"
_REFUSED_FROM = 400
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'"
)
"""Documentation pages carry one small script and style of their own; everything else is served by us."""
type Lines = tuple[tuple[bytes, bytes], ...]
"""Headers as they are sent."""
_HSTS = "max-age=31536000; includeSubDomains"


class Edge:
    """Wraps an ASGI application."""

    def __init__(
        self,
        *,
        bearers: BearerVerifier,
        limiter: RateLimiter,
        chaos: Chaos | None,
        settings: EdgeSettings,
        rates: RateSettings,
        http: HttpSettings,
        is_local: bool,
        log: PassageLog | None = None,
    ) -> None:
        """Prepare; `log` takes requests that were answered, of those who have proved who they are."""
        self.log = log
        self._bearers = bearers
        self._limiter = limiter
        self._chaos = chaos
        self._settings = settings
        self._origins = settings.cors_origins or (("*",) if is_local else ())
        self._is_local = is_local
        self._read = Limit("read", rates.rate_limit_read_per_min)
        self._write = Limit("write", rates.rate_limit_write_per_min)
        self._read_keys = Limit("read_keys", KEYS_TOGETHER * rates.rate_limit_read_per_min)
        self._write_keys = Limit("write_keys", KEYS_TOGETHER * rates.rate_limit_write_per_min)
        self._look = Limit("key_look", rates.rate_limit_read_per_min)
        self._login = Limit("login", rates.rate_limit_login_address_per_min, guards_secrets=True)
        self.large_bodies = LargeBodies(http)
        self._every: dict[tuple[bool, bool], Lines] = {}

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Put this edge around `app`."""

        async def edge(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            await _Passage(self, scope, receive, send).go(app)

        return edge

    async def bearer(self, headers: dict[str, str], before_looking: BeforeLooking) -> Principal | None:
        """Who asks, where the token proves it; the route answers with the refusal, where it needs a caller at all.

        Raises:
            RateLimited: when `before_looking` refuses to look.
        """
        authorization = headers.get("authorization")
        verified.set(None)
        try:
            who = await self._bearers.verify(authorization, before_looking)
        except RateLimited:
            raise
        except PlatformError as fault:
            if authorization is not None:
                verified.set((authorization, fault))
            return None
        if authorization is not None:
            verified.set((authorization, who))
        return who

    def limit_of(self, method: str, path: str, who: Principal | None, address: str) -> tuple[Limit, tuple[str, ...]]:
        """Which limit a request counts against, and whose; a tenant that the token does not prove counts for nothing."""
        if path.rstrip("/") == LOGIN_PATH:
            return self._login, ("address", address)
        limit = self._read if method in _READING else self._write
        return limit, (("address", address) if who is None else ("subject", who.tid, who.sub))

    async def count(self, limit: Limit, caller: tuple[str, ...]) -> Count | None:
        """Count one request."""
        count = await self._limiter.count(limit, *caller)
        return _counted(limit, count)

    async def count_key(self, limit: Limit, who: Principal) -> Count | None:
        """Count one request of a key against what all keys of its tenant may do together."""
        together = self._read_keys if limit is self._read else self._write_keys
        count = await self._limiter.count(together, "tenant", who.tid)
        return _counted(together, count)

    async def count_look(self, address: str) -> None:
        """Count a look for a key that this process has not let in, apart from all other requests of its address.

        Raises:
            RateLimited: when the address has looked for too many that nobody has.
        """
        count = await self.count(self._look, ("address", address))
        if count is not None and not count.allowed:
            raise RateLimited(headers=count.headers)

    async def give_back_look(self, address: str) -> None:
        """Take back a look that has found who asks."""
        await self._limiter.give_back(self._look, "address", address)

    async def give_back(self, limit: Limit, caller: tuple[str, ...]) -> Count | None:
        """Take back a request that was only a replay."""
        return await self._limiter.give_back(limit, *caller)

    async def must_fail(self, path: str, who: Principal | None, tenant_id: str) -> bool:
        """Hold a request back as its tenant has chosen; never the switch itself, so that chaos can always be ended."""
        if self._chaos is None or path.rstrip("/") == CHAOS_PATH:
            return False
        proven = who is not None and (who.is_global_admin or tenant_id == who.tid)
        return await self._chaos.disturb(tenant_id if proven else "")

    def bytes_max(self, path: str) -> int:
        """The largest body that is read."""
        if (path.startswith(IMPORT_PATHS) and "/parts/" in path) or path == CONSOLE_PART_PATH:
            return self._settings.import_part_bytes_max
        is_journal = path.rstrip("/") in JOURNAL_PATHS
        return self._settings.journal_body_bytes_max if is_journal else self._settings.body_bytes_max

    @property
    def timeout_seconds(self) -> float:
        """How long a request may take."""
        return self._settings.http_timeout_seconds

    def cors(self, origin: str | None) -> dict[str, str]:
        """What a page of this origin may see."""
        if origin is None or not ("*" in self._origins or origin in self._origins):
            return {} if "*" in self._origins or not self._origins else {"Vary": "Origin"}
        if "*" in self._origins:
            return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED,
            "Vary": "Origin",
        }

    def every(self, path: str, content_type: str, origin: str | None) -> "Lines":
        """The headers of every answer, by origin and kind of answer; few combinations, each written once."""
        is_api, is_page = path.startswith(API_PREFIX), content_type.startswith("text/html")
        if origin is not None:
            return _lines({**self._security(is_api=is_api, is_page=is_page), **self.cors(origin)})
        found = self._every.get((is_api, is_page))
        if found is None:
            headers = {**self._security(is_api=is_api, is_page=is_page), **self.cors(None)}
            found = self._every[is_api, is_page] = _lines(headers)
        return found

    def _security(self, *, is_api: bool, is_page: bool) -> dict[str, str]:
        """What a browser must not do with our answers."""
        found = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": _PAGE_POLICY if is_page else _API_POLICY,
        }
        if is_api:
            found["Cache-Control"] = "no-store"
        if not self._is_local:
            found["Strict-Transport-Security"] = _HSTS
        return found


class _Passage:
    """One request that passes through the edge."""

    def __init__(self, edge: Edge, scope: HTTPScope, receive: Receive, send: Send) -> None:
        self._edge = edge
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = _headers(scope["headers"])
        self._path = scope["path"]
        self._who: Principal | None = None
        self._began = perf_counter()
        self._status = 0
        self._problem = b""
        self._has_looked = False
        self._counted: tuple[Limit, tuple[str, ...]] | None = None
        self._rate: dict[str, str] = {}
        self._read_bytes = 0
        self._bytes_max = edge.bytes_max(self._path)

    async def go(self, app: ASGIApp) -> None:
        """Let the request through, or refuse it."""
        origin, method = self._headers.get("origin"), self._scope["method"]
        if method == "OPTIONS" and origin and "access-control-request-method" in self._headers:
            await self._preflight(origin)
            return
        try:
            if "//" in self._path:
                # The router takes it for the path with one slash, and everything that goes by the path does not.
                raise RouteNotFound()
            who = await self._admit(method)
            # Whoever proves nothing is refused before anything is read.
            with self._edge.large_bodies.of(who.tid if who else "", self._announced() if who else 0):
                async with asyncio.timeout(self._edge.timeout_seconds) as self._deadline:
                    await app(self._scope, self._take, self._answer)
        except TimeoutError:
            await self._refuse(RequestTimeout())
        except Exception as fault:  # noqa: BLE001 - what fails before a route does is answered here, or by nobody
            await self._refuse(fault)
        finally:
            self._note()

    def _note(self) -> None:
        log, who = self._edge.log, self._who
        if log is None or who is None or not self._status or INSIDE in self._scope:
            return
        if log.has_place(tenant_of(self._headers, who)):
            passage = passage_of(
                *(self._scope, self._headers, who),
                status=self._status,
                body=self._problem,
                began=self._began,
                address=self._address(),
            )
            log.note(passage)

    def _announced(self) -> int:
        """How large the body may become."""
        declared = self._headers.get("content-length", "0")
        return self._bytes_max if "transfer-encoding" in self._headers else int(declared) if declared.isdecimal() else 0

    async def _admit(self, method: str) -> Principal | None:
        if self._announced() > self._bytes_max:
            raise self._too_large()
        if not self._path.startswith(API_PREFIX):
            return None
        who = self._who = await self._edge.bearer(self._headers, self._count_stranger)
        if self._has_looked and who is not None:
            # It was no stranger, but a key that this process had not met.
            await self._edge.give_back_look(self._address())
        limit, caller = self._edge.limit_of(method, self._path, who, self._address())
        await self._count(limit, caller)
        if who is not None and who.key_id is not None and self._path.rstrip("/") != LOGIN_PATH:
            await self._count_together(limit, caller, who)
        if await self._edge.must_fail(self._path, who, self._headers.get("x-tenant-id", "")):
            raise ChaosInjected()
        return who

    def _address(self) -> str:
        client = self._scope["client"]
        return client[0] if client else ""

    async def _count_stranger(self) -> None:
        """Count the address before the database is read: made-up keys are as many as somebody likes."""
        self._has_looked = True
        await self._edge.count_look(self._address())

    async def _count(self, limit: Limit, caller: tuple[str, ...]) -> None:
        count = await self._edge.count(limit, caller)
        if count is not None:
            self._rate, self._counted = count.headers, (limit, caller)
            if not count.allowed:
                raise RateLimited(headers=count.headers)

    async def _count_together(self, limit: Limit, caller: tuple[str, ...], who: Principal) -> None:
        # After the key's own: of a key that may send nothing more nothing is counted for the others. A replay is not given
        # back here: it costs the tenant a tenth of what it costs the key.
        count = await self._edge.count_key(limit, who)
        if count is not None and not count.allowed:
            self._rate = count.headers
            await self._edge.give_back(limit, caller)
            raise RateLimited(headers=count.headers)

    def _postpone(self) -> None:
        # A file of a million lines takes as long as it takes; what has to come in time is its next part.
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._edge.timeout_seconds)

    async def _take(self) -> ReceiveMessage:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read_bytes += len(message["body"])
            if self._read_bytes > self._bytes_max:
                raise self._too_large()
        return message

    async def _answer(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            present = {name.lower(): value for name, value in message["headers"]}
            if self._counted is not None and present.get(b"idempotency-replayed") == b"true":
                count = await self._edge.give_back(*self._counted)
                self._rate = self._rate if count is None else count.headers
            content_type = present.get(b"content-type", b"").decode("latin-1")
            every = self._edge.every(self._path, content_type, self._headers.get("origin"))
            message["headers"] = [
                *message["headers"],
                *(line for line in (*every, *_lines(self._rate)) if line[0] not in present),
            ]
        if message["type"] == "http.response.body":
            if message.get("more_body"):
                self._postpone()
            elif self._status >= _REFUSED_FROM:
                self._problem = message["body"]
        await self._send(message)

    async def _preflight(self, origin: str) -> None:
        allowed = self._edge.cors(origin)
        if "Access-Control-Allow-Origin" in allowed:
            allowed |= {
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": self._headers.get("access-control-request-headers", "*"),
                "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
            }
        await self._respond(204, b"", allowed)

    async def _refuse(self, fault: Exception) -> None:
        if self._status:
            # Half an answer is out: closing the connection is the only honest thing left to say.
            raise fault
        problem, headers = problem_of(fault, path=self._path)
        await self._respond(problem.status, msgspec.json.encode(problem), {"Content-Type": MEDIA_TYPE, **headers})

    async def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        lines = [*_lines(headers), (b"content-length", str(len(body)).encode())]
        await self._answer({"type": "http.response.start", "status": status, "headers": lines})
        self._problem = body if status >= _REFUSED_FROM else b""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is larger than {self._bytes_max} bytes")


def _counted(limit: Limit, count: Count | None) -> Count | None:
    metrics.limited(limit.name, "uncounted" if count is None else "allowed" if count.allowed else "refused").inc()
    return count


def _lines(headers: dict[str, str]) -> Lines:
    return tuple((_sent_name(name), value.encode("latin-1")) for name, value in headers.items())


@lru_cache(maxsize=256)
def _sent_name(name: str) -> bytes:
    # Names are those of our own code, few and the same in every answer.
    return name.lower().encode()


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
