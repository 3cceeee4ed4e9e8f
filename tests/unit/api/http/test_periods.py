"""Dates of a period are days of its time zone, the last one included; what is no date, and no flag, is refused."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from litestar import Request
from litestar.datastructures import MultiDict

from libs.common.errors import Invalid
from services.api.http.parameters import Query, is_local


def query(**given: str) -> Query:
    class Asking:
        query_params = MultiDict(list(given.items()))

    request: Any = Asking()
    asking: Request[Any, Any, Any] = request
    return Query(asking)


@pytest.mark.parametrize(
    ("zone", "begins_at", "ends_at"),
    [
        ("UTC", "2026-11-01T00:00:00", "2026-11-02T00:00:00"),
        ("America/Sao_Paulo", "2026-11-01T03:00:00", "2026-11-02T03:00:00"),
        ("Asia/Kathmandu", "2026-10-31T18:15:00", "2026-11-01T18:15:00"),
        # The day has 25 hours there.
        ("America/New_York", "2026-11-01T04:00:00", "2026-11-02T05:00:00"),
        # Its midnight comes twice, and the first counts.
        ("America/Havana", "2026-11-01T04:00:00", "2026-11-02T05:00:00"),
    ],
)
def test_a_date_is_a_day_of_the_zone(zone: str, begins_at: str, ends_at: str) -> None:
    given = query(**{"from": "2026-11-01", "to": "2026-11-01", "tz": zone})
    found = given.zone()
    assert found == ZoneInfo(zone)
    assert given.begin(zone=found) == datetime.fromisoformat(begins_at).replace(tzinfo=UTC)
    assert given.end(zone=found) == datetime.fromisoformat(ends_at).replace(tzinfo=UTC)


def test_an_instant_with_an_offset_keeps_it_and_one_without_is_local() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    assert query(**{"from": "2026-11-01T10:00:00Z"}).begin(zone=zone) == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert query(**{"from": "2026-11-01T10:00:00"}).begin(zone=zone) == datetime(2026, 11, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Mars/Olympus", "../UTC", "UTC\0", "America", "A" * 40, "America/Sao_Paulo; --"])
def test_a_zone_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="tz"):
        query(tz=text).zone()


@pytest.mark.parametrize("text", ["9999-12-31", "0000-01-01", "2026-02-30", "yesterday", "9999-12-31T23:59:59.999999Z"])
def test_an_end_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="ISO 8601"):
        query(to=text).end(zone=ZoneInfo("America/Sao_Paulo"))


def test_a_day_and_a_flag_have_one_form() -> None:
    given = query(day="2028-02-29", yes="true", no="false")
    assert given.day("day") == date(2028, 2, 29)
    assert (given.flag("yes"), given.flag("no"), given.flag("other"), given.day("other")) == (True, False, None, None)
    for text in ("20260101", "2026-W01-1", "2026-02-29", "2026-01-01\n", "true,true", "True", "1"):
        for read in (query(x=text).day, query(x=text).flag):
            with pytest.raises(Invalid, match="must be"):
                read("x")


@pytest.mark.parametrize(
    ("value", "depends"),
    [
        ("2026-11-01", True),
        ("2026-11-01T00:00", True),
        ("2026-11-01T00:00:00Z", False),
        ("2026-11-01T00:00:00 01:00", False),
        ("2026-11-01T00:00-0300", False),
        ("0001-01-01", True),
        ("9999-12-31T23:59", True),
    ],
)
def test_zone_decides_where_a_text_has_no_offset(value: str, depends: bool) -> None:
    assert is_local(value) is depends
