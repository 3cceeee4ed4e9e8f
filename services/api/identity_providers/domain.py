"""What is known of a tenant's identity provider, and which addresses may be one's."""

import hashlib
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

CALLBACK = "/console/login/callback/"
"""Where browsers come back to, with the tenant's own name behind it."""
_ADDRESS_MAX = 2_000
"""Characters of an address: a browser is sent there with a query of ours."""
_PORTS = frozenset({None, 443, 8443})
"""Where identity providers are reached, elsewhere than on a developer's machine: nobody is to look for open ports by us."""


class IdentityProvider(msgspec.Struct, frozen=True, kw_only=True):
    """An identity provider as a tenant has it."""

    tenant_id: str
    """Whose users log in there."""
    issuer: str
    """Its name, an address, exactly as its tokens have it."""
    client_id: str
    """What we are called there."""
    client_secret: bytes | None
    """By what it knows us, sealed; None: by PKCE alone."""
    created_at: datetime
    """When the tenant got one."""
    updated_at: datetime
    """When it was changed last."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A login that was begun: what has to be known when the browser comes back. It is with the browser, sealed."""

    tenant_id: str
    issuer: str
    client_id: str
    state: str
    """What the answer must have, so that it is one to this browser's request."""
    nonce: str
    """What the ID token must have, so that it is one for this login."""
    verifier: str
    """What proves that the code is ours (RFC 7636)."""
    redirect_uri: str
    """Where the browser comes back to."""
    next: str
    """The page to show then."""
    ends_at: int
    """Until when, in seconds since 1970."""


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """Whom an identity provider has logged in."""

    subject: str
    """What it calls them, for ever."""
    email: str
    """Their email in small letters, if it has verified it; else empty."""


def callback_path(tenant_id: str) -> str:
    """Return where browsers come back to from a tenant's identity provider.

    Each tenant has an address of its own: an answer of one provider, brought to the address of another, is recognized, whether
    or not it names its issuer (RFC 9700, section 4.4.2).
    """
    return CALLBACK + hashlib.sha256(f"identity provider of {tenant_id}".encode()).hexdigest()[:32]


def fault_of_address(address: str, *, is_local: bool, is_issuer: bool = False) -> str:
    """Return why an address cannot be one of an identity provider, as the end of a sentence; empty: it can."""
    if len(address) > _ADDRESS_MAX:
        return f"must have at most {_ADDRESS_MAX} characters"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme != "https" and not (is_local and parts.scheme == "http"):
        return "must be an https address"
    if not parts.hostname or parts.username is not None or not address.isascii() or not address.isprintable():
        return "must be an address with a host and no user"
    if " " in address or "\\" in address:
        return "must not contain spaces or backslashes"
    if port not in _PORTS and not is_local:
        return "must have the port 443 or 8443"
    if parts.fragment or "#" in address or (is_issuer and "?" in address):
        return "must have no fragment" if not is_issuer else "must have no query and no fragment"
    return ""
