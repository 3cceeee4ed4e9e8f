"""Payouts to the bank, and debits from it: automatic and by hand, in all their states (https://docs.stripe.com/payouts)."""

import secrets
from functools import partial
from typing import Any

from deploy.fake_stripe import forms, values
from deploy.fake_stripe.balance import DAY, move, move_back, totals
from deploy.fake_stripe.books import Books, Object, new_id
from deploy.fake_stripe.refusals import Refusal, invalid
from deploy.fake_stripe.settings import PayoutInterval

_HOUR = 3_600
"""After an hour a payout by hand is with the bank, and an automatic one is reconciled."""


def create_payout(books: Books, params: dict[str, Any]) -> Object:
    """Send money to the bank by hand: pending first, then in transit, paid on its arrival date.

    Raises:
        Refusal: when that much is not available, or there is no bank account in the currency.
    """
    currency = forms.currency(params)
    amount = forms.positive(params, "amount")
    forms.chosen(params, "method", values.PAYOUT_METHODS)
    source_type = forms.chosen(params, "source_type", values.SOURCE_TYPES, default="card")
    accounts = books.settings.settlement_currencies
    if accounts is not None and currency not in accounts:
        message = f"Sorry, you don't have any external accounts in that currency ({currency})."
        raise invalid(message, param="currency")
    held = totals(books).get(currency, {"available": 0})["available"] if source_type == "card" else 0
    if amount > held:
        raise Refusal(
            400,
            "You have insufficient funds in your Stripe account for this transfer. Your card balance is too low. You can "
            "use the /v1/balance endpoint to view your Stripe balance.",
            code="balance_insufficient",
        )
    payout = _payout(books, amount, currency, is_automatic=False, metadata=forms.metadata(params))
    payout |= {"description": params.get("description"), "statement_descriptor": params.get("statement_descriptor")}
    books.record("payout.created", payout)
    books.clock.later(books.now() + _HOUR, partial(_submit, books, payout))
    return payout


def _payout(
    books: Books,
    amount: int,
    currency: str,
    *,
    is_automatic: bool,
    metadata: dict[str, str],
    original: str | None = None,
) -> Object:
    now = books.now()
    payout: Object = {
        "id": new_id("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": (now // DAY + books.settings.payout_days) * DAY,
        "automatic": is_automatic,
        "balance_transaction": None,
        "created": now,
        "currency": currency,
        "description": "STRIPE PAYOUT" if is_automatic else None,
        "destination": books.bank_account,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": books.livemode,
        "metadata": metadata,
        "method": "standard",
        "original_payout": original,
        "payout_method": None,
        "reconciliation_status": "in_progress" if is_automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "in_transit" if is_automatic else "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
    moved = move(books, "payout", payout["id"], amount=-amount, currency=currency, is_settled=True)
    payout["balance_transaction"] = moved["id"]
    books.payouts[payout["id"]] = payout
    books.clock.later(payout["arrival_date"], partial(_arrive, books, payout))
    return payout


def pay_out(books: Books) -> list[Object]:
    """Make the automatic payouts of now: for each currency all that is available, or a debit where that is below zero."""
    made = []
    for currency, _ in sorted(totals(books).items()):
        included = [
            each
            for each in books.balance_transactions.values()
            if each["currency"] == currency and each["status"] == "available" and each["_payout"] is None
        ]
        amount = sum(each["net"] for each in included)
        if amount == 0:
            continue
        payout = _payout(books, amount, currency, is_automatic=True, metadata={})
        for each in (*included, books.balance_transactions[payout["balance_transaction"]]):
            each["_payout"] = payout["id"]
        books.record("payout.created", payout)
        books.clock.later(books.now() + _HOUR, partial(reconcile, books, payout))
        made.append(payout)
    return made


def schedule(books: Books) -> None:
    """Go on with the automatic payouts of an account, at each midnight, for as long as it has them."""
    at = (books.now() // DAY + 1) * DAY

    def run() -> None:
        if books.settings.payouts is PayoutInterval.DAILY:
            pay_out(books)
            schedule(books)

    books.clock.later(at, run)


def _submit(books: Books, payout: Object) -> None:
    if payout["status"] == "pending":
        payout["status"] = "in_transit"
        books.record("payout.updated", payout, previous={"status": "pending"})


def _arrive(books: Books, payout: Object) -> None:
    if payout["status"] in {"pending", "in_transit"}:
        finish_payout(books, payout, "paid")


def reconcile(books: Books, payout: Object) -> Object:
    """Let it be known which movements an automatic payout consists of.

    Raises:
        Refusal: for one by hand, of which that is never known.
    """
    if not payout["automatic"]:
        raise Refusal(400, "Only automatic payouts are reconciled.", param="payout")
    if payout["reconciliation_status"] != "completed":
        payout["reconciliation_status"] = "completed"
        books.record("payout.reconciliation_completed", payout)
    return payout


def finish_payout(books: Books, payout: Object, outcome: str) -> Object:
    """Let a payout arrive (`paid`), come back (`failed`, also after it was paid) or be stopped (`canceled`).

    Raises:
        Refusal: when it has ended another way.
    """
    before = payout["status"]
    allowed = {"paid": {"pending", "in_transit"}, "failed": {"pending", "in_transit", "paid"}}
    if before not in allowed.get(outcome, {"pending", "in_transit"}):
        raise Refusal(400, f"A payout that is {before} cannot be {outcome}.", param="payout")
    payout["status"] = outcome
    if outcome == "paid":
        payout["trace_id"] = {"status": "supported", "value": f"{secrets.randbelow(10**15):015d}"}
        if payout["automatic"]:
            reconcile(books, payout)
    else:
        made = books.balance_transactions[payout["balance_transaction"]]
        kind = "payout_failure" if outcome == "failed" else "payout_cancel"
        payout["failure_balance_transaction"] = move_back(books, kind, made)["id"]
    if outcome == "failed":
        payout["failure_code"] = "account_closed"
        payout["failure_message"] = "The bank account has been closed."
    books.record(f"payout.{outcome}", payout, previous={"status": before})
    return payout


def cancel_payout(books: Books, payout: Object, _: dict[str, Any]) -> Object:
    """Cancel a payout by hand that is not with the bank yet.

    Raises:
        Refusal: for any other.
    """
    if payout["automatic"] or payout["status"] != "pending":
        raise Refusal(400, "This payout can't be canceled: only pending payouts made by hand can.", param="payout")
    return finish_payout(books, payout, "canceled")


def reverse_payout(books: Books, payout: Object, params: dict[str, Any]) -> Object:
    """Fetch a paid payout back from the bank: a payout of the negative amount.

    Raises:
        Refusal: when it is not paid, or reversed already.
    """
    if payout["status"] != "paid" or payout["reversed_by"] is not None or payout["original_payout"] is not None:
        raise Refusal(400, "This payout can't be reversed: only paid payouts can, and once.", param="payout")
    back = _payout(
        books,
        -payout["amount"],
        payout["currency"],
        is_automatic=False,
        metadata=forms.metadata(params),
        original=payout["id"],
    )
    payout["reversed_by"] = back["id"]
    books.record("payout.created", back)
    books.record("payout.updated", payout, previous={"reversed_by": None})
    books.clock.later(books.now() + _HOUR, partial(_submit, books, back))
    return back
