"""Bearer tokens (RFC 7519): HS256 of us and of whoever shares the secret; RS256 and ES256 of us and of an identity provider.

A token's header only names the one it pretends to be. Shared secrets are tried for HS256 alone, and each public key for
the one algorithm that fits it and the issuer that owns it: no key ever meets another algorithm.
"""

import hashlib
import math
import re
from datetime import datetime, timedelta
from typing import Any

import jwt
import msgspec

from libs.common.clock import Clock
from libs.common.web.errors import InvalidToken
from services.api import metrics
from services.api.access.jwks import KeySet
from services.api.access.keys import HS256, own_keys
from services.api.access.signing import ALGORITHMS, Public
from services.api.http.callers import Principal
from services.api.http.errors import MissingToken, TokenExpired
from services.api.settings import AuthSettings

_TENANT = re.compile(r"[!-~]{1,64}\Z")
_WORDS = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,320}\Z")
"""What a claim may contain: text that logs, JSON and PostgreSQL can all hold."""
_CACHED_MAX = 10_000
"""Verified tokens that are remembered at most."""
_CACHED_SECONDS = 30
"""How long a verified token is accepted without verifying its signature again; never longer than it is valid."""
_NOT_BEFORE_LEEWAY_SECONDS = 5
"""How far the issuer's clock may be ahead of ours."""


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token states and is read; other members are ignored."""

    sub: str
    tid: str
    exp: float
    nbf: float = 0
    iat: float = 0
    roles: list[str] = []
    perms: list[str] = []
    plan: str | None = None
    region: str | None = None
    jti: str | None = None


class Tokens:
    """Issues tokens and verifies them; a token verified a moment ago is not verified again."""

    def __init__(self, settings: AuthSettings, clock: Clock, *, key_set: KeySet | None = None) -> None:
        """Verify by the keys of `settings`, and by those of an identity provider where there is one."""
        self._settings = settings
        self._clock = clock
        self._keys = own_keys(settings)
        self._key_set = key_set
        self._cached: dict[bytes, tuple[Principal, float]] = {}

    @property
    def key_set(self) -> bytes:
        """The document that others verify our tokens with (RFC 7517)."""
        return self._keys.document

    @property
    def published(self) -> list[str]:
        """The ids of the keys in it."""
        return list(self._keys.public)

    @property
    def signs_with(self) -> str:
        """The id of the key that signs; `HS256` for the shared secret."""
        return HS256 if self._keys.signing is None else self._keys.signing.public.key_id

    def use(self, settings: AuthSettings) -> bool:
        """Sign and verify with the keys of these settings from now on, and return whether they differ from those before."""
        fresh = own_keys(settings)
        if (fresh.secrets, fresh.document, settings.jwt_private_key) == (
            self._keys.secrets,
            self._keys.document,
            self._settings.jwt_private_key,
        ):
            return False
        self._settings, self._keys = settings, fresh
        # What was verified with a key that is withdrawn now must not be accepted any longer.
        self._cached.clear()
        return True

    def issue(
        self,
        principal: Principal,
        *,
        user_id: str,
        now: datetime,
        context: dict[str, str],
        read_at: datetime | None = None,
        tokens_from: datetime | None = None,
    ) -> tuple[str, Principal]:
        """Write a token for `principal`; its jti is made of the user's id and the instant.

        Where the user was read at `read_at` by the database's clock, and that is before `now`, it states that instant: what
        changed since is unknown to it. Where tokens of before `tokens_from` are refused, and that is within this second or,
        by a clock that is behind, still to come, it states a fraction of a second.
        """
        issued = now if read_at is None else min(now, read_at)
        issued_at: float = int(issued.timestamp())
        jti = f"{user_id}.{issued_at}"
        if tokens_from is not None and issued_at < tokens_from.timestamp():
            issued_at = max(issued, tokens_from).timestamp()
        identified = msgspec.structs.replace(principal, jti=jti, issued_at=issued_at)
        payload: dict[str, Any] = {
            "iss": self._settings.jwt_issuer,
            "sub": identified.sub,
            "tid": identified.tid,
            "roles": list(identified.roles),
            "perms": sorted(identified.perms),
            "plan": identified.plan,
            "region": identified.region,
            "iat": issued_at,
            "exp": int((now + timedelta(seconds=self._settings.token_expires_seconds)).timestamp()),
            "jti": identified.jti,
            "ctx": context,
        }
        if self._settings.jwt_audience:
            payload["aud"] = self._settings.jwt_audience
        if (key := self._keys.signing) is None:
            return jwt.encode(payload, self._keys.secrets[0], algorithm=HS256), identified
        named = {"kid": key.public.key_id}
        return jwt.encode(payload, key.private, algorithm=key.public.algorithm, headers=named), identified

    async def verify(self, authorization: str | None) -> Principal:
        """Read the `Authorization` header.

        Raises:
            HttpProblem: 401 when there is no bearer token, or it is not one of ours, or its time is over.
            KeySetUnavailable: when the identity provider's keys cannot be read.
        """
        if authorization is None or authorization[:7].lower() != "bearer " or not authorization[7:].strip():
            raise MissingToken()
        token = authorization[7:].strip()
        now = self._clock.now().timestamp()
        # The digest, not the token: a dump of this process's memory should not hold a table of bearer tokens.
        digest = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        known = self._cached.get(digest)
        if known is not None and now < known[1]:
            metrics.verification("cache").inc()
            return known[0]
        principal, expires = await self._read(token, now)
        metrics.verification("signature").inc()
        if len(self._cached) >= _CACHED_MAX:
            self._cached.pop(next(iter(self._cached)))
        self._cached[digest] = principal, min(expires, now + _CACHED_SECONDS)
        return principal

    async def _read(self, token: str, now: float) -> tuple[Principal, float]:
        try:
            payload = msgspec.convert(await self._decode(token), _Claims, strict=True)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError) as fault:
            raise InvalidToken() from fault
        words = (
            payload.sub,
            payload.plan or "",
            payload.region or "",
            payload.jti or "",
            *payload.roles,
            *payload.perms,
        )
        if not (math.isfinite(payload.exp) and _TENANT.match(payload.tid) and all(map(_WORDS.match, words))):
            raise InvalidToken()
        if payload.nbf > now + _NOT_BEFORE_LEEWAY_SECONDS:
            raise InvalidToken()
        principal = Principal(
            sub=payload.sub,
            tid=payload.tid,
            roles=tuple(payload.roles),
            perms=frozenset(payload.perms),
            plan=payload.plan or "free",
            region=payload.region or "region-a",
            jti=payload.jti or "",
            issued_at=payload.iat,
        )
        if payload.exp <= now:
            raise TokenExpired(principal)
        return principal, payload.exp

    async def _decode(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if isinstance(algorithm, str) and algorithm in ALGORITHMS:
            return await self._decode_signed(token, algorithm, header.get("kid"))
        failure: jwt.InvalidTokenError = jwt.InvalidSignatureError("no secret")
        for secret in self._keys.secrets:
            try:
                return self._checked(token, secret, algorithm=HS256, issuer=self._settings.jwt_issuer)
            except jwt.InvalidSignatureError as fault:
                failure = fault
        raise failure

    async def _decode_signed(self, token: str, algorithm: str, key_id: object) -> dict[str, Any]:
        if not isinstance(key_id, str):
            raise jwt.InvalidKeyError("no key id")
        issuer = self._settings.jwt_issuer
        found = self._keys.public.get(key_id)
        if found is None and self._key_set is not None:
            found = await self._key_set.key(key_id)
            issuer = self._settings.jwks_issuer or issuer
        if found is None or found.algorithm != algorithm:
            raise jwt.InvalidKeyError("no such key")
        return self._checked(token, found.key, algorithm=found.algorithm, issuer=issuer)

    def _checked(self, token: str, key: Public | str, *, algorithm: str, issuer: str) -> dict[str, Any]:
        audience = self._settings.jwt_audience or None
        return jwt.decode(
            token,
            key=key,
            algorithms=[algorithm],
            issuer=issuer,
            audience=audience,
            # Time is judged by our own clock, above.
            options={
                "require": ["exp", "iss", "sub"],
                "verify_aud": audience is not None,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
