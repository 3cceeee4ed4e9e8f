"""Periods of a report follow the calendar of their zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.api.payments.routes.activity import Granularity, spans_of


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("UTC", "2026-03-29", 24), ("Europe/Lisbon", "2026-03-29", 23), ("Europe/Lisbon", "2026-10-25", 25)],
)
def test_a_day_has_the_hours_of_its_zone(zone: str, day: str, hours: int) -> None:
    at = ZoneInfo(zone)
    begin = datetime.fromisoformat(day).replace(tzinfo=at).astimezone(UTC)
    [first, *_] = spans_of(begin, datetime(2026, 12, 1, tzinfo=UTC), granularity=Granularity.DAY, zone=at)
    found = spans_of(first.begins_at, first.ends_at, granularity=Granularity.HOUR, zone=at)
    assert len(found) == hours
    assert [one.ends_at for one in found[:-1]] == [one.begins_at for one in found[1:]]


def test_months_begin_on_their_first_and_the_ends_are_parts() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    begin, until = datetime(2026, 1, 15, 4, 30, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
    found = spans_of(begin, until, granularity=Granularity.MONTH, zone=zone)
    assert [one.begins_at.isoformat()[:13] for one in found] == [
        "2026-01-15T04",
        "2026-02-01T03",
        "2026-03-01T03",
        "2026-04-01T03",
    ]
    assert found[-1].ends_at == until


def test_hours_begin_on_the_own_clock_of_a_zone() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    begin = datetime(2026, 1, 15, 4, 45, tzinfo=UTC)
    found = spans_of(begin, datetime(2026, 1, 15, 6, tzinfo=UTC), granularity=Granularity.HOUR, zone=zone)
    assert [one.ends_at.astimezone(zone).minute for one in found] == [0, 30]
