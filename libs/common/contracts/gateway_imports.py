"""Files of processors and banks: the sources that send them, and what became of each file.

A file comes in parts over requests, so that no message and no memory is as large as a file.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_SOURCE = _TENANT | {"source_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf4"}
_IMPORT = _TENANT | {"import_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf5"}

PIECE_BYTES_MAX = 1_048_576
"""Bytes of a file that one request brings at most; in JSON they are a third longer."""


def _named(names: Mapping[str, str]) -> msgspec.Meta:
    """Name values that are no words: generators of clients make constants of them.

    The schema lists the names in the order of its `enum`, which msgspec sorts.
    """
    return msgspec.Meta(extra_json_schema={"x-enum-varnames": [names[value] for value in sorted(names)]})


class FieldMap(msgspec.Struct, frozen=True, kw_only=True):
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
    delimiter: Annotated[
        Literal[",", ";", "\t", "|"], _named({",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Pipe"})
    ] = ","
    """What separates columns."""
    decimal: Literal[".", ","] = "."
    """What separates decimals."""
    thousands: Annotated[
        Literal["", ".", ",", " ", "'"],
        _named({"": "Nothing", ".": "Period", ",": "Comma", " ": "Space", "'": "Apostrophe"}),
    ] = ""
    """What separates thousands; a space is every space, the narrow and the unbreakable one too."""
    date_format: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = "%Y-%m-%d"
    """How dates are written, as Python's `strptime` has it, or `excel` for the days since 1899-12-30."""
    time_format: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = "%H:%M:%S"
    """How times are written."""


