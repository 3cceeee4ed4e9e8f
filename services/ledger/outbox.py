"""What the ledger publishes: `JournalEntryPosted`, `InvariantBroken` and `BooksSigned`, and nothing else."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from libs.common.contracts.ledger import EntryKind, JournalEntryPosted
from libs.common.contracts.ledger_books import BooksSigned, InvariantBroken
from libs.common.ids import derived_id
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation, new_correlation_id
from services.ledger.core import Entry


def entry_posted(entry: Entry, *, posted_at: datetime, correlation: Correlation) -> Publication:
    """Publish that an entry is in the books for ever."""
    return Publication.of(
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


def capture_posted(
    entry_id: UUID, *, tenant_id: str, payment_intent_id: UUID, amount_minor: int, currency: str, posted_at: datetime
) -> Publication:
    """Publish again that a capture is booked; under one id however often, since the first one is not kept."""
    return Publication.of(
        JournalEntryPosted(
            entry_id=entry_id,
            kind=EntryKind.CAPTURE,
            payment_intent_id=payment_intent_id,
            amount_minor=amount_minor,
            currency=currency,
            posted_at=posted_at,
        ),
        occurred_at=posted_at,
        correlation=Correlation(correlation_id=new_correlation_id(), tenant_id=tenant_id),
        event_id=derived_id(entry_id, f"journal_entry.posted:again:{tenant_id}"),
    )


def invariant_broken(*, tenant_id: str, invariant: str, subject: str, detail: str, found_at: datetime) -> Publication:
    """Publish that something in the books cannot be; no message caused it, so it begins a cause of its own."""
    return Publication.of(
        InvariantBroken(invariant=invariant, subject=subject, detail=detail, found_at=found_at),
        occurred_at=found_at,
        correlation=Correlation(correlation_id=new_correlation_id(), tenant_id=tenant_id),
    )


def heads_signed(number: int, *, statement: str, signatures: Mapping[str, str], signed_at: datetime) -> Publication:
    """Publish where all chains end, as it was signed; it concerns all tenants, and no message caused it."""
    return Publication.of(
        BooksSigned(number=number, statement=statement, signatures=dict(signatures), signed_at=signed_at),
        occurred_at=signed_at,
        correlation=Correlation(correlation_id=new_correlation_id(), tenant_id=""),
    )
