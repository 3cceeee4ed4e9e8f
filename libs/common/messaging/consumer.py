"""The pack consumer: one transaction for what waits, then acknowledge; on failure split until the bad event is alone."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import partial

from libs.common.contracts import Message
from libs.common.db import Connection, Database, DatabaseUnavailable
from libs.common.db.connections import StatementUnfinished
from libs.common.db.database import CONTENTION
from libs.common.errors import TooEarly
from libs.common.messaging import inbox, spans
from libs.common.messaging.delivery import Incoming
from libs.common.messaging.envelope import PackedEvent, Received
from libs.common.messaging.intake import Intake
from libs.common.messaging.patience import FEW, Patience, Watch, refusal
from libs.common.messaging.redelivery import Redelivery
from libs.common.messaging.settling import acknowledge, hand_back, persist
from libs.common.messaging.topology import postponed_queue
from libs.common.observability import metrics, tracing
from libs.common.observability.correlation import correlated
from libs.common.observability.logging import get_logger
from libs.common.tasks import end_all

log = get_logger("messaging.consumer")

_CONTENTION_RETRIES_MAX = 5

type Afterwards = Callable[[], None]
"""What is to be done, in memory and at once, as soon as the transaction has committed."""
type SetHandler[M: Message] = Callable[[Connection, Sequence[Received[M]]], Awaitable[Afterwards | None]]
"""Handles a set of new events inside one open transaction; what it returns is called after the commit."""
type EachHandler[M: Message] = Callable[[Received[M]], Awaitable[None]]
"""Handles one event; no transaction is open, and it is idempotent by itself."""


class PackConsumer[M: Message]:
    """Consumes one queue in sets: everything that waits, up to a limit, in one transaction with its inbox marks."""

    def __init__(
        self,
        kind: type[M],
        handler: SetHandler[M],
        *,
        queue: str,
        database: Database,
        redelivery: Redelivery,
        batch_max: int,
        source: str = "",
        turn: asyncio.Lock | None = None,
        watch: Watch | None = None,
        intake: Intake[M] | None = None,
    ) -> None:
        self._intake = intake or Intake(kind, queue=queue, redelivery=redelivery)
        self._handler = handler
        self._database = database
        self._batch_max = batch_max
        self._kind = kind
        self._redelivery = redelivery
        self._turn = turn or asyncio.Lock()
        self._watch = watch or Watch(database, queue=queue)
        self.source = source or queue
        """The queue that is read: `queue`, or that of its postponed events."""
        # Bounded by the prefetch: the broker stops pushing when that many messages are unacknowledged.
        self._waiting: asyncio.Queue[Incoming] = asyncio.Queue()
        self._unacknowledged: set[Incoming] = set()

    def for_postponed(self, *, batch_max: int) -> "PackConsumer[M]":
        """Return a consumer of the events that this one has postponed.

        The two take turns, a transaction each, so a fresh event waits for one set of postponed ones at most; to the inbox,
        the metrics and the dead letters they are one.
        """
        return PackConsumer(
            self._kind,
            self._handler,
            queue=self.queue,
            database=self._database,
            redelivery=self._redelivery,
            batch_max=batch_max,
            source=postponed_queue(self.queue),
            turn=self._turn,
            watch=self._watch,
            intake=self._intake,
        )

    @property
    def queue(self) -> str:
        """The queue whose events are handled."""
        return self._intake.queue

    async def take(self, message: Incoming) -> None:
        """Accept one AMQP message from the broker; it is acknowledged later, by `run`."""
        self._unacknowledged.add(message)
        self._waiting.put_nowait(message)

    def works_on(self, message: Incoming) -> bool:
        """Whether a message is waiting or being handled."""
        return message in self._unacknowledged

    async def run(self) -> None:
        """Handle what arrives until cancelled."""
        while True:
            messages = [await self._waiting.get()]
            try:
                await self._handle(messages)
            except Exception:
                # Not what a handler raises, which becomes a retry or a dead letter: a bug of this file, or below it.
                log.exception("consumer.failed", queue=self.queue)
                for message in messages:
                    await hand_back(message)
            finally:
                self._unacknowledged.difference_update(messages)

    async def _handle(self, messages: list[Incoming]) -> None:
        """Handle the first message and what waits behind it, which is added to `messages`, in one transaction."""
        events = await self._open(messages[0])
        await self._fill(messages, events)
        patience = Patience(self._watch, attempt=max((packed.attempt for packed, _ in events), default=0))
        try:
            await persist(partial(self._settle, events), queue=self.queue, until=patience.is_over)
        except StatementUnfinished:
            await persist(partial(self._isolate, messages, events, patience), queue=self.queue)
        for message in messages:
            await acknowledge(message)

    async def _fill(self, messages: list[Incoming], events: list[tuple[PackedEvent, Received[M]]]) -> None:
        while len(events) < self._batch_max and not self._waiting.empty():
            messages.append(self._waiting.get_nowait())
            events += await self._open(messages[-1])

    async def _isolate(
        self, messages: list[Incoming], events: list[tuple[PackedEvent, Received[M]]], patience: Patience
    ) -> None:
        """Handle each event in a transaction of its own; postpone those that the database refuses while it takes others.

        `events` loses what is done. What has arrived meanwhile joins them: it may show that the database is well.

        Raises:
            DatabaseUnavailable: when the database refuses all alike.
        """
        await self._fill(messages, events)
        refused: list[tuple[PackedEvent, Received[M]]] = []
        last: StatementUnfinished | None = None
        # Any few of them first: where those at the head fail, another may still show that the database is well.
        some = random.sample(range(len(events)), min(FEW, len(events)))
        order = [events[i] for i in (*some, *(i for i in range(len(events)) if i not in some))]
        for pair in order:
            try:
                await self._settle([pair])
            except StatementUnfinished as fault:
                refused.append(pair)
                last = fault
                if await patience.blames():
                    await self._postpone(refused, events, fault)
                elif len(refused) >= FEW:
                    raise
            else:
                events.remove(pair)
        if refused and last is not None:
            # They failed before the others had passed.
            if not await patience.blames():
                raise last
            await self._postpone(refused, events, last)

    async def _postpone(
        self,
        refused: list[tuple[PackedEvent, Received[M]]],
        events: list[tuple[PackedEvent, Received[M]]],
        fault: StatementUnfinished,
    ) -> None:
        await self._intake.redeliver(refused, refusal(fault))
        for each in refused:
            events.remove(each)
        refused.clear()

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting and nothing is being handled."""
        return not self._unacknowledged

    async def _open(self, message: Incoming) -> list[tuple[PackedEvent, Received[M]]]:
        if not message.is_current:
            # Its channel has been closed since: it is delivered again, and only that copy can be acknowledged.
            return []
        return await persist(partial(self._intake.open, message), queue=self.queue)

    async def _settle(self, events: Sequence[tuple[PackedEvent, Received[M]]]) -> None:
        if not events:
            return
        started_ns = tracing.started()
        try:
            await self._transact([event for _, event in events], started_ns=started_ns)
        except Exception as fault:
            if isinstance(fault, DatabaseUnavailable):
                # Splitting the batch would only ask it more often.
                raise
            if len(events) == 1:
                await self._intake.redeliver(events, fault, started_ns=started_ns)
                return
            early = fault.event_ids if isinstance(fault, TooEarly) else frozenset()
            named = [pair for pair in events if pair[1].id in early]
            if named:
                # Named by the handler: one more transaction for the others, instead of one for each half down to the last.
                await self._intake.redeliver(named, fault, started_ns=started_ns)
                await self._settle([pair for pair in events if pair[1].id not in early])
                return
            middle = len(events) // 2
            await self._settle(events[:middle])
            await self._settle(events[middle:])

    async def _transact(self, events: Sequence[Received[M]], *, started_ns: int) -> None:
        for attempt in range(_CONTENTION_RETRIES_MAX + 1):
            try:
                async with self._turn, self._database.transaction() as transaction:
                    new = await inbox.mark(transaction, self.queue, [event.key for event in events])
                    fresh = _once(events, new)
                    # What is logged about a lone event has its correlation; of several, none has that of another.
                    with correlated(fresh[0].correlation) if len(fresh) == 1 else nullcontext():
                        afterwards = await self._handler(transaction, fresh) if fresh else None
            except CONTENTION:
                if attempt == _CONTENTION_RETRIES_MAX:
                    raise
                continue
            if afterwards is not None:
                afterwards()
            metrics.MESSAGE_BATCH.labels(self.queue).observe(len(events))
            self._intake.count("handled", [event.body for event in fresh])
            self._watch.handled += len(fresh)
            if started_ns:
                spans.handled(fresh, queue=self.queue, started_ns=started_ns, outcome="handled")
            if len(fresh) < len(events):
                once = {id(event) for event in fresh}
                self._intake.count("repeated", [event.body for event in events if id(event) not in once])
            return


