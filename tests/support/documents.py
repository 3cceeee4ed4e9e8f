"""The committed OpenAPI document, as tests hold to it what is really sent."""

import json
from functools import cache
from typing import Any

import jsonschema_rs

from deploy.local.json_documents import resolved
from deploy.local.layout import ROOT


@cache
def openapi() -> dict[str, Any]:
    """The document."""
    found: dict[str, Any] = json.loads((ROOT / "docs" / "api" / "openapi.json").read_text())
    return found


@cache
def webhook_validators() -> dict[str, jsonschema_rs.Draft202012Validator]:
    """By the name of the event: what the whole body of its webhook is held to, formats included."""
    return {
        name: validator(operations["post"]["requestBody"]["content"]["application/json"]["schema"])
        for name, operations in openapi()["webhooks"].items()
    }


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Make a validator of a schema that refers to the document's components."""
    whole = {**schema, "components": {"schemas": openapi()["components"]["schemas"]}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def undocumented(event_type: str, raw: bytes) -> list[str]:
    """Say what of a webhook's body is not as the document has it; nothing when all of it is."""
    if event_type not in webhook_validators():
        return [f"{event_type} is not in the document"]
    body = json.loads(raw)
    if found := [f"{event_type}: {error.message}" for error in webhook_validators()[event_type].iter_errors(body)]:
        return found
    operation = openapi()["webhooks"][event_type]["post"]
    known = operation["requestBody"]["content"]["application/json"]["schema"]
    return [f"{event_type}: {name} is not described" for name in _unknown(body, known)]


def _unknown(body: Any, schema: dict[str, Any]) -> list[str]:
    """Name the members of a body, and of its data, that no schema has: extra ones are allowed, so nobody else tells."""
    envelope = resolved(openapi(), schema)["properties"]
    data = resolved(openapi(), envelope["data"])["properties"]
    return sorted({*body} - {*envelope}) + sorted({*body["data"]} - {*data})
