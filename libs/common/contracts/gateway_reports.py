"""The report of a run of reconciliation: what an accountant reads from the top down, as it was when the run ended.

Amounts are integer minor units of the currency that stands beside them.
"""

from datetime import datetime

import msgspec


class MovedLine(msgspec.Struct, frozen=True, kw_only=True):
    """What moved on an account for one reason."""

    kind: str
    """What moved, as movements name it: charge, refund, dispute, payout; `fee` has all fees."""
    number: int
    """How many movements; of fees those that bear one."""
    in_minor: int
    """What came, not below zero."""
    out_minor: int
    """What left, not below zero."""


class StatementSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What moved for the tenant on one account at the processor, in one currency: opening + in - out = closing."""

    account_id: str
    """The account at the processor."""
    is_live: bool
    """Live or test mode."""
    currency: str
    """ISO 4217 code of what it settles in."""
    opening_minor: int
    """What it had when the window began."""
    lines: list[MovedLine]
    """What moved in the window, by kind."""
    in_minor: int
    """The sum of what came."""
    out_minor: int
    """The sum of what left."""
    closing_minor: int
    """What it had when the window ended."""
    off_minor: int | None
    """What the processor's own balance had beyond what is known of all its movements, when they were last compared; None: they never were."""
    compared_at: datetime | None
    """When that was."""


class BooksBeside(msgspec.Struct, frozen=True, kw_only=True):
    """The statements of all accounts beside the accounts in the books that mirror them, in one currency."""

    currency: str
    """ISO 4217 code."""
    statement_minor: int
    """What the statements close with."""
    books_minor: int
    """What the books have as pending and available at the processor, at the end of the window."""
    difference_minor: int
    """The books less the statements: zero, or discrepancies say why."""


class MatchedTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What agrees, in one currency."""

    currency: str
    """ISO 4217 code."""
    number: int
    """How many movements."""
    amount_minor: int
    """What they come to, whichever way they went."""


class OpenTotal(msgspec.Struct, frozen=True, kw_only=True):
    """Discrepancies that are not settled, of one type, currency and age."""

    type: str
    """What does not agree."""
    currency: str
    """ISO 4217 code; empty where it is no matter of money."""
    age: str
    """For how long they have been known: `day`, `week`, `month` for less than that, else `older`."""
    number: int
    """How many."""
    amount_minor: int
    """By how much the sides are apart, all together, whichever way."""


class ClearingBalance(msgspec.Struct, frozen=True, kw_only=True):
    """An account that should be empty in the end and is not: debits less credits at the end of the window."""

    account: str
    """Its code."""
    roles: list[str]
    """What it is for in the posting rules."""
    currency: str
    """ISO 4217 code."""
    balance_minor: int
    """What stands on it."""
    ages: dict[str, int]
    """The same by how long it has stood there, where the oldest is cleared first: `day`, `week`, `month` for less than that, `older`."""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a run, made once when it ended and never changed."""

    window_from: datetime
    """From when on."""
    window_until: datetime
    """Until before when."""
    made_at: datetime
    """When it was made."""
    statements: list[StatementSummary]
    """By account and currency."""
    books: list[BooksBeside]
    """By currency."""
    matched: list[MatchedTotal]
    """By currency."""
    unsettled: list[OpenTotal]
    """By type, currency and age."""
    clearing: list[ClearingBalance]
    """By account and currency; empty ones are left out."""
