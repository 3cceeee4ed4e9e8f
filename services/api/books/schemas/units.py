"""Own units, as clients write and see them."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_units import OwnUnit


class AddOwnUnitBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An own unit that is to be added. It never changes."""

    code: Annotated[
        str,
        msgspec.Meta(
            min_length=3,
            max_length=3,
            description="Two capital letters and a digit, whose place says the decimals: at the end it is their number "
            "(`PT2` has 2), in the middle ten more, up to 18 (`E8T`).",
            examples=["PT2"],
        ),
    ]
    name: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=100, description="Its name for people.", examples=["Loyalty points"]),
    ]


class OwnUnitBody(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that the tenant's books count in, beside money."""

    code: Annotated[str, msgspec.Meta(description="What amounts name it by.")]
    decimals: Annotated[int, msgspec.Meta(ge=0, le=18, description="How many its amounts have, as its code says.")]
    name: str
    created_at: str
    created_by: str


def unit_body(unit: OwnUnit) -> OwnUnitBody:
    """Show an own unit as clients see it."""
    return OwnUnitBody(
        code=unit.code,
        decimals=unit.exponent,
        name=unit.name,
        created_at=iso(unit.created_at),
        created_by=unit.created_by,
    )
