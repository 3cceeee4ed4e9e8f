"""Limits, holds, reversals, closed periods and balances at any instant, as the api asks for them."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import (
    AccountBalance,
    AccountType,
    EntryKind,
    ListBalances,
    ListEntries,
    OpenAccount,
    Side,
)
from libs.common.db import Database
from libs.common.errors import Rejected
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.ledger import store
from services.ledger.answers import Answers
from services.ledger.claims import Claims
from services.ledger.commands import Commands
from services.ledger.domain import BALANCE_MINOR_MAX, Entry, Hold, Line
from services.ledger.holds import Holds
from services.ledger.periods import Periods
from services.ledger.posting import Booking, Placing, PostingDesk
from services.ledger.queries import Queries
from services.ledger.verification import Verifier
from services.ledger.workers import workers
from tests.integration.ledger.conftest import Ledger, audit, captured
from tests.integration.ledger.test_schema import as_owner
from tests.support.databases import TestDatabase
from tests.support.ledger_proof import prove


class Bank:
    """A tenant with a bank account and a customer's wallet that must not be overdrawn."""

    def __init__(self, database: Database, tenant_id: str, clock: ManualClock) -> None:
        self.database, self.tenant_id, self.clock = database, tenant_id, clock
        self.desk = PostingDesk(database, clock=clock)
        self.holds = Holds(database, self.desk, clock=clock)
        self.periods = Periods(database, self.desk, clock=clock)
        self.commands = Commands(database, clock=clock)
        self.ids: dict[str, UUID] = {}

    async def open(self, code: str, kind: AccountType, **limits: object) -> None:
        opened = await self.commands.open_account(
            OpenAccount(
                tenant_id=self.tenant_id,
                account_id=new_id(),
                code=code,
                label=code,
                account_type=kind,
                **limits,  # type: ignore[arg-type]
            )
        )
        self.ids[code] = opened.id

    async def post(
        self,
        debited: str,
        credited: str,
        amount_minor: int,
        *,
        occurred_at: datetime | None = None,
        from_message: bool = False,
        currency: str = "BRL",
    ) -> UUID:
        entry_id = new_id()
        lines = tuple(
            Line(account_id=self.ids[code], side=side, amount_minor=amount_minor, currency=currency)
            for side, code in ((Side.DEBIT, debited), (Side.CREDIT, credited))
        )
        entry = Entry(
            tenant_id=self.tenant_id,
            id=entry_id,
            kind=EntryKind.MANUAL,
            content=f"{lines}",
            payment_intent_id=None,
            occurred_at=occurred_at or self.clock.now(),
            source_event_id=new_id() if from_message else None,
            lines=lines,
        )
        correlation = Correlation(correlation_id="c", tenant_id=self.tenant_id)
        await self.desk.post(Booking(entry=entry, correlation=correlation))
        return entry_id

    async def hold(
        self,
        amount_minor: int,
        *,
        hold_id: UUID | None = None,
        lasts: timedelta | None = None,
        currency: str = "BRL",
    ) -> contract.Hold:
        return await self.holds.place(
            contract.PlaceHold(
                tenant_id=self.tenant_id,
                hold_id=hold_id or new_id(),
                debit_account="WALLET",
                credit_account="VAULT",
                currency=currency,
                amount_minor=amount_minor,
                expires_at=None if lasts is None else self.clock.now() + lasts,
            )
        )

    async def capture(self, hold: contract.Hold, amount_minor: int | None = None) -> contract.Hold:
        return await self.holds.capture(
            contract.CaptureHold(tenant_id=self.tenant_id, hold_id=hold.id, amount_minor=amount_minor)
        )

    async def void(self, hold: contract.Hold) -> contract.Hold:
        return await self.holds.void(contract.VoidHold(tenant_id=self.tenant_id, hold_id=hold.id))

    async def balance(self, code: str) -> tuple[int, int | None]:
        """Net credits, and what is pending on the debit side."""
        async with self.database.connection() as connection:
            found = await store.standing_balances(connection, self.tenant_id, currency=None)
        of = {balance.account: balance for balance in found}
        return of[code].credits_minor - of[code].debits_minor, of[code].pending_debits_minor

    async def close(self, ends_before: datetime) -> contract.Period:
        return await self.periods.close(
            contract.ClosePeriod(tenant_id=self.tenant_id, ends_before=ends_before, closed_by="ops@demo")
        )

    async def at(self, before: datetime, time: contract.BookTime) -> dict[str, int]:
        """Net credits of each account by one of the two times."""
        answers = Answers(self.database, self.holds, self.periods, Verifier(self.database, clock=self.clock))
        found = await answers.get_balances_at(
            contract.GetBalancesAt(tenant_id=self.tenant_id, before=before, time=time)
        )
        return {balance.account: net(balance) for balance in found.balances}


