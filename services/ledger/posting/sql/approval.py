"""Which tenants demand a second person, as the engine reads it in the transaction that posts."""

from collections.abc import Sequence

from libs.common.db import Connection
from libs.common.db.statements import Statement

# Without a lock: a change counts for the groups that begin after it. No row demands nothing.
_DEMANDING = Statement("""
SELECT tenant_id FROM journal_policies WHERE tenant_id = ANY(:tenant_ids::text[]) AND manual_entries_need_approval
""")


async def demanding(tx: Connection, tenant_ids: Sequence[str]) -> frozenset[str]:
    """Find which of these tenants let nobody change their books alone."""
    return frozenset(row["tenant_id"] for row in await _DEMANDING.fetch(tx, tenant_ids=list(tenant_ids)))
