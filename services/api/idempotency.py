"""The same request twice takes effect once: keys, fingerprints and replays.

    no key yet, or expired      the request runs, and claims the key in the transaction of its effect
    key answered                the stored answer again, byte for byte
    key in progress             409, try again; once its holder's lease has ended, the key is taken over and resumed
    key of another request      422, whatever its state

The key's row is the truth. It is written by the command itself, in the statement that writes the business rows, so a
crash at any moment leaves either nothing or the complete effect together with its answer.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from services.api import metrics
from services.api.errors import IdempotencyKeyReused
from services.api.errors.problems import refusal
from services.api.store import Answer, Claim, keys

_KEY = re.compile(r"[!-~]{1,255}\Z")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"\Z')
_LEASE_MARGIN_SECONDS = 30
"""How much longer than the longest request a key is believed to be in good hands."""
_TRIES_MAX = 3
"""How often a request is run anew because the key it met had vanished when it was looked at."""


class Given(msgspec.Struct, frozen=True):
    """An answer, and whether it is a repetition."""

    answer: Answer
    replayed: bool


def normalise_key(header: str | None) -> str | None:
    """Read an `Idempotency-Key`: bare, or quoted as the IETF draft writes it; both name the same key.

    None when it is missing or not 1 to 255 visible ASCII characters.
    """
    if header is None:
        return None
    text = header.strip()
    quoted = _QUOTED.match(text)
    if quoted:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    return text if _KEY.match(text) else None


def fingerprint(operation: str, meaning: msgspec.Struct | None) -> bytes:
    """Digest what is asked: the same meaning, however its JSON was written, has the same fingerprint."""
    body = msgspec.json.encode(meaning, order="sorted")
    return hashlib.sha256(operation.encode() + b"\n" + body).digest()


class Idempotency:
    """Runs each request once per key and replays its answer."""

    def __init__(self, database: Database, *, clock: Clock, ttl_seconds: int, request_timeout_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._ttl = timedelta(seconds=ttl_seconds)
        self._lease = timedelta(seconds=request_timeout_seconds + _LEASE_MARGIN_SECONDS)

    def claim(self, *, tenant_id: str, operation: str, key: str, meaning: msgspec.Struct | None) -> Claim:
        """Say what is asked under which key; nothing is written yet."""
        now = self._clock.now()
        return Claim(
            tenant_id=tenant_id,
            operation=operation,
            key=key,
            fingerprint=fingerprint(operation, meaning),
            claimed_at=now,
            lease_until=now + self._lease,
            expires_at=now + self._ttl,
        )

    async def run(
        self,
        claim: Claim,
        first: Callable[[], Awaitable[Answer | None]],
        *,
        resume: Callable[[], Awaitable[Answer]] | None = None,
    ) -> Given:
        """Run `first`, which answers None when the key is held by another request; then replay, refuse or resume.

        Raises:
            IdempotencyKeyReused: when the key belongs to a different request.
            HttpProblem: 409 while the first request under this key is at work.
        """
        for _ in range(_TRIES_MAX):
            answer = await first()
            if answer is not None:
                metrics.IDEMPOTENCY.labels("new").inc()
                return Given(answer, replayed=False)
            record = await keys.find(self._database, claim)
            if record is None or record.expires_at <= claim.claimed_at:
                continue
            if record.fingerprint != claim.fingerprint:
                metrics.IDEMPOTENCY.labels("mismatch").inc()
                raise IdempotencyKeyReused
            if record.answer is not None:
                metrics.IDEMPOTENCY.labels("replay").inc()
                return Given(record.answer, replayed=True)
            if resume is not None and record.lease_until <= claim.claimed_at:
                if await keys.take_over(self._database, claim):
                    metrics.IDEMPOTENCY.labels("takeover").inc()
                    return Given(await resume(), replayed=True)
                continue
            break
        metrics.IDEMPOTENCY.labels("in_flight").inc()
        raise refusal(
            "idempotency_in_progress",
            "the first request with this Idempotency-Key is still being answered; try again",
            headers={"Retry-After": "1"},
        )
