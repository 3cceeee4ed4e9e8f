"""A body that is mostly one long list, cut into slices: the parser computes without a pause, whichever thread it is in."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import msgspec
from msgspec import Raw

from libs.common.errors import Invalid
from services.api.http.shapes import UNKNOWN, pointer_of, sentence_of

_SLICE_BYTES = 32_768
_ELEMENT_BYTES_MAX = 262_144
"""The longest element; a line of an entry takes some 100 bytes."""
_REST_BYTES_MAX = 65_536
"""What stands around the list, spaces included: a few short members."""
_SPACES = re.compile(r"[ \t\n\r]*")
_UNKNOWN_FIELD = re.compile(r"unknown field `(.*)`")
_scanner = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Tells where a JSON value ends; numbers stay text, since some are too long for anything else."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A body in two parts."""

    head: msgspec.Struct | None = None
    """The body without its list."""
    rest: bytes = b"{}"
    """The same as JSON, with an empty list in the place of the list."""
    elements: bytes = b"[]"
    """The list, well-formed JSON."""
    violations: tuple[tuple[str, str], ...] = ()


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Some elements of the list, as a body of the slice's kind."""

    first: int
    raw: bytes


class LongList[T: msgspec.Struct]:
    """The long list of one kind of body."""

    def __init__(self, kind: type[T], name: str) -> None:
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        self._kind, self._name, self._pointer = kind, name, f"/{name}"
        found = msgspec.inspect.type_info(fields[name].type)
        assert isinstance(found, msgspec.inspect.ListType)
        self._length_min, self._length_max = found.min_length or 0, found.max_length
        element: Any = get_args(get_args(fields[name].type)[0])[0]
        self.slice_kind: type[msgspec.Struct] = msgspec.defstruct(
            f"{kind.__name__}Slice", [(name, list[element])], frozen=True, kw_only=True, forbid_unknown_fields=True
        )
        head = msgspec.defstruct(
            f"{kind.__name__}Head",
            [
                (name, Raw) if field.name == name else (field.name, field.type, _default(field))
                for field in fields.values()
            ],
            frozen=True,
            kw_only=True,
            forbid_unknown_fields=True,
        )
        self._decoder = msgspec.json.Decoder(head)

    def cut(self, raw: bytes) -> Cut:
        """Find the list. Of what is wrong around it the first fault is named, since to look for all is to read it all.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: when it is not JSON.
        """
        try:
            head = self._decoder.decode(raw)
        except msgspec.ValidationError as fault:
            unknown = _UNKNOWN_FIELD.search(str(fault))
            if unknown is not None:
                return Cut(violations=((f"/{unknown[1]}", UNKNOWN),))
            return Cut(violations=((pointer_of(str(fault)), sentence_of(str(fault))),))
        elements = bytes(getattr(head, self._name))
        if elements[:1] != b"[":
            return Cut(violations=((self._pointer, "expected array"),))
        at = _place(raw, elements)
        if at < 0 or len(raw) - len(elements) > _REST_BYTES_MAX:
            sentence = f"is there more than once, or has more than {_REST_BYTES_MAX} bytes around it"
            return Cut(violations=((self._pointer, sentence),))
        rest = raw[:at] + b"[]" + raw[at + len(elements) :]
        return Cut(head=head, rest=rest, elements=elements)

    def slices(self, array: bytes) -> Iterator[Slice]:
        """Cut a list into slices of whole elements.

        Raises:
            Invalid: when it has too few or too many elements, or one that is too long.
        """
        at, size, first = 1, _SLICE_BYTES, 0
        while True:
            count, length, is_end = _whole_elements(array[at : at + size].decode(errors="surrogateescape"))
            if count:
                self._require(first + count <= (self._length_max or first + count), f"length <= {self._length_max}")
                body = b'{"%b":[%b]}' % (self._name.encode(), array[at : at + length])
                yield Slice(first=first, raw=body)
                at, size, first = at + length + 1, _SLICE_BYTES, first + count
            elif not is_end:
                if size == _ELEMENT_BYTES_MAX:
                    place = f"{self._pointer}/{first}"
                    sentence = f"takes more than {_ELEMENT_BYTES_MAX} bytes"
                    raise Invalid(f"{place.lstrip('/')} {sentence}", errors=((place, sentence),))
                size = _ELEMENT_BYTES_MAX
            if is_end:
                self._require(first >= self._length_min, f"length >= {self._length_min}")
                return

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            sentence = f"expected array of {what}"
            raise Invalid(f"{self._name} {sentence}", errors=((self._pointer, sentence),))

    def elements_of(self, part: msgspec.Struct) -> Sequence[Any]:
        """The elements of a slice that has been read."""
        found: Sequence[Any] = getattr(part, self._name)
        return found

    def whole(self, head: msgspec.Struct, elements: list[Any]) -> T:
        """Put a body together."""
        members = {name: getattr(head, name) for name in head.__struct_fields__ if name != self._name}
        return self._kind(**members, **{self._name: elements})


def moved(violations: Iterable[tuple[str, str]], first: int) -> Iterator[tuple[str, str]]:
    """Name violations of a slice by the places that its elements have in the whole list, from `first` on."""
    for pointer, sentence in violations:
        parts = pointer.split("/")
        if len(parts) > 2 and parts[2].isdecimal():
            parts[2] = str(int(parts[2]) + first)
        yield "/".join(parts), sentence


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.field() if field.required else msgspec.field(default=field.default)


def _place(raw: bytes, elements: bytes) -> int:
    """Where a list begins in a body: what is before it is short. -1 where it is not."""
    at = raw.find(b"[", 0, _REST_BYTES_MAX)
    while at >= 0 and not raw.startswith(elements, at):
        at = raw.find(b"[", at + 1, _REST_BYTES_MAX)
    return at


def _whole_elements(text: str) -> tuple[int, int, bool]:
    """Count the whole elements at the beginning of a part of a list: how many, their bytes, and whether it ends there."""
    count = place = done = 0
    while True:
        place = _end_of_spaces(text, place)
        if text.startswith("]", place):
            # Only an empty list: after a comma there is an element.
            return count, 0, True
        try:
            _, place = _scanner.raw_decode(text, place)
        except ValueError:
            return count, _bytes(text, done), False
        place = _end_of_spaces(text, place)
        if place >= len(text):
            # A number may go on behind it.
            return count, _bytes(text, done), False
        count, done = count + 1, place
        if text[place] == "]":
            return count, _bytes(text, done), True
        place += 1


def _end_of_spaces(text: str, place: int) -> int:
    found = _SPACES.match(text, place)
    return found.end() if found else place


def _bytes(text: str, length: int) -> int:
    return len(text[:length].encode(errors="surrogateescape"))


__all__ = ["Cut", "LongList", "Slice", "moved"]
