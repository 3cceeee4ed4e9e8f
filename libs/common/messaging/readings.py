"""How requests are read: at once, or where one has a list of any length, element by element with pauses.

The parser lets nothing else of the process compute. It finds where the elements of a list end much faster than it makes
structs of them, which is done here a few at a time.
"""

from collections.abc import Awaitable, Callable
from itertools import batched
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Raw

from libs.common.contracts import Message
from libs.common.messaging.envelope import decode
from libs.common.slices import one_slice

_SHORT_BYTES = 65_536
"""So much is read at once."""
_ELEMENTS = 50
"""Elements that are read without a pause."""
_WHAT = "the request breaks its contract"

type Reading[M: Message] = Callable[[bytes], Awaitable[M]]
"""Reads the body of a request; raises `Undecodable` where it breaks its contract."""


def reading[M: Message](kind: type[M]) -> Reading[M]:
    """Prepare to read requests of `kind`."""
    decoder = msgspec.json.Decoder(kind)
    slow = _Sliced(kind, kind.contract.long) if kind.contract.long else None

    async def read(body: bytes) -> M:
        if slow is None or len(body) <= _SHORT_BYTES:
            return decode(decoder, body, what=_WHAT)
        return await slow.read(body)

    return read


class _Sliced[M: Message]:
    """Reads requests whose member `name` is a long list."""

    def __init__(self, kind: type[M], name: str) -> None:
        self._kind, self._name = kind, name
        members: list[Any] = []
        element: Any = None
        for field in msgspec.structs.fields(kind):
            if field.name == name:
                assert get_origin(field.type) is list
                (element,) = get_args(field.type)
                members.append((name, list[Raw]))
            else:
                members.append((field.name, field.type, _default(field)))
        head = msgspec.defstruct(f"{kind.__name__}Head", members, frozen=True, kw_only=True)
        self._head = msgspec.json.Decoder(head)
        self._element = msgspec.json.Decoder(element)

    async def read(self, body: bytes) -> M:
        head = decode(self._head, body, what=_WHAT)
        members = msgspec.structs.asdict(head)
        elements: list[Any] = []
        for some in batched(members[self._name], _ELEMENTS):
            async with one_slice():
                elements += [decode(self._element, raw, what=_WHAT) for raw in some]
        return self._kind(**members | {self._name: elements})


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.field() if field.required else msgspec.field(default=field.default)


__all__ = ["Reading", "reading"]