def net(balance: AccountBalance) -> int:
    return balance.credits_minor - balance.debits_minor


async def refused(work: object) -> str:
    """The code of a refusal."""
    with pytest.raises(Rejected) as refusal:
        await work  # type: ignore[misc]
    return refusal.value.reason


@pytest.fixture
async def bank(database: Database, tenant_id: str, clock: ManualClock) -> Bank:
    bank = Bank(database, tenant_id, clock)
    await bank.open("VAULT", AccountType.ASSET)
    await bank.open("WALLET", AccountType.LIABILITY, floor_minor=0)
    await bank.post("VAULT", "WALLET", 1000)
    return bank


class TestLimits:
    """Floor, ceiling and currencies of an account."""

    async def test_an_account_is_never_taken_below_its_floor(self, bank: Bank) -> None:
        assert await refused(bank.post("WALLET", "VAULT", 1001)) == "floor_crossed"
        await bank.post("WALLET", "VAULT", 1000)
        assert await refused(bank.post("WALLET", "VAULT", 1)) == "floor_crossed"
        assert await bank.balance("WALLET") == (0, 0)

    async def test_an_account_never_holds_more_than_its_ceiling(self, bank: Bank) -> None:
        await bank.open("DRAWER", AccountType.ASSET, ceiling_minor=500)
        await bank.post("DRAWER", "WALLET", 500)
        assert await refused(bank.post("DRAWER", "WALLET", 1)) == "ceiling_crossed"
        await bank.post("WALLET", "DRAWER", 1)

    async def test_an_account_takes_the_currencies_of_its_policy(self, bank: Bank) -> None:
        await bank.open("LOCAL", AccountType.ASSET, currencies=["BRL"])
        await bank.post("LOCAL", "WALLET", 1)
        assert await refused(bank.post("LOCAL", "WALLET", 1, currency="USD")) == "currency_not_taken"

    async def test_callers_at_once_never_overdraw(self, bank: Bank) -> None:
        answers = await asyncio.gather(*(bank.post("WALLET", "VAULT", 7) for _ in range(200)), return_exceptions=True)
        assert sum(isinstance(answer, UUID) for answer in answers) == 1000 // 7
        assert await bank.balance("WALLET") == (1000 % 7, 0)
        assert await audit(bank.database) == []

    @pytest.mark.parametrize(
        "limits",
        [
            {"floor_minor": 1, "ceiling_minor": 0},
            {"currencies": []},
            {"currencies": ["XXX"]},
            {"floor_minor": -(2**70)},
        ],
    )
    async def test_limits_that_cannot_be_are_refused(self, bank: Bank, limits: dict[str, object]) -> None:
        assert await refused(bank.open("ODD", AccountType.ASSET, **limits)) == "account_invalid"

    async def test_an_account_opened_again_with_other_limits_is_a_conflict(self, bank: Bank) -> None:
        wanted = OpenAccount(
            tenant_id=bank.tenant_id, account_id=bank.ids["WALLET"], code="WALLET", label="WALLET",
            account_type=AccountType.LIABILITY, floor_minor=0,
        )  # fmt: skip
        assert (await bank.commands.open_account(wanted)).floor_minor == 0
        other = OpenAccount(**{name: getattr(wanted, name) for name in wanted.__struct_fields__} | {"floor_minor": 1})
        assert await refused(bank.commands.open_account(other)) == "account_id_taken"

    async def test_a_total_that_no_book_can_hold_is_refused_alone(
        self, bank: Bank, ledger_database: TestDatabase
    ) -> None:
        total = "UPDATE balances SET debits_minor = $1 WHERE tenant_id = $2 AND account_id = $3"
        await as_owner(ledger_database, total, BALANCE_MINOR_MAX, bank.tenant_id, bank.ids["VAULT"])
        try:
            assert await refused(bank.post("VAULT", "WALLET", 1)) == "balance_overflow"
        finally:
            await as_owner(ledger_database, total, 1000, bank.tenant_id, bank.ids["VAULT"])


