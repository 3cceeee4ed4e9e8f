"""What the ledger says: `JournalEntryPosted`, and nothing else."""

from datetime import datetime

from libs.common.contracts.ledger import JournalEntryPosted
from libs.common.messaging import Saying
from libs.common.observability.correlation import Correlation
from services.ledger.domain import Entry


def entry_posted(entry: Entry, *, posted_at: datetime, correlation: Correlation) -> Saying | None:
    """Say that an entry stands in the books for ever; None for one without a payment intent, which nobody waits for."""
    if entry.payment_intent_id is None:
        return None
    return Saying.of(
        JournalEntryPosted(
            entry_id=entry.id,
            kind=entry.kind,
            payment_intent_id=entry.payment_intent_id,
            subject_id=entry.subject_id,
            amount_minor=entry.amount_minor,
            currency=entry.currency,
            posted_at=posted_at,
        ),
        occurred_at=posted_at,
        correlation=correlation,
    )
