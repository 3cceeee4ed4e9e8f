"""How a body differs from the struct that it is read into, member by member: only used once it has been refused."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, TypeAliasType, Union, get_args, get_origin

import msgspec

from services.api.http.members import escaped

UNKNOWN = "is not read by this route"


class Shape:
    """A struct and its members, those of nested structs included."""

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        if not kind.__struct_config__.forbid_unknown_fields:
            raise TypeError(f"{kind.__name__} must forbid unknown fields: bodies are read into it")
        self.kind = kind
        self._members = {field.encode_name: _Member(field) for field in msgspec.structs.fields(kind)}

    def known(self, raw: bytes) -> bytes | None:
        """Write an object without the members that this shape does not have; None where it has no others."""
        try:
            members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        known = {name: value for name, value in members.items() if name in self._members}
        return None if len(known) == len(members) else msgspec.json.encode(known)

    def violations(self, raw: bytes, pointer: str = "") -> Iterator[tuple[str, str]]:
        """Name what is wrong in an object, by JSON pointers.

        Raises:
            msgspec.DecodeError: when it is not JSON.
        """
        if raw.lstrip()[:1] != b"{":
            # It may not even be JSON.
            msgspec.json.decode(raw, type=msgspec.Raw)
            yield pointer, "must be an object" if pointer else "the body must be a JSON object"
            return
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        for name in members:
            if name not in self._members:
                yield f"{pointer}/{escaped(name)}", UNKNOWN
        for name, member in self._members.items():
            if name in members:
                yield from member.violations(members[name], f"{pointer}/{name}")
            elif member.is_required:
                yield f"{pointer}/{name}", "is required"


class _Member:
    def __init__(self, field: msgspec.structs.FieldInfo) -> None:
        self.is_required = field.required
        self._decoder = msgspec.json.Decoder(field.type)
        inner = _bare(field.type)
        self._is_list = get_origin(inner) is list
        inner = _bare(get_args(inner)[0]) if self._is_list else inner
        self._shape = Shape(inner) if isinstance(inner, type) and issubclass(inner, msgspec.Struct) else None

    def violations(self, raw: msgspec.Raw, pointer: str) -> Iterator[tuple[str, str]]:
        try:
            self._decoder.decode(raw)
        except msgspec.ValidationError as fault:
            found = False
            for violation in self._within(bytes(raw), pointer):
                found = True
                yield violation
            if not found:
                yield f"{pointer}{pointer_of(str(fault))}", sentence_of(str(fault))

    def _within(self, raw: bytes, pointer: str) -> Iterator[tuple[str, str]]:
        if self._shape is None:
            return
        if not self._is_list:
            if raw[:1] == b"{":
                yield from self._shape.violations(raw, pointer)
        elif raw[:1] == b"[":
            for place, part in enumerate(msgspec.json.decode(raw, type=list[msgspec.Raw])):
                yield from self._shape.violations(bytes(part), f"{pointer}/{place}")


def _bare(kind: Any) -> Any:
    """Take a type out of its aliases, annotations and `| None`."""
    while True:
        if isinstance(kind, TypeAliasType):
            kind = kind.__value__
        elif get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif (
            get_origin(kind) in {Union, UnionType}
            and len(parts := [p for p in get_args(kind) if p is not type(None)]) == 1
        ):
            kind = parts[0]
        else:
            return kind


def sentence_of(message: str) -> str:
    """Write what a decoder says as a sentence about a member."""
    return message.split(" - at `", 1)[0].replace("Expected", "expected").replace("`", "")


def pointer_of(message: str) -> str:
    """Write where a decoder met what it says, as a JSON pointer."""
    _, _, path = message.partition(" - at `$")
    path = path.rstrip("`")
    if "[...]" in path:
        return ""
    return path.replace(".", "/").replace("[", "/").replace("]", "")


__all__ = ["UNKNOWN", "Shape", "pointer_of", "sentence_of"]
