"""Files that are wrong, damaged, truncated or hostile: an error that names the place, and nothing raised."""

import io
import random
import tracemalloc
import zipfile
from collections.abc import Iterable, Iterator
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
)
from services.gateway.reconciliation.imports.reading import read_file, reading_faults

pytestmark = pytest.mark.unit

SAMPLES = Path("tests/data/imports")
FIELDS = FieldMap(date="date", amount="amount", currency_code="USD")
CSV = Reading(format=FileFormat.CSV, fields=FIELDS)
CAMT, MT940, OFX = (Reading(format=form) for form in (FileFormat.CAMT053, FileFormat.MT940, FileFormat.OFX))
STRIPE = Reading(format=FileFormat.STRIPE_BALANCE_CHANGE)
CAMT_FILE = (SAMPLES / "camt053-batch.xml").read_bytes()


def errors(content: bytes | Iterable[bytes], reading: Reading, bytes_max: int = 1_050_000) -> list[LineError]:
    """Read a file and give what is wrong in it."""
    chunks = [content] if isinstance(content, bytes) else content
    return [item for item in read_file(chunks, reading, bytes_max=bytes_max) if isinstance(item, LineError)]


def zipped(*files: tuple[str, bytes]) -> bytes:
    """Pack files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "reading", "number", "reason"),
    [
        (b"", CSV, 0, "the file is empty"),
        (b"%PDF-1.7 ...", CSV, 0, "a PDF"),
        (b"\x1f\x8b\x08", CSV, 0, "gzip"),
        (b"<!DOCTYPE html><html>", OFX, 0, "web page"),
        (zipped(("[Content_Types].xml", b"x")), CSV, 0, "Excel workbook"),
        (zipped(("a.csv", b"x"), ("b.csv", b"y")), CSV, 0, "more than one file"),
        (zipped(("a.csv", b"date,amount\n"))[:-5], CSV, 0, "truncated"),
        (zipped(("a.csv", b"0" * 2_000_000)), CSV, 0, "more than 1050000 bytes"),
        (b"when,amount,note\n", CSV, 0, "missing date; the nearest row has when, amount, note"),
        (b"date,amount,amount\n", CSV, 1, "more than once"),
        (b"date,amount\n2026-01-15,1\x00\n", CSV, 0, "NUL"),
        (b"date,amount,t\n2026-01-15,1,\xc3\xa9\n2026-01-15,1,\xe9\n", CSV, 0, "UTF-8 at first"),
        (b"x" * 1_049_000, msgspec.structs.replace(CSV, encoding="utf-8"), 1, "too long"),
        (b'date,amount\n2026-01-15,"1\n' + b"y\n" * 100_000, CSV, 2, "a quote is not closed"),
        (b"balance_transaction_id,currency,net\n", STRIPE, 0, "missing reporting_category"),
        (
            b"balance_transaction_id,created,currency,gross,fee,net,reporting_category\nt,2026-01-01,usd,1,0,2,charge\n",
            STRIPE,
            2,
            "gross less fee",
        ),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Document/>', CAMT, 1, "document type"),
        (b"<Document><BkToCstmrAcctRpt/></Document>", CAMT, 1, "camt.052"),
        (b"<Document/>", CAMT, 0, "no statement of camt.053"),
        (b"<a>" * 100, CAMT, 1, "too deep"),
        (CAMT_FILE[:900], CAMT, 9, "truncated"),
        (CAMT_FILE.replace(b"1310.50", b"1289.50"), CAMT, 3, "fits when reversal_turns_sign"),
        (CAMT_FILE.replace(b"250.00", b"250.01"), CAMT, 6, "parts of the entry add up to 300.01"),
        (CAMT_FILE.replace(b"ISO-8859-1", b"unknown-9"), CAMT, 0, "an encoding that is not read"),
        (b"date,amount\n", MT940, 0, "no MT940"),
        (b":20:A\n:60F:C260101EUR0,00\n:61:260101C1,00NTRFX\n", MT940, 3, "truncated"),
        (b":20:A\n:60F:C260101EUR0,00\n:62F:C260101EUR1,00\n", MT940, 3, "between the balances are 1.00"),
        (b":20:A\n:60F:C260101EUR0,00\n:61:260231C1,00NTRFX\n:62F:C260101EUR0,00\n", MT940, 3, "is no date"),
        (b"OFXHEADER:100\n<OFX><CURDEF>USD<STMTTRN><FITID>1", OFX, 0, "without </OFX>"),
        (b"<OFX><CURDEF>USD<STMTTRN><TRNAMT>1<DTPOSTED>20260101</STMTTRN></OFX>", OFX, 1, "no id"),
    ],
)
def test_wrong_files_name_the_place(content: bytes, reading: Reading, number: int, reason: str) -> None:
    found = errors(content, reading)
    assert found, "nothing was reported"
    assert reason in found[0].reason and found[0].number == number


def test_a_mac_packs_its_own_file_beside() -> None:
    packed = zipped(("a.csv", b"date,amount\n2026-01-15,1.00\n"), ("__MACOSX/._a.csv", b"x"))
    assert [type(item) for item in read_file([packed], CSV)] == [Line]


@pytest.mark.parametrize(
    ("fields", "text", "amount"),
    [
        ({"decimal": ",", "thousands": "."}, "1.234,56", 123456),
        ({"decimal": ",", "thousands": " "}, "1\u202f234,5", 123450),
        ({"thousands": ","}, "(1,234.50)", -123450),
        ({"thousands": "'"}, "1\u2019000.-", -100000),
        ({}, "\u221212.50", -1250),
        ({}, "12.50-", -1250),
        ({}, "+.5", 50),
        ({}, "1.000", 100),
        ({"is_negated": True}, "12.50", -1250),
        ({"thousands": ","}, "12,50", None),
        ({"decimal": ",", "thousands": "."}, "12.50", None),
        ({}, "1.005", None),
        ({}, "1e3", None),
        ({}, "", None),
        ({}, "=1+1", None),
    ],
)
def test_amounts_are_exact_or_refused(fields: dict[str, object], text: str, amount: int | None) -> None:
    reading = Reading(format=FileFormat.CSV, fields=msgspec.structs.replace(FIELDS, delimiter="\t", **fields))
    (item,) = read_file([f"date\tamount\n2026-01-15\t{text}\n".encode()], reading)
    assert (item.amount_minor if isinstance(item, Line) else None) == amount


@pytest.mark.parametrize(
    ("text", "day", "instant"),
    [
        ("25.10.2026 02:30", "2026-10-25", "2026-10-25T00:30:00+00:00"),
        ("31.01.2026 24:00", "2026-01-31", "2026-01-31T23:00:00+00:00"),
        ("29.02.2028 00:00", "2028-02-29", "2028-02-28T23:00:00+00:00"),
    ],
)
def test_days_are_the_files_own(text: str, day: str, instant: str) -> None:
    fields = msgspec.structs.replace(FIELDS, date_format="%d.%m.%Y %H:%M")
    reading = Reading(format=FileFormat.CSV, fields=fields, time_zone="Europe/Berlin")
    (item,) = read_file([f"date,amount\n{text},1\n".encode()], reading)
    assert isinstance(item, Line) and item.occurred_at is not None
    assert (item.booked_on.isoformat(), item.occurred_at.isoformat()) == (day, instant)


def test_damaged_files_never_raise() -> None:
    chance = random.Random(20260115)
    readings = {".xml": CAMT, ".zip": CAMT, ".sta": MT940, ".ofx": OFX, ".csv": STRIPE}
    for path in sorted(SAMPLES.iterdir()):
        content, reading = path.read_bytes(), readings[path.suffix]
        for _ in range(40):
            damaged = bytearray(content)
            for _ in range(3):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            for item in read_file([bytes(damaged)], reading):
                assert isinstance(item, Line | Statement | LineError | Skipped)
            if path.suffix != ".csv":
                assert errors(content[: chance.randrange(len(content) - 6)], reading), "a truncated file is never whole"


@pytest.mark.parametrize("reading", [CAMT, MT940, OFX, CSV], ids=lambda reading: reading.format)
def test_memory_does_not_grow_with_the_file(reading: Reading) -> None:
    def file(count: int) -> Iterator[bytes]:
        if reading is CAMT:
            yield b"<Document><BkToCstmrStmt><Stmt>"
            entry = CAMT_FILE[CAMT_FILE.index(b"<Ntry>") : CAMT_FILE.index(b"</Ntry>") + 7]
            entry = entry.decode("iso-8859-1").encode()
            yield from (entry for _ in range(count))
            yield b"</Stmt></BkToCstmrStmt></Document>"
        elif reading is MT940:
            yield b":20:A\n:60F:C260101EUR0,00\n"
            yield from (b":61:260115C0,00NTRFX//B%d\n:86:text\n" % i for i in range(count))
            yield b":62F:C260101EUR0,00\n"
        elif reading is OFX:
            yield b"<OFX><CURDEF>USD"
            yield from (b"<STMTTRN><FITID>%d<DTPOSTED>20260101<TRNAMT>1</STMTTRN>" % i for i in range(count))
            yield b"</OFX>\n"
        else:
            yield b"date,amount\n"
            yield from (b"2026-01-15,%d\n" % i for i in range(count))

    def peak(count: int) -> tuple[int, int]:
        tracemalloc.start()
        seen = sum(isinstance(item, Line) for item in read_file(file(count), reading))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return seen, most

    peak(50)  # What is compiled and cached on first use is no part of it.
    few, less = peak(100)
    many, more = peak(700)
    assert many == 7 * few > 0 and more < less + 200_000


def test_blocks_that_never_end_are_read_in_time_of_their_length() -> None:
    """With a pattern that divides them in every way, 40 of them would take for ever."""
    assert errors(b"{1:}" * 2_000 + b"x\n:20:A\n", MT940)


def test_format_with_one_code_twice_is_named_and_not_raised() -> None:
    fields = msgspec.structs.replace(FIELDS, date_format="%d.%m.%Y %d")
    assert reading_faults(Reading(format=FileFormat.CSV, fields=fields))


def test_sources_that_make_no_sense_are_named() -> None:
    for change, words in [
        ({"credit": "c"}, "either amount, or debit and credit"),
        ({"amount": ""}, "either amount, or debit and credit"),
        ({"currency_code": "XXY"}, "no ISO 4217"),
        ({"currency": "c"}, "either currency or currency_code"),
        ({"decimal": ",", "thousands": ","}, "must differ"),
        ({"date_format": "%d.%m."}, "a year, a month and a day"),
        ({"status": "s"}, "need each other"),
    ]:
        fields = msgspec.structs.replace(FIELDS, **change)
        assert any(words in fault for fault in reading_faults(msgspec.structs.replace(CSV, fields=fields))), change
    assert reading_faults(CSV) == [] and reading_faults(CAMT) == []
    assert reading_faults(msgspec.structs.replace(CAMT, time_zone="Mars/Base")) != []
    assert reading_faults(msgspec.structs.replace(CAMT, fields=FIELDS)) == ["only a csv has a field map"]
