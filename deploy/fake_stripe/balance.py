"""What the account has: a balance transaction for every movement, with Stripe's fee, in the settlement currency."""

from functools import partial
from typing import Any

from deploy.fake_stripe import forms
from deploy.fake_stripe.books import Books, Object, new_id
from deploy.fake_stripe.refusals import invalid
from deploy.fake_stripe.settings import Settings, converted

DAY = 86_400

_CATEGORIES = {
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "charge": "charge",
    "payout": "payout",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "refund": "refund",
    "refund_failure": "refund_failure",
}
"""The reporting category of a type (https://docs.stripe.com/reports/reporting-categories); an adjustment brings its own."""

STANDALONE = {
    "adjustment": "other_adjustment",
    "reserved_funds": "risk_reserved_funds",
    "stripe_fee": "fee",
    "tax_fee": "tax",
    "topup": "topup",
    "topup_reversal": "topup_reversal",
}
"""Movements that belong to no payment and no payout, and their categories."""


def charge_fee(amount: int, settings: Settings | None = None) -> int:
    """Stripe's fee on a charge without tax, in minor units, half a unit rounded up; never more than the charge."""
    prices = settings or Settings()
    return min(amount, (amount * prices.fee_bps + 5_000) // 10_000 + prices.fee_fixed)


def move(
    books: Books,
    kind: str,
    source: str | None,
    *,
    amount: int,
    currency: str,
    category: str = "",
    fee: int = 0,
    application_fee: int = 0,
    available_on: int | None = None,
    is_settled: bool = False,
) -> Object:
    """Write one balance transaction; `amount` is in the payment's currency and negative where money leaves.

    `is_settled` tells that it is in the settlement currency already. `fee` is Stripe's, in the settlement currency and negative where it is given back; tax comes on top.

    Raises:
        Refusal: when the two currencies have no exchange rate.
    """
    settled, rate = (currency, None) if is_settled else books.settings.settled(currency)
    return _write(
        books,
        kind,
        source,
        amount=converted(amount, rate),
        currency=settled,
        category=category or _CATEGORIES[kind],
        details=_fee_details(books.settings, fee, converted(application_fee, rate), settled),
        rate=None if rate is None else float(rate),
        available_on=available_on,
    )


def move_alone(books: Books, params: dict[str, Any]) -> Object:
    """Let money come or go (below zero) that is of no payment: a fee of Stripe's products, a tax, a reserve, a top-up.

    Raises:
        Refusal: when the type is none of these.
    """
    kind = forms.chosen(params, "type", sorted(STANDALONE))
    if kind is None:
        raise invalid("Missing required param: type.", param="type", code="parameter_missing")
    currency, amount = forms.currency(params), forms.integer(params, "amount")
    source = new_id("tu") if kind.startswith("topup") else None
    return move(books, kind, source, amount=amount, currency=currency, category=STANDALONE[kind])


def earn(books: Books, charge: Object, taken: int) -> None:
    """Give the platform of an account its fee on a charge, which is capped at what was captured."""
    platform = books.platform
    if not taken or platform is None:
        return
    fee: Object = {
        "id": new_id("fee"),
        "object": "application_fee",
        "account": books.account_id,
        "amount": taken,
        "amount_refunded": 0,
        "application": books.settings.application,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": books.now(),
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": books.livemode,
        "originating_transaction": None,
        "refunded": False,
    }
    fee["refunds"] = {
        "object": "list",
        "data": [],
        "has_more": False,
        "url": f"/v1/application_fees/{fee['id']}/refunds",
    }
    platform.application_fees[fee["id"]] = fee
    charge |= {"application_fee": fee["id"], "application_fee_amount": taken}
    moved = move(platform, "application_fee", fee["id"], amount=taken, currency=charge["currency"])
    fee["balance_transaction"] = moved["id"]


def give_fee_back(books: Books, charge: Object, amount: int) -> None:
    """Let the platform give back what it has taken of a refunded part of a charge; all of it where nothing is left.

    Raises:
        Refusal: when it has taken nothing.
    """
    platform = books.platform
    fee = None if platform is None else platform.application_fees.get(str(charge["application_fee"]))
    if platform is None or fee is None:
        raise invalid(
            f"Charge {charge['id']} does not have an application fee to refund.", param="refund_application_fee"
        )
    left = fee["amount"] - fee["amount_refunded"]
    is_all = charge["amount_refunded"] + amount >= charge["amount_captured"] + charge["_released"]
    part = left if is_all else min(left, (fee["amount"] * amount * 2 // charge["amount_captured"] + 1) // 2)
    if not part:
        return
    back: Object = {
        "id": new_id("fr"),
        "object": "fee_refund",
        "amount": part,
        "balance_transaction": None,
        "created": platform.now(),
        "currency": fee["currency"],
        "fee": fee["id"],
        "metadata": {},
    }
    platform.fee_refunds[back["id"]] = back
    fee["amount_refunded"] += part
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    fee["refunds"]["data"].insert(0, back)
    moved = move(platform, "application_fee_refund", back["id"], amount=-part, currency=fee["currency"])
    back["balance_transaction"] = moved["id"]
    move(books, "adjustment", back["id"], amount=part, currency=fee["currency"], category="fee")


def move_back(books: Books, kind: str, transaction: Object, *, category: str = "") -> Object:
    """Write the exact reversal of a balance transaction, at its own rate and without its fee."""
    return _write(
        books,
        kind,
        transaction["source"],
        amount=-transaction["amount"],
        currency=transaction["currency"],
        category=category or _CATEGORIES[kind],
        details=[],
        rate=transaction["exchange_rate"],
        available_on=None,
    )


def _write(
    books: Books,
    kind: str,
    source: str | None,
    *,
    amount: int,
    currency: str,
    category: str,
    details: list[Object],
    rate: float | None,
    available_on: int | None,
) -> Object:
    now = books.now()
    fee = sum(each["amount"] for each in details)
    transaction: Object = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now if available_on is None else available_on,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": None,
        "exchange_rate": rate,
        "fee": fee,
        "fee_details": details,
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "available",
        "type": kind,
        "_payout": None,
    }
    if transaction["available_on"] > now:
        transaction["status"] = "pending"
        books.clock.later(transaction["available_on"], partial(_let_be_available, transaction))
    books.balance_transactions[transaction["id"]] = transaction
    return transaction


def _let_be_available(transaction: Object) -> None:
    transaction["status"] = "available"


def _fee_details(settings: Settings, fee: int, application_fee: int, currency: str) -> list[Object]:
    size = abs(fee)
    tax = (size * settings.tax_bps + 5_000) // 10_000 * (1 if fee >= 0 else -1)
    named = (
        ("application_fee", application_fee, settings.application, "Application fee"),
        ("stripe_fee", fee, None, "Stripe processing fees"),
        ("tax", tax, None, "Tax on Stripe processing fees"),
    )
    return [
        {"amount": part, "application": application, "currency": currency, "description": text, "type": kind}
        for kind, part, application, text in named
        if part
    ]


def totals(books: Books) -> dict[str, dict[str, int]]:
    """How much there is of each currency, `available` and `pending`: the sums of what moved."""
    found: dict[str, dict[str, int]] = {books.settings.default_currency: {"available": 0, "pending": 0}}
    for transaction in books.balance_transactions.values():
        of_currency = found.setdefault(transaction["currency"], {"available": 0, "pending": 0})
        of_currency[transaction["status"]] += transaction["net"]
    return found


def balance(books: Books, _: dict[str, str], __: dict[str, Any]) -> Object:
    """Answer `GET /v1/balance`."""
    found = totals(books)
    shares: dict[str, list[Object]] = {
        status: [
            {"amount": of[status], "currency": currency, "source_types": {"card": of[status]}}
            for currency, of in sorted(found.items())
        ]
        for status in ("available", "pending")
    }
    return {"object": "balance", "livemode": books.livemode} | shares
