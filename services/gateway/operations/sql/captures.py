"""What our records have of captures, whoever requested them from the processor."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.gateway.operations.domain.attempts import attempt_id
from services.gateway.processors.port import Operation

# By the primary key, a batch at once: the id of a capture is derived, and there is one for each payment.
_CAPTURES = Statement(
    """
SELECT a.tenant_id, a.payment_intent_id, a.amount_minor, a.currency FROM attempts AS a
JOIN unnest(:tenant_ids::text[], :ids::uuid[]) AS w (tenant_id, id) USING (tenant_id, id) WHERE a.status = 'APPROVED'
"""
)


async def captures(tx: Connection, payments: Sequence[tuple[str, UUID]]) -> Mapping[tuple[str, UUID], tuple[int, str]]:
    """Read (amount in minor units, currency) of the captures of payments, each named by (tenant, intent).

    A payment without a capture is missing.
    """
    ids = [attempt_id(tenant_id=t, subject_id=i, operation=Operation.CAPTURE) for t, i in payments]
    rows = await _CAPTURES.fetch(tx, tenant_ids=[tenant for tenant, _ in payments], ids=ids)
    return {(row["tenant_id"], row["payment_intent_id"]): (row["amount_minor"], row["currency"]) for row in rows}
