"""Financial statements of the books: income statement, balance sheet and cash position, as JSON, rows of a table or a page.

Each has one column for a period and one for each that it is compared with; all columns are of one moment.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_roles import Role
from libs.common.contracts.ledger_statements import AccountFigures, Basis, Figures, SpanFigures
from libs.common.money import format_minor
from services.api.http.printing import page, table

_MONEY_ROLES = frozenset(
    role.value
    for role in (
        Role.CASH,
        Role.BANK,
        Role.GATEWAY_CLEARING,
        Role.PROCESSOR_PENDING,
        Role.PROCESSOR_AVAILABLE,
        Role.RESERVES,
    )
)
"""Where money stands: at the processor, in transit to the bank, and at the bank."""

_NAMES = {
    "revenue": "Revenue",
    "expenses": "Expenses",
    "net_income": "Net income",
    "assets": "Assets",
    "liabilities": "Liabilities",
    "equity": "Equity",
    "liabilities_and_equity": "Liabilities and equity",
    "difference": "Difference",
    "opening": "Opening",
    "came": "In",
    "left": "Out",
    "closing": "Closing",
}
_TITLES = {"income_statement": "Income statement", "balance_sheet": "Balance sheet", "cash_position": "Cash position"}
UNCLOSED = "Net income that is not closed to equity"

_AMOUNTS = msgspec.Meta(description="One for each column.")


class SealBody(msgspec.Struct, frozen=True, kw_only=True):
    """What was written down when the period was closed with which a column ends."""

    closed_at: str
    closed_by: str
    sha256: Annotated[str, msgspec.Meta(description="Of all balances by effect at the end of the period.")]
    is_equal: Annotated[bool, msgspec.Meta(description="Whether the books show them still; anything else is a fault.")]


class ColumnBody(msgspec.Struct, frozen=True, kw_only=True):
    """What one column is about."""

    begins_at: Annotated[str | None, msgspec.Meta(description="Itself included; null: from the first posting.")]
    ends_before: Annotated[str, msgspec.Meta(description="Itself not included.")]
    is_final: Annotated[bool, msgspec.Meta(description="Whether it shows the same for ever.")]
    closed: Annotated[SealBody | None, msgspec.Meta(description="Where it ends with a closed period, by effect.")]


class StatementRowBody(msgspec.Struct, frozen=True, kw_only=True):
    """One account."""

    account: Annotated[str | None, msgspec.Meta(description="Its code; null where the row is computed.")]
    label: str
    amounts: Annotated[list[str], _AMOUNTS]


class StatementSectionBody(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts that belong together, with their sum."""

    section: str
    rows: list[StatementRowBody]
    total: Annotated[list[str], _AMOUNTS]


