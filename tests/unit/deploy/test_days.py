"""The other days on which the tests run, and the clock that is moved for them."""

import os
import shutil
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local import days
from deploy.local.errors import LocalFailure


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "day", "begins"),
    [
        ("2026-11-28T10:00", "in-40-days", "2027-01-07T10:00"),
        ("2026-11-28T10:00", "in-400-days", "2028-01-02T10:00"),
        ("2026-11-28T10:00", "leap-day", "2028-02-29T12:00"),
        ("2028-02-29T11:59", "leap-day", "2028-02-29T12:00"),
        ("2028-02-29T12:00", "leap-day", "2032-02-29T12:00"),
        ("2097-01-01T00:00", "leap-day", "2104-02-29T12:00"),
        ("2026-11-28T10:00", "end-of-year", "2026-12-31T23:59"),
        ("2026-11-28T10:00", "end-of-month", "2027-01-31T23:59"),
        ("2026-12-31T23:59", "end-of-month", "2027-01-31T23:59"),
        ("2027-01-31T10:00", "end-of-month", "2027-02-28T23:59"),
        ("2026-11-28T10:00", "sao-paulo", "2026-11-28T10:00"),
    ],
)
def test_each_day_begins_when_its_name_says(now: str, day: str, begins: str) -> None:
    (found,) = (each for each in days.DAYS if each.name == day)
    assert found.begins(at(now)) == at(begins)


def test_an_unknown_day_is_refused() -> None:
    with pytest.raises(LocalFailure, match=r"no day 'doomsday'; choose of: in-40-days"):
        days.run(print, ["doomsday"])


def test_without_a_compiler_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no C compiler `cc`" in days.why_not()


def test_the_wall_clock_moves_and_the_other_stays(tmp_path: Path) -> None:
    if days.why_not():
        # Elsewhere it says so, and nothing is moved.
        assert any(reason in days.why_not() for reason in ("Linux", "cc", "installed"))
        return
    script = (
        "import time, threading; lock = threading.Lock(); lock.acquire(); began = time.monotonic(); "
        "time.sleep(0.01); lock.acquire(timeout=0.01); print(int(time.time()), began, time.monotonic() - began < 60, time.tzname[0])"
    )
    env = {**os.environ, **days.moved(timedelta(days=400), zone="Pacific/Kiritimati", root=tmp_path)}
    real = int(env.get("CLOCK_SHIFT_S", "0"))
    assert real == 400 * 86_400
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    wall, _, is_soon, zone = done.stdout.split()
    bare = {name: value for name, value in os.environ.items() if name not in {"LD_PRELOAD", "CLOCK_SHIFT_S"}}
    own = subprocess.run(
        [sys.executable, "-c", "import time; print(int(time.time()))"],
        env=bare,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert abs(int(wall) - int(own.stdout) - 400 * 86_400) < 60
    assert (is_soon, zone) == ("True", "+14")


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="the clock is moved by a C library")
def test_clock_of_a_running_process_jumps_as_its_file_does(tmp_path: Path) -> None:
    file = tmp_path / "shift"
    code = (
        "import ctypes, struct, sys, time; ctypes.CDLL(None).follow_shift(sys.argv[1].encode())\n"
        "real = time.time()\n"
        "for seconds in (3600, -3600, 0):\n"
        "    with open(sys.argv[1], 'r+b') as shared: shared.write(struct.pack('l', seconds))\n"
        "    print(round((time.time() - real) / 60))"
    )
    file.write_bytes(struct.pack("l", 0))
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        env={**os.environ, "LD_PRELOAD": str(days.library())},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["60", "-60", "0"]
