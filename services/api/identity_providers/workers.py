"""Secrets of identity providers follow the key that seals them."""

from libs.common.db import Database
from services.api.identity_providers import sql
from services.api.identity_providers.commands import ProviderSecrets

RESEAL_EVERY_SECONDS = 300.0
_BATCH_MAX = 100


class Resealer:
    """Seals with the current key what an earlier one has sealed, so that the earlier one can be forgotten."""

    def __init__(self, database: Database, *, secrets: ProviderSecrets) -> None:
        self._database = database
        self._secrets = secrets

    async def run(self) -> None:
        """Seal a batch of secrets anew."""
        for tenant_id, before in await sql.sealed_before(self._database, self._secrets.current_id, limit=_BATCH_MAX):
            sealed = self._secrets.seal_of(tenant_id, self._secrets.open_of(tenant_id, before))
            async with self._database.transaction() as tx:
                await sql.reseal(tx, tenant_id, before=before, sealed=sealed)
