"""Reading what another team wrote: names in several spellings, members at the top or in an envelope's `payload`, and nothing guessed.

A member that is null is the same as one that is missing, since partners write both. One of another type than it should have is
refused, as is one that is too long or has line breaks or other control characters.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from libs.common.errors import Invalid
from libs.common.messaging.envelope import decode
from libs.common.money import json_number
from libs.common.texts import is_one_line

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_NULL = b"null"


class Loose:
    """The members of one message."""

    def __init__(self, content: str) -> None:
        """Read the JSON.

        Raises:
            Undecodable: when it is no JSON object.
        """
        outer = decode(_OBJECT, content.encode(), what="the body is no JSON object")
        inner = outer.get("payload")
        self._payload: dict[str, msgspec.Raw] = {}
        if inner is not None and bytes(inner) != _NULL:
            self._payload = decode(_OBJECT, inner, what="the member payload is no JSON object")
        self._members: Mapping[str, msgspec.Raw] = {**outer, **self._payload}

    def has(self, *names: str) -> bool:
        """Tell whether a member is there and not null."""
        return self._find(names) is not None

    def is_in_payload(self, name: str) -> bool:
        """Tell whether a member is there and not null in `payload`, and so is not one of the envelope."""
        raw = self._payload.get(name)
        return raw is not None and bytes(raw) != _NULL

    def text(self, *names: str, longest: int) -> str:
        """Read the first of these members that is there, without spaces around it; empty when none is.

        Raises:
            Invalid: when it is no string, too long, or has line breaks or other control characters.
        """
        found = self._find(names)
        if found is None:
            return ""
        name, raw = found
        try:
            value = _TEXT.decode(raw).strip()
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise Invalid(f"{name} must be a string") from fault
        if len(value) > longest:
            raise Invalid(f"{name} must have at most {longest} characters")
        if not is_one_line(value):
            raise Invalid(f"{name} must not contain line breaks or other control characters")
        return value

    def amount(self, *names: str) -> Decimal | str:
        """Read the first of these members that is there: a JSON number as it was written, or a string.

        Raises:
            Invalid: when it is missing, or neither.
        """
        found = self._find(names)
        if found is None:
            raise Invalid(f"{names[0]} is missing")
        name, raw = found
        written = bytes(raw).decode()
        if written.startswith('"'):
            return self.text(name, longest=100)
        if written[0] not in "-0123456789":
            raise Invalid(f"{name} must be a number or a numeric string")
        return json_number(written)

    def instant(self, *names: str) -> datetime | None:
        """Read the first of these members that is there as an instant, of UTC where it names no zone.

        Raises:
            Invalid: when it is none.
        """
        written = self.text(*names, longest=64)
        if not written:
            return None
        try:
            instant = datetime.fromisoformat(written)
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError) as fault:
            raise Invalid(f"{names[0]} must be an instant such as 2026-11-22T10:00:00Z") from fault

    def _find(self, names: tuple[str, ...]) -> tuple[str, msgspec.Raw] | None:
        for name in names:
            raw = self._members.get(name)
            if raw is not None and bytes(raw) != _NULL:
                return name, raw
        return None
