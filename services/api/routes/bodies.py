"""Request bodies: JSON straight into the struct that a route expects; every violation is named at once."""

from typing import Any, NoReturn

import msgspec

from libs.common.errors import Invalid
from libs.common.web.problems import HttpProblem
from services.api.errors.problems import refusal

_VIOLATIONS_MAX = 100
"""Unknown members that are named at most."""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON; a `ValidationError` is JSON of another shape."""


class BodyReader[T: msgspec.Struct]:
    """Reads bodies of one shape. Unknown members are ignored, unless the client asks to be told of them."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        # Members one by one, to name every violation: only used once the whole has been refused.
        self._members = {
            field.encode_name: (field.required, msgspec.json.Decoder(field.type))
            for field in msgspec.structs.fields(kind)
        }

    def read(self, raw: bytes, *, strict: bool = False) -> T:
        """Read a body; a `strict` client hears of members that nobody reads.

        Raises:
            HttpProblem: 400 when it is not JSON, 422 for unknown members.
            Invalid: naming every member that is missing or not as it must be.
        """
        try:
            found = self._decoder.decode(raw)
        except msgspec.ValidationError as fault:
            self._explain(raw, fault)
        except _UNREADABLE as fault:
            raise not_json() from fault
        if strict:
            self._require_known(raw)
        return found

    def _require_known(self, raw: bytes) -> None:
        unknown = [name for name in _object(raw, msgspec.Raw) if name not in self._members]
        if unknown:
            errors = tuple((f"/{_escaped(name)}", "is not read by this route") for name in unknown[:_VIOLATIONS_MAX])
            raise refusal("unknown_fields", "the body has members that this route does not read", errors=errors)

    def _explain(self, raw: bytes, fault: msgspec.ValidationError) -> NoReturn:
        members = _object(raw, msgspec.Raw)
        violations: list[tuple[str, str]] = []
        for name, (required, decoder) in self._members.items():
            if name not in members:
                if required:
                    violations.append((f"/{name}", "is required"))
                continue
            try:
                decoder.decode(members[name])
            except msgspec.ValidationError as wrong:
                violations.append((f"/{name}{_pointer(str(wrong))}", _sentence(str(wrong))))
            except _UNREADABLE as unreadable:
                raise not_json() from unreadable
        raise invalid(violations or [("", _sentence(str(fault)))]) from fault


def read_optional(raw: bytes) -> dict[str, Any]:
    """Read a body that may be missing; it must be a JSON object when there is one.

    Raises:
        HttpProblem: 400 when it is not JSON.
        Invalid: when it is JSON but no object.
    """
    if not raw.strip():
        return {}
    return _object(raw, Any)


def _object(raw: bytes, member: Any) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, member])
    except msgspec.ValidationError as fault:
        # The decoder stops at the first member of another shape; what follows it may not even be JSON.
        try:
            msgspec.json.decode(raw)
        except _UNREADABLE as unreadable:
            raise not_json() from unreadable
        raise invalid([("", "the body must be a JSON object")]) from fault
    except _UNREADABLE as fault:
        raise not_json() from fault


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


def amount_text(raw: bytes, *, pointer: str = "/amount") -> str:
    """Read an amount as it stands in the JSON text: a number or a numeric string.

    Raises:
        HttpProblem: 400 when it is not JSON.
        Invalid: when it is something else.
    """
    # The JSON text itself: a number goes to the decimal parser digit by digit and never becomes a float.
    try:
        if raw[:1] == b'"':
            return msgspec.json.decode(raw, type=str)
        if raw[:1] in b"-0123456789":
            return raw.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise not_json() from fault
    raise invalid([(pointer, "must be a number or a numeric string")])


def not_json() -> HttpProblem:
    """Say that a body is not JSON at all."""
    return refusal("malformed_json", "the request body is not valid JSON in UTF-8")


def invalid(violations: list[tuple[str, str]]) -> Invalid:
    """Say what is wrong, violation by violation."""
    where = violations[0][0].lstrip("/")
    detail = f"{where} {violations[0][1]}".strip() if len(violations) == 1 else "the request is invalid"
    return Invalid(detail, errors=tuple(violations))


def _escaped(name: str) -> str:
    # JSON Pointer's own escapes (RFC 6901, section 3).
    return name.replace("~", "~0").replace("/", "~1")


def _sentence(message: str) -> str:
    return message.split(" - at `", 1)[0].replace("Expected", "expected").replace("`", "")


def _pointer(message: str) -> str:
    _, _, path = message.partition(" - at `$")
    path = path.rstrip("`")
    if "[...]" in path:
        return ""
    return path.replace(".", "/").replace("[", "/").replace("]", "")
