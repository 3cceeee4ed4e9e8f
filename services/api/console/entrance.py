"""The way in: who is at the browser, how they like to see the console, and whether a form is one of ours."""

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from litestar import Response

from libs.common.clock import Clock
from libs.common.web.problems import problem_of
from services.api.console.calling import Answer, Inside, Refused
from services.api.console.operations import Operations
from services.api.console.rendering import page, redirect, rendered
from services.api.console.sessions import (
    PREFERENCES_COOKIE,
    Ended,
    Session,
    Sessions,
    cookies_of,
    is_same,
    names_among,
    new_csrf,
    sealed_of,
)
from services.api.console.texts import language, offered, preferred
from services.api.console.visits import Permits, Preferences, Visit
from services.api.http.callers import ANY_TENANT, Principal
from services.api.http.errors import InvalidTenant
from services.api.http.parameters import AnyRequest

_FIELDS_MAX = 500
_FORM = "application/x-www-form-urlencoded"
TENANT = re.compile(r"[!-~]{1,64}\Z")
"""What may name a tenant."""
_SHOWN = re.compile(r"[!-\[\]-~]*\Z")
"""What an address may have in it: no space, nothing that is not ASCII, and no backslash, which browsers take for a slash."""
START = "/console/overview"
"""Where one is who has named no other page."""

type Identify = Callable[[str], Awaitable[Principal]]
"""Whom a bearer token identifies; raises a problem for one that is valid no more."""


