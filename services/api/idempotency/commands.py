"""The same request twice takes effect once: keys, fingerprints and replays.

    no key yet, or expired      the request runs, and takes the key in the transaction of its effect
    key answered                the stored answer again, byte for byte
    key in progress             409, try again; once its holder's lease has ended, the key is taken over and resumed
    key of another request      422, whatever its state

The key's row is the truth. It is written by the command itself, in the statement that writes the business rows, so a
crash at any moment leaves either nothing or the complete effect together with its answer. What another service does is
claimed first, in progress, and answered when it is done (`routes/keyed.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import IdempotencyKeyReused
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.http.errors import IdempotencyInProgress
from services.api.idempotency import sql as keys
from services.api.idempotency.domain import Answer, Claim, Given, earlier_fingerprint, fingerprint

log = get_logger("api.idempotency")

_LEASE_MARGIN_SECONDS = 30
"""How much longer than the longest request a key is taken to be in progress."""
_TRIES_MAX = 3
"""How often a request is run anew because the key it met had vanished when it was looked at."""


class Idempotency:
    """Runs each request once per key and replays its answer."""

    def __init__(self, database: Database, *, clock: Clock, ttl_seconds: int, request_timeout_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._ttl = timedelta(seconds=ttl_seconds)
        self._lease = timedelta(seconds=request_timeout_seconds + _LEASE_MARGIN_SECONDS)

    def claim(
        self,
        *,
        tenant_id: str,
        operation: str,
        key: str,
        body: bytes,
        meaning: Mapping[str, object] | msgspec.Struct | None = None,
    ) -> Claim:
        """State what is requested under which key; nothing is written yet.

        `meaning` is what version 0.1 made its fingerprint of, for the operations that it had.
        """
        now = self._clock.now()
        return Claim(
            tenant_id=tenant_id,
            operation=operation,
            key=key,
            fingerprint=fingerprint(operation, body),
            fingerprint_earlier=earlier_fingerprint(operation, meaning),
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
            IdempotencyInProgress: while the first request under this key is at work.
        """
        for _ in range(_TRIES_MAX):
            answer = await first()
            if answer is not None:
                metrics.keyed("new").inc()
                return Given(answer, replayed=False)
            record = await keys.find(self._database, claim)
            if record is None or record.expires_at <= claim.claimed_at:
                continue
            if record.fingerprint not in (claim.fingerprint, claim.fingerprint_earlier):
                metrics.keyed("mismatch").inc()
                raise IdempotencyKeyReused("this Idempotency-Key was already used with a different request")
            if record.answer is not None:
                metrics.keyed("replay").inc()
                return Given(record.answer, replayed=True)
            if resume is not None and record.lease_until <= claim.claimed_at:
                if await keys.take_over(self._database, claim):
                    metrics.keyed("takeover").inc()
                    return Given(await resume(), replayed=True)
                continue
            break
        metrics.keyed("in_flight").inc()
        raise IdempotencyInProgress

    async def begin(self, claim: Claim, *, subject_id: UUID) -> bool:
        """Claim a key, committed, before another service does the work; False when another request holds it."""
        return await keys.begin(self._database, claim, subject_id=subject_id)

    async def subject_of(self, claim: Claim) -> UUID | None:
        """Look up what the request that came first under a key is about."""
        return await keys.subject_of(self._database, claim)

    async def is_taken(self, claim: Claim) -> bool:
        """Look up whether a request came first under a key, and the key has not expired since."""
        record = await keys.find(self._database, claim)
        return record is not None and record.expires_at > claim.claimed_at

    async def complete(self, claim: Claim, answer: Answer) -> None:
        """Keep the answer of work that was done. Where it cannot be kept, a repetition requests the same work again."""
        try:
            await keys.complete(self._database, claim, answer, at=self._clock.now())
        except Exception:
            log.warning("idempotency_key.not_completed", operation=claim.operation, exc_info=True)

    async def let_go(self, claim: Claim, *, subject_id: UUID, is_free: bool) -> None:
        """Free a key under which nothing was done, or let a repetition take over at once; else its lease ends by itself."""
        try:
            if is_free:
                await keys.free(self._database, claim, subject_id=subject_id)
            else:
                await keys.end_lease(self._database, claim, subject_id=subject_id)
        except Exception:
            log.warning("idempotency_key.not_let_go", operation=claim.operation, exc_info=True)
