"""RabbitMQ's definitions follow the contracts; what they allow is tried on a broker in `integration/messaging/test_rights.py`."""

import base64
import hashlib
import json
import re

import pytest

from deploy.local.bootstrap import SERVICES
from deploy.local.cli import main
from deploy.local.definitions import DOCUMENT, FILE, definitions, page, password_hash, text
from deploy.local.environment import REDRIVE, TEAMS
from deploy.local.rights import MONITORING, USERS, pattern, rights
from libs.common.contracts import handled_by, published_by
from libs.common.contracts.foreign import PARTNERS
from libs.common.messaging.topology import topology

pytestmark = pytest.mark.unit


def test_the_file_is_in_step_with_the_contracts() -> None:
    assert FILE.read_text() == text(), "run `just docs`"


def test_operators_page_is_in_step_with_the_contracts() -> None:
    assert DOCUMENT.read_text() == page(), "run `just docs`"


def test_every_partner_has_a_user_and_no_more_than_its_own_names() -> None:
    assert tuple(partner.name for partner in PARTNERS) == TEAMS
    ours = {queue["name"] for queue in definitions()["queues"]} - {
        name for partner in PARTNERS for queue in partner.queues for name in queue
    }
    for team in TEAMS:
        for right in rights(team).patterns().values():
            assert not {
                name for name in (*ours, "amq.default", "amq.topic", "ordersx", "saas") if re.search(right, name)
            }


def test_the_command_prints_them_for_another_virtual_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["definitions", "/"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("vhosts") == [{"name": "/"}]
    assert {each["vhost"] for name, kind in printed.items() if name != "users" for each in kind} == {"/"}
    # In one, both have what they have in two; the services that meet other teams, and who looks on, have rights in each of the two.
    ours = json.loads(FILE.read_text())
    for section, key in (
        ("queues", "name"),
        ("bindings", "destination"),
        ("exchanges", "name"),
        ("permissions", "user"),
    ):
        assert {each[key] for each in printed[section]} == {each[key] for each in ours[section]}
    assert main(["definitions", "payments", "/"]) == 0
    assert json.loads(capsys.readouterr().out) == ours


def test_other_teams_have_no_rights_where_the_services_are() -> None:
    granted = [(each["user"], each["vhost"]) for each in json.loads(FILE.read_text())["permissions"]]
    assert {vhost for user, vhost in granted if user in TEAMS} == {"/"}
    assert {user for user, vhost in granted if vhost == "/"} == {"api", "notifier", MONITORING, *TEAMS}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_exactly_the_rights_of_its_contracts(service: str) -> None:
    may = rights(service).patterns()
    for message in published_by(service):
        assert re.search(may["write"], message.contract.exchange)
    for message in handled_by(service):
        own = f"{message.contract.queue(service)}{f'.{"0" * 32}' if message.contract.broadcast else ''}"
        assert re.search(may["read"], own)
        assert re.search(may["read"], message.contract.exchange)


def test_nobody_is_an_administrator_and_nobody_can_log_in() -> None:
    users = {user["name"]: user for user in json.loads(FILE.read_text())["users"]}
    assert set(users) == set(USERS)
    assert {user["password_hash"] for user in users.values()} == {""}
    assert {tag for user in users.values() for tag in user["tags"]} == {"monitoring"}


def test_a_user_gets_the_password_that_is_given() -> None:
    users = {user["name"]: user for user in definitions(passwords={"api": "p@ss"})["users"]}
    raw = base64.b64decode(users["api"]["password_hash"])
    assert raw[4:] == hashlib.sha256(raw[:4] + b"p@ss").digest()
    assert {name for name, user in users.items() if user["password_hash"]} == {"api"}


def test_only_the_redrive_operator_may_write_to_the_default_exchange() -> None:
    writers = {user for user in USERS if re.search(rights(user).patterns()["write"], "amq.default")}
    assert writers == {REDRIVE}


def test_a_pattern_of_nothing_matches_no_name() -> None:
    assert not re.search(pattern([]), "x")
    assert re.search(pattern(["a.b"]), "a.b")
    assert not re.search(pattern(["a.b"]), "axb")


def test_nothing_leads_to_the_default_exchange() -> None:
    for service in SERVICES:
        for queue in topology(service).queues:
            assert queue.arguments.get("x-dead-letter-exchange") != ""


def test_a_queue_and_its_dead_letters_are_declared_together() -> None:
    names = {queue["name"] for queue in definitions()["queues"]}
    targets = {
        (queue["arguments"]["x-dead-letter-exchange"], queue["arguments"]["x-dead-letter-routing-key"])
        for queue in definitions()["queues"]
        if "x-dead-letter-routing-key" in queue["arguments"] and queue["arguments"]["x-dead-letter-exchange"]
    }
    bound = {(binding["source"], binding["routing_key"]) for binding in definitions()["bindings"]}
    assert targets
    assert targets <= bound
    assert {f"{key}.dead" for _, key in targets} <= names


def test_a_password_is_kept_as_rabbitmq_expects() -> None:
    raw = base64.b64decode(password_hash("test12", salt=b"\x90\x8d\xc6\x0a"))
    assert raw[:4] == b"\x90\x8d\xc6\x0a"
    assert raw[4:] == hashlib.sha256(b"\x90\x8d\xc6\x0atest12").digest()
