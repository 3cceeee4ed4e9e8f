"""What files of processors and banks say, in one form: a line of money, or what is wrong in which line."""

import datetime as dt
import hashlib
from enum import StrEnum
from typing import Literal

import msgspec

from libs.common.contracts.gateway_imports import FieldMap

TEXT_MAX = 2_000
"""Characters of a description that are kept; the longest of a bank's (CAMT.053, unstructured) has 140 in each of its parts."""
NAME_MAX = 255
"""Characters of a reference, a counterparty, an account or an id: longer ones are refused, since a cut one matches nothing."""
COLUMNS_MAX = 300
"""Columns of a table; Stripe's widest report has about 120, and one more for each key of metadata."""


class FileFormat(StrEnum):
    """Which kind of file a source sends."""

    STRIPE_BALANCE_CHANGE = "stripe_balance_change"
    """Stripe's report "Balance change from activity", itemized."""
    STRIPE_PAYOUT_RECONCILIATION = "stripe_payout_reconciliation"
    """Stripe's report "Payout reconciliation", itemized."""
    CAMT053 = "camt053"
    """Statements of ISO 20022, camt.053.001.02 and later."""
    MT940 = "mt940"
    """Statements of SWIFT."""
    OFX = "ofx"
    """Open Financial Exchange, as SGML (1.x) and as XML (2.x)."""
    CSV = "csv"
    """Any table, by its field map."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the files of one source are read."""

    format: FileFormat
    """Which kind of file they are."""
    fields: FieldMap | None = None
    """The field map of a `csv`; nothing else has one."""
    time_zone: str = "UTC"
    """The zone of days and times that say none themselves: a name of the IANA database."""
    encoding: Literal["auto", "utf-8", "utf-16", "iso-8859-1", "cp1252"] = "auto"
    """How text is encoded; `auto`: by its mark, else UTF-8, and cp1252 where it is not that."""
    reversal_turns_sign: bool = True
    """Whether `RvslInd` of CAMT.053 turns the direction, as most banks write it: DBIT with it is money that came back."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One movement as a file has it. Amounts are minor units; below zero it left the account."""

    number: int
    """The line of the file in which it begins, from 1."""
    statement: int = 0
    """Which statement of the file has it, from 1, where that has balances; 0: none."""
    account: str = ""
    """The account, as the file names it."""
    bank_id: str = ""
    """The id that no other line of the account has; empty where the format knows none."""
    booked_on: dt.date
    """The day on which it was booked, in the file's own zone."""
    value_on: dt.date | None = None
    """The day from which on it counts, where the file says so."""
    occurred_at: dt.datetime | None = None
    """The instant, in UTC, where the file says one."""
    currency: str
    """ISO 4217 code, upper case."""
    amount_minor: int
    """What came, before the fee; below zero it left."""
    fee_minor: int = 0
    """What was kept of it; below zero where it was given back."""
    kind: str = ""
    """What it is, in the file's words."""
    references: dict[str, str] = {}
    """What it refers to, by name: `charge`, `payment_intent`, `payout`, `end_to_end`, `bank` and so on."""
    counterparty: str = ""
    """Who paid or was paid."""
    description: str = ""
    """What else the file says of it, cut to `TEXT_MAX` characters."""
    raw: dict[str, str] = {}
    """The line as it was read, by column or element."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of a file, whose lines add up between its balances; it follows them."""

    place: int
    """Which of the file's statements it is, from 1."""
    number: str
    """The number that the bank has given it, or empty."""
    page: int = 0
    """Which page of the statement with this number it is, from 1; 0: the bank has numbered none."""
    account: str
    currency: str
    opening_minor: int
    closing_minor: int


class LineError(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a file, so that the reader finds the place."""

    number: int
    """The line, from 1; 0: the file as a whole."""
    column: str = ""
    """The column or element; empty: the line as a whole."""
    reason: str
    """What is wrong and, where that is known, what to do; with no more of the content than a short excerpt."""


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no movement, or not one yet."""

    number: int
    """The line, from 1."""
    reason: str
    """`pending`, `total`, `header` or `filtered`."""


class ImportStatus(StrEnum):
    """How far the import of a file is."""

    UPLOADING = "UPLOADING"
    """Its parts are coming."""
    WAITING = "WAITING"
    """It waits for its turn to be read."""
    READING = "READING"
    """It is read; nothing of it counts yet."""
    IMPORTED = "IMPORTED"
    """All its lines are kept."""
    REJECTED = "REJECTED"
    """Something is wrong in it, so that nothing of it is kept."""
    ABANDONED = "ABANDONED"
    """It was not sent completely in time."""


type Item = Line | Statement | LineError | Skipped


class FileRefused(Exception):
    """Reading cannot go on: the file is of another kind, damaged or truncated."""

    def __init__(self, reason: str, *, number: int = 0, column: str = "") -> None:
        super().__init__(reason)
        self.error = LineError(number=number, column=column, reason=reason)


class Wrong(Exception):
    """One line cannot be read; the next ones can."""

    def __init__(self, reason: str, *, column: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column

    def at(self, number: int) -> LineError:
        """Say in which line it is."""
        return LineError(number=number, column=self.column, reason=self.reason)


def fingerprint(line: Line) -> bytes:
    """Hash what a line says, its place in the file and how it was written left out: 16 bytes.

    Two lines with one fingerprint are the same movement, or two that nothing tells apart.
    """
    parts = (
        line.account,
        line.bank_id,
        line.booked_on.isoformat(),
        "" if line.value_on is None else line.value_on.isoformat(),
        "" if line.occurred_at is None else line.occurred_at.isoformat(),
        line.currency,
        str(line.amount_minor),
        str(line.fee_minor),
        line.kind,
        line.counterparty,
        line.description,
        *(f"{name}\x1f{value}" for name, value in sorted(line.references.items())),
    )
    return hashlib.blake2b("\x1e".join(parts).encode(), digest_size=16).digest()


def identity(line: Line) -> bytes:
    """Name what a line is, for whichever file has it: by the bank's id, else by all that it says; 17 bytes."""
    if not line.bank_id:
        return b"f" + fingerprint(line)
    return identity_of(line.account, line.bank_id)


def identity_of(account: str, bank_id: str) -> bytes:
    """Name a line that has an id of the bank's."""
    return b"i" + hashlib.blake2b(f"{account}\x1e{bank_id}".encode(), digest_size=16).digest()


def essence(line: Line) -> bytes:
    """Hash what can never change about a line that has an id of its own: its money and its time; 16 bytes.

    What processors fill in later, such as the payout that a movement went into, is left out.
    """
    instant = line.booked_on.isoformat() if line.occurred_at is None else line.occurred_at.isoformat()
    parts = (instant, line.currency, str(line.amount_minor), str(line.fee_minor), line.kind)
    return hashlib.blake2b("\x1e".join(parts).encode(), digest_size=16).digest()


__all__ = [
    "COLUMNS_MAX",
    "NAME_MAX",
    "TEXT_MAX",
    "FieldMap",
    "FileFormat",
    "FileRefused",
    "ImportStatus",
    "Item",
    "Line",
    "LineError",
    "Reading",
    "Skipped",
    "Statement",
    "Wrong",
    "essence",
    "fingerprint",
    "identity",
    "identity_of",
]
