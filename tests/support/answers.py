"""Live answers of the api beside the examples that the OpenAPI document has of them."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from deploy.local import examples
from deploy.local.json_documents import resolved
from tests.support.documents import openapi

_JSON = "application/json"
_ITEMS_MAX = 5
"""Of a list, so many are compared."""
_compared: set[str] = set()
"""The operations of which this process has compared an answer that is a success."""


def unlike_example(method: str, path: str, status: int, raw: bytes) -> list[str]:
    """Say how a live answer differs in form from the document's example: members, and the kinds of their values.

    A value may be null in either; what the schema does not require may be missing from the answer.
    """
    found = example_of(method, path.partition("?")[0], status)
    if found is None:
        return []
    schema, example = found
    return [f"{method} {path}: {fault}" for fault in _differences(json.loads(raw), example, schema, "")]


def compare(method: str, path: str, status: int, raw: bytes) -> None:
    """Compare an answer that a running api gave with its example, and remember that it was.

    Raises:
        AssertionError: when it differs, with how.
    """
    faults = unlike_example(method, path, status, raw)
    assert faults == [], faults
    plain = path.partition("?")[0]
    if status < HTTPStatus.BAD_REQUEST and example_of(method, plain, status) is not None:
        _compared.add(f"{method} {_template_of(plain)}")


def example_of(method: str, path: str, status: int) -> tuple[dict[str, Any], Any] | None:
    """The schema and the example of an answer; None where the document has no such answer in JSON."""
    operation = openapi()["paths"].get(_template_of(path), {}).get(method.lower(), {})
    response = resolved(openapi(), operation.get("responses", {}).get(str(status), {}))
    content = response.get("content", {}).get(_JSON)
    return None if content is None else (content["schema"], content["example"])


def keep_compared() -> None:
    """Write down which operations this process has compared, where the whole run gathers it."""
    folder = os.environ.get(examples.SETTING)
    if folder and _compared:
        (Path(folder) / f"{os.getpid()}.txt").write_text("\n".join(sorted(_compared)))


def _template_of(path: str) -> str | None:
    return next((known for pattern, known in _templates() if pattern.match(path)), None)


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Paths that name more come first."""
    paths = sorted(openapi()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path) + r"\Z"), path) for path in paths]


def _differences(live: Any, example: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    schema = resolved(openapi(), schema)
    choices = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    if live is None or example is None or len(choices) > 1:
        return
    if choices:
        yield from _differences(live, example, choices[0], where)
    elif _kind(live) != _kind(example):
        yield f"{where or '/'} is {_kind(live)}, and {_kind(example)} in the example"
    elif isinstance(live, list):
        for item in live[:_ITEMS_MAX]:
            if example:
                yield from _differences(item, example[0], schema.get("items") or {}, f"{where}/0")
    elif isinstance(live, dict) and "properties" in schema:
        yield from (f"{where}/{name} is not in the example" for name in sorted(live.keys() - example.keys()))
        yield from (f"{where}/{name} is missing" for name in schema.get("required", ()) if name not in live)
        for name in live.keys() & example.keys():
            yield from _differences(live[name], example[name], schema["properties"][name], f"{where}/{name}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds = {dict: "object", list: "list", str: "text", int: "number", float: "number"}
    return kinds[type(value)]
