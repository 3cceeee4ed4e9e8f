"""Structs whose every field has a value of its own, to see which of them are lost on a way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Annotated, Any, get_args, get_origin
from uuid import UUID

import msgspec

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


def values_of(kind: Any) -> tuple[Any, Any]:
    """Two different values of a type, neither of them a default."""
    if get_origin(kind) is Annotated:
        return values_of(get_args(kind)[0])
    if get_origin(kind) in {UnionType} or type(None) in get_args(kind):
        return values_of(next(each for each in get_args(kind) if each is not type(None)))
    if get_origin(kind) is dict:
        return {"a": "1"}, {"b": "2"}
    if get_origin(kind) is list:
        first, second = values_of(get_args(kind)[0])
        return [first], [second]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return filled(kind), filled(kind, **{name: values_of(hint)[1] for name, hint in _kinds(kind).items()})
    if get_origin(kind) is tuple:
        first, second = values_of(get_args(kind)[0])
        return (first,), (second,)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)[-1], list(kind)[-2]
    return {
        str: ("first", "second"),
        int: (7100, 8200),
        bool: (True, False),
        UUID: (UUID(int=1), UUID(int=2)),
        Decimal: (Decimal("1.5"), Decimal("2.25")),
        datetime: (NOW, NOW + timedelta(hours=1)),
    }[kind]


def filled[S: msgspec.Struct](kind: type[S], /, **fixed: Any) -> S:
    """A struct whose every field has another value than its default."""
    every = {name: values_of(hint)[0] for name, hint in _kinds(kind).items() if name not in fixed}
    return kind(**(every | fixed))


def distinct[S: msgspec.Struct](kind: type[S], **fixed: Any) -> S:
    """A struct whose every field has a value of its own: where two are confused, it is another struct.

    Raises:
        ValueError: when two fields have the same value, unless both are only true or false; give one of them another.
    """
    every = {name: _own(hint, name, place) for place, (name, hint) in enumerate(_kinds(kind).items())} | fixed
    for place, (name, value) in enumerate(every.items()):
        for other, its_value in list(every.items())[:place]:
            if value == its_value and not isinstance(value, bool):
                raise ValueError(f"{other} and {name} are both {value!r}")
    return kind(**every)


def _own(kind: Any, name: str, place: int) -> Any:
    match value := values_of(kind)[0]:
        case bool() | Enum():
            return value
        case str():
            return f"the {name}"
        case int():
            return value + place
        case UUID():
            return UUID(int=value.int + place)
        case datetime():
            return value + timedelta(hours=place)
    return value


def _kinds(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def unseen[S: msgspec.Struct](thing: S, show: Callable[[S], object], **others: Any) -> set[str]:
    """The fields of `thing` whose change does not change what `show` makes of it.

    `others` has the other value of fields that do not take any.
    """
    others = {"currency": "USD"} | others
    shown = show(thing)
    found = set()
    for field in msgspec.structs.fields(type(thing)):
        before = getattr(thing, field.name)
        name = field.name
        other = others[name] if name in others else next(v for v in values_of(field.type) if v != before)
        if show(msgspec.structs.replace(thing, **{field.name: other})) == shown:
            found.add(field.name)
    return found
