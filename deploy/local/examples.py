"""Which operations' examples were compared with a live answer over a whole run of the tests: all that answer JSON should be.

Each process of the tests writes down at its end which answers it has compared (`tests/support/answers.py`).
"""

import json
from pathlib import Path

from deploy.local.json_documents import Json, operations, resolved
from deploy.local.layout import ROOT

SETTING = "COMPARED_ANSWERS"
"""Names the folder that the processes write into; without it nothing is written."""

UNCOMPARED: dict[str, str] = {}
"""Operations of which no test compares an answer, each with the reason."""


def compared(folder: Path) -> set[str]:
    """Return the operations of which an answer was compared: `GET /v1/me`."""
    return {line for file in folder.glob("*.txt") for line in file.read_text().splitlines()}


def with_example(openapi: Json) -> set[str]:
    """Return the operations that answer JSON where they succeed."""
    return {
        f"{method.upper()} {path}"
        for method, path, operation in operations(openapi)
        if any(
            status.startswith("2") and "application/json" in resolved(openapi, answer).get("content", {})
            for status, answer in operation["responses"].items()
        )
    }


def uncompared(folder: Path) -> list[str]:
    """Return the operations of which no answer was compared, but for those that are known not to be."""
    openapi = json.loads((ROOT / "docs" / "api" / "openapi.json").read_text())
    return sorted(with_example(openapi) - compared(folder) - UNCOMPARED.keys())
