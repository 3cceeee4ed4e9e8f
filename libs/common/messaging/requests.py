"""Request and reply over the broker: one reply queue per process, matched by correlation id, with a deadline.

Used where the api must ask another service while a client waits. A request that nobody answers in time is 503 for the
client; the request itself expires in its queue at the same moment. Tenants take turns, where requests are sent and where
they are answered.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any
from uuid import uuid4

import msgspec

from libs.common import outages
from libs.common.contracts import REGISTRY, Contract, Kind, Message
from libs.common.db import tenancy
from libs.common.errors import (
    Conflict,
    Declined,
    Forbidden,
    Invalid,
    NotFound,
    PlatformError,
    Rejected,
    Unavailable,
    Undecodable,
)
from libs.common.messaging.broker import Broker, forgiving
from libs.common.messaging.delivery import Delivery
from libs.common.messaging.readings import Reading, reading
from libs.common.messaging.settling import acknowledge, hand_back
from libs.common.messaging.topology import reply_exchange
from libs.common.messaging.turns import Lanes, Turns, overloaded
from libs.common.observability import metrics, tracing
from libs.common.observability.correlation import Correlation, accept_correlation_id, correlated, current
from libs.common.observability.logging import get_logger
from libs.common.observability.tracing import SpanKind
from libs.common.outages import FaultClass

log = get_logger("messaging.requests")

_CLASSES: dict[str, type[Rejected]] = {
    kind.__name__: kind for kind in (Rejected, Invalid, Forbidden, NotFound, Conflict, Declined)
}
"""The refusals that travel back; a service's own leaf travels as its nearest ancestor, with its code."""

_WAITING_MAX = 2000
"""Requests of this process that may be unanswered at a time; beyond it the tenant with most of them waiting is refused one."""
_TENANT_WAITING_MAX = 1500
"""Requests of one tenant among them that may wait for a place."""
_TENANT_HEAVY_WAITING_MAX = 50
"""Heavy requests of one tenant that may wait for a place."""
_PLACES = 50
"""Requests to one service that may be in progress at a time, as many as a process of it answers."""
_WINDOW = 4
"""For each place, the requests that an answering process has at hand, to give the places out by tenant."""
_TENANT_CHARACTERS_MAX = 200
_NOT_PROCESSABLE = "the request has a value that cannot be stored or computed with"


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reply that says no."""

    kind: str
    code: str
    detail: str
    errors: tuple[tuple[str, str], ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The JSON of a reply: exactly one of the two is set."""

    answer: msgspec.Raw = msgspec.Raw(b"")
    refusal: Refusal | None = None


