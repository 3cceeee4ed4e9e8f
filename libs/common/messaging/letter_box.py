"""The dead letters of a service, as it answers for them to operators: listed, shown, and sent back, with its own rights at the broker.

A letter goes back by the exchange of what is due, to the postponed events of its queue: a service may publish there. It may
not publish to queues by the default exchange, as the user `redrive` of `just redrive` may.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid5

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from libs.common.cards import mask_card_numbers
from libs.common.contracts import Message
from libs.common.contracts.dead_letters import (
    GETS,
    LISTED_MAX,
    LISTS,
    REDRIVES,
    DeadEvent,
    DeadLetter,
    DeadLetterCount,
    DeadLetterList,
    DeadLetterNotFound,
    DeadLetterUnreadable,
    GetDeadLetter,
    ListDeadLetters,
    RedriveDeadLetter,
    Redriven,
    ShownDeadLetter,
)
from libs.common.db import Database
from libs.common.db.statements import Statement
from libs.common.errors import PlatformError, Unavailable, Undecodable
from libs.common.messaging.connections import connected
from libs.common.messaging.envelope import decode_pack
from libs.common.messaging.foreign import ForeignIntake, died_in
from libs.common.messaging.letters import events_of, failed_at, walk
from libs.common.messaging.refused import write_down
from libs.common.messaging.topology import dead_exchange, dead_queue, due_exchange, postponed_queue, topology
from libs.common.observability import metrics
from libs.common.observability.logging import HIDDEN, get_logger
from libs.common.outages import is_outage

log = get_logger("messaging.letters")

LOOKED_THROUGH_MAX = 1000
"""Letters of each queue, the oldest ones, among which one is looked for; `just redrive` moves any number."""
EVENTS_SHOWN_MAX = 10
"""Events of a letter that are listed."""
BODY_BYTES_MAX = 65_536
"""The largest body that is shown."""
_SECONDS = 8.0
"""Deadline of an answer; its requester waits a little longer."""
_STEP_SECONDS = 3.0
_PAUSES_SECONDS = (0.0, 0.2, 0.5)
"""Before each time that a letter is looked for."""
_KEPT = ("traceparent", "X-Correlation-Id", "X-Tenant-Id")
"""Headers that a letter has again."""
_PERSONAL = ("billing", "email", "phone", "tax_id", "document")
"""Names of members that identify a person."""
_LETTER = UUID("6f0e6c1e-6b43-5d0b-9c55-1d8f6c9b7a10")
"""The name space of the ids of dead letters."""
_ACTION = "dead_letter.redriven"
_WAS_REDRIVEN = Statement("SELECT 1 FROM operator_actions WHERE action = :action AND subject = :subject LIMIT 1")


class LetterBox:
    """Answers for the dead letters of one service."""

    def __init__(self, *, service: str, url: str, database: Database) -> None:
        self._service = service
        self._url = url
        self._database = database
        self._foreign: dict[str, ForeignIntake] = {}
        # Whoever looks at a letter has taken it for that moment, and nobody else finds it then.
        self._turn = asyncio.Lock()

    def reads(self, intake: ForeignIntake) -> None:
        """Answer for the queue of another team's messages, too."""
        self._foreign[intake.queue] = intake

    @property
    def answers(self) -> Iterator[tuple[type[Message], Callable[[Any], Awaitable[msgspec.Struct]]]]:
        """What it answers, and how."""
        if self._service in LISTS:
            yield LISTS[self._service], self.list_letters
            yield GETS[self._service], self.show
            yield REDRIVES[self._service], self.redrive

    async def count(self) -> None:
        """Measure how many dead letters each queue has; while RabbitMQ is away the last counts stand."""
        try:
            async with self._connection() as connection:
                for queue, count in (await _counted(connection, self._queues())).items():
                    metrics.DEAD_LETTERS.labels(queue).set(count)
        except Unavailable as fault:
            # Of which the broker's own checks tell.
            log.debug("dead_letters.not_counted", reason=fault.detail)

    async def list_letters(self, request: ListDeadLetters) -> DeadLetterList:
        """Count the dead letters of each queue, and read the oldest ones."""
        letters: list[DeadLetter] = []
        limit = min(request.limit, LISTED_MAX)
        async with self._connection() as connection:
            found = await _counted(connection, [name for name in self._queues() if request.queue in ("", name)])
            counts = [DeadLetterCount(queue=queue, count=count) for queue, count in found.items() if count]
            for position, counted in enumerate(counts):
                # What the queues before have left is shared by those that follow.
                share = -(-(limit - len(letters)) // (len(counts) - position))
                async with _channel(connection, counted.queue) as (channel, count):
                    if channel is not None:
                        letters += await self._read(channel, counted.queue, limit=min(share, count))
        return DeadLetterList(queues=counts, letters=letters)

    async def show(self, request: GetDeadLetter) -> ShownDeadLetter:
        """Show one dead letter with its content.

        Raises:
            DeadLetterNotFound: when it is not there.
        """
        shown: list[ShownDeadLetter] = []

        async def look(queue: str, message: AbstractIncomingMessage, _: AbstractChannel) -> bool:
            shown.append(_shown(queue, message))
            return False

        await self._at(request.letter_id, look)
        if not shown:
            raise DeadLetterNotFound(f"the {self._service} has no such dead letter")
        return shown[0]

    async def redrive(self, request: RedriveDeadLetter) -> Redriven:
        """Send one dead letter back to its queue; again it is success.

        Who does it is written down before, so that no letter goes back of which that is unknown. The letter is taken out only
        after the broker has confirmed its copy.

        Raises:
            DeadLetterNotFound: when it is not there, and was not sent back by this before.
            DeadLetterUnreadable: when another team's message still cannot be read.
            Unavailable: when the queue takes no more.
        """
        queues: list[str] = []

        async def move(queue: str, message: AbstractIncomingMessage, channel: AbstractChannel) -> bool:
            copy = self._copy(queue, message)
            await self._write_down(request, queue, message)
            await _publish(channel, self._service, queue, copy)
            await message.ack()
            queues.append(queue)
            return True

        await self._at(request.letter_id, move)
        if queues:
            return Redriven(letter_id=request.letter_id, queue=queues[0], is_repeated=False)
        if await _WAS_REDRIVEN.fetchrow(self._database, action=_ACTION, subject=str(request.letter_id)):
            return Redriven(letter_id=request.letter_id, queue="", is_repeated=True)
        raise DeadLetterNotFound(
            f"the {self._service} has no such dead letter among the {LOOKED_THROUGH_MAX} oldest of each queue"
        )

    def _queues(self) -> list[str]:
        names = (queue.name for queue in topology(self._service).queues)
        own = (name.removesuffix(".dead") for name in names if name.endswith(".dead"))
        return sorted({*(name for name in own if name.startswith(f"{self._service}.")), *self._foreign})

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AbstractConnection]:
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._turn,
                connected(self._url, timeout_seconds=_STEP_SECONDS) as connection,
            ):
                yield connection
        except DeliveryError as fault:
            raise Unavailable("the queue does not take the letter: it is missing or full") from fault
        except Exception as fault:
            if isinstance(fault, PlatformError) or not is_outage(fault):
                raise
            raise Unavailable("RabbitMQ does not answer") from fault

    async def _read(self, channel: AbstractChannel, queue: str, *, limit: int) -> list[DeadLetter]:
        letters: list[DeadLetter] = []

        async def note(message: AbstractIncomingMessage) -> bool:
            letters.append(_letter(queue, message))
            return False

        await walk(channel, dead_queue(queue), limit=limit, take=note, renewed_by=(dead_exchange(self._service), queue))
        return letters

    async def _at(
        self, letter_id: UUID, do: Callable[[str, AbstractIncomingMessage, AbstractChannel], Awaitable[bool]]
    ) -> None:
        """Find a letter and do something with it; what goes wrong leaves it where it is.

        Another process that looks at letters has them for a moment, so a letter that is missing is looked for again.
        """
        for pause in _PAUSES_SECONDS:
            await asyncio.sleep(pause)
            if await self._found(letter_id, do):
                return

    async def _found(
        self, letter_id: UUID, do: Callable[[str, AbstractIncomingMessage, AbstractChannel], Awaitable[bool]]
    ) -> bool:
        faults: list[Exception] = []
        seen: list[str] = []
        async with self._connection() as connection:
            for queue in self._queues():
                async with _channel(connection, queue) as (channel, count):
                    if not count or channel is None:
                        continue

                    async def take(
                        message: AbstractIncomingMessage, queue: str = queue, channel: AbstractChannel = channel
                    ) -> bool:
                        if letter_id_of(queue, message) != letter_id:
                            return False
                        seen.append(queue)
                        try:
                            return await do(queue, message, channel)
                        except Exception as fault:  # noqa: BLE001 - raised again once the letter is given back
                            faults.append(fault)
                            return False

                    await walk(
                        channel,
                        dead_queue(queue),
                        limit=min(count, LOOKED_THROUGH_MAX),
                        take=take,
                        renewed_by=(dead_exchange(self._service), queue),
                        is_done=lambda: bool(seen),
                    )
                if seen:
                    break
            if faults:
                raise faults[0]
        return bool(seen)

    def _copy(self, queue: str, letter: AbstractIncomingMessage) -> aio_pika.Message:
        body = letter.body
        intake = self._foreign.get(queue)
        if intake is not None and not died_in(letter.headers, postponed_queue(queue)):
            try:
                body = intake.translated(letter)
            except PlatformError as fault:
                raise DeadLetterUnreadable(f"it still cannot be read: {fault.detail}") from fault
        return aio_pika.Message(
            body,
            message_id=letter.message_id,
            type=letter.type,
            timestamp=letter.timestamp,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers={name: value for name, value in letter.headers.items() if name in _KEPT} | {"x-redriven": True},
        )

    async def _write_down(self, request: RedriveDeadLetter, queue: str, message: AbstractIncomingMessage) -> None:
        letter = _letter(queue, message)
        detail = {"queue": queue, "reason": letter.reason, "event_ids": [event.event_id for event in letter.events]}
        async with self._database.transaction() as tx:
            await write_down(tx, actor=request.actor, action=_ACTION, subject=str(letter.id), detail=json.dumps(detail))
        log.warning("dead_letter.redriven", queue=queue, letter_id=str(letter.id), actor=request.actor)


