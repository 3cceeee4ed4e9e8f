"""Holds what the fake Stripe answers to the typed classes of the pinned SDK, and to Stripe's published fixtures.

`stripe_fixtures.json` is an extract of Stripe's own (its source and licence are in it).
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import stripe
from stripe._stripe_object import StripeObject, UntypedStripeObject

FIXTURES: dict[str, Any] = json.loads((Path(__file__).parent / "stripe_fixtures.json").read_text())["resources"]

_NAMES = {"CardResource": "Card", "DisputeResource": "Dispute", "IssuingDisputeResource": "Dispute"}
_OBJECTS: dict[str, Any] = {
    "account": stripe.Account,
    "application_fee": stripe.ApplicationFee,
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "fee_refund": stripe.ApplicationFeeRefund,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "payout": stripe.Payout,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "webhook_endpoint": stripe.WebhookEndpoint,
}
_ABSENT = {
    "balance.connect_reserved": "shown to platforms of connected accounts",
    "charge.refunds": "shown where it is expanded",
    "event.data.object": "of any type",
    "payment_intent.managed_payments": "shown to accounts that sell through Stripe",
    "payment_method.metadata": "what the caller gives",
}
"""Members of the fixtures that not every answer has, and why."""
_UNNAMED = {"payment_method_types_no_longer_supported"}
"""Codes of errors that the changelog of the pinned version names, and the SDK does not."""
_SETS: dict[str, frozenset[str]] = {
    "balance_transaction.fee_details.type": frozenset({"application_fee", "stripe_fee", "tax"}),
    "balance_transaction.reporting_category": frozenset(
        {"charge", "dispute", "dispute_reversal", "partial_capture_reversal", "payout", "payout_reversal"}
        | {
            "refund",
            "refund_failure",
            "fee",
            "other_adjustment",
            "platform_earning",
            "platform_earning_refund",
            "risk_reserved_funds",
            "tax",
            "topup",
            "topup_reversal",
        }
    ),
    "balance_transaction.status": frozenset({"available", "pending"}),
    "payout.status": frozenset({"paid", "pending", "in_transit", "canceled", "failed"}),
    "payout.trace_id.status": frozenset({"pending", "supported", "unsupported"}),
    "refund.status": frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"}),
}
"""Closed sets that the SDK names in its documentation alone."""


def faults_of(body: Any) -> list[str]:
    """Tell what in an answer is not as at Stripe: a page, an object or an error."""
    if "error" in body:
        return list(_members(stripe.PaymentIntent.LastPaymentError, body["error"], "error"))
    if body.get("object") in {"list", "search_result"}:
        found = [] if {"data", "has_more", "url"} <= set(body) else ["a page lacks a member"]
        return found + [fault for each in body["data"] for fault in faults_of(each)]
    kind = body.get("object")
    if kind not in _OBJECTS or body.get("deleted"):
        return [] if kind in _OBJECTS else [f"{kind} is no object of Stripe's"]
    inner = faults_of(body["data"]["object"]) if kind == "event" else []
    return [*_members(_OBJECTS[kind], body, kind), *_like(FIXTURES.get(kind), body, kind), *inner]


@cache
def _annotations(of: Any) -> dict[str, Any]:
    return {
        name: each for name, each in of.__annotations__.items() if name not in {"OBJECT_NAME", "_inner_class_types"}
    }


def _members(of: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    """Compare an object with its class: no other members, all that are required, each of its type."""
    declared = _annotations(of)
    for name, each in value.items():
        here = f"{path}.{name}"
        if name not in declared:
            yield f"{here} is unknown to the SDK"
            continue
        yield from _typed(declared[name], each, here)
        if here in _SETS and each not in _SETS[here]:
            yield f"{here} is {each!r}"
    for name, annotation in declared.items():
        if name not in value and NoneType not in get_args(annotation):
            yield f"{path}.{name} is missing"


def _typed(annotation: Any, value: Any, path: str) -> Iterator[str]:
    arms = get_args(annotation) if get_origin(annotation) is Union else (annotation,)
    named = [word for arm in arms if get_origin(arm) is Literal for word in get_args(arm)]
    if named and isinstance(value, str | bool):
        # The SDK leaves its sets open for versions to come; the pinned one has these.
        if value not in named and value not in _UNNAMED:
            yield f"{path} is {value!r}, none of {named}"
        return
    problems = []
    for arm in arms:
        found = list(_is(arm, value, path))
        if not found:
            return
        problems.append(found)
    # The arm that came closest: an object that has a fault in it, not the string it might have been.
    yield from min(problems, key=lambda found: (found[0].endswith("of another type"), len(found)))


def _is(arm: Any, value: Any, path: str) -> Iterator[str]:
    wrong = f"{path} is {value!r:.60}: of another type"
    origin = get_origin(arm)
    if isinstance(arm, ForwardRef | str):
        name = arm if isinstance(arm, str) else arm.__forward_arg__
        arm = getattr(stripe, _NAMES.get(name, name), None)
        if arm is None or not isinstance(value, dict) or value.get("object") != getattr(arm, "OBJECT_NAME", None):
            yield wrong
        else:
            yield from faults_of(value)
        return
    if origin is Literal:
        if value not in get_args(arm):
            yield wrong
    elif arm is NoneType:
        if value is not None:
            yield wrong
    elif arm is UntypedStripeObject or origin is UntypedStripeObject:
        if not isinstance(value, dict):
            yield wrong
    elif origin is list:
        if not isinstance(value, list):
            yield wrong
            return
        for each in value:
            yield from _typed(get_args(arm)[0], each, path)
    elif origin is stripe.ListObject:
        yield from faults_of(value) if isinstance(value, dict) else [wrong]
    elif isinstance(arm, type) and issubclass(arm, StripeObject):
        if not isinstance(value, dict):
            yield wrong
            return
        yield from _members(arm, value, path)
    elif arm is Any or arm is object:
        return
    elif arm is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield wrong
    elif type(value) is not arm:
        yield wrong


def _like(published: Any, value: Any, path: str) -> Iterator[str]:
    """Compare an object with the published one: each of its members is there, of the same JSON type where both have one."""
    if path in _ABSENT or published is None or value is None:
        return
    if isinstance(published, dict) and isinstance(value, dict):
        for name, each in published.items():
            here = f"{path}.{name}"
            if name in value:
                yield from _like(each, value[name], here)
            elif here not in _ABSENT:
                yield f"{here} of the published fixture is missing"
    elif type(published) is not type(value) and not isinstance(value, dict):
        yield f"{path} is {value!r:.60}, published as {published!r:.60}"
