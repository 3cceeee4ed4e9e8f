"""Which tables of a schema a request of one tenant could read as a whole, from the database's own catalog."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tests.support.databases import TestDatabase

_TABLES = """
SELECT r.relname AS name, r.relrowsecurity AND r.relforcerowsecurity AS is_forced
  FROM pg_class r
 WHERE r.relnamespace = $1::regnamespace AND r.relkind IN ('r', 'p') AND NOT r.relispartition
   AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
"""
_POLICIES = """
SELECT tablename AS name, policyname AS policy, permissive, cmd, qual, with_check, ARRAY(SELECT unnest(roles) ORDER BY 1) AS roles
  FROM pg_policies WHERE schemaname = $1 AND tablename = $2
"""
# Of partitions a role could read everything: the policies are those of the table that they are parts of.
_OPEN = """
SELECT r.relname AS name FROM pg_class r
 WHERE r.relnamespace = $1::regnamespace AND r.relispartition AND r.relkind IN ('r', 'p')
   AND has_table_privilege($2, r.oid, 'SELECT, INSERT, UPDATE, DELETE')
"""

_PROTECTED = """
SELECT relnamespace::regnamespace::text || '.' || relname AS name FROM pg_class
 WHERE relnamespace::regnamespace::text = ANY($1) AND relrowsecurity ORDER BY 1
"""
_CONDITION = re.compile(r"(?:\w+\.)?tenant_id = (?:\$\d+(?:::\w+)?|\w+\.tenant_id|ANY ?\(\$\d+(?:::text\[\])?\))")
_IN_PAIRS = re.compile(r"(unnest\(\$\d+::text\[\], [^)]*\)) AS w\(tenant_id, (\w+)\)")


def without_tenant(query: str, *, both: Sequence[str] = ()) -> str:
    """Return a statement whose conditions on the tenant hold for every row; it looks for ids that it has in pairs at `both`."""
    query = _CONDITION.sub(r"(\g<0> OR true)", query)
    if not both:
        return query
    tenants = f"(VALUES {', '.join(f"('{each}')" for each in both)}) AS v(tenant_id)"
    return _IN_PAIRS.sub(rf"(SELECT v.tenant_id, u.\2 FROM \1 AS u(own, \2), {tenants}) AS w", query)


@asynccontextmanager
async def policies_off(admin: "asyncpg.Connection[asyncpg.Record]", services: Sequence[str]) -> AsyncIterator[None]:
    """Have no policy obeyed inside the block."""
    tables = [row["name"] for row in await admin.fetch(_PROTECTED, services)]
    for table in tables:
        await admin.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    try:
        yield
    finally:
        for table in tables:
            await admin.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


async def unprotected(database: TestDatabase, service: str) -> dict[str, str]:
    """Return the tables with a tenant that row-level security does not protect, each with the reason."""
    admin = await asyncpg.connect(database.admin_url)
    try:
        found = {
            row["name"]: "a partition may be read past it"
            for row in await admin.fetch(_OPEN, service, f"{service}_requests")
        }
        tables = await admin.fetch(_TABLES, service)
        assert len(tables) > 3
        for table in tables:
            if not table["is_forced"]:
                found[table["name"]] = "row-level security is not forced"
            policies = {row["policy"]: row for row in await admin.fetch(_POLICIES, service, table["name"])}
            if policies.keys() != {"service", "tenant"}:
                found[table["name"]] = f"policies: {sorted(policies)}"
                continue
            if policies["service"]["roles"] != [f"{service}_app", f"{service}_owner"]:
                found[table["name"]] = "the policy of the service is for others too"
            own = policies["tenant"]
            if own["roles"] != [f"{service}_requests"] or own["cmd"] != "ALL" or own["with_check"] is not None:
                found[table["name"]] = "the policy of a tenant is not for all that its requests do"
            if "tenant_id = current_setting('app.tenant'::text, true)" not in own["qual"]:
                found[table["name"]] = f"the policy of a tenant is {own['qual']}"
    finally:
        await admin.close()
    return found
