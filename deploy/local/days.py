"""The tests on other days: under a wall clock that is moved, or in another zone, with servers of their own.

The clock is moved by a library that is loaded before all others (`native/shift_clock.c`), into the tests and into the
three servers alike; the monotonic clock, by which timeouts and sleeps go, stays as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from deploy.local import lifecycle, packages, servers
from deploy.local.environment import with_bytecode
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT, layout

PROFILE = "shifted"
"""The profile whose servers live on the other day."""

SOURCE = Path(__file__).parent / "native" / "shift_clock.c"
COMPILE_SECONDS = 60.0
SERVERS_SECONDS = 180.0
TESTS_SECONDS = 2400.0

LONG = ("tests/unit", "tests/integration")
"""What `just test-on-other-days` runs on each day."""

SHORT = (
    "tests/unit",
    "tests/integration/common/test_days.py",
    "tests/integration/gateway",
    "tests/integration/ledger",
    "tests/integration/notifier",
)
"""What the test command runs on `SHORT_DAY` and not on the real one: where ids, expiry, partitions and signatures meet the
time. The other integration tests run on the real day there, and on every other day in the long form."""

SHORT_DAY = "in-400-days"

Report = Callable[[str], None]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One other day, or the present one in another zone."""

    name: str
    begins: Callable[[datetime], datetime]
    """The instant at which the run begins, by the real one."""
    zone: str = ""
    """The zone of the machine, its own when empty."""


def _leap_day(now: datetime) -> datetime:
    """Return the noon of the next 29 February."""
    year = next(year for year in range(now.year, now.year + 9) if year % 4 == 0 and (year % 100 or year % 400 == 0))
    noon = datetime(year, 2, 29, 12, tzinfo=UTC)
    return noon if noon > now else _leap_day(datetime(year + 1, 1, 1, tzinfo=UTC))


def _end_of_year(now: datetime) -> datetime:
    """Return the last minute of the present year: the year ends while the tests run."""
    return datetime(now.year + 1, 1, 1, tzinfo=UTC) - timedelta(seconds=60)


def _end_of_month(now: datetime) -> datetime:
    """Return the last minute of the next month that is not the year's last."""
    first = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return (following if following.month > 1 else (following + timedelta(days=32)).replace(day=1)) - timedelta(
        seconds=60
    )


DAYS = (
    Day(name="in-40-days", begins=lambda now: now + timedelta(days=40)),
    Day(name="in-400-days", begins=lambda now: now + timedelta(days=400)),
    Day(name="leap-day", begins=_leap_day),
    Day(name="end-of-year", begins=_end_of_year),
    Day(name="end-of-month", begins=_end_of_month),
    Day(name="sao-paulo", begins=lambda now: now, zone="America/Sao_Paulo"),
    Day(name="kiritimati", begins=lambda now: now, zone="Pacific/Kiritimati"),
)


def run(report: Report, names: Sequence[str] = ()) -> list[str]:
    """Run tests on each day, or on those named, and return the names of the days on which something failed.

    What the tests print is shown once the day is over, so that nothing else stands in between.

    Raises:
        LocalFailure: when a day is unknown, or the clock cannot be moved here.
    """
    unknown = set(names) - {day.name for day in DAYS}
    if unknown:
        raise LocalFailure(f"There is no day {sorted(unknown)[0]!r}; choose of: {', '.join(day.name for day in DAYS)}.")
    days = [day for day in DAYS if day.name in names or not names]
    lifecycle.install_servers(PROFILE, report)
    hindrance = why_not()
    if hindrance:
        raise LocalFailure(hindrance)
    return [day.name for day in days if not _run_on(day, report)]


def environment(name: str) -> dict[str, str]:
    """Return the environment of a run that begins now on the day of this name."""
    now = datetime.now(UTC)
    (day,) = (day for day in DAYS if day.name == name)
    return moved(day.begins(now) - now, zone=day.zone)


def why_not() -> str:
    """Say in a sentence why the clock cannot be moved on this machine; empty when it can."""
    if not sys.platform.startswith("linux"):
        return "the wall clock of a process can be moved on Linux only, by LD_PRELOAD."
    if shutil.which("cc") is None:
        return "there is no C compiler `cc` here, which builds deploy/local/native/shift_clock.c (Debian: apt-get install gcc)."
    absent = packages.missing(servers.SERVERS)
    if absent:
        return f"servers that are given or in containers keep the real time, and {', '.join(absent)} is not installed."
    return ""


def moved(by: timedelta, *, zone: str = "", root: Path = ROOT) -> dict[str, str]:
    """Return an environment whose processes live so much later, in a zone of their own where one is given.

    Servers that the environment names, or that run in containers, would keep the real time: they are left out.
    """
    own = {name: value for name, value in os.environ.items() if name not in servers.GIVEN.values()}
    env = {**with_bytecode(own, root), "TEST_PROFILE": PROFILE, "LOCAL_SERVERS": "native"}
    if by:
        env |= {"LD_PRELOAD": str(library(root)), "CLOCK_SHIFT_S": str(int(by.total_seconds()))}
    return env | ({"TZ": zone} if zone else {})


def library(root: Path = ROOT) -> Path:
    """Compile the library that moves clocks where it is missing or older than its source, where every user of the machine can read it."""
    folder = Path(tempfile.gettempdir()) / f"payments-{layout(PROFILE, root).key}"
    folder.mkdir(mode=0o755, exist_ok=True)
    library = folder / "shift_clock.so"
    if library.exists() and library.stat().st_mtime >= SOURCE.stat().st_mtime:
        return library
    fresh = folder / f"{os.getpid()}.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(fresh), str(SOURCE), "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
    if done.returncode:
        raise LocalFailure(f"cc could not build {SOURCE.name}: {done.stderr.strip()[-500:]}")
    fresh.chmod(0o755)
    fresh.rename(library)
    return library


def _run_on(day: Day, report: Report) -> bool:
    """Run the tests on a day; returns whether all of them passed."""
    now, began = datetime.now(UTC), time.monotonic()
    begins = day.begins(now)
    env = moved(begins - now, zone=day.zone)
    place = f" in {day.zone}" if day.zone else ""
    servers.stop(PROFILE)
    try:
        code, printed = _step(["-m", "deploy.local", "up-servers", "--profile", PROFILE], env, seconds=SERVERS_SECONDS)
        if not code:
            pytest = ["-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", *LONG]
            code, printed = _step(pytest, env, seconds=TESTS_SECONDS)
    finally:
        servers.stop(PROFILE)
    result = f"{'FAILED' if code else 'ok'} in {time.monotonic() - began:.1f} s"
    report(f"== {day.name}: from {begins:%Y-%m-%d %H:%M} UTC on{place}\n{printed}== {day.name} {result}\n")
    return code == 0


def _step(arguments: Sequence[str], env: Mapping[str, str], *, seconds: float) -> tuple[int, str]:
    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        # The other days come all the same.
        printed = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        return 1, f"{printed}\n{' '.join(arguments[:4])} ... did not end within {seconds:.0f} s.\n"
    return done.returncode, done.stdout
