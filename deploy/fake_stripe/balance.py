"""What the account has: a balance transaction for every movement, with Stripe's fee, and payouts to the bank."""

from typing import Any

from deploy.fake_stripe.books import Books, Object, new_id, now
from deploy.fake_stripe.forms import only, positive
from deploy.fake_stripe.refusals import Refusal

_FEE_BPS = 290
"""2.9 percent, Stripe's standard price for domestic cards (https://stripe.com/pricing)."""
_FEE_FIXED = 30
"""And 30 minor units."""
DISPUTE_FEE = 1_500
"""What a dispute costs, in minor units."""
_SETTLES_SECONDS = 2 * 86_400


def charge_fee(amount: int) -> int:
    """The fee on a charge, in minor units, half a unit rounded up; never more than the charge."""
    return min(amount, (amount * _FEE_BPS + 5_000) // 10_000 + _FEE_FIXED)


def move(books: Books, kind: str, source: str, *, amount: int, fee: int, currency: str) -> Object:
    """Write one balance transaction; `amount` is negative where money leaves."""
    transaction: Object = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now() + _SETTLES_SECONDS,
        "created": now(),
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {"amount": fee, "application": None, "currency": currency, "description": "fees", "type": "stripe_fee"}
        ]
        if fee
        else [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source,
        "status": "available",
        "type": kind,
    }
    books.balance_transactions[transaction["id"]] = transaction
    return transaction


def create_payout(books: Books, params: dict[str, Any]) -> Object:
    """Send money to the bank; it is in transit until it is settled through the control interface.

    Raises:
        Refusal: when the balance does not have it.
    """
    only(params, "amount", "currency", "metadata", "method", "description")
    amount, currency = positive(params, "amount"), str(params.get("currency", "")).lower()
    held = sum(t["net"] for t in books.balance_transactions.values() if t["currency"] == currency)
    if amount > held:
        raise Refusal(400, "You have insufficient funds in your Stripe account.", code="balance_insufficient")
    payout: Object = {
        "id": new_id("po"),
        "object": "payout",
        "amount": amount,
        "arrival_date": now() + _SETTLES_SECONDS,
        "automatic": False,
        "created": now(),
        "currency": currency,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": dict(params.get("metadata") or {}),
        "method": "standard",
        "status": "in_transit",
        "type": "bank_account",
    }
    payout["balance_transaction"] = move(books, "payout", payout["id"], amount=-amount, fee=0, currency=currency)["id"]
    books.payouts[payout["id"]] = payout
    books.record("payout.created", payout)
    return payout


def finish_payout(books: Books, payout: Object, outcome: str) -> Object:
    """Let a payout arrive (`paid`) or come back (`failed`)."""
    payout["status"] = outcome
    if outcome == "failed":
        payout["failure_code"] = "account_closed"
        payout["failure_message"] = "The bank account has been closed."
        move(books, "payout_failure", payout["id"], amount=payout["amount"], fee=0, currency=payout["currency"])
    books.record(f"payout.{outcome}", payout)
    return payout
