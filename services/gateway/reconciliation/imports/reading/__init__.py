"""Reads files of processors and banks, in memory that does not grow with them."""

from collections.abc import Iterable, Iterator

from services.gateway.reconciliation.imports.domain import FileFormat, FileRefused, Item, Reading
from services.gateway.reconciliation.imports.reading.camt import read_camt
from services.gateway.reconciliation.imports.reading.dates import zone
from services.gateway.reconciliation.imports.reading.mapped import map_faults, read_mapped
from services.gateway.reconciliation.imports.reading.mt940 import read_mt940
from services.gateway.reconciliation.imports.reading.ofx import read_ofx
from services.gateway.reconciliation.imports.reading.stripe_reports import read_stripe_report
from services.gateway.reconciliation.imports.reading.text import lines, opened, texts

__all__ = ["read_file", "reading_faults"]

_READERS = {
    FileFormat.STRIPE_BALANCE_CHANGE: read_stripe_report,
    FileFormat.STRIPE_PAYOUT_RECONCILIATION: read_stripe_report,
    FileFormat.MT940: read_mt940,
    FileFormat.CSV: read_mapped,
}


def read_file(chunks: Iterable[bytes], reading: Reading, *, bytes_max: int = 2**31) -> Iterator[Item]:
    """Read a file of a source: its lines, what is wrong in it by line, and what was left out.

    A file that cannot be read to its end gives an error as its last item; nothing is raised. `bytes_max` is that of the
    file itself, unpacked.
    """
    try:
        pieces = opened(chunks, bytes_max=bytes_max)
        if reading.format is FileFormat.CAMT053:
            yield from read_camt(pieces, reading)
        elif reading.format is FileFormat.OFX:
            yield from read_ofx(texts(pieces, reading.encoding), reading)
        else:
            yield from _READERS[reading.format](lines(pieces, reading.encoding), reading)
    except FileRefused as refused:
        yield refused.error


def reading_faults(reading: Reading) -> list[str]:
    """Name what does not make sense in how a source is read, one sentence each."""
    faults = map_faults(reading.fields) if reading.format is FileFormat.CSV else []
    if reading.format is not FileFormat.CSV and reading.fields is not None:
        faults.append("only a csv has a field map")
    try:
        zone(reading.time_zone)
    except FileRefused as unknown:
        faults.append(str(unknown))
    return faults
