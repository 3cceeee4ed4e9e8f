"""Requests about the calendar of a tenant's books: the time zone whose midnights end its periods."""

from datetime import datetime

import msgspec

from libs.common.contracts.base import Message, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """By which calendar a tenant's books are kept."""

    zone: str
    """IANA name of the time zone; UTC where none was chosen."""
    changed_at: datetime | None = None
    """Since when; None where none was chosen."""
    changed_by: str | None = None
    """Who chose it; None where nobody did."""


@request("calendar.get", owner="ledger", published_by=("api",), reply=Calendar, example=_TENANT)
class GetCalendar(Message, frozen=True, kw_only=True):
    """By which calendar are this tenant's books kept? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request(
    "calendar.set",
    owner="ledger",
    published_by=("api",),
    reply=Calendar,
    example=_TENANT | {"zone": "America/Sao_Paulo", "changed_by": "cfo@example.com"},
)
class SetCalendar(Message, frozen=True, kw_only=True):
    """Keep a tenant's books by another calendar from now on. Requested by the api; again changes nothing."""

    tenant_id: str
    """The tenant."""
    zone: str
    """IANA name of the time zone."""
    changed_by: str
    """Who asks: the subject of the caller's token."""
