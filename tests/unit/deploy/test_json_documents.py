"""What a reference leads to, and the form in which documents are written."""

import json
from typing import Any

import pytest

from deploy.local.json_documents import LINE_LENGTH, laid_out, operations, resolved, schemas_in_requests
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

WORD = "w" * 20
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/a": {
            "post": {"requestBody": {"$ref": "#/components/requestBodies/A"}},
            "get": {"responses": {"200": {"$ref": "#/components/schemas/Read"}}},
            "summary": "No operation.",
        }
    },
    "components": {
        "requestBodies": {"A": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Sent"}}}}},
        "schemas": {
            "Sent": {"properties": {"more": {"items": {"$ref": "#/components/schemas/Part"}}}},
            "Part": {"properties": {"whole": {"$ref": "#/components/schemas/Sent"}}},
            "Read": {},
        },
    },
}


@pytest.mark.parametrize(
    ("document", "written"),
    [
        ({"b": 1, "a": [True, None]}, '{"a": [true, null], "b": 1}'),
        ({"b": {"c": 1}, "a": "x" * LINE_LENGTH}, f'{{\n  "a": "{"x" * LINE_LENGTH}",\n  "b": {{"c": 1}}\n}}'),
        # A description makes a line long, and an example does.
        (
            {"type": "string", "description": "x" * LINE_LENGTH},
            f'{{"description": "{"x" * LINE_LENGTH}", "type": "string"}}',
        ),
        ({"example": [WORD] * 6}, f'{{"example": {json.dumps([WORD] * 6)}}}'),
        # One member adds no level, and plain values fill their lines.
        (
            {"a": [WORD] * 6},
            f'{{"a": [\n  {", ".join([f'"{WORD}"'] * 4)},\n  {", ".join([f'"{WORD}"'] * 2)}\n]}}',
        ),
    ],
)
def test_a_document_has_few_lines_that_can_be_read(document: object, written: str) -> None:
    assert laid_out(document) == written + "\n"


def test_the_api_documents_are_written_so() -> None:
    files = sorted((ROOT / "docs" / "api").glob("*api*.json"))
    assert len(files) == 5
    assert [file for file in files if laid_out(json.loads(file.read_text())) != file.read_text()] == []


def test_operations_and_what_their_bodies_are_made_of() -> None:
    assert [(method, path) for method, path, _ in operations(DOCUMENT)] == [("get", "/a"), ("post", "/a")]
    assert schemas_in_requests(DOCUMENT) == {"Sent", "Part"}


def test_references_are_followed_to_their_end() -> None:
    document = {"a": {"$ref": "#/x~1y/b"}, "x/y": {"b": {"$ref": "#/c"}}, "c": {"type": "string"}}
    assert resolved(document, document["a"]) == {"type": "string"}
    assert resolved(document, {}) == {}
