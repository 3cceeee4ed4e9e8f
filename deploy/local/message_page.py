"""`docs/messages.md`: every message, who publishes and who handles it, its fields and an example."""

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.local.layout import ROOT
from libs.common.contracts import PUBLIC_EXCHANGE, REGISTRY, Kind, Message
from libs.common.contracts.base import key
from libs.common.contracts.foreign import SUBSCRIPTIONS, Form, Subscription
from libs.common.contracts.shapes import meanings, sample, schemas

FILE = ROOT / "docs" / "messages.md"
_SECTIONS = (
    ("Public events", "On `payments.x`, each alone, for other teams; a webhook's `data` is the same body."),
    ("Events", "Between the services, in packs."),
    ("Commands", "Between the services, in packs; each is carried out once."),
    ("Requests", "Between the services, one at a time; somebody waits for the reply."),
)
_HEAD = """# Messages

Written by `just docs`; what is written by hand here is lost. Everything arrives at least once: deduplicate by the event id.
The same as AsyncAPI 3: [api](api/asyncapi-api.json), [ledger](api/asyncapi-ledger.json), [gateway](api/asyncapi-gateway.json),
[notifier](api/asyncapi-notifier.json), and on every running service at `/asyncapi`. JSON schemas are in [contracts](contracts),
and [compatibility](compatibility.md) says what may change.

A message that travels alone has the headers `X-Correlation-Id`, `X-Tenant-Id` and `traceparent`, and the AMQP properties
`message_id` (the event's id), `type`, `timestamp` and `correlation_id`, and on `payments.x` `user_id`, by which a reader
[tells a forged event](rabbitmq.md). `traceparent` is W3C Trace Context, empty where [nothing is traced](observability.md#traces). A pack is
`{"type": ..., "events": [{"id", "occurred_at", "tenant_id", "correlation_id", "traceparent", "attempt", "body"}, ...]}`, 1 to
100 events of one type with the header `x-events`; below stand the bodies. A request has `reply_to` and `correlation_id`, and
its reply is `{"answer": ...}` or `{"refusal": {"kind", "code", "detail", "errors"}}`.
"""


def text() -> str:
    """Write the page."""
    parts = [_HEAD]
    for title, words in _SECTIONS:
        chosen = sorted((m for m in REGISTRY.values() if _section(m) == title), key=lambda m: key(m.contract))
        parts.append(f"\n## {title}\n\n{words}\n")
        parts += [_message(message) for message in chosen]
    parts.append(
        "\n## Of other teams\n\nWhat they publish, in their own form; see [orders and tenants](orders-and-tenants.md).\n"
    )
    parts += [_foreign(subscription, form) for subscription in SUBSCRIPTIONS for form in subscription.forms]
    return "".join(parts)


def _section(message: type[Message]) -> str:
    contract = message.contract
    return "Public events" if contract.public else f"{contract.kind.capitalize()}s"


def _message(message: type[Message]) -> str:
    contract = message.contract
    handled = ", ".join(contract.handled_by) or "no service"
    if contract.public:
        handled += f"; other teams from `{PUBLIC_EXCHANGE}`"
    lines = [
        f"\n### `{contract.name}` ({contract.owner})\n\n",
        " ".join((inspect.getdoc(message) or "").split()),
        "\n\n",
    ]
    lines.append(f"- Published by: {', '.join(contract.published_by)}\n- Handled by: {handled}\n")
    lines.append(f"- Exchange: `{contract.exchange}`, routing key `{contract.name}`\n\n")
    lines.append(_fields(message))
    lines.append(_example(message.example))
    if contract.kind is Kind.REQUEST and contract.reply is not None:
        (reference,), parts = schemas([contract.reply])
        lines.append(f"\nAnswered with `{contract.reply.__name__}`:\n\n")
        lines.append(_fields(contract.reply))
        lines.append(_example(sample(reference, parts)))
    return "".join(lines)


def _foreign(subscription: Subscription, form: Form) -> str:
    words = " ".join((inspect.getdoc(form.body) or "").split())
    return (
        f"\n### `{form.routing_key}` on `{form.exchange}`\n\n{words}\n\n"
        f"- Published by: another team, as `{form.content_type}`\n- Handled by: {subscription.service}, from `{subscription.queue}`\n\n"
        f"{_fields(form.body)}{_example(form.example)}"
    )


def _fields(kind: type[Any]) -> str:
    (reference,), parts = schemas([kind])
    schema = parts[reference["$ref"].rpartition("/")[2]]
    rows = list(_rows(schema, meanings(kind)))
    if not rows:
        return "No fields.\n"
    return "| Field | Type | Required | |\n|---|---|---|---|\n" + "".join(rows)


def _rows(schema: Mapping[str, Any], meaning: Mapping[str, str]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        words = meaning.get(name, "").replace("|", "\\|")
        yield f"| `{name}` | {type_name(member)} | {'yes' if name in required else ''} | {words} |\n"


def type_name(schema: Mapping[str, Any]) -> str:
    """Name the type of a member as its row in a table says it."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(type_name(part) for part in schema[union]))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"array of {type_name(schema.get('items') or {})}"
    if kind == "object" and schema.get("additionalProperties"):
        return f"object of {type_name(schema['additionalProperties'])}"
    return f"{kind}, {schema['format']}" if "format" in schema else kind


def _example(example: Any) -> str:
    return f"\n```json\n{json.dumps(example, ensure_ascii=False)}\n```\n"


__all__ = ["FILE", "text", "type_name"]
