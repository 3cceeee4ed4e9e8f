"""The AsyncAPI documents: valid by the official schema, complete, and every example is what its schema says."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT
from libs.common.contracts import REGISTRY, Kind
from libs.common.contracts.foreign import subscriptions_of
from libs.common.messaging.asyncapi_page import page

OFFICIAL = Path(__file__).with_name("asyncapi-3.0.0.schema.json")
"""What `@asyncapi/parser` checks with, too, without texts, examples and bindings of other protocols."""


@cache
def document(service: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "api" / f"asyncapi-{service}.json").read_text())
    return found


def resolved(service: str, node: Any) -> Any:
    while "$ref" in node:
        reference = node["$ref"]
        node = document(service)
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    return node


@pytest.mark.parametrize("service", SERVICES)
def test_document_is_valid_by_the_official_schema(service: str) -> None:
    official = jsonschema_rs.Draft7Validator(json.loads(OFFICIAL.read_text()))
    assert [f"{error.instance_path}: {error.message[:300]}" for error in official.iter_errors(document(service))] == []
    broken = document(service) | {"channels": {"x": {"bindings": {"amqp": {"is": "topic"}}}}}
    assert not official.is_valid(broken)


@pytest.mark.parametrize("service", SERVICES)
def test_every_message_is_whole_and_its_examples_are_valid(service: str) -> None:
    components = document(service)["components"]
    assert components["messages"]
    for name, message in components["messages"].items():
        assert {"name", "title", "summary", "contentType", "headers", "correlationId", "payload"} <= message.keys(), (
            name
        )
        assert message["bindings"]["amqp"], name
        assert message["examples"], name
        for part in ("headers", "payload"):
            schema = {**message[part], "components": {"schemas": components["schemas"]}}
            validator = jsonschema_rs.Draft7Validator(schema, validate_formats=True)
            for example in message["examples"]:
                faults = [f"{e.instance_path}: {e.message}" for e in validator.iter_errors(example[part])]
                assert faults == [], (name, part)


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_says_what_it_is_and_requests_have_replies(service: str) -> None:
    requests = {m.contract.name for m in REGISTRY.values() if m.contract.kind is Kind.REQUEST}
    described = {tag["name"] for tag in document(service)["info"]["tags"] if tag["description"]}
    for name, operation in document(service)["operations"].items():
        assert operation["summary"], name
        assert operation["bindings"]["amqp"], name
        assert {tag["name"] for tag in operation["tags"]} <= described, name
        channel = resolved(service, operation["channel"])
        assert [resolved(service, resolved(service, one)) for one in operation["messages"]], name
        is_request = any(tag["name"] == "request" for tag in operation["tags"])
        assert is_request == ("reply" in operation) == (is_request and channel["address"] in requests), name
        if is_request:
            assert resolved(service, operation["reply"]["channel"])["messages"], name
            assert operation["reply"]["address"]["location"] == "$message.header#/reply_to"


@pytest.mark.parametrize("service", SERVICES)
def test_servers_and_channels_name_the_virtual_host_and_who_may(service: str) -> None:
    servers = document(service)["servers"]
    assert servers["rabbitmq"]["pathname"] == "/payments"
    # Other teams are in a virtual host of their own: `/`, as an address names it.
    assert [each["pathname"] for name, each in servers.items() if name != "rabbitmq"] in ([], ["/%2F"])
    for server in servers.values():
        assert [resolved(service, scheme)["type"] for scheme in server["security"]] == ["userPassword"]
    theirs = {"payments.x", *(exchange for each in subscriptions_of(service) for exchange, _ in each.bindings)}
    for channel in document(service)["channels"].values():
        binding = channel["bindings"]["amqp"]
        place = binding.get("exchange") or binding["queue"]
        is_theirs = place.get("name") in theirs
        assert place["vhost"] == ("/" if is_theirs else "payments")
        assert channel["servers"] == [{"$ref": f"#/servers/{'partners' if is_theirs else 'rabbitmq'}"}]


@pytest.mark.parametrize("service", SERVICES)
def test_page_needs_nothing_else_and_shows_every_message(service: str) -> None:
    shown = page(document(service))
    assert "<script" not in shown
    assert "<link" not in shown
    assert "src=" not in shown
    for message in document(service)["components"]["messages"].values():
        assert message["title"] in shown
