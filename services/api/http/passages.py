"""A request that was answered, for whoever notes it."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, Protocol

import msgspec
from litestar.types import HTTPScope

from libs.common.cards import mask_card_numbers
from libs.common.observability.correlation import current
from services.api.http.callers import PLATFORM_TENANT, Principal

INSIDE = "console"
"""The key of a scope that says that the console has made the request."""
_TEXT_MAX = 256
"""Characters of a path, a key, an address and an agent that are kept."""
_CARD_NUMBER_MAX = 64
"""Characters that a card number takes at most: 19 digits, with two separators between each."""


class _Code(msgspec.Struct):
    code: str = ""


_code = msgspec.json.Decoder(_Code)


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A request of somebody who has proved who they are, and its answer."""

    tenant_id: str
    """For whom: an operator names the tenant."""
    actor: str
    method: str
    route: str
    """The path as it is documented; empty: no route was found, or it was refused before."""
    path: str
    status: int
    code: str
    """Of the problem that was answered; empty: none."""
    duration_ms: int
    correlation_id: str
    idempotency_key: str
    address: str
    user_agent: str


class PassageLog(Protocol):
    """Takes requests that were answered."""

    def has_place(self, tenant_id: str) -> bool:
        """Whether one more of this tenant is taken now; where it is not, nothing is gathered of it."""
        ...

    def note(self, passage: Passage) -> None:
        """Take one."""
        ...


def tenant_of(headers: Mapping[str, str], who: Principal) -> str:
    """Return for whom a request was: an operator of the platform names the tenant."""
    tenant_id = headers.get("x-tenant-id") or PLATFORM_TENANT if who.is_global_admin else who.tid
    return _plain(tenant_id)


def passage_of(
    scope: HTTPScope,
    headers: Mapping[str, str],
    who: Principal,
    *,
    status: int,
    body: bytes,
    began: float,
    address: str,
) -> Passage:
    """Gather what is kept of a request: no query, no header that may have a secret, and nothing at any length.

    Args:
        scope: the request's.
        headers: its headers, by their names in lower case.
        who: whose it is.
        status: of the answer.
        body: of a problem, its body.
        began: when it began, by `perf_counter`.
        address: where it came from.
    """
    route: Any = scope.get("path_template") or ""
    return Passage(
        tenant_id=tenant_of(headers, who),
        actor=_plain(who.sub),
        method=scope["method"],
        route=route,
        path=_kept(scope["path"]),
        status=status,
        code=_code_of(body),
        duration_ms=round((perf_counter() - began) * 1000),
        correlation_id=current().correlation_id,
        idempotency_key=_kept(headers.get("idempotency-key", "")),
        address=address,
        user_agent=_kept(headers.get("user-agent", "")),
    )


def _kept(text: str) -> str:
    # A card number is masked before the text is cut: what is left of one that was cut is not recognised.
    return mask_card_numbers(_plain(text, _TEXT_MAX + _CARD_NUMBER_MAX))[:_TEXT_MAX]


def _plain(text: str, length_max: int = _TEXT_MAX) -> str:
    """Return what a database can keep: one line that it refuses would take those of others along."""
    return text[:length_max].replace("\0", "\ufffd").encode(errors="replace").decode()


def _code_of(body: bytes) -> str:
    if not body:
        return ""
    try:
        return _code.decode(body).code
    except msgspec.DecodeError:
        return ""
