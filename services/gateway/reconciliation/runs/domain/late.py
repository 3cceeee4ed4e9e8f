"""What became known after the month in which it happened was closed. Pure."""

from collections.abc import Iterable, Sequence

from libs.common.contracts.gateway_reconciliation import DiscrepancyType
from services.gateway.reconciliation.periods import Closing, closed_month_of, is_late
from services.gateway.reconciliation.runs.domain.facts import Difference, MovementFact, about_movement


def late(moved: Iterable[MovementFact], closings: Sequence[Closing]) -> Iterable[Difference]:
    """Name the movements that are missing in the report of their month: they count in the first month that was open."""
    for each in moved:
        month = is_late(each.created_at, each.seen_at, closings) if each.is_booked else None
        if month is not None:
            yield about_movement(
                DiscrepancyType.LATE,
                each,
                "period",
                f"the {each.kind.replace('_', ' ')} {each.id} became known after {month.month} was closed, and counts in the month "
                "that was open then",
                expected_minor=None,
                actual_minor=each.net_minor,
            )


def named_by_month(each: Difference, closings: Sequence[Closing]) -> str:
    """Say what differs, and where it happened in a month that is closed, that too."""
    month = closed_month_of(each.since, closings)
    if month is None or each.type is DiscrepancyType.LATE:
        return each.detail
    return f"{each.detail}; {month.month}, in which it happened, is closed"
