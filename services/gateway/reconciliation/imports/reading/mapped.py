"""Any table of a bank, by the field map of its source."""

import datetime as dt
import re
from collections.abc import Iterator

from services.gateway.reconciliation.imports.domain import (
    FieldMap,
    FileRefused,
    Item,
    Line,
    LineError,
    Reading,
    Skipped,
    Wrong,
)
from services.gateway.reconciliation.imports.reading.amounts import read_amount, read_currency
from services.gateway.reconciliation.imports.reading.dates import read_formatted, zone
from services.gateway.reconciliation.imports.reading.tables import Row, Table, is_total, name_of, plain, text_of


def map_faults(fields: FieldMap | None) -> list[str]:
    """Name what does not make sense in a field map, one sentence each."""
    if fields is None:
        return ["a csv needs a field map"]
    faults = []
    split = bool(fields.debit) or bool(fields.credit)
    if bool(fields.amount) == split:
        faults.append("fields needs either amount, or debit and credit")
    if split and not (fields.debit and fields.credit):
        faults.append("fields needs both debit and credit, or amount")
    if bool(fields.currency) == bool(fields.currency_code):
        faults.append("fields needs either currency or currency_code")
    if fields.direction and (not fields.amount or not fields.debit_words or not fields.credit_words):
        faults.append("direction needs amount, debit_words and credit_words")
    if bool(fields.status) != bool(fields.booked_words):
        faults.append("status and booked_words need each other")
    if fields.decimal == fields.thousands:
        faults.append("decimal and thousands must differ")
    if fields.delimiter == "," and not fields.date:
        faults.append("date must name a column")
    if fields.currency_code:
        try:
            read_currency(fields.currency_code)
        except Wrong:
            faults.append("currency_code is no ISO 4217 code")
    if fields.date_format != "excel":
        faults += _form_faults(fields)
    return faults


def _form_faults(fields: FieldMap) -> list[str]:
    if "%y" not in fields.date_format.lower() or "%d" not in fields.date_format:
        return ["date_format must have a year, a month and a day"]
    form = f"{fields.date_format} {fields.time_format}" if fields.time else fields.date_format
    try:
        written = dt.datetime(2026, 12, 31, 14, 30, tzinfo=dt.UTC).strftime(form)
        parsed = dt.datetime.strptime(written, form)  # noqa: DTZ007 - only its day is compared.
    except (ValueError, UnicodeError, re.error):
        return ["date_format or time_format is no format of strptime"]
    return [] if parsed.date() == dt.date(2026, 12, 31) else ["date_format must have a year, a month and a day"]


def read_mapped(lines: Iterator[str], reading: Reading) -> Iterator[Item]:
    """Read a table row by row."""
    fields = reading.fields
    faults = map_faults(fields)
    if fields is None or faults:
        raise FileRefused("; ".join(faults))
    table = Table(lines, delimiter=fields.delimiter, columns=_columns(fields))
    make = _Make(fields, table, zone(reading.time_zone))
    for number, cells in table.rows():
        if isinstance(cells, str):
            yield LineError(number=number, reason=cells)
            continue
        if table.is_header(cells):
            yield Skipped(number=number, reason="header")
            continue
        row = Row(number, cells, table.at)
        if make.is_total(row):
            yield Skipped(number=number, reason="total")
        elif make.is_whole(row) and not make.is_booked(row):
            yield Skipped(number=number, reason="filtered")
        else:
            try:
                yield make.line(row)
            except Wrong as wrong:
                yield wrong.at(number)


def _columns(fields: FieldMap) -> list[str]:
    single = (
        *(fields.date, fields.amount, fields.debit, fields.credit, fields.direction, fields.currency, fields.id),
        *(fields.account, fields.value_date, fields.time, fields.fee, fields.kind, fields.counterparty, fields.status),
    )
    return list(dict.fromkeys(name for name in (*single, *fields.description, *fields.references.values()) if name))


