"""Passwords of compose's own servers: none that is published outside development, of any characters, in variables or files."""

import json
import os
import re
import secrets as random_secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.bootstrap import SERVICES
from deploy.local.environment import TEAMS
from deploy.local.layout import ROOT
from libs.common.secrets import PUBLISHED

pytestmark = pytest.mark.unit

HARD = "p@ss/w:rd%#é \"'$\\ \\n {}"
SECRETS = "${SECRETS_FOLDER:-secrets}:/run/secrets:ro"
REDIS_COMMAND = 'exec docker-entrypoint.sh "$$@" --requirepass "$$REDIS_PASSWORD"'
COMMANDS = {
    "postgres": ["docker-entrypoint.sh"],
    "redis": ["/bin/sh", "-c", REDIS_COMMAND, "redis"],
    "postgres-init": [],
    "rabbitmq": ["/bin/sh", "/start.sh", "docker-entrypoint.sh"],
    "grafana": ["/run.sh"],
}
"""What each server starts once its passwords are its own."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def shell(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a container, which knows nothing of this process's variables."""
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environ}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("server", COMMANDS)
def test_servers_refuse_published_passwords_outside_local(services: dict[str, Any], server: str) -> None:
    service = services[server]
    program, script, names, *rest = service["entrypoint"]
    assert (program, script) == ("/bin/sh", "/own-password.sh")
    assert service["environment"]["APP_ENV"] == "${APP_ENV:-local}"
    every = [name for name in service["environment"] if name.endswith("PASSWORD")]
    assert sorted(names.replace("?", "").split(",")) == sorted(every)
    may_be_empty = {name.removesuffix("?") for name in names.split(",") if name.endswith("?")}
    free = {"ADMINISTRATOR_PASSWORD", *(f"{team.upper()}_RABBITMQ_PASSWORD" for team in TEAMS)}
    assert may_be_empty == (free if server == "rabbitmq" else set())
    good = {name: f"{name.lower()}-{random_secrets.token_hex(16)}" for name in every}

    def started(app_env: str, **passwords: str) -> subprocess.CompletedProcess[str]:
        environ = {"APP_ENV": app_env, "PUBLISHED_SECRETS": str(PUBLISHED)}
        return shell("/bin/sh", str(ROOT / "deploy/own-password.sh"), names, "echo", "started", **environ | passwords)

    assert started("local").stdout == "started\n"
    assert started("production", **good).stdout == "started\n"
    for name in every:
        default = re.sub(r"^.*:-([^${}]*)\}+$", r"\1", service["environment"][name])
        assert "$" not in default
        for bad in (default, "", "short", "local-development-secret-that-everyone-knows"):
            if not bad and name in may_be_empty:
                assert started("production", **good | {name: bad}).stdout == "started\n"
                continue
            refused = started("production", **good | {name: bad})
            assert (refused.returncode, refused.stdout) == (1, "")
            assert refused.stderr.startswith(f"{name} is missing, short or published")
    assert rest == COMMANDS[server]


