"""Requests about the own units of a tenant: points, miles, whatever its books count beside money."""

from datetime import datetime

import msgspec

from libs.common.contracts.base import Message, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}


class OwnUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that a tenant counts in. It never changes once it is there."""

    code: str
    """Two capital letters and a digit, which says the decimals: `PT2`."""
    exponent: int
    """How many decimals it has, 0 to 18."""
    name: str
    """Its name for people, 1 to 100 characters."""
    created_at: datetime
    """Since when the tenant has it."""
    created_by: str
    """Who added it: a subject."""


class OwnUnitList(msgspec.Struct, frozen=True, kw_only=True):
    """The own units of a tenant, by code."""

    units: list[OwnUnit]
    """At most 200."""


@request("units.list", owner="ledger", published_by=("api",), reply=OwnUnitList, example=_TENANT)
class ListOwnUnits(Message, frozen=True, kw_only=True):
    """Which own units does this tenant have? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request(
    "units.add",
    owner="ledger",
    published_by=("api",),
    reply=OwnUnit,
    example=_TENANT | {"code": "PT2", "name": "Loyalty points", "created_by": "cfo@example.com"},
)
class AddOwnUnit(Message, frozen=True, kw_only=True):
    """Let a tenant's books count in a unit of its own. Requested by the api; again is answered the same."""

    tenant_id: str
    """The tenant."""
    code: str
    """Two capital letters and a digit, which says the decimals: `PT2`."""
    name: str
    """Its name for people, 1 to 100 characters."""
    created_by: str
    """Who asks: the subject of the caller's token."""
