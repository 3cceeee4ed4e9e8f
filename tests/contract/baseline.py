"""The compatibility baseline: every message as others have known it since it was first published.

A field may be added; renaming, removing or retyping one breaks whoever reads it, and a new field without a default breaks
whoever still sends the old body. `just docs` adds what is new, and takes nothing out that stands in the baseline.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from libs.common.contracts import REGISTRY

FILE = Path(__file__).with_name("baseline.json")

type Shapes = dict[str, dict[str, Any]]


def current() -> Shapes:
    """The fields of every message today: their JSON schema, and which are required."""
    shapes: Shapes = {}
    for name, kind in sorted(REGISTRY.items()):
        _, parts = msgspec.json.schema_components([kind])
        shapes[name] = {
            "public": kind.contract.public,
            "handled_by": sorted(kind.contract.handled_by),
            "parts": {
                part: {
                    "fields": {f: _bare(s) for f, s in sorted(schema.get("properties", {}).items())},
                    "required": sorted(schema.get("required", [])),
                }
                for part, schema in sorted(parts.items())
                if schema.get("type") == "object"
            },
        }
    return shapes


def _bare(schema: Any) -> Any:
    """Leave out what may change freely: descriptions and defaults."""
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key not in {"description", "default", "title"}}
    return schema


def known() -> Shapes:
    """The committed baseline."""
    loaded: Shapes = json.loads(FILE.read_text())
    return loaded


def breaks(before: Shapes, now: Shapes) -> list[str]:
    """Return how `now` breaks what `before` promised; empty when it does not."""
    found: list[str] = []
    for name, shape in before.items():
        if name not in now:
            found.append(f"{name} is gone")
            continue
        found += [
            f"{name} is no longer handled by {s}" for s in shape["handled_by"] if s not in now[name]["handled_by"]
        ]
        if shape["public"] and not now[name]["public"]:
            found.append(f"{name} is no longer public")
        for part, old in shape["parts"].items():
            new = now[name]["parts"].get(part)
            if new is None:
                found.append(f"{name}: {part} is gone")
                continue
            for field, schema in old["fields"].items():
                if field not in new["fields"]:
                    found.append(f"{name}: {part}.{field} is gone")
                elif new["fields"][field] != schema:
                    found.append(f"{name}: {part}.{field} has another type")
            added = set(new["required"]) - set(old["required"])
            found += [f"{name}: {part}.{field} is required now" for field in sorted(added)]
    return found


def text() -> str:
    """Return the baseline as it would be written now.

    Raises:
        SystemExit: naming what it would forget, which other teams rely on.
    """
    if FILE.exists() and (broken := breaks(known(), current())):
        raise SystemExit("\n".join(broken))
    return json.dumps(current(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(text(), end="")
