"""What is always true of webhook endpoints."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import msgspec

from services.notifier.deliveries import patterns_of

URL_CHARACTERS_MAX = 2048
"""Longest url of an endpoint."""
EVENTS_MAX = 50
"""Most names, prefixes or `*` that one endpoint may list."""
DESCRIPTION_CHARACTERS_MAX = 500
"""Longest description of an endpoint."""
HEADERS_MAX = 20
"""Most headers of its own that one endpoint may have."""
RATE_LIMIT_MAX = 10_000
"""Highest rate limit of an endpoint, attempts per second."""
_HEADER_VALUE_CHARACTERS_MAX = 1024
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?\Z")
_HEADERS_DENIED = frozenset(
    [
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    ]
)
"""Headers that say how the exchange itself works, or who we are."""
_HEADER_PREFIXES_DENIED = ("webhook-", "x-webhook-", "svix-", "x-forwarded-", "proxy-", "sec-")
_HOST_CHARACTERS_MAX = 253
_VISIBLE_ASCII = re.compile(r"[!-~]+\Z")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_NUMERIC = re.compile(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)\Z")


NOT_REGISTERED = {
    "created_at": "each attempt has its own instant",
    "is_active": "a registration is always active",
    "disabled_reason": "set when it is switched off",
    "disabled_at": "set when it is switched off",
    "public_key": "minted; whether there is one is compared",
}
"""Fields that may differ when an endpoint is registered again under its id, each with the reason."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tenant receives the events of its payments."""

    tenant_id: str
    """The tenant."""
    id: UUID
    """The endpoint."""
    url: str
    """The address that events are sent to."""
    events: tuple[str, ...]
    """Event names, prefixes such as `payment.*`, or `*`."""
    is_active: bool
    """Whether deliveries are made."""
    created_at: datetime
    """When it was registered."""
    description: str = ""
    """What it is for, for people."""
    disabled_reason: str | None = None
    """Why deliveries are not made."""
    disabled_at: datetime | None = None
    """When they ceased to be made."""
    rate_limit_per_second: int | None = None
    """Attempts per second at most; None for no limit."""
    is_ordered: bool = False
    """Whether the events of one payment are delivered in order."""
    header_names: tuple[str, ...] = ()
    """Names of the tenant's own headers."""
    public_key: str | None = None
    """Verifies its `v1a` signatures."""

    def is_same_registration_as(self, other: "Endpoint") -> bool:
        """Return whether registering the other one is registering this one again: all is equal but `NOT_REGISTERED`.

        The values of the tenant's own headers are sealed, and not compared.
        """
        has_same_kind_of_key = (self.public_key is None) == (other.public_key is None)
        return has_same_kind_of_key and all(
            getattr(self, name) == getattr(other, name)
            for name in Endpoint.__struct_fields__
            if name not in NOT_REGISTERED
        )


def check_events(listed: Sequence[str], *, known: Sequence[str]) -> list[tuple[str, str]]:
    """Find what is wrong with an endpoint's list of events, as (JSON pointer, sentence)."""
    admitted = {pattern for event in known for pattern in patterns_of(event)}
    if not listed:
        return [("/events", "name at least one event, a prefix such as `payment.*`, or `*`")]
    if len(listed) > EVENTS_MAX:
        return [("/events", f"at most {EVENTS_MAX} entries")]
    return [
        (f"/events/{index}", f"unknown event {entry[:100]!r}; known are {', '.join(known)}, their prefixes, and `*`")
        for index, entry in enumerate(listed)
        if entry not in admitted
    ]


def check_url(url: str, *, is_local: bool, allowed_ports: Sequence[int]) -> str | None:
    """Say in one sentence why `url` cannot be an endpoint's address; None when it can.

    In local development http, any port and single-label hosts are allowed too. Which addresses may be reached is not
    decided here but where they are dialled.
    """
    if not url or len(url) > URL_CHARACTERS_MAX:
        return f"the url must have 1 to {URL_CHARACTERS_MAX} characters"
    if not _VISIBLE_ASCII.match(url) or "\\" in url:
        # Parsers disagree about everything else: full-width digits, ideographic dots, tabs, backslashes.
        return (
            "the url may only have visible ASCII characters and no backslash; write an international host name in its "
            "`xn--` form and escape other characters with %"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the url cannot be read"
    return _check_parts(parts, port, is_local=is_local, allowed_ports=allowed_ports)


def _check_parts(parts: SplitResult, port: int | None, *, is_local: bool, allowed_ports: Sequence[int]) -> str | None:
    if parts.scheme != "https" and not (is_local and parts.scheme == "http"):
        return "the url must begin with https://"
    if "@" in parts.netloc:
        return "the url may not carry credentials; every request is signed instead"
    if parts.fragment or parts.netloc == "":
        return "the url may not have a fragment" if parts.fragment else "the url has no host"
    if port == 0 or (port is not None and not is_local and port not in allowed_ports):
        return f"the url's port must be one of {', '.join(map(str, allowed_ports))}"
    return _check_host(parts.hostname or "", is_bracketed="[" in parts.netloc, is_local=is_local)


def _check_host(host: str, *, is_bracketed: bool, is_local: bool) -> str | None:
    if literal_of(host) is not None:
        return None
    if is_bracketed:
        return "the url's host is not a plain IPv6 address"
    labels = host.split(".")
    if not host or len(host) > _HOST_CHARACTERS_MAX or not all(_LABEL.match(label) for label in labels):
        return "the url's host is not a host name"
    if _NUMERIC.match(labels[-1]):
        return "the url's host must be a name, or an IPv4 address written as four decimal numbers"
    if len(labels) == 1 and not is_local:
        return "the url's host must be a full name with a dot"
    return None


def check_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Say what is wrong with a tenant's own headers: names and sentences, by JSON pointer."""
    if len(headers) > HEADERS_MAX:
        return [("/headers", f"at most {HEADERS_MAX} headers")]
    faults: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, value in headers.items():
        where = "/headers/" + name[:64].replace("~", "~0").replace("/", "~1")
        lower = name.lower()
        if not _HEADER_NAME.match(name):
            faults.append((where, "a header's name has 1 to 64 letters, digits and -_.!#$%&'*+^`|~"))
        elif lower in _HEADERS_DENIED or lower.startswith(_HEADER_PREFIXES_DENIED):
            faults.append((where, "this header is ours to set, or says how the exchange itself works"))
        elif lower in seen:
            faults.append((where, "this header is named twice"))
        elif len(value) > _HEADER_VALUE_CHARACTERS_MAX or not _HEADER_VALUE.match(value):
            faults.append(
                (where, f"a header's value has 1 to {_HEADER_VALUE_CHARACTERS_MAX} visible ASCII characters and spaces")
            )
        seen.add(lower)
    return faults


def literal_of(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host that is an address in its usual form; a name, a zone or another spelling is None."""
    kind = IPv6Address if ":" in host else IPv4Address
    if "%" in host:
        return None
    try:
        return kind(host)
    except ValueError:
        return None


def host_of(url: str) -> str:
    """The host of a url that `check_url` admitted."""
    return urlsplit(url).hostname or ""
