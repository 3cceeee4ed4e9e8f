"""How the machine room fails: one clear sentence, the last lines of the log, and the one setting to change."""

from pathlib import Path

LOG_TAIL_LINES = 15
"""How many lines of a log a failure shows: enough for a stack trace's end, short enough to be read."""


class LocalFailure(Exception):
    """A start, a stop or a wait that did not succeed; its text is meant for the person at the terminal."""


def log_tail(log: Path, *, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log file, indented, or a sentence that it is empty or absent."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return f"  (no log at {log})"
    tail = text.rstrip().splitlines()[-lines:]
    if not tail:
        return f"  ({log} is empty)"
    return "\n".join([f"  last lines of {log}:", *(f"  | {line}" for line in tail)])


def failure(sentence: str, *, log: Path | None = None, setting: str = "") -> LocalFailure:
    """Build the failure for a server or service: what went wrong, what its log says, and what to change."""
    parts = [sentence]
    if log is not None:
        parts.append(log_tail(log))
    if setting:
        parts.append(f"  To change this: {setting}")
    return LocalFailure("\n".join(parts))
