"""Run a command until it ends or its time is over, and keep what it prints."""

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.local.layout import ROOT

REST_SECONDS = 10.0
"""How long the end of the output is waited for, since a process that the command has started may hold it open for longer."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    """Its exit code; of what a signal has killed, the signal's number below zero."""
    printed: str
    is_late: bool
    """Whether its time was over before it ended by itself."""

    @property
    def is_failed(self) -> bool:
        """Whether it did not end by itself and well."""
        return self.is_late or self.code != 0


def run(command: Sequence[str], env: Mapping[str, str], *, seconds: float, is_shown: bool = False) -> Ran:
    """Run a command from the repository's root; what does not end in time is killed, and what it has printed is kept.

    Args:
        command: the program and its arguments.
        env: its environment, as a whole.
        seconds: when it is killed.
        is_shown: whether each line is shown as it comes.
    """
    printed: list[str] = []
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                printed.append(line)
                if is_shown:
                    sys.stdout.write(line)
                    sys.stdout.flush()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    is_late = False
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        is_late = True
    finally:
        # Also where the run is interrupted; of what has ended by itself, nothing.
        process.kill()
    code = process.wait()
    reader.join(REST_SECONDS)
    if is_late:
        printed.append(f"{' '.join(command[:4])} ... did not end within {seconds:.0f} s and was killed.\n")
    return Ran(code, "".join(printed), is_late)
