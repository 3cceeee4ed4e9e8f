"""JSON documents that describe an API: what a reference leads to, every operation, and the form in which they are written."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

METHODS = ("get", "put", "post", "patch", "delete")
LINE_LENGTH = 120
"""Characters of a line, but for descriptions and examples that are longer."""
_SCHEMAS = "#/components/schemas/"
_EXAMPLES = frozenset({"example", "examples"})

type Json = Any


def resolved(document: Json, described: Json) -> Json:
    """Return what is described, which may be written elsewhere in the document and referred to."""
    while "$ref" in described:
        where = document
        for part in described["$ref"].split("/")[1:]:
            where = where[part.replace("~1", "/").replace("~0", "~")]
        described = where
    return described


def operations(openapi: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield the method, the path and the description of every operation of an OpenAPI document, in its order."""
    for path, item in openapi["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def choices_written_out(openapi: Json) -> Json:
    """Return an OpenAPI document in which each choice of types, `oneOf`, stands where it is referred to by a name."""
    schemas = openapi["components"]["schemas"]
    choices = {_SCHEMAS + name: schema for name, schema in schemas.items() if "oneOf" in schema}

    def written(part: Json) -> Json:
        if isinstance(part, list):
            return [written(each) for each in part]
        if not isinstance(part, dict):
            return part
        reference = part.get("$ref")
        if isinstance(reference, str) and reference in choices:
            return written(choices[reference])
        return {name: written(value) for name, value in part.items()}

    found: Json = written(openapi)
    return found


def schemas_in_requests(openapi: Json) -> set[str]:
    """Name the schemas that the bodies of requests are made of."""
    waiting = [operation["requestBody"] for _, _, operation in operations(openapi) if "requestBody" in operation]
    seen: set[str] = set()
    while waiting:
        for reference in _references(waiting.pop()):
            if reference not in seen:
                seen.add(reference)
                waiting.append(resolved(openapi, {"$ref": reference}))
    return {reference.removeprefix(_SCHEMAS) for reference in seen if reference.startswith(_SCHEMAS)}


def _references(part: Json) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def laid_out(document: Json) -> str:
    """Write a document with sorted keys, so that a change shows as a change, in few lines.

    One line has whatever fits into it, each example, and what would fit without its description. A list of plain values
    fills its lines, and an object of one member adds no level.
    """
    return _laid_out(document, "") + "\n"


def _laid_out(part: Json, indent: str, name: str = "") -> str:
    line = json.dumps(part, sort_keys=True, ensure_ascii=False)
    if not isinstance(part, dict | list) or name in _EXAMPLES or len(indent) + len(line) <= LINE_LENGTH:
        return line
    inner = indent + "  "
    if isinstance(part, list):
        lines = _filled(part, inner) if _is_plain(part) else [inner + _laid_out(one, inner) for one in part]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    if len(part) == 1:
        ((key, value),) = part.items()
        return f"{{{json.dumps(key, ensure_ascii=False)}: {_laid_out(value, indent, key)}}}"
    if _fits_without_description(part, line, indent):
        return line
    lines = [
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {_laid_out(part[key], inner, key)}" for key in sorted(part)
    ]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _is_plain(values: list[Json]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)


def _filled(values: list[Json], indent: str) -> list[str]:
    lines: list[str] = []
    for value in values:
        text = json.dumps(value, ensure_ascii=False)
        # The comma after the line counts too.
        if lines and len(lines[-1]) + len(text) + 3 <= LINE_LENGTH:
            lines[-1] += f", {text}"
        else:
            lines.append(indent + text)
    return lines


def _fits_without_description(part: Mapping[str, Json], line: str, indent: str) -> bool:
    words = part.get("description")
    return isinstance(words, str) and len(indent) + len(line) - len(words) <= LINE_LENGTH


__all__ = [
    "LINE_LENGTH",
    "METHODS",
    "Json",
    "choices_written_out",
    "laid_out",
    "operations",
    "resolved",
    "schemas_in_requests",
]
