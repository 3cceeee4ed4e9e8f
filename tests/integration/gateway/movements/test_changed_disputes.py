"""A dispute of yen that are settled in reais, of which one is worth many: its changes leave no remainder in the books."""

from tests.support.statement import Merchant


async def test_changed_dispute_of_another_currency_leaves_no_remainder(merchant: Merchant) -> None:
    settings = merchant.books.settings
    # A hundredth of a real is 29 yen.
    settings.settlement_currencies, settings.rates = ("brl",), {"jpy:brl": "0.000345"}
    _, reference = await merchant.pay(436_250, currency="JPY")
    dispute = merchant.control(f"payment_intents/{reference}/dispute", amount="436250")
    await merchant.deliver()
    # What the event has left for later is read before the first change: once it has changed, the rate alone tells what moved.
    merchant.advance(hours=1)
    await merchant.read()
    stands = 436_250
    for amount in (300_007, 250_019, 310_003):
        merchant.advance(hours=1)
        merchant.control(f"disputes/{dispute['id']}/amount", amount=str(amount))
        await merchant.deliver()
        await merchant.read()
        moved = "SELECT source_amount_minor FROM processor_movements WHERE source_ref = $1 ORDER BY created_at, seen_at"
        amounts = [row["source_amount_minor"] for row in await merchant.charging.fetch(moved, dispute["id"])]
        assert (sum(amounts), amounts[-1]) == (-amount, stands - amount)
        stands = amount
    merchant.advance(hours=1)
    merchant.control(f"disputes/{dispute['id']}/won")
    await merchant.deliver()
    await merchant.read()
    await merchant.book()
    assert "DISPUTE_CLEARING JPY" not in await merchant.standing()
