"""Stripe's itemized reports as CSV.

Columns: https://docs.stripe.com/reports/report-types/balance and .../payout-reconciliation. Amounts are decimals of the
currency, with or without their decimals; rows may have fewer cells than the header; payouts may be written above zero, so
what moved is `net` and `fee`, and `gross` must agree with them everywhere else.
"""

import datetime as dt
from collections.abc import Iterator

from services.gateway.reconciliation.imports.domain import FileFormat, Item, Line, LineError, Reading, Skipped, Wrong
from services.gateway.reconciliation.imports.reading.amounts import read_amount, read_currency
from services.gateway.reconciliation.imports.reading.dates import read_iso, zone
from services.gateway.reconciliation.imports.reading.tables import Row, Table, is_total, name_of, text_of

_NEEDED = ("balance_transaction_id", "currency", "net", "reporting_category")
_REFERENCES = (
    ("source_id", "source"),
    ("charge_id", "charge"),
    ("payment_intent_id", "payment_intent"),
    ("refund_id", "refund"),
    ("dispute_id", "dispute"),
    ("transfer_id", "transfer"),
    ("automatic_payout_id", "payout"),
    ("payout_id", "payout"),
    ("invoice_id", "invoice"),
    ("trace_id", "trace"),
    ("payment_metadata[payment_intent_id]", "our_payment"),
    ("refund_metadata[refund_id]", "our_refund"),
    ("payment_metadata[refund_id]", "our_refund"),
    ("regulatory_tag", "regulatory_tag"),
)


def read_stripe_report(lines: Iterator[str], reading: Reading) -> Iterator[Item]:
    """Read an itemized report row by row."""
    payouts = reading.format is FileFormat.STRIPE_PAYOUT_RECONCILIATION
    table = Table(lines, delimiter=",", columns=(*_NEEDED, "automatic_payout_id") if payouts else _NEEDED)
    where = zone(reading.time_zone)
    for number, cells in table.rows():
        if isinstance(cells, str):
            yield LineError(number=number, reason=cells)
            continue
        if table.is_header(cells):
            yield Skipped(number=number, reason="header")
            continue
        row = Row(number, cells, table.at)
        if not row.get("balance_transaction_id") and is_total(cells):
            yield Skipped(number=number, reason="total")
            continue
        try:
            yield _line(row, table, where)
        except Wrong as wrong:
            yield wrong.at(number)


def _line(row: Row, table: Table, where: dt.tzinfo) -> Line:
    code = read_currency(row.need("currency"), column="currency")
    net = read_amount(row.need("net"), code, column="net")
    fee = read_amount(row.get("fee") or "0", code, column="fee")
    kind = row.need("reporting_category")
    gross = row.get("gross")
    if gross and "payout" not in kind and read_amount(gross, code, column="gross") != net + fee:
        raise Wrong("gross less fee is not net", column="net")
    booked_on, occurred_at = _when(row, where)
    references: dict[str, str] = {}
    for column, name in _REFERENCES:
        found = row.get(column)
        if found and name not in references:
            references[name] = name_of(found, column=column)
    available = row.get("available_on") or row.get("available_on_utc")
    return Line(
        number=row.number,
        bank_id=name_of(row.need("balance_transaction_id"), column="balance_transaction_id"),
        booked_on=booked_on,
        value_on=read_iso(available, where, "available_on")[0] if available else None,
        occurred_at=occurred_at,
        currency=code,
        amount_minor=net + fee,
        fee_minor=fee,
        kind=kind[:64],
        references=references,
        counterparty=text_of(row.get("customer_name") or row.get("customer_id"))[:255],
        description=text_of(row.get("description")),
        raw=table.raw(row.cells),
    )


def _when(row: Row, where: dt.tzinfo) -> tuple[dt.date, dt.datetime]:
    """Read the day from the column in the report's zone, and the instant from that in UTC, where both are there."""
    local, utc = row.get("created"), row.get("created_utc")
    if not local and not utc:
        raise Wrong("the column is empty", column="created")
    instant = read_iso(utc, dt.UTC, "created_utc")[1] if utc else None
    if not local:
        if instant is None:
            raise Wrong("has no time", column="created_utc")
        return instant.astimezone(where).date(), instant
    day, local_instant = read_iso(local, where, "created")
    instant = instant or local_instant or dt.datetime.combine(day, dt.time(), where).astimezone(dt.UTC)
    return day, instant
