"""The AsyncAPI 3.0 document of one service, written from the contracts: what it receives, publishes, requests and answers.

FastStream's own document has no replies, headers, correlation ids, examples or summaries, and our subscribers take whole
packs; so the document is derived from the registry instead, which also knows who is on the other side.
"""

import inspect
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec

from libs.common.contracts import PUBLIC_EXCHANGE, Kind, Message, PublicEvent, handled_by, published_by
from libs.common.contracts.foreign import Form, Subscription, subscriptions_of
from libs.common.messaging.topology import dead_queue, postponed_queue, topology

_HEADERS = {
    "type": "object",
    "properties": {
        "X-Correlation-Id": {"type": "string", "description": "Ties the message to its cause."},
        "X-Tenant-Id": {"type": "string", "description": "The tenant it concerns."},
        "traceparent": {"type": "string", "description": "W3C trace context."},
    },
}
_PACK_HEADERS = {
    "type": "object",
    "properties": {"x-events": {"type": "integer", "minimum": 1, "description": "How many events the pack carries."}},
}


def document(service: str, *, version: str) -> dict[str, Any]:
    """Write the AsyncAPI 3.0 document of `service` as plain data."""
    received, published = handled_by(service), published_by(service)
    messages = {_title(m): m for m in (*received, *published)}
    forms = {
        f"{form.exchange}.{form.routing_key}": (each, form) for each in subscriptions_of(service) for form in each.forms
    }
    schemas, parts = _schemas(messages, [form.body for _, form in forms.values()])
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for message in received:
        _add(channels, operations, message, action="receive", service=service)
    for message in published:
        _add(channels, operations, message, action="send", service=service)
    for name, (subscription, form) in forms.items():
        _add_foreign(channels, operations, name, subscription, form)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{service} service",
            "version": version,
            "description": (
                f"Messages that the {service} service receives and publishes. Internal events and commands travel in packs of 1 "
                "to 100; events on `payments.x` travel alone. Everything arrives at least once: deduplicate by the event id."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": {
                "host": "localhost:5672",
                # How the virtual host is called in the definitions and on private brokers.
                "pathname": "/payments",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {name: _message(name, m, schemas[name]) for name, m in messages.items()}
            | {f"{_title(m)}.reply": _reply_message(m) for m in messages.values() if m.contract.reply}
            | {f"{name}.pack": _pack(name, m) for name, m in messages.items() if m.contract.kind is not Kind.REQUEST}
            | {f"partner.{name}": _foreign_message(form) for name, (_, form) in forms.items()},
            "schemas": parts,
            "correlationIds": {
                "header": {"location": "$message.header#/X-Correlation-Id", "description": "The cause it belongs to."}
            },
        },
    }


def _title(message: type[Message]) -> str:
    return f"{message.contract.owner}.{message.__name__}"