class TestHolds:
    """An amount is set aside, then captured, voided or left to expire."""

    async def test_what_is_held_is_not_available(self, bank: Bank) -> None:
        first = await bank.hold(700)
        assert first.state is contract.HoldState.OPEN
        assert await bank.balance("WALLET") == (1000, 700)
        assert await refused(bank.hold(301)) == "floor_crossed"
        assert await refused(bank.post("WALLET", "VAULT", 301)) == "floor_crossed"
        await bank.hold(300)

    async def test_in_a_withdrawn_currency_none_is_placed_and_those_that_stand_are_read_captured_and_voided(
        self, bank: Bank
    ) -> None:
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
            await bank.desk.hold(Placing(hold=placed))
        listed = await bank.holds.page(contract.ListHolds(tenant_id=bank.tenant_id, limit=9))
        captured, voided = listed.holds
        assert {captured.id, voided.id} == set(ids)
        assert (await bank.capture(captured, 400)).state is contract.HoldState.CAPTURED
        assert (await bank.void(voided)).state is contract.HoldState.VOIDED
        shown = await Queries(bank.database).balances(ListBalances(tenant_id=bank.tenant_id))
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

    async def test_what_is_wrong_about_a_hold_has_a_name(self, bank: Bank) -> None:
        hold = await bank.hold(10)
        assert await refused(bank.capture(hold, 11)) == "hold_exceeded"
        assert await refused(bank.capture(hold, 0)) == "invalid_amount"
        assert await refused(bank.hold(0)) == "invalid_amount"
        assert await refused(bank.hold(5, lasts=timedelta(0))) == "entry_invalid"
        assert await refused(bank.holds.get(bank.tenant_id, new_id())) == "hold_not_found"
        wanted = contract.PlaceHold(
            tenant_id=bank.tenant_id, hold_id=new_id(), debit_account="NONE", credit_account="VAULT", currency="BRL",
            amount_minor=1,
        )  # fmt: skip
        assert await refused(bank.holds.place(wanted)) == "account_unknown"

    async def test_a_hold_whose_time_is_over_cannot_be_captured_and_is_let_go(self, bank: Bank) -> None:
        hold = await bank.hold(700, lasts=timedelta(minutes=5))
        bank.clock.advance(timedelta(minutes=5))
        assert await refused(bank.capture(hold)) == "hold_resolved"
        await asyncio.gather(*(bank.holds.expire() for _ in range(3)))
        assert (await bank.holds.get(bank.tenant_id, hold.id)).state is contract.HoldState.EXPIRED
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
        first = await bank.holds.page(ask)
        second = await bank.holds.page(
            contract.ListHolds(
                tenant_id=bank.tenant_id, limit=2, state=contract.HoldState.OPEN, cursor=first.next_cursor
            )
        )
        assert first.holds + second.holds == placed[:0:-1]
        assert second.next_cursor is None

    async def test_nobody_changes_a_hold_that_is_resolved(self, bank: Bank, ledger_database: TestDatabase) -> None:
        hold = await bank.void(await bank.hold(1))
        with pytest.raises(Exception, match="resolved once"):
            await bank.database.write("UPDATE holds SET state = 'OPEN', resolved_at = NULL WHERE id = $1", hold.id)