class ImportSource(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends files, and how they are read."""

    id: UUID
    """The source."""
    name: str
    """What people call it."""
    format: str
    """`stripe_balance_change`, `stripe_payout_reconciliation`, `camt053`, `mt940`, `ofx` or `csv`."""
    fields: FieldMap | None
    """How a `csv` is read; nothing else has it."""
    time_zone: str
    """The zone of days and times that say none themselves."""
    encoding: str
    """How text is encoded; `auto`: by its mark, else UTF-8, else cp1252."""
    reversal_turns_sign: bool
    """Whether `RvslInd` of CAMT.053 turns the direction."""
    created_at: datetime
    """When it was added."""
    updated_at: datetime
    """When it last changed."""


class ImportSourceList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's sources, newest first."""

    sources: list[ImportSource]


class ImportSourceDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """No new file is taken of it; its lines stay."""

    id: UUID


class ImportFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a file, and where."""

    line: int
    """The line, from 1; 0: the file as a whole."""
    column: str
    """The column or element; empty: the line as a whole."""
    reason: str
    """What is wrong."""


class FileImport(msgspec.Struct, frozen=True, kw_only=True):
    """A file, and what became of it."""

    id: UUID
    """The import."""
    source_id: UUID
    """Whose file."""
    file_name: str
    """What the file is called; nothing is decided by it."""
    sha256: str
    """The file's checksum in hexadecimal."""
    size_bytes: int
    """How large the file is."""
    received_bytes: int
    """How much of it has come."""
    status: str
    """`UPLOADING`, `WAITING`, `READING`, `IMPORTED`, `REJECTED` or `ABANDONED`."""
    lines_read: int
    """Lines that were read so far."""
    lines_new: int
    """Lines among them that were not known."""
    lines_known: int
    """Lines among them that an earlier file had, or that the file has twice."""
    lines_skipped: int
    """What is no movement or not one yet: totals, repeated headers, pending entries."""
    errors_total: int
    """How many faults were found; reading ends at the limit of those that are kept."""
    errors: list[ImportFault]
    """The first of them; empty in lists."""
    first_on: date | None
    """The earliest booking date of its lines."""
    last_on: date | None
    """The latest one."""
    created_at: datetime
    """When it was begun."""
    completed_at: datetime | None
    """When all of it had come."""
    ended_at: datetime | None
    """When it was imported, rejected or abandoned."""
    is_known: bool = False
    """Whether the file was announced before, with this import; only in the answer to its announcement."""


class FileImportList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's imports, newest first, without their errors."""

    imports: list[FileImport]


class ImportPieceAdded(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a file has been kept."""

    import_id: UUID
    """The import."""


@request(
    "imports.put_source",
    owner="gateway",
    published_by=("api",),
    reply=ImportSource,
    example=_SOURCE | {"name": "Stripe", "format": "stripe_balance_change"},
)
class PutImportSource(Message, frozen=True, kw_only=True):
    """Add a source, or change how its next files are read. Requested by the api; the same again is success."""

    tenant_id: str
    """The tenant."""
    source_id: UUID
    """The source's id, minted by the api."""
    name: str
    """What people call it."""
    format: str
    """As `ImportSource` has it."""
    fields: FieldMap | None = None
    """How a `csv` is read."""
    time_zone: str = "UTC"
    """The zone of days and times that say none themselves."""
    encoding: str = "auto"
    """How text is encoded."""
    reversal_turns_sign: bool = True
    """Whether `RvslInd` of CAMT.053 turns the direction."""
    must_exist: bool = False
    """Whether it is a change of a source that there is."""


@request("imports.list_sources", owner="gateway", published_by=("api",), reply=ImportSourceList, example=_TENANT)
class ListImportSources(Message, frozen=True, kw_only=True):
    """Who sends files to this tenant? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request("imports.get_source", owner="gateway", published_by=("api",), reply=ImportSource, example=_SOURCE)
class GetImportSource(Message, frozen=True, kw_only=True):
    """How are the files of this source read? Requested by the api."""

    tenant_id: str
    """The tenant."""
    source_id: UUID
    """The source."""


@request("imports.delete_source", owner="gateway", published_by=("api",), reply=ImportSourceDeleted, example=_SOURCE)
class DeleteImportSource(Message, frozen=True, kw_only=True):
    """Take no new file of this source. Requested by the api; repeated, it is a success."""

    tenant_id: str
    """The tenant."""
    source_id: UUID
    """The source."""


@request(
    "imports.start",
    owner="gateway",
    published_by=("api",),
    reply=FileImport,
    example=_IMPORT | _SOURCE | {"file_name": "january.csv", "size_bytes": 1043, "sha256": "0" * 64},
)
class StartImport(Message, frozen=True, kw_only=True):
    """Begin to import a file. Requested by the api; a file that is known is answered with the import that it had."""

    tenant_id: str
    """The tenant."""
    import_id: UUID
    """The new import's id, minted by the api."""
    source_id: UUID
    """Whose file."""
    file_name: str
    """What the file is called."""
    size_bytes: int
    """How large it is."""
    sha256: str
    """Its checksum in hexadecimal, lower case."""


@request(
    "imports.add_piece",
    owner="gateway",
    published_by=("api",),
    reply=ImportPieceAdded,
    example=_IMPORT | {"part": 1, "piece": 0, "content": "bmFtZSxhbW91bnQK"},
    timeout_seconds=15.0,
)
class AddImportPiece(Message, frozen=True, kw_only=True):
    """Keep a piece of a part of a file. Requested by the api, in order; the first piece of a part replaces the part."""

    tenant_id: str
    """The tenant."""
    import_id: UUID
    """The import."""
    part: int
    """Which part of the file, from 1."""
    piece: int
    """Which piece of the part, from 0."""
    content: bytes
    """Bytes, in JSON as base64; at most `PIECE_BYTES_MAX`."""


@request("imports.complete", owner="gateway", published_by=("api",), reply=FileImport, example=_IMPORT)
class CompleteImport(Message, frozen=True, kw_only=True):
    """All of a file has come: read it. Requested by the api; repeated, it is a success."""

    tenant_id: str
    """The tenant."""
    import_id: UUID
    """The import."""


@request("imports.get", owner="gateway", published_by=("api",), reply=FileImport, example=_IMPORT)
class GetImport(Message, frozen=True, kw_only=True):
    """What became of a file? Requested by the api."""

    tenant_id: str
    """The tenant."""
    import_id: UUID
    """The import."""


@request("imports.list", owner="gateway", published_by=("api",), reply=FileImportList, example=_TENANT)
class ListImports(Message, frozen=True, kw_only=True):
    """Which files came? Requested by the api."""

    tenant_id: str
    """The tenant."""
    source_id: UUID | None = None
    """Of this source alone; None: of all."""
    limit: int = 50
    """At most; 1 to 200."""
