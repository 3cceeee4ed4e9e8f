"""What a process does unasked: loops from start to stop, and workers on a clock. What fails is run again, and seen."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import Any

import msgspec

from libs.common import outages
from libs.common.errors import PlatformError
from libs.common.observability import metrics
from libs.common.observability.correlation import Correlation, adopt, new_correlation_id
from libs.common.observability.logging import get_logger
from libs.common.tasks import stop_if_cancelled

log = get_logger("background")

_PAUSES_SECONDS = (0.5, 1.0, 5.0, 30.0)
"""Pauses before a worker or loop that failed is run again."""
_HEALTHY_SECONDS = 60.0
"""A loop that ran this long is not in the same trouble as before: its next pause is the first again."""
_TROUBLE_FAILURES = 3
"""Failures in a row from which on it is reported to an operator: an outage of a moment is over by then."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """Something done unasked, on our own clock."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[Any]]
    is_due_at_start: bool = False
    """Whether it also runs when the process starts, and not only once the first interval is over."""


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """Something that runs from start to stop by itself."""

    name: str
    run: Callable[[], Awaitable[Any]]


class Background:
    """Keeps loops and workers running, and knows which of them fail."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._began: dict[str, float] = {}

    def start(self, loops: Iterable[Loop], workers: Iterable[Worker]) -> list[asyncio.Task[None]]:
        """Start each as a task that ends when it is cancelled."""
        return [
            *(asyncio.create_task(self._keep(loop), name=loop.name) for loop in loops),
            *(
                asyncio.create_task(self._keep(self._repeated(worker), is_worker=True), name=worker.name)
                for worker in workers
            ),
        ]

    @property
    def trouble(self) -> str:
        """Which loops and workers do not get their work done, in words for an operator; empty when all do."""
        failing = [
            f"{name} failed {failures} times in a row"
            for name, failures in sorted(self._failures.items())
            if failures >= _TROUBLE_FAILURES and not self._is_healthy(name)
        ]
        return f"{', '.join(failing)}: see loop.paused and loop.failed in the log" if failing else ""

    def _is_healthy(self, name: str) -> bool:
        # Only of a loop says its age something: a worker's is mostly the wait for its next turn.
        return name in self._began and perf_counter() - self._began[name] > _HEALTHY_SECONDS

    async def _keep(self, loop: Loop, *, is_worker: bool = False) -> None:
        """Run a loop for the life of the process: what fails is logged and run again, a little later each time."""
        pauses = 0
        while True:
            started = perf_counter()
            if not is_worker:
                self._began[loop.name] = started
            try:
                await loop.run()
            except Exception as fault:
                stop_if_cancelled()
                is_outage = outages.is_outage(fault) or outages.is_contention(fault)
                if is_outage:
                    log.warning("loop.paused", loop=loop.name, reason=outages.cause_of(fault.__cause__ or fault))
                elif isinstance(fault, PlatformError):
                    log.error("loop.failed", loop=loop.name, reason=fault.detail)
                else:
                    log.error("loop.failed", loop=loop.name, exc_info=True)
            else:
                return
            before = 0 if self._is_healthy(loop.name) else self._failures.get(loop.name, 0)
            self._count(loop.name, before + 1)
            # An outage is nobody's fault: what was paused goes on soon after its end.
            if is_outage or perf_counter() - started > _HEALTHY_SECONDS:
                pauses = min(pauses, 1) if is_outage else 0
            await asyncio.sleep(_PAUSES_SECONDS[min(pauses, len(_PAUSES_SECONDS) - 1)])
            pauses += 1

    def _repeated(self, worker: Worker) -> Loop:
        async def once() -> None:
            # Each round is a cause of its own, for whoever reads the log. It is kept after the round, of whose failure `_keep` writes.
            adopt(Correlation(correlation_id=new_correlation_id()))
            await worker.run()
            self._count(worker.name, 0)

        async def run() -> None:
            if worker.is_due_at_start:
                await once()
            while True:
                # Jitter, so that several processes do not all work at the same moment.
                await asyncio.sleep(worker.every_seconds * random.uniform(0.9, 1.1))  # noqa: S311 - not a secret
                await once()

        return Loop(name=worker.name, run=run)

    def _count(self, name: str, failures: int) -> None:
        self._failures[name] = failures
        metrics.LOOP_FAILURES.labels(name).set(failures)
