"""Log lines: JSON where nobody looks, words in a terminal, and a correlation id on each."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
SCRIPT = """
import asyncio, logging as plain
from libs.common.background import Background, Loop, Worker
from libs.common.observability import logging
from libs.common.observability.correlation import Correlation, correlated

logging.configure(service="ledger", level="INFO")
log = logging.get_logger("a.room")
log.info("service.started", password="hunter2", rounds=2)
plain.getLogger("a.library").warning("something is odd")
with correlated(Correlation(correlation_id="c-1", tenant_id="t-1", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")):
    log.warning("entry.refused", entry_id=7)

async def rounds() -> None:
    done = 0
    async def work() -> None:
        nonlocal done
        log.info("round.begun")
        log.info("round.over")
        done += 1
        if done == 2:
            raise ValueError("odd")
    tasks = Background().start([], [Worker(name="w", every_seconds=0.001, run=work, is_due_at_start=True)])
    while done < 2:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()

asyncio.run(rounds())
log.info("service.stopped")
"""
FAILURE = """
try:
    raise ValueError("card 4111111111111111")
except ValueError:
    log.exception("round.failed")
"""


def piped() -> list[dict[str, Any]]:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_lines_are_json_where_nobody_looks() -> None:
    started, library, refused, *_ = piped()
    assert (started["event"], started["service"], started["level"]) == ("service.started", "ledger", "info")
    assert (started["password"], started["rounds"], started["room"]) == ("[hidden]", 2, "a.room")
    assert (library["event"], library["logger"]) == ("something is odd", "a.library")
    assert (refused["correlation_id"], refused["tenant_id"], refused["trace_id"]) == ("c-1", "t-1", "a" * 32)


def test_each_line_has_the_correlation_of_its_cause() -> None:
    lines = piped()
    started, library, _, *rounds = lines
    stopped = rounds.pop()
    # Of the process, whatever belongs to no work.
    assert started["correlation_id"] == library["correlation_id"] == stopped["correlation_id"]
    assert len(started["correlation_id"]) == 32
    assert "trace_id" not in started
    failed = rounds.pop()
    begun, over = ([line["correlation_id"] for line in rounds[i : 2 * 2 : 2]] for i in (0, 1))
    # Each round of a worker has one of its own, and its failure has that too.
    assert begun == over
    assert (failed["event"], failed["correlation_id"]) == ("loop.failed", begun[-1])
    assert len({*begun, started["correlation_id"]}) == 3


def test_lines_are_for_a_person_in_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT + FAILURE], cwd=ROOT, stdout=theirs, stderr=subprocess.STDOUT
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:
            # What Linux answers once the other end is closed.
            pass
        assert process.wait(60) == 0, shown
    os.close(ours)
    text = shown.decode()
    assert "entry.refused" in text
    assert "c-1" in text
    assert "hunter2" not in text
    assert "something is odd" in text
    assert "ValueError: card" in text
    assert "4111111111111111" not in text
    assert "Warning" not in text
    assert not [line for line in text.splitlines() if line.lstrip().startswith("{")]
