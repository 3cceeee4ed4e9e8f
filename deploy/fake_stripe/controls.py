"""Our own calls below `/_control`: what only a customer, an issuer, a bank, time or Stripe's dashboard can do."""

from collections.abc import Callable
from typing import Any

import msgspec

from deploy.fake_stripe import disputes, methods, payments, payouts, refunds, setups, webhooks
from deploy.fake_stripe.balance import move_alone
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.cards import CARDS
from deploy.fake_stripe.forms import chosen, positive
from deploy.fake_stripe.refusals import Refusal, invalid
from deploy.fake_stripe.routes import Handler
from deploy.fake_stripe.settings import PayoutInterval, Settings


def _expire(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return payments.expire(books, books.find("payment_intent", path["id"]))


def _pay(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return payments.pay(books, books.find("payment_intent", path["id"]))


def _lapse(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return payments.lapse(books, books.find("payment_intent", path["id"]))


def _authenticate(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    intent = books.find("payment_intent", path["id"])
    return payments.prove(books, intent, is_proven=path["outcome"] == "success")


def _authenticate_setup(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    intent = books.find("setup_intent", path["id"])
    return setups.prove(books, intent, is_proven=path["outcome"] == "success")


def _finish_refund(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return refunds.finish_refund(books, books.find("refund", path["id"]), path["outcome"])


def _dispute(books: Books, path: dict[str, str], params: dict[str, Any]) -> Object:
    charge_id = books.find("payment_intent", path["id"])["latest_charge"]
    if charge_id is None:
        raise Refusal(400, "There is no charge to dispute.")
    charge = books.find("charge", charge_id)
    return disputes.open_dispute(
        books,
        charge,
        positive(params, "amount", default=charge["amount_captured"]),
        status=str(params.get("status", "needs_response")),
        reason=str(params.get("reason", "fraudulent")),
    )


def _dispute_amount(books: Books, path: dict[str, str], params: dict[str, Any]) -> Object:
    return disputes.change_amount(books, books.find("dispute", path["id"]), positive(params, "amount"))


def _change_dispute(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return disputes.change_dispute(books, books.find("dispute", path["id"]), path["outcome"])


def _finish_payout(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    payout = books.find("payout", path["id"])
    outcome = path["outcome"]
    if outcome == "reconciled":
        return payouts.reconcile(books, payout)
    if outcome not in {"paid", "failed", "canceled"}:
        raise Refusal(400, "A payout is paid, failed, canceled or reconciled.", param="outcome")
    return payouts.finish_payout(books, payout, outcome)


def _run_payouts(books: Books, _: dict[str, str], __: dict[str, Any]) -> Object:
    return {"object": "list", "url": "/v1/payouts", "has_more": False, "data": payouts.pay_out(books)}


def _payment_method(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
    card = chosen(params, "card", sorted(CARDS), default="pm_card_visa")
    return {"id": methods.new_payment_method(books, str(card))["id"]}


def _roll(books: Books, path: dict[str, str], params: dict[str, Any]) -> Object:
    endpoint = books.find("webhook_endpoint", path["id"])
    return webhooks.roll_secret(endpoint, overlap_seconds=float(params.get("overlap_seconds", 60)))


CONTROLS: tuple[tuple[str, Handler], ...] = (
    ("/_control/movements", lambda books, _, params: move_alone(books, params)),
    ("/_control/payment_intents/{id}/expire", _expire),
    ("/_control/payment_intents/{id}/authenticate/{outcome}", _authenticate),
    ("/_control/payment_intents/{id}/dispute", _dispute),
    ("/_control/payment_intents/{id}/lapse", _lapse),
    ("/_control/payment_intents/{id}/pay", _pay),
    ("/_control/payment_methods", _payment_method),
    ("/_control/setup_intents/{id}/authenticate/{outcome}", _authenticate_setup),
    ("/_control/refunds/{id}/{outcome}", _finish_refund),
    ("/_control/disputes/{id}/amount", _dispute_amount),
    ("/_control/disputes/{id}/{outcome}", _change_dispute),
    ("/_control/payouts/run", _run_payouts),
    ("/_control/payouts/{id}/{outcome}", _finish_payout),
    ("/_control/webhook_endpoints/{id}/roll", _roll),
)
"""The controls of one account, all of them POST, with the account's key."""


def change_settings(books: Books, changes: bytes, *, schedule: Callable[[Books], None] = payouts.schedule) -> Settings:
    """Change some settings of an account, given as JSON.

    Raises:
        Refusal: when a setting is unknown or wrong.
    """
    settings = books.settings
    was_daily = settings.payouts is PayoutInterval.DAILY
    try:
        changed = msgspec.convert(
            msgspec.to_builtins(settings) | msgspec.json.decode(changes, type=dict[str, Any]), Settings, strict=True
        )
    except msgspec.MsgspecError as fault:
        raise invalid(str(fault), param="settings") from fault
    for name in Settings.__struct_fields__:
        setattr(settings, name, getattr(changed, name))
    if settings.payouts is PayoutInterval.DAILY and not was_daily:
        for each in (books, books.other_mode):
            if each is not None:
                schedule(each)
    return settings
