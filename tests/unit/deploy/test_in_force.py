"""Settings in force: wrong ones stop every command with a sentence, shown ones hide secrets, changed ones are reported."""

import subprocess
from pathlib import Path

import pytest

from deploy.local import containers, environment, in_force, lifecycle, records, servers
from deploy.local.cli import main
from deploy.local.errors import LocalFailure
from deploy.local.layout import Layout, layout
from deploy.local.processes import ProcessId
from deploy.local.records import Server
from deploy.local.status import condition_of
from deploy.local.supervision import Process, ServiceState
from tests.unit.deploy.conftest import Speaking

pytestmark = pytest.mark.unit

ANYTHING = " it's $HOME; `id` é\"\\ "


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without settings."""
    for name in environment.placeholder_environment():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("API_HTTP_PORT", "eighty", "API_HTTP_PORT must be a whole number from 1 to 65535, not 'eighty'"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, not 'LOUD'"),
        ("REDIS_PORT", "0", "REDIS_PORT must be a whole number from 1 to 65535, not '0'"),
        ("PORT_OFFSET", "-1", "PORT_OFFSET must be a whole number from 0 to 6000, not '-1'"),
        ("POSTGRES_ADMIN_URL", "postgres://a:b/c@d/e", "POSTGRES_ADMIN_URL must be an address such as postgresql://"),
        ("REDIS_URL", "cache:6379:x", "REDIS_URL must be an address such as redis://"),
        ("RABBITMQ_URL", "amqp://a:b/c@d/e", "RABBITMQ_URL must be an address such as amqp://"),
        ("RABBITMQ_MANAGEMENT_URL", "mq", "RABBITMQ_MANAGEMENT_URL must be an address such as https://"),
        ("LOCAL_SERVERS", "cloud", "LOCAL_SERVERS must be one of auto, docker, native, not 'cloud'"),
        ("JWT_SECRT", "x", "JWT_SECRT is no setting: it must be called JWT_SECRET, or not be set"),
    ],
)
@pytest.mark.sampled(by="name", each=2)
@pytest.mark.parametrize("command", ["up", "env", "restart", "migrate"])
def test_a_wrong_setting_stops_every_command_with_one_sentence(
    command: str,
    name: str,
    value: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    assert main([command]) == 1
    done = capsys.readouterr().err.strip()
    assert done.startswith(f"error: {sentence}")
    assert "\n" not in done
    assert "a:b" not in done


def test_what_a_service_starts_with_survives_its_file(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    assert in_force.started_with(place, "api") is None
    settings = {"API_DATABASE_PASSWORD": ANYTHING, "LOG_LEVEL": "INFO", "JWT_PRIVATE_KEY": "two\nlines"}
    in_force.write(place, "api", settings)
    assert in_force.started_with(place, "api") == settings
    file = in_force.file_of(place, "api")
    assert file.stat().st_mode & 0o077 == 0
    script = f'. "{file}"; printf %s "$API_DATABASE_PASSWORD"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, timeout=30)
    assert done.stdout.decode() == ANYTHING


def table_of(place: Layout, env: dict[str, str], *shell: str) -> dict[str, str]:
    return {line.split()[0]: line for line in in_force.table(place, env, shell=frozenset(shell)).splitlines()}


def test_table_masks_secrets_and_shows_sources_and_pending_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = layout("dev", tmp_path)
    (tmp_path / ".env").write_text("LEDGER_LOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("API_HTTP_PORT", "9000")
    env = {
        "API_HTTP_PORT": "9000",
        "LEDGER_LOG_LEVEL": "DEBUG",
        "JWT_ISSUER": "local-auth",
        "JWT_SECRET": "hidden-1",
        "API_DATABASE_PASSWORD": "hidden-2",
        "API_DATABASE_URL": "postgresql://api_app:hidden-3@127.0.0.1:1/payments",
        "PATH": "/bin",
    }
    in_force.write(place, "ledger", {**env, "LEDGER_LOG_LEVEL": "INFO", "CHAOS_ENABLED": "true"})
    lines = table_of(place, env, "API_HTTP_PORT", "PATH")
    assert "hidden" not in " ".join(lines.values())
    assert "postgresql://api_app:****@127.0.0.1:1/payments" in lines["API_DATABASE_URL"]
    assert lines["API_HTTP_PORT"].endswith("shell")
    assert lines["JWT_ISSUER"].endswith("up.sh")
    assert lines["LEDGER_LOG_LEVEL"].endswith(".env  (not yet in force in ledger: just restart)")
    assert lines["CHAOS_ENABLED"].endswith("no longer set (still in force: just restart)")


def test_one_offset_moves_every_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment.placeholder_environment()
    monkeypatch.setenv("PORT_OFFSET", "100")
    after = environment.placeholder_environment()
    for name in ("API_HTTP_PORT", "LEDGER_HTTP_PORT", "GATEWAY_HTTP_PORT", "NOTIFIER_HTTP_PORT"):
        assert int(after[name]) == int(before[name]) + 100
    for profile, server, port in (("dev", "postgres", 55532), ("test", "redis", 30479), ("shifted", "rabbitmq", 32772)):
        assert layout(profile, tmp_path).preferred_port(server) == port
    monkeypatch.setenv("REDIS_PORT", "7000")
    assert layout("dev", tmp_path).preferred_port("redis") == 7000
    assert containers.published_ports(layout("dev", tmp_path)) == {
        "POSTGRES_PORT": "55532",
        "REDIS_PORT": "7000",
        "RABBITMQ_PORT": "55772",
        "RABBITMQ_MANAGEMENT_PORT": "15772",
    }


def test_each_server_is_reported_by_itself(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone = ProcessId(pid=ended.pid, started=1)
    url = "postgresql://postgres@127.0.0.1:1/postgres"
    records.remember(place, "postgres", Server(kind="native", url=url, port=1, processes=[gone]))
    assert servers.condition("dev", "postgres", tmp_path)[1] == "down: its process has ended"
    assert servers.condition("dev", "redis", tmp_path) == (None, "not started")
    assert servers.known("dev", tmp_path) is None


def test_service_that_waits_for_a_server_needs_no_help_of_its_own(tmp_path: Path, speaking: Speaking) -> None:
    place = layout("dev", tmp_path)
    body = b'{"status":"unavailable","checks":{"database":"no answer","redis":"ok"}}'
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    with speaking(head + body) as port:
        in_force.write(place, "api", {"API_HTTP_PORT": str(port)})
        state = ServiceState(process=Process(service="api"), state="RUNNING", pid=1, uptime_seconds=7)
        words = "not ready: database not usable (pid 1, 7 s)"
        assert condition_of(place, state, {"database"}) == (words, "")
        assert condition_of(place, state, {"redis"}) == (words, "./scripts/logs.sh api")


def test_a_restart_names_what_is_no_service() -> None:
    with pytest.raises(LocalFailure, match="There is no service apo; they are api, ledger, gateway, notifier"):
        lifecycle.restart(["apo"])
