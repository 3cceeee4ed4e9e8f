"""What becomes of a message that could not be handled. With `web/problems.py` the only translator of errors.

    Transient, TooEarly           again later: 1 s, 5 s, 30 s, then every 5 min; after the last try, dead letter
    OutcomeUnknown                likewise: somebody must ask again with the same key
    Rejected, BrokenInvariant     dead letter, with the reason in its headers
    Undecodable                   dead letter at once
    a driver's error              by its class in `outages`: an outage or contention is like Transient, bad data a dead letter
    a statement canceled          an outage, unless only this event meets it (see `patience`): then like Transient
    anything else                 a bug of ours, or a deployment in progress: a few retries, then a dead letter

What comes again does so in `<queue>.postponed`, which is read beside the queue itself: however many events are too early,
fresh ones do not wait behind them. There they are handed on by tenant (see `shares`). A dead letter waits in `<queue>.dead` until it is redriven; nothing is ever dropped, and no neighbour waits for it.
"""

import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
from aio_pika.abc import HeadersType

from libs.common import outages
from libs.common.clock import Clock, iso
from libs.common.errors import OutcomeUnknown, PlatformError, Transient
from libs.common.messaging.broker import Broker
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.topology import DELAYS_SECONDS, dead_exchange, delay_exchange, postponed_queue
from libs.common.outages import FaultClass

RETRIES_MAX = 14
"""Retries of one event before it becomes a dead letter: a little under an hour with the steps above."""

UNEXPECTED_RETRIES_MAX = 3
"""Retries after an error that nobody foresaw: half a minute, in which a deployment may end."""

LAP_HEADER = "x-lap"
"""The lap in which a message was passed over, see `shares`."""
_PASS_SECONDS = DELAYS_SECONDS[0]
"""How long what is passed over rests: a moment, so that its circulation is bounded, and its consumer is not kept waiting."""

_REASON_CHARACTERS = 500
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with a failed event: `delay_seconds` is None for a dead letter."""

    delay_seconds: int | None
    reason: str
    detail: str


def judge(fault: Exception, *, attempt: int) -> Verdict:
    """Decide what becomes of an event that failed with `fault` after `attempt` earlier retries."""
    if isinstance(fault, PlatformError):
        reason, detail = fault.reason, fault.detail
    else:
        where = traceback.extract_tb(fault.__traceback__)
        place = f" at {where[-1].name}" if where else ""
        reason, detail = "unexpected_error", f"{type(fault).__name__}: {fault}{place}"
    retries = _retries_of(fault)
    if retries:
        if attempt < retries:
            return Verdict(
                delay_seconds=DELAYS_SECONDS[min(attempt, len(DELAYS_SECONDS) - 1)], reason=reason, detail=detail
            )
        if retries == RETRIES_MAX:
            reason = f"{reason}_for_too_long"
    return Verdict(delay_seconds=None, reason=reason, detail=detail[:_REASON_CHARACTERS])


def _retries_of(fault: Exception) -> int:
    if isinstance(fault, PlatformError):
        return RETRIES_MAX if isinstance(fault, (Transient, OutcomeUnknown)) else 0
    match outages.classify(fault):
        case FaultClass.OUTAGE | FaultClass.CONTENTION:
            return RETRIES_MAX
        case FaultClass.BUG:
            return UNEXPECTED_RETRIES_MAX
        case FaultClass.DATA:
            return 0


class Redelivery:
    """Postpones and dead-letters the events of one service."""

    def __init__(self, broker: Broker, *, service: str, clock: Clock) -> None:
        self._broker = broker
        self._service = service
        self._clock = clock

    async def postpone(self, queue: str, name: str, events: Sequence[PackedEvent], delay_seconds: int) -> None:
        """Send events as one message through the delay queue, from which it comes to the postponed ones of `queue`."""
        later = [msgspec.structs.replace(event, attempt=event.attempt + 1) for event in events]
        await self._broker.publish(
            encode_pack(name, later),
            exchange=delay_exchange(self._service, delay_seconds),
            routing_key=postponed_queue(queue),
            message_id=str(events[0].id),
            message_type=name,
            headers={"x-events": len(later), "x-attempt": max(event.attempt for event in later)},
        )

    async def pass_over(self, source: str, name: str, events: Sequence[PackedEvent], *, lap: str) -> None:
        """Send events as one message through a delay queue to the end of `source`; that is no attempt."""
        await self._broker.publish(
            encode_pack(name, events),
            exchange=delay_exchange(self._service, _PASS_SECONDS),
            routing_key=source,
            message_id=str(events[0].id),
            message_type=name,
            headers={
                "x-events": len(events),
                "x-attempt": max(event.attempt for event in events),
                LAP_HEADER: lap,
            },
        )

    async def dead_letter(
        self,
        queue: str,
        name: str,
        body: bytes,
        verdict: Verdict,
        *,
        message_id: str | None = None,
        more: Mapping[str, str] = _NO_HEADERS,
        sent_at: float = 0,
    ) -> None:
        """Send a message to the dead-letter queue of `queue`, with the reason in its headers, and `more`.

        `sent_at` is when it was sent at first, in seconds since 1970; 0 where that is unknown.
        """
        headers: HeadersType = {
            **more,
            "x-reason": verdict.reason,
            "x-detail": verdict.detail,
            "x-queue": queue,
            "x-failed-at": iso(self._clock.now()),
        }
        await self._broker.publish(
            body,
            exchange=dead_exchange(self._service),
            routing_key=queue,
            message_id=message_id,
            message_type=name,
            headers=headers,
            timestamp=int(sent_at) or None,
        )
