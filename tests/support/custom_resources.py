"""The schemas of custom resources, no larger than what deploy/kubernetes uses of them.

    python -m tests.support.custom_resources FILE...

takes CustomResourceDefinitions as the operators publish them and writes to `tests/unit/deploy/custom_resources` what they say
about the members that our documents have, and about those that are required. Other members are closed: a misspelled one is
refused, and so is a new one until this was run again.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.kustomize import build

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "tests" / "unit" / "deploy" / "custom_resources"
OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
KEPT = (
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "minItems",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
)


def pruned(schema: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    """Return what a schema says about these values: closed objects, only the members that they have or need."""
    kept = {key: schema[key] for key in KEPT if key in schema}
    if kept.pop("x-kubernetes-int-or-string", False):
        kept.pop("pattern", None)
        kept["type"] = ["integer", "string"]
    is_open = kept.pop("x-kubernetes-preserve-unknown-fields", False)
    known = schema.get("properties", {})
    if known:
        used = {name for value in values if isinstance(value, dict) for name in value}
        required = schema.get("required", [])
        kept["properties"] = {
            name: pruned(known[name], [value[name] for value in values if isinstance(value, dict) and name in value])
            for name in sorted((used | set(required)) & known.keys())
        }
        kept |= {"required": sorted(required)} if required else {}
        kept |= {} if is_open else {"additionalProperties": False}
    elif isinstance(schema.get("additionalProperties"), dict):
        members = [member for value in values if isinstance(value, dict) for member in value.values()]
        kept["additionalProperties"] = pruned(schema["additionalProperties"], members)
    if "items" in schema:
        kept["items"] = pruned(schema["items"], [item for value in values if isinstance(value, list) for item in value])
    return kept


def main(files: list[str]) -> None:
    """Write the schemas of the resources that these files define and our documents use."""
    documents = [document for folder in sorted(OVERLAYS.glob("*/*")) for document in build(folder)]
    SCHEMAS.mkdir(exist_ok=True)
    for file in files:
        definition = yaml.safe_load(Path(file).read_text())["spec"]
        for version in definition["versions"]:
            name = f"{definition['group']}/{version['name']}"
            used = [one for one in documents if (one["apiVersion"], one["kind"]) == (name, definition["names"]["kind"])]
            if not used:
                continue
            schema = pruned(version["schema"]["openAPIV3Schema"], used)
            # Kubernetes itself knows these.
            schema["properties"] |= {"apiVersion": {"const": name}, "kind": {"const": used[0]["kind"]}}
            schema["properties"]["metadata"] = {"type": "object"}
            (SCHEMAS / f"{used[0]['kind'].lower()}.json").write_text(
                json.dumps(schema, indent=1, sort_keys=True) + "\n"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
