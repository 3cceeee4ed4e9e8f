"""Which path and method of Stripe's API leads to what, and which parameters it takes."""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from deploy.fake_stripe import (
    customers,
    destinations,
    disputes,
    forms,
    parameters,
    payments,
    payouts,
    refunds,
    setups,
    shapes,
    values,
    webhooks,
)
from deploy.fake_stripe.balance import balance
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.lists import check_expand, page
from deploy.fake_stripe.parameters import Parameters
from deploy.fake_stripe.refusals import invalid

type Handler = Callable[[Books, dict[str, str], dict[str, Any]], Object]
"""What answers: the account, the names in the path, the parameters."""


class Route(msgspec.Struct, frozen=True):
    """One call."""

    method: str
    path: str
    handler: Handler
    takes: Parameters = parameters.NONE

    def check(self, params: dict[str, Any]) -> None:
        """Refuse what the call does not take, before it does anything.

        Raises:
            Refusal: naming the parameter.
        """
        self.takes.check(params)
        if "expand" in params:
            words = self.path.split("/")
            is_list = self.method == "GET" and words[-1] in {*_KINDS, "search"}
            check_expand(_KINDS.get(words[2], words[2]), params["expand"], is_list=is_list)


_KINDS = {
    "application_fees": "application_fee",
    "balance_transactions": "balance_transaction",
    "charges": "charge",
    "customers": "customer",
    "disputes": "dispute",
    "events": "event",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "payouts": "payout",
    "refunds": "refund",
    "setup_intents": "setup_intent",
    "webhook_endpoints": "webhook_endpoint",
}
"""What the calls below a path answer with."""

_METADATA_QUERY = re.compile(r"metadata\[['\"](?P<key>[^'\"]+)['\"]\]:['\"](?P<value>[^'\"]+)['\"]\Z")


def _found(kind: str) -> Handler:
    return lambda books, path, _: books.find(kind, path["id"])


def _act(kind: str, act: Callable[[Books, Object, dict[str, Any]], Object]) -> Handler:
    return lambda books, path, params: act(books, books.find(kind, path["id"]), params)


