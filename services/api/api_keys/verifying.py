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
from services.api.http.callers import BeforeLooking, Principal, Verifier
from services.api.http.errors import ApiKeyExpired, ApiKeyOfOtherMode, ApiKeyRevoked

_REMEMBERED_MAX = 10_000
"""Keys that are remembered at most, those that are refused besides, and uses that wait to be written."""

_OLD = 0.0
"""Until when something is remembered that is read again before anybody is let in by it."""


class KeyVerifier:
    """Tells whose key a bearer is."""

    def __init__(self, database: Database, *, clock: Clock, mode: KeyMode, age_max_seconds: float) -> None:
        """Prepare for keys of one mode; what is remembered of one is at most `age_max_seconds` old."""
        self._database = database
        self._clock = clock
        self._mode = mode
        self._age_max_seconds = age_max_seconds
        # What is too old is read again, and still tells that its bearer is no stranger.
        self._known: dict[bytes, tuple[Principal, tuple[UUID, str], float]] = {}
        # Apart, so that refused keys crowd out none that are let in.
        self._refused: dict[bytes, tuple[type[ApiKeyExpired | ApiKeyRevoked], Principal, float]] = {}
        self._reads = SingleFlight[Holder | None](rank=Precedence.ACCEPTED)
        # What anybody can make up waits behind what was begun.
        self._looks = SingleFlight[Holder | None](rank=Precedence.NEW)
        self._changes = 0
        self._uses: dict[tuple[UUID, str], datetime] = {}

    def forget(self, tenant_id: str) -> None:
        """Read the keys of a tenant anew, or all where it is empty; what is being read at this moment is old already.

        Whose key was let in is no stranger for that: others would have it refused by what they send from its address.
        """
        self._changes += 1
        for digest, (principal, key, _) in self._known.items():
            if tenant_id in {"", key[1]}:
                self._known[digest] = principal, key, _OLD
        for digest in [digest for digest, refused in self._refused.items() if tenant_id in {"", refused[1].tid}]:
            del self._refused[digest]

    async def verify(self, secret: str, before_looking: BeforeLooking | None = None) -> Principal:
        """Return whom a key stands for: its tenant, with its scopes as permissions and no role.

        Raises:
            HttpProblem: 401 when it is none of ours, of the other mode, revoked or expired; what `before_looking` raises,
                which is called before the database is read for a key that this process has not let in.
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
        refused = self._refused.get(digest)
        if refused is not None and now.timestamp() < refused[2]:
            metrics.verification("cache").inc()
            raise refused[0](refused[1])
        if known is None and before_looking is not None:
            await before_looking()
        changes = self._changes
        reads = self._looks if known is None else self._reads
        # Who comes after a change does not join what was begun before it.
        holder = await reads.do((digest, changes), lambda: sql.find(self._database, digest))
        metrics.verification("key").inc()
        if holder is None:
            self._known.pop(digest, None)
            raise InvalidToken()
        principal, until = _principal(holder), now.timestamp() + self._age_max_seconds
        is_over = holder.expires_at is not None and holder.expires_at <= now
        if holder.revoked_at is not None or is_over:
            kind = ApiKeyExpired if holder.revoked_at is None else ApiKeyRevoked
            self._known.pop(digest, None)
            if changes == self._changes:
                _remember(self._refused, digest, (kind, principal, until))
            raise kind(principal)
        if holder.expires_at is not None:
            until = min(until, holder.expires_at.timestamp())
        key = holder.id, holder.tenant_id
        _remember(self._known, digest, (principal, key, until if changes == self._changes else _OLD))
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

    async def verify(self, authorization: str | None, before_looking: BeforeLooking | None = None) -> Principal:
        """Read the `Authorization` header; `before_looking` is called before the database is read for a stranger's key.

        Raises:
            HttpProblem: 401 when there is no bearer, or none that is valid; what `before_looking` raises.
        """
        if authorization is not None and authorization[:7].lower() == "bearer ":
            bearer = authorization[7:].strip()
            if is_secret(bearer):
                return await self._verifier.verify(bearer, before_looking)
        return await self._tokens.verify(authorization)


def _remember[T](table: dict[bytes, T], digest: bytes, what: T) -> None:
    """Put what is new at the end, and forget what was put there first where there is too much."""
    table.pop(digest, None)
    if len(table) >= _REMEMBERED_MAX:
        table.pop(next(iter(table)))
    table[digest] = what


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
