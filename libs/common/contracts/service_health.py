"""A request about how the messages of a service go, the same one for each: every service answers for its own outbox and queues.

The api sends it for operators of the platform, since messages are of all tenants.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from libs.common.contracts.base import Message, request

TIMEOUT_SECONDS = 5.0
"""How long an answer may take."""


class QueueHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One queue that a service consumes."""

    queue: str
    """Its name."""
    waiting: int
    """Messages in it that no process has yet."""
    consumers: int
    """Consumers that it has; 0 where nothing takes its messages."""


class ServiceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the messages of a service go, in and out."""

    outbox_pending: int
    """Messages that it is still to publish."""
    outbox_oldest_seconds: float
    """For how long the oldest of them has been due; 0 where there is none."""
    outbox_refused: int
    """Messages that a destination has refused and that are sent to it again later."""
    queues: list[QueueHealth]
    """The queues that it consumes, those of postponed messages included."""


class GetServiceHealth(Message, frozen=True, kw_only=True):
    """How the messages of a service go. Requested by the api."""


def _requested[M: Message](owner: str) -> Callable[[type[M]], type[M]]:
    # Few at a time: each opens a connection to the broker.
    example: dict[str, Any] = {}
    return request(
        "health.get",
        owner=owner,
        published_by=("api",),
        reply=ServiceHealth,
        example=example,
        timeout_seconds=TIMEOUT_SECONDS,
        is_heavy=True,
    )


@_requested("api")
class GetApiHealth(GetServiceHealth, frozen=True, kw_only=True):
    """How the messages of the api go. Requested by the api."""


@_requested("gateway")
class GetGatewayHealth(GetServiceHealth, frozen=True, kw_only=True):
    """How the messages of the gateway go. Requested by the api."""


@_requested("ledger")
class GetLedgerHealth(GetServiceHealth, frozen=True, kw_only=True):
    """How the messages of the ledger go. Requested by the api."""


@_requested("notifier")
class GetNotifierHealth(GetServiceHealth, frozen=True, kw_only=True):
    """How the messages of the notifier go. Requested by the api."""


HEALTHS: dict[str, type[GetServiceHealth]] = {
    "api": GetApiHealth,
    "gateway": GetGatewayHealth,
    "ledger": GetLedgerHealth,
    "notifier": GetNotifierHealth,
}
"""Which request each service answers."""
