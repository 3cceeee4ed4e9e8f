"""What a reader of a type expects of each of its members, in Pact's words, and values to show it with."""

from typing import Annotated, Any

import msgspec
from msgspec import inspect
from pact import match

INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)$"
DAY = r"^\d{4}-\d{2}-\d{2}$"
DECIMAL = r"^-?\d+(\.\d+)?$"
_TEXTS = (
    "text",
    "BRL",
    "10.00",
    "a@example.com",
    "123.456.789-09",
    "BR",
    "SP",
    "01310-100",
    "https://example.com/a",
    "cccccccccccccccccccccccccccccccc",
    "1",
)
"""Tried in their order where a type has a pattern or bounds of its own."""


def expected(kind: Any, example: Any) -> Any:
    """Return the matcher for what a reader of `kind` takes where `example` stands; members that it has not are not read."""
    return _expected(inspect.type_info(kind), example)


def sample(kind: Any) -> Any:
    """Return one value of a type as plain data: every member set, every list with one item."""
    return _sample(inspect.type_info(kind))


def _expected(kind: inspect.Type, example: Any) -> Any:
    match_of = _bare(kind, example)
    if isinstance(match_of, inspect.StructType):
        members: dict[str, Any] = {
            field.encode_name: _expected(field.type, example[field.encode_name])
            for field in match_of.fields
            if field.encode_name in example
        }
        if match_of.tag_field is not None:
            members[match_of.tag_field] = match_of.tag
        return members
    if isinstance(match_of, inspect.ListType | inspect.VarTupleType):
        return match.each_like(_expected(match_of.item_type, example[0]), min=1) if example else match.like([])
    if isinstance(match_of, inspect.TupleType):
        return [_expected(each, item) for each, item in zip(match_of.item_types, example, strict=True)]
    if isinstance(match_of, inspect.EnumType):
        return match.regex(example, regex=f"^({'|'.join(str(each.value) for each in match_of.cls)})$")
    if example is None or isinstance(match_of, inspect.DictType):
        return match.like(example)
    return _scalar(match_of, example)


def _scalar(kind: inspect.Type, example: Any) -> Any:
    match kind:
        case inspect.UUIDType():
            return match_uuid(example)
        case inspect.DateTimeType():
            return match.regex(example, regex=INSTANT)
        case inspect.DateType():
            return match.regex(example, regex=DAY)
        case inspect.DecimalType():
            return match.regex(example, regex=DECIMAL)
        case inspect.IntType():
            return match.int(example)
        case _:
            return match.like(example)


def match_uuid(example: str) -> Any:
    """Match any UUID in its usual form."""
    return match.uuid(example)


def _bare(kind: inspect.Type, example: Any) -> inspect.Type:
    """Return the type without its annotations and alternatives that `example` is not."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type, example)
    if not isinstance(kind, inspect.UnionType):
        return kind
    some = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    for each in some:
        if isinstance(each, inspect.StructType) and each.tag_field and isinstance(example, dict):
            if example.get(each.tag_field) == each.tag:
                return each
        elif len(some) == 1 or not isinstance(each, inspect.StructType):
            return _bare(each, example)
    return _bare(some[0], example)


def _sample(kind: inspect.Type) -> Any:
    match kind:
        case inspect.Metadata(type=inner):
            return _sample(inner)
        case inspect.UnionType(types=types):
            return _sample(next(each for each in types if not isinstance(each, inspect.NoneType)))
        case inspect.StructType(fields=fields, tag_field=tag_field, tag=tag):
            # Of members that are left out where they have their default, another value.
            members = {f.encode_name: f.default is not True if _is_flag(f.type) else _sample(f.type) for f in fields}
            return members | ({tag_field: tag} if tag_field else {})
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return [_sample(item)]
        case inspect.TupleType(item_types=items):
            return [_sample(each) for each in items]
        case inspect.DictType(key_type=key, value_type=value):
            return {_sample(key): _sample(value)}
        case inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.StrType():
            return _text(kind)
        case inspect.IntType():
            return max(7, int(kind.ge or 0)) if kind.le is None else min(7, int(kind.le))
        case _:
            return _SCALARS[type(kind)]


def _is_flag(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.BoolType)


def _text(kind: inspect.StrType) -> str:
    known = msgspec.Meta(pattern=kind.pattern, min_length=kind.min_length, max_length=kind.max_length)
    for text in _TEXTS:
        try:
            msgspec.convert(text, Annotated[str, known])
        except msgspec.ValidationError:
            continue
        return text
    raise AssertionError(f"no sample text fits {kind}")


_SCALARS: dict[type[inspect.Type], Any] = {
    inspect.BoolType: True,
    inspect.UUIDType: "0190f3a4-5b6c-7d8e-9f01-23456789abcd",
    inspect.DateTimeType: "2026-11-22T17:57:07.701598Z",
    inspect.DateType: "2026-11-22",
    inspect.DecimalType: "1.5",
    inspect.BytesType: "YQ==",
    inspect.FloatType: 1.5,
    inspect.AnyType: {},
    inspect.RawType: {},
}
