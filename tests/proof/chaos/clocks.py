"""The wall clocks of running services, which jump when they are made to.

Services are forked from a process of the tests, which must have been started under `preloaded`.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import days
from tests.proof.chaos import following
from tests.support import forks
from tests.support.platform import Platform

_PRELOAD = "LD_PRELOAD"


@contextmanager
def preloaded() -> Iterator[None]:
    """Let processes that are started inside of the block be able to have their clocks moved."""
    os.environ[_PRELOAD] = str(days.library())
    try:
        yield
    finally:
        del os.environ[_PRELOAD]


def can_jump() -> bool:
    """Tell whether this process is inside of such a block."""
    return _PRELOAD in os.environ


class Clocks:
    """The clocks of the processes of a platform, each in a file."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self._platform = platform
        self._folder = folder

    def follow(self) -> None:
        """Let the services that are started from now on live by their files."""
        self._platform.environ |= {following.FOLDER: str(self._folder), forks.IMPORTED_FIRST: following.__name__}

    def shift(self, process: str, *, seconds: float) -> None:
        """Let the clock of a process be so far off."""
        file = following.file_of(self._folder, self._platform.base(process).rpartition(":")[2])
        with os.fdopen(os.open(file, os.O_WRONLY), "wb") as shared:
            shared.write(struct.pack("l", round(seconds)))
