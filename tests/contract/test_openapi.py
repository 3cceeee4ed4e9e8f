"""The OpenAPI document as generators and readers need it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import examples
from deploy.local.json_documents import resolved
from deploy.local.layout import ROOT
from tests.support.answers import example_of, unlike_example
from tests.support.documents import openapi, undocumented, validator, webhook_validators


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    document = openapi()
    for group in ("paths", "webhooks"):
        for path, methods in document[group].items():
            for method, operation in methods.items():
                yield f"{method} {path}", operation


def test_no_operation_has_two_parameters_of_one_name() -> None:
    for name, operation in operations():
        given = [resolved(openapi(), parameter) for parameter in operation.get("parameters", ())]
        named = [(parameter["in"], parameter["name"].lower()) for parameter in given]
        assert len(named) == len(set(named)), name


def test_every_operation_says_who_may_and_under_which_tag() -> None:
    document = openapi()
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert described == {tag for _, operation in operations() for tag in operation["tags"]}
    assert [name for name, operation in operations() if "security" not in operation] == []
    # What is sent is not among the routes that manage endpoints.
    sent = {tag for methods in document["webhooks"].values() for tag in methods["post"]["tags"]}
    assert sent.isdisjoint(
        tag for methods in document["paths"].values() for one in methods.values() for tag in one["tags"]
    )


def test_no_two_schemas_have_one_name() -> None:
    # Two structs of one name are distinguished by their modules, in names that change when a file moves.
    assert [name for name in openapi()["components"]["schemas"] if "." in name] == []


def test_no_member_has_null_as_its_default() -> None:
    # Generators of TypeScript take a member with a default for one that is always there.
    assert '"default": null' not in json.dumps(openapi())


def test_servers_are_relative_to_the_document() -> None:
    assert [server["url"] for server in openapi()["servers"]] == ["."]


def test_example_of_every_webhook_is_a_body_that_is_sent() -> None:
    webhooks = openapi()["webhooks"]
    assert webhooks.keys() == webhook_validators().keys()
    for name, methods in webhooks.items():
        example = methods["post"]["requestBody"]["content"]["application/json"]["examples"]["one"]["value"]
        assert undocumented(name, json.dumps(example).encode()) == []
        assert {*example} == {"id", "type", "timestamp", "version", "tenant_id", "data"}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"id": "x"}, "is not a"),
        ({"type": "payment.failed"}, "payment.settled"),
        ({"more": 1}, "more is not described"),
        ({"data": {}}, "is a required property"),
    ],
)
def test_a_webhook_that_is_not_as_described_is_noticed(changed: dict[str, object], fault: str) -> None:
    name = "payment.settled"
    content = openapi()["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]
    body = content["examples"]["one"]["value"] | changed
    assert fault in undocumented(name, json.dumps(body).encode())[0]


def test_every_success_has_an_example_that_is_valid() -> None:
    seen = 0
    for path, methods in openapi()["paths"].items():
        for method, operation in methods.items():
            for status, part in operation["responses"].items():
                content = resolved(openapi(), part).get("content", {}).get("application/json")
                if status.startswith("2") and content is not None:
                    faults = [error.message for error in validator(content["schema"]).iter_errors(content["example"])]
                    assert faults == [], (method, path, status)
                    assert unlike_example(method, path, int(status), json.dumps(content["example"]).encode()) == []
                    seen += 1
    assert seen > 100


def test_operation_without_a_compared_answer_is_noticed(tmp_path: Path) -> None:
    every = examples.with_example(openapi())
    assert examples.UNCOMPARED.keys() <= every
    assert "GET /v1/me" in every
    (tmp_path / "1.txt").write_text("\n".join(every - {"GET /v1/me"}))
    assert examples.uncompared(tmp_path) == ["GET /v1/me"]
    (tmp_path / "2.txt").write_text("GET /v1/me")
    assert examples.uncompared(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"more": 1}, "/more is not in the example"),
        ({"amount": 150.5}, "/amount is number, and text in the example"),
        ({"metadata": []}, "/metadata is list, and object in the example"),
        ({"description": None}, ""),
    ],
)
def test_an_answer_that_is_not_like_its_example_is_noticed(change: dict[str, object], fault: str) -> None:
    path = "/v1/payment-intents/0190f3a4-5b6c-7d8e-9f01-23456789abce"
    found = example_of("GET", path, 200)
    assert found is not None
    faults = unlike_example("GET", path, 200, json.dumps(found[1] | change).encode())
    assert faults == ([f"GET {path}: {fault}"] if fault else [])
    lacking = {name: value for name, value in found[1].items() if name != "amount"}
    assert unlike_example("GET", path, 200, json.dumps(lacking).encode()) == [f"GET {path}: /amount is missing"]


def test_the_page_about_webhooks_shows_a_body_that_is_sent() -> None:
    shown = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL)
    assert shown is not None
    assert undocumented("payment.settled", shown[1].encode()) == []


def test_every_route_appears_on_the_page_about_routes() -> None:
    page = (ROOT / "docs" / "routes.md").read_text()
    routes = [(method, path) for path, methods in openapi()["paths"].items() for method in methods]
    assert [route for route in routes if f"`{route[0].upper()} {route[1]}`" not in page] == []


def test_every_route_stands_in_a_page_that_people_wrote() -> None:
    text = "\n".join(page.read_text() for page in (ROOT / "docs").glob("*.md") if page.name != "routes.md")
    named = {
        (method, re.sub(r"\{\w+\}", "{}", path)) for method, path in re.findall(r"`([A-Z]+) (/[^\s`?]*)[`?]", text)
    }
    routes = [(method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods]
    assert [route for route in routes if (route[0], re.sub(r"\{\w+\}", "{}", route[1])) not in named] == []


LINES_PER_OPERATION = 90
"""What refusals, headers and bodies share stands once in the components; written out at each operation it took 476."""


def test_what_operations_share_is_written_once() -> None:
    lines = (ROOT / "docs" / "api" / "openapi.json").read_text().count("\n")
    assert lines / len(list(operations())) <= LINES_PER_OPERATION
