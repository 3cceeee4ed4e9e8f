"""What a message contract is. Each message is one frozen struct, declared once; everything else derives from it.

Routing, topology, the outbox's closed list, AsyncAPI, examples and the schemas in docs/contracts all read `REGISTRY`.

- An *event* is owned by its publisher and goes to `<owner>.events`, in packs. Every process handles a *broadcast* event.
- A *command* is owned by its handler and goes to `<owner>.commands`, in packs.
- A *request* is owned by its handler, goes to `<owner>.requests` alone, and is answered.
- A *public* event also goes to `payments.x`, alone and flat: the contract with other teams.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

import msgspec

PUBLIC_EXCHANGE = "payments.x"
"""The durable topic exchange that other teams' consumers are bound to."""


class Kind(StrEnum):
    """What a message is for."""

    EVENT = "event"
    COMMAND = "command"
    REQUEST = "request"


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """How one message type travels."""

    name: str
    """The type's name and routing key, dotted: `payment.captured`."""
    kind: Kind
    owner: str
    """The service that owns the exchange: who publishes an event, who handles a command or request."""
    handled_by: tuple[str, ...]
    """The services that have a queue for it."""
    published_by: tuple[str, ...]
    """The services that may say it."""
    public: bool = False
    """Also published on `payments.x`."""
    broadcast: bool = False
    """Handled by every process of its subscribers while it runs, in a queue of its own, and by nobody later."""
    reply: type[msgspec.Struct] | None = None
    """What a request is answered with."""
    timeout_seconds: float | None = None
    """How long an answer to a request is waited for, where that is longer than `REQUEST_TIMEOUT_SECONDS`."""
    is_heavy: bool = False
    """Whether answering a request may take long: of such only a few are answered at a time, beside all others."""
    long: str = ""
    """The member of a request that is a list of any length, and is read in slices."""

    @property
    def exchange(self) -> str:
        """The internal exchange: `gateway.events`, `gateway.commands`, `ledger.requests`."""
        return f"{self.owner}.{self.kind}s"

    def queue(self, service: str) -> str:
        """The queue from which `service` receives this message: `ledger.payment.captured`; one for all requests.

        Never the name of an exchange: the broker's permissions do not tell the two apart.
        """
        return f"{service}.requests.work" if self.kind is Kind.REQUEST else f"{service}.{self.name}"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The base of every message body. Bodies are snake_case JSON; unknown fields are ignored, added ones have defaults."""

    contract: ClassVar[Contract]
    example: ClassVar[dict[str, Any]]
    """One valid body, as plain data; shown in AsyncAPI and decoded by a test."""

    def encode(self) -> bytes:
        """Write the body as JSON."""
        return msgspec.json.encode(self)


class PublicEvent(Message, frozen=True, kw_only=True):
    """The members that every event on `payments.x` carries in its flat body."""

    event_id: UUID
    """Identifies this event for ever; the AMQP `message_id` and, to merchants, the `webhook-id`'s source."""
    occurred_at: datetime
    """When it happened, in UTC."""
    version: int = 1
    """Raised only when a field changes its meaning; added fields do not raise it."""
    tenant_id: str
    """The tenant it happened to."""
    correlation_id: str
    """Ties it to the request or message that caused it."""


REGISTRY: dict[str, type[Message]] = {}
"""Every contract, by `<kind>:<owner>:<name>`."""


def key(contract: Contract) -> str:
    """The registry key of a contract; the name alone is not unique, since api and gateway both have captures."""
    return f"{contract.kind}:{contract.owner}:{contract.name}"


def _declare[M: Message](contract: Contract, example: dict[str, Any]) -> Callable[[type[M]], type[M]]:
    def register(message: type[M]) -> type[M]:
        if key(contract) in REGISTRY:
            raise ValueError(f"the contract {key(contract)} is declared twice")
        message.contract = contract
        message.example = example
        REGISTRY[key(contract)] = message
        return message

    return register


def event[M: Message](
    name: str,
    *,
    owner: str,
    handled_by: tuple[str, ...],
    example: dict[str, Any],
    public: bool = False,
    broadcast: bool = False,
) -> Callable[[type[M]], type[M]]:
    """Declare an event: something that happened, published by `owner`."""
    contract = Contract(
        name=name,
        kind=Kind.EVENT,
        owner=owner,
        handled_by=handled_by,
        published_by=(owner,),
        public=public,
        broadcast=broadcast,
    )
    return _declare(contract, example)


def command[M: Message](
    name: str, *, owner: str, published_by: tuple[str, ...], example: dict[str, Any]
) -> Callable[[type[M]], type[M]]:
    """Declare a command: something that `owner` shall do, and does exactly once."""
    return _declare(
        Contract(name=name, kind=Kind.COMMAND, owner=owner, handled_by=(owner,), published_by=published_by), example
    )


def request[M: Message](
    name: str,
    *,
    owner: str,
    published_by: tuple[str, ...],
    reply: type[msgspec.Struct],
    example: dict[str, Any],
    timeout_seconds: float | None = None,
    is_heavy: bool = False,
    long: str = "",
) -> Callable[[type[M]], type[M]]:
    """Declare a request: something that `owner` answers while somebody waits; repeating it must do no harm."""
    return _declare(
        Contract(
            name=name,
            kind=Kind.REQUEST,
            owner=owner,
            handled_by=(owner,),
            published_by=published_by,
            reply=reply,
            timeout_seconds=timeout_seconds,
            is_heavy=is_heavy,
            long=long,
        ),
        example,
    )


def handled_by(service: str) -> list[type[Message]]:
    """Every message that `service` has a queue for."""
    return [m for m in REGISTRY.values() if service in m.contract.handled_by]


def published_by(service: str) -> list[type[Message]]:
    """Every message that `service` may publish."""
    return [m for m in REGISTRY.values() if service in m.contract.published_by]
