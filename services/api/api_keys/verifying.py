"""Bearers of keys are let in: one look by index at most, remembered for a moment, forgotten when it changes."""

from datetime import datetime
from uuid import UUID

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.precedence import Precedence
from libs.common.single_flight import SingleFlight
from libs.common.web.errors import InvalidToken
from services.api import metrics
from services.api.api_keys import sql
from services.api.api_keys.domain import Holder, KeyMode, digest_of, is_secret, mode_of
from services.api.http.callers import Principal, Verifier
from services.api.http.errors import ApiKeyExpired, ApiKeyOfOtherMode, ApiKeyRevoked

NOTE_USES_EVERY_SECONDS = 60.0
"""How often it is written when keys were used; what was used since is lost where a process is killed."""
_REMEMBERED_MAX = 10_000
"""Keys that are remembered at most, and uses that wait to be written."""


class KeyVerifier:
    """Tells whose key a bearer is."""

    def __init__(self, database: Database, *, clock: Clock, mode: KeyMode, age_max_seconds: float) -> None:
        """Prepare for keys of one mode; what is remembered of one is at most `age_max_seconds` old."""
        self._database = database
        self._clock = clock
        self._mode = mode
        self._age_max_seconds = age_max_seconds
        self._known: dict[bytes, tuple[Principal, tuple[UUID, str], float]] = {}
        self._reads = SingleFlight[Holder | None](rank=Precedence.ACCEPTED)
        self._changes = 0
        self._uses: dict[tuple[UUID, str], datetime] = {}

    def forget(self, tenant_id: str) -> None:
        """Forget the keys of a tenant, or all where it is empty; what is being read at this moment is not remembered."""
        self._changes += 1
        if not tenant_id:
            self._known.clear()
            return
        for digest in [digest for digest, known in self._known.items() if known[1][1] == tenant_id]:
            del self._known[digest]

    async def verify(self, secret: str) -> Principal:
        """Return whom a key stands for: its tenant, with its scopes as permissions and no role.

        Raises:
            HttpProblem: 401 when it is none of ours, of the other mode, revoked or expired.
        """
        digest, now = digest_of(secret), self._clock.now()
        known = self._known.get(digest)
        if known is not None and now.timestamp() < known[2]:
            metrics.verification("cache").inc()
            self._note(known[1], now)
            return known[0]
        # Before the database is read: what has another form or checksum is none of ours.
        mode = mode_of(secret)
        if mode is None:
            raise InvalidToken()
        if mode is not self._mode:
            raise ApiKeyOfOtherMode(self._mode)
        changes = self._changes
        # Who comes after a change does not join what was begun before it.
        holder = await self._reads.do((digest, changes), lambda: sql.find(self._database, digest))
        metrics.verification("key").inc()
        if holder is None:
            raise InvalidToken()
        principal, until = _principal(holder), now.timestamp() + self._age_max_seconds
        if holder.revoked_at is not None:
            raise ApiKeyRevoked(principal)
        if holder.expires_at is not None:
            if holder.expires_at <= now:
                raise ApiKeyExpired(principal)
            until = min(until, holder.expires_at.timestamp())
        key = holder.id, holder.tenant_id
        if changes == self._changes:
            if len(self._known) >= _REMEMBERED_MAX:
                self._known.pop(next(iter(self._known)))
            self._known[digest] = principal, key, until
        self._note(key, now)
        return principal

    def _note(self, key: tuple[UUID, str], now: datetime) -> None:
        if key in self._uses or len(self._uses) < _REMEMBERED_MAX:
            self._uses[key] = now

    async def note_uses(self) -> None:
        """Write when keys were used since the last time, outside of the requests that used them."""
        if not self._uses:
            return
        noted, self._uses = self._uses, {}
        try:
            await sql.note_uses(self._database, noted)
        except BaseException:
            self._uses = {**noted, **self._uses}
            raise


class Bearers:
    """Verifies what stands after `Bearer`: keys of programs, and the tokens of people and identity providers."""

    def __init__(self, *, tokens: Verifier, verifier: KeyVerifier) -> None:
        self._tokens = tokens
        self._verifier = verifier

    async def verify(self, authorization: str | None) -> Principal:
        """Read the `Authorization` header.

        Raises:
            HttpProblem: 401 when there is no bearer, or none that is valid.
        """
        if authorization is not None and authorization[:7].lower() == "bearer ":
            bearer = authorization[7:].strip()
            if is_secret(bearer):
                return await self._verifier.verify(bearer)
        return await self._tokens.verify(authorization)


def _principal(holder: Holder) -> Principal:
    return Principal(
        sub=f"key:{holder.id}",
        tid=holder.tenant_id,
        # A role may stand for more than its permissions; a key has what it names.
        roles=(),
        perms=frozenset(holder.scopes),
        plan=holder.plan,
        region=holder.region,
        jti=str(holder.id),
        key_id=holder.id,
        responsible=holder.responsible,
    )
