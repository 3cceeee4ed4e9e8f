"""Closed months of reconciliation: a report that is sealed, chained to the one before, and never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.gateway_reports import RunReport

_TENANT: dict[str, Any] = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_MONTH = _TENANT | {"month": "2026-10"}


class ClosedMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A month that is closed."""

    month: str
    """Year and month in UTC: `2026-10`."""
    ends_before: datetime
    """The first instant after it."""
    known_until: datetime
    """What became known later is not in its report: it counts in the month after."""
    closed_at: datetime
    """When it was closed."""
    closed_by: str
    """Who closed it."""
    run_id: UUID
    """The run that has compared all of it."""
    override_reason: str
    """Why it was closed though discrepancies were open for too long, or a statement was not known to its end; empty where nothing was."""
    overridden: int
    """How many those were."""
    sha256: str
    """Over the sealed bytes, in hexadecimal; they contain the one of the month before."""
    previous_sha256: str
    """Of the month before; empty where it is the first."""


class SealedMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month with its report."""

    period: ClosedMonth
    """The month."""
    report: RunReport
    """As it was when the month was closed. Its statements open with what the month before closed with; the line `late` has what became
    known only after that."""
    overridden_ids: list[UUID]
    """The discrepancies that were open for too long, at most 1,000."""
    sealed: str
    """The bytes over which the checksum was made, as text: JSON in UTF-8."""
    unread: list[str] = []
    """Accounts whose statement was not known to the end of the month."""


class ClosedMonths(msgspec.Struct, frozen=True, kw_only=True):
    """Closed months, the latest first."""

    periods: list[ClosedMonth]
    next_before: str = ""
    """From where the next page goes on; empty: there is none."""


class SealCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the seals of closed months hold."""

    periods: int
    """How many were checked."""
    last_sha256: str
    """The checksum of the latest one: kept elsewhere, it proves that none was removed."""
    faults: list[str]
    """What does not hold, a sentence for each, the oldest first; empty: all of it does."""


@request(
    "reconciliation_periods.close",
    owner="gateway",
    published_by=("api",),
    reply=ClosedMonth,
    example=_MONTH | {"closed_by": "ops@example.com"},
    timeout_seconds=20.0,
)
class CloseReconciliationPeriod(Message, frozen=True, kw_only=True):
    """Close a month; again is success. Requested by the api."""

    tenant_id: str
    """The tenant."""
    month: str
    """Year and month in UTC: `2026-10`."""
    closed_by: str
    """Who closes it."""
    override_reason: str = ""
    """Why it is closed though discrepancies have been open for too long, or a statement is not known to its end; empty: it is not, then."""


@request("reconciliation_periods.list", owner="gateway", published_by=("api",), reply=ClosedMonths, example=_TENANT)
class ListReconciliationPeriods(Message, frozen=True, kw_only=True):
    """Which months are closed? Requested by the api."""

    tenant_id: str
    """The tenant."""
    before: str = ""
    """Months before this one; empty: from the latest."""
    limit: int = 50
    """At most; 1 to 200."""


@request("reconciliation_periods.get", owner="gateway", published_by=("api",), reply=SealedMonth, example=_MONTH)
class GetReconciliationPeriod(Message, frozen=True, kw_only=True):
    """With which report was this month closed? Requested by the api."""

    tenant_id: str
    """The tenant."""
    month: str
    """Year and month in UTC."""


@request("reconciliation_periods.seals", owner="gateway", published_by=("api",), reply=SealCheck, example=_TENANT)
class GetReconciliationSeals(Message, frozen=True, kw_only=True):
    """Do the seals of all closed months hold? Requested by the api."""

    tenant_id: str
    """The tenant."""
