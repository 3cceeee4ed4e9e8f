"""Customers, and the payment methods that are attached to them (https://docs.stripe.com/api/customers, .../payment_methods/attach)."""

from typing import Any

from deploy.fake_stripe import forms, methods
from deploy.fake_stripe.books import Books, Object, new_id
from deploy.fake_stripe.refusals import Refusal, invalid, missing

_TEXTS = ("description", "email", "name", "phone")


def create(books: Books, params: dict[str, Any]) -> Object:
    """Create a customer.

    Raises:
        Refusal: for an address that is none.
    """
    _check_email(params)
    customer: Object = {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": books.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": new_id("x")[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": books.livemode,
        "metadata": forms.metadata(params),
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        "_is_deleted": False,
    }
    customer |= {name: params.get(name) or None for name in _TEXTS}
    books.customers[customer["id"]] = customer
    books.record("customer.created", customer)
    return customer


def update(books: Books, customer: Object, params: dict[str, Any]) -> Object:
    """Change a customer; an empty text takes one away."""
    _living(customer)
    _check_email(params)
    customer["metadata"] = forms.metadata(params, before=customer["metadata"])
    customer |= {name: params[name] or None for name in _TEXTS if name in params}
    books.record("customer.updated", customer)
    return customer


def delete(books: Books, customer: Object, _: dict[str, Any]) -> Object:
    """Delete a customer for good, and detach what is attached to it.

    Raises:
        Refusal: when it is deleted.
    """
    _living(customer)
    for method in [each for each in books.payment_methods.values() if each["customer"] == customer["id"]]:
        detach(books, method, {})
    customer["_is_deleted"] = True
    books.record("customer.deleted", customer)
    return _deleted(customer)


def retrieve(_: Books, customer: Object, __: dict[str, Any]) -> Object:
    """Show a customer; of a deleted one only that it is."""
    return _deleted(customer) if customer["_is_deleted"] else customer


def living(books: Books, identifier: Any, *, param: str = "customer") -> Object:
    """Look up a customer that something is to belong to.

    Raises:
        Refusal: when there is none, or it is deleted.
    """
    customer = books.customers.get(str(identifier))
    if customer is None or customer["_is_deleted"]:
        raise Refusal(400, f"No such customer: '{identifier}'", param=param, code="resource_missing", is_executed=False)
    return customer


def attach(books: Books, path: dict[str, str], params: dict[str, Any]) -> Object:
    """Attach a payment method to a customer.

    Raises:
        Refusal: when either is missing, or the method was used without a customer, or is another's.
    """
    customer = living(books, params.get("customer"))
    method = methods.found(books, path["id"])
    if method["customer"] not in {None, customer["id"]}:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            param="payment_method",
        )
    methods.require_unused(method)
    return attached(books, method, customer["id"])


def attached(books: Books, method: Object, customer_id: str) -> Object:
    """Note that a payment method is of a customer from now on."""
    if method["customer"] is None:
        method["customer"] = customer_id
        books.record("payment_method.attached", method)
    return method


def detach(books: Books, method: Object, _: dict[str, Any]) -> Object:
    """Take a payment method from its customer; it can never be used again.

    Raises:
        Refusal: when it is attached to nobody.
    """
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    before = method["customer"]
    method |= {"customer": None, "_is_used": True}
    books.record("payment_method.detached", method, previous={"customer": before})
    return method


def _check_email(params: dict[str, Any]) -> None:
    if (email := params.get("email")) and "@" not in email:
        raise invalid(f"Invalid email address: {email}", param="email", code="email_invalid")


def _living(customer: Object) -> None:
    if customer["_is_deleted"]:
        raise missing("customer", customer["id"], param="id")


def _deleted(customer: Object) -> Object:
    return {"id": customer["id"], "object": "customer", "deleted": True}
