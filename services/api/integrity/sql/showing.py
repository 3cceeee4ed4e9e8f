"""What of the verification those see who answer for a tenant."""

from datetime import datetime

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement, columns_of, reader_of


class ShownChain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain of changes, and what was proved of it."""

    tenant_id: str
    changes: int
    """How many it has."""
    verified: int
    """Up to which one it was recomputed."""
    checked_at: datetime | None
    """When."""
    signed: int
    """Up to which one its end was signed."""
    statement: int | None
    """The number of the statement that has it."""


class ShownFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was changed past the services."""

    tenant_id: str
    invariant: str
    subject: str
    detail: str
    found_at: datetime


_chain_of, _finding_of = reader_of(ShownChain), reader_of(ShownFinding)

# Each by its primary key.
_CHAINS = Statement("""
SELECT t.tenant_id, coalesce(h.sequence, 0) AS changes, coalesce(c.sequence, 0) AS verified, c.checked_at,
       coalesce(e.sequence, 0) AS signed, e.number AS statement
  FROM unnest(:tenants::text[]) AS t(tenant_id)
  LEFT JOIN change_chains AS h USING (tenant_id)
  LEFT JOIN change_checks AS c USING (tenant_id)
  LEFT JOIN signed_ends AS e USING (tenant_id) ORDER BY 1
""")
# A handful, if any.
_FINDINGS = Statement(
    "SELECT {columns} FROM change_findings WHERE tenant_id = ANY(:tenants::text[]) ORDER BY found_at, subject LIMIT :limit",
    columns=columns_of(ShownFinding),
)


async def chains(database: Database, tenants: list[str]) -> list[ShownChain]:
    """Read the chains of these tenants."""
    return [_chain_of(row) for row in await _CHAINS.fetch(database, tenants=tenants)]


async def findings(database: Database, tenants: list[str], *, limit: int) -> list[ShownFinding]:
    """Read what was found of these tenants, the first ones first."""
    return [_finding_of(row) for row in await _FINDINGS.fetch(database, tenants=tenants, limit=limit)]
