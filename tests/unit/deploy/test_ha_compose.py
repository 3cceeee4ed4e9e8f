"""The overlay of several nodes over docker-compose.yml, checked as far as that goes without an engine."""

import re
from typing import Any

import pytest
import yaml

from deploy.local.ha import patroni
from deploy.local.layout import ROOT
from tests.unit.deploy.test_images import linted

pytestmark = pytest.mark.unit

FOLDER = ROOT / "deploy" / "ha"
PROXIED = {"postgres": 3, "redis": 2, "rabbitmq": 3}
"""The names that services know, and how many nodes stand behind each."""


@pytest.fixture(scope="module")
def overlay() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text())
    return found


@pytest.fixture(scope="module")
def base() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def test_names_that_services_know_lead_to_every_node(overlay: dict[str, Any], base: dict[str, Any]) -> None:
    proxy = (FOLDER / "haproxy.cfg").read_text()
    for name, count in PROXIED.items():
        assert name in base["services"]
        assert overlay["services"][name]["image"] == base["services"]["balancer"]["image"]
        nodes = {f"{name}-{number}" for number in range(1, count + 1)}
        assert nodes <= set(overlay["services"])
        assert nodes <= set(overlay["services"][name]["depends_on"])
        assert set(re.findall(rf"^    server ({name}-\d)", proxy, re.MULTILINE)) == nodes
        assert f"{{ path /{name} }} {{ nbsrv({name}) ge 1 }}" in proxy
        assert overlay["services"][name]["healthcheck"]["test"][-1] == f"http://127.0.0.1:8404/{name}"
    assert "on-marked-down shutdown-sessions" in proxy


def test_nodes_are_the_servers_of_the_plain_file(overlay: dict[str, Any], base: dict[str, Any]) -> None:
    for name in ("redis", "rabbitmq"):
        assert overlay["services"][f"{name}-1"]["image"] == base["services"][name]["image"]
    assert f"FROM {base['services']['postgres']['image']}\n" in (FOLDER / "Dockerfile").read_text()
    expected = base["services"]["rabbitmq"]["environment"].items()
    assert expected <= overlay["services"]["rabbitmq-2"]["environment"].items()


def test_patroni_is_as_on_this_machine() -> None:
    settings = yaml.safe_load((FOLDER / "patroni.yml").read_text())
    shared, local = settings["bootstrap"]["dcs"], patroni.shared()
    # More memory than where everything shares one machine.
    local["postgresql"]["parameters"]["shared_buffers"] = shared["postgresql"]["parameters"]["shared_buffers"]
    assert shared == local
    assert all("trust" not in line for line in settings["postgresql"]["pg_hba"])
    lock = (ROOT / "uv.lock").read_text()
    for name in ("patroni", "psycopg"):
        (version,) = re.findall(rf'^name = "{name}"\nversion = "(.+)"$', lock, re.MULTILINE)
        assert re.search(rf'"{name}\[\w+\]=={re.escape(version)}"', (FOLDER / "Dockerfile").read_text())


def test_every_node_is_bounded_and_checked(overlay: dict[str, Any]) -> None:
    for name, service in overlay["services"].items():
        assert service["healthcheck"]["test"], name
        if name not in PROXIED:
            assert service["restart"] == "unless-stopped"
            assert service["mem_limit"]
            assert service["logging"]["options"]["max-size"]
        for mounted in (str(volume) for volume in service.get("volumes", ())):
            source = mounted.partition(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).is_file(), mounted
            elif not source.startswith("$"):
                assert source in overlay["volumes"], mounted


def test_passwords_of_nodes_are_of_ones_own_outside_local(overlay: dict[str, Any]) -> None:
    for name in ("postgres-1", "rabbitmq-1", "redis-1", "sentinel-1"):
        assert overlay["services"][name]["entrypoint"][:2] == ["/bin/sh", "/own-password.sh"]
        assert overlay["services"][name]["environment"]["APP_ENV"] == "${APP_ENV:-local}"


def test_hadolint_finds_nothing_in_the_nodes_image() -> None:
    assert linted((FOLDER / "Dockerfile").read_text()) == []
