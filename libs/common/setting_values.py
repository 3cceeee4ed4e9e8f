"""What a setting may be: the text of a variable becomes a value, or one sentence says what it must be.

Bounds stand beside the type: `Annotated[int, between(1, 65535)]`. A text with a form of its own names it and how it is
checked: `Annotated[str, form("a network in CIDR form", is_network)]`.
"""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import unquote

import msgspec

from libs.common.addresses import is_address

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SHOWN_MAX = 60
"""Characters of a wrong value that are repeated in the sentence about it."""
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.?\Z")
_ORIGIN = re.compile(r"\*\Z|https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?\Z")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")


def between(least: float, most: float) -> msgspec.Meta:
    """Bounds of a number, both of which it may be."""
    return msgspec.Meta(ge=least, le=most)


def above(limit: float, most: float) -> msgspec.Meta:
    """Bounds of a number that must be more than the first."""
    return msgspec.Meta(gt=limit, le=most)


def form(sentence: str, is_usable: Callable[[str], bool]) -> msgspec.Meta:
    """The form of a text: what it must be, to follow "must be", and how that is checked."""
    return msgspec.Meta(extra={"form": sentence, "is_usable": is_usable})


def address(example: str, *schemes: str) -> msgspec.Meta:
    """The form of an address with one of these schemes."""
    return form(f"an address such as {example}", lambda text: is_address(text, schemes))


def is_network(text: str) -> bool:
    """Tell whether a text is an address or a network in CIDR form."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _is_text(text: str) -> bool:
    """Tell whether a text has no control characters but line breaks, and no bytes that are not UTF-8."""
    return _is_line(text.replace("\n", "").replace("\r", ""))


def _is_line(text: str) -> bool:
    return not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in text)


def read_pairs(text: str) -> dict[str, str]:
    """Read `name=value` in a comma list, values percent-encoded (as OpenTelemetry writes headers).

    Raises:
        ValueError: where a part is none.
    """
    pairs: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if part.strip() and not (equals and _WORD.match(name.strip())):
            raise ValueError(part)
        if part.strip():
            pairs[name.strip()] = unquote(value.strip())
    return pairs


def _is_pairs(text: str) -> bool:
    try:
        return _is_line("".join(read_pairs(text).values()))
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return _HOST_NAME.match(text) is not None
    return True


_LINES = form("text in UTF-8", _is_text)

Port = Annotated[int, between(1, 65535)]
"""A TCP port."""
Count = Annotated[int, between(1, 1_000_000)]
"""How many at a time: at least one."""
Bytes = Annotated[int, between(1024, 1_073_741_824)]
"""A size: 1 KB to 1 GB."""
Short = Annotated[float, above(0, 3_600)]
"""Seconds of something that a person waits for, an hour at most."""
Long = Annotated[float, above(0, 31_536_000)]
"""Seconds of something that takes its time, a year at most."""
Host = Annotated[str, form("an IP address or a host name", _is_host)]
"""Where to listen."""
Lines = Annotated[str, _LINES]
"""A text that may have several lines, such as a key in PEM."""
Pairs = Annotated[str, form("a comma list of name=value", _is_pairs)]
"""Headers: `name=value` in a comma list, values percent-encoded."""
Word = Annotated[str, form("a word of letters, digits, - and _", lambda text: _WORD.match(text) is not None)]
"""A name that people choose."""
Network = Annotated[str, form("an IP address or a network in CIDR form such as 10.0.0.0/8", is_network)]
"""An address, or a network without bits set behind its prefix."""
Origin = Annotated[
    str,
    form(
        "* or an origin such as https://shop.example.com, without a path", lambda text: _ORIGIN.match(text) is not None
    ),
]
"""Where a page comes from (RFC 6454)."""
WebAddress = Annotated[str, address("https://host.example.com/path", "https", "http")]
"""An address on the web."""
PostgresAddress = Annotated[str, address("postgresql://user:password@host:5432/database", "postgresql", "postgres")]
"""A database, as PostgreSQL's own library names it; SQLAlchemy's `postgresql+driver://` is understood."""
AmqpAddress = Annotated[str, address("amqp://user:password@host:5672/vhost", "amqp", "amqps")]
"""A virtual host of RabbitMQ."""
VirtualHost = Annotated[
    str,
    form("the name of a virtual host such as / or payments", lambda text: 0 < len(text) <= 128 and text.isprintable()),
]
"""A virtual host of RabbitMQ, by its name."""
HostAndPort = Annotated[
    str,
    form(
        "a host and a port such as 10.0.0.1:26379",
        lambda text: "@" not in text and text.rpartition(":")[0] != "" and is_address(f"redis://{text}", ("redis",)),
    ),
]
"""Where a server listens."""
RedisAddress = Annotated[str, address("redis://:password@host:6379/0", "redis", "rediss")]
"""A database of Redis."""


def convert(text: str, kind: Any) -> Any:
    """Read a value from a text.

    Raises:
        ValueError: its text says what the value must be, to follow "must be".
    """
    base, bounds = _parts(kind)
    if get_origin(base) is tuple:
        item = get_args(base)[0]
        try:
            return tuple(convert(part.strip(), item) for part in text.split(",") if part.strip())
        except ValueError:
            raise ValueError(expected(kind)) from None
    value = _one(text, base)
    if value is None or not _fits(value, bounds):
        raise ValueError(expected(kind))
    return value


def expected(kind: Any) -> str:
    """Say what a value of this kind must be, to follow "must be"."""
    base, bounds = _parts(kind)
    if get_origin(base) is tuple:
        return f"a comma list, each part {expected(get_args(base)[0])}"
    if bounds is not None and bounds.extra:
        return str(bounds.extra["form"])
    if base is bool:
        return "true or false"
    if _choices(base):
        return f"one of {', '.join(_choices(base))}"
    if base is int:
        return f"a whole number{_range(bounds)}"
    if base is float:
        return f"a number{_range(bounds)}"
    return "one line of text in UTF-8"


def shown(text: str) -> str:
    """Return a wrong value as it may stand in a sentence."""
    return repr(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…")


def _parts(kind: Any) -> tuple[Any, msgspec.Meta | None]:
    if get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        return base, next((meta for meta in metas if isinstance(meta, msgspec.Meta)), None)
    return kind, None


def _choices(base: Any) -> tuple[str, ...]:
    if get_origin(base) is Literal:
        return get_args(base)
    if isinstance(base, type) and issubclass(base, StrEnum):
        return tuple(base)
    return ()


def _one(text: str, base: Any) -> Any:
    """Return the value of a text, or None."""
    if base is bool:
        lowered = text.lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else None
    if choices := _choices(base):
        return next((choice for choice in choices if choice.lower() == text.lower()), None)
    if base in {int, float}:
        try:
            value = msgspec.convert(text, base, strict=False)
        except msgspec.ValidationError:
            return None
        return value if math.isfinite(value) else None
    return text


def _fits(value: Any, bounds: msgspec.Meta | None) -> bool:
    if isinstance(value, str) and not _is_line(value) and bounds is not _LINES:
        return False
    if bounds is None:
        return True
    if bounds.extra:
        return bool(bounds.extra["is_usable"](value))
    return (
        (bounds.ge is None or value >= bounds.ge)
        and (bounds.gt is None or value > bounds.gt)
        and (bounds.le is None or value <= bounds.le)
    )


def _range(bounds: msgspec.Meta | None) -> str:
    if bounds is None:
        return ""
    if bounds.gt is not None:
        return f" above {bounds.gt:g} and at most {bounds.le:.10g}"
    return f" from {bounds.ge:.10g} to {bounds.le:.10g}"