class _Make:
    """Makes lines of rows."""

    def __init__(self, fields: FieldMap, table: Table, where: dt.tzinfo) -> None:
        self.fields = fields
        self.table = table
        self.where = where
        needed = (fields.date, fields.amount, fields.id, fields.currency, fields.status, fields.direction)
        self.width = 1 + max(table.at[plain(column)] for column in needed if column)
        self.debits = {word.strip().casefold() for word in fields.debit_words}
        self.credits = {word.strip().casefold() for word in fields.credit_words}
        self.booked = {word.strip().casefold() for word in fields.booked_words}

    def cell(self, row: Row, column: str) -> str:
        return row.get(plain(column)) if column else ""

    def is_total(self, row: Row) -> bool:
        date = self.cell(row, self.fields.date)
        return (not date or is_total([date])) and not self.cell(row, self.fields.id) and is_total(row.cells)

    def is_whole(self, row: Row) -> bool:
        return len(row.cells) >= self.width

    def is_booked(self, row: Row) -> bool:
        return not self.booked or self.cell(row, self.fields.status).casefold() in self.booked

    def line(self, row: Row) -> Line:
        fields = self.fields
        if not self.is_whole(row):
            raise Wrong(
                f"the row has {len(row.cells)} cells, too few: it is truncated, or a line break is not in quotes"
            )
        if len(row.cells) > len(self.table.header) and any(
            cell.strip() for cell in row.cells[len(self.table.header) :]
        ):
            raise Wrong(f"the row has {len(row.cells)} cells, the header {len(self.table.header)}: quotes are missing")
        code = read_currency(self.cell(row, fields.currency) or fields.currency_code, column=fields.currency)
        booked_on, occurred_at = self.when(row)
        value = self.cell(row, fields.value_date)
        return Line(
            number=row.number,
            account=name_of(self.cell(row, fields.account), column=fields.account),
            bank_id=name_of(row.need(plain(fields.id), named=fields.id), column=fields.id) if fields.id else "",
            booked_on=booked_on,
            value_on=read_formatted(value, fields.date_format, self.where, fields.value_date)[0] if value else None,
            occurred_at=occurred_at,
            currency=code,
            amount_minor=self.amount(row, code),
            fee_minor=self.money(self.cell(row, fields.fee) or "0", code, fields.fee),
            kind=text_of(self.cell(row, fields.kind))[:64],
            references={
                name: name_of(found, column=column)
                for name, column in fields.references.items()
                if (found := self.cell(row, column))
            },
            counterparty=text_of(self.cell(row, fields.counterparty))[:255],
            description=text_of(" ".join(self.cell(row, column) for column in fields.description)),
            raw=self.table.raw(row.cells),
        )

    def when(self, row: Row) -> tuple[dt.date, dt.datetime | None]:
        fields = self.fields
        text, form = row.need(plain(fields.date), named=fields.date), fields.date_format
        if fields.time and (clock := self.cell(row, fields.time)) and form != "excel":
            text, form = f"{text} {clock}", f"{form} {fields.time_format}"
        return read_formatted(text, form, self.where, fields.date)

    def money(self, text: str, code: str, column: str) -> int:
        return read_amount(text, code, decimal=self.fields.decimal, thousands=self.fields.thousands, column=column)

    def amount(self, row: Row, code: str) -> int:
        fields = self.fields
        if fields.amount:
            amount = self.money(row.need(plain(fields.amount), named=fields.amount), code, fields.amount)
            if fields.direction:
                amount = self.directed(amount, self.cell(row, fields.direction))
        else:
            debit, credit = self.cell(row, fields.debit), self.cell(row, fields.credit)
            if not debit and not credit:
                raise Wrong("neither debit nor credit has an amount", column=fields.debit)
            left = self.money(debit, code, fields.debit) if debit else 0
            came = self.money(credit, code, fields.credit) if credit else 0
            if left and came:
                raise Wrong("both debit and credit have an amount", column=fields.debit)
            amount = came - abs(left)
        return -amount if fields.is_negated else amount

    def directed(self, amount: int, word: str) -> int:
        direction = word.casefold()
        if direction in self.debits:
            return -amount
        if direction not in self.credits:
            raise Wrong(
                f"{word[:20]!r} is neither one of debit_words nor of credit_words", column=self.fields.direction
            )
        return amount
