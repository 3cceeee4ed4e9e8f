"""The SQL of identity providers, and of which users are known to them by which subject."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.api.identity_providers.domain import IdentityProvider

_provider_of = reader_of(IdentityProvider)

# By the primary key.
_GET = Statement(
    "SELECT {columns} FROM identity_providers WHERE tenant_id = :tenant_id", columns=columns_of(IdentityProvider)
)

# Of two changes at once the second one finds what the first has left.
_LOCK = Statement(
    "SELECT {columns} FROM identity_providers WHERE tenant_id = :tenant_id FOR UPDATE",
    columns=columns_of(IdentityProvider),
)

# One of a tenant: when it got its first one stays.
_PUT = Statement(
    """
INSERT INTO identity_providers ({columns}) VALUES ({values})
ON CONFLICT (tenant_id) DO UPDATE
   SET issuer = excluded.issuer, client_id = excluded.client_id, client_secret = excluded.client_secret,
       updated_at = excluded.updated_at
RETURNING {columns}
""",
    columns=columns_of(IdentityProvider),
    values=values_of("provider", IdentityProvider),
)

# With who was known there.
_DELETE = Statement("DELETE FROM identity_providers WHERE tenant_id = :tenant_id")

# What another provider called somebody, or another client of the same one, says nothing here.
_FORGET = Statement("DELETE FROM user_identities WHERE tenant_id = :tenant_id")

# By the primary key; a provider of before may have called somebody else so.
_USER = Statement("""
SELECT u.email FROM user_identities AS i JOIN users AS u ON u.id = i.user_id
 WHERE i.tenant_id = :tenant_id AND i.subject = :subject AND i.issuer = :issuer
""")

# Of a user who may log in and is nobody else there: of two at once one waits for the other, and finds it. The lock waits for whoever
# sets another provider, which then is another one: what it has forgotten does not come back.
_BIND = Statement("""
INSERT INTO user_identities (tenant_id, subject, user_id, issuer, bound_at)
SELECT u.tenant_id, :subject, u.id, :issuer, :at
  FROM identity_providers AS p JOIN users AS u ON u.tenant_id = p.tenant_id
 WHERE u.email = :email AND u.tenant_id = :tenant_id AND u.disabled_at IS NULL
   AND p.issuer = :issuer AND p.client_id = :client_id
   FOR SHARE OF p
ON CONFLICT DO NOTHING RETURNING 1
""")

# What users of the tenant may do together, whoever of them is disabled now included.
_PERMISSIONS = Statement("""
SELECT DISTINCT p.permission FROM users AS u JOIN role_permissions AS p ON p.role = ANY(u.roles)
 WHERE u.tenant_id = :tenant_id ORDER BY 1
""")

# Along the primary key, so that one that cannot be opened keeps no other from its turn.
_SEALED_BEFORE = Statement("""
SELECT tenant_id, client_secret FROM identity_providers
 WHERE tenant_id > :after AND client_secret IS NOT NULL AND substring(client_secret FROM 2 FOR 8) <> :key_id
 ORDER BY tenant_id LIMIT :limit
""")

# Unless the tenant has changed it meanwhile.
_RESEAL = Statement("""
UPDATE identity_providers SET client_secret = :sealed WHERE tenant_id = :tenant_id AND client_secret = :before
""")


async def provider(database: Database, tenant_id: str) -> IdentityProvider | None:
    """Read the identity provider of a tenant."""
    row = await _GET.fetchrow(database, tenant_id=tenant_id)
    return None if row is None else _provider_of(row)


async def lock_provider(tx: Connection, tenant_id: str) -> IdentityProvider | None:
    """Read the identity provider of a tenant and lock it."""
    row = await _LOCK.fetchrow(tx, tenant_id=tenant_id)
    return None if row is None else _provider_of(row)


async def put_provider(tx: Connection, provider: IdentityProvider) -> IdentityProvider:
    """Write the identity provider of a tenant; returns it as it is then."""
    row = await _PUT.fetchrow(tx, provider=provider)
    assert row is not None, "a row is written in any case"
    return _provider_of(row)


async def delete_provider(tx: Connection, tenant_id: str) -> None:
    """Forget the identity provider of a tenant."""
    await _DELETE.execute(tx, tenant_id=tenant_id)


async def forget_identities(tx: Connection, tenant_id: str) -> None:
    """Forget by which subjects the users of a tenant were known."""
    await _FORGET.execute(tx, tenant_id=tenant_id)


async def user_of_subject(tx: Connection, tenant_id: str, subject: str, *, issuer: str) -> str | None:
    """Read the login name of the user of a tenant who is known by a subject."""
    row = await _USER.fetchrow(tx, tenant_id=tenant_id, subject=subject, issuer=issuer)
    return None if row is None else row["email"]


async def bind_user(
    tx: Connection, tenant_id: str, *, email: str, subject: str, issuer: str, client_id: str, at: datetime
) -> bool:
    """Bind the user of a tenant with this login name to a subject; False when there is none, or it is bound to another one."""
    row = await _BIND.fetchrow(
        tx, tenant_id=tenant_id, email=email, subject=subject, issuer=issuer, client_id=client_id, at=at
    )
    return row is not None


async def permissions_of_users(tx: Connection, tenant_id: str) -> list[str]:
    """Read what users of a tenant may do, together."""
    return [row["permission"] for row in await _PERMISSIONS.fetch(tx, tenant_id=tenant_id)]


async def sealed_before(database: Database, key_id: bytes, *, after: str, limit: int) -> Sequence[tuple[str, bytes]]:
    """Read the next secrets that are not sealed with the key of this id, each with its tenant, in the order of tenants."""
    rows = await _SEALED_BEFORE.fetch(database, key_id=key_id, after=after, limit=limit)
    return [(row["tenant_id"], row["client_secret"]) for row in rows]


async def reseal(tx: Connection, tenant_id: str, *, before: bytes, sealed: bytes) -> None:
    """Replace a sealed secret by the same one, sealed anew."""
    await _RESEAL.execute(tx, tenant_id=tenant_id, before=before, sealed=sealed)
