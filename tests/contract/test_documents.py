"""Committed documents say what the code says."""

import json
from pathlib import Path

from deploy.local.json_documents import resolved

ROOT = Path(__file__).parents[2]


def test_every_operation_names_what_is_answered_before_its_route_is_known() -> None:
    document = json.loads((ROOT / "docs" / "api" / "openapi.json").read_text())
    operations = [
        (path, method, operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert operations
    expected = {"408", "413", "414", "431", "503"}
    assert [(path, method) for path, method, responses in operations if not expected <= set(responses)] == []
    for responses in (responses for _, _, responses in operations):
        for reference in (one["$ref"] for one in responses.values() if "$ref" in one):
            assert reference.rpartition("/")[2] in document["components"]["responses"]


def test_what_operations_share_is_written_once() -> None:
    document = json.loads((ROOT / "docs" / "api" / "openapi.json").read_text())
    texts: dict[str, str] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for part in (*operation["responses"].values(), *operation.get("parameters", ())):
                if "$ref" in part:
                    _, _, group, name = part["$ref"].split("/")
                    assert name in document["components"][group], (path, method)
                    continue
                text = json.dumps(part, sort_keys=True)
                assert text not in texts, f"{method} {path} repeats a part of {texts[text]}"
                texts[text] = f"{method} {path}"


def test_parameters_of_a_path_stand_in_its_order() -> None:
    document = json.loads((ROOT / "docs" / "api" / "openapi.json").read_text())
    for path, methods in document["paths"].items():
        for operation in methods.values():
            parameters = [resolved(document, parameter) for parameter in operation.get("parameters", ())]
            named = ["{" + parameter["name"] + "}" for parameter in parameters if parameter["in"] == "path"]
            assert named == sorted(named, key=path.index), path
