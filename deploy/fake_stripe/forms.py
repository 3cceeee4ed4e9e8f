"""Stripe's request bodies: form fields whose names nest in brackets, `metadata[order]=7`, `expand[0]=latest_charge`."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from deploy.fake_stripe import values
from deploy.fake_stripe.refusals import invalid

_PARTS = re.compile(r"[^\[\]]+")


def nested(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read flat form fields into nested dicts; `a[]` and `a[0]` become lists."""
    root: dict[str, Any] = {}
    for name, value in fields:
        parts = _PARTS.findall(name) + ([""] if name.endswith("[]") else [])
        if not parts:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
        place = root
        for part in parts[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise invalid("Invalid object", param=parts[0])
        key = parts[-1] or str(len(place))
        place[key] = value
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def positive(params: dict[str, Any], name: str, *, default: int | None = None) -> int:
    """Read a positive integer.

    Raises:
        Refusal: when it is missing, not an integer, or not above zero.
    """
    number = integer(params, name, default=default)
    if number <= 0:
        raise invalid("This value must be greater than or equal to 1.", param=name, code="parameter_invalid_integer")
    return number


def integer(params: dict[str, Any], name: str, *, default: int | None = None) -> int:
    """Read an integer.

    Raises:
        Refusal: when it is missing or not an integer.
    """
    text = params.get(name)
    if text is None:
        if default is None:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", str(text)):
        raise invalid(f"Invalid integer: {text}", param=name, code="parameter_invalid_integer")
    return int(str(text))


def boolean(params: dict[str, Any], name: str, *, default: bool = False) -> bool:
    """Read `true` or `false`.

    Raises:
        Refusal: when it is neither.
    """
    text = params.get(name)
    if text is None:
        return default
    if text not in {"true", "false"}:
        raise invalid(f"Invalid boolean: {text}", param=name)
    return bool(text == "true")


def chosen(params: dict[str, Any], name: str, choices: Sequence[str], *, default: str | None = None) -> str | None:
    """Read one of a closed set.

    Raises:
        Refusal: when it is none of them.
    """
    text = params.get(name)
    if text is None:
        return default
    if text not in choices:
        *most, last = choices
        message = f"Invalid {name}: must be one of {', '.join(most)}, or {last}"
        raise invalid(message, param=name)
    return str(text)


def currency(params: dict[str, Any]) -> str:
    """Read the currency, in lower case.

    Raises:
        Refusal: when it is missing, or none that Stripe takes.
    """
    text = params.get("currency")
    if text is None:
        raise invalid("Missing required param: currency.", param="currency", code="parameter_missing")
    code = str(text).lower()
    if code not in values.CURRENCIES:
        known = ", ".join(sorted(values.CURRENCIES))
        raise invalid(
            f"Invalid currency: {code}. Stripe currently supports these currencies: {known}", param="currency"
        )
    return code


def metadata(params: dict[str, Any], *, before: dict[str, str] | None = None) -> dict[str, str]:
    """Read metadata (https://docs.stripe.com/api/metadata), added to those of before; an empty value takes one away.

    Raises:
        Refusal: when there are too many pairs, or one is too long.
    """
    given = params.get("metadata") or {}
    if not isinstance(given, dict):
        raise invalid("Invalid object", param="metadata")
    if len(given) > values.METADATA_KEYS_MAX:
        raise invalid(
            f"Metadata can have up to {values.METADATA_KEYS_MAX} keys, but you passed in {len(given)}.",
            param="metadata",
        )
    for name, value in given.items():
        if len(name) > values.METADATA_KEY_MAX:
            raise invalid(
                f"Metadata keys can have up to {values.METADATA_KEY_MAX} characters, but you passed in a key that is "
                f"{len(name)} characters. Invalid key: {name}",
                param="metadata",
            )
        if not isinstance(value, str):
            raise invalid("Metadata values must be strings.", param=f"metadata[{name}]")
        if len(value) > values.METADATA_VALUE_MAX:
            raise invalid(
                f"Metadata values can have up to {values.METADATA_VALUE_MAX} characters, but you passed in a value that "
                f"is {len(value)} characters. Invalid value: {value}",
                param=f"metadata[{name}]",
            )
    return {name: value for name, value in ((before or {}) | given).items() if value}
