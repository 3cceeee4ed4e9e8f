"""Requests to an identity provider: for its addresses (OpenID Connect Discovery 1.0), the exchange of a code, and its keys.

All of it goes through the guard of addresses that tenants choose, within seconds and bounded in size. What the provider states of
whom it has logged in is checked by its keys and against the login that was begun (OpenID Connect Core 1.0, section 3.1.3.7).
"""

import base64
import hmac
import math
from collections import OrderedDict
from typing import Any
from unicodedata import is_normalized
from urllib.parse import quote_plus

import jwt
import msgspec

from libs.common.clock import Clock
from libs.common.observability.logging import get_logger
from libs.common.single_flight import SingleFlight
from services.api.access import KeySet
from services.api.errors import KeySetUnavailable
from services.api.identity_errors import IdentityProviderUnavailable, IdentityRefused
from services.api.identity_providers.domain import Attempt, Identified, fault_of_address
from services.api.outside import Outside, Unreachable

log = get_logger("api.identity_providers")

_DISCOVERY = "/.well-known/openid-configuration"
_FRESH_SECONDS = 300.0
"""How long the addresses of a provider are used without reading them again."""
_PAUSE_SECONDS = 5.0
"""How long nothing is requested of a provider after its addresses could not be read."""
_KNOWN_MAX = 500
"""Providers whose addresses and keys are remembered; the one that was not used longest is forgotten first."""
_ALGORITHMS = ("RS256", "ES256")
"""How ID tokens may be signed: never by a shared secret, and never not at all."""
_LEEWAY_SECONDS = 60.0
"""How far the provider's clock may be off ours."""
_SUBJECT_MAX, _EMAIL_MAX, _TOKEN_MAX = 255, 320, 16_384
_OK, _REFUSED_FROM, _FAILED_FROM = 200, 400, 500


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider states of itself; other members are ignored."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] = ("S256",)
    authorization_response_iss_parameter_supported: bool = False


class _Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What a code is exchanged for."""

    id_token: str


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What an ID token states and is read."""

    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str
    azp: str | None = None
    email: str | None = None
    email_verified: bool | str | None = None


class _Known(msgspec.Struct):
    """What is remembered of a provider."""

    metadata: Metadata | None = None
    keys: KeySet | None = None
    read_at: float = float("-inf")
    failed_at: float = float("-inf")


