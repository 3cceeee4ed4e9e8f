"""What a proof has found, printed and kept."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SHOWN_EVERY_SECONDS = 30.0
FOLDER = Path(__file__).parents[2] / ".local" / "proof"


def report(name: str, found: dict[str, Any]) -> None:
    """Print what was found, and keep it as `.local/proof/<name>.json`."""
    text = json.dumps(found | {"measured_at": datetime.now(UTC).isoformat(timespec="seconds")}, indent=2)
    print(text)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(text + "\n")


@asynccontextmanager
async def progress(state: Callable[[], str]) -> AsyncIterator[None]:
    """Write to standard error every half a minute how far a proof is, so that one that stands still is seen."""
    began = time.monotonic()

    async def show() -> None:
        while True:
            await asyncio.sleep(SHOWN_EVERY_SECONDS)
            print(f"{time.monotonic() - began:6.0f} s  {state()}", file=sys.stderr, flush=True)

    task = asyncio.create_task(show())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