class TestReversal:
    """What was posted is taken back by a further entry, once."""

    async def test_a_reversal_is_linked_and_happens_once(self, bank: Bank) -> None:
        entry_id = await bank.post("VAULT", "WALLET", 50)
        reversal, again = await asyncio.gather(*(bank.periods.reverse(bank.tenant_id, entry_id) for _ in range(2)))
        assert reversal == again
        assert (reversal.kind, reversal.reverses) == ("reversal", entry_id)
        assert [(line.side, line.account, line.amount_minor) for line in reversal.lines] == [
            (Side.DEBIT, "WALLET", 50),
            (Side.CREDIT, "VAULT", 50),
        ]
        assert await bank.balance("WALLET") == (1000, 0)

    async def test_a_reversal_is_not_reversed(self, bank: Bank) -> None:
        reversal = await bank.periods.reverse(bank.tenant_id, await bank.post("VAULT", "WALLET", 50))
        assert await refused(bank.periods.reverse(bank.tenant_id, reversal.id)) == "entry_not_reversible"

    async def test_what_is_not_there_or_was_spent_is_not_reversed(self, bank: Bank) -> None:
        assert await refused(bank.periods.reverse(bank.tenant_id, new_id())) == "entry_not_found"
        entry_id = await bank.post("VAULT", "WALLET", 50)
        assert await refused(bank.periods.reverse("somebody-else", entry_id)) == "entry_not_found"
        await bank.post("WALLET", "VAULT", 1050)
        assert await refused(bank.periods.reverse(bank.tenant_id, entry_id)) == "floor_crossed"


NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


class TestPeriods:
    """Closed books stay as they are."""

    async def test_a_closed_period_refuses_and_says_where_the_correction_goes(self, bank: Bank) -> None:
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
        periods = Periods(ledger.database, PostingDesk(ledger.database, clock=clock), clock=clock)
        await periods.close(contract.ClosePeriod(tenant_id=tenant_id, ends_before=NOVEMBER, closed_by="ops"))
        await ledger.hear_captures(captured(tenant_id, at=NOVEMBER - timedelta(hours=1)))
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

    async def test_closing_waits_for_groups_on_their_way_and_keeps_the_next_out(self, bank: Bank) -> None:
        october = NOVEMBER - timedelta(days=1)
        posts = [asyncio.create_task(bank.post("VAULT", "WALLET", 1, occurred_at=october)) for _ in range(300)]
        await posts[0]
        await bank.close(NOVEMBER)
        before = (await bank.at(NOVEMBER, contract.BookTime.EFFECTIVE))["VAULT"]
        answers = await asyncio.gather(*posts, return_exceptions=True)
        assert -sum(isinstance(answer, UUID) for answer in answers) == before
        assert (await bank.at(NOVEMBER, contract.BookTime.EFFECTIVE))["VAULT"] == before