class StatementResultBody(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the sections."""

    name: str
    amounts: Annotated[list[str], _AMOUNTS]


class StatementCurrencyBody(msgspec.Struct, frozen=True, kw_only=True):
    """All of one currency."""

    currency: str
    sections: list[StatementSectionBody]
    results: list[StatementResultBody]


class FinancialStatementBody(msgspec.Struct, frozen=True, kw_only=True):
    """A financial statement."""

    statement: str
    basis: Basis
    tz: str
    columns: list[ColumnBody]
    currencies: list[StatementCurrencyBody]


type _Value = Callable[[AccountFigures], int]


def _debits(one: AccountFigures) -> int:
    return one.closing_debits_minor - one.opening_debits_minor


def _credits(one: AccountFigures) -> int:
    return one.closing_credits_minor - one.opening_credits_minor


def _earned(one: AccountFigures) -> int:
    """Without what a year end moved to retained earnings, which would leave nothing of the year."""
    return (_credits(one) - one.year_end_credits_minor) - (_debits(one) - one.year_end_debits_minor)


def _spent(one: AccountFigures) -> int:
    return -_earned(one)


def _held(one: AccountFigures) -> int:
    return one.closing_debits_minor - one.closing_credits_minor


def _owed(one: AccountFigures) -> int:
    return -_held(one)


def _held_before(one: AccountFigures) -> int:
    return one.opening_debits_minor - one.opening_credits_minor


class _Table:
    """The columns of one currency."""

    def __init__(self, currency: str, columns: Sequence[SpanFigures]) -> None:
        self.currency = currency
        self._columns = [
            {one.account: one for one in column.accounts if one.currency == currency} for column in columns
        ]
        self._known = {one.account: one for column in self._columns for one in column.values()}

    def amounts(self, account: str, value: _Value) -> list[int]:
        return [value(column[account]) if account in column else 0 for column in self._columns]

    def total(self, accounts: Iterable[str], value: _Value) -> list[int]:
        sums = [0] * len(self._columns)
        for account in accounts:
            sums = [a + b for a, b in zip(sums, self.amounts(account, value), strict=True)]
        return sums

    def of_type(self, *types: AccountType) -> list[str]:
        return sorted(code for code, one in self._known.items() if one.account_type in types)

    def of_money(self) -> list[str]:
        return sorted(code for code, one in self._known.items() if _MONEY_ROLES.intersection(one.roles))

    def section(
        self, name: str, accounts: Sequence[str], value: _Value, *, computed: dict[str, list[int]] | None = None
    ) -> StatementSectionBody:
        """Write a section; an account that has nothing in any column is left out."""
        rows = [(code, self._known[code].label, self.amounts(code, value)) for code in accounts]
        shown: list[tuple[str | None, str, list[int]]] = [row for row in rows if any(row[2])]
        total = self.total(accounts, value)
        for label, sums in (computed or {}).items():
            shown.append((None, label, sums))
            total = [a + b for a, b in zip(total, sums, strict=True)]
        return StatementSectionBody(
            section=name,
            rows=[
                StatementRowBody(account=code, label=label, amounts=self.written(sums)) for code, label, sums in shown
            ],
            total=self.written(total),
        )

    def written(self, sums: Iterable[int]) -> list[str]:
        return [format_minor(amount, self.currency) for amount in sums]

    def result(self, name: str, sums: Iterable[int]) -> StatementResultBody:
        return StatementResultBody(name=name, amounts=self.written(sums))


def _minus(one: Iterable[int], other: Iterable[int]) -> list[int]:
    return [a - b for a, b in zip(one, other, strict=True)]


def _income(of: _Table) -> StatementCurrencyBody:
    revenue, expenses = of.of_type(AccountType.REVENUE), of.of_type(AccountType.EXPENSE)
    net = _minus(of.total(revenue, _earned), of.total(expenses, _spent))
    return StatementCurrencyBody(
        currency=of.currency,
        sections=[of.section("revenue", revenue, _earned), of.section("expenses", expenses, _spent)],
        results=[of.result("net_income", net)],
    )


def _balance(of: _Table) -> StatementCurrencyBody:
    assets, liabilities, equity = (
        of.of_type(kind) for kind in (AccountType.ASSET, AccountType.LIABILITY, AccountType.EQUITY)
    )
    unclosed = of.total(of.of_type(AccountType.REVENUE, AccountType.EXPENSE), _owed)
    owed = [a + b for a, b in zip(of.total([*liabilities, *equity], _owed), unclosed, strict=True)]
    return StatementCurrencyBody(
        currency=of.currency,
        sections=[
            of.section("assets", assets, _held),
            of.section("liabilities", liabilities, _owed),
            of.section("equity", equity, _owed, computed={UNCLOSED: unclosed}),
        ],
        results=[
            of.result("assets", of.total(assets, _held)),
            of.result("liabilities_and_equity", owed),
            of.result("difference", _minus(of.total(assets, _held), owed)),
        ],
    )


def _cash(of: _Table) -> StatementCurrencyBody:
    money = of.of_money()
    return StatementCurrencyBody(
        currency=of.currency,
        sections=[
            of.section("opening", money, _held_before),
            of.section("came", money, _debits),
            of.section("left", money, _credits),
            of.section("closing", money, _held),
        ],
        results=[],
    )


_KINDS: dict[str, Callable[[_Table], StatementCurrencyBody]] = {
    "income_statement": _income,
    "balance_sheet": _balance,
    "cash_position": _cash,
}


def statement_body(kind: str, figures: Figures, *, basis: Basis, zone_name: str) -> FinancialStatementBody:
    """Make a statement of figures; a currency without any row is left out."""
    currencies = sorted({one.currency for column in figures.columns for one in column.accounts})
    made = [_KINDS[kind](_Table(currency, figures.columns)) for currency in currencies]
    return FinancialStatementBody(
        statement=kind,
        basis=basis,
        tz=zone_name,
        columns=[_column(column) for column in figures.columns],
        currencies=[one for one in made if any(section.rows for section in one.sections)],
    )


def _column(column: SpanFigures) -> ColumnBody:
    seal = column.seal
    return ColumnBody(
        begins_at=None if column.span.begins_at is None else iso(column.span.begins_at),
        ends_before=iso(column.span.ends_before),
        is_final=column.is_final,
        closed=None
        if seal is None
        else SealBody(
            closed_at=iso(seal.closed_at), closed_by=seal.closed_by, sha256=seal.sha256, is_equal=seal.is_equal
        ),
    )


TABLE_COLUMNS = ("currency", "section", "account", "label")
"""The columns before those of the amounts, which have the headings."""


def table_rows(body: FinancialStatementBody) -> list[Sequence[str]]:
    """Write a statement as rows of one table: each account, the total of each section, and what follows from them."""
    rows: list[Sequence[str]] = []
    for one in body.currencies:
        for section in one.sections:
            rows += [
                (one.currency, section.section, row.account or "", row.label, *row.amounts) for row in section.rows
            ]
            rows.append((one.currency, section.section, "", "total", *section.total))
        rows += [(one.currency, result.name, "", "", *result.amounts) for result in one.results]
    return rows


def statement_page(body: FinancialStatementBody, *, tenant_id: str, made_at: datetime, zone: tzinfo) -> bytes:
    """Write a statement as a page to print."""
    lines = [("Tenant", tenant_id), ("By", "effect" if body.basis is Basis.EFFECTIVE else "record"), ("Zone", body.tz)]
    lines.append(("Made at", iso(made_at)))
    periods = headings(body, zone)
    for heading, column in zip(periods, body.columns, strict=True):
        state = "final" if column.is_final else "may still change"
        if column.closed is not None:
            kept = "equal to the books" if column.closed.is_equal else "NOT equal to the books"
            state = f"closed by {column.closed.closed_by} at {column.closed.closed_at}, {kept}, SHA-256 {column.closed.sha256}"
        lines.append((heading, state))
    parts = []
    for one in body.currencies:
        for section in one.sections:
            rows = [
                (row.label if row.account is None else f"{row.account} {row.label}", *row.amounts)
                for row in section.rows
            ]
            rows.append(("Total", *section.total))
            parts.append(table(f"{_NAMES[section.section]}, {one.currency}", ("", *periods), rows))
        if one.results:
            rows = [(_NAMES[result.name], *result.amounts) for result in one.results]
            parts.append(table(f"Result, {one.currency}", ("", *periods), rows))
    return page(_TITLES[body.statement], lines, parts)


def headings(body: FinancialStatementBody, zone: tzinfo) -> list[str]:
    """Write each column's period as the days or instants of the zone: `2026-10-01/2026-11-01`, the end not included."""
    return [
        f"{'' if column.begins_at is None else _local(column.begins_at, zone)}/{_local(column.ends_before, zone)}"
        for column in body.columns
    ]


def _local(instant: str, zone: tzinfo) -> str:
    try:
        at = datetime.fromisoformat(instant).astimezone(zone)
    except OverflowError:
        # The calendar of the zone begins later, or ends earlier, than that of UTC.
        return instant
    return at.date().isoformat() if at.time() == datetime.min.time() else at.isoformat()
