"""The shapes of how services are, as operators read them."""

from typing import Annotated, Literal

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_requests import CircuitReport
from libs.common.contracts.service_health import ServiceHealth

type Service = Literal["api", "gateway", "ledger", "notifier"]


class QueueBody(msgspec.Struct, frozen=True, kw_only=True):
    """One queue that a service consumes."""

    queue: str
    waiting: Annotated[int, msgspec.Meta(description="Messages that no process has yet.")]
    consumers: Annotated[int, msgspec.Meta(description="0: nothing takes its messages.")]


class ServiceHealthBody(msgspec.Struct, frozen=True, kw_only=True):
    """How the messages of one service go; null is what is unknown, since it does not answer."""

    service: Service
    is_answering: bool
    outbox_pending: Annotated[int | None, msgspec.Meta(description="Messages that it is still to publish.")]
    outbox_oldest_seconds: Annotated[
        float | None, msgspec.Meta(description="For how long the oldest of them has been due.")
    ]
    outbox_refused: Annotated[
        int | None, msgspec.Meta(description="Messages that a destination has refused, sent to it again later.")
    ]
    queues: list[QueueBody]


class CircuitBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one process of the gateway calls a processor, or one account at it."""

    process: str
    name: Annotated[str, msgspec.Meta(description="`sandbox`, `stripe`, or `stripe:` and a configuration.")]
    is_account: Annotated[bool, msgspec.Meta(description="Whether it is one account, and not the whole processor.")]
    state: Literal["closed", "half_open", "open", "paused"]
    since: str | None
    until: Annotated[str | None, msgspec.Meta(description="When the next call goes out at the earliest.")]
    waiting: Annotated[int, msgspec.Meta(description="Calls that wait for their turn.")]
    per_second: Annotated[
        float | None, msgspec.Meta(description="Calls a second that the process makes at most to the account.")
    ]
    seen_at: str


def health_body(service: Service, health: ServiceHealth | None) -> ServiceHealthBody:
    """Show how a service is; None where it does not answer."""
    return ServiceHealthBody(
        service=service,
        is_answering=health is not None,
        outbox_pending=None if health is None else health.outbox_pending,
        outbox_oldest_seconds=None if health is None else round(health.outbox_oldest_seconds, 3),
        outbox_refused=None if health is None else health.outbox_refused,
        queues=[
            QueueBody(queue=each.queue, waiting=each.waiting, consumers=each.consumers)
            for each in (() if health is None else health.queues)
        ],
    )


def circuit_body(circuit: CircuitReport) -> CircuitBody:
    """Show a circuit."""
    return CircuitBody(
        process=circuit.process,
        name=circuit.name,
        is_account=circuit.is_account,
        state=circuit.state,
        since=None if circuit.since is None else iso(circuit.since),
        until=None if circuit.until is None else iso(circuit.until),
        waiting=circuit.waiting,
        per_second=circuit.per_second,
        seen_at=iso(circuit.seen_at),
    )
