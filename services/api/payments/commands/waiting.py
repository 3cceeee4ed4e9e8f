"""Waiting for the processor: a request waits, bounded, for the answer that a consumer writes under the request's key.

A consumer of this process hands its answers over as soon as they are committed. Those that another process wrote are read
from the rows of their keys, by one statement for all who have waited for longer than an answer takes that is handed over.
Either way a client receives exactly the bytes that a replay will repeat.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, perf_counter
from uuid import UUID

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import BrokenInvariant
from services.api import metrics
from services.api.idempotency import Answer, Claim
from services.api.idempotency import keys as store

_POLL_SECONDS = 0.05
"""How often the rows of the keys are read while somebody waits, and how long somebody waits at least before that."""
_PATIENCE_MAX_SECONDS = 0.25
"""After so long the row of a key is read whatever else; twice the usual time of an answer that is handed over, if that is less."""
_RECENT = 0.1
"""The weight of the last answer in what is usual."""

type _Key = tuple[str, str, str]
type _Subject = tuple[str, UUID]


class Answers:
    """Everybody in this process who waits for an answer under a key."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        timeout_seconds: float,
        waiting_max: int = 500,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._now = now
        self._began: dict[_Key, float] = {}
        self._usual_seconds = 0.0
        self._database = database
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._waiting_max = waiting_max
        self._waiters = 0
        self._waiting: dict[_Key, set[asyncio.Future[Answer]]] = {}
        self._keys: dict[_Subject, list[_Key]] = {}
        self._since: dict[_Key, int] = {}
        self._somebody = asyncio.Event()

    @contextmanager
    def expecting(self, claim: Claim, subject_id: UUID) -> Iterator[asyncio.Future[Answer]]:
        """Wait for the answer under the key of `claim`: enter before the key is written, so that none is missed.

        `subject_id` is what the answer will be about: the intent, or a refund.
        """
        key, subject = (claim.tenant_id, claim.operation, claim.key), (claim.tenant_id, subject_id)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        together = self._waiting.setdefault(key, set())
        together.add(waiting)
        self._began.setdefault(key, self._now())
        self._keys.setdefault(subject, []).append(key)
        self._somebody.set()
        try:
            yield waiting
        finally:
            together.discard(waiting)
            if not together and self._waiting.get(key) is together:
                del self._waiting[key]
                self._since.pop(key, None)
                self._began.pop(key, None)
            of_subject = self._keys[subject]
            of_subject.remove(key)
            if not of_subject:
                del self._keys[subject]
            if not self._waiting:
                self._somebody.clear()

    async def wait(self, waiting: "asyncio.Future[Answer]", claim: Claim, *, since: int, otherwise: Answer) -> Answer:
        """Wait, bounded, for an answer; when none comes in time, or too many wait already, `otherwise` is the answer.

        `since` is the version of the payment from which on it is awaited: what was decided before answers another request.
        """
        self._since[claim.tenant_id, claim.operation, claim.key] = since
        if self._waiters >= self._waiting_max and not waiting.done():
            metrics.waited("too_many").observe(0)
            return await self.answer_unless_answered(claim, otherwise=otherwise)
        started = perf_counter()
        self._waiters += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await waiting
        except TimeoutError:
            metrics.waited("timed_out").observe(perf_counter() - started)
            return await self.answer_unless_answered(claim, otherwise=otherwise)
        finally:
            self._waiters -= 1
        metrics.waited("answered").observe(perf_counter() - started)
        return answer

    async def answer_unless_answered(self, claim: Claim, *, otherwise: Answer) -> Answer:
        """Answer a key that is in progress, unless it has an answer by now: whichever was written first counts."""
        if await store.complete(self._database, claim, otherwise, at=self._clock.now()):
            return otherwise
        record = await store.find(self._database, claim)
        if record is None or record.answer is None:
            raise BrokenInvariant(f"the key of {claim.operation} has no answer although it was completed")
        return record.answer

    def hand_over(self, tenant_id: str, subject_id: UUID, answer: Answer, *, version: int) -> None:
        """Give a committed answer to whoever waits for it in this process; nobody need.

        `version` is that of the payment which it shows. A request that was decided on this version, or later, waits for another
        answer; one that has not begun to wait finds its own in the row of its key. The row of every other key in progress has it.
        """
        for key in set(self._keys.get((tenant_id, subject_id), ())):
            if version > self._since.get(key, version):
                now = self._now()
                self._usual_seconds += _RECENT * (now - self._began.get(key, now) - self._usual_seconds)
                self._resolve(key, answer)

    async def run(self) -> None:
        """Hand out the answers that other processes wrote, until cancelled."""
        while True:
            await self._somebody.wait()
            await asyncio.sleep(_POLL_SECONDS)
            if late := self.late():
                self.found(await store.answered(self._database, late))

    def found(self, answers: Mapping[_Key, Answer]) -> None:
        """Give out answers that were read from the rows of their keys."""
        if any(not waiting.done() for key in answers for waiting in self._waiting.get(key, ())):
            # Written by another process, as more will be: they are looked up as soon as may be again.
            self._usual_seconds = 0.0
        for key, answer in answers.items():
            self._resolve(key, answer)

    def late(self) -> list[tuple[str, str, str]]:
        """Return the keys (tenant, operation, key) whose answer another process may have written, since nobody hands it over."""
        patience = min(max(2 * self._usual_seconds, _POLL_SECONDS), _PATIENCE_MAX_SECONDS)
        until = self._now() - patience
        return [key for key, began in self._began.items() if began <= until]

    def _resolve(self, key: _Key, answer: Answer) -> None:
        for waiting in self._waiting.get(key, ()):
            if not waiting.done():
                waiting.set_result(answer)
