"""Closed periods, as the api closes and lists them."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import ledger_books as contract
from libs.common.errors import Rejected
from services.ledger.periods import Periods
from tests.integration.ledger.bank import Bank, refused
from tests.integration.ledger.conftest import Ledger, captured

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


class TestPeriods:
    """Closed books stay as they are."""

    async def test_a_closed_period_refuses_and_shows_where_the_correction_goes(self, bank: Bank) -> None:
        october = NOVEMBER - timedelta(days=1)
        await bank.post("VAULT", "WALLET", 1, occurred_at=october)
        assert await bank.close(NOVEMBER) == await bank.close(NOVEMBER)
        with pytest.raises(Rejected, match="2026-11-01T00:00:00") as refusal:
            await bank.post("VAULT", "WALLET", 1, occurred_at=october)
        assert refusal.value.reason == "period_closed"
        await bank.post("VAULT", "WALLET", 1, occurred_at=NOVEMBER)
        assert [period.ends_before for period in (await bank.periods.closed(bank.tenant_id)).periods] == [NOVEMBER]

    async def test_what_happened_in_the_world_is_posted_in_the_first_open_instant(self, bank: Bank) -> None:
        await bank.close(NOVEMBER)
        october = NOVEMBER - timedelta(days=1)
        entry_id = await bank.post("VAULT", "WALLET", 5, occurred_at=october, from_message=True)
        row = await bank.database.fetchrow(
            "SELECT occurred_at, effective_at FROM journal_entries WHERE id = $1", entry_id
        )
        assert row is not None
        assert (row["occurred_at"], row["effective_at"]) == (october, NOVEMBER)

    async def test_a_late_payment_is_not_lost(self, ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
        periods = Periods(ledger.database, clock=clock)
        await periods.close(contract.ClosePeriod(tenant_id=tenant_id, ends_before=NOVEMBER, closed_by="ops"))
        await ledger.handle_captures(captured(tenant_id, at=NOVEMBER - timedelta(hours=1)))
        assert len(await ledger.book(tenant_id)) == 2

    @pytest.mark.parametrize(
        "ends_before",
        ["an hour after a midnight", "the next midnight", "before what is closed"],
    )
    async def test_a_period_that_cannot_be_closed_is_refused(self, bank: Bank, ends_before: str) -> None:
        await bank.close(NOVEMBER)
        midnight = bank.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        instant = {
            "an hour after a midnight": NOVEMBER + timedelta(hours=1),
            "the next midnight": midnight + timedelta(days=1),
            "before what is closed": NOVEMBER - timedelta(days=1),
        }[ends_before]
        assert await refused(bank.close(instant)) == "period_invalid"

    async def test_closing_waits_for_groups_in_progress_and_keeps_the_next_out(self, bank: Bank) -> None:
        october = NOVEMBER - timedelta(days=1)
        posts = [asyncio.create_task(bank.post("VAULT", "WALLET", 1, occurred_at=october)) for _ in range(300)]
        await posts[0]
        await bank.close(NOVEMBER)
        before = (await bank.at(NOVEMBER, contract.BookTime.EFFECTIVE))["VAULT"]
        answers = await asyncio.gather(*posts, return_exceptions=True)
        assert -sum(isinstance(answer, UUID) for answer in answers) == before
        assert (await bank.at(NOVEMBER, contract.BookTime.EFFECTIVE))["VAULT"] == before
