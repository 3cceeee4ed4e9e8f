"""What became of entries that people make, as they are reported."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_journal import EntryResult, ManualEntry, Outcome
from services.ledger import metrics, posting
from services.ledger.manual_entries.domain import Fault, entry_id
from services.ledger.manual_entries.sql import manual


def result_of(entry: ManualEntry, fault: Fault | None, outcome: posting.Outcome | None) -> EntryResult:
    """Return what became of one entry: the fault that refused it, or what the posting engine made of it."""
    if fault is not None:
        return EntryResult(
            id=entry_id(entry),
            outcome=Outcome.REFUSED,
            code=fault.code,
            detail=fault.detail,
            pointer=fault.pointer,
        )
    if isinstance(outcome, posting.Replayed):
        return EntryResult(id=entry_id(entry), outcome=Outcome.REPLAYED, posted_at=outcome.posted_at)
    assert isinstance(outcome, posting.Posted)
    return EntryResult(id=entry_id(entry), outcome=Outcome.POSTED, posted_at=outcome.posted_at)


def all_or_none(results: Sequence[EntryResult]) -> list[EntryResult]:
    """Return what becomes of entries that are posted together: where one is refused, none is posted."""
    if all(result.outcome is not Outcome.REFUSED for result in results):
        return list(results)
    return [
        EntryResult(id=result.id, outcome=Outcome.NOT_POSTED) if result.outcome is Outcome.POSTED else result
        for result in results
    ]


def as_if(results: Sequence[EntryResult]) -> list[EntryResult]:
    """Return what would become of entries: one that would be posted has no instant of record."""
    return [
        msgspec.structs.replace(result, posted_at=None) if result.outcome is Outcome.POSTED else result
        for result in results
    ]


def notes_of(
    entries: Sequence[ManualEntry],
    results: Sequence[EntryResult],
    *,
    made_by: str,
    approved_by: str | None = None,
    proposal_id: UUID | None = None,
) -> list[manual.Note]:
    """Note who made those entries that were posted."""
    return [
        manual.Note(
            entry_id=result.id,
            description=entry.description,
            made_by=made_by,
            approved_by=approved_by,
            proposal_id=proposal_id,
        )
        for entry, result in zip(entries, results, strict=True)
        if result.outcome is Outcome.POSTED
    ]


def count(results: Sequence[EntryResult]) -> None:
    """Count what became of entries; called once they are committed, or refused for good."""
    for outcome, entries in Counter(result.outcome for result in results).items():
        if outcome is not Outcome.NOT_POSTED:
            metrics.ENTRIES.labels(EntryKind.MANUAL, outcome.value).inc(entries)
