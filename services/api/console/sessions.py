"""Who is at the browser: a sealed cookie, so that every process can read it and none has to keep it.

Only what was logged out of is remembered, until it would have ended anyway.
"""

import base64
import hashlib
import hmac
import secrets
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Protocol
from uuid import UUID

import msgspec

from libs.common.errors import PlatformError
from libs.common.observability.logging import get_logger
from libs.common.sealing import KeyRing
from services.api.errors import StoreUnavailable

log = get_logger("api.console")

COOKIE, PREFERENCES_COOKIE = "console_session", "console_preferences"
_OWNER = UUID(int=0)
_LABEL = "console"
COOKIE_MAX = 3_600
"""Characters of a cookie: browsers refuse one above 4,096 bytes with its name and attributes."""
_PARTS_MAX = 8
"""Cookies of one session: a token of about 20 kB, more than servers take in a header."""
_MARK = 32
"""Hexadecimal digits of what signs an address."""


class Unreadable(PlatformError):
    """A cookie that is none of ours, or was sealed with a key that is no longer known."""

    code = "console_session_unreadable"


class Session(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is known of whoever has logged in."""

    token: str
    """The bearer token that is sent with every call of the API."""
    csrf: str
    """What every form of this session has in it."""
    tenant_id: str
    """For which tenant they act."""
    name: str
    """Their login name."""
    ends_at: int
    """When the token expires, in seconds since 1970."""

    def signed(self, operation_id: str) -> str:
        """Return the name of an operation as an address has it which only this session can have made."""
        return f"{operation_id}.{hmac.digest(self.csrf.encode(), operation_id.encode(), 'sha256').hex()[:_MARK]}"

    def read(self, signed: str) -> str:
        """Return the name of the operation; empty where another has made it."""
        operation_id = signed.partition(".")[0]
        return operation_id if is_same(signed, self.signed(operation_id)) else ""


class Sessions:
    """Seals sessions into cookies and opens them."""

    def __init__(self, key: str, previous: tuple[str, ...] = ()) -> None:
        self._ring = KeyRing(key, previous, label=b"console session", unreadable=Unreadable)

    def seal(self, session: Session) -> str:
        """Return the cookie of a session."""
        text = msgspec.json.encode(session).decode()
        return base64.urlsafe_b64encode(self._ring.seal(text, tenant_id=_LABEL, owner_id=_OWNER)).decode()

    def open(self, cookie: str | None, *, now: float) -> Session | None:
        """Return the session of a cookie; None where there is none that is valid."""
        if not cookie:
            return None
        try:
            sealed = base64.b64decode(cookie, altchars=b"-_", validate=True)
            text = self._ring.unseal(sealed, tenant_id=_LABEL, owner_id=_OWNER)
            session = msgspec.json.decode(text, type=Session)
        except (Unreadable, NotBase64, ValueError):
            return None
        return session if session.ends_at > now else None


def cookies_of(sealed: str) -> list[tuple[str, str]]:
    """Part a sealed session into as many cookies as it needs, by their names; the first of several says how many they are."""
    first, *rest = (sealed[at : at + COOKIE_MAX] for at in range(0, max(1, len(sealed)), COOKIE_MAX))
    whole = f"{len(rest) + 1}.{first}" if rest else first
    return [(COOKIE, whole), *((_name(number), part) for number, part in enumerate(rest, start=1))]


def sealed_of(cookies: Mapping[str, str]) -> str:
    """Put a sealed session together from its cookies; empty where one is missing. Those of an earlier session are left out."""
    count, _, first = cookies.get(COOKIE, "").rpartition(".")
    if not count:
        return first
    if not count.isdecimal() or not 1 <= int(count) <= _PARTS_MAX:
        return ""
    rest = [cookies.get(_name(number), "") for number in range(1, int(count))]
    return "".join((first, *rest)) if all(rest) else ""


def names_among(cookies: Iterable[str]) -> list[str]:
    """Name the cookies of sessions that a browser has."""
    return [name for name in cookies if name == COOKIE or name.startswith(f"{COOKIE}_")]


def _name(number: int) -> str:
    return COOKIE if number == 0 else f"{COOKIE}_{number}"


class Memory(Protocol):
    """What every process of the api can read, as Redis is."""

    async def read(self, key: str) -> bytes | None:
        """Read a value.

        Raises:
            StoreUnavailable: when it does not answer.
        """

    async def write(self, key: str, value: bytes, *, seconds: int) -> None:
        """Write a value that vanishes by itself.

        Raises:
            StoreUnavailable: when it does not answer.
        """


class Ended:
    """Sessions that were logged out of before their time: no copy of the cookie is valid any more.

    While the memory does not answer, a copy is: nobody is to be shut out by an outage of it.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def add(self, session: Session, *, now: float) -> None:
        """End a session everywhere."""
        try:
            await self._memory.write(_ended(session), b"1", seconds=max(1, int(session.ends_at - now) + 1))
        except StoreUnavailable:
            log.warning("console.log_out_not_kept")

    async def has(self, session: Session) -> bool:
        """Return whether a session was ended."""
        try:
            return await self._memory.read(_ended(session)) is not None
        except StoreUnavailable:
            return False


def _ended(session: Session) -> str:
    # The token stays the same whichever tenant is acted for.
    return f"console:ended:{hashlib.sha256(session.token.encode()).hexdigest()}"


def new_csrf() -> str:
    """Make what a form of a new session must have."""
    return secrets.token_urlsafe(24)


def is_same(given: str, expected: str) -> bool:
    """Compare what a form has with what it must have, in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