def _schemas(
    messages: dict[str, type[Message]], bodies: Sequence[type[msgspec.Struct]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    kinds: list[Any] = list(messages.values())
    kinds += [m.contract.reply for m in messages.values() if m.contract.reply]
    kinds += dict.fromkeys(bodies)
    references, parts = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    named = dict(zip(messages, references, strict=False))
    return named, {name: parts[name] for name in sorted(parts)}


def _message(name: str, message: type[Message], schema: dict[str, Any]) -> dict[str, Any]:
    contract = message.contract
    what = inspect.getdoc(message) or name
    return {
        "name": contract.name,
        "title": name,
        "summary": what.splitlines()[0],
        "contentType": "application/json",
        "headers": _HEADERS,
        "correlationId": {"$ref": "#/components/correlationIds/header"},
        "payload": schema,
        "examples": [{"name": message.__name__, "payload": message.example}],
    }


def _reply_message(message: type[Message]) -> dict[str, Any]:
    reply = message.contract.reply
    assert reply is not None
    return {
        "name": f"{message.contract.name}.reply",
        "title": reply.__name__,
        "summary": "Either the answer or a refusal with its code and detail.",
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "properties": {
                "answer": {"$ref": f"#/components/schemas/{reply.__name__}"},
                "refusal": {
                    "type": "object",
                    "required": ["kind", "code", "detail"],
                    "properties": {
                        "kind": {"type": "string"},
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                    },
                },
            },
        },
    }


def _pack(name: str, message: type[Message]) -> dict[str, Any]:
    event = {
        "id": message.example.get("event_id", "0190f3a4-5b6c-7d8e-9f01-23456789abdf"),
        "occurred_at": "2026-11-22T17:57:07.701598Z",
        "tenant_id": "00000000-0000-0000-0000-000000000002",
        "correlation_id": "4be3c5a8f0d94f0c8f3f6c6f6a3c2b10",
        "body": message.example,
    }
    return {
        "name": message.contract.name,
        "title": f"{name} (pack)",
        "summary": f"1 to 100 `{message.contract.name}` messages, each with its own id, time, tenant and correlation.",
        "contentType": "application/json",
        "headers": _PACK_HEADERS,
        "payload": {
            "type": "object",
            "required": ["type", "events"],
            "properties": {
                "type": {"const": message.contract.name},
                "events": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["id", "occurred_at", "correlation_id", "body"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "occurred_at": {"type": "string", "format": "date-time"},
                            "tenant_id": {"type": "string"},
                            "correlation_id": {"type": "string"},
                            "traceparent": {"type": "string"},
                            "attempt": {"type": "integer", "minimum": 0},
                            "body": {"$ref": f"#/components/messages/{name}/payload"},
                        },
                    },
                },
            },
        },
        "examples": [{"payload": {"type": message.contract.name, "events": [event]}}],
    }


def _add(
    channels: dict[str, Any], operations: dict[str, Any], message: type[Message], *, action: str, service: str
) -> None:
    contract = message.contract
    name = _title(message)
    packed = contract.kind is not Kind.REQUEST
    carried = f"{name}.pack" if packed else name
    channel = f"{contract.exchange}.{contract.name}"
    channels[channel] = _channel(contract.exchange, contract.name, carried)
    what = (inspect.getdoc(message) or name).splitlines()[0]
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{_pointer(channel)}"},
        "summary": what,
        "tags": [{"name": str(contract.kind)}, {"name": contract.owner}],
        "messages": [{"$ref": f"#/channels/{_pointer(channel)}/messages/{_pointer(carried)}"}],
    }
    if action == "receive":
        queue = (
            f"{contract.queue(service)}.<process>" if contract.broadcast else _queue(contract.queue(service), service)
        )
        operation["description"] = f"Received from the queue `{queue}`."
        if contract.kind is not Kind.REQUEST and not contract.broadcast:
            again = _queue(postponed_queue(queue), service)
            operation["description"] += f" What came too early comes again in `{again}`."
        channels[channel]["bindings"]["amqp"] |= {"bindingVersion": "0.3.0"}
    if contract.reply is not None:
        replies = f"{contract.owner}.replies.{contract.name}"
        channels[replies] = {
            "address": None,
            "description": "The requester's own exclusive queue, named in `reply_to`.",
            "messages": {f"{name}.reply": {"$ref": f"#/components/messages/{_pointer(name + '.reply')}"}},
        }
        operation["reply"] = {
            "address": {"location": "$message.header#/replyTo", "description": "The AMQP property `reply_to`."},
            "channel": {"$ref": f"#/channels/{_pointer(replies)}"},
        }
    operations[f"{action}.{channel}"] = operation
    if action == "send" and contract.public and issubclass(message, PublicEvent):
        public = f"{PUBLIC_EXCHANGE}.{contract.name}"
        channels[public] = _channel(PUBLIC_EXCHANGE, contract.name, name)
        operations[f"publish.{public}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{_pointer(public)}"},
            "summary": what,
            "description": "Public: one event, one message, for other teams.",
            "tags": [{"name": "public"}, {"name": contract.owner}],
            "messages": [{"$ref": f"#/channels/{_pointer(public)}/messages/{_pointer(name)}"}],
        }


