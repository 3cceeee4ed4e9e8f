"""What Stripe says that an account has is compared with what is booked of it, and what moves meanwhile is no alarm."""

import asyncio
import random
from typing import Any

import msgspec

from deploy.fake_stripe import payouts
from services.gateway import metrics
from services.gateway.errors import ProcessorUnavailable
from services.gateway.movements.sql import balances
from services.gateway.processors.port.reading import Held, StatementMovement, StatementPage
from services.gateway.processors.stripe import StripeReader
from tests.integration.gateway.movements.test_adopting import lose
from tests.support.statement import Merchant


async def compared(merchant: Merchant, **later: float) -> dict[str, tuple[int, int]]:
    """Read again after a while, and the round after that; returns what each currency is off, in all and of what can be paid out."""
    merchant.advance(**later)
    await merchant.read()
    merchant.advance(minutes=2)
    await merchant.read()
    assert await balances.wrong(merchant.charging, await merchant.account()) == []
    found = await balances.compared(merchant.charging, await merchant.account())
    return {each.currency: (each.total_off_minor, each.available_off_minor) for each in found}


async def gauges(merchant: Merchant) -> tuple[float, float]:
    await merchant.reading.count()
    total, available = (metrics.BALANCES_OFF.labels(part)._value.get() for part in ("total", "available"))
    return total, available


async def begun(merchant: Merchant) -> None:
    """An account that has something when it is added, some of it pending, and is opened with it."""
    await merchant.pay(3_000, method="pm_card_bypassPending")
    await merchant.pay(4_000)
    merchant.advance(minutes=1)
    await merchant.charging.write("UPDATE stripe_accounts SET booked_from = $1 RETURNING 1", merchant.clock.now())
    await merchant.read()


async def test_balance_of_a_busy_life_agrees_with_the_books(merchant: Merchant) -> None:
    await begun(merchant)
    intent, reference = await merchant.pay(15_050, method="pm_card_bypassPending")
    await merchant.give_back(intent, reference, 5_000)
    merchant.control(f"payment_intents/{reference}/dispute", amount="700")
    payouts.create_payout(merchant.books, {"amount": "2000", "currency": "brl"})
    await merchant.pay(1_000, currency="USD")
    assert await compared(merchant, minutes=16) == {"BRL": (0, 0), "USD": (0, 0)}
    # What was pending, in the opening balance too, can be paid out now; a round that reads far back sees it.
    assert await compared(merchant, days=8) == {"BRL": (0, 0), "USD": (0, 0)}
    assert await gauges(merchant) == (0, 0)


async def test_a_difference_is_an_alarm_once_two_comparisons_have_it(merchant: Merchant) -> None:
    await begun(merchant)

    class Forgetful(StripeReader):
        """Leaves one movement out, for good."""

        async def movements(self, **place: Any) -> StatementPage[StatementMovement]:
            page = await super().movements(**place)
            return msgspec.structs.replace(page, items=tuple(m for m in page.items if m.amount_minor != 15_050))

    async def forgetful(_: str) -> StripeReader:
        return Forgetful(merchant.place.connections.client(merchant.place.account()))

    complete, merchant.reading = merchant.reading, merchant.another_reading(reader_of=forgetful)
    await merchant.pay(15_050, method="pm_card_bypassPending")
    lose(merchant)
    off = 15_050 - 466
    assert await compared(merchant, minutes=16) == {"BRL": (off, off)}
    assert await gauges(merchant) == (0, 0)
    await merchant.pay(1_000, method="pm_card_bypassPending")
    assert await compared(merchant, minutes=16) == {"BRL": (off, off)}
    assert await gauges(merchant) == (1, 1)
    # Read far back, it is there, and all is well.
    merchant.reading = complete
    assert await compared(merchant, hours=7) == {"BRL": (0, 0)}
    assert await gauges(merchant) == (0, 0)


async def test_balance_that_cannot_be_read_holds_nothing_up(merchant: Merchant) -> None:
    await begun(merchant)

    class Silent(StripeReader):
        async def balance(self) -> dict[str, Held]:
            raise ProcessorUnavailable("not now")

    async def silent(_: str) -> StripeReader:
        return Silent(merchant.place.connections.client(merchant.place.account()))

    outcome = metrics.BALANCE_COMPARISONS.labels("unreadable")._value
    before = outcome.get()
    merchant.advance(minutes=16)
    while await merchant.another_reading(reader_of=silent).work():
        pass
    assert outcome.get() == before + 1
    row = await merchant.charging.fetchrow("SELECT sum(failures) AS failures FROM processor_readings")
    assert row is not None
    assert row["failures"] == 0
    assert await compared(merchant, minutes=16) == {"BRL": (0, 0)}


