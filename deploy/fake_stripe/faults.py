"""Bad days on cue: each fault says which requests it befalls, what happens to them, and how often."""

import random
from enum import StrEnum
from typing import Any

import msgspec


class FaultKind(StrEnum):
    """What happens to a request."""

    DROP_BEFORE = "drop_before"
    """The connection is cut before anything runs."""
    DROP_AFTER = "drop_after"
    """It runs, and the connection is cut instead of an answer."""
    HANG_AFTER = "hang_after"
    """It runs, and the answer comes `seconds` later: after the caller's patience."""
    SLOW = "slow"
    """It runs `seconds` later."""
    ERROR_BEFORE = "error_before"
    """`status` is answered and nothing runs: a broken load balancer, whose body is HTML. No key remembers it."""
    DROP_WITHIN = "drop_within"
    """It runs, and the connection is cut after `at_byte` bytes of the answer, headers included."""
    ERROR_AFTER = "error_after"
    """It runs, and 500 is answered, which the key keeps: the same request gives the same 500 from then on."""
    RATE_LIMIT = "rate_limit"
    """429 with `Retry-After: seconds`, too many calls of the account; nothing runs."""
    ENDPOINT_LIMIT = "endpoint_limit"
    """The same of the endpoint: `endpoint-rate`; nothing runs."""
    LOCK_TIMEOUT = "lock_timeout"
    """429 with the code `lock_timeout`, because another request uses the object; nothing runs."""
    KEY_IN_USE = "key_in_use"
    """409 `idempotency_key_in_use`, as while the first request with the key still runs; nothing runs."""
    UNAUTHORIZED = "unauthorized"
    """401 with the code `api_key_expired`: the key was rolled; nothing runs."""
    FORBIDDEN = "forbidden"
    """403, a restricted key without the permission; nothing runs."""
    CARD_ERROR = "card_error"
    """402 with `code` and `decline_code`, whatever the state of the payment, and nothing changes; the key keeps it."""
    CARD = "card"
    """Nothing but that the payment method is taken for `card`, so that an amount can cue an issuer's answer."""


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One kind of trouble, and whom it befalls; what is left out befalls everybody."""

    kind: FaultKind
    """What happens."""
    method: str = "POST"
    """Requests of this method."""
    path: str = ""
    """Requests whose path has this in it: `/capture`."""
    amount: int | None = None
    """Requests with this `amount`, or `amount_to_capture`."""
    share: float = 1.0
    """The part of these requests, drawn at random: 0.1 is every tenth, a partial outage."""
    times: int | None = None
    """How many requests, then it is over; None: until the faults are cleared."""
    status: int = 503
    """What a broken load balancer answers."""
    seconds: float = 1.0
    """How long it takes, or which wait it requests."""
    at_byte: int = 0
    """After how many bytes of the answer the connection is cut."""
    should_retry: bool | None = None
    """What `Stripe-Should-Retry` says; None: `false` with a 500 that the key keeps, nothing otherwise."""
    code: str = "card_declined"
    """The code of a card error."""
    decline_code: str = ""
    """The issuer's reason beside it."""
    card: str = ""
    """The payment method that stands in, whatever else happens; empty: the one that was sent."""

    def befalls(self, *, method: str, path: str, params: dict[str, Any], draw: float) -> bool:
        """Tell whether a request meets this fault."""
        if self.times == 0 or self.method != method or self.path not in path or draw >= self.share:
            return False
        return self.amount is None or str(self.amount) in {params.get("amount"), params.get("amount_to_capture")}


class Faults:
    """What goes wrong at present; the first fault that fits befalls a request."""

    def __init__(self, *, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - not a secret, and the same every time
        self._faults: list[Fault] = []
        self.met: dict[str, int] = {}
        """How many requests each kind of fault has befallen."""

    def add(self, fault: Fault) -> None:
        """Let something go wrong from now on."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Let everything go well again."""
        self._faults.clear()

    def draw(self, *, method: str, path: str, params: dict[str, Any]) -> Fault | None:
        """Choose what befalls a request."""
        for fault in self._faults:
            if fault.befalls(method=method, path=path, params=params, draw=self._random.random()):
                if fault.times is not None:
                    fault.times -= 1
                self.met[fault.kind] = self.met.get(fault.kind, 0) + 1
                return fault
        return None
