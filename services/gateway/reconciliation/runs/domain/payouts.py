"""The comparison of payouts: with their parts, with the movement that took them, and with the books. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from services.gateway.reconciliation.runs.domain.books import standing
from services.gateway.reconciliation.runs.domain.facts import (
    Compared,
    Difference,
    Patience,
    PayoutFact,
    compared,
)


def compare_payout(payout: PayoutFact, entries: Mapping[UUID, EntryFact], patience: Patience) -> Compared:
    """Compare a payout with its parts, with the movement that took it, and with the books."""

    def differ(kind: DiscrepancyType | None, aspect: str, detail: str, **fields: Any) -> Difference:
        return Difference(
            type=kind,
            subject_kind=SubjectKind.PAYOUT,
            subject=str(payout.payout_id),
            aspect=aspect,
            since=payout.created_at,
            gateway_ref=payout.id,
            currency=payout.currency,
            detail=f"the payout {payout.id}: {detail}",
            **fields,
        )

    found = []
    is_over = payout.status in ("failed", "canceled")
    left = 0 if is_over else -payout.amount_minor
    if not payout.has_movement and not is_over:
        missing = patience.or_timing(DiscrepancyType.MISSING_REMOTE, payout.created_at)
        found.append(differ(missing, "movement", "no movement has taken it", expected_minor=left, actual_minor=None))
    elif payout.has_movement and payout.taken_minor != left:
        kind = (
            DiscrepancyType.STATUS_MISMATCH if payout.taken_minor == 0 or is_over else DiscrepancyType.AMOUNT_MISMATCH
        )
        found.append(
            differ(
                patience.or_timing(kind, payout.changed_at),
                "movement",
                f"it is {payout.status}, and its movements come to {payout.taken_minor}",
                expected_minor=left,
                actual_minor=payout.taken_minor,
                expected_status=payout.status,
                actual_status="returned" if payout.taken_minor == 0 else "taken",
            )
        )
    if payout.is_itemised and payout.parts_minor != payout.amount_minor:
        found.append(
            differ(
                DiscrepancyType.AMOUNT_MISMATCH,
                "parts",
                f"its parts come to {payout.parts_minor}",
                expected_minor=payout.amount_minor,
                actual_minor=payout.parts_minor,
            )
        )
    for aspect, entry_kind, is_due in _at_the_bank(payout, entries):
        entry = standing(entries, payout.payout_id, entry_kind)
        has = None if entry is None else (entry.amount_minor, entry.currency)
        if has == ((abs(payout.amount_minor), payout.currency) if is_due else None):
            continue
        if entry is None:
            kind = DiscrepancyType.NOT_BOOKED
        else:
            kind = DiscrepancyType.AMOUNT_MISMATCH if is_due else DiscrepancyType.STATUS_MISMATCH
        found.append(
            differ(
                patience.or_timing(
                    kind, *([payout.changed_at] if entry is None else [payout.changed_at, entry.posted_at])
                ),
                aspect,
                f"it is {payout.bank} at the bank, and the entry '{entry_kind}' is "
                + ("not in the books" if entry is None else f"{entry.amount_minor} {entry.currency}"),
                expected_minor=None if entry is None else entry.amount_minor,
                actual_minor=abs(payout.amount_minor) if is_due else 0,
                expected_status="" if is_due else "booked",
                actual_status="" if is_due else payout.status,
            )
        )
    return compared(found)


def _at_the_bank(payout: PayoutFact, entries: Mapping[UUID, EntryFact]) -> Sequence[tuple[str, EntryKind, bool]]:
    """Return which entries a payout must have of the bank, and must not have: that it arrived, and that it was returned.

    One that was returned may have arrived before, or not: then both are booked, or neither.
    """
    arrival, back = EntryKind.PAYOUT_PAID, EntryKind.PAYOUT_DEBITED
    if payout.amount_minor < 0:
        arrival, back = back, arrival
    if not payout.is_booked:
        return ()
    is_back = payout.bank == "returned" and any(
        standing(entries, payout.payout_id, kind) is not None for kind in (arrival, back)
    )
    return ("book", arrival, is_back or payout.bank == "arrived"), ("returned", back, is_back)
