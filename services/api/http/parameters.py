"""Query parameters, headers and path parameters: what is garbage is 422 with a sentence, never a 500."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from litestar import Request
from litestar.datastructures import Headers as RequestHeaders

from libs.common.errors import Invalid
from libs.common.ids import parse_id
from libs.common.money import is_own_unit
from services.api.http.callers import Headers

AnyRequest = Request[Any, Any, Any]


class ApiRequest(AnyRequest):
    """A request whose headers are read once: the framework makes them anew for everybody who looks at one."""

    _read_headers: RequestHeaders | None = None

    @property
    def headers(self) -> RequestHeaders:
        """The headers, by name in any case."""
        if self._read_headers is None:
            self._read_headers = RequestHeaders.from_scope(self.scope)
        return self._read_headers


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}\Z", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9_+\-]{1,32}(/[A-Za-z0-9_+\-]{1,32}){0,2}\Z", re.ASCII)
_INTEGER = re.compile(r"\d{1,9}\Z", re.ASCII)
_TEXT_LENGTH_MAX = 256
_CURSOR_LENGTH_MAX = 512


class QueryParameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter as OpenAPI describes it."""

    name: str
    description: str
    shape: dict[str, Any]
    required: bool = False


FLAG_SHAPE = {"type": "string", "enum": ["true", "false"]}
"""What `Query.flag` reads."""


def wrong(name: str, sentence: str) -> Invalid:
    """Say what is wrong with a parameter."""
    return Invalid(f"{name} {sentence}", errors=((name, sentence),))


def path_id(text: str, name: str) -> UUID:
    """Read a UUID from the path.

    Raises:
        Invalid: when it is none.
    """
    found = parse_id(text)
    if found is None:
        raise wrong(name, "must be a UUID")
    return found


