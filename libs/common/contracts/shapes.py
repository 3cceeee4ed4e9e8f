"""JSON schemas of messages, with what their members mean, and an example of anything that has none of its own.

What a member means is in the docstring below it, which is read from the source.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import inspect as kinds_of

from libs.common.contracts.base import REGISTRY

_DEPTH_MAX = 12
"""How deep an example is made; below, lists are empty."""
_LISTED = re.compile(r"(?:Always )?`([\w.-]+)`(?:, `| or `|, or `|\.|$)")
"""How a description begins that lists the values of a text."""
_BY_FORMAT: dict[str, str] = {
    "uuid": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
    "date-time": "2026-11-22T17:57:07.701598Z",
    "date": "2026-11-22",
}
_BY_NAME: dict[str, Any] = {
    "account": "CASH",
    "account_code": "CASH",
    "amount": "150.50",
    "booked_on": "2026-11-22",
    "code": "CASH",
    "currency": "BRL",
    "cursor": None,
    "day": "2026-11-22",
    "name": "Cash",
    "next_cursor": None,
    "reason": "requested by the customer",
    "tax_id": "123.456.789-09",
    "url": "https://merchant.example/hooks",
}
"""Members whose value should say something; what the examples of messages have comes first."""
_INSTANTS = ("at", "as_of", "since", "until", "known_until", "paused_until", "posted_from", "posted_until")
_BY_NAME |= dict.fromkeys(_INSTANTS, _BY_FORMAT["date-time"])
_BY_ENDING: tuple[tuple[str, Any], ...] = (
    ("_minor", 15050),
    ("_at", "2026-11-22T17:57:07.701598Z"),
    ("_from", "2026-11-22T17:57:07.701598Z"),
    ("_until", "2026-11-22T17:57:07.701598Z"),
    ("_on", "2026-11-22"),
    ("_id", "0190f3a4-5b6c-7d8e-9f01-23456789abce"),
    ("amount", "150.50"),
    ("_url", "https://merchant.example/"),
)


def schemas(
    kinds: Sequence[type[msgspec.Struct]], *, ref_template: str = "#/$defs/{name}"
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Write the schema of each type, and by name those of every struct in them.

    Two structs of one name are distinguished by their modules' last names: `api.PaymentCaptured`. Members are described, and
    have no `default: null`, which says no more than that they are optional; nor has a union a `discriminator`, which is a
    word of OpenAPI, since the tag is a constant of each of its parts.
    """
    found, parts = msgspec.json.schema_components(kinds, ref_template=ref_template)
    names = {name: ".".join(name.split(".")[-2:]) for name in parts}
    before, _, after = ref_template.partition("{name}")
    renamed = {f"{before}{old}{after}": f"{before}{new}{after}" for old, new in names.items()}
    written = {names[name]: _clean(parts[name], renamed) for name in sorted(parts, key=names.__getitem__)}
    describe(written, kinds)
    return [_clean(schema, renamed) for schema in found], written


def describe(parts: Mapping[str, dict[str, Any]], kinds: Sequence[Any]) -> None:
    """Write into the schemas of structs what their members mean, but for those that say so themselves."""
    known = _meanings_by_name(kinds)
    for name, part in parts.items():
        for member, schema in part.get("properties", {}).items():
            if "$ref" not in schema and (meaning := known.get(name, {}).get(member)):
                schema.setdefault("description", meaning)


