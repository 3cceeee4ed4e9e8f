"""Contracts: every message has a valid example, a handler and a place to go."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from libs.common import VERSION
from libs.common.contracts import REGISTRY, Kind, Message, PublicEvent
from libs.common.contracts.gateway_imports import FieldMap
from libs.common.messaging import asyncapi
from libs.common.messaging.topology import Queue, topology

SERVICES = ("api", "ledger", "gateway", "notifier")


@pytest.mark.parametrize("name", REGISTRY)
def test_example_is_a_valid_body_that_survives_the_wire(name: str) -> None:
    kind = REGISTRY[name]
    message = msgspec.convert(kind.example, kind, strict=False)
    assert msgspec.json.decode(message.encode(), type=kind) == message


@pytest.mark.parametrize("name", REGISTRY)
def test_contract_names_its_publishers_and_handlers(name: str) -> None:
    kind = REGISTRY[name]
    contract = kind.contract
    assert contract.published_by
    assert contract.handled_by or contract.public
    assert set(contract.handled_by) | set(contract.published_by) <= set(SERVICES)
    assert kind.__doc__
    assert re.search(r"\b(?:[Hh]andled|[Pp]ublished|[Rr]equested)\b", kind.__doc__), "say who publishes or handles it"
    assert (contract.reply is not None) == (contract.kind is Kind.REQUEST)
    assert contract.public == issubclass(kind, PublicEvent)


@pytest.mark.parametrize("name", REGISTRY)
def test_unknown_fields_are_ignored(name: str) -> None:
    kind: type[Message] = REGISTRY[name]
    body = msgspec.json.decode(msgspec.convert(kind.example, kind, strict=False).encode())
    body["added_by_a_newer_version"] = {"x": 1}
    assert isinstance(msgspec.json.decode(msgspec.json.encode(body), type=kind), kind)


@pytest.mark.parametrize("service", SERVICES)
def test_every_durable_queue_is_a_bounded_quorum_queue_with_dead_letters(service: str) -> None:
    queues = {queue.name: queue for queue in topology(service).queues}
    for queue in queues.values():
        # Requests too: a queue of another type cannot be declared while the one node that has it is down.
        assert queue.arguments["x-queue-type"] == "quorum"
        if queue.name.endswith(".requests.work"):
            assert int(queue.arguments["x-message-ttl"]) > 0
            assert int(queue.arguments["x-max-length"]) > 0
            continue
        assert int(queue.arguments["x-max-length"]) > 0
        assert queue.arguments["x-overflow"] == "reject-publish"
        if _is_consumed(queue):
            home = queue.name.removesuffix(".postponed")
            assert queue.arguments["x-dead-letter-routing-key"] == home
            assert f"{home}.dead" in queues
            assert int(queue.arguments["x-delivery-limit"]) > 0


def test_a_broadcast_leaves_no_queue_that_fills_while_nobody_runs() -> None:
    broadcasts = [kind.contract for kind in REGISTRY.values() if kind.contract.broadcast]
    assert broadcasts
    for contract in broadcasts:
        for service in contract.handled_by:
            names = {queue.name for queue in topology(service).queues}
            assert not {name for name in names if name.startswith(contract.queue(service))}
            assert contract.exchange in {name for name, _ in topology(service).exchanges}


def _is_consumed(queue: Queue) -> bool:
    return ".wait." not in queue.name and not queue.name.endswith(".dead")


def test_both_sides_derive_the_same_queues() -> None:
    publishing = {queue.name: queue for queue in topology("gateway").queues}
    received = {queue.name: queue for queue in topology("ledger").queues}
    shared = publishing.keys() & received.keys()
    assert "ledger.payment.captured" in shared
    for name in shared:
        # The queue of all requests is bound to each; who sends some of them declares those alone.
        assert publishing[name].arguments == received[name].arguments
        assert set(publishing[name].bindings) <= set(received[name].bindings)


def test_dead_letter_queues_are_declared_before_the_queues_that_need_them() -> None:
    names = [queue.name for queue in topology("ledger").queues]
    assert names.index("ledger.payment.captured.dead") < names.index("ledger.payment.captured")


@pytest.mark.parametrize("service", SERVICES)
def test_asyncapi_document_has_no_dangling_reference(service: str) -> None:
    document = asyncapi.document(service, version="1.0.0")

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                target: object = document
                for part in reference.removeprefix("#/").split("/"):
                    assert isinstance(target, dict)
                    assert part in target, reference
                    target = target[part]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert document["operations"]


def test_platform_has_one_version() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION


@pytest.mark.parametrize(
    ("member", "names"),
    [
        ("delimiter", {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Pipe"}),
        ("thousands", {"": "Nothing", ".": "Period", ",": "Comma", " ": "Space", "'": "Apostrophe"}),
    ],
)
def test_values_that_are_no_words_have_their_own_names(member: str, names: dict[str, str]) -> None:
    schema = msgspec.json.schema(FieldMap)["$defs"]["FieldMap"]["properties"][member]
    assert dict(zip(schema["enum"], schema["x-enum-varnames"], strict=True)) == names


def test_importing_the_package_registers_the_contracts_of_all_its_modules() -> None:
    script = (
        "import pkgutil, importlib, libs.common.contracts as c\n"
        "before = len(c.REGISTRY)\n"
        "for m in pkgutil.walk_packages(c.__path__, c.__name__ + '.'): importlib.import_module(m.name)\n"
        "print(before, len(c.REGISTRY))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    before, after = done.stdout.split()
    assert before == after, "import the new module in libs/common/contracts/__init__.py"