def _add_foreign(
    channels: dict[str, Any], operations: dict[str, Any], name: str, subscription: Subscription, form: Form
) -> None:
    message = f"partner.{name}"
    channels[name] = _channel(form.exchange, form.routing_key, message)
    operations[f"receive.{name}"] = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{_pointer(name)}"},
        "summary": _summary_of(form),
        "description": (
            f"Published by another team, and received from the queue `{subscription.queue}`. What is refused lies in "
            f"`{dead_queue(subscription.queue)}` with the reason in its headers."
        ),
        "tags": [{"name": "partner"}, {"name": subscription.name}],
        "messages": [{"$ref": f"#/channels/{_pointer(name)}/messages/{_pointer(message)}"}],
    }


def _foreign_message(form: Form) -> dict[str, Any]:
    return {
        "name": form.routing_key,
        "title": f"{form.exchange} {form.routing_key}",
        "summary": _summary_of(form),
        "contentType": form.content_type,
        "headers": _HEADERS,
        "correlationId": {"$ref": "#/components/correlationIds/header"},
        "payload": {"$ref": f"#/components/schemas/{form.body.__name__}"},
        "examples": [{"name": form.body.__name__, "payload": form.example}],
    }


def _summary_of(form: Form) -> str:
    return (inspect.getdoc(form.body) or form.body.__name__).splitlines()[0]


def _queue(name: str, service: str) -> str:
    return next(queue.name for queue in topology(service).queues if queue.name == name)


def _channel(exchange: str, routing_key: str, message: str) -> dict[str, Any]:
    return {
        "address": routing_key,
        "description": f"Exchange `{exchange}`, routing key `{routing_key}`.",
        "messages": {message: {"$ref": f"#/components/messages/{_pointer(message)}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": "topic", "durable": True, "autoDelete": False},
            }
        },
    }


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.1rem;margin:2rem 0 .2rem}code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:#f4f6f8;padding:.8rem;overflow:auto;border-radius:6px}.tag{font-size:.75rem;padding:.1rem .5rem;
border-radius:99px;background:#e7edf5;margin-left:.4rem}.receive{border-left:4px solid #2f7d4f;padding-left:1rem}
.send{border-left:4px solid #2b5fa8;padding-left:1rem}p{margin:.3rem 0}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}pre{background:#1e2327}.tag{background:#2a323b}}
"""


def _prose(text: str) -> str:
    """Write a sentence as HTML; what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def page(spec: dict[str, Any]) -> str:
    """Write the document as one HTML page that needs no script and no other file."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(spec['info']['title'])}: messages</title>",
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>",
        f"<h1>{escape(spec['info']['title'])}: messages</h1><p>{_prose(spec['info']['description'])}</p>",
        "<p>As data: <a href='/asyncapi.json'>/asyncapi.json</a> (AsyncAPI 3.0)</p>",
    ]
    for operation in spec["operations"].values():
        channel = spec["channels"][operation["channel"]["$ref"].rsplit("/", 1)[-1]]
        verb = "receives" if operation["action"] == "receive" else "publishes"
        tags = "".join(f"<span class=tag>{escape(tag['name'])}</span>" for tag in operation["tags"])
        parts.append(
            f"<section class={operation['action']}><h2>{verb} <code>{escape(channel['address'])}</code>{tags}</h2>"
        )
        parts.append(f"<p>{_prose(operation['summary'])}</p><p>{_prose(channel['description'])}</p>")
        for reference in channel["messages"].values():
            message = spec["components"]["messages"][reference["$ref"].rsplit("/", 1)[-1]]
            for example in message.get("examples", []):
                text = msgspec.json.format(msgspec.json.encode(example["payload"]), indent=2).decode()
                parts.append(f"<pre>{escape(text)}</pre>")
        parts.append("</section>")
    return "".join(parts)
