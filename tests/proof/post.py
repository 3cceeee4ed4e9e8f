"""The post between the services of a history: late, doubled and shuffled."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from libs.common.db import Database
from libs.common.messaging.consumer import EachConsumer, PackConsumer
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.patience import Watch

PACK_MAX = 20


class Letter(msgspec.Struct, frozen=True):
    """One event in transit to one queue."""

    queue: str
    name: str
    event: PackedEvent


class _Taken:
    """What a consumer gets from the broker: a body, and a way to say that it is done."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.message_id = None
        self.is_current = True
        self.done = asyncio.Event()

    async def ack(self) -> None:
        """Say that it is done."""
        self.done.set()


class Post:
    """The bag of letters, in the place of the broker and its delay queues."""

    def __init__(self) -> None:
        self.bag: list[Letter] = []
        self.dead: list[str] = []
        self.consumers: dict[str, PackConsumer[Any] | EachConsumer[Any]] = {}

    async def postpone(self, queue: str, name: str, events: Sequence[PackedEvent], delay_seconds: int) -> None:
        """What came too early comes again, whenever that is; it may be too early as often as it likes."""
        self.bag += [Letter(queue, name, event) for event in events]

    async def dead_letter(
        self, queue: str, name: str, body: bytes, verdict: Any, *, message_id: str | None = None, **_: object
    ) -> None:
        """A dead letter: in these histories there must be none."""
        self.dead.append(f"{queue} {name} {message_id}: {verdict.reason} {verdict.detail} {body.decode()}")

    async def deliver(self, chance: random.Random, *, share: float, doubled: float) -> None:
        """Deliver a random share of the bag, shuffled, in packs of random sizes; some of it stays, to come again."""
        chance.shuffle(self.bag)
        count = max(1, round(len(self.bag) * share)) if self.bag else 0
        taken, self.bag = self.bag[:count], self.bag[count:]
        self.bag += [letter for letter in taken if chance.random() < doubled]
        by_queue: dict[str, list[Letter]] = defaultdict(list)
        for letter in taken:
            by_queue[letter.queue].append(letter)
        packs: list[list[Letter]] = []
        for waiting in by_queue.values():
            while waiting:
                size = chance.randint(1, PACK_MAX)
                packs.append([waiting.pop() for _ in range(min(size, len(waiting)))])
        await self.hand(packs)

    async def hand(self, packs: Sequence[Sequence[Letter]]) -> None:
        """Hand each pack, whose letters are of one queue, to its consumer at once, and wait until all are done."""
        messages: list[_Taken] = []
        for pack in packs:
            messages.append(_Taken(encode_pack(pack[0].name, [letter.event for letter in pack])))
            await self.consumers[pack[0].queue].take(messages[-1])  # type: ignore[arg-type] # as much as is read
        for message in messages:
            await message.done.wait()


class Bus:
    """A service's bus, as far as registering goes: each handler gets its real consumer, fed from the bag."""

    def __init__(self, service: str, database: Database, post: Post, tasks: list[asyncio.Task[None]]) -> None:
        self._service = service
        self._database = database
        self._post = post
        self._tasks = tasks

    def handle(self, kind: Any, handler: Any) -> None:
        """Handle events in sets."""
        queue = kind.contract.queue(self._service)
        redelivery: Any = self._post
        consumer = PackConsumer(
            kind, handler, queue=queue, database=self._database, redelivery=redelivery, batch_max=500
        )
        self._post.consumers[queue] = consumer
        self._tasks.append(asyncio.create_task(consumer.run(), name=queue))

    def handle_each(self, kind: Any, handler: Any, *, concurrency: int = 64) -> None:
        """Handle events on their own."""
        queue = kind.contract.queue(self._service)
        redelivery: Any = self._post
        self._post.consumers[queue] = EachConsumer(
            kind,
            handler,
            queue=queue,
            redelivery=redelivery,
            concurrency=concurrency,
            watch=Watch(self._database, queue=queue),
        )

    def answer(self, kind: Any, handler: Any) -> None:
        """Nobody asks in these histories."""
