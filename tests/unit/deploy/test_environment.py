"""The services' settings: complete, overridable, documented."""

import importlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.local import environment, records, servers
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT, layout
from deploy.local.records import Record, Server, Servers
from deploy.local.secretkeys import keys

pytestmark = pytest.mark.unit


def some_servers(root: Path, **changes: Server) -> Servers:
    known = {
        "postgres": Server(kind="native", url="postgresql://postgres@127.0.0.1:55432/postgres", port=55432),
        "redis": Server(kind="native", url="redis://127.0.0.1:56379/0", port=56379),
        "rabbitmq": Server(kind="native", url="amqp://guest:guest@127.0.0.1:55672/", port=55672),
        **changes,
    }
    return Servers(profile="dev", root=str(root), **known)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without settings."""
    for name in environment.placeholder_environment():
        monkeypatch.delenv(name, raising=False)


def test_each_service_has_its_own_roles(tmp_path: Path) -> None:
    env = environment.service_environment(some_servers(tmp_path), keys(layout("dev", tmp_path)))
    for service in SERVICES:
        prefix = service.upper()
        assert env[f"{prefix}_DATABASE_URL"] == f"postgresql://{service}_app:{service}_app@127.0.0.1:55432/payments"
        assert f"//{service}_owner:" in env[f"{prefix}_MIGRATION_DATABASE_URL"]
        assert env[f"{prefix}_RABBITMQ_URL"] == f"amqp://{service}:{service}@127.0.0.1:55672/payments"
    assert "RABBITMQ_URL" not in env


def test_a_role_has_the_password_of_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_APP_PASSWORD", "aB/c+d=@#")
    monkeypatch.setenv("LEDGER_MIGRATION_DATABASE_PASSWORD", "x y")
    assert environment.role_passwords(os.environ) == {"api_app": "aB/c+d=@#", "ledger_owner": "x y"}
    env = environment.service_environment(some_servers(tmp_path), keys(layout("dev", tmp_path)))
    assert env["API_DATABASE_URL"] == "postgresql://api_app:aB%2Fc%2Bd%3D%40%23@127.0.0.1:55432/payments"
    assert "//ledger_owner:x%20y@" in env["LEDGER_MIGRATION_DATABASE_URL"]


def test_a_given_server_has_the_password_beside_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("REDIS_PASSWORD", "a/b c")
    given, words = servers.condition("dev", "redis", tmp_path)
    assert given is not None
    assert given.url == "redis://:a%2Fb%20c@127.0.0.1:1/0"
    assert words == "down: nothing answers at 127.0.0.1:1"


def test_a_given_broker_keeps_its_own_virtual_host(tmp_path: Path) -> None:
    given = Server(kind="given", url="amqp://me:pw@mq.internal:5672/mine", port=5672)
    env = environment.service_environment(some_servers(tmp_path, rabbitmq=given), keys(layout("dev", tmp_path)))
    assert env["RABBITMQ_URL"] == given.url


@pytest.mark.usefixtures("bare")
def test_the_shell_wins_over_dotenv_and_dotenv_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = layout("dev", tmp_path)
    (tmp_path / ".env").write_text("API_HTTP_PORT=9000\nLEDGER_HTTP_PORT=9001\nWEBHOOK_RETRY_JITTER=0\n")
    monkeypatch.setenv("API_HTTP_PORT", "9100")
    env = environment.full_environment(place, some_servers(tmp_path), keys(place))
    assert (env["API_HTTP_PORT"], env["LEDGER_HTTP_PORT"], env["GATEWAY_HTTP_PORT"]) == ("9100", "9001", "8002")
    assert env["WEBHOOK_RETRY_JITTER"] == "0"


@pytest.mark.usefixtures("bare")
def test_an_address_from_an_earlier_run_does_not_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = layout("dev", tmp_path)
    records.write(place, Record(profile="dev", root=str(tmp_path), ports={"rabbitmq": 1}))
    monkeypatch.setenv("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:1/payments")
    monkeypatch.setenv("API_RABBITMQ_URL", "amqp://api:api@127.0.0.1:1/payments")
    monkeypatch.setenv("LEDGER_RABBITMQ_URL", "amqp://me:pw@mq.internal/mine")
    env = environment.full_environment(place, some_servers(tmp_path), keys(place))
    assert "RABBITMQ_URL" not in env
    assert env["API_RABBITMQ_URL"].endswith(":55672/payments")
    assert env["LEDGER_RABBITMQ_URL"] == "amqp://me:pw@mq.internal/mine"


def test_a_user_of_the_broker_has_the_password_of_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_RABBITMQ_PASSWORD", "p@ss/w:rd%#é \"'$")
    monkeypatch.setenv("RABBITMQ_PASSWORD", "common")
    assert environment.broker_passwords(os.environ) == {
        **dict.fromkeys(SERVICES, "common"),
        "api": "p@ss/w:rd%#é \"'$",
        "redrive": "redrive",
        "orders": "orders",
        "tenants": "tenants",
    }
    env = environment.service_environment(some_servers(tmp_path), keys(layout("dev", tmp_path)))
    assert env["API_RABBITMQ_URL"].startswith("amqp://api:p%40ss%2Fw%3Ard%25%23%C3%A9%20%22%27%24@127.0.0.1:")


def test_an_address_that_we_exported_ourselves_is_not_a_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = layout("dev", tmp_path)
    records.write(place, Record(profile="dev", root=str(tmp_path), ports={"redis": 56379}))
    monkeypatch.setenv("REDIS_URL", "redis://localhost:56379/0")
    assert not servers.is_given("dev", "redis", tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379/0")
    assert servers.is_given("dev", "redis", tmp_path)


def test_keys_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    first = keys(place)
    assert keys(place) == first
    assert place.secrets.stat().st_mode & 0o077 == 0
    assert keys(layout("dev", tmp_path / "other")) != first


def test_dotenv_is_read_as_shells_write_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# comment\n\nexport A=1\nB='two words'\nC=\"#3\"\nD=4 # four\nEMPTY=\nURL=a://b?c=d#e\n")
    assert environment.read_dotenv(file) == {"A": "1", "B": "two words", "C": "#3", "D": "4", "URL": "a://b?c=d#e"}
    assert environment.read_dotenv(tmp_path / "absent") == {}


def test_a_line_that_is_no_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nnonsense here\n")
    with pytest.raises(LocalFailure, match="line 2"):
        environment.read_dotenv(tmp_path / ".env")


def test_exports_survive_a_shell() -> None:
    settings = {"A": "it's $HOME; `id`", "B": "plain"}
    script = environment.exports(settings) + 'printf "%s\\n" "$A" "$B"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout == "it's $HOME; `id`\nplain\n"


def test_only_settings_ask_for_a_restart(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text("# LOG_LEVEL=INFO\n# about something=else\nAPI_HTTP_PORT=8000\n")
    (tmp_path / ".env").write_text("OWN=1\n")
    env = {"LOG_LEVEL": "DEBUG", "API_HTTP_PORT": "1", "OWN": "1", "SHLVL": "3", "API_DATABASE_URL": "x", "about": "y"}
    assert set(environment.settings_in(env, tmp_path)) == {"LOG_LEVEL", "API_HTTP_PORT", "OWN", "API_DATABASE_URL"}


def documented() -> set[str]:
    return set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_every_setting_that_we_set_is_documented() -> None:
    assert not set(environment.placeholder_environment()).difference(documented())


def fields(kind: Any) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from fields(field.type)
        else:
            yield field.name.upper()


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_that_a_service_reads_is_documented(service: str) -> None:
    settings = importlib.import_module(f"services.{service}.settings").Settings
    prefix = service.upper()
    known = documented()
    missing = [name for name in fields(settings) if name not in known and f"{prefix}_{name}" not in known]
    assert not missing, f"add to .env.example: {', '.join(missing)}"


def test_the_example_changes_nothing_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert environment.read_dotenv(tmp_path / ".env") == {}


def test_the_placeholder_is_complete() -> None:
    assert all(environment.placeholder_environment().values())
    assert os.environ.get("API_DATABASE_URL") != environment.placeholder_environment()["API_DATABASE_URL"]
