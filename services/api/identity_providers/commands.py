"""A tenant's identity provider is set and taken away: each in one transaction with its line of the audit log.

Who sets it decides who is whom: they must be allowed themselves all that users of the tenant are.
"""

from collections.abc import Sequence
from uuid import UUID

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import BrokenInvariant, Invalid
from libs.common.sealing import KeyRing
from services.api.access import require_enabled, require_operator_at_home
from services.api.audit import record_change
from services.api.http.callers import Caller
from services.api.identity_errors import ConsoleOff, IdentityProviderNotFound, ScopeExceedsCaller
from services.api.identity_providers import sql
from services.api.identity_providers.domain import IdentityProvider, fault_of_address

_OWNER = UUID(int=1)
"""A tenant has one secret; other uses of the same key have other owners."""


class ClientSecretUnreadable(BrokenInvariant):
    """A sealed client secret cannot be opened: its key is not in `CONSOLE_KEYS_PREVIOUS`, or it was not sealed for this tenant."""

    code = "client_secret_unreadable"


class ProviderSecrets(KeyRing):
    """Seals the secrets by which identity providers know us."""

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        """Take the sealing keys, 32 bytes in base64 each, the current one first."""
        super().__init__(current, previous, label=b"identity provider secret", unreadable=ClientSecretUnreadable)

    def seal_of(self, tenant_id: str, secret: str) -> bytes:
        """Encrypt the secret of a tenant's provider."""
        return self.seal(secret, tenant_id=tenant_id, owner_id=_OWNER)

    def open_of(self, tenant_id: str, sealed: bytes) -> str:
        """Decrypt the secret of a tenant's provider.

        Raises:
            ClientSecretUnreadable: when it cannot be opened.
        """
        return self.unseal(sealed, tenant_id=tenant_id, owner_id=_OWNER)


class IdentityProviders:
    """Decides about the identity providers of tenants."""

    def __init__(self, database: Database, *, clock: Clock, secrets: ProviderSecrets | None, is_local: bool) -> None:
        """Prepare; without `secrets` there is no console, and nobody who could log in by a provider."""
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._is_local = is_local

    async def get(self, caller: Caller) -> IdentityProvider:
        """Read the identity provider of the caller's tenant.

        Raises:
            IdentityProviderNotFound: when it has none.
        """
        found = await sql.provider(self._database, caller.tenant_id)
        if found is None:
            raise IdentityProviderNotFound
        return found

    async def put(
        self, caller: Caller, *, issuer: str, client_id: str, client_secret: str | None, action: str
    ) -> IdentityProvider:
        """Have users of the caller's tenant log in by an identity provider; it replaces the one of before.

        With another issuer, or as another client, users are found by their email again: subjects may be called otherwise.

        Raises:
            Invalid: when the issuer cannot be one.
            ConsoleOff: when there is no console, so that nobody could log in.
            ScopeExceedsCaller: when a user of the tenant may do what the caller may not, or the caller is disabled.
            OperatorRequired: when it is the platform's tenant, and the caller none of its operators.
        """
        if fault := fault_of_address(issuer, is_local=self._is_local, is_issuer=True):
            raise Invalid(f"the issuer {fault}", errors=(("/issuer", fault),))
        if self._secrets is None:
            raise ConsoleOff
        require_operator_at_home(caller)
        await require_enabled(self._database, caller)
        now = self._clock.now()
        stated = IdentityProvider(
            tenant_id=caller.tenant_id,
            issuer=issuer,
            client_id=client_id,
            client_secret=None if client_secret is None else self._secrets.seal_of(caller.tenant_id, client_secret),
            created_at=now,
            updated_at=now,
        )
        async with self._database.transaction() as tx:
            before = await sql.lock_provider(tx, caller.tenant_id)
            beyond = sorted(set(await sql.permissions_of_users(tx, caller.tenant_id)) - caller.principal.perms)
            if beyond and not caller.principal.is_global_admin:
                raise ScopeExceedsCaller(f"users of the tenant have {', '.join(beyond)}, and you do not")
            if before is not None and (before.issuer, before.client_id) != (issuer, client_id):
                await sql.forget_identities(tx, caller.tenant_id)
            after = await sql.put_provider(tx, stated)
            await record_change(tx, caller, action, issuer, at=now, client_id=client_id)
        return after

    async def delete(self, caller: Caller, *, action: str) -> None:
        """Have nobody of the caller's tenant log in by an identity provider any more, and forget who was who there.

        Raises:
            IdentityProviderNotFound: when it has none.
            OperatorRequired: when it is the platform's tenant, and the caller none of its operators.
            ScopeExceedsCaller: when the caller is disabled.
        """
        require_operator_at_home(caller)
        await require_enabled(self._database, caller)
        async with self._database.transaction() as tx:
            before = await sql.lock_provider(tx, caller.tenant_id)
            if before is None:
                raise IdentityProviderNotFound
            await sql.forget_identities(tx, caller.tenant_id)
            await sql.delete_provider(tx, caller.tenant_id)
            await record_change(tx, caller, action, before.issuer, at=self._clock.now(), client_id=before.client_id)
