"""Closed periods, as clients write and see them."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_books import Period


class ClosePeriodBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which books are to be closed."""

    ends_before: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=64,
            description="A midnight of the tenant's calendar that has passed, or its date: everything effective before it is "
            "closed.",
        ),
    ]


class PeriodBody(msgspec.Struct, frozen=True, kw_only=True):
    """Closed books."""

    ends_before: str
    closed_at: str
    closed_by: str


def period_body(period: Period) -> PeriodBody:
    """Show a closed period as clients see it."""
    return PeriodBody(ends_before=iso(period.ends_before), closed_at=iso(period.closed_at), closed_by=period.closed_by)
