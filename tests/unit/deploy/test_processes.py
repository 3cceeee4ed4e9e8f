"""Processes, ports and waits: known without doubt, ended without remains, never waited for without end."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from deploy.local import ports, processes
from deploy.local.errors import LocalFailure, failure, log_tail
from deploy.local.processes import ProcessId, end, identify, marked, run, spawn
from deploy.local.waiting import locked, wait_until

pytestmark = pytest.mark.unit

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def start(home: Path, command: list[str] | None = None) -> ProcessId:
    return spawn(command or SLEEP, home=home, log=home / "log" / "one.log", cwd=home)


def test_what_is_started_outlives_the_call_is_found_by_its_mark_and_ends(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.is_alive
    assert wait_until(lambda: marked(tmp_path) == [process], seconds=5)
    assert marked(tmp_path / "other") == []
    end([process], first=signal.SIGTERM, seconds=5, whole_group=True)
    assert marked(tmp_path) == []


def test_one_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    process = start(tmp_path, [sys.executable, "-c", program])
    assert wait_until(ready.exists, seconds=10)
    end([process], first=signal.SIGTERM, seconds=0.2, whole_group=False)
    assert not process.is_alive


def test_a_stale_id_is_nobody() -> None:
    mine = identify(os.getpid())
    assert mine.is_alive
    reused = ProcessId(mine.pid, mine.started - 1)
    assert not reused.is_alive
    end([reused], first=signal.SIGKILL, seconds=0.1, whole_group=False)  # and so nobody is killed
    assert not ProcessId(2**22 + 1, 1).is_alive


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    start(tmp_path, ["/bin/sh", "-c", "echo out; echo err >&2"])
    log = tmp_path / "log" / "one.log"
    assert wait_until(lambda: log.exists() and set(log.read_text().split()) == {"out", "err"}, seconds=5)
    assert "| out" in log_tail(log)


def test_a_big_log_is_started_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 10)
    log = tmp_path / "log" / "one.log"
    log.parent.mkdir()
    log.write_text("x" * 11)
    start(tmp_path, ["/bin/sh", "-c", "echo new"])
    assert wait_until(lambda: log.read_text() == "new\n", seconds=5)


def test_a_missing_program_and_a_late_one_are_sentences() -> None:
    with pytest.raises(LocalFailure, match="no-such-program is not installed"):
        run(["no-such-program"], seconds=1)
    with pytest.raises(LocalFailure, match="did not end within 0 s"):
        run(SLEEP, seconds=0.1)


def test_a_failure_says_what_to_change(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(str(number) for number in range(100)))
    text = str(failure("It did not start.", log=log, setting="X_PORT"))
    assert text.startswith("It did not start.\n")
    assert "| 99" in text
    assert "| 50" not in text
    assert text.endswith("To change this: X_PORT")
    assert "no log" in log_tail(tmp_path / "absent.log")


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.next_free(port) > port
        first = ports.next_free(port - 1, count=3)
        assert port not in range(first, first + 3)
        assert f"process {os.getpid()}" in processes.listener_of(port)
    assert ports.next_free(port, avoid=[port]) != port
    assert processes.listener_of(port) == ""


def test_a_wait_ends() -> None:
    began = time.monotonic()
    assert not wait_until(lambda: False, seconds=0.1, poll_seconds=0.01)
    assert time.monotonic() - began < 2


def test_a_lock_is_one_at_a_time_and_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with locked(path), pytest.raises(LocalFailure, match="holds"), locked(path, seconds=0.1):
        pass
    with locked(path, seconds=0.1):
        pass
