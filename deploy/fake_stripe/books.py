"""One account: its objects as Stripe shows them, and the events about them."""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any

from deploy.fake_stripe.refusals import Refusal, missing

API_VERSION = "2026-10-28.endive"
"""The version whose shapes are spoken; the one that the gateway pins."""

type Object = dict[str, Any]
"""An API object, as it stands in JSON."""


def now() -> int:
    """The time as Stripe writes it, in whole seconds."""
    return int(time.time())


def new_id(prefix: str) -> str:
    """Mint an identifier: `pi_`, `ch_`, `re_` and 24 characters."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Books:
    """Everything that one account knows, newest last."""

    def __init__(self, api_key: str, announce: Callable[["Books", Object], None]) -> None:
        self.api_key = api_key
        self.account_id = f"acct_{hashlib.sha256(api_key.encode()).hexdigest()[:16]}"
        self._announce = announce
        self.payment_intents: dict[str, Object] = {}
        self.charges: dict[str, Object] = {}
        self.refunds: dict[str, Object] = {}
        self.balance_transactions: dict[str, Object] = {}
        self.disputes: dict[str, Object] = {}
        self.payouts: dict[str, Object] = {}
        self.events: dict[str, Object] = {}
        self.webhook_endpoints: dict[str, Object] = {}

    def find(self, kind: str, identifier: str) -> Object:
        """Look an object up by its kind (`payment_intent`) and id.

        Raises:
            Refusal: when there is none.
        """
        shelf: dict[str, Object] = getattr(self, f"{kind}s")
        try:
            return shelf[identifier]
        except KeyError as fault:
            raise missing(kind, identifier) from fault

    def page(self, kind: str, url: str, params: dict[str, Any], keep: Callable[[Object], bool]) -> Object:
        """List objects as Stripe does: newest first, from behind `starting_after`, at most `limit`.

        Raises:
            Refusal: when the limit is not one.
        """
        shelf: dict[str, Object] = getattr(self, f"{kind}s")
        try:
            limit = int(params.get("limit", 10))
        except ValueError as fault:
            raise Refusal(400, "Invalid integer", param="limit", is_executed=False) from fault
        window = params.get("created")
        since = int(window.get("gte", 0)) if isinstance(window, dict) else 0
        found = [each for each in reversed(shelf.values()) if keep(each) and each["created"] >= since]
        if after := params.get("starting_after"):
            ids = [each["id"] for each in found]
            found = found[ids.index(after) + 1 :] if after in ids else []
        return {"object": "list", "url": url, "data": found[:limit], "has_more": len(found) > limit}

    def expanded(self, shown: Object, expand: list[str]) -> Object:
        """Copy an object with some of the ids in it replaced by what they name."""
        copy: dict[str, Any] = dict(shown)
        for path in expand:
            name, _, rest = path.partition(".")
            kind = {"latest_charge": "charge"}.get(name, name)
            named: Any = copy.get(name)
            if isinstance(named, str) and hasattr(self, f"{kind}s"):
                copy[name] = self.expanded(self.find(kind, named), [rest] if rest else [])
        return copy

    def record(self, kind: str, about: Object) -> None:
        """Record an event with the object as it stands now, and send it to the webhook endpoints."""
        event: Object = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": now(),
            "data": {"object": _frozen(about)},
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self.events[event["id"]] = event
        self._announce(self, event)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return [_frozen(each) for each in value] if isinstance(value, list) else value