async def test_always_busy_account_agrees_and_a_real_difference_shows(merchant: Merchant) -> None:
    await begun(merchant)

    class Busy(StripeReader):
        """Something moves before and after each reading of the balance, and before each page; one movement is never shown."""

        async def balance(self) -> dict[str, Held]:
            await merchant.pay(1_000, method="pm_card_bypassPending")
            merchant.advance(seconds=1)
            held = await super().balance()
            merchant.advance(seconds=1)
            await merchant.pay(2_000, method="pm_card_bypassPending")
            await merchant.pay(3_000)
            return held

        async def movements(self, **place: Any) -> StatementPage[StatementMovement]:
            await merchant.pay(4_000, method="pm_card_bypassPending")
            page = await super().movements(**place)
            return msgspec.structs.replace(page, items=tuple(m for m in page.items if m.amount_minor != 15_050))

    async def busy(_: str) -> StripeReader:
        return Busy(merchant.place.connections.client(merchant.place.account()))

    merchant.reading = merchant.another_reading(reader_of=busy)
    for _ in range(8):
        assert await compared(merchant, minutes=16) == {"BRL": (0, 0)}
    assert await gauges(merchant) == (0, 0)
    await merchant.pay(15_050, method="pm_card_bypassPending")
    lose(merchant)
    await compared(merchant, minutes=16)
    await compared(merchant, minutes=16)
    assert await gauges(merchant) == (1, 1)


async def test_sums_that_an_earlier_version_did_not_write_are_no_alarm(merchant: Merchant) -> None:
    await begun(merchant)
    await merchant.charging.write("UPDATE processor_sums SET total_minor = total_minor - 5 RETURNING 1")
    merchant.advance(minutes=16)
    await merchant.read()
    assert await compared(merchant, minutes=2) == {"BRL": (0, 0)}
    await merchant.charging.write("UPDATE processor_sums SET account_id = 'acct_2' RETURNING 1")
    merchant.advance(minutes=16)
    await merchant.read()
    assert await compared(merchant, minutes=2) == {"BRL": (0, 0)}


async def test_processes_that_record_the_same_movements_at_once_keep_the_sums(merchant: Merchant) -> None:
    for number in range(6):
        await merchant.pay(1_000 + number, currency="BRL" if number % 2 else "USD")
    account, chance = await merchant.account(), random.Random(7)
    for _ in range(2):
        page = [*(await merchant.reader.movements(since=account.known_at)).items]
        parts = [chance.sample(page, k=4) for _ in range(6)]
        await asyncio.gather(*(merchant.recording.movements(account, part) for part in [*parts, page]))
        assert await balances.wrong(merchant.charging, account) == []
        # All of it can be paid out by the second time.
        merchant.advance(days=8)
    sums = await merchant.charging.fetch("SELECT currency, total_minor, available_minor FROM processor_sums")
    assert {row["currency"]: row["total_minor"] for row in sums} == {
        currency: sum(moved.net_minor for moved in page if moved.currency == currency) for currency in ("BRL", "USD")
    }
    assert all(row["available_minor"] == row["total_minor"] for row in sums)


async def test_movements_that_come_together_wait_for_the_sums_once(merchant: Merchant) -> None:
    await begun(merchant)
    for number in range(20):
        await merchant.pay(1_000 + number)
    account = await merchant.account()
    page = [*(await merchant.reader.movements(since=account.known_at)).items]
    written = await merchant.charging.fetch("SELECT DISTINCT xmin::text FROM processor_movements")
    await asyncio.gather(*(merchant.recording.movements(account, [each]) for each in [*page, *page]))
    rows = await merchant.charging.fetch("SELECT xmin::text, count(*) FROM processor_movements GROUP BY 1")
    new = [row["count"] for row in rows if row["xmin"] not in {each["xmin"] for each in written}]
    assert new == [20]
    assert await balances.wrong(merchant.charging, account) == []


async def test_movement_that_is_not_recorded_keeps_no_other_one(merchant: Merchant) -> None:
    await begun(merchant)
    for number in range(6):
        await merchant.pay(1_000 + number)
    account = await merchant.account()
    first, *rest = (await merchant.reader.movements(since=account.known_at)).items
    [bad, *good] = [each for each in [first, *rest] if each.amount_minor < 2_000]
    # No text of PostgreSQL has such a character.
    bad = msgspec.structs.replace(bad, raw="\x00")
    found = await asyncio.gather(
        *(merchant.recording.movements(account, [each]) for each in [bad, *good]), return_exceptions=True
    )
    assert isinstance(found[0], Exception)
    assert found[1:] == [None] * 5
    recorded = await merchant.charging.fetch("SELECT id FROM processor_movements")
    assert {each.ref for each in good} <= {row["id"] for row in recorded}
    assert await balances.wrong(merchant.charging, account) == []
