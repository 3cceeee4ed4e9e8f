"""An account that has money at Stripe before it is added: brought in once, whatever comes in between."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from deploy.fake_stripe import balance, payouts
from libs.common.messaging.resend import Window
from services.gateway.errors import ProcessorUnavailable
from services.gateway.movements import AccountOpening, resend
from services.gateway.movements.commands import opening
from services.gateway.processors.port.reading import Held, StatementMovement, StatementReader
from tests.support.statement import Merchant, processor_accounts


def earlier(merchant: Merchant, amount: int = 30_000, *, currency: str = "brl") -> None:
    """Let money come that no payment of ours brings, as before the account was added."""
    balance.move_alone(merchant.books, {"type": "topup", "amount": str(amount), "currency": currency})


async def added(merchant: Merchant) -> None:
    """Add the account now: what was before is two days ago."""
    merchant.advance(days=2)
    await merchant.charging.fetch(
        "UPDATE stripe_accounts SET known_at = $1, booked_from = $2 RETURNING 1",
        merchant.clock.now(),
        merchant.clock.now() - timedelta(days=1),
    )


async def openings(merchant: Merchant) -> list[tuple[str, int, int]]:
    rows = await merchant.charging.fetch("SELECT * FROM processor_openings ORDER BY currency")
    return [(row["currency"], row["pending_minor"], row["available_minor"]) for row in rows]


async def in_balance(merchant: Merchant) -> dict[str, int]:
    """Book what was published, and hold it against Stripe's balance; returns all that stands in the books."""
    await merchant.book(random.Random(5))
    standing = await merchant.standing()
    assert processor_accounts(standing) == merchant.at_stripe()
    return standing


class Between:
    """A reader of the statement at which something happens just before or just after the balance is read."""

    def __init__(
        self,
        merchant: Merchant,
        *,
        before: Callable[[], Any] | None = None,
        after: Callable[[], Any] | None = None,
        times: int = 1,
    ) -> None:
        self.merchant = merchant
        self.before = before
        self.after = after
        self.left = times
        self.read = 0

    async def of(self, _: str) -> StatementReader:
        reader: Any = self.merchant.reader
        read: Callable[[], Awaitable[dict[str, Held]]] = reader.balance

        async def balance_() -> dict[str, Held]:
            self.read += 1
            happens, self.left = self.left > 0, self.left - 1
            if happens and self.before is not None:
                self.before()
            held = await read()
            if happens and self.after is not None:
                self.after()
            return held

        reader.balance = balance_
        return reader  # type: ignore[no-any-return]


async def rounds(merchant: Merchant, between: Between, *, count: int) -> None:
    """Read the statement some rounds long, each in its minute."""
    reading = merchant.another_reading(reader_of=between.of)
    for _ in range(count):
        while await reading.work():
            pass
        merchant.advance(minutes=2)


async def test_balance_of_before_is_brought_in_once(merchant: Merchant) -> None:
    earlier(merchant)
    await merchant.pay(15_050)
    await added(merchant)
    await merchant.pay(5_000)
    await merchant.read()
    # The earlier charge is two days old: it became available as the account was added.
    assert await openings(merchant) == [("BRL", 0, 44_584)]
    standing = await in_balance(merchant)
    assert standing["OPENING_BALANCE BRL"] == -44_584
    merchant.advance(days=3)
    await asyncio.gather(merchant.read(), merchant.another_reading().work())
    await merchant.read()
    assert await openings(merchant) == [("BRL", 0, 44_584)]
    await in_balance(merchant)


async def test_what_was_pending_in_the_opening_balance_becomes_available_later(merchant: Merchant) -> None:
    merchant.books.settings.delay_days = 30
    await merchant.pay(15_050)
    await merchant.pay(100)
    merchant.advance(days=20)
    await added(merchant)
    await merchant.read()
    assert await openings(merchant) == [("BRL", 14_651, 0)]
    await in_balance(merchant)
    merchant.advance(days=9)
    await merchant.read()
    standing = await in_balance(merchant)
    assert standing == {"PROCESSOR_AVAILABLE BRL": 14_651, "OPENING_BALANCE BRL": -14_651}


async def test_each_currency_and_a_debt_are_opened_and_nothing_where_nothing_is(merchant: Merchant) -> None:
    earlier(merchant, 500, currency="usd")
    balance.move_alone(merchant.books, {"type": "stripe_fee", "amount": "-700", "currency": "eur"})
    await added(merchant)
    await merchant.read()
    assert await openings(merchant) == [("EUR", 0, -700), ("USD", 0, 500)]
    await in_balance(merchant)


async def test_account_without_a_past_has_no_opening_balance(merchant: Merchant) -> None:
    await merchant.pay(1_000)
    await merchant.read()
    assert await openings(merchant) == []
    row = await merchant.charging.fetchrow("SELECT opening_due, opened_at FROM stripe_accounts")
    assert row is not None and not row["opening_due"] and row["opened_at"] is not None
    assert "OPENING_BALANCE BRL" not in await in_balance(merchant)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["charge", "payout"])
