"""Idempotency keys, with Stripe's rules (https://docs.stripe.com/api/idempotent_requests).

Once an endpoint has begun, its status and body are kept under the key, whatever they are, 500 included, and are given to
whoever sends it again with the same parameters. Other parameters are an `idempotency_error`; a request that is still running
is a 409. What was refused before anything ran, such as a wrong parameter or a rate limit, is not kept. Keys belong to an
account and mode, whichever of its API keys is used, and are forgotten after a day.
"""

import hashlib
from typing import Any

import msgspec

from deploy.fake_stripe.refusals import Refusal

_KEY_MAX = 255
_KEPT_SECONDS = 86_400
"""Stripe removes keys once they are at least a day old."""


class Answer(msgspec.Struct, kw_only=True):
    """What is sent back."""

    status: int
    body: Any
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class _Kept(msgspec.Struct, kw_only=True):
    fingerprint: str
    at: int
    """When the first request came."""
    answer: Answer | None = None
    """None while the first request is still running."""


def key_in_use() -> Refusal:
    """The first request with a key still runs."""
    return Refusal(
        409,
        "There is currently another in-progress request using this Stripe-Idempotency-Key (that probably means you submitted "
        "twice, and the other request is still going through). Please try again later.",
        kind="idempotency_error",
        code="idempotency_key_in_use",
        headers={"Stripe-Should-Retry": "true"},
        is_executed=False,
    )


class Keys:
    """The keys that one server remembers, of all accounts."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}

    def begin(self, account: str, key: str, *, path: str, raw: bytes, now: int) -> Answer | None:
        """Take a key for a request, or return the answer that it led to before.

        Raises:
            Refusal: when the key was used for something else, or is in use at this moment.
        """
        if len(key) > _KEY_MAX:
            raise Refusal(
                400, "Idempotency keys are at most 255 characters.", kind="idempotency_error", is_executed=False
            )
        fingerprint = hashlib.sha256(path.encode() + b"\n" + raw).hexdigest()
        kept = self._kept.get((account, key))
        if kept is None or (kept.answer is not None and kept.at + _KEPT_SECONDS <= now):
            self._kept[account, key] = _Kept(fingerprint=fingerprint, at=now)
            return None
        if kept.fingerprint != fingerprint:
            raise Refusal(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                kind="idempotency_error",
                is_executed=False,
            )
        if kept.answer is None:
            raise key_in_use()
        return Answer(
            status=kept.answer.status,
            body=kept.answer.body,
            headers=kept.answer.headers | {"Idempotent-Replayed": "true"},
        )

    def keep(self, account: str, key: str, answer: Answer) -> None:
        """Remember what a key led to."""
        self._kept[account, key].answer = answer

    def let_go(self, account: str, key: str) -> None:
        """Forget a key whose request was refused before anything ran."""
        del self._kept[account, key]
