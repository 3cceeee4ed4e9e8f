"""Members of a JSON document that decoders pass over in silence: doubled ones, of which the last counts, and nulls."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

_DOUBLED, _NULL = "is there more than once", "must not be null; leave it out"
_VIOLATIONS_MAX = 100
"""Violations that are named at most."""
_decoder = msgspec.json.Decoder()


class _Members(list[tuple[str, Any]]):
    """The members of one object, in their order, doubled ones included."""


def _collected(members: list[tuple[str, Any]]) -> _Members:
    # A function in Python, in which another thread may take its turn, as it cannot in the parser itself.
    return _Members(members)


def member_violations(raw: bytes, *, nulls: bool) -> list[tuple[str, str]]:
    """Name doubled members, at any depth, and without `nulls` members that are null, by their JSON pointers.

    For a document that has been decoded before. A document that has neither costs one more decoding and a count.
    """
    try:
        whole = _decoder.decode(raw)
    except msgspec.ValidationError:
        # A number beyond 64 bits, which whoever reads it takes as text.
        return _first_violations(raw, nulls=nulls)
    members = _members_of(whole)
    if raw.count(b":") != members and _members_outside_texts(raw) != members:
        return _first_violations(raw, nulls=nulls)
    if nulls or b"null" not in raw or not _has_null(whole):
        return []
    return _first_violations(raw, nulls=nulls)


def _first_violations(raw: bytes, *, nulls: bool) -> list[tuple[str, str]]:
    return list(islice(_violations(raw, nulls=nulls), _VIOLATIONS_MAX))


def escaped(name: str) -> str:
    """Write a member's name as a part of a JSON pointer (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def _members_of(whole: Any) -> int:
    count, waiting = 0, [whole]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            count += len(part)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return count


def _members_outside_texts(raw: bytes) -> int:
    # Every member has one colon, and what is left between the quotes of texts has no other.
    return b"".join(raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]).count(b":")


def _has_null(whole: Any) -> bool:
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        if part is None:
            return True
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return False


def _violations(raw: bytes, *, nulls: bool) -> Iterator[tuple[str, str]]:
    try:
        whole = json.loads(raw, object_pairs_hook=_collected, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError as fault:
        raise msgspec.DecodeError(str(fault)) from fault
    waiting: list[tuple[str, Any]] = [("", whole)]
    while waiting:
        pointer, part = waiting.pop()
        if part is None:
            if not nulls:
                yield pointer, _NULL
        elif isinstance(part, _Members):
            names: dict[str, int] = {}
            for name, value in part:
                names[name] = names.get(name, 0) + 1
                waiting.append((f"{pointer}/{escaped(name)}", value))
            yield from ((f"{pointer}/{escaped(name)}", _DOUBLED) for name, times in names.items() if times > 1)
        elif isinstance(part, list):
            waiting.extend((f"{pointer}/{place}", value) for place, value in enumerate(part))


__all__ = ["escaped", "member_violations"]
