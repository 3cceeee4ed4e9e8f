"""Holds, as clients write and see them."""

from typing import Annotated
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_books import Hold, HoldState
from libs.common.money import format_minor
from services.api.http.rendering import AmountIn

ABSENT = b"null"


type _Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class PlaceHoldBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount to be set aside."""

    debit_account: _Code
    credit_account: _Code
    amount: AmountIn
    currency: Annotated[
        str,
        msgspec.Meta(min_length=3, max_length=8, description="ISO 4217 code, upper case, or the code of an own unit."),
    ]
    expires_at: (
        Annotated[str, msgspec.Meta(max_length=64, description="When it is let go by itself; absent: never.")] | None
    ) = None
    id: Annotated[UUID, msgspec.Meta(description="Yours, which makes asking again harmless; absent: ours.")] | None = (
        None
    )


class CaptureHoldBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a hold is to be posted."""

    amount: AmountIn = msgspec.field(default_factory=lambda: msgspec.Raw(ABSENT))
    """All of it where it is absent."""


class HoldBody(msgspec.Struct, frozen=True, kw_only=True):
    """An amount set aside."""

    id: str
    debit_account: str
    credit_account: str
    currency: str
    amount: str
    captured: str
    state: HoldState
    placed_at: str
    expires_at: str | None
    resolved_at: str | None
    entry_id: str | None


def hold_body(hold: Hold) -> HoldBody:
    """Show a hold as clients see it."""
    return HoldBody(
        id=str(hold.id),
        debit_account=hold.debit_account,
        credit_account=hold.credit_account,
        currency=hold.currency,
        amount=format_minor(hold.amount_minor, hold.currency),
        captured=format_minor(hold.captured_minor, hold.currency),
        state=hold.state,
        placed_at=iso(hold.placed_at),
        expires_at=None if hold.expires_at is None else iso(hold.expires_at),
        resolved_at=None if hold.resolved_at is None else iso(hold.resolved_at),
        entry_id=None if hold.entry_id is None else str(hold.entry_id),
    )
