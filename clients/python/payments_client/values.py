"""Values as the api reads and writes them."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import msgspec

type Value = str | int | Decimal | UUID | date | datetime | StrEnum | None
"""What a parameter may be; None: left out."""

type Amount = str | int | Decimal
"""A decimal number of a currency's main unit. Never a float: 0.1 is none of them."""


class OpenEnum(StrEnum):
    """Names that may become more: one that this client does not know is kept as it came."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown


def as_text(value: Value) -> str:
    """Write a parameter.

    Raises:
        TypeError: of a float, which cannot say an amount, and of an instant without its zone.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone")
        return value.isoformat()
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float: amounts are str, int or Decimal")
    return value.isoformat() if isinstance(value, date) else str(value)


def query_of(named: Mapping[str, Value | Iterable[Value]]) -> list[tuple[str, str]]:
    """Return the parameters that are given, several of one name where it has several values."""
    found: list[tuple[str, str]] = []
    for name, value in named.items():
        if value is None:
            continue
        if isinstance(value, Iterable) and not isinstance(value, str):
            found += [(name, as_text(each)) for each in value]
        else:
            found.append((name, as_text(value)))
    return found


def to_json(body: Any) -> bytes:
    """Write a body.

    Raises:
        TypeError: of a float, wherever it is: all that has decimals in a body is an `Amount`. Of what has no place in JSON.
    """
    built = msgspec.to_builtins(body)
    _refuse_floats(built, "")
    return msgspec.json.encode(built)


def _refuse_floats(part: Any, pointer: str) -> None:
    if isinstance(part, float):
        raise TypeError(f"{pointer or 'the body'} is {part!r}, a float: amounts are str, int or Decimal")
    members = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list | tuple) else ()
    for name, member in members:
        _refuse_floats(member, f"{pointer}/{name}")