async def test_what_comes_between_balance_and_movements_is_booked_once(
    merchant: Merchant, when: str, what: str
) -> None:
    earlier(merchant)
    await added(merchant)

    def happen() -> None:
        if what == "charge":
            earlier(merchant, 700)
        else:
            payouts.create_payout(merchant.books, {"amount": "400", "currency": "brl"})

    between = Between(merchant, **{when: happen}, times=2)
    await rounds(merchant, between, count=4)
    # Three tries to open it, and once more to compare it with the books.
    assert between.read == 4
    assert await openings(merchant) == [("BRL", 0, 30_000)]
    await in_balance(merchant)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_becomes_available_in_between_is_counted_once(merchant: Merchant, when: str) -> None:
    merchant.books.settings.delay_days = 5
    await merchant.pay(15_050)
    await added(merchant)
    between = Between(merchant, **{when: lambda: merchant.advance(days=4)})  # type: ignore[arg-type]
    await rounds(merchant, between, count=3)
    await merchant.read()
    # Opened with the second try at the earliest; afterwards the balance is compared.
    assert between.read >= 2
    assert await openings(merchant) == [("BRL", 0, 14_584)]
    await in_balance(merchant)


async def test_two_processes_open_an_account_once(merchant: Merchant) -> None:
    earlier(merchant)
    await added(merchant)
    account = (await merchant.account(),) * 4
    opening = AccountOpening(merchant.charging, merchant.recording, clock=merchant.clock)

    async def as_read(moved: Sequence[StatementMovement]) -> Sequence[StatementMovement]:
        return moved

    await asyncio.gather(*(opening.attempt(merchant.reader, each, renew=kept, named=as_read) for each in account))
    assert await openings(merchant) == [("BRL", 0, 30_000)]
    await in_balance(merchant)


async def kept() -> None:
    """Stands for a lease that is kept."""


def unreadable() -> None:
    """Fail as the processor does on a bad day.

    Raises:
        ProcessorUnavailable: always.
    """
    raise ProcessorUnavailable("/v1/balance cannot be read")


@pytest.mark.parametrize(("times", "opened"), [(3, [("BRL", 0, 30_000)]), (1_000, [])])
async def test_a_balance_is_read_again_and_keeps_no_movement_waiting(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch, times: int, opened: list[tuple[str, int, int]]
) -> None:
    monkeypatch.setattr(opening, "_PAUSES_SECONDS", (0.01, 0.02, 0.03))
    earlier(merchant)
    await added(merchant)
    await merchant.pay(1_000)
    between = Between(merchant, before=unreadable, times=times)
    await rounds(merchant, between, count=1)
    assert await openings(merchant) == opened
    assert [
        row["kind"] for row in await merchant.charging.fetch("SELECT kind FROM processor_movements WHERE is_booked")
    ]


async def test_unknown_currency_holds_up_nothing_but_the_opening_balance(merchant: Merchant) -> None:
    earlier(merchant)
    for moved in merchant.books.balance_transactions.values():
        moved["currency"] = "usdc"
    await added(merchant)
    await merchant.pay(1_000)
    await merchant.read()
    assert await openings(merchant) == []
    for since, failures in [
        (row["since"], row["failures"])
        for row in await merchant.charging.fetch("SELECT since, failures FROM processor_readings")
    ]:
        assert (since, failures) == (None, 0)
    merchant.advance(minutes=2)
    await merchant.pay(2_000)
    await merchant.read()
    booked = await merchant.charging.fetch("SELECT 1 FROM processor_movements WHERE is_booked AND kind = 'charge'")
    assert len(booked) == 2


async def test_what_is_not_understood_yet_is_not_brought_in_and_booked_too(merchant: Merchant) -> None:
    await added(merchant)
    await merchant.pay(1_000)
    moved = next(iter(merchant.books.balance_transactions.values()))
    shape, moved["fee_details"] = moved["fee_details"], 7
    # The newest pages show nothing of it.
    merchant.advance(minutes=40)
    await merchant.pay(2_000)
    for _ in range(2):
        await merchant.read()
        merchant.advance(minutes=2)
    assert await openings(merchant) == []
    moved["fee_details"] = shape
    merchant.advance(hours=7)
    for _ in range(2):
        await merchant.read()
        merchant.advance(minutes=2)
    assert await openings(merchant) == []
    assert await merchant.charging.fetch("SELECT 1 FROM stripe_accounts WHERE NOT opening_due")
    await in_balance(merchant)


async def test_payout_that_left_before_does_not_arrive_in_the_books(merchant: Merchant) -> None:
    merchant.books.settings.payout_days = 10
    earlier(merchant)
    left = payouts.create_payout(merchant.books, {"amount": "10000", "currency": "brl"})
    await added(merchant)
    await merchant.read()
    payouts.finish_payout(merchant.books, left, "paid")
    # With the one by which it was made, which comes late.
    await merchant.deliver()
    await merchant.read()
    standing = await in_balance(merchant)
    assert standing == {"PROCESSOR_AVAILABLE BRL": 20_000, "OPENING_BALANCE BRL": -20_000}


async def test_opening_balance_is_published_again_with_its_ids(merchant: Merchant) -> None:
    merchant.books.settings.delay_days = 30
    earlier(merchant)
    await merchant.pay(15_050)
    await added(merchant)
    await merchant.read()
    merchant.advance(days=29)
    await merchant.read()
    first = await merchant.published()
    now = merchant.clock.now()
    await resend(merchant.charging, Window(since=now - timedelta(days=90), until=now + timedelta(days=1)))
    again = await merchant.published()
    booked = {event.id for event in first if "ledger" in event.body.contract.handled_by}
    assert {event.id for event in again} == booked
