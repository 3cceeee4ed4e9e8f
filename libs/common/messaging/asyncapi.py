"""The AsyncAPI 3.0 document of one service, written from the contracts: what it receives, publishes, requests and answers.

FastStream's own document has no replies, headers, correlation ids, examples or summaries, and our subscribers take whole
packs; so the document is derived from the registry instead, which also knows who is on the other side.
"""

import inspect
from typing import Any

from libs.common.contracts import PUBLIC_EXCHANGE, Kind, Message, PublicEvent, handled_by, published_by
from libs.common.contracts.foreign import Form, Subscription, subscriptions_of
from libs.common.contracts.shapes import sample, schemas
from libs.common.messaging.asyncapi_parts import (
    BINDING,
    CORRELATION,
    CORRELATION_IDS,
    HEADERS,
    REFUSAL,
    REFUSED,
    SERVERS,
    TAGS,
    TENANT,
    TRACE,
    VIRTUAL_HOST,
    channel_of,
    operation_bindings,
    operation_of,
)
from libs.common.messaging.envelope import ATTEMPTS_MAX, PACK_EVENTS_MAX
from libs.common.messaging.topology import dead_queue, postponed_queue, topology


def document(service: str, *, version: str) -> dict[str, Any]:
    """Write the AsyncAPI 3.0 document of `service` as plain data."""
    writer = _Writer(service)
    for message in handled_by(service):
        writer.add(message, action="receive")
    for message in published_by(service):
        writer.add(message, action="send")
    for subscription in subscriptions_of(service):
        for form in subscription.forms:
            writer.add_foreign(subscription, form)
    used = {tag["name"] for operation in writer.operations.values() for tag in operation["tags"]}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{service} service",
            "version": version,
            "description": (
                f"Messages that the {service} service receives and publishes. Internal events and commands travel in packs of 1 "
                "to 100; events on `payments.x` travel alone. Everything arrives at least once: deduplicate by the event id."
            ),
            "license": {"name": "MIT"},
            "contact": {"name": "The payments platform authors"},
            "tags": [
                {
                    "name": name,
                    "description": TAGS.get(name, f"What the {name} service owns, or the {name} team sends."),
                }
                for name in sorted(used)
            ],
        },
        "defaultContentType": "application/json",
        "servers": {name: server for name, server in SERVERS.items() if name == "rabbitmq" or writer.meets_partners},
        "channels": writer.channels,
        "operations": writer.operations,
        "components": {
            "messages": writer.messages,
            "schemas": {**writer.parts, **HEADERS, "Refusal": REFUSAL},
            "correlationIds": CORRELATION_IDS,
            "securitySchemes": {
                "user": {"type": "userPassword", "description": "A user of the broker (SASL PLAIN)."},
            },
        },
    }


def title_of(message: type[Message]) -> str:
    """Name a message as the document does: `gateway.PaymentCaptured`."""
    return f"{message.contract.owner}.{message.__name__}"


def summary_of(kind: type[Any]) -> str:
    """Return the first sentence of what a message is."""
    return (inspect.getdoc(kind) or kind.__name__).splitlines()[0]


