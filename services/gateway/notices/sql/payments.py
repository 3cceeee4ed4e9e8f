"""The SQL of notices: all attempts and disputes of one payment, locked, changed and published in one commit."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from libs.common.messaging import Publication, publish
from services.gateway.notices.domain import Dispute
from services.gateway.operations import COLUMNS, OUTCOME, Attempt, AttemptStatus, attempt_of, open_attempts
from services.gateway.processors.port import Operation

_DISPUTE_KEY = ("tenant_id", "id")
_DISPUTE_FIXED = ("payment_intent_id", "processor", "gateway_ref", "currency")
"""What never changes about a dispute; an inquiry that becomes one may have another reason."""

read_dispute = reader_of(Dispute)

# In the order in which groups of attempts are locked too, so that two transactions never wait in a circle.
_LOCK = Statement(
    """
SELECT {columns} FROM attempts WHERE tenant_id = :tenant_id AND payment_intent_id = :payment_intent_id
ORDER BY tenant_id, id FOR UPDATE
""",
    columns=COLUMNS,
)

# `asks` counts our own calls, which a notice is not; the amount is what the processor reports, who may have taken less.
_CHANGE = Statement(
    """
UPDATE attempts SET {assignments}, amount_minor = :attempt.amount_minor, updated_at = :at
WHERE tenant_id = :attempt.tenant_id AND id = :attempt.id
""",
    assignments=", ".join(f"{name} = :attempt.{name}" for name in OUTCOME if name != "asks"),
)

# After `_LOCK`, without a lock of its own: a dispute is written under the lock of its payment's attempts alone.
_DISPUTES = Statement(
    """
SELECT {columns} FROM disputes WHERE tenant_id = :tenant_id AND payment_intent_id = :payment_intent_id
ORDER BY opened_at, id
""",
    columns=columns_of(Dispute),
)

# Overwrites without a comparison: what counts was decided under the lock of the payment's attempts.
_SAVE_DISPUTE = Statement(
    """
INSERT INTO disputes ({columns}, updated_at) VALUES ({values}, :at)
ON CONFLICT (id, tenant_id) DO UPDATE SET {assignments}, updated_at = excluded.updated_at
""",
    columns=columns_of(Dispute),
    values=values_of("dispute", Dispute),
    assignments=", ".join(
        f"{name} = excluded.{name}"
        for name in Dispute.__struct_fields__
        if name not in (*_DISPUTE_KEY, *_DISPUTE_FIXED)
    ),
)

# The sandbox never reports anything by its own reference alone, so the index leaves it out.
_BY_REF = Statement(
    """
SELECT tenant_id, payment_intent_id FROM attempts
WHERE gateway_ref = :gateway_ref AND processor = :processor AND operation = 'authorize' AND processor <> 'sandbox'
"""
)

# By `ix_attempts_payment_intent`, without a lock: whoever writes metadata may name any payment.
_KNOWS = Statement("""
SELECT 1 FROM attempts
 WHERE tenant_id = :tenant_id AND payment_intent_id = :payment_intent_id AND operation = 'authorize' AND processor = :processor
""")


class RacedError(Exception):
    """An attempt was written down by somebody else in this very moment; look again."""


class Payment:
    """All attempts and disputes of one payment, locked until the end of the block; changes are written at once."""

    def __init__(self, tx: Connection, attempts: Sequence[Attempt], disputes: Sequence[Dispute]) -> None:
        self._tx = tx
        self.attempts = attempts
        self.disputes = {dispute.id: dispute for dispute in disputes}

    def attempt(
        self, operation: Operation, *, refund_id: UUID | None = None, number: int | None = None
    ) -> Attempt | None:
        """The attempt of an operation, where there is one; of several voids or releases, the last that was not refused.

        `number` is the authorization that it is of; None: any.
        """
        found = [
            a
            for a in self.attempts
            if a.operation is operation and a.refund_id == refund_id and number in (None, a.number)
        ]
        return max(found, key=lambda a: (a.status is not AttemptStatus.DECLINED, a.created_at), default=None)

    async def change(self, attempt: Attempt, *, at: datetime) -> None:
        """Write down what has become of an attempt."""
        await _CHANGE.execute(self._tx, attempt=attempt, at=at)

    async def add(self, attempt: Attempt, *, at: datetime) -> None:
        """Write down an operation that nobody has requested from us, with its outcome.

        Raises:
            RacedError: when it was requested in this very moment.
        """
        if not await open_attempts(self._tx, [attempt]):
            raise RacedError
        await self.change(attempt, at=at)

    async def request(self, attempt: Attempt | None) -> None:
        """Write down an operation that is due, where there is one; one that stands already stays as it is."""
        if attempt is not None:
            await open_attempts(self._tx, [attempt])

    async def save(self, dispute: Dispute, *, at: datetime) -> None:
        """Write down how a dispute stands."""
        await _SAVE_DISPUTE.execute(self._tx, dispute=dispute, at=at)

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish what is new, in the same commit."""
        await publish(self._tx, publications)


@asynccontextmanager
async def payment(database: Database, *, tenant_id: str, payment_intent_id: UUID) -> AsyncIterator[Payment]:
    """Lock all attempts and disputes of a payment, for the length of the block, which is one transaction."""
    async with database.transaction() as tx:
        named = {"tenant_id": tenant_id, "payment_intent_id": payment_intent_id}
        attempts = [attempt_of(row) for row in await _LOCK.fetch(tx, **named)]
        rows = await _DISPUTES.fetch(tx, **named) if attempts else []
        yield Payment(tx, attempts, [read_dispute(row) for row in rows])


async def knows(database: Database, *, tenant_id: str, payment_intent_id: UUID, processor: str) -> bool:
    """Return whether a payment of a tenant goes through a processor."""
    row = await _KNOWS.fetchrow(database, tenant_id=tenant_id, payment_intent_id=payment_intent_id, processor=processor)
    return row is not None


async def find(database: Database, *, processor: str, gateway_ref: str) -> tuple[str, UUID] | None:
    """Find whose payment a reference of a processor names, as (tenant, payment intent); None when nobody's."""
    row = await _BY_REF.fetchrow(database, gateway_ref=gateway_ref, processor=processor)
    return None if row is None else (row["tenant_id"], row["payment_intent_id"])
