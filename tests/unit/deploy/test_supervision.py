"""The supervisor's configuration is what supervisord reads, and it keeps services running."""

import configparser
import os
from pathlib import Path

import pytest

from deploy.local import supervision
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import SOCKET_PATH_MAX, Layout, layout, port_setting
from deploy.local.waiting import wait_until

pytestmark = pytest.mark.unit


def parsed(root: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
    parser.read_string(supervision.config(Layout(root=root, profile="dev")))
    return parser


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_kept_running(tmp_path: Path, service: str) -> None:
    program = parsed(tmp_path)[f"program:{service}"]
    assert program.getboolean("autorestart")
    assert int(program["startsecs"]) <= 1
    assert int(program["startretries"]) > 1000
    assert int(program["stopwaitsecs"]) == 20
    assert program.getboolean("stopasgroup")
    assert f".local/run/{service}.pid" in program["command"]
    assert f"services.{service} serve" in program["command"]
    assert program["stdout_logfile"] == str(tmp_path / ".local" / "log" / f"{service}.log")


def test_a_percent_in_the_path_means_itself(tmp_path: Path) -> None:
    root = tmp_path / "100%"
    assert parsed(root)["supervisord"]["directory"] == str(root)


def test_the_configuration_holds_no_secret(tmp_path: Path) -> None:
    assert "environment" not in parsed(tmp_path)["supervisord"]


def test_a_deep_checkout_has_a_short_socket(tmp_path: Path) -> None:
    shallow, deep = layout("dev", tmp_path), layout("dev", tmp_path / ("x" * 100))
    assert shallow.socket("s.sock") == shallow.run / "s.sock"
    assert len(str(deep.socket("s.sock"))) <= SOCKET_PATH_MAX
    assert deep.socket("s.sock") != layout("dev", tmp_path / ("y" * 100)).socket("s.sock")


def test_nothing_running_is_a_state_not_an_error(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    assert not supervision.is_running(place)
    assert [state.state for state in supervision.states(place)] == ["NONE"] * 4
    assert not supervision.stop(place)
    with pytest.raises(LocalFailure, match=r"up\.sh"):
        supervision.restart(place, supervision.Process(service="api"), {})


def published_by(place: Layout, service: str) -> list[str]:
    file = place.service_logs / f"{service}.log"
    return file.read_text().splitlines() if file.exists() else []


def test_a_restart_takes_changed_settings_and_nothing_keeps_the_old_ones(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    for service in SERVICES:
        folder = tmp_path / "services" / service
        folder.mkdir(parents=True)
        (folder / "__main__.py").write_text(
            "import os, signal\nprint(os.environ.get('LOG_LEVEL'), os.environ.get('JWT_ISSUER'), flush=True)\n"
            "signal.pause()\n"
        )
    first = {"LOG_LEVEL": "INFO", "JWT_ISSUER": " it's $HOME; `id` "}
    supervision.start(place, os.environ | first, first)
    try:
        assert wait_until(lambda: all(published_by(place, service) for service in SERVICES), seconds=60)
        assert published_by(place, "ledger") == ["INFO  it's $HOME; `id` "]
        before = {state.service: state.pid for state in supervision.states(place)}
        assert all(before.values())
        supervision.restart(place, supervision.Process(service="api"), {"LOG_LEVEL": "DEBUG"})
        assert wait_until(lambda: len(published_by(place, "api")) == 2, seconds=60)
        assert published_by(place, "api")[-1] == "DEBUG None"
        after = {state.service: state.pid for state in supervision.states(place)}
        assert [service for service in SERVICES if after[service] != before[service]] == ["api"]
        supervision.start(place, os.environ | first, first)
        assert wait_until(lambda: published_by(place, "api")[-1] == "INFO  it's $HOME; `id` ", seconds=60)
    finally:
        supervision.stop(place)
    assert not [*place.run.glob("*.settings")]


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(LocalFailure, match="dev, test"):
        layout("prod")


def test_a_port_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (port_setting("dev", "redis"), port_setting("test", "redis")) == ("REDIS_PORT", "TEST_REDIS_PORT")
    monkeypatch.setenv("REDIS_PORT", "7000")
    assert layout("dev", tmp_path).preferred_port("redis") == 7000
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.1:6379")  # what Kubernetes and docker links put there
    with pytest.raises(LocalFailure, match="REDIS_PORT"):
        layout("dev", tmp_path).preferred_port("redis")