class Query:
    """The query parameters of one request, by name; an empty one counts as absent."""

    def __init__(self, request: AnyRequest) -> None:
        self._values: Mapping[str, str] = {
            name: values[-1] for name, values in request.query_params.dict().items() if values and values[-1] != ""
        }

    @property
    def given(self) -> Mapping[str, str]:
        """Everything that was given, for a link to the next page."""
        return self._values

    def text(self, name: str, *, length_max: int = _TEXT_LENGTH_MAX) -> str | None:
        """Read a text."""
        value = self._values.get(name)
        if value is not None and (len(value) > length_max or "\0" in value or "\ufffd" in value):
            raise wrong(name, f"must be at most {length_max} characters of UTF-8 text without U+0000")
        return value

    def cursor(self) -> str | None:
        """Read the cursor, whose meaning is somebody else's."""
        return self.text("cursor", length_max=_CURSOR_LENGTH_MAX)

    def currency(self, name: str = "currency", *, own: bool = False) -> str | None:
        """Read a currency code; `own` takes that of an own unit too."""
        value = self._values.get(name)
        if value is not None and not (_CURRENCY.match(value) or (own and is_own_unit(value))):
            raise wrong(
                name, f"must be an ISO 4217 code of three upper-case letters{', or of an own unit' if own else ''}"
            )
        return value

    def identifier(self, name: str) -> UUID | None:
        """Read a UUID."""
        value = self._values.get(name)
        return None if value is None else path_id(value, name)

    def integer(self, name: str, *, default: int, at_least: int, at_most: int) -> int:
        """Read a whole number within its limits."""
        value = self._values.get(name)
        if value is None:
            return default
        if not _INTEGER.match(value) or not at_least <= int(value) <= at_most:
            raise wrong(name, f"must be a whole number from {at_least} to {at_most}")
        return int(value)

    def zone(self) -> ZoneInfo:
        """Read the time zone `tz`, an IANA name; without one it is UTC."""
        value = self._values.get("tz", "UTC")
        try:
            if not _ZONE.match(value):
                raise ZoneInfoNotFoundError(value)
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
            raise wrong("tz", "must be the name of an IANA time zone, such as America/Sao_Paulo") from fault

    def begin(self, name: str = "from", *, zone: tzinfo = UTC) -> datetime | None:
        """Read the first instant of a period; a date alone is its first instant in `zone`."""
        value = self._values.get(name)
        return None if value is None else instant(name, value, zone)

    def end(self, name: str = "to", *, zone: tzinfo = UTC) -> datetime | None:
        """Read the last instant of a period, itself included, as the first one after it; a date includes its day."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            if _DATE.match(value):
                return _midnight(date.fromisoformat(value) + timedelta(days=1), zone)
            return instant(name, value, zone) + timedelta(microseconds=1)
        except (ValueError, OverflowError) as fault:
            raise wrong(name, "must be a date or an instant of ISO 8601") from fault

    def day(self, name: str) -> date | None:
        """Read a date."""
        value = self._values.get(name)
        try:
            return None if value is None else date.fromisoformat(value if _DATE.match(value) else "")
        except ValueError as fault:
            raise wrong(name, "must be a date of ISO 8601") from fault

    def flag(self, name: str) -> bool | None:
        """Read `true` or `false`."""
        value = self._values.get(name)
        if value not in (None, "true", "false"):
            raise wrong(name, "must be true or false")
        return None if value is None else value == "true"

    def link(self, cursor: object | None) -> dict[str, str] | None:
        """Write the header that names the next page; None where there is none."""
        return {"Link": next_link(self._values, str(cursor))} if cursor else None

    def names(self, name: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
        """Read a comma list of names, each of which stands for one or more."""
        value = self._values.get(name)
        if value is None:
            return None
        found: dict[str, None] = {}
        for one in (part.strip() for part in value.split(",")):
            if one not in known:
                raise wrong(name, f"must be a comma list of {', '.join(known)}")
            found.update(dict.fromkeys(known[one]))
        return tuple(sorted(found))


def _midnight(day: date, zone: tzinfo) -> datetime:
    # One that the clocks skip is the instant of the change, one that they repeat the first of the two.
    return datetime.combine(day, datetime.min.time(), tzinfo=zone).astimezone(UTC)


def instant(name: str, value: str, zone: tzinfo = UTC) -> datetime:
    """Read an instant; a date alone is its first instant in `zone`.

    Raises:
        Invalid: when it is neither.
    """
    try:
        found = _parsed(value)
        if not isinstance(found, datetime):
            return _midnight(found, zone)
        return (found.replace(tzinfo=zone) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        raise wrong(name, "must be a date or an instant of ISO 8601") from fault


def is_local(value: str) -> bool:
    """Tell whether the zone decides which instant a text names, that `instant` reads: of a date, or without an offset."""
    found = _parsed(value)
    return not isinstance(found, datetime) or found.tzinfo is None


def _parsed(value: str) -> date:
    # A raw "+" in a query string arrives as a space: 2026-04-01T00:00:00 00:00.
    text = re.sub(r" (\d{2}:?\d{2})\Z", r"+\1", value)
    return date.fromisoformat(text) if _DATE.match(text) else datetime.fromisoformat(text)


def prefers_async(headers: Headers) -> bool:
    """Tell whether the client prefers not to wait (`Prefer: respond-async`, RFC 7240)."""
    return "respond-async" in preferences(headers)


def preferences(headers: Headers) -> set[str]:
    """Read the `Prefer` header (RFC 7240), without parameters."""
    given = (headers.get("prefer") or "").lower().split(",")
    return {part.split(";")[0].replace(" ", "").replace('"', "") for part in given}


def next_link(query: Mapping[str, str], cursor: str) -> str:
    """Write a `Link` to the next page (RFC 8288), relative to the request's own address, whatever stands before us."""
    kept = {name: value for name, value in query.items() if name not in {"cursor", "page", "offset"}}
    return f'<?{urlencode({**kept, "cursor": cursor})}>; rel="next"'
