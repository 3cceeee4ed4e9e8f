"""What an operator decides about an attempt: written, published and written down in one transaction."""

from collections.abc import Callable
from uuid import UUID

from libs.common.db import Database
from libs.common.db.statements import Statement
from libs.common.errors import Conflict
from libs.common.messaging import write_down
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.operations.sql.attempts import COLUMNS, RECORD, attempt_of, recording_values
from services.gateway.operations.sql.recording import Recording

# By the primary key. One id is one tenant's, since it is derived from the tenant; the second row would show a bug.
_FIND = Statement("SELECT {columns} FROM attempts WHERE id = :id ORDER BY tenant_id LIMIT 2", columns=COLUMNS)

# All of the payment, in the order in which notices lock them: neither waits for the other in a circle, and what is
# decided holds beside everything that is known of the payment.
_LOCK = Statement(
    """
SELECT {columns} FROM attempts WHERE tenant_id = :tenant_id AND payment_intent_id = :payment_intent_id
ORDER BY tenant_id, id FOR UPDATE
""",
    columns=COLUMNS,
)


async def find(database: Database, attempt_id: UUID) -> Attempt | None:
    """Read one attempt by its id, whoever's it is; None where there is none.

    Raises:
        Conflict: when two tenants have it.
    """
    rows = await _FIND.fetch(database, id=attempt_id)
    if len(rows) > 1:
        raise Conflict(f"two tenants have an attempt {attempt_id}")
    return attempt_of(rows[0]) if rows else None


async def resolve(
    database: Database,
    attempt: Attempt,
    decide: Callable[[Attempt, list[Attempt]], Recording | None],
    *,
    actor: str,
    detail: str,
) -> bool:
    """Record and publish what `decide` makes of an attempt as it stands under lock, and write down who did it.

    `decide` is given the attempt and the others of its payment, and may raise, or return None where nothing is left to
    do; then nothing changes. `detail` is JSON. Returns whether anything was recorded.
    """
    async with database.transaction() as tx:
        rows = await _LOCK.fetch(tx, tenant_id=attempt.tenant_id, payment_intent_id=attempt.payment_intent_id)
        attempts = [attempt_of(row) for row in rows]
        locked = next((each for each in attempts if each.id == attempt.id), None)
        if locked is None:
            raise Conflict(f"the attempt {attempt.id} is gone")
        recording = decide(locked, [each for each in attempts if each.id != attempt.id])
        if recording is None:
            return False
        rows = await RECORD.fetch(tx, **recording_values([recording]))
        assert rows, "it is locked, and has no outcome"
        await write_down(tx, actor=actor, action="attempt.resolved", subject=str(attempt.id), detail=detail)
    return True
