"""Pages of objects, and expansions of the ids in them (https://docs.stripe.com/api/pagination, .../expanding_objects)."""

from collections import deque
from collections.abc import Callable
from itertools import islice, takewhile
from typing import Any

from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.forms import integer, positive
from deploy.fake_stripe.refusals import invalid
from deploy.fake_stripe.values import EXPAND_DEPTH_MAX, LIMIT_MAX

_SOURCES = {
    "ch": "charge", "re": "refund", "dp": "dispute", "po": "payout", "fee": "application_fee", "fr": "fee_refund",
}  # fmt: skip

_EXPANDABLE: dict[str, dict[str, str]] = {
    "account": {},
    "application_fee": {},
    "balance": {},
    "balance_transaction": {"source": "source"},
    "charge": {
        "application": "", "application_fee": "", "balance_transaction": "balance_transaction", "customer": "customer",
        "failure_balance_transaction": "balance_transaction", "on_behalf_of": "", "payment_intent": "payment_intent",
        "refunds": "", "review": "", "source_transfer": "", "transfer": "",
    },
    "customer": {},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "event": {},
    "fee_refund": {},
    "payment_intent": {
        "application": "", "customer": "customer", "latest_charge": "charge", "on_behalf_of": "",
        "payment_method": "payment_method", "review": "", "source": "",
    },
    "payment_method": {"customer": "customer"},
    "payout": {
        "application_fee": "", "balance_transaction": "balance_transaction", "destination": "",
        "failure_balance_transaction": "balance_transaction", "original_payout": "payout", "reversed_by": "payout",
    },
    "refund": {
        "balance_transaction": "balance_transaction", "charge": "charge", "customer": "",
        "failure_balance_transaction": "balance_transaction", "payment_intent": "payment_intent", "payment_method": "",
        "source_transfer_reversal": "", "transfer_reversal": "",
    },
    "setup_intent": {
        "application": "", "customer": "customer", "latest_attempt": "", "mandate": "", "on_behalf_of": "",
        "payment_method": "payment_method", "single_use_mandate": "",
    },
    "webhook_endpoint": {},
}  # fmt: skip
"""What can be expanded, by the object it is in, and the kind that it names; empty: nothing of that kind is served here."""


def check_expand(kind: str, paths: Any, *, is_list: bool) -> None:
    """Refuse expansions of what a call answers with, before it does anything.

    Raises:
        Refusal: for a path that leads nowhere, or too deep.
    """
    if not isinstance(paths, list):
        raise invalid("Invalid array", param="expand")
    for path in paths:
        names = str(path).split(".")
        if len(names) > EXPAND_DEPTH_MAX:
            raise invalid("You cannot expand more than 4 levels of a property.", param="expand")
        if is_list and names.pop(0) != "data":
            raise _not_expandable(path)
        here = kind
        for name in names or [""]:
            if here == "source":
                # Of one of several kinds, and each refuses what it does not have once it is there.
                break
            if name not in _EXPANDABLE.get(here, {}):
                raise _not_expandable(path)
            here = _EXPANDABLE[here][name]


def expanded(books: Books, thing: Object, paths: list[str]) -> Object:
    """Copy an object with the ids on some paths (`latest_charge.balance_transaction`) replaced by what they name."""
    copy: Object = dict(thing)
    for path in paths:
        if thing.get("object") in {"list", "search_result"}:
            rest = path.partition(".")[2]
            copy["data"] = [expanded(books, each, [rest]) for each in copy["data"]]
        else:
            _expand(books, copy, path)
    return copy


def _expand(books: Books, copy: Object, path: str) -> None:
    name, _, rest = path.partition(".")
    value = copy.get(name)
    if name == "refunds":
        found = [each for each in reversed(books.refunds.values()) if each["charge"] == copy["id"]]
        url = f"/v1/charges/{copy['id']}/refunds"
        copy[name] = {"object": "list", "data": found[:10], "has_more": len(found) > 10, "url": url}
        return
    if isinstance(value, dict):
        copy[name] = expanded(books, value, [rest]) if rest else value
        return
    kind = _EXPANDABLE[copy["object"]].get(name, "")
    if kind == "source" and isinstance(value, str):
        kind = _SOURCES.get(value.partition("_")[0], "")
    if kind == "fee_refund" and value not in books.fee_refunds:
        # The platform's object, which the account that had paid the fee does not have.
        return
    if isinstance(value, str) and kind:
        copy[name] = expanded(books, books.find(kind, value), [rest] if rest else [])


def _not_expandable(path: str) -> Exception:
    return invalid(
        f"This property cannot be expanded ({path}). You may want to try expanding a property of 'data.{path}'.",
        param="expand",
    )


def page(books: Books, kind: str, url: str, params: dict[str, Any], keep: Callable[[Object], bool]) -> Object:
    """List objects as Stripe does: newest first, from behind `starting_after` or before `ending_before`, at most `limit`.

    Raises:
        Refusal: when the limit is not one, or a cursor names nothing.
    """
    limit = positive(params, "limit", default=10)
    if limit > LIMIT_MAX:
        raise invalid(
            f"This value must be less than or equal to {LIMIT_MAX}.", param="limit", code="parameter_invalid_integer"
        )
    shelf = books.shelf(kind)
    windows = [_window(params, name) for name in ("created", "arrival_date") if name in params]
    after, before = params.get("starting_after"), params.get("ending_before")
    if after is not None and before is not None:
        raise invalid("You cannot use both starting_after and ending_before.", param="starting_after")
    newest_first = reversed(shelf.values())
    if after is not None or before is not None:
        name, cursor = ("starting_after", after) if before is None else ("ending_before", before)
        books.find(kind, str(cursor), param=name)
        # The cursor's own place, whether or not the filters keep it.
        newer = takewhile(lambda each: each["id"] != cursor, newest_first)
        if before is None:
            deque(newer, maxlen=0)
        else:
            newest_first = newer
    # What a list shows stands in the order of its creation.
    since = _least(params)
    kept = (
        each
        for each in takewhile(lambda each: each["created"] >= since, newest_first)
        if keep(each) and all(inside(each) for inside in windows)
    )
    if before is None:
        found = list(islice(kept, limit + 1))
        return {"object": "list", "url": url, "has_more": len(found) > limit, "data": found[:limit]}
    found = list(kept)
    return {"object": "list", "url": url, "has_more": len(found) > limit, "data": found[-limit:]}


def _least(params: dict[str, Any]) -> int:
    """Return the instant before which nothing is shown."""
    given = params.get("created")
    if not isinstance(given, dict):
        return 0 if given is None else integer(params, "created")
    return max((integer(given, bound) for bound in ("gt", "gte") if bound in given), default=0)


def _window(params: dict[str, Any], name: str) -> Callable[[Object], bool]:
    given = params[name]
    if not isinstance(given, dict):
        at = integer(params, name)
        return lambda each: bool(each[name] == at)
    bounds = {bound: integer(given, bound) for bound in given}
    if unknown := set(bounds) - {"gt", "gte", "lt", "lte"}:
        bound = min(unknown)
        raise invalid(
            f"Received unknown parameter: {name}[{bound}]", param=f"{name}[{bound}]", code="parameter_unknown"
        )

    def inside(each: Object) -> bool:
        at = each[name]
        return bool(
            at > bounds.get("gt", at - 1)
            and at >= bounds.get("gte", at)
            and at < bounds.get("lt", at + 1)
            and at <= bounds.get("lte", at)
        )

    return inside
