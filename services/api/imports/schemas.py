"""Sources and imports, as clients write and see them."""

from typing import Annotated, Literal

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_imports import FieldMap, FileImport, ImportSource

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Format = Literal["stripe_balance_change", "stripe_payout_reconciliation", "camt053", "mt940", "ofx", "csv"]


class SourceFields(FieldMap, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a table is read: which column says what, and how numbers and dates are written."""


class PutSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who sends files, and how they are read."""

    name: Annotated[_Name, msgspec.Meta(description="What people call it.")]
    format: Annotated[_Format, msgspec.Meta(description="Which kind of file it sends.")]
    fields: Annotated[
        SourceFields | None, msgspec.Meta(description="The columns of a `csv`; nothing else has them.")
    ] = None
    time_zone: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=64,
            description="The zone of days and times that say none themselves, by IANA's name.",
        ),
    ] = "UTC"
    encoding: Annotated[
        Literal["auto", "utf-8", "utf-16", "iso-8859-1", "cp1252"],
        msgspec.Meta(description="How text is encoded; `auto`: by its mark, else UTF-8, else cp1252."),
    ] = "auto"
    reversal_turns_sign: Annotated[
        bool, msgspec.Meta(description="Whether `RvslInd` of CAMT.053 turns the direction of an entry.")
    ] = True


class StartFileImport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that is to be imported."""

    source_id: Annotated[
        str, msgspec.Meta(max_length=36, description="Whose file.", extra_json_schema={"format": "uuid"})
    ]
    file_name: Annotated[_Name, msgspec.Meta(description="What it is called; nothing is decided by it.")]
    size_bytes: Annotated[int, msgspec.Meta(ge=1, le=1_099_511_627_776, description="How large it is.")]
    sha256: Annotated[
        str,
        msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$", description="Its checksum: 64 hexadecimal digits, lower case."),
    ]


class SourceBody(msgspec.Struct, frozen=True, kw_only=True):
    """A source of files."""

    id: str
    name: str
    format: str
    fields: FieldMap | None
    time_zone: str
    encoding: str
    reversal_turns_sign: bool
    created_at: str
    updated_at: str


class FileFaultBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a file, and where."""

    line: int
    """The line, from 1; 0: the file as a whole."""
    column: str
    """The column or element; empty: the line as a whole."""
    reason: str


class FileImportBody(msgspec.Struct, frozen=True, kw_only=True):
    """A file, and what became of it."""

    id: str
    source_id: str
    file_name: str
    sha256: str
    size_bytes: int
    received_bytes: int
    status: str
    """`UPLOADING`, `WAITING`, `READING`, `IMPORTED`, `REJECTED` or `ABANDONED`."""
    lines_read: int
    lines_new: int
    """Lines that no file before had."""
    lines_known: int
    """Lines that an earlier file had, or that the file has twice."""
    lines_skipped: int
    """Totals, repeated headers, pending entries."""
    errors_total: int
    errors: list[FileFaultBody]
    """At most 1,000; empty in lists."""
    first_on: str | None
    """The earliest booking date."""
    last_on: str | None
    """The latest booking date."""
    created_at: str
    completed_at: str | None
    ended_at: str | None


def source_body(source: ImportSource) -> SourceBody:
    """Render a source."""
    return SourceBody(
        id=str(source.id),
        name=source.name,
        format=source.format,
        fields=source.fields,
        time_zone=source.time_zone,
        encoding=source.encoding,
        reversal_turns_sign=source.reversal_turns_sign,
        created_at=iso(source.created_at),
        updated_at=iso(source.updated_at),
    )


def import_body(found: FileImport) -> FileImportBody:
    """Render an import."""
    return FileImportBody(
        id=str(found.id),
        source_id=str(found.source_id),
        file_name=found.file_name,
        sha256=found.sha256,
        size_bytes=found.size_bytes,
        received_bytes=found.received_bytes,
        status=found.status,
        lines_read=found.lines_read,
        lines_new=found.lines_new,
        lines_known=found.lines_known,
        lines_skipped=found.lines_skipped,
        errors_total=found.errors_total,
        errors=[FileFaultBody(line=fault.line, column=fault.column, reason=fault.reason) for fault in found.errors],
        first_on=None if found.first_on is None else found.first_on.isoformat(),
        last_on=None if found.last_on is None else found.last_on.isoformat(),
        created_at=iso(found.created_at),
        completed_at=None if found.completed_at is None else iso(found.completed_at),
        ended_at=None if found.ended_at is None else iso(found.ended_at),
    )
