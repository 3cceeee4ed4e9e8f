"""Which path and method leads to what: Stripe's API, and our own controls below `/_control`."""

import re
from collections.abc import Callable
from typing import Any

from deploy.fake_stripe import balance, payments, returns, webhooks
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.forms import positive
from deploy.fake_stripe.refusals import Refusal, invalid

type Handler = Callable[[Books, dict[str, str], dict[str, Any]], Object]
"""What answers: the account, the names in the path, the parameters."""

_METADATA_QUERY = re.compile(r"metadata\[['\"](?P<key>[^'\"]+)['\"]\]:['\"](?P<value>[^'\"]+)['\"]\Z")


def _found(kind: str) -> Handler:
    return lambda books, path, _: books.find(kind, path["id"])


def _listed(kind: str, url: str, *filters: str) -> Handler:
    def answer(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
        filtered = {name: params[name] for name in filters if name in params}
        return books.page(kind, url, params, lambda each: all(each.get(n) == v for n, v in filtered.items()))

    return answer


def _search_payment_intents(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
    match = _METADATA_QUERY.match(str(params.get("query", "")))
    if match is None:
        raise invalid("Only metadata['key']:'value' is searched here.", param="query")
    found = [pi for pi in books.payment_intents.values() if pi["metadata"].get(match["key"]) == match["value"]]
    return {"object": "search_result", "url": "/v1/payment_intents/search", "data": found[:10], "has_more": False}


def _intent(act: Callable[[Books, Object, dict[str, Any]], Object]) -> Handler:
    return lambda books, path, params: act(books, books.find("payment_intent", path["id"]), params)


def _expire(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return payments.end(books, books.find("payment_intent", path["id"]), "automatic")


def _authenticate(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    intent = books.find("payment_intent", path["id"])
    return payments.prove(books, intent, is_proven=path["outcome"] == "success")


def _finish_refund(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return returns.finish_refund(books, books.find("refund", path["id"]), path["outcome"])


def _dispute(books: Books, path: dict[str, str], params: dict[str, Any]) -> Object:
    charge_id = books.find("payment_intent", path["id"])["latest_charge"]
    if charge_id is None:
        raise Refusal(400, "There is no charge to dispute.")
    charge = books.find("charge", charge_id)
    return returns.open_dispute(books, charge, positive(params, "amount", default=charge["amount_captured"]))


def _close_dispute(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return returns.close_dispute(books, books.find("dispute", path["id"]), path["outcome"])


def _finish_payout(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return balance.finish_payout(books, books.find("payout", path["id"]), path["outcome"])


def _roll(books: Books, path: dict[str, str], params: dict[str, Any]) -> Object:
    endpoint = books.find("webhook_endpoint", path["id"])
    return webhooks.roll_secret(endpoint, overlap_seconds=float(params.get("overlap_seconds", 60)))


def _account(books: Books, _: dict[str, str], __: dict[str, Any]) -> Object:
    return {
        "id": books.account_id,
        "object": "account",
        "charges_enabled": True,
        "country": "BR",
        "default_currency": "brl",
        "details_submitted": True,
        "email": None,
        "payouts_enabled": True,
        "type": "standard",
    }


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/account", _account),
    ("POST", "/v1/payment_intents", lambda books, _, params: payments.create(books, params)),
    ("GET", "/v1/payment_intents", _listed("payment_intent", "/v1/payment_intents")),
    ("GET", "/v1/payment_intents/search", _search_payment_intents),
    ("GET", "/v1/payment_intents/{id}", _found("payment_intent")),
    ("POST", "/v1/payment_intents/{id}/confirm", _intent(payments.confirm)),
    ("POST", "/v1/payment_intents/{id}/capture", _intent(payments.capture)),
    ("POST", "/v1/payment_intents/{id}/cancel", _intent(payments.cancel)),
    ("POST", "/v1/refunds", lambda books, _, params: returns.create_refund(books, params)),
    ("GET", "/v1/refunds", _listed("refund", "/v1/refunds", "payment_intent", "charge")),
    ("GET", "/v1/refunds/{id}", _found("refund")),
    ("GET", "/v1/charges", _listed("charge", "/v1/charges", "payment_intent")),
    ("GET", "/v1/charges/{id}", _found("charge")),
    ("GET", "/v1/balance_transactions", _listed("balance_transaction", "/v1/balance_transactions", "type", "source")),
    ("GET", "/v1/balance_transactions/{id}", _found("balance_transaction")),
    ("GET", "/v1/disputes", _listed("dispute", "/v1/disputes", "payment_intent", "charge")),
    ("GET", "/v1/disputes/{id}", _found("dispute")),
    ("POST", "/v1/payouts", lambda books, _, params: balance.create_payout(books, params)),
    ("GET", "/v1/payouts", _listed("payout", "/v1/payouts", "status")),
    ("GET", "/v1/payouts/{id}", _found("payout")),
    ("GET", "/v1/events", _listed("event", "/v1/events", "type")),
    ("GET", "/v1/events/{id}", _found("event")),
    ("POST", "/v1/webhook_endpoints", lambda books, _, params: webhooks.create_endpoint(books, params)),
    ("POST", "/_control/payment_intents/{id}/expire", _expire),
    ("POST", "/_control/payment_intents/{id}/authenticate/{outcome}", _authenticate),
    ("POST", "/_control/payment_intents/{id}/dispute", _dispute),
    ("POST", "/_control/refunds/{id}/{outcome}", _finish_refund),
    ("POST", "/_control/disputes/{id}/{outcome}", _close_dispute),
    ("POST", "/_control/payouts/{id}/{outcome}", _finish_payout),
    ("POST", "/_control/webhook_endpoints/{id}/roll", _roll),
)
"""Every call about an account; the controls do what only a customer, an issuer or a bank can do."""
