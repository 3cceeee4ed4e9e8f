"""What a proof has found, printed and kept."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / ".local" / "proof"


def report(name: str, found: dict[str, Any]) -> None:
    """Print what was found, and keep it as `.local/proof/<name>.json`."""
    text = json.dumps(found | {"measured_at": datetime.now(UTC).isoformat(timespec="seconds")}, indent=2)
    print(text)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(text + "\n")
