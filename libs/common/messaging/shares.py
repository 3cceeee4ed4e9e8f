"""Postponed events are handed to their consumer by tenant: the flood of one moves the event of another by a bounded number.

All postponed events of a subscription wait in one queue. What the broker has pushed of it lies here, opened, in a line for
each tenant, and the consumer gets events from these lines in turn. Within one lap a tenant has a share. What is beyond it is
passed over: it goes through a delay queue to the end of the queue, in full packs, and what was behind it comes forward. Who is
passed over earns a little more of a share with it, so that about half of the time goes to handling a flood, however long it is.
A lap ends when the broker has nothing left to push, or when an event comes back that was passed over in it: then everything
that was waiting has been seen. So nothing is passed over while all that waits has been received, and nobody's share stays used up.

An event is acknowledged here only after the broker has confirmed its copy. Passing over is no attempt.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from itertools import batched
from typing import Protocol
from uuid import uuid4

from libs.common import outages
from libs.common.errors import Undecodable
from libs.common.messaging.delivery import Delivery, Incoming
from libs.common.messaging.envelope import PackedEvent, encode_pack, open_pack
from libs.common.messaging.redelivery import LAP_HEADER, Redelivery
from libs.common.messaging.settling import acknowledge, hand_back
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger

log = get_logger("messaging.shares")

SHARE_MAX = 100
"""Events of one tenant that are handed on in one lap, while others may be waiting behind them."""
PASSED_PER_PLACE = 20
"""Events of a tenant that are passed over for each that is handed on beyond its share: handling one takes about as long."""
_PACK_MAX = 100
"""Events that are passed over in one message at most."""
_ARRIVAL_SECONDS = 1.0
"""How long what the broker still has is waited for, before what was received is passed over without it."""


class Worker(Protocol):
    """The consumer of the events that are handed on."""

    @property
    def queue(self) -> str:
        """The queue whose events are handled."""

    async def take(self, message: Incoming) -> None:
        """Accept one event, as a message of its own."""


class _Held:
    """One unacknowledged AMQP message."""

    __slots__ = ("message", "unsettled")

    def __init__(self, message: Delivery) -> None:
        self.message = message
        self.unsettled = 0


class _Part:
    """One event of an unacknowledged message, which the consumer takes for a message of its own."""

    __slots__ = ("_body", "_held", "_is_settled", "_shares", "message_id", "packed")

    def __init__(
        self,
        shares: "Shares",
        held: _Held,
        *,
        packed: PackedEvent | None = None,
        body: bytes = b"",
        message_id: str | None = None,
    ) -> None:
        self._shares = shares
        self._held = held
        self._body = body
        self._is_settled = False
        self.packed = packed
        self.message_id = message_id
        held.unsettled += 1

    @property
    def body(self) -> bytes:
        """A pack with this event alone, or what is no event as it was sent."""
        return encode_pack(self._shares.name, [self.packed]) if self.packed else self._body

    @property
    def is_current(self) -> bool:
        """Whether its message can still be acknowledged."""
        return not self._is_settled and self._held.message.is_current

    async def ack(self) -> None:
        """The event is done; with the last one of its message, the message is."""
        if not self._is_settled:
            self._is_settled = True
            await self._shares.settle(self._held)

    def leave(self) -> _Held:
        """The event has a copy elsewhere; returns the message of which it was a part."""
        self._is_settled = True
        return self._held

    async def hand_back(self) -> None:
        """Let the broker deliver the whole message again; the inbox knows what is done of it."""
        if not self._is_settled:
            self._is_settled = True
            await self._shares.give_back(self._held)


class Shares:
    """Takes the messages of one queue of postponed events, and hands the events on to its consumer."""

    def __init__(
        self, worker: Worker, *, source: str, name: str, redelivery: Redelivery, places: int, prefetch: int
    ) -> None:
        self._worker = worker
        self._redelivery = redelivery
        self._places = places
        self.source = source
        """The queue that is read."""
        self.name = name
        """The type of the events."""
        self.prefetch = prefetch
        """Unacknowledged messages that the broker may push: what is held here is bounded by it."""
        self._arrived: deque[Delivery] = deque()
        self._held: dict[Delivery, _Held] = {}
        self._lines: OrderedDict[str | None, deque[_Part]] = OrderedDict()
        """By tenant. Under None what is no event: its consumer dead-letters it, it has no share and is not passed over."""
        self._handed_on = 0
        self._lap = ""
        self._used: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._is_stopping = False

    async def take(self, message: Delivery) -> None:
        """Accept one AMQP message from the broker."""
        self._arrived.append(message)
        self._changed.set()

    def works_on(self, message: Delivery) -> bool:
        """Whether a message is waiting or being handled."""
        return message in self._held or message in self._arrived

    def stop(self) -> None:
        """Hand nothing more on; what is unacknowledged goes back to the queue with the connection."""
        self._is_stopping = True

    async def run(self) -> None:
        """Hand events on until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                while not self._is_stopping and await self._step():
                    pass
            except Exception:
                # Not what a handler raises: a bug of this file, or below it.
                log.exception("shares.failed", queue=self.source)
                held = list(self._held)
                self._held.clear()
                self._lines.clear()
                await asyncio.gather(*(hand_back(message) for message in held))

    async def settle(self, held: _Held) -> None:
        """Count one event of a message that was handed on as done."""
        self._handed_on -= 1
        self._changed.set()
        if self._is_last(held):
            await held.message.ack()

    async def give_back(self, held: _Held) -> None:
        """Give a message back to the broker of which an event could not be handled."""
        self._handed_on -= 1
        self._changed.set()
        self._held.pop(held.message, None)
        await held.message.hand_back()

    def _is_last(self, held: _Held) -> bool:
        held.unsettled -= 1
        if held.unsettled:
            return False
        self._held.pop(held.message, None)
        return True

    async def _step(self) -> bool:
        """Hand on what has its turn; returns whether to look again at once."""
        self._look_through()
        while self._handed_on < self._places and (part := self._next()):
            self._handed_on += 1
            await self._worker.take(part)
        if self._handed_on >= self._places or not self._lines:
            return False
        # A place is free, and all that waits here is beyond its tenant's share.
        if await self._holds_everything():
            self._begin_lap()
        elif len(self._held) >= self.prefetch or not await self._changes():
            await self._pass_over()
        return True

    def _look_through(self) -> None:
        """Drop what comes again on another channel, and open what has arrived."""
        gone = [message for message in self._held if not message.is_current]
        if gone:
            for message in gone:
                del self._held[message]
            for tenant_id, line in list(self._lines.items()):
                self._set_line(tenant_id, deque(part for part in line if part.is_current))
        while self._arrived:
            message = self._arrived.popleft()
            if message.is_current:
                self._open(message)

    def _open(self, message: Delivery) -> None:
        held = self._held[message] = _Held(message)
        if self._lap and message.headers.get(LAP_HEADER) == self._lap:
            self._begin_lap()
        for part in self._parts(held):
            tenant_id = part.packed.tenant_id if part.packed else None
            self._lines.setdefault(tenant_id, deque()).append(part)

    def _parts(self, held: _Held) -> Iterator[_Part]:
        message = held.message
        try:
            events, malformed = open_pack(message.body)
        except Undecodable:
            yield _Part(self, held, body=message.body, message_id=message.message_id)
            return
        for event in malformed:
            yield _Part(self, held, body=event.body, message_id=message.message_id)
        for packed in events:
            yield _Part(self, held, packed=packed, message_id=str(packed.id))

    def _set_line(self, tenant_id: str | None, line: deque[_Part]) -> None:
        if line:
            self._lines[tenant_id] = line
        else:
            del self._lines[tenant_id]

    def _next(self) -> _Part | None:
        """Take the next event out of the line of the tenant that has waited longest for its turn."""
        for tenant_id, line in self._lines.items():
            if tenant_id is None or self._has_share(tenant_id):
                part = line.popleft()
                if tenant_id is not None:
                    self._used[tenant_id] += 1
                # Behind all other tenants, for the next turn.
                self._lines.move_to_end(tenant_id)
                self._set_line(tenant_id, line)
                return part
        return None

    def _has_share(self, tenant_id: str) -> bool:
        return self._used[tenant_id] < SHARE_MAX + self._passed[tenant_id] // PASSED_PER_PLACE

    def _begin_lap(self) -> None:
        self._lap = uuid4().hex
        self._used.clear()
        self._passed.clear()

    async def _holds_everything(self) -> bool:
        """Whether nothing waits in the queue beyond what the broker has pushed."""
        message = next(iter(self._held), None)
        if message is None:
            return True
        try:
            # What was in transit to us at the first answer has arrived at the second.
            return await message.left_in(self.source) == 0 and await message.left_in(self.source) == 0
        except Exception as fault:
            if not outages.is_outage(fault):
                raise
            log.warning("queue.not_counted", queue=self.source, reason=outages.cause_of(fault))
            return False

    async def _changes(self) -> bool:
        """Wait a moment for a message to arrive or an event to be done; returns whether that came about."""
        try:
            async with asyncio.timeout(_ARRIVAL_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def _pass_over(self) -> None:
        """Put what is held at the end of the queue; if the broker does not take it, let each have another share instead."""
        waiting = [
            (tenant_id, part)
            for tenant_id in list(self._lines)
            if tenant_id is not None
            for part in self._lines.pop(tenant_id)
        ]
        self._lap = self._lap or uuid4().hex
        for pack in batched(waiting, _PACK_MAX):
            # Looked at before each: what comes again by itself, after the loss of a channel, needs no copy.
            some = {part: part.packed for _, part in pack if part.packed and part.is_current}
            if some and not await self._has_sent(some):
                break
            metrics.MESSAGES.labels(self._worker.queue, "passed_over").inc(len(some))
            self._passed.update(packed.tenant_id for packed in some.values())
            for part in some:
                await self._leave(part)
        log.debug("messages.passed_over", queue=self.source, events=len(waiting))
        if left := [(tenant_id, part) for tenant_id, part in waiting if part.is_current]:
            # Waiting for the broker could last for ever: it may lack the room that only handling these would make.
            for tenant_id, part in left:
                self._lines.setdefault(tenant_id, deque()).append(part)
            self._begin_lap()

    async def _has_sent(self, some: Mapping[_Part, PackedEvent]) -> bool:
        """Send copies to the end of the queue; returns whether that was confirmed."""
        try:
            await self._redelivery.pass_over(self.source, self.name, list(some.values()), lap=self._lap)
        except Exception as fault:
            if not outages.is_outage(fault):
                raise
            log.warning("messages.not_passed_over", queue=self.source, reason=outages.cause_of(fault))
            return False
        return True

    async def _leave(self, part: _Part) -> None:
        held = part.leave()
        if self._is_last(held):
            await acknowledge(held.message)
