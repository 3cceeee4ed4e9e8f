"""The balancer of docker-compose.yml: its numbers follow the api's, and no process of a service needs a port of the host."""

import re
from typing import Any

import pytest
import yaml

from deploy.local.bootstrap import SERVICES
from deploy.local.environment import HTTP_PORTS
from deploy.local.layout import ROOT
from libs.common.settings import HttpSettings
from services.api.settings import EdgeSettings

pytestmark = pytest.mark.unit

CONFIG = (ROOT / "deploy" / "balancer" / "haproxy.cfg").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def number(pattern: str) -> int:
    (found,) = re.findall(rf"^\s+{pattern}$", CONFIG, re.MULTILINE)
    return int(found)


def test_balancer_lets_through_what_the_api_takes() -> None:
    http, edge = HttpSettings(), EdgeSettings()
    rewritten = 1_024
    assert number(r"tune\.bufsize (\d+)") - rewritten >= http.http_header_bytes_max + http.http_url_bytes_max
    assert number(r"tune\.http\.maxhdr (\d+)") > http.http_header_count_max
    assert number(r"timeout http-request (\d+)s") > http.http_header_seconds
    assert number(r"timeout server (\d+)s") > edge.http_timeout_seconds + http.http_body_seconds
    assert number(r"timeout http-keep-alive (\d+)s") < http.http_keep_alive_seconds
    assert number(r"maxconn (\d+)") <= http.http_connections_max


def test_request_that_may_have_taken_effect_is_not_sent_again() -> None:
    assert re.findall(r"^\s+retry-on (.+)$", CONFIG, re.MULTILINE) == ["conn-failure"]


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_reached_through_the_balancer_alone(services: dict[str, Any], service: str) -> None:
    port = HTTP_PORTS[service]
    assert "ports" not in services[service], "a port of the host can be had once: there may be several of a service"
    assert "container_name" not in services[service]
    assert services[service]["expose"] == [str(port)]
    assert f"127.0.0.1:${{{service.upper()}_HTTP_PORT:-{port}}}:{port}" in services["balancer"]["ports"]
    assert re.search(rf"^frontend {service}\n(?:    #.*\n)?    bind :{port}\n", CONFIG, re.MULTILINE)
    assert re.search(rf"^    server-template {service} \d+ {service}:{port}$", CONFIG, re.MULTILINE)


def test_balancer_is_healthy_while_an_api_is_ready(services: dict[str, Any]) -> None:
    assert len(services["balancer"]["ports"]) == len(SERVICES)
    # It waits for the api alone: another service that does not start keeps nobody from the api.
    assert set(services["balancer"]["depends_on"]) == {"api"}
    assert "uri /readyz" in CONFIG
    (probe,) = re.findall(r"^    bind (127\.0\.0\.1:\d+)\n.*\n    monitor-uri (\S+)$", CONFIG, re.MULTILINE)
    assert services["balancer"]["healthcheck"]["test"][-1] == f"http://{''.join(probe)}"
