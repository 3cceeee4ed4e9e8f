"""Waiting for facts with a deadline, and the lock file that keeps two processes from doing the same work."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import failure

POLL_SECONDS = 0.05
LOCK_SECONDS = 180.0
"""A first start installs nothing but makes a database cluster and boots a broker: under 30 s even on a slow machine."""


def wait_until(fact: Callable[[], bool], *, seconds: float, poll_seconds: float = POLL_SECONDS) -> bool:
    """Poll `fact` until it holds or the time is up; the answer says which."""
    deadline = time.monotonic() + seconds
    while True:
        if fact():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll_seconds)


@contextmanager
def locked(path: Path, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold an exclusive lock on a file for the time of the block; the kernel drops it if we die.

    Raises:
        LocalFailure: when another process held it for the whole of `seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not wait_until(lambda: _try_lock(descriptor), seconds=seconds):
            raise failure(f"Another process has been busy with the servers for {seconds:.0f} s and holds {path}.")
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
