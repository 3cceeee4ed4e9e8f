"""What both kinds of consumer share: messages are opened event by event, and an event that failed is postponed or dead-lettered."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import batched
from types import MappingProxyType

import msgspec

from libs.common.contracts import Message
from libs.common.errors import Undecodable
from libs.common.messaging import spans
from libs.common.messaging.delivery import Incoming
from libs.common.messaging.envelope import PackedEvent, Received, encode_pack, open_pack, received
from libs.common.messaging.redelivery import Redelivery, Verdict, judge
from libs.common.observability import metrics
from libs.common.observability.correlation import correlated
from libs.common.observability.logging import get_logger

log = get_logger("messaging.consumer")

_POSTPONED_PACK_MAX = 100
"""Events that one postponed message carries at most."""
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Intake[M: Message]:
    """What both kinds of consumer share: decoding, dead letters, delayed redelivery, acknowledgement."""

    def __init__(self, kind: type[M], *, queue: str, redelivery: Redelivery, name: str = "") -> None:
        self.name = name or kind.contract.name
        self.queue = queue
        self._redelivery = redelivery
        self._decoder = msgspec.json.Decoder(kind)
        # So that a dashboard shows 0, and not that there is no data.
        metrics.MESSAGES.labels(queue, "dead")

    async def open(self, message: Incoming) -> list[tuple[PackedEvent, Received[M]]]:
        """Decode an AMQP message event by event; what breaks the contract is dead-lettered at once, alone."""
        try:
            opened, malformed = open_pack(message.body)
        except Undecodable as fault:
            await self._dead_letter(message.body, judge(fault, attempt=0), message.message_id)
            return []
        for event in malformed:
            await self._dead_letter(event.body, judge(event.fault, attempt=0), message.message_id)
        events = []
        for packed in opened:
            try:
                events.append((packed, received(packed, self._decoder)))
            except Undecodable as fault:
                await self._dead_letter(encode_pack(self.name, [packed]), judge(fault, attempt=0), str(packed.id))
        return events

    async def redeliver(
        self, failed: Sequence[tuple[PackedEvent, Received[M]]], fault: Exception, *, started_ns: int = 0
    ) -> None:
        """Postpone the events that failed with `fault`, those with the same delay as one message, or dead-letter them.

        `started_ns` is when their handling began, where traces are on.
        """
        postponed: defaultdict[int, list[PackedEvent]] = defaultdict(list)
        judged: list[tuple[Received[M], Verdict]] = []
        # One copy of each goes on, with the most retries behind it.
        copies = {event.key: (packed, event) for packed, event in sorted(failed, key=lambda pair: pair[0].attempt)}
        for packed, event in copies.values():
            with correlated(event.correlation):
                verdict = judge(fault, attempt=packed.attempt)
                if started_ns:
                    judged.append((event, verdict))
                if verdict.delay_seconds is None:
                    await self.dead_letter(packed, verdict)
                    continue
                log.info(
                    "message.postponed",
                    queue=self.queue,
                    event_id=packed.id,
                    reason=verdict.reason,
                    seconds=verdict.delay_seconds,
                )
                postponed[verdict.delay_seconds].append(packed)
        for delay_seconds, events in postponed.items():
            for pack in batched(events, _POSTPONED_PACK_MAX):
                await self._redelivery.postpone(self.queue, self.name, pack, delay_seconds)
            self.count("retried", [self._decoder.decode(packed.body) for packed in events])
        # Once the broker has them: what it did not take is redelivered again as a whole.
        for event, verdict in judged:
            outcome = "dead_lettered" if verdict.delay_seconds is None else "postponed"
            spans.handled([event], queue=self.queue, started_ns=started_ns, outcome=outcome, reason=verdict.reason)

    def count(self, outcome: str, bodies: Sequence[M]) -> None:
        """Count what became of events."""
        metrics.MESSAGES.labels(self.queue, outcome).inc(len(bodies))

    async def dead_letter(self, packed: PackedEvent, verdict: Verdict) -> None:
        """Dead-letter an event."""
        await self._dead_letter(encode_pack(self.name, [packed]), verdict, str(packed.id))

    async def _dead_letter(
        self,
        body: bytes,
        verdict: Verdict,
        message_id: str | None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        sent_at: float = 0,
    ) -> None:
        log.error(
            "message.dead_lettered", queue=self.queue, event_id=message_id, reason=verdict.reason, detail=verdict.detail
        )
        metrics.MESSAGES.labels(self.queue, "dead").inc()
        await self._redelivery.dead_letter(
            self.queue, self.name, body, verdict, message_id=message_id, more=headers, sent_at=sent_at
        )
