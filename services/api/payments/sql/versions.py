"""Whether payments have changed since somebody looked: one statement for everybody who looks, by keys alone."""

from collections.abc import Mapping, Sequence

from libs.common.db import Database
from libs.common.db.statements import Statement
from libs.common.ids import parse_id

NEWEST = 50
"""Of a tenant's payments, how many count as the newest."""

# Of one payment: the lines of its timeline, by its primary key.
_OF_PAYMENTS = Statement("""
SELECT w.tenant_id, w.intent_id::text AS topic, (SELECT count(*) || '-' || max(e.id::text) FROM payment_intent_events AS e
         WHERE e.payment_intent_id = w.intent_id AND e.tenant_id = w.tenant_id) AS version
  FROM unnest(:tenant_ids::text[], :intent_ids::uuid[]) AS w(tenant_id, intent_id)
""")

# Of a tenant: its newest payments, as its list shows them.
_OF_TENANTS = Statement(
    """
SELECT w.tenant_id, '' AS topic, n.version
  FROM unnest(:tenant_ids::text[]) AS w(tenant_id)
 CROSS JOIN LATERAL (SELECT max(i.id::text) || '-' || max(i.updated_at) AS version FROM (
        SELECT id, updated_at FROM payment_intents WHERE tenant_id = w.tenant_id ORDER BY id DESC LIMIT {newest}) AS i) AS n
""",
    newest=str(NEWEST),
)


async def versions(database: Database, topics: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """Return the version of each topic: a tenant, and the id of a payment or nothing for the newest ones.

    A topic without anything in it, or whose id is none, has the version `0`.
    """
    payments = [(tenant_id, topic) for tenant_id, topic in topics if topic and parse_id(topic)]
    tenants = [tenant_id for tenant_id, topic in topics if not topic]
    found = dict.fromkeys(topics, "0")
    if payments:
        rows = await _OF_PAYMENTS.fetch(
            database, tenant_ids=[tenant_id for tenant_id, _ in payments], intent_ids=[topic for _, topic in payments]
        )
        found |= {(row["tenant_id"], row["topic"]): row["version"] or "0" for row in rows}
    if tenants:
        rows = await _OF_TENANTS.fetch(database, tenant_ids=tenants)
        found |= {(row["tenant_id"], ""): row["version"] or "0" for row in rows}
    return found
