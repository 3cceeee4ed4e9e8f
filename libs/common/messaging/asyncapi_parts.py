"""What the AsyncAPI documents have in common: headers, refusals, correlation ids, and the forms of channels and operations."""

from typing import Any

BINDING = "0.3.0"
"""The version of the AMQP bindings that are written."""
CORRELATION, TENANT = "4be3c5a8f0d94f0c8f3f6c6f6a3c2b10", "00000000-0000-0000-0000-000000000002"
VIRTUAL_HOST = "payments"
"""As the definitions and private brokers have it."""
PARTNERS_VIRTUAL_HOST = "/"
"""Where other teams publish and read, as `PARTNERS_VHOST` is by default."""
SERVERS = {
    "rabbitmq": {
        "host": "localhost:5672",
        "pathname": f"/{VIRTUAL_HOST}",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "title": "RabbitMQ",
        "description": (
            f"The virtual host `{VIRTUAL_HOST}`, where the services are among themselves. Each has a user of its own, with the rights "
            "that its contracts need and no more."
        ),
        "security": [{"$ref": "#/components/securitySchemes/user"}],
        "tags": [{"name": "internal", "description": "Where all messages between services travel."}],
    },
    "partners": {
        "host": "localhost:5672",
        "pathname": "/%2F",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "title": "RabbitMQ, other teams",
        "description": (
            f"The virtual host `{PARTNERS_VIRTUAL_HOST}` (`PARTNERS_VHOST`), where other teams publish and read: `payments.x`, and their "
            "own exchanges. Each team has a user of its own."
        ),
        "security": [{"$ref": "#/components/securitySchemes/user"}],
        "tags": [{"name": "public", "description": "Where other teams are."}],
    },
}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_TEXT_HEADERS = {
    "X-Correlation-Id": {"type": "string", "description": "Ties the message to its cause.", "examples": [CORRELATION]},
    "X-Tenant-Id": {"type": "string", "description": "The tenant it concerns; empty where there is none."},
    "traceparent": {
        "type": "string",
        "description": "W3C Trace Context: where traces are on, of the span that sent it; else the caller's as it came, or empty.",
    },
}
HEADERS = {
    "MessageHeaders": {
        "type": "object",
        "description": "Of a message that travels alone.",
        "required": [*_TEXT_HEADERS],
        "properties": _TEXT_HEADERS,
    },
    "PartnerHeaders": {
        "type": "object",
        "description": "Of a message of another team, which need not send any.",
        "properties": _TEXT_HEADERS,
    },
    "PackHeaders": {
        "type": "object",
        "description": "Of a pack; what concerns one event stands beside its body.",
        "required": ["x-events"],
        "properties": {
            "x-events": {"type": "integer", "minimum": 1, "description": "How many events the pack carries."}
        },
    },
    "ReplyHeaders": {
        "type": "object",
        "description": "A reply has no headers: the AMQP property `correlation_id` names its request.",
    },
}
REFUSAL = {
    "type": "object",
    "description": "Why the request is refused.",
    "required": ["kind", "code", "detail"],
    "properties": {
        "kind": {"type": "string", "description": "`Invalid`, `NotFound`, `Conflict`, `Unavailable` and the like."},
        "code": {"type": "string", "description": "As in docs/errors.md."},
        "detail": {"type": "string", "description": "For people."},
        "errors": {
            "type": "array",
            "description": "Pairs: which member, and what is wrong with it.",
            "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
        },
    },
}
REFUSED = {"kind": "NotFound", "code": "not_found", "detail": "There is no such thing."}
CORRELATION_IDS = {
    "header": {"location": "$message.header#/X-Correlation-Id", "description": "The cause it belongs to."},
    "event": {
        "location": "$message.payload#/events/0/correlation_id",
        "description": "Each event of a pack has its own; this is the first one's.",
    },
    "request": {
        "location": "$message.header#/correlation_id",
        "description": "The AMQP property `correlation_id`, which the reply repeats.",
    },
}
TAGS = {
    "event": "What happened; published in packs.",
    "command": "What its owner shall do, exactly once; published in packs.",
    "request": "A question with an answer, for which somebody waits.",
    "public": "For other teams, on `payments.x`.",
    "partner": "Published by other teams.",
}


def operation_of(action: str, channel: str, message: str, *, summary: str, tags: tuple[str, ...]) -> dict[str, Any]:
    """Write an operation on a channel that carries one message."""
    verb = "Receive" if action == "receive" else "Publish"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": f"{verb} {message}",
        "summary": summary,
        "tags": [{"name": tag} for tag in dict.fromkeys(tags)],
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def operation_bindings(action: str, *, is_kept: bool, is_certain: bool) -> dict[str, Any]:
    """How it is published or received: kept on disk or not, and returned where no queue takes it."""
    if action == "receive":
        return {"amqp": {"ack": True, "bindingVersion": BINDING}}
    return {"amqp": {"deliveryMode": 2 if is_kept else 1, "mandatory": is_certain, "bindingVersion": BINDING}}


def channel_of(exchange: str, routing_key: str, message: str, *, is_partners: bool = False) -> dict[str, Any]:
    """Write the channel of a routing key on an exchange, in the services' virtual host or in that of other teams."""
    server, vhost = ("partners", PARTNERS_VIRTUAL_HOST) if is_partners else ("rabbitmq", VIRTUAL_HOST)
    return {
        "address": routing_key,
        "title": f"{exchange} {routing_key}",
        "summary": f"`{routing_key}` on `{exchange}`.",
        "description": f"Exchange `{exchange}`, routing key `{routing_key}`.",
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": exchange,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                    "vhost": vhost,
                },
                "bindingVersion": BINDING,
            }
        },
    }


__all__ = [
    "BINDING",
    "CORRELATION",
    "CORRELATION_IDS",
    "HEADERS",
    "REFUSAL",
    "REFUSED",
    "SERVERS",
    "TAGS",
    "TENANT",
    "TRACE",
    "VIRTUAL_HOST",
    "channel_of",
    "operation_bindings",
    "operation_of",
]