class TestInstants:
    """Balances as they stood, by the instant of record and by the instant at which postings count."""

    async def test_a_back_dated_entry_counts_where_it_is_dated(self, bank: Bank) -> None:
        begun = bank.clock.now()
        bank.clock.advance(timedelta(hours=2))
        await bank.post("VAULT", "WALLET", 200, occurred_at=begun - timedelta(days=40))
        recorded, effective = contract.BookTime.RECORDED, contract.BookTime.EFFECTIVE
        yesterday, later = begun - timedelta(days=1), begun + timedelta(hours=1)
        assert await bank.at(yesterday, recorded) == {}
        assert await bank.at(yesterday, effective) == {"VAULT": -200, "WALLET": 200}
        assert await bank.at(later, recorded) == {"VAULT": -1000, "WALLET": 1000}
        assert await bank.at(later, effective) == {"VAULT": -1200, "WALLET": 1200}

    async def test_summing_changes_no_answer(self, bank: Bank) -> None:
        begun = bank.clock.now()
        instants = []
        for i in range(40):
            bank.clock.advance(timedelta(seconds=17 * i))
            instants.append(bank.clock.now() - timedelta(seconds=(i % 5) * 1000))
            await bank.post("VAULT", "WALLET", 1 + i, occurred_at=instants[-1])
        asked = [*instants, begun, bank.clock.now() + timedelta(days=1)]
        before = [await bank.at(instant, contract.BookTime.EFFECTIVE) for instant in asked]
        for postings_max in (7, 3, 1000):
            async with bank.database.transaction() as tx:
                assert await store.fold(tx, postings_min=1, accounts_max=1000, postings_max=postings_max) > 0
            assert [await bank.at(instant, contract.BookTime.EFFECTIVE) for instant in asked] == before
        async with bank.database.transaction() as tx:
            assert await store.fold(tx, postings_min=1, accounts_max=1000, postings_max=1000) == 0

    async def test_each_round_looks_at_busy_accounts_and_at_a_part_of_the_others(self, bank: Bank) -> None:
        await bank.post("VAULT", "WALLET", 1)
        cursor = store.FoldCursor()
        expected = (
            "SELECT count(*) AS n FROM balances b LEFT JOIN effective_folds f USING (tenant_id, account_id, currency) "
        )
        expected += "WHERE b.version > coalesce(f.version, 0)"
        row = await bank.database.fetchrow(expected)
        every = await bank.database.fetchrow("SELECT count(*) AS n FROM balances")
        assert row is not None
        assert every is not None
        due: list[store.AccountKey] = []
        for _ in range(every["n"]):
            async with bank.database.transaction() as tx:
                looked = await store.look(tx, cursor, postings_min=1, accounts_max=1)
            # One that is due, and one more at most.
            assert len(looked) <= 2
            due += looked
        assert len(set(due)) == row["n"]
        mine = [key for key in set(due) if key[0] == bank.tenant_id]
        assert len(mine) == 2
        for accounts in (mine[:1], mine[1:]):
            async with bank.database.transaction() as tx:
                found = await store.fold(tx, postings_min=1, accounts_max=10, postings_max=1000, accounts=accounts)
                assert found > 0
                again = await store.fold(tx, postings_min=1, accounts_max=10, postings_max=1000, accounts=accounts)
                assert again == 0
        cursor = store.FoldCursor()
        cursor.busy = dict.fromkeys(mine)
        async with bank.database.transaction() as tx:
            assert not set(await store.look(tx, cursor, postings_min=1, accounts_max=10)) & set(mine)


async def test_the_workers_run(bank: Bank) -> None:
    hold = await bank.hold(1, lasts=timedelta(seconds=1))
    bank.clock.advance(timedelta(seconds=1))
    verifier = Verifier(bank.database, clock=bank.clock)
    for worker in workers(bank.database, bank.holds, verifier, Claims(bank.database, clock=bank.clock)):
        await worker.run()
    assert (await bank.holds.get(bank.tenant_id, hold.id)).state is contract.HoldState.EXPIRED
    assert (await verifier.standing(bank.tenant_id)).entries > 0


async def test_entries_say_what_they_take_back_and_when_they_count(bank: Bank) -> None:
    reversal = await bank.periods.reverse(bank.tenant_id, await bank.post("VAULT", "WALLET", 50))
    page = await Queries(bank.database).entries(ListEntries(tenant_id=bank.tenant_id, limit=1))
    assert page.entries == [reversal]


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_model_and_the_ledger_agree(ledger_database: TestDatabase, seed: int) -> None:
    async with ledger_database.open("ledger") as one, ledger_database.open("ledger") as two:
        seen = await prove(one, two, operations=1500, seed=seed)
    assert {"posted", "replayed", "held", "floor_crossed", "hold_resolved", "period_closed"} <= set(seen)
