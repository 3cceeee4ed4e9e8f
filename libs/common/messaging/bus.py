"""One service's messages: handlers of what it receives are registered here, what it publishes leaves from its outbox."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from libs.common.addresses import vhost_of, with_vhost
from libs.common.clock import Clock
from libs.common.contracts import Kind, Message, handled_by
from libs.common.contracts.foreign import ForeignMessage, Subscription
from libs.common.db import Database
from libs.common.errors import BrokenInvariant, Unavailable
from libs.common.messaging.broadcasts import BroadcastConsumer
from libs.common.messaging.broker import Broker
from libs.common.messaging.consumer import EachConsumer, EachHandler, PackConsumer, SetHandler
from libs.common.messaging.envelope import Received
from libs.common.messaging.foreign import ForeignIntake, Read
from libs.common.messaging.health import HealthAnswers
from libs.common.messaging.letter_box import LetterBox
from libs.common.messaging.patience import Watch
from libs.common.messaging.redelivery import Redelivery
from libs.common.messaging.relay import Relay
from libs.common.messaging.requests import Answerer, Requester, requests_of, sends_requests
from libs.common.messaging.shares import Shares
from libs.common.messaging.topology import Topology, TopologyConflict, meets_partners, partner_topology, topology
from libs.common.observability.logging import get_logger
from libs.common.settings import BrokerSettings

log = get_logger("messaging.bus")

_POSTPONED_SHARE = 5
"""Postponed events get one in so many of a consumer's places: they are retries, and fresh events are payments."""
_CONNECT_PAUSES_SECONDS = (0.5, 1.0, 2.0, 5.0)


