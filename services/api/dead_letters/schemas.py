"""The shapes of dead letters as operators read them."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from libs.common.clock import iso
from libs.common.contracts.dead_letters import DeadLetter

type Service = Literal["api", "gateway", "ledger", "notifier"]


class DeadEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a dead letter; null is what is unknown."""

    event_id: str
    tenant_id: str | None
    correlation_id: str | None
    payment_intent_id: str | None
    refund_id: str | None


class DeadLetterBody(msgspec.Struct, frozen=True, kw_only=True):
    """One message that a service could not handle; null is what is unknown."""

    id: Annotated[str, msgspec.Meta(description="The same each time, as long as it waits.")]
    service: Service
    queue: Annotated[str, msgspec.Meta(description="In which it was to be handled.")]
    message_type: str | None
    message_id: str | None
    reason: Annotated[str | None, msgspec.Meta(description="Why, as a stable word; null where RabbitMQ gave it up.")]
    detail: str | None
    failed_at: str | None
    age_seconds: int | None
    size_bytes: int
    event_count: Annotated[int, msgspec.Meta(description="0: it is no message of the platform's own form.")]
    events: Annotated[list[DeadEventBody], msgspec.Meta(description="The first ten.")]


class DeadLetterQueueBody(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead letters one queue has."""

    service: Service
    queue: str
    count: int


class DeadLettersBody(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letters of services, the oldest first."""

    data: list[DeadLetterBody]
    queues: Annotated[list[DeadLetterQueueBody], msgspec.Meta(description="All queues that have any.")]
    unavailable: Annotated[list[Service], msgspec.Meta(description="Services that do not answer.")]


class ShownDeadLetterBody(DeadLetterBody, frozen=True, kw_only=True):
    """A dead letter with its content."""

    body: Annotated[
        str | None,
        msgspec.Meta(
            description="JSON; the values of members that are secret or identify a person are `[hidden]`, and card numbers masked."
        ),
    ]
    omitted: Annotated[
        Literal["not_json", "too_large"] | None, msgspec.Meta(description="Why the content is not shown.")
    ]


class RedrivenBody(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter is handled again."""

    id: str
    service: Service
    queue: Annotated[str | None, msgspec.Meta(description="Where; null where it had gone back before.")]
    is_repeated: Annotated[bool, msgspec.Meta(description="Whether it had gone back before.")]


def letter_body(service: Service, letter: DeadLetter, *, now: datetime) -> DeadLetterBody:
    """Show a dead letter as operators see it."""
    age = None if letter.failed_at is None else max(0, int((now - letter.failed_at).total_seconds()))
    return DeadLetterBody(
        id=str(letter.id),
        service=service,
        queue=letter.queue,
        message_type=letter.message_type or None,
        message_id=letter.message_id or None,
        reason=letter.reason or None,
        detail=letter.detail or None,
        failed_at=None if letter.failed_at is None else iso(letter.failed_at),
        age_seconds=age,
        size_bytes=letter.size_bytes,
        event_count=letter.event_count,
        events=[
            DeadEventBody(
                event_id=event.event_id,
                tenant_id=event.tenant_id or None,
                correlation_id=event.correlation_id or None,
                payment_intent_id=event.payment_intent_id or None,
                refund_id=event.refund_id or None,
            )
            for event in letter.events
        ],
    )
