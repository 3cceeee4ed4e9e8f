"""Forms, made from the JSON Schema of a body, and bodies, made from what was written into a form.

A member of a nested object is a field of its own, named with a dot; what a form cannot show as fields is written as JSON.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from libs.common.ids import new_id
from services.api.console.calling import Refused
from services.api.console.operations import Operation, Operations

_DEPTH_MAX = 3
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z")
_SECRETS = frozenset({"password", "new_password", "secret_key", "webhook_secret", "client_secret"})
"""Members that are not shown while they are written."""
_LONG_TEXT = 500
"""Characters from which a text gets several lines."""


class Shape(StrEnum):
    """How a field is shown, and read."""

    TEXT = "text"
    LONG = "long"
    SECRET = "secret"  # noqa: S105 - a word
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"
    INSTANT = "instant"
    LINES = "lines"
    JSON = "json"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form."""

    name: str
    """The member of the body; of a nested object, with a dot."""
    shape: Shape
    required: bool = False
    nullable: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""
    """What the API's document says about it."""
    example: str = ""


class WrongField(Exception):
    """What was written into a field cannot be read as what it is to be."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name)
        self.name = name
        self.shape = shape


def key_of(form: Mapping[str, str], fault: Refused | None) -> str:
    """Return the key of a form that is shown: its own while what it requested may be done, else another one."""
    given = form.get("_key", "")
    return given if given and (fault is None or fault.may_be_done) else str(new_id())


def fields_of(operations: Operations, operation: Operation) -> list[Field]:
    """List the fields of the body of an operation; empty where it has none."""
    schema = operations.body(operation)
    return [] if schema is None else list(_fields(operations, schema, prefix="", required=True, depth=0))


def _fields(
    operations: Operations, schema: Mapping[str, Any], *, prefix: str, required: bool, depth: int
) -> Sequence[Field]:
    known = operations.followed(schema)
    needed = frozenset(known.get("required", ())) if required else frozenset()
    found: list[Field] = []
    for name, raw in known.get("properties", {}).items():
        inner, nullable = _without_null(operations, raw)
        if inner.get("properties") and depth < _DEPTH_MAX - 1:
            found += _fields(operations, inner, prefix=f"{prefix}{name}.", required=name in needed, depth=depth + 1)
            continue
        found.append(_field(f"{prefix}{name}", raw, inner, required=name in needed, nullable=nullable))
    return found


def _without_null(operations: Operations, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return what a member may be beside null, the richest of several, and whether it may be null."""
    known = operations.followed(schema)
    kinds = [operations.followed(kind) for kind in known.get("anyOf", known.get("oneOf", ()))]
    if not kinds:
        return known, False
    others = [kind for kind in kinds if kind.get("type") != "null"]
    strings = [kind for kind in others if kind.get("type") == "string"]
    best = (strings or others)[0] if others else {}
    return {**known, **best}, len(others) < len(kinds)


def _field(name: str, raw: Mapping[str, Any], inner: Mapping[str, Any], *, required: bool, nullable: bool) -> Field:
    choices = tuple(str(choice) for choice in inner.get("enum", ()))
    kind, items = inner.get("type"), inner.get("items", {})
    if choices:
        shape = Shape.CHOICE
    elif kind == "boolean":
        shape = Shape.FLAG
    elif kind == "integer":
        shape = Shape.INTEGER
    elif kind == "number":
        shape = Shape.NUMBER
    elif kind == "array" and "$ref" not in items and items.get("type", "string") == "string":
        shape = Shape.LINES
    elif kind in {"array", "object"} or "$ref" in items:
        shape = Shape.JSON
    elif inner.get("format") == "date-time":
        shape = Shape.INSTANT
    elif name.rsplit(".", maxsplit=1)[-1] in _SECRETS:
        shape = Shape.SECRET
    else:
        shape = Shape.LONG if inner.get("maxLength", 0) > _LONG_TEXT else Shape.TEXT
    examples = raw.get("examples") or inner.get("examples") or [""]
    return Field(
        name=name,
        shape=shape,
        required=required,
        nullable=nullable,
        choices=choices,
        help=str(raw.get("description") or inner.get("description") or ""),
        example=_written(examples[0]),
    )


def values_of(fields: Sequence[Field], thing: Mapping[str, Any]) -> dict[str, str]:
    """Write what a thing is now into the fields of a form."""
    found = {}
    for field in fields:
        value: Any = thing
        for step in field.name.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is not None:
            found[field.name] = "\n".join(map(str, value)) if field.shape is Shape.LINES else _written(value)
    return found


def body_of(
    fields: Sequence[Field], written: Mapping[str, str], before: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Make the body from what was written into the fields.

    Args:
        fields: the form.
        written: what is in it, by name of the field.
        before: what was in it when it was shown; then only what differs is sent, and what was emptied as null.

    Raises:
        WrongField: for what cannot be read.
    """
    body: dict[str, Any] = {}
    for field in fields:
        text = _text(field, written)
        if before is not None and text == _text(field, before):
            continue
        if text == "":
            if before is None:
                continue
            value: Any = _nothing(field)
        else:
            value = _read(field, text)
        *parents, last = field.name.split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return body


def _text(field: Field, written: Mapping[str, str]) -> str:
    text = written.get(field.name, "")
    # Every character of a password counts.
    return text if field.shape is Shape.SECRET else text.replace("\r\n", "\n").strip()


def _nothing(field: Field) -> Any:
    if field.nullable:
        return None
    match field.shape:
        case Shape.LINES:
            return []
        case Shape.TEXT | Shape.LONG:
            return ""
    raise WrongField(field.name, field.shape)


def _read(field: Field, text: str) -> Any:
    try:
        match field.shape:
            case Shape.INTEGER:
                if not _INTEGER.match(text):
                    raise WrongField(field.name, field.shape)
                return int(text)
            case Shape.NUMBER:
                return msgspec.json.decode(text.encode(), type=int | float)
            case Shape.FLAG:
                return {"true": True, "false": False}[text]
            case Shape.LINES:
                return [line.strip() for line in text.split("\n") if line.strip()]
            case Shape.JSON:
                msgspec.json.decode(text.encode())
                # As it was written: a number that is read and written again may be another one.
                return msgspec.Raw(text.encode())
    except (ValueError, KeyError, RecursionError) as fault:
        raise WrongField(field.name, field.shape) from fault
    return text


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
