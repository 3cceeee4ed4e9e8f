"""What we decide about the key that signing secrets are sealed with: what an earlier one sealed is sealed anew."""

from typing import Protocol
from uuid import UUID

import msgspec

from libs.common.db import Database
from services.notifier import metrics
from services.notifier.errors import SecretUnreadable
from services.notifier.store import endpoints
from services.notifier.store.endpoints import Sealed

BATCH = 100
"""Endpoints that one transaction seals anew."""


class SecretResealer(Protocol):
    """Something that seals with its current key what an earlier one sealed."""

    @property
    def current_id(self) -> bytes:
        """The id of the current key, as it stands in what it sealed."""
        ...

    def reseal(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID) -> bytes:
        """Encrypt with the current key; raises `SecretUnreadable` when the secret cannot be opened."""
        ...


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the secrets that an earlier key had sealed."""

    done: int
    """Endpoints sealed anew."""
    unreadable: tuple[UUID, ...]
    """Endpoints whose key is not in the ring; they stay as they are."""
    left: int
    """Endpoints that still need an earlier key; at 0 it can be removed."""


async def reseal_secrets(database: Database, *, secrets: SecretResealer, batch: int = BATCH) -> Resealed:
    """Seal with the current key everything that another one sealed: secrets, retired ones, and tenants' headers.

    Batch by batch along the primary key, each in a transaction of its own. What is left to do is written in the rows
    themselves, so that an interrupted run goes on wherever it is started again, and any number of processes may run it.
    """
    after, done, unreadable = ("", UUID(int=0)), 0, []
    while True:
        async with database.transaction() as tx:
            found = await endpoints.outdated(tx, key_id=secrets.current_id, after=after, limit=batch)
            anew = []
            for sealed in found:
                try:
                    anew.append(_anew(sealed, secrets))
                except SecretUnreadable:
                    unreadable.append(sealed.endpoint_id)
            await endpoints.reseal(tx, anew)
        done += len(anew)
        metrics.SECRETS_RESEALED.inc(len(anew))
        if len(found) < batch:
            break
        after = (found[-1].tenant_id, found[-1].endpoint_id)
    async with database.connection() as connection:
        left = await endpoints.count_outdated(connection, key_id=secrets.current_id)
    metrics.SECRETS_OUTDATED.set(left)
    return Resealed(done=done, unreadable=tuple(unreadable), left=left)


def _anew(sealed: Sealed, secrets: SecretResealer) -> Sealed:
    def reseal(part: bytes) -> bytes:
        return secrets.reseal(part, tenant_id=sealed.tenant_id, endpoint_id=sealed.endpoint_id)

    return msgspec.structs.replace(
        sealed,
        secret=reseal(sealed.secret),
        retired=tuple(reseal(part) for part in sealed.retired),
        headers=None if sealed.headers is None else reseal(sealed.headers),
    )
