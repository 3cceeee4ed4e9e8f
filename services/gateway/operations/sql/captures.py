"""What our records have of captures, whoever requested them from the processor."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.gateway.operations.domain.attempts import attempt_id
from services.gateway.processors.port import Operation

# By the primary key, a batch at once: the id of a capture is derived, and there is one for each payment.
_CAPTURES = Statement(
    """
SELECT a.tenant_id, a.payment_intent_id, a.amount_minor, a.currency, a.gateway_ref FROM attempts AS a
JOIN unnest(:tenant_ids::text[], :ids::uuid[]) AS w (tenant_id, id) USING (tenant_id, id) WHERE a.status = 'APPROVED'
"""
)


class KnownCapture(msgspec.Struct, frozen=True):
    """What our records have of a payment's capture."""

    amount_minor: int = 0
    """What was taken, in minor units; 0: no capture is known."""
    currency: str = ""
    """ISO 4217 code, upper case."""
    gateway_ref: str = ""
    """The processor's reference of the payment that was taken."""


async def captures(tx: Connection, payments: Sequence[tuple[str, UUID]]) -> Mapping[tuple[str, UUID], KnownCapture]:
    """Read the captures of payments, each named by (tenant, intent).

    A payment without a capture is missing.
    """
    ids = [attempt_id(tenant_id=t, subject_id=i, operation=Operation.CAPTURE) for t, i in payments]
    rows = await _CAPTURES.fetch(tx, tenant_ids=[tenant for tenant, _ in payments], ids=ids)
    return {
        (row["tenant_id"], row["payment_intent_id"]): KnownCapture(
            row["amount_minor"], row["currency"], row["gateway_ref"]
        )
        for row in rows
    }
