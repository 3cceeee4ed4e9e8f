"""Stripe's request bodies: form fields whose names nest in brackets, `metadata[order]=7`, `expand[0]=latest_charge`."""

import re
from collections.abc import Iterable
from typing import Any

from deploy.fake_stripe.refusals import invalid

_PARTS = re.compile(r"[^\[\]]+")


def nested(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read flat form fields into nested dicts; `a[]` and `a[0]` become lists."""
    root: dict[str, Any] = {}
    for name, value in fields:
        parts = _PARTS.findall(name) + ([""] if name.endswith("[]") else [])
        place = root
        for part in parts[:-1]:
            place = place.setdefault(part, {})
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


def only(params: dict[str, Any], *known: str) -> None:
    """Refuse parameters that the endpoint does not know.

    Raises:
        Refusal: naming the first of them.
    """
    for name in params:
        if name not in {*known, "expand"}:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


def positive(params: dict[str, Any], name: str, *, default: int | None = None) -> int:
    """Read a positive integer.

    Raises:
        Refusal: when it is missing, not an integer, or not above zero.
    """
    text = params.get(name)
    if text is None:
        if default is None:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
        return default
    try:
        number = int(str(text))
    except ValueError as fault:
        raise invalid(f"Invalid integer: {text}", param=name, code="parameter_invalid_integer") from fault
    if number <= 0:
        raise invalid("This value must be greater than or equal to 1.", param=name, code="parameter_invalid_integer")
    return number
