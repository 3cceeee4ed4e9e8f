"""The file that signed statements are appended to, one a line, by several processes.

A line without its end was not written whole: its process was killed, or the disk was full. It counts as not there, and whoever
appends next removes it.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from libs.common.errors import Unavailable
from libs.common.evidence.statements import Signed

_LOCK_SECONDS = 5.0
"""How long the lock is waited for."""
_PAUSE_SECONDS = 0.02
_END_BYTES = 1024 * 1024
"""Bytes at the end in which the last statement is looked for; a file without one there counts as lost, and is written again."""
_FAULTS_MAX = 100

_signed = msgspec.json.Decoder(Signed)


class HeadsRead(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file."""

    statements: list[Signed] = []
    """What can be read."""
    faults: list[str] = []
    """Which lines cannot be read; a sentence each, so many at most."""


def read_file(file: Path, *, wait_seconds: float = _LOCK_SECONDS) -> HeadsRead:
    """Read all that was appended to a file; one that is not there is empty.

    Raises:
        Unavailable: when another process keeps it locked.
    """
    read = HeadsRead()
    if not file.exists():
        return read
    with file.open("rb") as stream:
        # What is whole by now stays as it is, so that nobody has to wait while it is read.
        with _locked(stream.fileno(), fcntl.LOCK_SH, wait_seconds):
            size = os.fstat(stream.fileno()).st_size
        for number, line in enumerate(stream, start=1):
            size -= len(line)
            if size < 0 or not line.endswith(b"\n"):
                break
            if line == b"\n":
                continue
            statement = _decode(line)
            if statement is not None:
                read.statements.append(statement)
            elif len(read.faults) < _FAULTS_MAX:
                read.faults.append(f"line {number} of the file cannot be read")
    return read


def last_number(file: Path, *, wait_seconds: float = _LOCK_SECONDS) -> int:
    """Return the number of the last statement in a file; 0 where there is none.

    Raises:
        Unavailable: when another process keeps it locked.
    """
    if not file.exists():
        return 0
    with file.open("rb") as stream, _locked(stream.fileno(), fcntl.LOCK_SH, wait_seconds):
        return _end_of(stream.fileno())[0]


def append_to(file: Path, statements: Sequence[Signed], *, wait_seconds: float = _LOCK_SECONDS) -> int:
    """Append statements that the file does not have, and return the number of its last one.

    Raises:
        Unavailable: when another process keeps it locked.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with _locked(descriptor, fcntl.LOCK_EX, wait_seconds):
            # Another process may have led the minute before, and be late.
            last, half = _end_of(descriptor)
            missing = [signed for signed in statements if signed.number > last]
            if not missing:
                return last
            lines = b"".join(msgspec.json.encode(signed) + b"\n" for signed in missing)
            if half and not _cut(descriptor, half):
                lines = b"\n" + lines
            _write(descriptor, lines)
            os.fsync(descriptor)
            return missing[-1].number
    finally:
        os.close(descriptor)


@contextmanager
def _locked(descriptor: int, how: int, wait_seconds: float) -> Iterator[None]:
    ends_at = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            break
        except BlockingIOError as fault:
            if time.monotonic() >= ends_at:
                raise Unavailable("another process keeps the file of signed heads locked") from fault
            time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _end_of(descriptor: int) -> tuple[int, int]:
    """Look at the end of a file: the number of its last statement, and the bytes of a last line that is not whole."""
    size = os.fstat(descriptor).st_size
    end = os.pread(descriptor, _END_BYTES, max(0, size - _END_BYTES))
    whole, _, half = end.rpartition(b"\n")
    for line in reversed(whole.split(b"\n")):
        statement = _decode(line)
        if statement is not None:
            return statement.number, len(half)
    return 0, len(half)


def _decode(line: bytes) -> Signed | None:
    try:
        return _signed.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def _cut(descriptor: int, count: int) -> bool:
    """Remove the last bytes; returns False where a file can only be appended to."""
    try:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - count)
    except PermissionError:
        return False
    return True


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