def _listed(kind: str, url: str, *filters: str) -> Handler:
    def answer(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
        filtered = {name: params[name] for name in filters if name in params}
        return page(books, kind, url, params, lambda each: all(each.get(n) == v for n, v in filtered.items()))

    return answer


def _search(kind: str) -> Handler:
    return lambda books, _, params: _searched(books, kind, params)


def _searched(books: Books, kind: str, params: dict[str, Any]) -> Object:
    match = _METADATA_QUERY.match(str(params.get("query", "")))
    if match is None:
        raise invalid("Only metadata['key']:'value' is searched here.", param="query")
    limit = forms.positive(params, "limit", default=10)
    if limit > values.LIMIT_MAX:
        raise invalid("This value must be less than or equal to 100.", param="limit", code="parameter_invalid_integer")
    found = [
        each
        for each in books.shelf(kind).values()
        if each["metadata"].get(match["key"]) == match["value"] and not each.get("_is_deleted")
    ]
    return {
        "object": "search_result",
        "url": f"/v1/{kind}s/search",
        "has_more": len(found) > limit,
        "data": found[:limit],
        "next_page": None,
    }


def _methods_of(books: Books, path: dict[str, str], params: dict[str, Any]) -> Object:
    """What is attached to a customer: without one Stripe lists what its Treasury product has, and nothing is there here."""
    owner = path.get("id") or params.get("customer")
    if owner is not None:
        customers.living(books, owner)
    kind = params.get("type")
    return page(
        books,
        "payment_method",
        f"/v1/customers/{owner}/payment_methods" if "id" in path else "/v1/payment_methods",
        params,
        lambda each: owner is not None and each["customer"] == owner and kind in {None, each["type"]},
    )


def _customers(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
    email = params.get("email")
    return page(
        books,
        "customer",
        "/v1/customers",
        params,
        lambda each: not each["_is_deleted"] and email in {None, each["email"]},
    )


def _balance_transactions(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
    filtered: dict[str, str] = {name: str(params[name]) for name in ("type", "source") if name in params}
    if "currency" in params:
        filtered["currency"] = forms.currency(params)
    if "payout" in params:
        payout = books.find("payout", str(params["payout"]), param="payout")
        if not payout["automatic"]:
            raise invalid(
                "Balance transaction history can only be filtered on automatic transfers, not manual.", param="payout"
            )
        if payout["reconciliation_status"] != "completed":
            raise invalid(
                "Reconciliation for this payout is still in progress.",
                param="payout",
                code="payout_reconciliation_not_ready",
            )
        filtered["_payout"] = payout["id"]
    return page(
        books,
        "balance_transaction",
        "/v1/balance_transactions",
        params,
        lambda each: all(each[name] == value for name, value in filtered.items()),
    )


def _payouts(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
    status = forms.chosen(params, "status", values.PAYOUT_STATUSES)
    return page(books, "payout", "/v1/payouts", params, lambda each: status in {None, each["status"]})


def _events(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
    if "type" in params and "types" in params:
        raise invalid("You may only specify one of these parameters: type, types.", param="types")
    types = [str(params["type"])] if "type" in params else params.get("types") or ["*"]
    if not isinstance(types, list) or len(types) > 20:
        raise invalid("Invalid array: up to 20 types.", param="types")
    delivered = forms.boolean(params, "delivery_success") if "delivery_success" in params else None

    def keep(event: Object) -> bool:
        if delivered is not None and delivered is bool(event["_waiting"]):
            return False
        return any(fnmatchcase(event["type"], each) for each in types)

    return page(books, "event", "/v1/events", params, keep)


def _without_secret(endpoint: Object) -> Object:
    return {name: value for name, value in endpoint.items() if name != "secret"}


def _endpoint(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    return _without_secret(books.find("webhook_endpoint", path["id"]))


def _endpoints(books: Books, _: dict[str, str], params: dict[str, Any]) -> Object:
    found = page(books, "webhook_endpoint", "/v1/webhook_endpoints", params, lambda _: True)
    return found | {"data": [_without_secret(each) for each in found["data"]]}


def _delete_endpoint(books: Books, path: dict[str, str], _: dict[str, Any]) -> Object:
    endpoint = books.find("webhook_endpoint", path["id"])
    del books.webhook_endpoints[endpoint["id"]]
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/account", lambda books, _, __: shapes.account(books)),
    Route("GET", "/v1/balance", balance),
    Route(
        "POST",
        "/v1/payment_intents",
        lambda books, _, params: payments.create(books, params),
        parameters.CREATE_PAYMENT_INTENT,
    ),
    Route(
        "GET",
        "/v1/payment_intents",
        _listed("payment_intent", "/v1/payment_intents", "customer"),
        parameters.LIST_PAYMENT_INTENTS,
    ),
    Route("GET", "/v1/payment_intents/search", _search("payment_intent"), parameters.SEARCH_PAYMENT_INTENTS),
    Route("GET", "/v1/payment_intents/{id}", _found("payment_intent"), parameters.RETRIEVE_PAYMENT_INTENT),
    Route(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        _act("payment_intent", payments.confirm),
        parameters.CONFIRM_PAYMENT_INTENT,
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/capture",
        _act("payment_intent", payments.capture),
        parameters.CAPTURE_PAYMENT_INTENT,
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/cancel",
        _act("payment_intent", payments.cancel),
        parameters.CANCEL_PAYMENT_INTENT,
    ),
    Route(
        "POST", "/v1/customers", lambda books, _, params: customers.create(books, params), parameters.CREATE_CUSTOMER
    ),
    Route("GET", "/v1/customers", _customers, parameters.LIST_CUSTOMERS),
    Route("GET", "/v1/customers/search", _search("customer"), parameters.SEARCH_CUSTOMERS),
    Route("GET", "/v1/customers/{id}", _act("customer", customers.retrieve)),
    Route("POST", "/v1/customers/{id}", _act("customer", customers.update), parameters.UPDATE_CUSTOMER),
    Route("DELETE", "/v1/customers/{id}", _act("customer", customers.delete)),
    Route("GET", "/v1/customers/{id}/payment_methods", _methods_of, parameters.LIST_PAYMENT_METHODS_OF),
    Route("GET", "/v1/payment_methods", _methods_of, parameters.LIST_PAYMENT_METHODS),
    Route("GET", "/v1/payment_methods/{id}", _found("payment_method")),
    Route("POST", "/v1/payment_methods/{id}/attach", customers.attach, parameters.ATTACH_PAYMENT_METHOD),
    Route("POST", "/v1/payment_methods/{id}/detach", _act("payment_method", customers.detach)),
    Route(
        "POST",
        "/v1/setup_intents",
        lambda books, _, params: setups.create(books, params),
        parameters.CREATE_SETUP_INTENT,
    ),
    Route("GET", "/v1/setup_intents/{id}", _found("setup_intent"), parameters.RETRIEVE_SETUP_INTENT),
    Route(
        "POST", "/v1/setup_intents/{id}/confirm", _act("setup_intent", setups.confirm), parameters.CONFIRM_SETUP_INTENT
    ),
    Route("POST", "/v1/setup_intents/{id}/cancel", _act("setup_intent", setups.cancel), parameters.CANCEL_SETUP_INTENT),
    Route(
        "GET", "/v1/charges", _listed("charge", "/v1/charges", "customer", "payment_intent"), parameters.LIST_CHARGES
    ),
    Route("GET", "/v1/charges/{id}", _found("charge")),
    Route(
        "POST", "/v1/refunds", lambda books, _, params: refunds.create_refund(books, params), parameters.CREATE_REFUND
    ),
    Route("GET", "/v1/refunds", _listed("refund", "/v1/refunds", "payment_intent", "charge"), parameters.LIST_REFUNDS),
    Route("GET", "/v1/refunds/{id}", _found("refund")),
    Route("POST", "/v1/refunds/{id}", _act("refund", refunds.update_refund), parameters.UPDATE_REFUND),
    Route("POST", "/v1/refunds/{id}/cancel", _act("refund", refunds.cancel_refund)),
    Route(
        "GET",
        "/v1/application_fees",
        _listed("application_fee", "/v1/application_fees", "charge"),
        parameters.LIST_APPLICATION_FEES,
    ),
    Route("GET", "/v1/application_fees/{id}", _found("application_fee")),
    Route("GET", "/v1/balance_transactions", _balance_transactions, parameters.LIST_BALANCE_TRANSACTIONS),
    Route("GET", "/v1/balance_transactions/{id}", _found("balance_transaction")),
    Route(
        "GET", "/v1/disputes", _listed("dispute", "/v1/disputes", "payment_intent", "charge"), parameters.LIST_DISPUTES
    ),
    Route("GET", "/v1/disputes/{id}", _found("dispute")),
    Route("POST", "/v1/disputes/{id}", _act("dispute", disputes.update_dispute), parameters.UPDATE_DISPUTE),
    Route("POST", "/v1/disputes/{id}/close", _act("dispute", disputes.close_dispute)),
    Route(
        "POST", "/v1/payouts", lambda books, _, params: payouts.create_payout(books, params), parameters.CREATE_PAYOUT
    ),
    Route("GET", "/v1/payouts", _payouts, parameters.LIST_PAYOUTS),
    Route("GET", "/v1/payouts/{id}", _found("payout")),
    Route("POST", "/v1/payouts/{id}/cancel", _act("payout", payouts.cancel_payout)),
    Route("POST", "/v1/payouts/{id}/reverse", _act("payout", payouts.reverse_payout), parameters.REVERSE_PAYOUT),
    Route("GET", "/v1/events", _events, parameters.LIST_EVENTS),
    Route("GET", "/v1/events/{id}", _found("event")),
    Route(
        "POST",
        "/v1/webhook_endpoints",
        lambda books, _, params: webhooks.create_endpoint(books, params),
        parameters.CREATE_WEBHOOK_ENDPOINT,
    ),
    Route("GET", "/v1/webhook_endpoints", _endpoints, parameters.LIST_WEBHOOK_ENDPOINTS),
    Route("GET", "/v1/webhook_endpoints/{id}", _endpoint),
    Route("DELETE", "/v1/webhook_endpoints/{id}", _delete_endpoint),
    Route(
        "POST",
        "/v2/core/event_destinations",
        lambda books, _, params: destinations.create_destination(books, params),
        parameters.CREATE_EVENT_DESTINATION,
    ),
    Route(
        "GET",
        "/v2/core/event_destinations/{id}",
        lambda books, path, params: destinations.find_destination(books, path["id"], params),
        parameters.FIND_EVENT_DESTINATION,
    ),
    Route(
        "DELETE",
        "/v2/core/event_destinations/{id}",
        lambda books, path, _: destinations.delete_destination(books, path["id"]),
    ),
    Route("POST", "/v2/core/event_destinations/{id}/ping", lambda books, path, _: destinations.ping(books, path["id"])),
)
"""Every call of Stripe's API that is served."""