class Requester:
    """Puts requests to other services and waits for their replies."""

    def __init__(self, broker: Broker, *, service: str, timeout_seconds: float, places: int = _PLACES) -> None:
        self._broker = broker
        self._timeout_seconds = timeout_seconds
        self._places = places
        self._lanes: dict[str, Lanes] = {}
        self.reply_queue = f"{reply_exchange(service)}.{uuid4().hex}"
        self.binding = (reply_exchange(service), self.reply_queue)
        self._open: dict[str, asyncio.Future[bytes]] = {}
        self._decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}

    def works_on(self, message: Delivery) -> bool:  # noqa: ARG002 - none stays
        """Whether a reply is being handled: never for longer than `take` takes."""
        return False

    async def take(self, message: Delivery) -> None:
        """Accept one reply and wake whoever waits for it; a late one is dropped."""
        waiting = self._open.get(message.correlation_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(message.body)
        await acknowledge(message)

    async def request(self, message: Message) -> Any:
        """Send a request and return the reply struct that its contract names.

        Raises:
            Rejected: the refusal of the service that answered, with its code and detail.
            Unavailable: when nobody answers in time.
        """
        contract = message.contract
        assert contract.reply is not None
        correlation = current()
        turns = self._room(contract, correlation.tenant_id)
        timeout_seconds = max(self._timeout_seconds, contract.timeout_seconds or 0)
        ticket = uuid4().hex
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._open[ticket] = waiting
        started, started_ns = perf_counter(), tracing.started()
        traceparent = tracing.child_traceparent(correlation.traceparent) if started_ns else correlation.traceparent
        outcome = "failed"
        try:
            async with asyncio.timeout(timeout_seconds) as deadline, turns.place(correlation.tenant_id):
                # A reply that comes before its queue is bound would be lost.
                await self._broker.until_reads(self.reply_queue)
                await self._broker.publish(
                    message.encode(),
                    exchange=contract.exchange,
                    routing_key=contract.name,
                    persist=False,
                    reply_to=self.reply_queue,
                    correlation_id=ticket,
                    message_type=contract.name,
                    # It expires in its queue when its requester has stopped waiting.
                    expiration=_remaining(deadline),
                    headers={
                        "X-Correlation-Id": correlation.correlation_id,
                        "X-Tenant-Id": correlation.tenant_id,
                        "traceparent": traceparent,
                    },
                )
                reply = msgspec.json.decode(await waiting, type=Reply)
            outcome = "refused" if reply.refusal else "answered"
        except Exception as fault:
            if isinstance(fault, PlatformError) or not outages.is_outage(fault):
                raise
            raise Unavailable(f"the {contract.owner} service does not answer") from fault
        finally:
            del self._open[ticket]
            metrics.REQUESTS_SENT.labels(contract.name, outcome).inc()
            metrics.REQUEST_DURATION.labels(contract.name).observe(perf_counter() - started)
            if started_ns:
                tracing.record(
                    f"request {contract.name}",
                    kind=SpanKind.CLIENT,
                    traceparent=traceparent,
                    parent=correlation.traceparent,
                    started_ns=started_ns,
                    attributes={"outcome": outcome, "correlation_id": correlation.correlation_id},
                    error=outcome if outcome == "failed" else "",
                )
        return self._read(reply, contract.reply)

    def _room(self, contract: Contract, tenant_id: str) -> Turns:
        """Find the places for one more request of a tenant.

        Raises:
            Unavailable: when too many of its requests wait; of another tenant's if that has more.
        """
        lanes = self._lanes.get(contract.owner)
        if lanes is None:
            lanes = self._lanes[contract.owner] = Lanes(self._places)
        turns = lanes.of(is_heavy=contract.is_heavy)
        waiting = turns.waiting(tenant_id)
        if waiting >= (_TENANT_HEAVY_WAITING_MAX if contract.is_heavy else _TENANT_WAITING_MAX):
            raise overloaded()
        if len(self._open) >= _WAITING_MAX:
            every = [turns for lanes in self._lanes.values() for turns in (lanes.ordinary, lanes.heavy)]
            (most, rudest), crowded = max(((each.longest(), each) for each in every), key=lambda found: found[0])
            if most <= waiting + 1:
                raise overloaded()
            crowded.send_away(rudest)
        return turns

    def _read(self, reply: Reply, kind: type[msgspec.Struct]) -> msgspec.Struct:
        if reply.refusal is not None:
            raise _refused(reply.refusal)
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        answer: msgspec.Struct = decoder.decode(reply.answer)
        return answer


def _remaining(deadline: asyncio.Timeout) -> float:
    ends_at = deadline.when()
    assert ends_at is not None
    return max(0.001, ends_at - asyncio.get_running_loop().time())


def _refused(refusal: Refusal) -> PlatformError:
    if refusal.kind == "Unavailable":
        return Unavailable(refusal.detail, code=refusal.code)
    kind = _CLASSES.get(refusal.kind, Rejected)
    if kind is Invalid:
        return Invalid(refusal.detail, code=refusal.code, errors=refusal.errors)
    return kind(refusal.detail, code=refusal.code)


class Answerer:
    """Answers the requests to one service."""

    def __init__(self, broker: Broker, *, service: str, places: int = _PLACES) -> None:
        self._broker = broker
        self._service = service
        self._lanes = Lanes(places)
        self.prefetch = places * _WINDOW
        """Unacknowledged requests that the broker may push: those among which tenants take turns."""
        self._reply_exchanges = frozenset(
            reply_exchange(requester)
            for m in REGISTRY.values()
            if m.contract.kind is Kind.REQUEST and m.contract.owner == service
            for requester in m.contract.published_by
        )
        self._handlers: dict[str, tuple[Reading[Any], Callable[[Any], Awaitable[msgspec.Struct]]]] = {}
        self._heavy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unacknowledged: set[Delivery] = set()

    @property
    def queue(self) -> str:
        """Where the requests arrive."""
        return f"{self._service}.requests.work"

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return not self._tasks

    @property
    def answers(self) -> frozenset[str]:
        """The names of the requests that have a handler."""
        return frozenset(self._handlers)

    def add(self, kind: type[Message], handler: Callable[[Any], Awaitable[msgspec.Struct]]) -> None:
        """Answer requests of `kind` with `handler`, which reads and writes the rows of the request's tenant alone.

        A request that names no tenant is an operator's, about all of them.
        """
        name = kind.contract.name
        self._handlers[name] = (reading(kind), handler)
        if kind.contract.is_heavy:
            self._heavy.add(kind.contract.name)

    def works_on(self, message: Delivery) -> bool:
        """Whether a request is being answered."""
        return message in self._unacknowledged

    async def take(self, message: Delivery) -> None:
        """Accept one request; the prefetch bounds how many wait here for their turn."""
        self._unacknowledged.add(message)
        task = asyncio.create_task(self._answer(message), name=f"answer {self.queue}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Delivery) -> None:
        name = message.message_type
        try:
            async with self._lanes.of(is_heavy=name in self._heavy).place(_tenant_of(message)):
                if not message.is_current:
                    # It comes again, and nothing of it is done yet.
                    return
                if (expires_at := message.expires_at) and expires_at <= asyncio.get_running_loop().time():
                    metrics.REQUESTS_EXPIRED.labels(name if name in self._handlers else "").inc()
                else:
                    await self._carry_out(message)
            await acknowledge(message)
        except Exception:
            log.exception("request.failed", request=message.message_type)
            await hand_back(message)
        finally:
            self._unacknowledged.discard(message)

    async def _carry_out(self, message: Delivery) -> None:
        headers = message.headers
        name = message.message_type
        parent = str(headers.get("traceparent", ""))
        correlation = Correlation(
            # It goes on into every message of this work, whose bounds it must keep.
            correlation_id=accept_correlation_id(str(headers.get("X-Correlation-Id", ""))),
            tenant_id=_tenant_of(message),
            traceparent=tracing.child_traceparent(parent),
        )
        started_ns = tracing.started()
        with correlated(correlation):
            reply = await self._reply(name, message.body)
            if started_ns and name in self._handlers:
                _record_answer(name, reply, correlation, parent=parent, started_ns=started_ns)
            # The name of the queue tells whose it is; only who may ask by the contracts is answered.
            exchange = message.reply_to.rpartition(".")[0]
            if exchange in self._reply_exchanges:
                # The requester may have stopped waiting or died meanwhile; then its queue is gone and the reply with it.
                async with forgiving():
                    await self._broker.publish(
                        msgspec.json.encode(reply),
                        exchange=exchange,
                        routing_key=message.reply_to,
                        persist=False,
                        mandatory=False,
                        correlation_id=message.correlation_id,
                    )

    async def _reply(self, name: str, body: bytes) -> Reply:
        try:
            found = self._handlers.get(name)
            if found is None:
                raise Undecodable(f"the {self._service} service does not know the request {name!r}")
            read, handler = found
            try:
                request = await read(body)
            except Undecodable as fault:
                # The same every time, so not an outage: the requester must not repeat it.
                raise Invalid(fault.detail) from fault
            tenant_id = getattr(request, "tenant_id", None)
            if tenant_id is None:
                answer = await handler(request)
            else:
                # What the work publishes is about this tenant, whatever the header says.
                of_tenant = msgspec.structs.replace(current(), tenant_id=tenant_id)
                with correlated(of_tenant), tenancy.limited_to(tenant_id):
                    answer = await handler(request)
            return Reply(answer=msgspec.Raw(msgspec.json.encode(answer)))
        except Rejected as no:
            kind = next(base.__name__ for base in type(no).__mro__ if base.__name__ in _CLASSES)
            return Reply(refusal=Refusal(kind=kind, code=no.reason, detail=no.detail, errors=no.errors))
        except PlatformError as fault:
            log.warning("request.not_answered", request=name, reason=fault.reason, detail=fault.detail)
            return Reply(
                refusal=Refusal(
                    kind="Unavailable", code="unavailable", detail=f"the {self._service} service cannot answer now"
                )
            )
        except Exception as fault:
            if outages.classify(fault) is FaultClass.DATA:
                # The same every time: a character or a number that PostgreSQL has no room for, nesting without end.
                log.exception("request.not_processable", request=name)
                return Reply(refusal=Refusal(kind=Invalid.__name__, code=Invalid.code, detail=_NOT_PROCESSABLE))
            log.exception("request.failed", request=name)
            return Reply(
                refusal=Refusal(
                    kind="Unavailable", code="unavailable", detail=f"the {self._service} service cannot answer now"
                )
            )


def _record_answer(name: str, reply: Reply, correlation: Correlation, *, parent: str, started_ns: int) -> None:
    outcome = "answered" if reply.refusal is None else reply.refusal.kind
    tracing.record(
        f"answer {name}",
        kind=SpanKind.SERVER,
        traceparent=correlation.traceparent,
        parent=parent,
        started_ns=started_ns,
        attributes={
            "outcome": outcome,
            "correlation_id": correlation.correlation_id,
            "tenant_id": correlation.tenant_id,
        },
        error=outcome if outcome == Unavailable.__name__ else "",
    )


def _tenant_of(message: Delivery) -> str:
    return str(message.headers.get("X-Tenant-Id", ""))[:_TENANT_CHARACTERS_MAX]


def sends_requests(service: str) -> bool:
    """Whether the contracts let `service` ask anybody."""
    return any(m.contract.kind is Kind.REQUEST and service in m.contract.published_by for m in REGISTRY.values())


def requests_of(service: str) -> frozenset[str]:
    """The names of all requests that the contracts say `service` answers."""
    return frozenset(
        m.contract.name for m in REGISTRY.values() if m.contract.kind is Kind.REQUEST and m.contract.owner == service
    )
