"""Who is at the browser: a sealed cookie, so that every process can read it and none has to keep it."""

import base64
import hmac
import secrets
from binascii import Error as NotBase64
from uuid import UUID

import msgspec

from libs.common.errors import PlatformError
from libs.common.sealing import KeyRing

COOKIE, PREFERENCES_COOKIE = "console_session", "console_preferences"
_OWNER = UUID(int=0)
_LABEL = "console"


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


def new_csrf() -> str:
    """Make what a form of a new session must have."""
    return secrets.token_urlsafe(24)


def is_same(given: str, expected: str) -> bool:
    """Compare what a form has with what it must have, in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
