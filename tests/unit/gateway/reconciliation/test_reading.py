"""Sample files with the tricks of real banks, line by line."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.gateway.reconciliation.imports.domain import (
    FieldMap,
    FileFormat,
    Line,
    LineError,
    Reading,
    Skipped,
    Statement,
    fingerprint,
)
from services.gateway.reconciliation.imports.reading import read_file

pytestmark = pytest.mark.unit

SAMPLES = Path("tests/data/imports")
GERMAN = FieldMap(
    date="buchungstag",
    value_date="Wertstellung",
    counterparty="Empfänger",
    description=("Verwendungszweck",),
    debit="Soll",
    credit="Haben",
    currency="Währung",
    delimiter=";",
    decimal=",",
    thousands=".",
    date_format="%d.%m.%Y",
)
SPREADSHEET = FieldMap(
    date="Date",
    id="ref no",
    amount="Amount",
    currency="CCY",
    description=("Text",),
    delimiter="\t",
    thousands=" ",
    date_format="excel",
)
PLAIN = FieldMap(date="date", id="id", amount="amount", currency="currency")
STATUS = msgspec.structs.replace(PLAIN, status="status", booked_words=("booked",))


def pieces(content: bytes, size: int = 7) -> Iterator[bytes]:
    """Cut a file where it hurts: inside characters, line ends and marks."""
    return (content[start : start + size] for start in range(0, len(content), size))


def read(name: str, form: FileFormat, *, fields: FieldMap | None = None, zone: str = "UTC") -> list[str]:
    """Read a sample, a text for each item."""
    reading = Reading(format=form, fields=fields, time_zone=zone)
    items = read_file(pieces((SAMPLES / name).read_bytes()), reading)
    return [shown(item) for item in items if not isinstance(item, Statement)]


def shown(item: Line | LineError | Skipped) -> str:
    """Write an item as the table below has it."""
    if isinstance(item, LineError):
        return f"{item.number} {item.column}: {item.reason}"
    if isinstance(item, Skipped):
        return f"{item.number} {item.reason}"
    assert len(fingerprint(item)) == 16 and item.raw
    instant = "" if item.occurred_at is None else f" {item.occurred_at:%dT%H:%M}"
    fee = f" fee {item.fee_minor}" if item.fee_minor else ""
    id_ = f" {item.bank_id}" if item.bank_id else ""
    return f"{item.number}{id_} {item.booked_on}{instant} {item.amount_minor} {item.currency}{fee} {item.kind}".strip()


SAO_PAULO = "America/Sao_Paulo"
EXPECTED = [
    (
        ("stripe-balance-change.csv", FileFormat.STRIPE_BALANCE_CHANGE, None, SAO_PAULO),
        [
            "2 txn_01 2026-01-14 15T01:30 10000 USD fee 320 charge",
            "4 txn_02 2026-01-14 15T02:00 -2000 USD fee -30 refund",
            "5 txn_03 2026-01-15 15T03:00 -150 USD fee",
            "6 txn_04 2026-01-15 15T04:00 1500 JPY fee 54 charge",
            "7 txn_05 2026-01-15 15T05:00 1234 KWD dispute_reversal",
        ],
    ),
    (
        ("stripe-payout-reconciliation.csv", FileFormat.STRIPE_PAYOUT_RECONCILIATION, None, SAO_PAULO),
        [
            "2 txn_11 2026-01-31 01T02:59 15000 BRL fee 638 charge",
            "3 txn_12 2026-02-01 01T10:00 -3000 BRL dispute",
            "4 txn_13 2026-02-02 02T10:00 3000 BRL dispute_reversal",
            "5 txn_14 2026-02-03 03T03:00 -14362 BRL payout",
            "6 total",
        ],
    ),
    (
        ("camt053-batch.xml", FileFormat.CAMT053, None, "UTC"),
        [
            "9 2026-01-15 10000 EUR PMNT/RCDT/ESCT",
            "10 2026-01-15 25000 EUR PMNT/RCDT/ESCT",
            "11 2026-01-15 -5000 EUR PMNT/RCDT/ESCT",
            "13 2026-01-15 1050 EUR reversal",
            "14 pending",
            "17 2026-01-15 0 BRL",
        ],
    ),
    (("camt053-v8.zip", FileFormat.CAMT053, None, "UTC"), ["4 2026-01-31 01T02:30 9250 EUR", "5 pending"]),
    (
        ("mt940-new-year.sta", FileFormat.MT940, None, "UTC"),
        [
            "6 2025-12-30 10500 EUR NTRF",
            "9 2026-01-02 -550 EUR NMSC",
            "10 2026-02-28 -1000 EUR NCHG",
            "11 2026-01-02 -1000 EUR NCHG",
            "12 2026-01-02 -100 EUR NTRF reversal",
            "13 2026-01-02 200 EUR NTRF reversal",
        ],
    ),
    (
        ("mt940-structured.sta", FileFormat.MT940, None, "UTC"),
        ["5 2026-01-15 30000 BRL NTRF 166", "8 2026-01-16 -10 BRL NCHG"],
    ),
    (
        ("ofx-sgml.ofx", FileFormat.OFX, None, "UTC"),
        [
            "10 F1 2026-01-15 15T13:00 123456 BRL CREDIT",
            "11 F2 2026-01-16 -1050 BRL DEBIT",
            "19 F2 2026-01-16 -1050 BRL DEBIT",
        ],
    ),
    (
        ("ofx-xml.ofx", FileFormat.OFX, None, "UTC"),
        ["4 X1 2026-01-15 15T18:00 -1234 INR DEBIT", "5 X2 2026-01-31 01T00:00 5000 USD PAYMENT"],
    ),
    (
        ("csv-german.csv", FileFormat.CSV, GERMAN, "Europe/Berlin"),
        [
            "5 2026-01-15 123456 EUR",
            "7 2026-01-15 -990 EUR",
            "8 2026-01-15 -990 EUR",
            "9 header",
            "10 2026-01-16 30000 EUR",
            "11 total",
        ],
    ),
    (
        ("csv-spreadsheet.csv", FileFormat.CSV, SPREADSHEET, "UTC"),
        [
            "2 000123 2026-11-28 -123450 USD",
            "3 000124 2026-11-29 29T12:00 -1250 USD",
            "4 000125 2026-11-30 -1000 JPY",
            "5 000126 2026-12-01 1234 KWD",
        ],
    ),
    (
        ("csv-faults.csv", FileFormat.CSV, STATUS, "UTC"),
        [
            "2 A1 2026-01-15 1000 USD",
            "3 A1 2026-01-15 1100 USD",
            "4 date: '2026-02-30' is no date in the form %Y-%m-%d",
            "5 date: '2026-13-01' is no date in the form %Y-%m-%d",
            "6 amount: '1.2345' has more than the 3 decimals of KWD",
            "7 currency: unknown currency 'XXY'",
            "8 amount: '1,00' is no amount written with '.' before its decimals",
            "9 filtered",
            "10 amount: 'ten' is no amount written with '.' before its decimals",
            "11 amount: '99999999999999.99' is larger than any amount may be",
            "12 : the row has 1 cells, too few: it is truncated, or a line break is not in quotes",
        ],
    ),
    (
        ("csv-truncated.csv", FileFormat.CSV, PLAIN, "UTC"),
        ["2 A1 2026-01-15 1000 USD", "3 : the file ends inside quotes: it is truncated"],
    ),
]


@pytest.mark.parametrize(("sample", "expected"), EXPECTED, ids=[case[0][0] for case in EXPECTED])
def test_samples_are_read_exactly(sample: tuple[str, FileFormat, FieldMap | None, str], expected: list[str]) -> None:
    name, form, fields, zone = sample
    assert read(name, form, fields=fields, zone=zone) == expected


def test_every_sample_is_expected() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {case[0][0] for case in EXPECTED}


def lines_of(name: str, form: FileFormat, fields: FieldMap | None = None) -> list[Line]:
    """Read the lines of a sample."""
    reading = Reading(format=form, fields=fields)
    return [item for item in read_file([(SAMPLES / name).read_bytes()], reading) if isinstance(item, Line)]


def test_references_and_names_are_found() -> None:
    stripe = lines_of("stripe-balance-change.csv", FileFormat.STRIPE_BALANCE_CHANGE)
    assert stripe[0].references["our_payment"] == "01941f2e-0000-7000-8000-000000000001"
    assert stripe[0].description == 'Order 17, "rush" second line'
    assert stripe[2].references == {}, "a period's fee has no source"
    camt = lines_of("camt053-batch.xml", FileFormat.CAMT053)
    assert (camt[0].counterparty, camt[0].references) == ("Müller & Söhne", {"bank": "BANK-1", "end_to_end": "po_11"})
    assert camt[0].description == "Rechnung 1 Teil 2" and camt[4].account == "4711"
    first, second = lines_of("mt940-structured.sta", FileFormat.MT940)
    assert first.counterparty == "STRIPE PAYMENTS EUROPE" and first.description == "STRIPE PAYOUT JANUARY TRACE-11"
    assert first.references["end_to_end"] == "po_11" and first.references["customer"] == "K-77"
    assert (second.counterparty, second.references) == ("Bank & Co", {"end_to_end": "E-9"})
    assert lines_of("ofx-sgml.ofx", FileFormat.OFX)[0].description == "PIX RECEBIDO JOÃO & CIA"
    assert lines_of("ofx-xml.ofx", FileFormat.OFX)[0].counterparty == "Shop <1>"
    assert lines_of("csv-german.csv", FileFormat.CSV, GERMAN)[0].description == "Zeile 1 Zeile 2; Rest"
    spreadsheet = lines_of("csv-spreadsheet.csv", FileFormat.CSV, SPREADSHEET)
    assert spreadsheet[0].description.startswith("=HYPERLINK"), "a formula is text and nothing more"


def test_lines_that_differ_by_the_banks_reference_alone() -> None:
    debits = lines_of("mt940-new-year.sta", FileFormat.MT940)[2:4]
    same_day = [msgspec.structs.replace(line, booked_on=debits[0].booked_on, value_on=None) for line in debits]
    assert len({fingerprint(line) for line in same_day}) == 2
    equal = lines_of("csv-german.csv", FileFormat.CSV, GERMAN)[1:3]
    assert fingerprint(equal[0]) == fingerprint(equal[1]), "nothing tells them apart but how often they occur"
