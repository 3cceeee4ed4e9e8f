"""Imported first by a service whose clock can be moved: it lives by a file from then on, named after its port."""

import ctypes
import os
import struct
import sys
from pathlib import Path

FOLDER = "CLOCK_SHIFT_FOLDER"
"""In the environment of a service: where its file is."""


def file_of(folder: Path, port: str) -> Path:
    """The file that has the seconds by which the clock of a service is off, as a C long."""
    return folder / f"{port}.clock"


def _follow() -> None:
    service = sys.argv[0].rpartition(".")[2]
    file = file_of(Path(os.environ[FOLDER]), os.environ[f"{service.upper()}_HTTP_PORT"])
    if not file.exists():
        file.write_bytes(struct.pack("l", 0))
    if ctypes.CDLL(None).follow_shift(str(file).encode()):
        raise OSError(f"the clock cannot follow {file}")


if sys.argv[0].startswith("services."):
    _follow()
