"""The file of signed heads: what is half written is removed, a lock is waited for so long, and its end is enough to go on."""

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from libs.common.errors import Unavailable
from libs.common.evidence import Signed, append_to, last_number, read_file

STATEMENTS = [
    Signed(number=number, statement="x" * 2_000, signatures={"0123456789abcdef": "AAAA"}) for number in range(1, 9)
]
LINE = len(msgspec.json.encode(STATEMENTS[0])) + 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "heads.jsonl"


def test_what_the_file_has_is_not_appended_again(file: Path) -> None:
    assert (last_number(file), read_file(file).statements) == (0, [])
    assert append_to(file, STATEMENTS[:3]) == 3
    assert append_to(file, STATEMENTS[:2]) == 3
    assert append_to(file, STATEMENTS[1:]) == 8
    assert (last_number(file), read_file(file).statements) == (8, STATEMENTS)


@pytest.mark.parametrize("cut", [1, 2, LINE // 2, LINE - 1])
def test_line_that_was_not_written_whole_is_written_again(file: Path, cut: int) -> None:
    append_to(file, STATEMENTS[:4])
    os.truncate(file, 4 * LINE - cut)
    assert (last_number(file), read_file(file).faults) == (3, [])
    assert append_to(file, STATEMENTS[3:]) == 8
    assert (read_file(file).statements, read_file(file).faults) == (STATEMENTS, [])


def test_full_disk_keeps_nobody_from_going_on(file: Path) -> None:
    append_to(file, STATEMENTS[:2])
    with bytes_at_most(3 * LINE + LINE // 2), pytest.raises(OSError, match="too large"):
        append_to(file, STATEMENTS)
    assert (last_number(file), read_file(file).faults) == (3, [])
    append_to(file, STATEMENTS)
    assert read_file(file).statements == STATEMENTS


def test_half_a_line_stays_where_nothing_can_be_removed() -> None:
    descriptor = os.memfd_create("heads", os.MFD_ALLOW_SEALING)
    try:
        file = Path(f"/proc/self/fd/{descriptor}")
        append_to(file, STATEMENTS[:1])
        os.lseek(descriptor, 0, os.SEEK_END)
        os.write(descriptor, b'{"number"')
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        assert append_to(file, STATEMENTS) == 8
        read = read_file(file)
        assert (read.statements, read.faults) == (STATEMENTS, ["line 2 of the file cannot be read"])
    finally:
        os.close(descriptor)


def test_lock_is_waited_for_so_long_and_no_longer(file: Path) -> None:
    append_to(file, STATEMENTS[:1])
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for locked in (
            lambda: append_to(file, STATEMENTS, wait_seconds=0.1),
            lambda: last_number(file, wait_seconds=0.1),
            lambda: read_file(file, wait_seconds=0.1),
        ):
            with pytest.raises(Unavailable, match="locked"):
                locked()
    assert append_to(file, STATEMENTS) == 8


def test_last_number_is_read_from_the_end_alone(file: Path) -> None:
    append_to(file, STATEMENTS[:1])
    # Without blocks on the disk; as a whole, more than the memory has.
    os.truncate(file, 2**40)
    with file.open("ab") as stream:
        stream.write(b"\n")
    append_to(file, STATEMENTS[:7])
    with file.open("ab") as stream:
        stream.write(b"no statement\n\n")
    assert last_number(file) == 7


def test_file_without_a_statement_at_its_end_is_written_again(file: Path) -> None:
    file.write_bytes(b"no statement\n" * 100_000)
    assert last_number(file) == 0
    assert append_to(file, STATEMENTS) == 8
    read = read_file(file)
    assert (read.statements, len(read.faults), read.faults[0]) == (STATEMENTS, 100, "line 1 of the file cannot be read")


@contextmanager
def bytes_at_most(size: int) -> Iterator[None]:
    """No file of this process may become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