def _clean(schema: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(schema, list):
        return [_clean(part, renamed) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: renamed.get(value, value) if key == "$ref" else _clean(value, renamed)
        for key, value in schema.items()
        if not (key == "discriminator" or (key == "default" and value is None))
    }


def _meanings_by_name(kinds: Sequence[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for kind in structs_of(kinds):
        meaning = meanings(kind)
        found[f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"] = meaning
        found[kind.__name__] = meaning
    return found


def structs_of(kinds: Sequence[Any]) -> list[type[msgspec.Struct]]:
    """List every struct in these types, each once."""
    seen: dict[type[msgspec.Struct], None] = {}

    def walk(node: Any) -> None:
        if isinstance(node, kinds_of.StructType):
            if node.cls in seen:
                return
            seen[node.cls] = None
            for field in node.fields:
                walk(field.type)
        elif isinstance(node, kinds_of.Type):
            for name in node.__struct_fields__:
                value = getattr(node, name)
                for part in value if isinstance(value, tuple) else (value,):
                    walk(part)

    for kind in kinds:
        walk(kinds_of.type_info(kind))
    return list(seen)


def meanings(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what each member of a struct means, by its docstring; inherited ones included."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        found |= _of_module(each.__module__).get(each.__name__, {})
    return {name: text for name, text in found.items() if name in kind.__struct_fields__}


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    """By class and member; nothing of modules that are no Python of ours."""
    if not name.startswith(("libs.", "services.")):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {part.name: dict(_documented(part.body)) for part in tree.body if isinstance(part, ast.ClassDef)}


def _documented(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, following in pairwise(body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            yield statement.target.id, " ".join(following.value.value.split())


@cache
def _known_values() -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                if isinstance(value, str | int) and value != "":
                    found.setdefault(name, value)
                walk(value)
        elif isinstance(node, list | tuple):
            for value in node:
                walk(value)

    for message in REGISTRY.values():
        walk(message.example)
    return found


def sample(schema: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], *, name: str = "", depth: int = 0) -> Any:
    """Make an example of a schema, the same every time; `parts` are the schemas that it refers to, by name."""
    if "$ref" in schema:
        return sample(parts[schema["$ref"].rpartition("/")[2]], parts, name=name, depth=depth)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            choices = [choice for choice in schema[union] if choice.get("type") != "null"]
            fitting = next((c for c in choices if _fits(c, name)), choices[0])
            return sample(fitting, parts, name=name, depth=depth)
    if "allOf" in schema:
        return sample(schema["allOf"][0], parts, name=name, depth=depth)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            return _object(schema, parts, depth)
        case "array":
            least = schema.get("minItems", 0)
            deep = depth >= _DEPTH_MAX
            return [] if deep and not least else [sample(schema.get("items") or {}, parts, name=name, depth=depth + 1)]
        case "string":
            return _text(schema, name)
        case "integer":
            return _integer(schema, name)
        case "number":
            return 1.0
        case "boolean":
            return bool(schema.get("default", True))
        case _:
            return None if schema.get("type") == "null" else {}


def _fits(schema: Mapping[str, Any], name: str) -> bool:
    value = _named(name)
    return (isinstance(value, str) and schema.get("type") == "string") or (
        isinstance(value, int) and schema.get("type") == "integer"
    )


def _object(schema: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    members = {
        name: sample(member, parts, name=name, depth=depth + 1)
        for name, member in schema.get("properties", {}).items()
        if depth < _DEPTH_MAX or name in required
    }
    others = schema.get("additionalProperties")
    if not members and isinstance(others, Mapping) and others:
        members = {"key": sample(others, parts, depth=depth + 1)}
    return members


def _named(name: str) -> Any:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in _known_values():
        return _known_values()[name]
    return next((value for ending, value in _BY_ENDING if name.endswith(ending)), None)


def _text(schema: Mapping[str, Any], name: str) -> str:
    if (found := _BY_FORMAT.get(schema.get("format", ""))) is not None:
        return found
    least: int = schema.get("minLength", 0)
    most: int = schema.get("maxLength", 1 << 16)
    listed = _LISTED.match(schema.get("description", ""))
    for value in (
        listed and listed[1],
        _named(name),
        schema.get("default"),
        "text",
        "BR",
        "BRL",
        "01310-100",
        "customer@example.com",
    ):
        if (
            isinstance(value, str)
            and least <= len(value) <= most
            and re.search(schema.get("pattern", ""), value) is not None
        ):
            return value
    return "x" * max(least, 1)


def _integer(schema: Mapping[str, Any], name: str) -> int:
    least, most = schema.get("minimum", -(1 << 53)), schema.get("maximum", 1 << 53)
    for value in (_named(name), schema.get("default"), 1):
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
    return int(schema.get("minimum", schema.get("maximum", 0)))


__all__ = ["describe", "meanings", "sample", "schemas", "structs_of"]
