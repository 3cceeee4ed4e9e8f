"""What moved, and is missing in the processor's own report of those days. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_reconciliation import DiscrepancyType
from services.gateway.reconciliation.runs.domain.facts import Difference, MovementFact, Patience, about_movement


class Unreported(msgspec.Struct, frozen=True, kw_only=True):
    """A movement that an imported report does not have, though it has days before and after it, of the same account and currency, or the payout that
    it is part of."""

    movement_id: UUID
    source: str
    """Whose report it is, by its name."""
    imported_at: datetime
    """When it was imported."""
    payout: str = ""
    """The payout whose other parts it has; empty: it has the days."""


def unreported(
    moved: Iterable[MovementFact], missing: Mapping[UUID, Unreported], patience: Patience
) -> Sequence[Difference]:
    """Name the movements that a report should have, and has not."""
    return [
        about_movement(
            patience.or_timing(DiscrepancyType.MISSING_REMOTE, each.created_at, of_report.imported_at),
            each,
            "report",
            f"the {each.kind.replace('_', ' ')} {each.id} is missing in the report of {of_report.source!r}, which has "
            + (f"others of its payout {of_report.payout}" if of_report.payout else "its days"),
            expected_minor=each.amount_minor,
            actual_minor=None,
        )
        for each in moved
        if (of_report := missing.get(each.movement_id)) is not None
    ]
