"""Which payments of a tenant a reference of the processor is about."""

from uuid import UUID

from libs.common.db import Database
from libs.common.db.statements import Statement

# Each part by an index of its own: a payment's reference, a refund's, a dispute's, and, once the statement has been read,
# a balance transaction's and what it came from. The sandbox's payments are in none, so that they cost no more to write.
BY_REFERENCE = Statement(
    """
SELECT payment_intent_id FROM (
    SELECT payment_intent_id FROM attempts
     WHERE gateway_ref = :reference AND operation = 'authorize' AND processor <> 'sandbox' AND tenant_id = :tenant_id
     UNION
    SELECT payment_intent_id FROM attempts
     WHERE tenant_id = :tenant_id AND result_ref = :reference AND operation = 'refund' AND result_ref <> ''
     UNION
    SELECT payment_intent_id FROM disputes WHERE tenant_id = :tenant_id AND gateway_ref = :reference
     UNION
    SELECT payment_intent_id FROM processor_movements
     WHERE tenant_id = :tenant_id AND id = :reference AND payment_intent_id IS NOT NULL
     UNION
    SELECT payment_intent_id FROM processor_movements
     WHERE tenant_id = :tenant_id AND source_ref = :reference AND source_ref <> '' AND payment_intent_id IS NOT NULL
) AS named ORDER BY payment_intent_id LIMIT :limit
"""
)


async def payments_of_reference(database: Database, *, tenant_id: str, reference: str, limit: int) -> list[UUID]:
    """Read which of a tenant's payments a reference is about: of a payment, charge, refund, dispute or balance transaction."""
    rows = await BY_REFERENCE.fetch(database, tenant_id=tenant_id, reference=reference, limit=limit)
    return [row["payment_intent_id"] for row in rows]
