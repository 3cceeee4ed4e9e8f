"""Card numbers in what clients write: refused or masked, before anything else sees it."""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import msgspec
from litestar.connection import ASGIConnection

from libs.common.cards import has_card_number, mask_card_numbers, may_have_card_number
from services.api.http.callers import Feature, acting
from services.api.http.errors import CardNumberInText
from services.api.http.members import escaped
from services.api.http.parameters import preferences
from services.api.settings import CardNumbers

type Connection = ASGIConnection[Any, Any, Any, Any]


class Reading(msgspec.Struct, frozen=True):
    """How the request at hand is read."""

    cards: CardNumbers = CardNumbers.REFUSE
    """What becomes of card numbers in its texts."""
    connection: Connection | None = None
    """The request."""


reading: ContextVar[Reading] = ContextVar("reading", default=Reading())  # noqa: B039 - it is frozen
"""How the request at hand is read."""
_SECRETS = frozenset({"password", "secret_key", "webhook_secret"})
"""Members that are sealed or hashed, and never kept or shown as they are."""
_VIOLATIONS_MAX = 100


def is_lenient() -> bool:
    """Tell whether members that nobody reads are ignored: the client asks for it, and its tenant does not forbid it."""
    connection, caller = reading.get().connection, acting.get()
    if connection is None or (caller is not None and Feature.STRICT_BODIES in caller.features):
        return False
    return "handling=lenient" in preferences(connection.headers)


def without_card_numbers[T: msgspec.Struct](body: T, raw: bytes) -> T:
    """Return a body that has no card number in a text, in a name of a pair neither.

    Raises:
        HttpProblem: 422 `card_number_in_text`, naming the texts, unless they are to be masked or allowed.
    """
    todo = reading.get().cards
    if todo is CardNumbers.ALLOW or not may_have_card_number(raw):
        return body
    holding = [pointer for pointer, text in _texts(body, "") if has_card_number(text)]
    if not holding:
        return body
    if todo is CardNumbers.REFUSE:
        raise card_number_refusal(holding)
    masked: T = _masked(body)
    return masked


def card_number_refusal(places: list[str]) -> CardNumberInText:
    """Refuse texts that have a card number: the answer names their places and repeats nothing of them."""
    errors = tuple((mask_card_numbers(place), "has a card number") for place in places[:_VIOLATIONS_MAX])
    return CardNumberInText(errors=errors)


def _texts(part: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, str):
        yield pointer, part
    elif isinstance(part, msgspec.Struct):
        for field in msgspec.structs.fields(part):
            if field.encode_name not in _SECRETS:
                yield from _texts(getattr(part, field.name), f"{pointer}/{field.encode_name}")
    elif isinstance(part, dict):
        for name, value in part.items():
            yield f"{pointer}/{escaped(name)}", name
            yield from _texts(value, f"{pointer}/{escaped(name)}")
    elif isinstance(part, list):
        for place, value in enumerate(part):
            yield from _texts(value, f"{pointer}/{place}")


def _masked(part: Any) -> Any:
    # A raw part of JSON is an amount, which is a number by nature; an enum is one of our own words.
    if type(part) is str:
        return mask_card_numbers(part)
    if isinstance(part, msgspec.Struct):
        fields = [field for field in msgspec.structs.fields(part) if field.encode_name not in _SECRETS]
        return msgspec.structs.replace(part, **{field.name: _masked(getattr(part, field.name)) for field in fields})
    if isinstance(part, dict):
        return {mask_card_numbers(name): _masked(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_masked(value) for value in part]
    return part


__all__ = ["Connection", "Reading", "card_number_refusal", "is_lenient", "reading", "without_card_numbers"]
