"""Requests for financial statements: what each account had done between two instants, by record or by effect.

Amounts are integer minor units; the api makes an income statement, a balance sheet or a cash position of them.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.ledger import AccountType

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}


class Basis(StrEnum):
    """By which of its two times a posting belongs to a period."""

    EFFECTIVE = "effective"
    """When it counts in the books: back-dated ones in the past, late ones in the first open instant. Periods are closed by it."""
    RECORD = "record"
    """When it was recorded."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What one column of a statement is about."""

    begins_at: datetime | None = None
    """Itself included; None: from the first posting."""
    ends_before: datetime
    """Itself not included."""


class AccountFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one account had done in one currency, in minor units."""

    account: str
    """The account's code."""
    label: str
    """Its name for people."""
    account_type: AccountType
    """Fixes the normal balance."""
    roles: list[str]
    """The roles in the posting rules that it plays or has played."""
    currency: str
    """ISO 4217 code."""
    opening_debits_minor: int
    """Sum of all debits before the span."""
    opening_credits_minor: int
    """Sum of all credits before the span."""
    closing_debits_minor: int
    """Sum of all debits up to its end."""
    closing_credits_minor: int
    """Sum of all credits up to its end."""
    year_end_debits_minor: int = 0
    """What of the debits in the span moved income and expenses to retained earnings: an income statement is without it."""
    year_end_credits_minor: int = 0
    """The same of the credits."""


class PeriodSeal(msgspec.Struct, frozen=True, kw_only=True):
    """What was written down when a period was closed, and whether the books still show it."""

    ends_before: datetime
    """The period's end."""
    closed_at: datetime
    """When it was closed."""
    closed_by: str
    """Who closed it."""
    sha256: str
    """The checksum of the balances by effect at its end, as they were when it was closed."""
    is_equal: bool
    """Whether the books show the same balances now; anything else is a fault."""


class SpanFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One column."""

    span: Span
    """What it is about."""
    accounts: list[AccountFigures]
    """By account code and currency; those that never had a posting before the span's end are left out."""
    is_final: bool
    """Whether it shows the same for ever: of record, its end is over; by effect, it is closed."""
    seal: PeriodSeal | None = None
    """Where it ends with a closed period, by effect."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a statement, all of one moment."""

    columns: list[SpanFigures]
    """In the order in which they were requested."""


@request(
    "statements.figures",
    owner="ledger",
    published_by=("api",),
    reply=Figures,
    example=_TENANT
    | {"spans": [{"begins_at": "2026-10-01T03:00:00Z", "ends_before": "2026-11-01T03:00:00Z"}], "basis": "effective"},
    is_heavy=True,
)
class ReportFigures(Message, frozen=True, kw_only=True):
    """What had this tenant's accounts done in each of these spans? Requested by the api for financial statements."""

    tenant_id: str
    """The tenant."""
    spans: list[Span]
    """1 to 13."""
    basis: Basis = Basis.EFFECTIVE
    """By which time postings count."""
    currency: str | None = None
    """This currency only."""
