"""Where servers keep what is thrown away when they stop: in memory where there is room, and then no disk slows the tests.

On a busy disk a copy of a migrated database, which most test modules begin with, takes up to a second; in memory 50 ms.
"""

import os
import shutil
from pathlib import Path

from deploy.local.layout import Layout

MEMORY = Path("/dev/shm")  # noqa: S108 - the folder below it is keyed by the checkout, and refused when another user owns it
ROOM_BYTES = 4 * 1024**3
"""How much must be free there: three sets of servers need a few hundred megabytes each while the tests run."""
_CHECKOUT = "checkout"
"""The file that names the checkout a folder belongs to."""


def folder(layout: Layout, server: str) -> Path | None:
    """Return the folder in memory for the data of a server, made where it is missing.

    None where the data must outlive the server, or the machine has no such folder, or not enough room in it.
    """
    if layout.is_durable or not _has_room():
        return None
    _remove_left()
    place = _place(layout)
    # Others may pass through, as the database's user must, and read nothing.
    place.mkdir(mode=0o711, exist_ok=True)
    # Of the entry itself: a link of somebody else's may lead to what is ours.
    if place.lstat().st_uid != os.geteuid():
        return None
    (place / _CHECKOUT).write_text(str(layout.root))
    made = place / server
    made.mkdir(mode=0o711, exist_ok=True)
    return made


def link(layout: Layout, server: str, data: Path) -> Path:
    """Decide once where a server's data lies: in memory, with a link from `data`, or in `data` itself.

    Returns:
        The folder itself, which may have to be made.
    """
    if not data.exists():
        # A link may lead nowhere: what is in memory is gone when the machine starts anew.
        data.unlink(missing_ok=True)
        made = folder(layout, server)
        if made is not None:
            data.parent.mkdir(parents=True, exist_ok=True)
            data.symlink_to(made / "data")
    return data.resolve()


def wipe(layout: Layout, server: str) -> None:
    """Remove what a server kept in memory."""
    place = _place(layout)
    shutil.rmtree(place / server, ignore_errors=True)
    if place.is_dir() and [file.name for file in place.iterdir()] == [_CHECKOUT]:
        shutil.rmtree(place, ignore_errors=True)


def _place(layout: Layout) -> Path:
    return MEMORY / f"payments-{layout.profile}-{layout.key}"


def _has_room() -> bool:
    try:
        return shutil.disk_usage(MEMORY).free >= ROOM_BYTES and os.access(MEMORY, os.W_OK | os.X_OK)
    except OSError:
        return False


def _remove_left() -> None:
    """Remove what checkouts that are gone have left: nobody else would give that memory back."""
    for place in MEMORY.glob("payments-*"):
        try:
            root = Path((place / _CHECKOUT).read_text())
        except OSError:
            continue
        if not root.exists():
            shutil.rmtree(place, ignore_errors=True)
