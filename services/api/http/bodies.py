"""Request bodies: JSON straight into the struct that a route expects; every violation is named at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from decimal import Decimal
from itertools import islice
from typing import Any, NoReturn
from uuid import UUID

import msgspec

from libs.common.errors import Invalid, Overloaded
from libs.common.ids import parse_id
from libs.common.messaging.turns import Turns
from libs.common.money import json_number
from libs.common.slices import one_slice
from libs.common.texts import is_one_line
from libs.common.web.errors import BodyTooLarge, HttpProblem
from services.api.http.errors import MalformedJson, UnknownFields
from services.api.http.members import member_violations
from services.api.http.shapes import UNKNOWN, Shape, sentence_of
from services.api.http.slices import LongList, moved
from services.api.http.texts import is_lenient, without_card_numbers

_VIOLATIONS_MAX = 100
"""Violations that are named at most."""
_LARGE_BYTES = 65_536
"""Reading so much may take several milliseconds, and a body is read in several passes."""
_THREAD_BYTES_MAX = 262_144
"""The parser lets no other thread compute: what is larger must be a long list, which is read in slices."""
_threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bodies")
"""One, since Python computes in one thread at a time, and large bodies shall not crowd out small ones."""
_LISTS = 2
"""Long lists that are worked on at a time."""
_LIST_WAIT_SECONDS = 30.0
"""How long a list waits for its turn: some of 10,000 entries before it take a few seconds each."""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON; a `ValidationError` is JSON of another shape."""


class NoMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing: all that is requested stands in the path."""


class BodyReader[T: msgspec.Struct]:
    """Reads bodies of one shape: what the shape does not have is refused, as is every member that is there twice.

    Where it `moves_money`, nulls are refused too, since what says nothing must not be taken for what is absent; elsewhere
    a client may have unknown members ignored, by `Prefer: handling=lenient` (RFC 7240).
    """

    def __init__(
        self, kind: type[T], *, moves_money: bool = False, long: str = "", unread: Mapping[str, str] | None = None
    ) -> None:
        """Prepare for bodies of `kind`; its member `long` is a list of which most of a large body consists.

        `unread` says of members that clients may expect, by their JSON pointers, why they are not read.
        """
        self._unread = unread or {}
        self._shape = Shape(kind)
        self._decoder = msgspec.json.Decoder(kind)
        self._moves_money = moves_money
        self._long = LongList(kind, long) if long else None
        self._slices = BodyReader(self._long.slice_kind, moves_money=moves_money) if self._long else None

    async def take(self, raw: bytes) -> T:
        """Read a body; a large one in slices or in a thread, so that nothing else waits for it.

        Raises:
            HttpProblem, Invalid: as `read` does; 413 where it is larger than any body of its kind.
        """
        if len(raw) <= _LARGE_BYTES:
            return self.read(raw)
        if self._long is not None:
            return await self._take_long(raw, self._long)
        if len(raw) > _THREAD_BYTES_MAX:
            raise BodyTooLarge(f"the body is larger than {_THREAD_BYTES_MAX} bytes")
        # What the request is read by is in context variables.
        return await asyncio.get_running_loop().run_in_executor(_threads, copy_context().run, self.read, raw)

    async def _take_long(self, raw: bytes, long: LongList[T]) -> T:
        assert self._slices is not None
        async with one_slice():
            try:
                cut = long.cut(raw)
                violations = [*cut.violations, *member_violations(cut.rest, nulls=not self._moves_money)]
            except _UNREADABLE as fault:
                raise not_json() from fault
        if violations:
            if all(sentence == UNKNOWN for _, sentence in violations):
                raise UnknownFields(invalid(violations).detail, errors=tuple(violations))
            raise invalid(violations)
        assert cut.head is not None
        elements: list[Any] = []
        parts = long.slices(cut.elements)
        while True:
            async with one_slice():
                part = next(parts, None)
                if part is None:
                    return long.whole(without_card_numbers(cut.head, cut.rest), elements)
                try:
                    elements += long.elements_of(self._slices.read(part.raw))
                except (Invalid, HttpProblem) as fault:
                    raise _in_place(fault, part.first) from fault

    def read(self, raw: bytes) -> T:
        """Read a body.

        Raises:
            HttpProblem: 400 when it is not JSON, 422 for unknown members and for card numbers in texts.
            Invalid: naming every member that is missing, doubled or not as it must be.
        """
        try:
            found = self._decoder.decode(raw)
            violations = member_violations(raw, nulls=not self._moves_money)
        except msgspec.ValidationError as fault:
            if not self._moves_money and is_lenient() and (known := self._shape.known(raw)) is not None:
                return self.read(known)
            self._explain(raw, fault)
        except _UNREADABLE as fault:
            raise not_json() from fault
        if violations:
            raise invalid(violations)
        return without_card_numbers(found, raw)

    def _explain(self, raw: bytes, fault: msgspec.ValidationError) -> NoReturn:
        try:
            violations = dict(islice(self._shape.violations(raw), _VIOLATIONS_MAX))
            if not violations or len(raw) <= _LARGE_BYTES:
                for pointer, sentence in member_violations(raw, nulls=not self._moves_money):
                    violations.setdefault(pointer, sentence)
        except _UNREADABLE as unreadable:
            raise not_json() from unreadable
        named = list(violations.items())[:_VIOLATIONS_MAX] or [("", sentence_of(str(fault)))]
        explained = [(pointer, self._unread.get(pointer, sentence)) for pointer, sentence in named]
        if all(sentence == UNKNOWN for _, sentence in named):
            raise UnknownFields(invalid(explained).detail, errors=tuple(explained)) from fault
        raise invalid(explained) from fault


class LongLists:
    """Turns at bodies that are long lists: what one has been read into is alive until it is answered.

    A collection of garbage looks at all that is alive and lets nothing else compute: at one list of 10,000 entries for a
    fiftieth of a second, at four for a seventh. So one list of a tenant is worked on at a time, and two of all tenants.
    """

    def __init__(self, *, wait_seconds: float = _LIST_WAIT_SECONDS) -> None:
        self._turns = Turns(_LISTS, tenant_places_max=1)
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def turn(self, tenant_id: str, raw: bytes) -> AsyncIterator[None]:
        """Wait for the turn of a body, if it is long, and have it for the length of the block.

        Raises:
            HttpProblem: 503 when the turn does not come in time.
        """
        async with AsyncExitStack() as stack:
            if len(raw) > _LARGE_BYTES:
                try:
                    async with asyncio.timeout(self._wait_seconds):
                        await stack.enter_async_context(self._turns.place(tenant_id))
                except TimeoutError as fault:
                    raise Overloaded("earlier lists of this tenant are not done; try again shortly") from fault
            yield


def _in_place(fault: Invalid | HttpProblem, first: int) -> Invalid | HttpProblem:
    """Say of a slice that begins with the element `first` what is wrong with the whole body."""
    errors = [*moved(fault.errors, first)]
    if not errors:
        return fault
    if isinstance(fault, Invalid):
        return invalid(errors)
    detail = invalid(errors).detail if isinstance(fault, UnknownFields) else ""
    return type(fault)(detail, errors=tuple(errors))


_NOTHING = BodyReader(NoMembers, moves_money=True)


async def take_nothing(raw: bytes) -> None:
    """Read the body of a request that needs none: absent, or an object without members.

    Raises:
        HttpProblem: 400 when it is not JSON, 422 when it has members.
        Invalid: when it is JSON but no object.
    """
    if raw.strip():
        await _NOTHING.take(raw)


def amount_in(raw: bytes, pointer: str) -> Decimal | str:
    """Read a JSON number exactly, it never becomes a float; or the string that may stand for one.

    Raises:
        HttpProblem: 400 when it is not JSON.
        Invalid: when it is neither a number nor a string.
    """
    try:
        if raw[:1] == b'"':
            return msgspec.json.decode(raw, type=str)
        if raw[:1] in b"-0123456789":
            return json_number(raw.decode())
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise not_json() from fault
    raise invalid([(pointer, "must be a number or a numeric string")])


def require_storable(texts: dict[str, str | None]) -> None:
    """Refuse the one character that PostgreSQL cannot keep, U+0000, in texts by their JSON pointers.

    Raises:
        Invalid: naming each text that has it.
    """
    violations = [
        (pointer, "must not contain the character U+0000") for pointer, text in texts.items() if text and "\0" in text
    ]
    if violations:
        raise invalid(violations)


def require_one_line(texts: dict[str, str]) -> None:
    """Refuse line breaks and other control characters in texts by their JSON pointers: in a pattern `$` lets a last one through.

    Raises:
        Invalid: naming each text that has one.
    """
    violations = [
        (pointer, "must not contain line breaks or other control characters")
        for pointer, text in texts.items()
        if not is_one_line(text)
    ]
    if violations:
        raise invalid(violations)


def not_json() -> MalformedJson:
    """Say that a body is not JSON at all."""
    return MalformedJson("the request body is not valid JSON in UTF-8")


def body_id(pointer: str, text: str) -> UUID:
    """Read a UUID in a body.

    Raises:
        Invalid: when it is none.
    """
    found = parse_id(text)
    if found is None:
        raise Invalid("an id is malformed", errors=((pointer, "must be a UUID"),))
    return found


def invalid(violations: list[tuple[str, str]]) -> Invalid:
    """Say what is wrong, violation by violation."""
    where = violations[0][0].lstrip("/")
    detail = f"{where} {violations[0][1]}".strip() if len(violations) == 1 else "the request is invalid"
    return Invalid(detail, errors=tuple(violations[:_VIOLATIONS_MAX]))