@asynccontextmanager
async def _channel(connection: AbstractConnection, queue: str) -> AsyncIterator[tuple[AbstractChannel | None, int]]:
    """Open a channel at the dead letters of a queue, and count them; none where there is no such queue."""
    # A channel for each: the broker closes it where the queue is missing.
    async with asyncio.timeout(_STEP_SECONDS):
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    try:
        try:
            declared = await channel.declare_queue(dead_queue(queue), passive=True, timeout=_STEP_SECONDS)
        except ChannelNotFoundEntity:
            yield None, 0
        else:
            yield channel, declared.declaration_result.message_count or 0
    finally:
        if not channel.is_closed:
            async with asyncio.timeout(_STEP_SECONDS):
                await channel.close()


async def _counted(connection: AbstractConnection, queues: Sequence[str]) -> dict[str, int]:
    """Count the dead letters of each queue, over one channel while the queues are there; none where one is missing."""
    found, channel = dict.fromkeys(queues, 0), None
    for queue in queues:
        async with asyncio.timeout(_STEP_SECONDS):
            channel = channel or await connection.channel(publisher_confirms=False)
            try:
                declared = await channel.declare_queue(dead_queue(queue), passive=True)
                found[queue] = declared.declaration_result.message_count or 0
            except ChannelNotFoundEntity:
                # The broker has closed the channel; the connection's end closes the last one.
                channel = None
    return found


