"""What files of processors and banks say, in one form: a line of money, or what is wrong in which line."""

import datetime as dt
import hashlib
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

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


class FieldMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a bank's table is read. Columns are named by their headers; case and space around them do not matter."""

    date: str
    """The column of the booking date, or of date and time."""
    amount: str = ""
    """The column of the signed amount; instead of it `debit` and `credit`."""
    debit: str = ""
    """The column of what left."""
    credit: str = ""
    """The column of what came."""
    direction: str = ""
    """The column that says which way `amount` went, where it has no sign."""
    debit_words: tuple[str, ...] = ("D", "DR", "DBIT", "DEBIT", "S", "SOLL")
    """What `direction` says where money left; every other word must be one of `credit_words`."""
    credit_words: tuple[str, ...] = ("C", "CR", "CRDT", "CREDIT", "H", "HABEN")
    """What `direction` says where money came."""
    is_negated: bool = False
    """Whether amounts above zero left, as on statements of credit cards."""
    currency: str = ""
    """The column of the currency; instead of it `currency_code`."""
    currency_code: str = ""
    """The currency of every line, where no column says it."""
    id: str = ""
    """The column of the bank's own id, which is that of one line only."""
    account: str = ""
    """The column of the account."""
    value_date: str = ""
    """The column of the value date."""
    time: str = ""
    """The column of the time of day, where `date` has none."""
    fee: str = ""
    """The column of what was kept of the amount."""
    kind: str = ""
    """The column of what kind of line it is."""
    counterparty: str = ""
    """The column of who paid or was paid."""
    description: tuple[str, ...] = ()
    """The columns of the description, in order."""
    references: dict[str, str] = {}
    """Columns of references, by the name that they get."""
    status: str = ""
    """The column that says whether a line is booked; empty: each one is."""
    booked_words: tuple[str, ...] = ()
    """What `status` says of booked lines; the others are left out."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """What separates columns."""
    decimal: Literal[".", ","] = "."
    """What separates decimals."""
    thousands: Literal["", ".", ",", " ", "'"] = ""
    """What separates thousands; a space is every space, the narrow and the unbreakable one too."""
    date_format: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = "%Y-%m-%d"
    """How dates are written, as Python's `strptime` has it, or `excel` for the days since 1899-12-30."""
    time_format: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = "%H:%M:%S"
    """How times are written."""


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


class LineError(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a file, so that the reader finds the place."""

    number: int
    """The line, from 1; 0: the file as a whole."""
    column: str = ""
    """The column or element; empty: the line as a whole."""
    reason: str
    """What is wrong and, where it can be said, what to do. Says no more of the content than a short excerpt."""


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no movement, or not one yet."""

    number: int
    """The line, from 1."""
    reason: str
    """`pending`, `total`, `header` or `filtered`."""


type Item = Line | LineError | Skipped


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


def essence(line: Line) -> bytes:
    """Hash what can never change about a line that has an id of its own: its money and its time; 16 bytes.

    What processors fill in later, such as the payout that a movement went into, is left out.
    """
    instant = line.booked_on.isoformat() if line.occurred_at is None else line.occurred_at.isoformat()
    parts = (instant, line.currency, str(line.amount_minor), str(line.fee_minor), line.kind)
    return hashlib.blake2b("\x1e".join(parts).encode(), digest_size=16).digest()
