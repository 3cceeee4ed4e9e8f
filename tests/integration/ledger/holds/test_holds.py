"""Holds: set aside, captured, voided, expired."""

import asyncio
from datetime import timedelta

import pytest

from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import (
    ListBalances,
)
from libs.common.ids import new_id
from services.ledger.core import Hold
from services.ledger.holds import queries
from services.ledger.integrity import Verifier
from services.ledger.posting import Placing
from tests.integration.ledger.bank import Bank, refused
from tests.support.databases import TestDatabase


class TestHolds:
    """An amount is set aside, then captured, voided or left to expire."""

    async def test_what_is_held_is_not_available(self, bank: Bank) -> None:
        first = await bank.hold(700)
        assert first.state is contract.HoldState.OPEN
        assert await bank.balance("WALLET") == (1000, 700)
        assert await refused(bank.hold(301)) == "floor_crossed"
        assert await refused(bank.post("WALLET", "VAULT", 301)) == "floor_crossed"
        await bank.hold(300)

    async def test_hold_in_a_withdrawn_currency_is_refused_and_earlier_ones_work(self, bank: Bank) -> None:
        assert await refused(bank.hold(1, currency="BGN")) == "unsupported_currency"
        for hold_id in (ids := [new_id(), new_id()]):
            # As it was placed when the lev was a currency.
            placed = Hold(
                tenant_id=bank.tenant_id,
                id=hold_id,
                debit_account_id=bank.ids["VAULT"],
                credit_account_id=bank.ids["WALLET"],
                currency="BGN",
                amount_minor=700,
                placed_at=bank.clock.now(),
            )
            await bank.service.hold(Placing(hold=placed))
        listed = await queries.page(bank.database, contract.ListHolds(tenant_id=bank.tenant_id, limit=9))
        captured, voided = listed.holds
        assert {captured.id, voided.id} == set(ids)
        assert (await bank.capture(captured, 400)).state is contract.HoldState.CAPTURED
        assert (await bank.void(voided)).state is contract.HoldState.VOIDED
        shown = await bank.balances.balances(ListBalances(tenant_id=bank.tenant_id))
        assert ("BGN", 400) in [(balance.currency, balance.debits_minor) for balance in shown.balances]

    async def test_a_capture_posts_a_part_and_lets_the_rest_go(self, bank: Bank) -> None:
        hold = await bank.capture(await bank.hold(700), 400)
        assert (hold.state, hold.captured_minor, hold.amount_minor) == (contract.HoldState.CAPTURED, 400, 700)
        assert await bank.balance("WALLET") == (600, 0)
        rows = await bank.database.fetch("SELECT kind FROM journal_entries WHERE id = $1", hold.entry_id)
        assert [row["kind"] for row in rows] == ["hold_capture"]

    async def test_everything_about_a_hold_happens_once(self, bank: Bank) -> None:
        hold_id = new_id()
        hold = await bank.hold(700, hold_id=hold_id)
        assert await bank.hold(700, hold_id=hold_id) == hold
        assert await refused(bank.hold(701, hold_id=hold_id)) == "hold_conflict"
        captured_once = await bank.capture(hold)
        assert await bank.capture(hold) == await bank.capture(hold, 700) == captured_once
        assert await refused(bank.capture(hold, 1)) == "hold_resolved"
        assert await refused(bank.void(hold)) == "hold_resolved"
        assert await bank.balance("WALLET") == (300, 0)
        other = await bank.void(await bank.hold(10))
        assert await bank.void(other) == other
        assert await refused(bank.capture(other)) == "hold_resolved"

    async def test_a_hold_placed_again_after_its_end_is_answered_as_before(self, bank: Bank) -> None:
        hold = await bank.hold(700, lasts=timedelta(seconds=5))
        bank.clock.advance(timedelta(seconds=10))
        late = timedelta(seconds=-5)
        assert await bank.hold(700, hold_id=hold.id, lasts=late) == hold
        assert await refused(bank.hold(701, hold_id=hold.id, lasts=late)) == "hold_conflict"
        assert await refused(bank.hold(700, lasts=late)) == "entry_invalid"
        await bank.holds.expire()
        assert (await bank.hold(700, hold_id=hold.id, lasts=late)).state is contract.HoldState.EXPIRED

    async def test_what_is_wrong_about_a_hold_has_a_name(self, bank: Bank) -> None:
        hold = await bank.hold(10)
        assert await refused(bank.capture(hold, 11)) == "hold_exceeded"
        assert await refused(bank.capture(hold, 0)) == "invalid_amount"
        assert await refused(bank.hold(0)) == "invalid_amount"
        assert await refused(bank.hold(5, lasts=timedelta(0))) == "entry_invalid"
        assert await refused(queries.get(bank.database, bank.tenant_id, new_id())) == "hold_not_found"
        request = contract.PlaceHold(
            tenant_id=bank.tenant_id, hold_id=new_id(), debit_account="NONE", credit_account="VAULT", currency="BRL",
            amount_minor=1,
        )  # fmt: skip
        assert await refused(bank.holds.place(request)) == "account_unknown"

    async def test_a_hold_whose_time_is_over_cannot_be_captured_and_is_let_go(self, bank: Bank) -> None:
        hold = await bank.hold(700, lasts=timedelta(minutes=5))
        bank.clock.advance(timedelta(minutes=5))
        assert await refused(bank.capture(hold)) == "hold_resolved"
        await asyncio.gather(*(bank.holds.expire() for _ in range(3)))
        assert (await queries.get(bank.database, bank.tenant_id, hold.id)).state is contract.HoldState.EXPIRED
        assert await bank.balance("WALLET") == (1000, 0)

    async def test_holds_at_once_never_exceed_what_is_there(self, bank: Bank) -> None:
        answers = await asyncio.gather(*(bank.hold(9) for _ in range(200)), return_exceptions=True)
        held = [answer for answer in answers if isinstance(answer, contract.Hold)]
        assert len(held) == 1000 // 9
        await asyncio.gather(*(bank.capture(hold) if i % 2 else bank.void(hold) for i, hold in enumerate(held)))
        assert await bank.balance("WALLET") == (1000 - 9 * (len(held) // 2), 0)
        assert (await Verifier(bank.database, clock=bank.clock).all()).findings == []

    async def test_holds_are_listed_page_by_page(self, bank: Bank) -> None:
        placed = []
        for _ in range(5):
            bank.clock.advance(timedelta(seconds=1))
            placed.append(await bank.hold(1))
        await bank.void(placed[0])
        ask = contract.ListHolds(tenant_id=bank.tenant_id, limit=2, state=contract.HoldState.OPEN)
        first = await queries.page(bank.database, ask)
        second = await queries.page(
            bank.database,
            contract.ListHolds(
                tenant_id=bank.tenant_id, limit=2, state=contract.HoldState.OPEN, cursor=first.next_cursor
            ),
        )
        assert first.holds + second.holds == placed[:0:-1]
        assert second.next_cursor is None

    async def test_nobody_changes_a_hold_that_is_resolved(self, bank: Bank, ledger_database: TestDatabase) -> None:
        hold = await bank.void(await bank.hold(1))
        with pytest.raises(Exception, match="resolved once"):
            await bank.database.write("UPDATE holds SET state = 'OPEN', resolved_at = NULL WHERE id = $1", hold.id)
