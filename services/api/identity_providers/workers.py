"""Secrets of identity providers follow the key that seals them."""

from libs.common.db import Database
from libs.common.observability.logging import get_logger
from libs.common.service import Worker
from services.api.identity_providers import sql
from services.api.identity_providers.commands import ClientSecretUnreadable, ProviderSecrets

log = get_logger("api.identity_providers")

_RESEAL_EVERY_SECONDS = 300.0
_BATCH_MAX = 100


def identity_provider_workers(database: Database, secrets: ProviderSecrets | None) -> list[Worker]:
    """List what is done about identity providers on our own clock; without secrets there are none."""
    if secrets is None:
        return []
    resealer = Resealer(database, secrets=secrets)
    return [Worker(name="reseal client secrets", every_seconds=_RESEAL_EVERY_SECONDS, run=resealer.run)]


class Resealer:
    """Seals with the current key what an earlier one has sealed, so that the earlier one can be forgotten."""

    def __init__(self, database: Database, *, secrets: ProviderSecrets) -> None:
        self._database = database
        self._secrets = secrets

    async def run(self) -> None:
        """Seal all of them anew, batch by batch; what cannot be opened stays as it is, and is named in the log."""
        after = ""
        while batch := await sql.sealed_before(self._database, self._secrets.current_id, after=after, limit=_BATCH_MAX):
            for tenant_id, before in batch:
                try:
                    sealed = self._secrets.seal_of(tenant_id, self._secrets.open_of(tenant_id, before))
                except ClientSecretUnreadable as fault:
                    log.error("client_secret.unreadable", tenant_id=tenant_id, reason=fault.detail)
                    continue
                async with self._database.transaction() as tx:
                    await sql.reseal(tx, tenant_id, before=before, sealed=sealed)
            after = batch[-1][0]
