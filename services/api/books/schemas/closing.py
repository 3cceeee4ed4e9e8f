"""The end of a period, as clients see it."""

from typing import Annotated

import msgspec

from libs.common.contracts.ledger_closing import BooksClosed, ClosingOutcome, ClosingResult
from libs.common.money import format_minor


class CloseYearBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which year is closed."""

    year: Annotated[int, msgspec.Meta(ge=1970, le=9998, description="A year by the tenant's calendar, which is over.")]


class RevalueBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At the end of which day, and in which currency, others are valued."""

    day: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^\d{4}-\d{2}-\d{2}(?!\n)$",
            description="The last day of the period by the tenant's calendar, which is over.",
        ),
    ]
    currency: Annotated[
        str, msgspec.Meta(pattern=r"^[A-Z]{3}(?!\n)$", description="ISO 4217 code of the currency of the reports.")
    ]


class ResultBody(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned or lost in one currency."""

    currency: str
    result: Annotated[str, msgspec.Meta(description="What was earned; below zero what was lost.")]


class ValuedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What one currency has gained or lost."""

    currency: str
    balance: Annotated[str, msgspec.Meta(description="Assets less liabilities in the currency.")]
    rate: Annotated[str, msgspec.Meta(description="What one unit was worth at the end of the day.")]
    gain: Annotated[str, msgspec.Meta(description="In the currency of the reports; below zero a loss.")]


class YearEndBody(msgspec.Struct, frozen=True, kw_only=True):
    """What became of closing a year."""

    year: int
    outcome: ClosingOutcome
    results: Annotated[list[ResultBody], msgspec.Meta(description="What this request moves, by currency.")]
    entry_ids: list[str]
    proposal_id: Annotated[str | None, msgspec.Meta(description="What somebody else has to decide about.")]


class RevaluationBody(msgspec.Struct, frozen=True, kw_only=True):
    """What became of valuing other currencies."""

    day: str
    currency: str
    outcome: ClosingOutcome
    results: Annotated[list[ValuedBody], msgspec.Meta(description="What this request books, by currency.")]
    entry_ids: list[str]
    proposal_id: Annotated[str | None, msgspec.Meta(description="What somebody else has to decide about.")]


def year_end_body(year: int, done: BooksClosed) -> YearEndBody:
    """Show what became of closing a year."""
    return YearEndBody(
        year=year,
        outcome=done.outcome,
        results=[
            ResultBody(currency=each.currency, result=format_minor(each.result_minor, each.currency))
            for each in done.results
        ],
        entry_ids=[str(entry_id) for entry_id in done.entry_ids],
        proposal_id=None if done.proposal_id is None else str(done.proposal_id),
    )


def revaluation_body(requested: RevalueBody, done: BooksClosed) -> RevaluationBody:
    """Show what became of valuing other currencies."""
    return RevaluationBody(
        day=requested.day,
        currency=requested.currency,
        outcome=done.outcome,
        results=[_valued(each, requested.currency) for each in done.results],
        entry_ids=[str(entry_id) for entry_id in done.entry_ids],
        proposal_id=None if done.proposal_id is None else str(done.proposal_id),
    )


def _valued(result: ClosingResult, currency: str) -> ValuedBody:
    assert result.balance_minor is not None
    assert result.rate is not None
    return ValuedBody(
        currency=result.currency,
        balance=format_minor(result.balance_minor, result.currency),
        rate=f"{result.rate:f}",
        gain=format_minor(result.result_minor, currency),
    )
