"""Holds as they are requested and shown. A field of the same name on both sides is carried over by that alone."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from libs.common.contracts import ledger_books as contract
from services.ledger.core import Hold

REQUESTED = tuple(name for name in contract.PlaceHold.__struct_fields__ if name in Hold.__struct_fields__)
"""Fields that a request and a hold have in common; the others of a request are its id and the codes of its accounts."""
SHOWN = tuple(name for name in contract.Hold.__struct_fields__ if name in Hold.__struct_fields__)
"""Fields that a hold is shown with as they are; the others are the codes of its accounts."""


def hold_requested(request: contract.PlaceHold, accounts: Mapping[str, UUID], *, at: datetime) -> Hold:
    """Make the hold that is to be placed; `accounts` has the ids of its accounts by their codes.

    Raises:
        EntryInvalid: as `Hold`.
    """
    return Hold(
        id=request.hold_id,
        debit_account_id=accounts[request.debit_account],
        credit_account_id=accounts[request.credit_account],
        placed_at=at,
        **{name: getattr(request, name) for name in REQUESTED},
    )


def hold_shown(hold: Hold, codes: Mapping[UUID, str]) -> contract.Hold:
    """Show a hold; `codes` has the codes of its accounts."""
    return contract.Hold(
        debit_account=codes[hold.debit_account_id],
        credit_account=codes[hold.credit_account_id],
        **{name: getattr(hold, name) for name in SHOWN},
    )
