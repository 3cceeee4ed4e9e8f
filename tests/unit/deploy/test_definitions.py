"""RabbitMQ's definitions follow the contracts, and a service may do what they say and no more."""

import base64
import hashlib
import re

import pytest

from deploy.local.bootstrap import SERVICES
from deploy.local.definitions import FILE, definitions, password_hash, permissions, text
from libs.common.contracts import REGISTRY, heard_by, said_by

pytestmark = pytest.mark.unit


def test_the_file_is_in_step_with_the_contracts() -> None:
    assert FILE.read_text() == text(), "run `just docs`"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_speak_and_hear_as_its_contracts_say(service: str) -> None:
    may = permissions(service)
    for message in said_by(service):
        assert re.search(may["write"], message.contract.exchange)
    for message in heard_by(service):
        assert re.search(may["read"], message.contract.queue(service))
        assert re.search(may["read"], message.contract.exchange)
    assert re.search(may["configure"], f"{service}.replies.0123")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_not_speak_for_another_nor_take_its_messages(service: str) -> None:
    may = permissions(service)
    for message in REGISTRY.values():
        contract = message.contract
        if service not in {*contract.said_by, contract.owner} and contract.kind != "request":
            assert not re.search(may["write"], contract.exchange)
        for other in contract.heard_by:
            # A request's exchange and queue bear one name; reading it is needed to bind, and may so be misused.
            if other != service and contract.kind != "request":
                assert not re.search(may["read"], contract.queue(other))
    assert not re.search(may["configure"], "anything.else")


def test_every_user_but_one_is_ordinary() -> None:
    tags = {user["name"]: user["tags"] for user in definitions()["users"]}
    assert tags == {"payments": ["administrator"], **{service: [] for service in SERVICES}}


def test_a_queue_and_its_dead_letters_are_declared_together() -> None:
    names = {queue["name"] for queue in definitions()["queues"]}
    targets = {
        (queue["arguments"]["x-dead-letter-exchange"], queue["arguments"]["x-dead-letter-routing-key"])
        for queue in definitions()["queues"]
        if "x-dead-letter-routing-key" in queue["arguments"]
    }
    bound = {(binding["source"], binding["routing_key"]) for binding in definitions()["bindings"]}
    assert targets
    assert targets <= bound
    assert {f"{key}.dead" for _, key in targets} <= names


def test_a_password_is_kept_as_rabbitmq_expects() -> None:
    raw = base64.b64decode(password_hash("test12", salt=b"\x90\x8d\xc6\x0a"))
    assert raw[:4] == b"\x90\x8d\xc6\x0a"
    assert raw[4:] == hashlib.sha256(b"\x90\x8d\xc6\x0atest12").digest()
