"""Whatever happens in an account of the stand-in, its balance is the sum of what moved, for each currency."""

from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.fake_stripe import FakeStripe, disputes, payments, payouts, refunds
from deploy.fake_stripe.balance import STANDALONE, balance, move_alone, totals
from deploy.fake_stripe.books import Books, Cause
from deploy.fake_stripe.refusals import Refusal
from deploy.fake_stripe.settings import PayoutInterval
from tests.support.fake_stripe import KEY

CARDS = [
    "pm_card_visa",
    "pm_card_bypassPending",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
    "pm_card_pendingRefund",
    "pm_card_chargeDeclined",
]
VERSIONS = ["2026-10-28.endive", "2025-02-24.acacia"]
ACTS = [
    "pay", "hold", "capture", "cancel", "expire", "refund", "finish_refund", "dispute", "change_dispute",
    "change_amount", "pay_out", "run_payouts", "finish_payout", "reverse_payout", "advance", "change_rate", "move",
]  # fmt: skip
STATUSES = ["needs_response", "under_review", "won", "lost", "prevented", "warning_closed", "appeal_needs_response"]

step = st.tuples(st.sampled_from(ACTS), st.integers(0, 10_000), st.integers(50, 50_000))


def act(fake: FakeStripe, books: Books, name: str, choice: int, amount: int) -> None:
    """Let one thing happen, to one of the objects that are there."""

    def one(kind: str) -> Any:
        shelf = list(books.shelf(kind).values())
        if not shelf:
            raise Refusal(404, "There is none.")
        return shelf[choice % len(shelf)]

    def pick(values: list[str]) -> str:
        return values[choice % len(values)]

    match name:
        case "pay" | "hold":
            books.cause = Cause(version=pick(VERSIONS))
            method = "manual" if name == "hold" else "automatic"
            payments.create(
                books,
                {
                    "amount": str(amount),
                    "currency": pick(["brl", "usd", "eur", "jpy"]),
                    "payment_method": pick(CARDS),
                    "allowed_payment_method_types": ["card"],
                    "capture_method": method,
                    "confirm": "true",
                },
            )
        case "capture":
            books.cause = Cause(version=pick(VERSIONS))
            payments.capture(books, one("payment_intent"), {"amount_to_capture": str(amount)})
        case "cancel":
            payments.cancel(books, one("payment_intent"), {})
        case "expire":
            payments.expire(books, one("payment_intent"))
        case "refund":
            refunds.create_refund(books, {"charge": one("charge")["id"], "amount": str(amount)})
        case "finish_refund":
            refunds.finish_refund(books, one("refund"), pick(["succeeded", "failed", "canceled"]))
        case "dispute":
            charge = one("charge")
            status = pick(["needs_response", "warning_needs_response", "prevented"])
            disputes.open_dispute(books, charge, min(amount, charge["amount"]), status=status)
        case "change_dispute":
            disputes.change_dispute(books, one("dispute"), pick(STATUSES))
        case "change_amount":
            disputes.change_amount(books, one("dispute"), amount)
        case "pay_out":
            payouts.create_payout(books, {"amount": str(amount), "currency": pick(["brl", "eur"])})
        case "run_payouts":
            payouts.pay_out(books)
        case "finish_payout":
            payouts.finish_payout(books, one("payout"), pick(["paid", "failed", "canceled"]))
        case "reverse_payout":
            payouts.reverse_payout(books, one("payout"), {})
        case "move":
            sign = 1 if choice % 2 else -1
            params = {"type": pick(sorted(STANDALONE)), "amount": str(sign * amount), "currency": pick(["brl", "eur"])}
            move_alone(books, params)
        case "advance":
            fake.clock.advance(amount * 20)
        case _:
            books.settings.rates["usd:brl"] = f"5.{choice:04d}"


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(step, min_size=10, max_size=60), is_daily=st.booleans())
def test_sum_of_what_moved_is_the_balance(steps: list[tuple[str, int, int]], is_daily: bool) -> None:
    fake = FakeStripe()
    books, its = fake.account(KEY), fake.settings(KEY)
    its.settlement_currencies, its.rates = ("brl", "eur"), {"usd:brl": "5.25", "jpy:brl": "0.035"}
    its.tax_bps = 500
    if is_daily:
        its.payouts = PayoutInterval.DAILY
        payouts.schedule(books)
    for name, choice, amount in steps:
        with suppress(Refusal):
            act(fake, books, name, choice, amount)
        moved: Counter[str] = Counter()
        for each in books.balance_transactions.values():
            assert each["net"] == each["amount"] - each["fee"]
            assert each["fee"] == sum(detail["amount"] for detail in each["fee_details"])
            moved[each["currency"]] += each["net"]
        shown = balance(books, {}, {})
        for currency, total in moved.items():
            parts = [e["amount"] for s in ("available", "pending") for e in shown[s] if e["currency"] == currency]
            assert sum(parts) == total
    of_payout: Counter[str] = Counter()
    for each in books.balance_transactions.values():
        if each["_payout"] is not None and each["source"] != each["_payout"]:
            of_payout[each["_payout"]] += each["net"]
    for payout in books.payouts.values():
        if payout["automatic"]:
            assert of_payout[payout["id"]] == payout["amount"]
    # After a month without disputes left open nothing is pending any more.
    fake.clock.advance(30 * 86_400)
    assert all(of["pending"] == 0 for of in totals(books).values())