def _once[M: Message](events: Sequence[Received[M]], new: set[inbox.InboxKey]) -> list[Received[M]]:
    """Keep each new event once, even when the same event stands twice in one batch."""
    fresh: dict[inbox.InboxKey, Received[M]] = {}
    for event in events:
        if event.key in new:
            fresh.setdefault(event.key, event)
    return list(fresh.values())


class EachConsumer[M: Message]:
    """Consumes one queue event by event, many at a time, for handlers that call the outside world."""

    def __init__(
        self,
        kind: type[M],
        handler: EachHandler[M],
        *,
        queue: str,
        redelivery: Redelivery,
        concurrency: int,
        watch: Watch,
        source: str = "",
    ) -> None:
        self._intake = Intake(kind, queue=queue, redelivery=redelivery)
        self._handler = handler
        self._watch = watch
        self._kind = kind
        self._redelivery = redelivery
        self.source = source or queue
        """The queue that is read: `queue`, or that of its postponed events."""
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unacknowledged: set[Incoming] = set()

    def for_postponed(self, *, concurrency: int) -> "EachConsumer[M]":
        """Return a consumer of the events that this one has postponed, with slots of its own."""
        return EachConsumer(
            self._kind,
            self._handler,
            queue=self.queue,
            redelivery=self._redelivery,
            concurrency=concurrency,
            watch=self._watch,
            source=postponed_queue(self.queue),
        )

    @property
    def queue(self) -> str:
        """The queue whose events are handled."""
        return self._intake.queue

    @property
    def prefetch(self) -> int:
        """Unacknowledged messages that the broker may push: a slot each, since a message may carry a single event that waits
        long, and must not keep the others in the broker."""
        return self._concurrency

    @property
    def idle(self) -> bool:
        """Whether nothing is being handled."""
        return not self._tasks

    async def take(self, message: Incoming) -> None:
        """Accept one AMQP message; the prefetch bounds how many are taken at a time."""
        self._unacknowledged.add(message)
        task = asyncio.create_task(self._handle(message), name=f"consume {self.queue}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def works_on(self, message: Incoming) -> bool:
        """Whether a message is waiting or being handled."""
        return message in self._unacknowledged

    async def cancel(self) -> None:
        """Stop at once; what is not acknowledged goes back to the queue."""
        await end_all(self._tasks)

    async def _handle(self, message: Incoming) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                await self._begin(message, group)
            await acknowledge(message)
        except Exception:
            # Not what a handler raises, which becomes a retry or a dead letter: a bug of this file, or below it.
            log.exception("consumer.failed", queue=self.queue)
            await hand_back(message)
        finally:
            self._unacknowledged.discard(message)

    async def _begin(self, message: Incoming, group: asyncio.TaskGroup) -> None:
        # Messages wait for slots one after the other, undecoded: what is in memory is bounded by the slots, and by a body
        # for each message that the prefetch allows.
        async with self._turn:
            if not message.is_current:
                return
            for packed, event in await persist(partial(self._intake.open, message), queue=self.queue):
                await self._slots.acquire()
                try:
                    task = group.create_task(self._one(packed, event))
                except BaseException:
                    self._slots.release()
                    raise
                # By the task's end, not in it: one that is cancelled before its first step never runs.
                task.add_done_callback(self._release)

    def _release(self, _: asyncio.Task[None]) -> None:
        self._slots.release()

    async def _one(self, packed: PackedEvent, event: Received[M]) -> None:
        patience = Patience(self._watch, attempt=packed.attempt)
        with correlated(event.correlation):
            try:
                await persist(partial(self._attempt, packed, event), queue=self.queue, until=patience.blames_lone)
            except StatementUnfinished as fault:
                await persist(partial(self._intake.redeliver, [(packed, event)], refusal(fault)), queue=self.queue)

    async def _attempt(self, packed: PackedEvent, event: Received[M]) -> None:
        started_ns = tracing.started()
        try:
            await self._handler(event)
        except DatabaseUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - an edge: every failure becomes a retry or a dead letter
            await self._intake.redeliver([(packed, event)], fault, started_ns=started_ns)
        else:
            metrics.MESSAGES.labels(self.queue, "handled").inc()
            if started_ns:
                spans.handled([event], queue=self.queue, started_ns=started_ns, outcome="handled")
            self._watch.handled += 1
