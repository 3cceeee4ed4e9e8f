"""Reading an entry in order to take it back."""

from uuid import UUID

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.ledger.core import Line

# Without a lock: an entry never changes, and `uq_journal_entries_reverses` lets it be taken back once.
_LINES_OF = Statement("""
SELECT e.kind, e.payment_intent_id, e.reverses, p.account_id, p.side, p.amount_minor, p.currency
FROM journal_entries AS e JOIN postings AS p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id
WHERE e.tenant_id = :tenant_id AND e.id = :entry_id ORDER BY p.line_no
""")


async def lines_of(
    connection: Connection, tenant_id: str, entry_id: UUID
) -> tuple[EntryKind, UUID | None, UUID | None, tuple[Line, ...]] | None:
    """Return an entry's kind, its intent, what it reverses, and its lines; None when the tenant's books have no such entry."""
    rows = await _LINES_OF.fetch(connection, tenant_id=tenant_id, entry_id=entry_id)
    if not rows:
        return None
    lines = tuple(
        Line(
            account_id=row["account_id"],
            side=Side(row["side"]),
            amount_minor=row["amount_minor"],
            currency=row["currency"],
        )
        for row in rows
    )
    return EntryKind(rows[0]["kind"]), rows[0]["payment_intent_id"], rows[0]["reverses"], lines
