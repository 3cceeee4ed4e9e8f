"""The report of a run: as JSON, as a table for spreadsheets, and as a page to print; all of them have the same figures."""

from collections.abc import Sequence

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_reports import ClearingBalance, OpenTotal, RunReport, StatementSummary
from libs.common.money import format_minor
from services.api.http.printing import page, table

COLUMNS = ("section", "account", "currency", "item", "number", "in", "out", "amount")
"""Of the table."""
_AGES = ("day", "week", "month", "older")
_AGE_NAMES = {"day": "under a day", "week": "under a week", "month": "under 30 days", "older": "older"}


class MovedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What moved on an account for one reason."""

    kind: str
    number: int
    came: str
    left: str


class StatementSummaryBody(msgspec.Struct, frozen=True, kw_only=True):
    """What moved on one account at the processor in one currency: `opening` and `came` less `left` make `closing`."""

    account: str
    live: bool
    currency: str
    opening: str
    lines: list[MovedBody]
    came: str
    left: str
    closing: str
    processor_beyond: str | None
    compared_at: str | None


class BesideBody(msgspec.Struct, frozen=True, kw_only=True):
    """All statements in one currency beside the accounts in the books that mirror them: `difference` is the books less the statements."""

    currency: str
    statements: str
    books: str
    difference: str


class MatchedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What agrees, in one currency."""

    currency: str
    number: int
    amount: str


class OpenBody(msgspec.Struct, frozen=True, kw_only=True):
    """Discrepancies that are not settled, of one type, currency and age."""

    type: str
    currency: str | None
    age: str
    number: int
    amount: str | None


class AgesBody(msgspec.Struct, frozen=True, kw_only=True):
    """A balance by how long it has stood there: less than a day, a week, 30 days, or longer."""

    day: str
    week: str
    month: str
    older: str


class ClearingBody(msgspec.Struct, frozen=True, kw_only=True):
    """An account that should be empty in the end and is not; debits are above zero."""

    account: str
    roles: list[str]
    currency: str
    balance: str
    ages: AgesBody


class ReportBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an accountant reads of a run, as it was when it ended."""

    made_at: str
    statements: list[StatementSummaryBody]
    books: list[BesideBody]
    matched: list[MatchedBody]
    unsettled: list[OpenBody]
    clearing: list[ClearingBody]


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What a page is about."""

    title: str
    lines: Sequence[tuple[str, str]]
    """Name and value."""


def report_body(report: RunReport) -> ReportBody:
    """Show a report."""
    return ReportBody(
        made_at=iso(report.made_at),
        statements=[_statement(each) for each in report.statements],
        books=[
            BesideBody(
                currency=each.currency,
                statements=format_minor(each.statement_minor, each.currency),
                books=format_minor(each.books_minor, each.currency),
                difference=format_minor(each.difference_minor, each.currency),
            )
            for each in report.books
        ],
        matched=[
            MatchedBody(
                currency=each.currency, number=each.number, amount=format_minor(each.amount_minor, each.currency)
            )
            for each in report.matched
        ],
        unsettled=[_open(each) for each in report.unsettled],
        clearing=[_clearing(each) for each in report.clearing],
    )


def report_rows(report: ReportBody) -> list[Sequence[str]]:
    """Write a report as rows of one table, from the top down."""
    rows: list[Sequence[str]] = []
    for one in report.statements:
        of = one.account if one.live else f"{one.account} (test)"
        rows.append(("statement", of, one.currency, "opening", "", "", "", one.opening))
        rows += [
            ("statement", of, one.currency, line.kind, str(line.number), line.came, line.left, "") for line in one.lines
        ]
        rows.append(("statement", of, one.currency, "closing", "", one.came, one.left, one.closing))
        if one.processor_beyond is not None:
            rows.append(("statement", of, one.currency, "processor_beyond", "", "", "", one.processor_beyond))
    for each in report.books:
        rows += [
            ("books", "", each.currency, "statements", "", "", "", each.statements),
            ("books", "", each.currency, "books", "", "", "", each.books),
            ("books", "", each.currency, "difference", "", "", "", each.difference),
        ]
    rows += [("matched", "", each.currency, "", str(each.number), "", "", each.amount) for each in report.matched]
    rows += [
        ("unsettled", "", each.currency or "", f"{each.type} {each.age}", str(each.number), "", "", each.amount or "")
        for each in report.unsettled
    ]
    for balance in report.clearing:
        ages = msgspec.structs.asdict(balance.ages)
        rows += [("clearing", balance.account, balance.currency, age, "", "", "", ages[age]) for age in _AGES]
        rows.append(("clearing", balance.account, balance.currency, "balance", "", "", "", balance.balance))
    return rows


def report_page(heading: Heading, report: ReportBody) -> bytes:
    """Write a report as a page to print."""
    parts = []
    for one in report.statements:
        name = f"{one.account}, {one.currency}" + ("" if one.live else ", test mode")
        rows = [("Opening", "", "", "", one.opening)]
        rows += [(_named(line.kind), str(line.number), line.came, line.left, "") for line in one.lines]
        rows.append(("Closing", "", one.came, one.left, one.closing))
        if one.processor_beyond is not None:
            rows.append((f"Processor beyond that, at {one.compared_at}", "", "", "", one.processor_beyond))
        parts.append(table(name, ("", "Number", "In", "Out", "Balance"), rows))
    parts.append(
        table(
            "Beside the books",
            ("Currency", "Statements", "Books", "Difference"),
            [(each.currency, each.statements, each.books, each.difference) for each in report.books],
        )
    )
    parts.append(
        table(
            "Matched",
            ("Currency", "Number", "Amount"),
            [(each.currency, str(each.number), each.amount) for each in report.matched],
        )
    )
    parts.append(
        table(
            "Open discrepancies",
            ("Type", "Currency", "Known for", "Number", "Apart by"),
            [
                (each.type, each.currency or "", _AGE_NAMES[each.age], str(each.number), each.amount or "")
                for each in report.unsettled
            ],
        )
    )
    parts.append(
        table(
            "Clearing accounts that are not empty",
            ("Account", "Currency", *(_AGE_NAMES[age] for age in _AGES), "Balance"),
            [
                (each.account, each.currency, *msgspec.structs.asdict(each.ages).values(), each.balance)
                for each in report.clearing
            ],
        )
    )
    return page(heading.title, heading.lines, parts)


def _statement(each: StatementSummary) -> StatementSummaryBody:
    def money(minor: int) -> str:
        return format_minor(minor, each.currency)

    return StatementSummaryBody(
        account=each.account_id,
        live=each.is_live,
        currency=each.currency,
        opening=money(each.opening_minor),
        lines=[
            MovedBody(kind=line.kind, number=line.number, came=money(line.in_minor), left=money(line.out_minor))
            for line in each.lines
        ],
        came=money(each.in_minor),
        left=money(each.out_minor),
        closing=money(each.closing_minor),
        processor_beyond=None if each.off_minor is None else money(each.off_minor),
        compared_at=None if each.compared_at is None else iso(each.compared_at),
    )


def _open(each: OpenTotal) -> OpenBody:
    return OpenBody(
        type=each.type,
        currency=each.currency or None,
        age=each.age,
        number=each.number,
        amount=format_minor(each.amount_minor, each.currency) if each.currency else None,
    )


def _clearing(each: ClearingBalance) -> ClearingBody:
    return ClearingBody(
        account=each.account,
        roles=each.roles,
        currency=each.currency,
        balance=format_minor(each.balance_minor, each.currency),
        ages=AgesBody(**{age: format_minor(each.ages[age], each.currency) for age in _AGES}),
    )


def _named(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