class Provider:
    """Makes requests to identity providers, and remembers their addresses and keys for a while."""

    def __init__(self, outside: Outside, clock: Clock, *, is_local: bool) -> None:
        self._outside = outside
        self._clock = clock
        self._is_local = is_local
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._reading = SingleFlight[Metadata]()

    async def metadata(self, issuer: str) -> Metadata:
        """Read the addresses of a provider, or return those that were read a moment ago.

        Raises:
            IdentityProviderUnavailable: when they cannot be read, or are not what they must be.
        """
        known, now = self._remembered(issuer), self._now()
        if known.metadata is not None and now - known.read_at < _FRESH_SECONDS:
            return known.metadata
        if now - known.failed_at < _PAUSE_SECONDS:
            raise IdentityProviderUnavailable("the identity provider did not answer as it must a moment ago")
        return await self._reading.do(issuer, lambda: self._read(issuer, known))

    async def identified(self, attempt: Attempt, code: str, *, secret: str | None) -> Identified:
        """Exchange the code that a browser has brought back, and return whom the provider has logged in.

        Raises:
            IdentityRefused: when the code is not accepted, or what is stated is not valid for this login.
            IdentityProviderUnavailable: when the provider does not answer as it must.
        """
        metadata = await self.metadata(attempt.issuer)
        token = await self._exchanged(metadata, attempt, code, secret=secret)
        try:
            return await self._read_token(token, attempt)
        except KeySetUnavailable as fault:
            raise IdentityProviderUnavailable("the keys of the identity provider cannot be read") from fault
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError) as fault:
            log.warning("identity.token_refused", issuer=attempt.issuer, reason=str(fault)[:200])
            raise IdentityRefused("what the identity provider states of you is not valid") from fault

    async def _read(self, issuer: str, known: _Known) -> Metadata:
        try:
            raw = await self._outside.read(issuer.rstrip("/") + _DISCOVERY)
            found = msgspec.json.decode(raw, type=Metadata)
            self._check(found, issuer)
        except (Unreachable, msgspec.DecodeError, ValueError, RecursionError) as fault:
            known.failed_at = self._now()
            log.warning("identity.provider_unusable", issuer=issuer, reason=str(fault)[:200])
            raise IdentityProviderUnavailable("the identity provider does not answer as it must") from fault
        if known.metadata is None or known.metadata.jwks_uri != found.jwks_uri:
            known.keys = KeySet(found.jwks_uri, self._clock, fetch=self._outside.read)
        known.metadata, known.read_at = found, self._now()
        return found

    def _check(self, found: Metadata, issuer: str) -> None:
        if found.issuer != issuer:
            raise ValueError("states that it is another issuer")
        for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            if fault := fault_of_address(address, is_local=self._is_local):
                raise ValueError(f"states an address that {fault}")
        if "S256" not in found.code_challenge_methods_supported:
            raise ValueError("does not support PKCE with S256")

    async def _exchanged(self, metadata: Metadata, attempt: Attempt, code: str, *, secret: str | None) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "client_id": attempt.client_id,
            "code_verifier": attempt.verifier,
        }
        headers = {}
        if secret is not None:
            if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
                # RFC 6749, section 2.3.1: both are encoded as in a form before they are joined.
                pair = f"{quote_plus(attempt.client_id)}:{quote_plus(secret)}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = secret
        try:
            reply = await self._outside.request(metadata.token_endpoint, form=form, headers=headers)
        except Unreachable as fault:
            raise IdentityProviderUnavailable("the identity provider does not answer") from fault
        if _REFUSED_FROM <= reply.status < _FAILED_FROM:
            log.warning("identity.code_refused", issuer=attempt.issuer, status=reply.status)
            raise IdentityRefused("the identity provider does not accept this login")
        try:
            if reply.status != _OK:
                raise ValueError(f"the status is {reply.status}")
            return msgspec.json.decode(reply.body, type=_Granted).id_token
        except (msgspec.DecodeError, ValueError, RecursionError) as fault:
            log.warning("identity.answer_unusable", issuer=attempt.issuer, reason=str(fault)[:200])
            raise IdentityProviderUnavailable("the identity provider does not answer as it must") from fault

    async def _read_token(self, token: str, attempt: Attempt) -> Identified:
        if len(token) > _TOKEN_MAX:
            raise ValueError("the ID token is too long")
        header = jwt.get_unverified_header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in _ALGORITHMS or not isinstance(key_id, str):
            raise ValueError("signed by no algorithm that is accepted, or with no key id")
        keys = self._remembered(attempt.issuer).keys
        key = None if keys is None else await keys.key(key_id)
        if key is None or key.algorithm != algorithm:
            raise ValueError("signed with a key that the provider does not have")
        payload = jwt.decode(
            token,
            key=key.key,
            algorithms=[key.algorithm],
            issuer=attempt.issuer,
            audience=attempt.client_id,
            # Time is judged by our own clock, below.
            options={
                "require": ["iss", "sub", "aud", "exp", "iat"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return self._accepted(payload, attempt)

    def _accepted(self, payload: dict[str, Any], attempt: Attempt) -> Identified:
        claims = msgspec.convert(payload, _Claims, strict=True)
        if not hmac.compare_digest(claims.nonce.encode(), attempt.nonce.encode()):
            raise ValueError("of another login")
        others = claims.aud if isinstance(claims.aud, list) else [claims.aud]
        if claims.azp not in ({attempt.client_id} if len(others) > 1 else {None, attempt.client_id}):
            raise ValueError("for another client")
        now = self._now()
        is_timely = claims.exp > now - _LEEWAY_SECONDS and claims.iat <= now + _LEEWAY_SECONDS
        if not (math.isfinite(claims.exp) and math.isfinite(claims.iat) and is_timely):
            raise ValueError("expired, or of the future")
        if not 0 < len(claims.sub) <= _SUBJECT_MAX or not claims.sub.isprintable():
            raise ValueError("of a subject that is none")
        given = (claims.email or "").strip()
        email = given.lower()
        # The Kelvin sign and its like are another address, and in small letters the same one.
        is_plain = is_normalized("NFC", given) and email.isprintable() and len(email) <= _EMAIL_MAX
        is_verified = claims.email_verified is True and is_plain
        return Identified(subject=claims.sub, email=email if is_verified else "")

    def _remembered(self, issuer: str) -> _Known:
        known = self._known.pop(issuer, None) or _Known()
        self._known[issuer] = known
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return known

    def _now(self) -> float:
        return self._clock.now().timestamp()