class _Writer:
    """Collects what one service's document has."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.channels: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}
        self.messages: dict[str, Any] = {}
        messages = dict.fromkeys((*handled_by(service), *published_by(service)))
        replies = dict.fromkeys(m.contract.reply for m in messages if m.contract.reply)
        bodies = dict.fromkeys(form.body for each in subscriptions_of(service) for form in each.forms)
        kinds: list[Any] = [*messages, *replies, *bodies]
        references, self.parts = schemas(kinds, ref_template="#/components/schemas/{name}")
        self._schema_of = dict(zip(kinds, references, strict=True))

    def add(self, message: type[Message], *, action: str) -> None:
        """Add a message that the service receives or sends: its channel, its operation and, of a request, the reply."""
        contract, name = message.contract, title_of(message)
        is_request = contract.kind is Kind.REQUEST
        carried = name if is_request else f"{name}.pack"
        self.messages[carried] = self._request(message) if is_request else self._pack(message)
        channel = f"{contract.exchange}.{contract.name}"
        self.channels[channel] = channel_of(contract.exchange, contract.name, carried)
        operation = operation_of(
            action, channel, carried, summary=summary_of(message), tags=(str(contract.kind), contract.owner)
        )
        operation["bindings"] = operation_bindings(action, is_kept=not is_request, is_certain=not contract.broadcast)
        if action == "receive":
            operation["description"] = self._received_from(message)
        if contract.reply is not None:
            operation["reply"] = self._reply(message, contract.reply)
        self.operations[f"{action}.{channel}"] = operation
        if action == "send" and contract.public and issubclass(message, PublicEvent):
            self._add_public(message)

    @property
    def meets_partners(self) -> bool:
        """Whether anything is for other teams, or comes from them."""
        return any(message["tags"][0]["name"] in {"public", "partner"} for message in self.messages.values())

    def add_foreign(self, subscription: Subscription, form: Form) -> None:
        """Add a message of another team."""
        channel = f"{form.exchange}.{form.routing_key}"
        message = f"partner.{channel}"
        self.messages[message] = {
            "name": form.routing_key,
            "title": f"{form.exchange} {form.routing_key}",
            "summary": summary_of(form.body),
            "contentType": form.content_type,
            "headers": {"$ref": "#/components/schemas/PartnerHeaders"},
            "correlationId": {"$ref": "#/components/correlationIds/header"},
            "payload": self._schema_of[form.body],
            "bindings": {"amqp": {"bindingVersion": BINDING}},
            "tags": [{"name": "partner"}],
            "examples": [
                {
                    "name": form.body.__name__,
                    "headers": {"X-Correlation-Id": CORRELATION, "X-Tenant-Id": TENANT},
                    "payload": form.example,
                }
            ],
        }
        self.channels[channel] = channel_of(form.exchange, form.routing_key, message, is_partners=True)
        operation = operation_of(
            "receive", channel, message, summary=summary_of(form.body), tags=("partner", subscription.name)
        )
        operation["description"] = (
            f"Published by another team, and received from the queue `{subscription.queue}`. What is refused lies in "
            f"`{dead_queue(subscription.queue)}` with the reason in its headers."
        )
        operation["bindings"] = operation_bindings("receive", is_kept=True, is_certain=True)
        self.operations[f"receive.{channel}"] = operation

    def _add_public(self, message: type[Message]) -> None:
        contract, name = message.contract, title_of(message)
        self.messages[name] = self._alone(message, kind="public")
        channel = f"{PUBLIC_EXCHANGE}.{contract.name}"
        self.channels[channel] = channel_of(PUBLIC_EXCHANGE, contract.name, name, is_partners=True)
        operation = operation_of("send", channel, name, summary=summary_of(message), tags=("public", contract.owner))
        operation["description"] = "Public: one event, one message, for other teams."
        operation["bindings"] = operation_bindings("send", is_kept=True, is_certain=False)
        self.operations[f"publish.{channel}"] = operation

    def _received_from(self, message: type[Message]) -> str:
        contract = message.contract
        if contract.broadcast:
            return f"Received from the queue `{contract.queue(self._service)}.<process>`."
        queue = _queue(contract.queue(self._service), self._service)
        text = f"Received from the queue `{queue}`."
        if contract.kind is not Kind.REQUEST:
            text += f" What came too early comes again in `{_queue(postponed_queue(queue), self._service)}`."
        return text

    def _alone(self, message: type[Message], *, kind: str) -> dict[str, Any]:
        """A message whose body is the payload."""
        headers = {"X-Correlation-Id": CORRELATION, "X-Tenant-Id": TENANT, "traceparent": TRACE}
        return {
            "name": message.contract.name,
            "title": title_of(message),
            "summary": summary_of(message),
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/MessageHeaders"},
            "correlationId": {"$ref": "#/components/correlationIds/header"},
            "payload": self._schema_of[message],
            "bindings": {"amqp": {"messageType": message.contract.name, "bindingVersion": BINDING}},
            "tags": [{"name": kind}],
            "examples": [{"name": message.__name__, "headers": headers, "payload": message.example}],
        }

    def _request(self, message: type[Message]) -> dict[str, Any]:
        return self._alone(message, kind="request") | {
            "description": "Its AMQP properties `reply_to` and `correlation_id` say where the reply goes; it expires when "
            "nobody waits for that any more.",
            "correlationId": {"$ref": "#/components/correlationIds/request"},
        }

    def _reply(self, message: type[Message], reply: type[Any]) -> dict[str, Any]:
        contract, name = message.contract, f"{title_of(message)}.reply"
        answer = self._schema_of[reply]
        self.messages[name] = {
            "name": f"{contract.name}.reply",
            "title": reply.__name__,
            "summary": "Either the answer or a refusal with its code and detail.",
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/ReplyHeaders"},
            "correlationId": {"$ref": "#/components/correlationIds/request"},
            "payload": {
                "type": "object",
                "oneOf": [{"required": ["answer"]}, {"required": ["refusal"]}],
                "properties": {"answer": answer, "refusal": {"$ref": "#/components/schemas/Refusal"}},
            },
            "bindings": {"amqp": {"bindingVersion": BINDING}},
            "tags": [{"name": "request"}],
            "examples": [
                {"name": "answer", "headers": {}, "payload": {"answer": sample(answer, self.parts)}},
                {"name": "refusal", "headers": {}, "payload": {"refusal": REFUSED}},
            ],
        }
        channel = f"{contract.owner}.replies.{contract.name}"
        self.channels[channel] = {
            "address": None,
            "title": f"Replies to {contract.name}",
            "summary": f"Where the answers to `{contract.name}` go.",
            "description": "The requester's own exclusive queue, named in `reply_to`.",
            "servers": [{"$ref": "#/servers/rabbitmq"}],
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {
                "amqp": {
                    "is": "queue",
                    "queue": {"durable": False, "exclusive": True, "autoDelete": True, "vhost": VIRTUAL_HOST},
                    "bindingVersion": BINDING,
                }
            },
        }
        return {
            "address": {"location": "$message.header#/reply_to", "description": "The AMQP property `reply_to`."},
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"}],
        }

    def _pack(self, message: type[Message]) -> dict[str, Any]:
        contract = message.contract
        event = {
            "id": message.example.get("event_id", "0190f3a4-5b6c-7d8e-9f01-23456789abdf"),
            "occurred_at": "2026-11-22T17:57:07.701598Z",
            "tenant_id": TENANT,
            "correlation_id": CORRELATION,
            "body": message.example,
        }
        return {
            "name": contract.name,
            "title": f"{title_of(message)} (pack)",
            "summary": f"1 to 100 `{contract.name}` messages, each with its own id, time, tenant and correlation.",
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/PackHeaders"},
            "correlationId": {"$ref": "#/components/correlationIds/event"},
            "payload": {
                "type": "object",
                "required": ["type", "events"],
                "properties": {
                    "type": {"const": contract.name},
                    "events": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": PACK_EVENTS_MAX,
                        "items": {
                            "type": "object",
                            "required": ["id", "occurred_at", "correlation_id", "body"],
                            "properties": {
                                "id": {"type": "string", "format": "uuid"},
                                "occurred_at": {"type": "string", "format": "date-time"},
                                "tenant_id": {"type": "string"},
                                "correlation_id": {"type": "string"},
                                "traceparent": {"type": "string"},
                                "attempt": {"type": "integer", "minimum": 0, "maximum": ATTEMPTS_MAX},
                                "body": self._schema_of[message],
                            },
                        },
                    },
                },
            },
            "bindings": {"amqp": {"messageType": contract.name, "bindingVersion": BINDING}},
            "tags": [{"name": str(contract.kind)}],
            "examples": [
                {
                    "name": message.__name__,
                    "headers": {"x-events": 1},
                    "payload": {"type": contract.name, "events": [event]},
                }
            ],
        }


def _queue(name: str, service: str) -> str:
    return next(queue.name for queue in topology(service).queues if queue.name == name)


__all__ = ["document", "summary_of", "title_of"]