def test_rabbitmq_gets_passwords_of_any_characters(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    environ = {"USERS_FILE": str(file), "ADMINISTRATOR_PASSWORD": HARD}
    named = (*SERVICES, "orders")
    environ |= {f"{user.upper()}_RABBITMQ_PASSWORD": f"{user} {HARD}" for user in named}
    done = shell("/bin/sh", str(ROOT / "deploy/rabbitmq/start.sh"), "echo", "started", **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")
    assert file.stat().st_mode & 0o077 == 0
    found = {user["name"]: user for user in json.loads(file.read_text())["users"]}
    assert {name: user["password"] for name, user in found.items()} == {
        "payments": HARD,
        **{user: f"{user} {HARD}" for user in named},
        "tenants": "",
    }
    assert [name for name, user in found.items() if user["tags"]] == ["payments"]


@pytest.mark.parametrize("server", COMMANDS)
def test_passwords_of_servers_may_be_files(services: dict[str, Any], server: str, tmp_path: Path) -> None:
    service = services[server]
    names = service["entrypoint"][2].replace("?", "").split(",")
    assert {f"{name}_FILE" for name in names} <= service["environment"].keys()
    assert SECRETS in service["volumes"]
    # Beside the default, which is there too; an image that reads files itself refuses to have both.
    environ = {"APP_ENV": "production", "PUBLISHED_SECRETS": str(PUBLISHED)} | dict.fromkeys(names, "postgres")
    for name in names:
        (tmp_path / name).write_text(f"{name} {HARD}\n")
        environ[f"{name}_FILE"] = str(tmp_path / name)
    script = [str(ROOT / "deploy/own-password.sh"), service["entrypoint"][2], "env"]
    done = shell("/bin/sh", *script, **environ)
    assert done.returncode == 0, done.stderr
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert {name: found[name] for name in names} == {name: f"{name} {HARD}" for name in names}
    assert [name for name in found if name.endswith("_FILE")] == []
    (tmp_path / names[0]).unlink()
    missing = shell("/bin/sh", *script, **environ)
    assert (missing.returncode != 0, missing.stdout) == (True, "")
    assert str(tmp_path / names[0]) in missing.stderr


def test_file_of_a_roles_password_is_what_logs_in_too(services: dict[str, Any]) -> None:
    init = services["postgres-init"]["environment"]
    for service in SERVICES:
        for role, container, setting in (
            ("APP", service, "DATABASE_PASSWORD_FILE"),
            ("OWNER", f"{service}-migrate", f"{service.upper()}_MIGRATION_DATABASE_PASSWORD_FILE"),
        ):
            file = f"${{{service.upper()}_{role}_PASSWORD_FILE:-}}"
            assert init[f"{service.upper()}_{role}_PASSWORD_FILE"] == file
            assert services[container]["environment"][setting].rstrip("}").endswith(file.rstrip("}"))


@pytest.mark.parametrize("password", ["", HARD])
@pytest.mark.parametrize("in_a_file", [False, True])
def test_redis_starts_and_is_probed_with_its_password(
    services: dict[str, Any], tmp_path: Path, password: str, in_a_file: bool
) -> None:
    service = services["redis"]
    for name, text in {
        "docker-entrypoint.sh": 'printf "%s|" "$@"',
        "redis-cli": 'printf "PONG%s" "$REDISCLI_AUTH"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "password").write_text(password)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "APP_ENV": "local", "REDIS_PASSWORD": password}
    if in_a_file:
        environ |= {"REDIS_PASSWORD": "", "REDIS_PASSWORD_FILE": str(tmp_path / "password")}
    _, _, *rest = (word.replace("$$", "$") for word in service["entrypoint"])
    started = shell("/bin/sh", str(ROOT / "deploy/own-password.sh"), *rest, *service["command"], **environ)
    assert started.stdout.split("|")[-3:] == ["--requirepass", password, ""]
    check = service["healthcheck"]["test"][1].replace("$$", "$").replace("grep -q", "grep")
    assert shell("/bin/sh", "-c", check, **environ).stdout == f"PONG{password}\n"


@pytest.mark.parametrize("in_files", [False, True])
def test_prometheus_gets_the_token_of_each_service(services: dict[str, Any], tmp_path: Path, in_files: bool) -> None:
    service = services["prometheus"]
    assert SECRETS in service["volumes"]
    environ = {f"{name.upper()}_TOKEN{ending}": "" for name in SERVICES for ending in ("", "_FILE")}
    for name in SERVICES:
        (tmp_path / name).write_text(f"{name} {HARD}\n")
        value, variable = (str(tmp_path / name), "_TOKEN_FILE") if in_files else (f"{name} {HARD}", "_TOKEN")
        environ[f"{name.upper()}{variable}"] = value
    assert environ.keys() == service["environment"].keys()
    script = service["entrypoint"][2].replace("$$", "$").replace("/tmp/", f"{tmp_path}/")
    done = shell("/bin/sh", "-euc", script.replace("/bin/prometheus", "echo"), "prometheus", "--flag", **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "--flag\n", "")
    for name in SERVICES:
        token = tmp_path / f"{name}_token"
        assert token.read_text() == f"{name} {HARD}"
        assert token.stat().st_mode & 0o077 == 0
