"""docker-compose.yml and the Dockerfile, checked as far as that goes without an engine."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import compose, containers, environment, names
from deploy.local.bootstrap import ROLES, SERVICES
from deploy.local.layout import DEFAULT_PORTS, ROOT
from libs.common import setting_names
from libs.common.settings import load

pytestmark = pytest.mark.unit

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
VARIABLES = ROOT / "deploy" / "postgres" / "variables.sql"
WATCHING = ("prometheus", "alertmanager", "grafana")
SECRETS = "${SECRETS_FOLDER:-secrets}:/run/secrets:ro"
ONE_SHOTS = ("postgres-init", "seed", *(f"{service}-migrate" for service in SERVICES))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load(COMPOSE.read_text())
    found: dict[str, Any] = document["services"]
    return found


def test_everything_is_there(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", "rabbitmq", "balancer", *ONE_SHOTS, *SERVICES, *WATCHING}


def test_dependencies_exist_and_are_waited_for(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, name
            expected = "service_completed_successfully" if other in ONE_SHOTS else "service_healthy"
            assert how["condition"] == expected, f"{name} waits for {other}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_for_its_own_migration_only(services: dict[str, Any], service: str) -> None:
    migrations = {name for name in services[service]["depends_on"] if name.endswith("-migrate")}
    assert migrations == {f"{service}-migrate"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_its_own_runtime_role_only(services: dict[str, Any], service: str) -> None:
    env = services[service]["environment"]
    assert [name for name in env if name.endswith("DATABASE_URL")] == ["DATABASE_URL"]
    assert f"//{service}_app@" in env["DATABASE_URL"]
    assert "owner" not in str(env).lower()
    assert f"//{service}_owner@" in str(services[f"{service}-migrate"]["environment"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_healthy_when_it_is_ready(services: dict[str, Any], service: str) -> None:
    port = environment.HTTP_PORTS[service]
    assert f"127.0.0.1:{port}/readyz" in services[service]["healthcheck"]["test"][-1]
    assert services[service]["restart"] == "unless-stopped"
    assert services[service]["build"]["args"] == {"SERVICE": service}


@pytest.mark.parametrize(("name", "port"), [("prometheus", 9090), ("alertmanager", 9093), ("grafana", 3000)])
def test_what_watches_is_bounded_kept_alive_and_healthy(services: dict[str, Any], name: str, port: int) -> None:
    service = services[name]
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]
    assert service["cpus"]
    assert re.search(r":v?\d+\.\d+\.\d+@sha256:", service["image"])
    assert f"127.0.0.1:{port}/" in service["healthcheck"]["test"][-1]
    assert service["ports"] == [f"127.0.0.1:${{OBSERVE_{name.upper()}_PORT:-{port}}}:{port}"]


@pytest.mark.parametrize("service", SERVICES)
def test_prometheus_reads_every_service(services: dict[str, Any], service: str) -> None:
    jobs = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())["scrape_configs"]
    (found,) = (job for job in jobs if job["job_name"] == f"payments-{service}")
    (names_,) = found["dns_sd_configs"]
    assert (names_["names"], names_["port"]) == ([service], environment.HTTP_PORTS[service])
    assert found["authorization"] == {"credentials_file": f"/tmp/{service}_token"}
    watcher = services["prometheus"]
    own = f"${{{service.upper()}_OPERATIONS_TOKEN:-${{OPERATIONS_TOKEN:-}}}}"
    for ending in ("", "_FILE"):
        expected = own.replace("TOKEN", f"TOKEN{ending}")
        assert watcher["environment"][f"{service.upper()}_TOKEN{ending}"] == expected
        assert services[service]["environment"][f"OPERATIONS_TOKEN{ending}"] == expected


def test_memory_and_logs_of_every_container_are_bounded(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}, name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        # Docker refuses to start a container with more than the machine has.
        assert service.get("cpus", 1.0) <= 1.0, name


def test_one_shots_end(services: dict[str, Any]) -> None:
    assert all(services[name]["restart"] == "no" for name in ONE_SHOTS)


def test_nothing_listens_beyond_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_variable_is_a_setting() -> None:
    text = COMPOSE.read_text()
    variables = set(re.findall(r"\$\{([A-Z0-9_]+)", text))
    assert variables
    assert all(f"{default}}}" in text for default in ("-", "-local"))
    assert not [name for name in variables if not setting_names.is_known(name)]


def test_every_variable_has_a_default() -> None:
    assert not re.findall(r"\$\{[A-Z0-9_]+\}", COMPOSE.read_text())


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_reaches_its_service(services: dict[str, Any], service: str) -> None:
    handed = services[service]["environment"]
    for name in names.names_of(service):
        own = f"{service.upper()}_{name}"
        if name.startswith("MIGRATION_"):
            assert own in services[f"{service}-migrate"]["environment"]
            continue
        value = handed.get(name) or handed[own]
        assert f"${{{own}:-" in value or name in {"HTTP_HOST", "HTTP_PORT"}, f"{own} is dropped"


def test_the_settings_are_those_of_the_services() -> None:
    assert COMPOSE.read_text() == compose.written(COMPOSE.read_text()), "run `just docs`"


def handed_over(service: dict[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """What a container gets where these variables are set: an empty one counts where its default has no colon."""
    variable = re.compile(r"\$\{([A-Z0-9_]+)(:?)-([^${}]*)\}")

    def chosen(found: re.Match[str]) -> str:
        text = given.get(found[1])
        return found[3] if text is None or (found[2] and not text) else text

    def value(text: str) -> str:
        while variable.search(text):
            text = variable.sub(chosen, text)
        return text

    return {
        name: value(str(text)) if text is not None else given[name]
        for name, text in service["environment"].items()
        # Without a value it is handed over as it is set, or not at all.
        if text is not None or name in given
    }


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_of_a_service_may_be_files(services: dict[str, Any], service: str, tmp_path: Path) -> None:
    files = [name for name in names.names_of(service) if compose.may_be_a_file(name)]
    assert {"DATABASE_PASSWORD", "RABBITMQ_PASSWORD"} <= set(files)
    given = {f"{name}_FILE": str(tmp_path / name) for name in files} | {"JWT_SECRET": "", "ENCRYPTION_KEY": ""}
    environ = handed_over(services[service], given)
    assert {name: environ.get(f"{name}_FILE") for name in files} == {name: str(tmp_path / name) for name in files}
    # Nothing is given twice, which a service refuses.
    assert {name: environ[name] for name in files if environ[name]} == {}
    assert services[service]["volumes"] == [SECRETS]


@pytest.mark.parametrize("service", SERVICES)
def test_what_compose_hands_over_is_taken(services: dict[str, Any], service: str) -> None:
    given = {
        f"{service.upper()}_APP_PASSWORD": "aB/c+d=@:#",
        "WEBHOOK_CLAIM_MAX": "7",
        f"{service.upper()}_LOG_LEVEL": "ERROR",
    }
    environ = handed_over(services[service], given)
    settings: Any = load(names.settings_of(service), service=service, environ=environ)
    assert settings.database.database_url == f"postgresql://{service}_app:aB%2Fc%2Bd%3D%40%3A%23@postgres:5432/payments"
    assert settings.place.log_level == "ERROR"
    assert settings.http.http_port == environment.HTTP_PORTS[service]
    assert service != "notifier" or settings.webhooks.webhook_claim_max == 7


@pytest.mark.parametrize("service", SERVICES)
def test_opentelemetrys_own_settings_reach_every_service(services: dict[str, Any], service: str) -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    (named,) = re.findall(r"OpenTelemetry's\s+further ones\s+\(([^)]+)\)", page)
    others = re.findall(r"`(\w+)`", named)
    assert list(compose.OF_OPENTELEMETRY) == others
    assert handed_over(services[service], {}).keys() & set(others) == set()
    given = {name: f"value of {name}" for name in others}
    assert given.items() <= handed_over(services[service], given).items()


def test_the_init_sets_every_password(services: dict[str, Any]) -> None:
    init = services["postgres-init"]
    assert [one for one in init["command"] if "PASSWORD" in one] == [], (
        "every process of the machine reads command lines"
    )
    assert init["command"][-2:] == ["--file=/variables.sql", "--file=/bootstrap.sql"]
    given = dict(re.findall(r"^\\getenv (\w+)_password (\w+)$", VARIABLES.read_text(), re.MULTILINE))
    assert given == {role: f"{role}_password".upper() for role in ROLES}
    assert init["environment"].keys() >= set(given.values())


def test_the_servers_are_those_of_the_tests(services: dict[str, Any]) -> None:
    for name, image in containers.IMAGES.items():
        assert services[name]["image"] == image
        assert any(f":-{DEFAULT_PORTS['dev'][name]}}}" in port for port in services[name]["ports"])


def test_files_that_are_mounted_exist(services: dict[str, Any]) -> None:
    mounts = [
        volume for service in services.values() for volume in service.get("volumes", []) if volume.startswith("./")
    ]
    assert mounts
    assert all((ROOT / mount.split(":")[0]).exists() for mount in mounts)
    assert all(mount.endswith(":ro") for mount in mounts)


def test_an_image_holds_one_service_and_is_nobody_special() -> None:
    text = DOCKERFILE.read_text()
    copied = re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
    assert copied == [
        "pyproject.toml uv.lock ./",
        "libs ./libs",
        "services/__init__.py ./services/__init__.py",
        "services/${SERVICE} ./services/${SERVICE}",
    ]
    assert re.search(r"^USER 10001", text, re.MULTILINE)
    assert "--no-dev" in text
    assert '--extra "$SERVICE"' in text


def test_compose_itself_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    done = subprocess.run(
        [docker, "compose", "-f", str(COMPOSE), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
