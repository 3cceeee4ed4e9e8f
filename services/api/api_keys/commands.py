"""Keys are made, rotated and revoked: each in one transaction with its line of the audit log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.clock import Clock, iso
from libs.common.db import Connection, Database
from libs.common.db.tenancy import across_tenants
from libs.common.errors import Invalid
from libs.common.ids import new_id
from services.api.access import require_enabled
from services.api.api_keys import sql
from services.api.api_keys.domain import (
    EXPIRES_AFTER_MAX,
    FOR_PEOPLE,
    ApiKey,
    KeyMode,
    digest_of,
    hint_of,
    new_secret,
)
from services.api.api_keys.verifying import KeyVerifier
from services.api.audit import record_change
from services.api.http.callers import Caller
from services.api.identity_errors import ApiKeyNotActive, ApiKeyNotFound, ScopeExceedsCaller, TooManyApiKeys


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key, and its secret, which is never shown again."""

    key: ApiKey
    """As it is kept."""
    secret: str
    """What its bearer sends."""


class ApiKeys:
    """Decides about keys."""

    def __init__(self, database: Database, *, clock: Clock, mode: KeyMode, verifier: KeyVerifier) -> None:
        self._database = database
        self._clock = clock
        self._mode = mode
        self._verifier = verifier

    async def create(
        self, caller: Caller, *, name: str, scopes: Sequence[str], expires_at: datetime | None, action: str
    ) -> MadeKey:
        """Make a key of the caller's tenant, which may do no more than the caller, and for no longer than a key that makes it.

        Raises:
            Invalid: when a scope is no permission, or none for keys, or the key would expire in the past.
            ScopeExceedsCaller: when a scope is a permission that the caller does not have, or they are disabled, or are a
                key that ends earlier.
            TooManyApiKeys: when the tenant has as many active keys as it may.
        """
        now = self._clock.now()
        _require_end(expires_at, now)
        await self._require_scopes(caller, scopes)
        await require_enabled(self._database, caller)
        own_end = await self._own_end(caller, now)
        _require_before(expires_at, own_end)
        async with self._database.transaction() as tx:
            made = self._made(caller, name=name, scopes=scopes, expires_at=expires_at or own_end, at=now)
            await self._insert(tx, made, is_rotation=False)
            await record_change(tx, caller, action, str(made.key.id), at=now, scopes=" ".join(made.key.scopes))
        return made

    async def rotate(
        self, caller: Caller, key_id: UUID, *, overlap_seconds: int, expires_at: datetime | None, action: str
    ) -> MadeKey:
        """Make a key in place of another one, which stays valid for so long and no longer than it would have been.

        Without `expires_at` the new one ends when the other was to end, or with the key that rotates it, if that is earlier.

        Raises:
            ApiKeyNotFound: when the tenant has no such key.
            ApiKeyNotActive: when it is revoked, expired or rotated already.
            ScopeExceedsCaller: when it may do more than the caller, or they are disabled, or are a key that ends earlier.
            TooManyApiKeys: when so many rotated keys are still valid that the tenant has twice as many as it may.
        """
        now = self._clock.now()
        _require_end(expires_at, now)
        await require_enabled(self._database, caller)
        own_end = await self._own_end(caller, now)
        _require_before(expires_at, own_end)
        async with self._database.transaction() as tx:
            before = await sql.lock(tx, caller.tenant_id, key_id)
            if before is None:
                raise ApiKeyNotFound
            if before.rotated_to is not None:
                raise ApiKeyNotActive("the key is rotated already")
            if not before.is_active(now):
                raise ApiKeyNotActive("the key is revoked or expired")
            _require_held(caller, before.scopes)
            ends = [end for end in (before.expires_at, own_end) if end is not None]
            end = expires_at or min(ends, default=None)
            made = self._made(caller, name=before.name, scopes=before.scopes, expires_at=end, at=now)
            # First, so that one that ends at once leaves its place to the new one.
            ends_at = now + timedelta(seconds=overlap_seconds)
            await sql.retire(tx, before, rotated_to=made.key.id, expires_at=ends_at)
            await self._insert(tx, made, is_rotation=True)
            await record_change(
                tx, caller, action, str(key_id), at=now, rotated_to=str(made.key.id), overlap=str(overlap_seconds)
            )
        self._verifier.forget(caller.tenant_id)
        return made

    async def revoke(self, caller: Caller, key_id: UUID, *, action: str) -> None:
        """Revoke a key; one that is revoked stays as it is.

        Raises:
            ApiKeyNotFound: when the tenant has no such key.
        """
        now = self._clock.now()
        async with self._database.transaction() as tx:
            if await sql.lock(tx, caller.tenant_id, key_id) is None:
                raise ApiKeyNotFound
            if await sql.revoke(tx, caller.tenant_id, key_id, at=now):
                await record_change(tx, caller, action, str(key_id), at=now)
        # The process that revoked it does not wait for its own message.
        self._verifier.forget(caller.tenant_id)

    async def _own_end(self, caller: Caller, now: datetime) -> datetime | None:
        """Return when the key that makes another one ends; None for people, and for keys without an end.

        It is read again: one that was revoked a moment ago may still be remembered as valid. An operator's is none of the
        tenant for which it acts.
        """
        if caller.principal.key_id is None:
            return None
        with across_tenants():
            own = await sql.get(self._database, caller.principal.tid, caller.principal.key_id)
        if own is None or not own.is_active(now):
            raise ScopeExceedsCaller("the API key that you use is revoked or expired")
        return own.expires_at

    def _made(
        self, caller: Caller, *, name: str, scopes: Sequence[str], expires_at: datetime | None, at: datetime
    ) -> MadeKey:
        secret = new_secret(self._mode)
        key = ApiKey(
            tenant_id=caller.tenant_id,
            id=new_id(at),
            name=name,
            mode=self._mode.value,
            hint=hint_of(secret),
            scopes=tuple(sorted(set(scopes))),
            created_by=caller.actor,
            created_at=at,
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
            rotated_to=None,
            responsible=caller.principal.person,
        )
        return MadeKey(key=key, secret=secret)

    async def _insert(self, tx: Connection, made: MadeKey, *, is_rotation: bool) -> None:
        if not await sql.insert(tx, made.key, secret_hash=digest_of(made.secret), is_rotation=is_rotation):
            raise TooManyApiKeys

    async def _require_scopes(self, caller: Caller, scopes: Sequence[str]) -> None:
        existing = await sql.permissions(self._database)
        wrong = [
            (f"/scopes/{place}", "is for people only" if scope in FOR_PEOPLE else "is no permission")
            for place, scope in enumerate(scopes)
            if scope in FOR_PEOPLE or scope not in existing
        ]
        if wrong:
            raise Invalid("a scope cannot be given to a key", errors=tuple(wrong))
        _require_held(caller, scopes)


def _require_held(caller: Caller, scopes: Sequence[str]) -> None:
    beyond = sorted(set(scopes) - caller.principal.perms)
    if beyond and not caller.principal.is_global_admin:
        raise ScopeExceedsCaller(f"you do not have {', '.join(beyond)} yourself")


def _require_before(expires_at: datetime | None, own_end: datetime | None) -> None:
    if expires_at is not None and own_end is not None and expires_at > own_end:
        raise ScopeExceedsCaller(f"expires_at is after {iso(own_end)}, when the API key that you use ends")


def _require_end(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and not now < expires_at <= now + EXPIRES_AFTER_MAX:
        sentence = f"must be in the future, and at most {EXPIRES_AFTER_MAX.days} days ahead"
        raise Invalid(f"expires_at {sentence}", errors=(("/expires_at", sentence),))