class Bus:
    """Registers handlers, then runs consumers and the relay until stopped.

    It connects in the background: a service serves HTTP while RabbitMQ is away, and its outbox fills until it is back.
    """

    def __init__(
        self, *, service: str, settings: BrokerSettings, database: Database, clock: Clock, partners_vhost: str = ""
    ) -> None:
        """Prepare the bus of one service.

        Args:
            service: its name.
            settings: how it reaches the broker.
            database: where its outbox and inbox are.
            clock: the time.
            partners_vhost: the virtual host at the same broker in which other teams publish and read; empty: our own.
        """
        self._service = service
        self._settings = settings
        self._clock = clock
        self._database = database
        self._broker = Broker(
            settings.rabbitmq_url,
            name=service,
            idle_max_seconds=settings.message_idle_max_seconds,
            declare_every_seconds=settings.topology_every_seconds,
        )
        is_apart = bool(partners_vhost) and partners_vhost != vhost_of(settings.rabbitmq_url)
        self._partners: Broker | None = None
        if is_apart:
            # The same user; its rights there are few.
            self._partners = Broker(
                with_vhost(settings.rabbitmq_url, partners_vhost),
                name=service,
                idle_max_seconds=settings.message_idle_max_seconds,
                declare_every_seconds=settings.topology_every_seconds,
            )
        self._redelivery = Redelivery(self._broker, service=service, clock=clock)
        self._relay = Relay(database, self._broker, settings, partners=self._partners)
        self._requester = Requester(
            self._broker,
            service=service,
            timeout_seconds=settings.request_timeout_seconds,
            places=settings.consumer_prefetch,
        )
        self._answerer = Answerer(self._broker, service=service, places=settings.consumer_prefetch)
        self._letter_box = LetterBox(service=service, url=settings.rabbitmq_url, database=database)
        self._health = HealthAnswers(service=service, url=settings.rabbitmq_url, database=database)
        for kind, handler in (*self._letter_box.answers, *self._health.answers):
            self.answer(kind, handler)
        self._packs: list[PackConsumer[Any]] = []
        self._eaches: list[EachConsumer[Any]] = []
        self._broadcasts: list[BroadcastConsumer[Any]] = []
        self._shares: list[Shares] = []
        self._subscriptions: list[Subscription] = []
        database.after_commit(self._relay.wake)

    def handle[M: Message](self, kind: type[M], handler: SetHandler[M]) -> None:
        """Handle every new event of `kind` in sets, inside one transaction with its inbox marks."""
        fresh = PackConsumer(
            kind,
            handler,
            queue=kind.contract.queue(self._service),
            database=self._database,
            redelivery=self._redelivery,
            batch_max=self._settings.consumer_batch_max,
        )
        places = _share(self._settings.consumer_batch_max)
        postponed = fresh.for_postponed(batch_max=places)
        self._packs += [fresh, postponed]
        self._share_out(postponed, kind.contract.name, places=places)

    def handle_foreign(self, subscription: Subscription, handler: SetHandler[ForeignMessage], *, read: Read) -> None:
        """Handle every new message of another team in sets, inside one transaction with its inbox marks.

        `read` says of each message whom it concerns, or raises why it cannot be taken: then it is dead-lettered at once.
        """
        intake = ForeignIntake(subscription, redelivery=self._redelivery, read=read, clock=self._clock)
        fresh = PackConsumer(
            ForeignMessage,
            handler,
            queue=subscription.queue,
            database=self._database,
            redelivery=self._redelivery,
            batch_max=self._settings.consumer_batch_max,
            intake=intake,
        )
        self._letter_box.reads(intake)
        self._health.consumes(subscription.queue)
        places = _share(self._settings.consumer_batch_max)
        postponed = fresh.for_postponed(batch_max=places)
        self._packs += [fresh, postponed]
        self._subscriptions.append(subscription)
        self._share_out(postponed, subscription.name, places=places)

    def handle_each[M: Message](self, kind: type[M], handler: EachHandler[M], *, concurrency: int = 64) -> None:
        """Handle every event of `kind` on its own, `concurrency` at a time, with no transaction open."""
        fresh = EachConsumer(
            kind,
            handler,
            queue=kind.contract.queue(self._service),
            redelivery=self._redelivery,
            concurrency=concurrency,
            watch=Watch(self._database, queue=kind.contract.queue(self._service)),
        )
        postponed = fresh.for_postponed(concurrency=_share(concurrency))
        self._eaches += [fresh, postponed]
        self._share_out(postponed, kind.contract.name, places=_share(concurrency))

    def _share_out[M: Message](self, consumer: PackConsumer[M] | EachConsumer[M], name: str, *, places: int) -> None:
        self._shares.append(
            Shares(
                consumer,
                source=consumer.source,
                name=name,
                redelivery=self._redelivery,
                places=places,
                prefetch=self._settings.consumer_prefetch,
            )
        )

    def handle_broadcast[M: Message](self, kind: type[M], handler: Callable[[Received[M]], None]) -> None:
        """Handle every broadcast of `kind` while this process runs; those published before it started are not repeated.

        Such events inform and demand nothing: the handler does what it does in memory, at once, and cannot refuse.
        """
        self._broadcasts.append(BroadcastConsumer(kind, handler, service=self._service))

    def answer[M: Message](self, kind: type[M], handler: Callable[[M], Awaitable[msgspec.Struct]]) -> None:
        """Answer every request of `kind`; a `Rejected` that the handler raises travels back to the requester."""
        self._answerer.add(kind, handler)

    async def request(self, message: Message) -> Any:
        """Ask another service and return its reply struct; see `Requester.request` for the errors."""
        return await self._requester.request(message)

    def check_complete(self) -> None:
        """Make sure that every message of this service has a handler.

        Raises:
            BrokenInvariant: naming those without one; their queues would fill for ever.
        """
        handled = {pack.queue for pack in self._packs} | {each.queue for each in self._eaches}
        handled |= {consumer.shared_name for consumer in self._broadcasts}
        deaf = [
            kind.contract.name
            for kind in handled_by(self._service)
            if kind.contract.kind is not Kind.REQUEST and kind.contract.queue(self._service) not in handled
        ]
        deaf += sorted(requests_of(self._service) - self._answerer.answers)
        if deaf:
            raise BrokenInvariant(f"the {self._service} service has no handler for {', '.join(deaf)}")

    async def run(self) -> None:
        """Connect, then consume and relay until cancelled."""
        self.check_complete()
        prefetch = self._settings.consumer_prefetch
        foreign = {each.queue for each in self._subscriptions}
        for pack in self._packs:
            if pack.source == pack.queue:
                self._broker.subscribe(pack.source, pack, prefetch=prefetch)
                if self._partners is not None and pack.queue in foreign:
                    name = f"{pack.queue} of partners"
                    self._partners.subscribe(pack.source, pack, prefetch=prefetch, name=name)
        for each in self._eaches:
            if each.source == each.queue:
                self._broker.subscribe(each.source, each, prefetch=max(prefetch, each.prefetch))
        for shares in self._shares:
            self._broker.subscribe(shares.source, shares, prefetch=shares.prefetch)
        for broadcast in self._broadcasts:
            self._broker.subscribe(
                broadcast.queue,
                broadcast,
                prefetch=prefetch,
                name=broadcast.shared_name,
                exclusive=True,
                binding=broadcast.binding,
            )
        if self._answerer.answers:
            self._broker.subscribe(self._answerer.queue, self._answerer, prefetch=self._answerer.prefetch)
        if sends_requests(self._service):
            self._broker.subscribe(
                self._requester.reply_queue,
                self._requester,
                prefetch=prefetch,
                name=f"{self._service}.replies",
                exclusive=True,
                binding=self._requester.binding,
            )
        is_apart = self._partners is not None
        await self._connect(self._broker, topology(self._service, self._subscriptions, is_apart=is_apart))
        async with asyncio.TaskGroup() as group:
            if self._partners is not None and meets_partners(self._service, self._subscriptions):
                # Beside everything else: payments do not wait for other teams.
                needed = partner_topology(self._service, self._subscriptions)
                group.create_task(self._connect(self._partners, needed), name="connect to partners")
            group.create_task(self._relay.run(), name="relay")
            for pack in self._packs:
                group.create_task(pack.run(), name=f"consume {pack.source}")
            for shares in self._shares:
                group.create_task(shares.run(), name=f"share out {shares.source}")

    async def measure_outbox(self) -> None:
        """Measure the outbox until cancelled, also while the broker is away."""
        await self._relay.measure()

    async def count_dead_letters(self) -> None:
        """Measure how many dead letters the service's queues have."""
        await self._letter_box.count()

    async def _connect(self, broker: Broker, needed: Topology) -> None:
        """Connect, however long it takes.

        Raises:
            TopologyConflict: in our own virtual host. In that of other teams it waits: nothing of ours depends on their queues.
        """
        where = "partners" if broker is self._partners else "own"
        attempt = 0
        while True:
            try:
                await broker.start(needed)
            except Unavailable as fault:
                pause = _CONNECT_PAUSES_SECONDS[min(attempt, len(_CONNECT_PAUSES_SECONDS) - 1)]
                reason = str(fault.__cause__ or fault)
                log.warning("broker.not_connected", where=where, reason=reason, seconds=pause)
                attempt += 1
                await asyncio.sleep(pause)
            except TopologyConflict as conflict:
                if broker is not self._partners:
                    raise
                log.error("topology.conflict", where=where, detail=conflict.detail)
                await asyncio.sleep(_CONNECT_PAUSES_SECONDS[-1])
            else:
                log.info("broker.connected", where=where)
                return

    async def drain(self, *, timeout_seconds: float) -> None:
        """Take nothing more, finish what is in progress, send what has been published; whatever is left stays safe for later."""
        if not self._broker.is_started:
            return
        for shares in self._shares:
            shares.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                for broker in self._brokers:
                    await broker.stop_consuming()
                while not self._idle():  # noqa: ASYNC110 - once, at the end of a process's life
                    await asyncio.sleep(0.01)
                with contextlib.suppress(Unavailable):
                    while await self._relay.round():
                        pass
        for consumer in self._eaches:
            await consumer.cancel()

    def _idle(self) -> bool:
        return (
            all(pack.idle for pack in self._packs) and all(each.idle for each in self._eaches) and self._answerer.idle
        )

    async def close(self) -> None:
        """Close the connections."""
        for broker in self._brokers:
            await broker.stop()

    @property
    def _brokers(self) -> list[Broker]:
        return [self._broker] if self._partners is None else [self._partners, self._broker]

    @property
    def partners_trouble(self) -> str:
        """What is wrong with the virtual host of other teams, in words; empty when nothing is, or they share ours."""
        return "" if self._partners is None else self._partners.trouble

    @property
    def trouble(self) -> str:
        """What is wrong between this process and the broker, in words for an operator; empty when nothing is."""
        return self._broker.trouble

    async def ping(self) -> None:
        """Make sure that messages go both ways.

        Raises:
            Unavailable: when they do not, with the reason.
        """
        await self._broker.ping()


def _share(places: int) -> int:
    return max(1, places // _POSTPONED_SHARE)
