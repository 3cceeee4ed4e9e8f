"""The `webhooks` section of the OpenAPI document: every request that a tenant's endpoint receives, as the notifier sends it."""

from typing import Any, Literal, get_type_hints

import msgspec

from libs.common.contracts.base import REGISTRY
from libs.common.contracts.notifier import TEST_EVENT, TEST_EXAMPLE, TestData, WebhookBody

TAG = "events"
"""Of what is sent to endpoints, apart from the routes that manage them."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event that endpoints receive."""

    name: str
    """`payment.settled`."""
    body: type[msgspec.Struct]
    """The whole body, whose `type` is the name."""
    summary: str
    """When it is sent."""
    example: dict[str, Any]
    """One body, as plain data."""


def sent_events() -> list[Sent]:
    """List what endpoints may receive: every public event, and the test of an endpoint."""
    found = [
        _sent(message.contract.name, message, message.example)
        for message in REGISTRY.values()
        if message.contract.public
    ]
    return [*found, _sent(TEST_EVENT, TestData, TEST_EXAMPLE)]


def _sent(name: str, data: type[msgspec.Struct], example: dict[str, Any]) -> Sent:
    hints = get_type_hints(WebhookBody) | {"type": Literal[name], "data": data}
    fields = [(field, hints[field]) for field in WebhookBody.__struct_fields__]
    words = " ".join((data.__doc__ or name).split())
    return Sent(
        name=name,
        body=msgspec.defstruct(f"{data.__name__}Webhook", fields, frozen=True, kw_only=True),
        summary=words.split(". ")[0].rstrip(".") + ".",
        example={
            "id": example["event_id"],
            "type": name,
            "timestamp": example["occurred_at"],
            "version": example.get("version", 1),
            "tenant_id": example["tenant_id"],
            "data": example,
        },
    )


def webhook(event: Sent, schema: Any) -> dict[str, Any]:
    """Write one operation of the `webhooks` section; `schema` refers to the shape of its body."""
    return {
        "post": {
            "operationId": f"on_{event.name.replace('.', '_')}",
            "summary": event.summary,
            "description": f"Sent to the endpoints that list `{event.name}`, signed with the endpoint's secret.",
            "tags": [TAG],
            # Nobody logs in at an endpoint: the signature proves who sends.
            "security": [],
            "parameters": [
                _header("webhook-id", "Identifies the message; the same on every try."),
                _header("webhook-timestamp", "Seconds since 1970; refuse what is old."),
                _header("webhook-signature", "`v1,` and the signature, as Standard Webhooks has it."),
                _header("X-Webhook-Signature", "`sha256=` and the hex HMAC-SHA256 of the body."),
                _header("X-Webhook-Event", "The event's name.", const=event.name),
                _header("X-Webhook-Delivery-Id", "Identifies this delivery."),
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema, "examples": {"one": {"value": event.example}}}},
            },
            "responses": {"2XX": {"description": "Taken. Anything else is tried again."}},
        }
    }


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string", **schema},
    }


__all__ = ["TAG", "Sent", "sent_events", "webhook"]
