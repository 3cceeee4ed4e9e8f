"""What the processor tells unasked: all attempts and disputes of one payment, locked, changed and said in one commit."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.messaging import Publication, publish
from services.gateway.notices.domain import Dispute
from services.gateway.operations import COLUMNS, Attempt, attempt_of, insert_attempts, opening_arrays
from services.gateway.processors.port import DisputeState, Operation

# In the order in which groups of attempts are locked too, so that nobody waits in a circle.
_LOCK = f"""
SELECT {COLUMNS} FROM attempts WHERE tenant_id = $1 AND payment_intent_id = $2 ORDER BY tenant_id, id FOR UPDATE
"""  # noqa: S608 - no input in it
_CHANGE = """
UPDATE attempts SET status = $3, gateway_ref = $4, result_ref = $5, action_url = $6, reason = $7, detail = $8,
    expires_at = $9, next_ask_at = $10, decided_at = $11, amount_minor = $12, updated_at = $13
WHERE tenant_id = $1 AND id = $2
"""
_INSERT = insert_attempts(1)
_DISPUTES = """
SELECT tenant_id, id, payment_intent_id, processor, gateway_ref, state, amount_minor, currency, reason, opened_at,
    evidence_due_at, decided_at, reversals
FROM disputes WHERE tenant_id = $1 AND payment_intent_id = $2 ORDER BY opened_at, id
"""
_SAVE_DISPUTE = """
INSERT INTO disputes (tenant_id, id, payment_intent_id, processor, gateway_ref, state, amount_minor, currency, reason,
    opened_at, evidence_due_at, decided_at, reversals, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id, tenant_id) DO UPDATE SET state = excluded.state, evidence_due_at = excluded.evidence_due_at,
    decided_at = excluded.decided_at, reversals = excluded.reversals, updated_at = excluded.updated_at
"""
_BY_REF = (
    "SELECT tenant_id, payment_intent_id FROM attempts "
    "WHERE gateway_ref = $1 AND processor = $2 AND operation = 'authorize' AND processor <> 'sandbox'"
)


class RacedError(Exception):
    """An attempt was written down by somebody else in this very moment; look again."""


class Payment:
    """All that we have asked about one payment, locked until the end of the block; changes are written at once."""

    def __init__(self, transaction: Connection, attempts: Sequence[Attempt], disputes: Sequence[Dispute]) -> None:
        self._transaction = transaction
        self.attempts = attempts
        self.disputes = {dispute.id: dispute for dispute in disputes}

    def attempt(self, operation: Operation, *, refund_id: UUID | None = None) -> Attempt | None:
        """The attempt of an operation, where there is one."""
        found = (a for a in self.attempts if a.operation is operation and a.refund_id == refund_id)
        return next(found, None)

    async def change(self, attempt: Attempt, *, at: datetime) -> None:
        """Write down what has become of an attempt."""
        await self._transaction.execute(
            _CHANGE,
            *(attempt.tenant_id, attempt.id, attempt.status, attempt.gateway_ref, attempt.result_ref),
            *(attempt.action_url, attempt.reason, attempt.detail, attempt.expires_at, attempt.next_ask_at),
            *(attempt.decided_at, attempt.amount_minor, at),
        )

    async def add(self, attempt: Attempt, *, at: datetime) -> None:
        """Write down an operation that nobody has asked us for, with its outcome.

        Raises:
            RacedError: when it was asked for in this very moment.
        """
        if not await self._transaction.fetch(_INSERT, *opening_arrays([attempt])):
            raise RacedError
        await self.change(attempt, at=at)

    async def save(self, dispute: Dispute, *, at: datetime) -> None:
        """Write down how a dispute stands."""
        await self._transaction.execute(_SAVE_DISPUTE, *msgspec.structs.astuple(dispute), at)

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Say what is new, in the same commit."""
        await publish(self._transaction, publications)


class NoticeStore:
    """Payments, as a whole, under lock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def payment(self, *, tenant_id: str, payment_intent_id: UUID) -> AsyncIterator[Payment]:
        """Lock all that we have asked about a payment, for the length of the block, which is one transaction."""
        async with self._database.transaction() as transaction:
            attempts = [attempt_of(row) for row in await transaction.fetch(_LOCK, tenant_id, payment_intent_id)]
            rows = await transaction.fetch(_DISPUTES, tenant_id, payment_intent_id) if attempts else []
            yield Payment(transaction, attempts, [dispute_of(row) for row in rows])

    async def find(self, *, processor: str, gateway_ref: str) -> tuple[str, UUID] | None:
        """Find whose payment a reference of a processor names, as (tenant, payment intent); None when nobody's."""
        row = await self._database.fetchrow(_BY_REF, gateway_ref, processor)
        return None if row is None else (row["tenant_id"], row["payment_intent_id"])


def dispute_of(row: asyncpg.Record) -> Dispute:
    """Read a dispute."""
    fields: dict[str, Any] = dict(row)
    fields["state"] = DisputeState(fields["state"])
    return Dispute(**fields)
