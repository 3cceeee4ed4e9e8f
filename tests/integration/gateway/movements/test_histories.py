"""Random histories at Stripe, through the gateway into the books: the processor accounts equal Stripe's balance to the cent."""

import random

import pytest

from deploy.fake_stripe import refunds
from deploy.fake_stripe.refusals import Refusal
from tests.support.statement import Merchant, processor_accounts

_STEPS = 40
"""Things that happen in one history."""


class History:
    """What happens at the processor, by chance."""

    def __init__(self, merchant: Merchant, chance: random.Random) -> None:
        self.merchant = merchant
        self.chance = chance
        self.payments: list[tuple[object, str, int, str]] = []

    async def step(self) -> None:
        """Let one thing happen; what Stripe refuses does not."""
        act = self.chance.choice(
            [self.pay, self.pay, self.pay, self.refund, self.by_hand, self.dispute, self.decide, self.payout, self.wait]
        )
        try:
            await act()
        except Refusal:
            return

    async def pay(self) -> None:
        """Capture all or a part, in one of two currencies."""
        chance, amount = self.chance, self.chance.randrange(500, 50_000)
        currency = chance.choice(["BRL", "BRL", "USD"])
        captured = chance.choice([amount, amount, amount // 2])
        method = chance.choice(["pm_card_visa", "pm_card_bypassPending", "pm_card_pendingRefund"])
        intent, reference = await self.merchant.pay(amount, captured=captured, currency=currency, method=method)
        self.payments.append((intent, reference, captured, currency))

    async def refund(self) -> None:
        """Give a part back, as the merchant requests it, and let some of it fail."""
        if self.payments:
            intent, reference, captured, currency = self.chance.choice(self.payments)
            amount = self.chance.randrange(1, captured + 1)
            done = await self.merchant.give_back(intent, reference, amount, currency=currency)  # type: ignore[arg-type]
            if done and self.chance.random() < 0.5:
                self.merchant.control(f"refunds/{done}/{self.chance.choice(['succeeded', 'failed'])}")

    async def by_hand(self) -> None:
        """Give a part back on Stripe's own pages."""
        if self.payments:
            _, reference, captured, _ = self.chance.choice(self.payments)
            amount = str(self.chance.randrange(1, captured + 1))
            refunds.create_refund(self.merchant.books, {"payment_intent": reference, "amount": amount})

    async def dispute(self) -> None:
        """Let a bank inquire, take money back, or change how much."""
        if self.payments:
            _, reference, captured, _ = self.chance.choice(self.payments)
            status = self.chance.choice(["warning_needs_response", "needs_response", "needs_response", "prevented"])
            opened = self.merchant.control(
                f"payment_intents/{reference}/dispute",
                status=status,
                amount=str(self.chance.randrange(1, captured + 1)),
            )
            if self.chance.random() < 0.3:
                changed = str(self.chance.randrange(1, captured + 1))
                self.merchant.control(f"disputes/{opened['id']}/amount", amount=changed)

    async def decide(self) -> None:
        """Let a bank decide, or an inquiry become a dispute."""
        open_ones = list(self.merchant.books.disputes.values())
        if open_ones:
            dispute = self.chance.choice(open_ones)
            status = self.chance.choice(["won", "lost", "needs_response", "appeal_needs_response"])
            self.merchant.control(f"disputes/{dispute['id']}/{status}")

    async def payout(self) -> None:
        """Pay out all that is available, and let some of it end as it may."""
        self.merchant.control("payouts/run")
        for payout in list(self.merchant.books.payouts.values()):
            if self.chance.random() < 0.4:
                self.merchant.control(f"payouts/{payout['id']}/{self.chance.choice(['paid', 'failed'])}")

    async def wait(self) -> None:
        """Let some days pass."""
        self.merchant.advance(days=self.chance.choice([0.1, 1, 3]))


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(3))
async def test_processor_accounts_equal_stripes_balance_after_any_history(merchant: Merchant, seed: int) -> None:
    """Webhooks come in any order, twice or never; two readers take turns with them; the ledger handles all of it shuffled."""
    chance = random.Random(seed)
    settings = merchant.books.settings
    settings.settlement_currencies, settings.rates, settings.tax_bps = ("brl",), {"usd:brl": "5.4321"}, 900
    history = History(merchant, chance)
    for _ in range(_STEPS):
        await history.step()
        if chance.random() < 0.2:
            await merchant.deliver(chance, share=0.6)
        if chance.random() < 0.2:
            merchant.advance(minutes=2)
            await merchant.read()
        if chance.random() < 0.2:
            await merchant.book(chance)
    # Once the lists were read far back, nothing is left that came by no webhook.
    for _ in range(3):
        merchant.advance(hours=7)
        await merchant.read()
    await merchant.book(chance)
    standing = await merchant.standing()
    assert processor_accounts(standing) == merchant.at_stripe()
    assert {name: net for name, net in standing.items() if name.startswith(("CASH", "SUSPENSE"))} == {}
    # What is still with the bank, or not decided, is what the clearing accounts have.
    assert _clearing(merchant, standing) == {}


def _clearing(merchant: Merchant, standing: dict[str, int]) -> dict[str, int]:
    """What the clearing accounts have that nothing at Stripe explains."""
    unexplained = dict.fromkeys((name for name in standing if "CLEARING" in name), 0)
    unexplained = {name: standing[name] for name in unexplained}
    for payout in merchant.books.payouts.values():
        if payout["status"] in {"pending", "in_transit"}:
            name = f"GATEWAY_CLEARING {payout['currency'].upper()}"
            unexplained[name] = unexplained.get(name, 0) - payout["amount"]
    for refund in merchant.books.refunds.values():
        is_ours = "refund_id" in refund["metadata"]
        if is_ours and refund["status"] in {"pending", "requires_action"}:
            name = f"REFUND_CLEARING {refund['currency'].upper()}"
            unexplained[name] = unexplained.get(name, 0) - refund["amount"]
    for dispute in merchant.books.disputes.values():
        if dispute["status"] in {"needs_response", "under_review"}:
            name = f"DISPUTE_CLEARING {dispute['currency'].upper()}"
            unexplained[name] = unexplained.get(name, 0) - dispute["_taken"]
    return {name: net for name, net in unexplained.items() if net}
