"""The Postman collection and `llms.txt` have every operation of the document, and lead nowhere that is not there."""

import json
import re

import pytest

from deploy.local import collection
from deploy.local.json_documents import operations
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

DOCUMENT = json.loads((ROOT / "docs/api/openapi.json").read_text())
OPERATIONS = {(method.upper(), re.sub(r"\{(\w+)\}", r":\1", path)) for method, path, _ in operations(DOCUMENT)}


def test_the_collection_has_every_operation_once() -> None:
    made = json.loads(collection.POSTMAN.read_text())
    requests = [item["request"] for folder in made["item"] for item in folder["item"]]
    assert len(requests) == len(OPERATIONS)
    assert {(each["method"], each["url"]["raw"].removeprefix("{{base_url}}")) for each in requests} == OPERATIONS
    created = next(each for each in requests if each["url"]["raw"].endswith("/v1/payment-intents"))
    assert created["method"] in {"GET", "POST"}
    (create,) = [
        each for each in requests if (each["method"], each["url"]["path"]) == ("POST", ["v1", "payment-intents"])
    ]
    assert json.loads(create["body"]["raw"])["currency"] == "BRL"
    sent = {header["key"]: header["value"] for header in create["header"] if not header["disabled"]}
    assert sent == {"X-Tenant-Id": "{{tenant}}", "Idempotency-Key": "{{$guid}}"}
    (token,) = [each for each in requests if each["url"]["path"] == ["v1", "auth", "token"]]
    assert token["auth"] == {"type": "noauth"}


def test_the_text_names_every_operation_event_and_files_that_exist() -> None:
    text = collection.LLMS.read_text()
    assert len(re.findall(r"^- `[A-Z]+ /", text, re.MULTILINE)) == len(OPERATIONS)
    assert all(f"- `{event}`" in text for event in DOCUMENT["webhooks"])
    files = re.findall(r"\]\(([^)]+)\)", text)
    assert len(files) > 20
    assert [file for file in files if not (collection.LLMS.parent / file).exists()] == []