class Entrance:
    """Lets people in and out."""

    def __init__(
        self,
        *,
        inside: Inside,
        operations: Operations,
        sessions: Sessions,
        ended: Ended,
        permits: Permits,
        identify: Identify,
        clock: Clock,
        is_local: bool,
    ) -> None:
        self._inside = inside
        self._operations = operations
        self._sessions = sessions
        self._ended = ended
        self._permits = permits
        self._identify = identify
        self._clock = clock
        self._is_local = is_local

    def preferences(self, request: AnyRequest) -> Preferences:
        """Read how whoever is at the browser likes to see the console."""
        chosen, _, rest = request.cookies.get(PREFERENCES_COOKIE, "").partition(".")
        theme = rest if rest in {"light", "dark"} else ""
        code = chosen if chosen in offered() else preferred(request.headers.get("accept-language", ""))
        try:
            # Set by the script; only the names of zones have this form.
            zone = ZoneInfo(request.cookies.get("console_zone", "UTC").replace("%2F", "/") or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zone = ZoneInfo("UTC")
        return Preferences(language=language(code), theme=theme, zone=zone)

    async def visit(self, request: AnyRequest) -> Visit | None:
        """Return the visit of a request; None where nobody has logged in, or no more.

        Raises:
            PlatformError: when whose token it is cannot be found out now.
        """
        session = self._sessions.open(sealed_of(request.cookies), now=self._clock.now().timestamp())
        if session is None or await self._ended.has(session):
            return None
        principal = await self._identify(session.token)
        return Visit(
            inside=self._inside,
            operations=self._operations,
            permits=self._permits,
            session=session,
            preferences=self.preferences(request),
            query={name: values[-1] for name, values in request.query_params.dict().items() if values},
            client=(request.client.host, request.client.port) if request.client else None,
            is_operator=principal.is_global_admin,
            now=self._clock.now(),
        )

    async def show_login(
        self, request: AnyRequest, *, fault: Refused | None = None, email: str = "", tenant: str = "", next_: str = ""
    ) -> Response[bytes]:
        """Show the forms of a login: by password, and by the tenant's identity provider."""
        preferences, query = self.preferences(request), request.query_params
        values = {
            "fault": fault,
            "email": email,
            "tenant": tenant or query.get("tenant", ""),
            "next": local(next_ or query.get("next", "")),
        }
        return page(rendered("login.html", values, preferences), status=fault.status if fault else 200)

    async def log_in(self, request: AnyRequest) -> Response[bytes]:
        """Log in by password, as `POST /v1/auth/token` does."""
        form = await self.form(request)
        if form is None:
            return await self.show_login(request, fault=lapsed())
        email, next_ = form.get("email", ""), form.get("next", "")
        try:
            answer = await self._inside.call(
                self._operations["createToken"],
                client=(request.client.host, request.client.port) if request.client else None,
                headers={},
                body={"email": email, "password": form.get("password", "")},
            )
        except Refused as fault:
            return await self.show_login(request, fault=fault, email=email, next_=next_)
        token = answer.json()
        return await self.begin(token["access_token"], expires_in=token["expires_in"], next_=next_)

    async def begin(self, token: str, *, expires_in: int, next_: str) -> Response[bytes]:
        """Begin the session of a token."""
        principal = await self._identify(token)
        session = Session(
            token=token,
            csrf=new_csrf(),
            tenant_id="" if principal.tid == "*" else principal.tid,
            name=principal.sub,
            ends_at=int(self._clock.now().timestamp()) + expires_in,
        )
        response = redirect(local(next_) or START)
        self._keep(response, session)
        return response

    async def log_out(self, request: AnyRequest, session: Session) -> Response[bytes]:
        """End a session, in this browser and wherever its cookie was copied to."""
        await self._ended.add(session, now=self._clock.now().timestamp())
        return self.to_login(request)

    def to_login(self, request: AnyRequest) -> Response[bytes]:
        """Lead to the login, and have the browser forget its session."""
        response = redirect("/console/login")
        for name in names_among(request.cookies):
            response.delete_cookie(name, path="/console")
        return response

    def choose_tenant(self, visit: Visit, tenant_id: str, back: str) -> Response[bytes]:
        """Act for another tenant from now on; whether one may, the API decides.

        Raises:
            InvalidTenant: for what names no tenant.
        """
        session = visit.session
        if not TENANT.match(tenant_id) or tenant_id == ANY_TENANT:
            raise InvalidTenant("This does not name a tenant.")
        response = redirect(local(back) or START)
        self._keep(
            response,
            Session(
                token=session.token,
                # What is open in another window is of the tenant of before, and is done for no other.
                csrf=new_csrf(),
                tenant_id=tenant_id,
                name=session.name,
                ends_at=session.ends_at,
            ),
        )
        return response

    def prefer(self, request: AnyRequest, form: Mapping[str, str]) -> Response[bytes]:
        """Keep a language and a theme in the browser."""
        now = self.preferences(request)
        chosen = form.get("language", now.language.code)
        code = chosen if chosen in offered() else now.language.code
        theme = form.get("theme", now.theme)
        response = redirect(local(form.get("back", "")) or START)
        response.set_cookie(
            PREFERENCES_COOKIE,
            f"{code}.{theme if theme in {'light', 'dark'} else ''}",
            path="/console",
            max_age=31_536_000,
            httponly=True,
            samesite="lax",
            secure=not self._is_local,
        )
        return response

    def _keep(self, response: Response[bytes], session: Session) -> None:
        for name, text in cookies_of(self._sessions.seal(session)):
            response.set_cookie(
                name,
                text,
                path="/console",
                httponly=True,
                samesite="lax",
                secure=not self._is_local,
                expires=None,
            )

    async def form(self, request: AnyRequest) -> dict[str, str] | None:
        """Read a form that was sent from a page of ours; None where it was sent from elsewhere, or is none."""
        if not sent_from_here(request) or request.content_type[0] != _FORM:
            return None
        # Not by the framework, which remembers the last thousand forms that it has read, with their passwords.
        text = (await request.body()).decode("utf-8", "replace")
        try:
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX))
        except ValueError:
            return None

    async def own_form(self, request: AnyRequest, visit: Visit) -> dict[str, str] | None:
        """Read a form of this session."""
        found = await self.form(request)
        return found if found is not None and is_same(found.get("_csrf", ""), visit.session.csrf) else None

    def is_own(self, request: AnyRequest, visit: Visit) -> bool:
        """Whether what a script sends, which is no form, is of this session."""
        given = request.headers.get("x-console-form", "")
        return sent_from_here(request) and is_same(given, visit.session.csrf)

    def refused(self, request: AnyRequest, fault: Exception) -> Refused:
        """Return what went wrong here as if the API had answered so."""
        problem, headers = problem_of(fault, path=request.url.path)
        lines = {name.lower(): value for name, value in headers.items()}
        return Refused(Answer(status=problem.status, headers=lines, body=msgspec.json.encode(problem)))

    def show_trouble(self, request: AnyRequest, fault: Exception) -> Response[bytes]:
        """Show that something could not be done for reasons that no page knows, as while the database does not answer."""
        fault = fault if isinstance(fault, Refused) else self.refused(request, fault)
        values = {"fault": fault, "again": address_of(request) if request.method == "GET" else ""}
        kept = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        content = rendered("trouble.html", values, self.preferences(request))
        return page(content, status=fault.status, headers=kept)


def local(address: str) -> str:
    """Return an address within the console, as it may stand in a header, and nothing for any other."""
    if not address.startswith("/console/") or any(c <= " " or c == "\x7f" for c in address):
        return ""
    quoted = quote(address, safe="!#$%&'()*+,/:;=?@[\\]~")
    path = unquote(re.split(r"[?#]", quoted, maxsplit=1)[0])
    leads_out = "//" in path or not {".", ".."}.isdisjoint(path.split("/"))
    return "" if leads_out or not _SHOWN.match(quoted) else quoted


def address_of(request: AnyRequest) -> str:
    """Return the address of a page that is requested."""
    return local(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def lapsed() -> Refused:
    """Say that a form is not of this session."""
    return Refused(
        Answer.problem(
            403, "form_expired", "This form is of another session. Open the page again, and send it once more."
        )
    )


def sent_from_here(request: AnyRequest) -> bool:
    """Whether a form was sent from a page of ours: browsers say from where, and which they are."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    except ValueError:
        return False
