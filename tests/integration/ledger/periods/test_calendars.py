"""Closing by the tenant's own calendar: periods end with the midnights of its time zone."""

from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest

from libs.common.contracts.ledger_calendar import Calendar, SetCalendar
from libs.common.contracts.ledger_errors import CalendarInvalid, PeriodInvalid
from tests.integration.ledger.bank import Bank

NOVEMBER = datetime(2025, 11, 1, tzinfo=UTC)
SAO_PAULO, LISBON = timedelta(hours=3), timedelta(0)


async def keep_by(bank: Bank, zone: str) -> Calendar:
    """Keep the tenant's books by a zone."""
    return await bank.periods.keep_by(SetCalendar(tenant_id=bank.tenant_id, zone=zone, changed_by="cfo"))


async def test_a_period_ends_with_a_midnight_of_the_tenants_zone(bank: Bank) -> None:
    assert (await bank.periods.calendar(bank.tenant_id)) == Calendar(zone="UTC")
    await keep_by(bank, "America/Sao_Paulo")
    with pytest.raises(PeriodInvalid, match="midnight in America/Sao_Paulo"):
        await bank.close(NOVEMBER)
    closed = await bank.close(NOVEMBER + SAO_PAULO)
    assert closed.ends_before == NOVEMBER + SAO_PAULO
    # An hour before the local midnight belongs to October, though it is November in UTC.
    late = NOVEMBER + SAO_PAULO - timedelta(hours=1)
    entry_id = await bank.post("VAULT", "WALLET", 5, occurred_at=late, from_message=True)
    row = await bank.database.fetchrow("SELECT effective_at FROM journal_entries WHERE id = $1", entry_id)
    assert row is not None
    assert row["effective_at"] == NOVEMBER + SAO_PAULO


async def test_another_calendar_holds_from_then_on_and_closed_stays_closed(bank: Bank) -> None:
    first = await keep_by(bank, "America/Sao_Paulo")
    closed = await bank.close(NOVEMBER + SAO_PAULO)
    assert await keep_by(bank, "America/Sao_Paulo") == first
    bank.clock.advance(timedelta(hours=1))
    second = await keep_by(bank, "Europe/Lisbon")
    assert (second.zone, second.changed_by, second.changed_at) == ("Europe/Lisbon", "cfo", bank.clock.now())
    assert await bank.periods.calendar(bank.tenant_id) == second
    with pytest.raises(PeriodInvalid, match="closed up to"):
        await bank.close(NOVEMBER + LISBON)
    later = NOVEMBER + timedelta(days=1)
    await bank.close(later)
    listed = (await bank.periods.closed(bank.tenant_id)).periods
    assert [period.ends_before for period in listed] == [later, closed.ends_before]
    rows = await bank.database.fetch(
        "SELECT revision, zone FROM calendars WHERE tenant_id = $1 ORDER BY revision", bank.tenant_id
    )
    assert [tuple(row) for row in rows] == [(1, "America/Sao_Paulo"), (2, "Europe/Lisbon")]


async def test_a_day_without_a_midnight_begins_with_the_change_of_the_clocks(bank: Bank) -> None:
    # On 2018-11-04 the clocks of São Paulo went from 00:00 to 01:00, on 2018-02-18 from 00:00 back to 23:00.
    await keep_by(bank, "America/Sao_Paulo")
    repeated = datetime(2018, 2, 18, 3, tzinfo=UTC)
    with pytest.raises(PeriodInvalid):
        await bank.close(repeated - timedelta(hours=1))
    assert (await bank.close(repeated)).ends_before == repeated
    skipped = datetime(2018, 11, 4, 3, tzinfo=UTC)
    with pytest.raises(PeriodInvalid):
        await bank.close(skipped - timedelta(hours=1))
    assert (await bank.close(skipped)).ends_before == skipped


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Tokyo", "UTC"])
async def test_an_instant_at_the_end_of_time_is_refused(bank: Bank, zone: str) -> None:
    await keep_by(bank, zone)
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)
    instants = (
        first + timedelta(hours=1),
        first.replace(tzinfo=timezone(timedelta(hours=14))),
        last,
        last.replace(tzinfo=timezone(-timedelta(hours=12))),
    )
    for instant in instants:
        with pytest.raises(PeriodInvalid):
            await bank.close(instant)


@pytest.mark.parametrize("zone", ["", "Mars/Phobos", "../etc/passwd", "UTC" * 30, "America/Sao_Paulo\0"])
async def test_what_is_no_zone_is_refused_and_changes_nothing(bank: Bank, zone: str) -> None:
    with pytest.raises(CalendarInvalid):
        await keep_by(bank, zone)
    assert await bank.periods.calendar(bank.tenant_id) == Calendar(zone="UTC")


async def test_calendars_are_never_changed(bank: Bank) -> None:
    await keep_by(bank, "America/Sao_Paulo")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await bank.database.fetch("UPDATE calendars SET zone = 'UTC' WHERE tenant_id = $1", bank.tenant_id)