async def _publish(channel: AbstractChannel, service: str, queue: str, copy: aio_pika.Message) -> None:
    exchange = await channel.get_exchange(due_exchange(service), ensure=False)
    await exchange.publish(copy, routing_key=postponed_queue(queue), mandatory=True, timeout=_STEP_SECONDS)


def letter_id_of(queue: str, message: AbstractIncomingMessage) -> UUID:
    """Name a dead letter by its queue, its message id and its content: it has no other name that stays."""
    content = hashlib.sha256(message.body).hexdigest()
    return uuid5(_LETTER, f"{queue}\0{message.message_id or ''}\0{content}")


def _letter(queue: str, message: AbstractIncomingMessage) -> DeadLetter:
    correlations = _correlations(message.body)
    own_correlation = str(message.headers.get("X-Correlation-Id", ""))
    events = [
        DeadEvent(
            event_id=each.event_id,
            tenant_id=correlations[each.event_id][0] if each.event_id in correlations else "",
            correlation_id=correlations[each.event_id][1] if each.event_id in correlations else own_correlation,
            payment_intent_id=each.payment_intent_id,
            refund_id=each.refund_id,
        )
        for each in events_of(message)
    ]
    return DeadLetter(
        id=letter_id_of(queue, message),
        queue=queue,
        message_type=message.type or "",
        message_id=message.message_id or "",
        reason=str(message.headers.get("x-reason", "")),
        detail=mask_card_numbers(str(message.headers.get("x-detail", ""))),
        failed_at=failed_at(message.headers),
        size_bytes=len(message.body),
        event_count=len(correlations),
        events=events[:EVENTS_SHOWN_MAX],
    )


def _correlations(body: bytes) -> dict[str, tuple[str, str]]:
    try:
        return {str(event.id): (event.tenant_id, event.correlation_id) for event in decode_pack(body).events}
    except Undecodable:
        return {}


def _shown(queue: str, message: AbstractIncomingMessage) -> ShownDeadLetter:
    letter = _letter(queue, message)
    if len(message.body) > BODY_BYTES_MAX:
        return ShownDeadLetter(letter=letter, body=None, omitted="too_large")
    try:
        content = msgspec.json.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ShownDeadLetter(letter=letter, body=None, omitted="not_json")
    return ShownDeadLetter(letter=letter, body=msgspec.json.encode(without_secrets(content)).decode())


def without_secrets(content: Any) -> Any:
    """Leave out of a JSON value what is secret or identifies a person, by the names of its members, and hide card numbers."""
    match content:
        case dict():
            return {name: "[hidden]" if _is_hidden(name) else without_secrets(each) for name, each in content.items()}
        case list():
            return [without_secrets(each) for each in content]
        case str():
            return _text_without_secrets(content)
        case int() if not isinstance(content, bool):
            # A card number may be written as one.
            masked = mask_card_numbers(str(content))
            return content if masked == str(content) else masked
        case _:
            return content


def _is_hidden(name: str) -> bool:
    return any(word in name.lower() for word in (*HIDDEN, *_PERSONAL))


def _text_without_secrets(text: str) -> str:
    # What another team has sent is a text of JSON inside of our own form.
    if text[:1] in ("{", "["):
        try:
            return msgspec.json.encode(without_secrets(msgspec.json.decode(text))).decode()
        except (msgspec.DecodeError, RecursionError):
            pass
    return mask_card_numbers(text)
