"""One account in one mode: its objects as Stripe shows them, and the events about them."""

import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from deploy.fake_stripe.clock import Clock
from deploy.fake_stripe.refusals import missing
from deploy.fake_stripe.settings import Settings
from deploy.fake_stripe.values import EVENTS_SECONDS

type Object = dict[str, Any]
"""An API object, as it stands in JSON; a member whose name begins with `_` is ours and never shown."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """The request that events come from; without one, Stripe itself did it."""

    request_id: str | None = None
    idempotency_key: str | None = None
    version: str = ""
    """The `Stripe-Version` of the request; empty: the account's default."""


def new_id(prefix: str) -> str:
    """Mint an identifier: `pi_`, `ch_`, `re_` and 24 characters."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Books:
    """Everything that one account knows in one mode, newest last."""

    def __init__(
        self,
        account_id: str,
        *,
        livemode: bool,
        settings: Settings,
        clock: Clock,
        announce: Callable[["Books", Object], None],
    ) -> None:
        self.account_id = account_id
        self.livemode = livemode
        self.settings = settings
        self.clock = clock
        self.cause = Cause()
        """The request that is being answered."""
        self.other_mode: Books | None = None
        """The same account in the other mode, once somebody has used it."""
        self.platform: Books | None = None
        """The platform that the account is connected to, in this mode."""
        self.pages = "https://hooks.stripe.com"
        """Where customers are sent to prove who they are."""
        self._announce = announce
        self.payment_intents: dict[str, Object] = {}
        self.payment_methods: dict[str, Object] = {}
        self.customers: dict[str, Object] = {}
        self.setup_intents: dict[str, Object] = {}
        self.charges: dict[str, Object] = {}
        self.refunds: dict[str, Object] = {}
        self.balance_transactions: dict[str, Object] = {}
        self.disputes: dict[str, Object] = {}
        self.payouts: dict[str, Object] = {}
        self.application_fees: dict[str, Object] = {}
        self.fee_refunds: dict[str, Object] = {}
        self.events: dict[str, Object] = {}
        self.webhook_endpoints: dict[str, Object] = {}
        self.event_destinations: dict[str, Object] = {}

    @property
    def version(self) -> str:
        """The version of the API that the present request is answered in."""
        return self.cause.version or self.settings.api_version

    @property
    def bank_account(self) -> str:
        """The id of the bank account that payouts go to."""
        return f"ba_{self.account_id.removeprefix('acct_')}"

    def now(self) -> int:
        """The time of the stand-in."""
        return self.clock.now()

    def shelf(self, kind: str) -> dict[str, Object]:
        """All objects of a kind (`payment_intent`) by id, oldest first; those that can still be read."""
        found: dict[str, Object] = getattr(self, f"{kind}s")
        if kind != "event":
            return found
        since = self.now() - EVENTS_SECONDS
        if not found or next(iter(found.values()))["created"] >= since:
            return found
        return {name: each for name, each in found.items() if each["created"] >= since}

    def find(self, kind: str, identifier: str, *, param: str = "") -> Object:
        """Look an object up by its kind (`payment_intent`) and id.

        Raises:
            Refusal: when this account has none of this id in this mode.
        """
        found: dict[str, Object] = getattr(self, f"{kind}s")
        thing = found.get(identifier)
        if thing is None or (kind == "event" and thing["created"] < self.now() - EVENTS_SECONDS):
            elsewhere = self.other_mode is not None and identifier in getattr(self.other_mode, f"{kind}s")
            mode = ("test" if self.livemode else "live") if elsewhere else ""
            raise missing(kind, identifier, param=param, elsewhere=mode)
        return thing

    def record(self, kind: str, about: Object, *, previous: Object | None = None) -> None:
        """Record an event with the object as it stands now, and send it to the webhook endpoints."""
        data: Object = {"object": shown(about)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Object = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": self.settings.api_version,
            "created": self.now(),
            "data": data,
            "livemode": self.livemode,
            "pending_webhooks": 0,
            "request": {"id": self.cause.request_id, "idempotency_key": self.cause.idempotency_key},
            "type": kind,
            "_waiting": set(),
        }
        self.events[event["id"]] = event
        self.announce(event)

    def announce(self, event: Object) -> None:
        """Send an event to whoever is to receive it."""
        self._announce(self, event)


def shown(value: Any) -> Any:
    """Copy what is shown of a value: all but the members that are ours."""
    if isinstance(value, dict):
        return {
            name: shown(each) if isinstance(each, dict | list) else each
            for name, each in value.items()
            if not name.startswith("_")
        }
    return [shown(each) for each in value] if isinstance(value, list) else value
