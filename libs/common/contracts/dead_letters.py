"""Requests about the dead letters of a service, the same ones for each: every service answers for its own queues.

The api sends them for operators of the platform, since dead letters are of all tenants.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.errors import CHECK_ID, Conflict, NotFound

LISTED_MAX = 200
"""Dead letters that are listed at a time."""
TIMEOUT_SECONDS = 10.0
"""How long an answer may take: each queue is looked at, one after another."""
_LETTER_ID = "0190f3a4-5b6c-5d8e-9f01-23456789abd1"


class DeadLetterNotFound(NotFound):
    """The service has no such dead letter.

    It may have gone back already, by another way than this API.
    """

    code = "dead_letter_not_found"
    remedy = CHECK_ID


class DeadLetterUnreadable(Conflict):
    """What another team sent still cannot be read.

    Sent back, it would be a dead letter again at once.
    """

    code = "dead_letter_unreadable"
    remedy = "Have its sender publish it again as it should be."


class DeadEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a dead letter, as far as it can be read."""

    event_id: str
    """The event."""
    tenant_id: str = ""
    """The tenant it is about; empty where that is unknown."""
    correlation_id: str = ""
    """The cause it belongs to."""
    payment_intent_id: str = ""
    """The payment it is about, where its body names one."""
    refund_id: str = ""
    """The refund it is about, where its body names one."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One message that could not be handled: mostly of one event."""

    id: UUID
    """Made of its queue, its message id and its content: the same each time it is looked at."""
    queue: str
    """The queue in which it was to be handled."""
    message_type: str
    """The type of its events; empty where its sender named none."""
    message_id: str
    """As its sender named it; empty where it did not."""
    reason: str
    """Why it could not be handled, as a stable word; empty where the broker gave it up."""
    detail: str
    """A sentence that goes with it."""
    failed_at: datetime | None
    """When that was; None where neither we nor the broker noted it."""
    size_bytes: int
    """The size of its body."""
    event_count: int
    """How many events it has; 0 where it is no message of ours."""
    events: list[DeadEvent]
    """The first of them."""


class DeadLetterCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead letters one queue has."""

    queue: str
    """The queue in which they were to be handled."""
    count: int
    """How many."""


class DeadLetterList(msgspec.Struct, frozen=True, kw_only=True):
    """The queues of a service that have dead letters, and the oldest of these."""

    queues: list[DeadLetterCount]
    letters: list[DeadLetter]


class ShownDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter with its content."""

    letter: DeadLetter
    """What is listed of it."""
    body: str | None
    """Its body as JSON, without secrets, card numbers and what identifies a person; None where it is not shown."""
    omitted: str = ""
    """Why it is not shown: `not_json` or `too_large`."""


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter went back to its queue."""

    letter_id: UUID
    """The dead letter."""
    queue: str
    """The queue in which it is handled again; empty where it went back before."""
    is_repeated: bool
    """Whether it had gone back before, by the same request."""


class ListDeadLetters(Message, frozen=True, kw_only=True):
    """The dead letters of a service, the oldest ones of each queue. Requested by the api."""

    queue: str = ""
    """Of this queue alone; empty: of all."""
    limit: int = LISTED_MAX
    """Letters at most."""


class GetDeadLetter(Message, frozen=True, kw_only=True):
    """One dead letter of a service with its content. Requested by the api."""

    letter_id: UUID
    """The dead letter."""


class RedriveDeadLetter(Message, frozen=True, kw_only=True):
    """Have a dead letter handled again. Requested by the api; again it is success."""

    letter_id: UUID
    """The dead letter."""
    actor: str
    """Who has it redriven: written down by the service."""


_LIST = {"queue": "", "limit": 50}
_GET = {"letter_id": _LETTER_ID}
_REDRIVE = _GET | {"actor": "ops@example.com"}


def _requested[M: Message](
    name: str, owner: str, reply: type[msgspec.Struct], example: dict[str, Any]
) -> Callable[[type[M]], type[M]]:
    # Few at a time: each opens a connection to the broker.
    return request(
        f"dead_letters.{name}",
        owner=owner,
        published_by=("api",),
        reply=reply,
        example=example,
        timeout_seconds=TIMEOUT_SECONDS,
        is_heavy=True,
    )


@_requested("list", "api", DeadLetterList, _LIST)
class ListApiDeadLetters(ListDeadLetters, frozen=True, kw_only=True):
    """The dead letters of the api, the oldest ones of each queue. Requested by the api."""


@_requested("get", "api", ShownDeadLetter, _GET)
class GetApiDeadLetter(GetDeadLetter, frozen=True, kw_only=True):
    """One dead letter of the api with its content. Requested by the api."""


@_requested("redrive", "api", Redriven, _REDRIVE)
class RedriveApiDeadLetter(RedriveDeadLetter, frozen=True, kw_only=True):
    """Have a dead letter of the api handled again. Requested by the api; again it is success."""


@_requested("list", "gateway", DeadLetterList, _LIST)
class ListGatewayDeadLetters(ListDeadLetters, frozen=True, kw_only=True):
    """The dead letters of the gateway, the oldest ones of each queue. Requested by the api."""


@_requested("get", "gateway", ShownDeadLetter, _GET)
class GetGatewayDeadLetter(GetDeadLetter, frozen=True, kw_only=True):
    """One dead letter of the gateway with its content. Requested by the api."""


@_requested("redrive", "gateway", Redriven, _REDRIVE)
class RedriveGatewayDeadLetter(RedriveDeadLetter, frozen=True, kw_only=True):
    """Have a dead letter of the gateway handled again. Requested by the api; again it is success."""


@_requested("list", "ledger", DeadLetterList, _LIST)
class ListLedgerDeadLetters(ListDeadLetters, frozen=True, kw_only=True):
    """The dead letters of the ledger, the oldest ones of each queue. Requested by the api."""


@_requested("get", "ledger", ShownDeadLetter, _GET)
class GetLedgerDeadLetter(GetDeadLetter, frozen=True, kw_only=True):
    """One dead letter of the ledger with its content. Requested by the api."""


@_requested("redrive", "ledger", Redriven, _REDRIVE)
class RedriveLedgerDeadLetter(RedriveDeadLetter, frozen=True, kw_only=True):
    """Have a dead letter of the ledger handled again. Requested by the api; again it is success."""


@_requested("list", "notifier", DeadLetterList, _LIST)
class ListNotifierDeadLetters(ListDeadLetters, frozen=True, kw_only=True):
    """The dead letters of the notifier, the oldest ones of each queue. Requested by the api."""


@_requested("get", "notifier", ShownDeadLetter, _GET)
class GetNotifierDeadLetter(GetDeadLetter, frozen=True, kw_only=True):
    """One dead letter of the notifier with its content. Requested by the api."""


@_requested("redrive", "notifier", Redriven, _REDRIVE)
class RedriveNotifierDeadLetter(RedriveDeadLetter, frozen=True, kw_only=True):
    """Have a dead letter of the notifier handled again. Requested by the api; again it is success."""


LISTS: dict[str, type[ListDeadLetters]] = {
    "api": ListApiDeadLetters,
    "gateway": ListGatewayDeadLetters,
    "ledger": ListLedgerDeadLetters,
    "notifier": ListNotifierDeadLetters,
}
"""Which request lists them, by service."""
GETS: dict[str, type[GetDeadLetter]] = {
    "api": GetApiDeadLetter,
    "gateway": GetGatewayDeadLetter,
    "ledger": GetLedgerDeadLetter,
    "notifier": GetNotifierDeadLetter,
}
"""Which one shows one of them."""
REDRIVES: dict[str, type[RedriveDeadLetter]] = {
    "api": RedriveApiDeadLetter,
    "gateway": RedriveGatewayDeadLetter,
    "ledger": RedriveLedgerDeadLetter,
    "notifier": RedriveNotifierDeadLetter,
}
"""Which one sends it back."""
