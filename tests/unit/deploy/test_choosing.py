"""Where servers come from: given, then containers, then native; and the error when none can be had."""

import os
from pathlib import Path

import pytest

from deploy.local import containers, packages, probes, records, servers, vhosts
from deploy.local.errors import LocalFailure
from deploy.local.layout import layout
from deploy.local.processes import ProcessId, started_at
from deploy.local.records import Record, Server
from tests.unit.deploy.conftest import Speaking

pytestmark = pytest.mark.unit

PONG, START, READY = b"+PONG\r\n", b"\x01\x00\x00\x00\x00\x01\xfc\x00\x0a\x00\x0a", b"R\x00\x00\x00\x08\x00\x00\x00\x00"


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*servers.GIVEN.values(), "LOCAL_SERVERS", "RABBITMQ_MANAGEMENT_URL"):
        monkeypatch.delenv(name, raising=False)
    containers.engine_answers.cache_clear()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH for programs of the test's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_given_servers_are_used_as_they_are_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaking: Speaking
) -> None:
    with speaking(READY) as postgres, speaking(PONG) as redis, speaking(START) as rabbitmq:
        monkeypatch.setenv("POSTGRES_ADMIN_URL", f"postgresql://me:pw@127.0.0.1:{postgres}/postgres")
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{redis}/3")
        monkeypatch.setenv("RABBITMQ_URL", f"amqp://me:pw@127.0.0.1:{rabbitmq}/mine")
        found = servers.ensure("test", tmp_path)
        assert found.redis_url == f"redis://127.0.0.1:{redis}/3"
        assert {server.kind for server in found.each().values()} == {"given"}
        assert servers.running("test", tmp_path) == found
        with pytest.raises(LocalFailure, match="RABBITMQ_MANAGEMENT_URL"):
            servers.create_vhosts(found, ["one"])
        with pytest.raises(LocalFailure, match="REDIS_URL names a server of yours"):
            servers.pause("test", "redis", tmp_path)
        assert servers.stop("test", tmp_path) == []
    assert servers.running("test", tmp_path) is None


def test_a_given_server_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "GIVEN_SECONDS", 0.0)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(LocalFailure, match=r"REDIS_URL names 127\.0\.0\.1:1, but no redis answers there"):
        servers.ensure("test", tmp_path)


def test_a_stale_record_is_nothing_running(tmp_path: Path, speaking: Speaking) -> None:
    place = layout("test", tmp_path)
    with speaking(PONG) as port:  # a stranger now listens on the port of our dead server
        stale = Server(
            kind="native",
            url=f"redis://127.0.0.1:{port}/0",
            port=port,
            processes=[ProcessId(pid=2**22 + 1, started=1)],
        )
        records.write(place, Record(profile="test", root=str(tmp_path), servers={"redis": stale}))
        assert servers.running("test", tmp_path) is None
        assert servers.stop("test", tmp_path) == []


def test_a_broken_record_is_no_record(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    place.home.mkdir(parents=True)
    place.record.write_text("{ not json")
    assert records.read(place).servers == {}


def test_a_port_is_kept_for_the_next_start(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    records.remember(place, "redis", Server(kind="native", url="redis://127.0.0.1:7777/0", port=7777))
    records.remember(place, "redis", None)
    assert records.read(place).servers == {}
    assert records.read(place).ports == {"redis": 7777}


def test_a_kept_port_gives_way_to_a_setting_that_has_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = layout("dev", tmp_path)
    monkeypatch.setenv("PORT_OFFSET", "100")
    records.remember(place, "redis", Server(kind="native", url="redis://127.0.0.1:7777/0", port=7777))
    last = {}
    for offset in ("100", "200", "0"):
        monkeypatch.setenv("PORT_OFFSET", offset)
        preferred = place.preferred_port("redis")
        last[offset] = records.read(place).last_port("redis", preferred=preferred)
    assert last == {"100": 7777, "200": 0, "0": 0}
    assert records.read(place).last_port("postgres", preferred=55432) == 0


def test_an_engine_that_answers_is_used(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "docker", 'test "$1" = version && echo 28.0')
    assert containers.are_chosen()
    monkeypatch.setenv("LOCAL_SERVERS", "native")
    assert not containers.are_chosen()


def test_a_client_without_an_engine_is_not_used(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    assert not containers.are_chosen()
    monkeypatch.setenv("LOCAL_SERVERS", "docker")
    with pytest.raises(LocalFailure, match="no Docker engine answers"):
        containers.are_chosen()
    monkeypatch.setenv("LOCAL_SERVERS", "podman")
    with pytest.raises(LocalFailure, match="auto, docker or native"):
        containers.are_chosen()


def test_compose_starts_what_is_missing_and_stops_it(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, speaking: Speaking
) -> None:
    calls = tmp_path / "calls"
    program(programs, "docker", f'echo "$@" >> {calls}; case "$*" in *--quiet*) echo abc123;; esac')
    place = layout("dev", tmp_path)
    with speaking(PONG) as port:
        monkeypatch.setenv("REDIS_PORT", str(port))
        found = containers.start(place, ["redis"])["redis"]
        assert (found.kind, found.container, found.url) == ("container", "abc123", f"redis://127.0.0.1:{port}/0")
    containers.stop(place, "redis", found)
    compose = f"compose --project-directory {tmp_path}"
    assert calls.read_text().splitlines() == [
        f"{compose} up --detach --wait redis",
        f"{compose} ps --quiet redis",
        f"{compose} stop redis",
        f"{compose} rm --force redis",
    ]


def test_compose_that_fails_is_a_sentence(tmp_path: Path, programs: Path) -> None:
    program(programs, "docker", "echo 'port is already allocated' >&2; exit 1")
    with pytest.raises(LocalFailure, match="could not start redis: port is already allocated"):
        containers.start(layout("dev", tmp_path), ["redis"])


def test_who_may_not_install_learns_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LocalFailure, match="apt-get install -y --no-install-recommends postgresql rabbitmq-server"):
        packages.install(["postgres", "rabbitmq"], report=lambda _: None)


def test_root_installs_and_no_service_starts_on_its_own(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, calls = tmp_path / "policy-rc.d", tmp_path / "calls"
    program(programs, "apt-get", f'echo "$@" $(sh {policy}; echo policy $?) $DEBIAN_FRONTEND >> {calls}')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "POLICY", policy)
    found = iter([["redis"], []])
    monkeypatch.setattr(packages, "missing", lambda _: next(found))
    packages.install(["redis"], report=lambda _: None)
    update, install = calls.read_text().splitlines()
    assert "update" in update
    assert install.endswith("install -y -q --no-install-recommends redis-server policy 101 noninteractive")
    assert not policy.exists()


def test_apt_that_fails_is_a_sentence_and_leaves_no_policy(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "apt-get", "echo 'Unable to fetch'; exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(packages, "missing", lambda names: names)
    with pytest.raises(LocalFailure, match="Unable to fetch"):
        packages.install(["redis"], report=lambda _: None)
    assert not (tmp_path / "policy-rc.d").exists()


@pytest.mark.parametrize("name", ["", "a b", 'a"', "a\n", "x" * 200, "-a"])
def test_a_name_that_would_need_quoting_is_no_virtual_host(name: str) -> None:
    with pytest.raises(LocalFailure, match="not a name for a virtual host"):
        vhosts.create(Server(kind="native", url="amqp://guest:guest@127.0.0.1:1/"), [name])


def test_no_virtual_hosts_is_no_work() -> None:
    vhosts.create(Server(kind="given", url="amqp://127.0.0.1:1/"), [])
    vhosts.delete(Server(kind="given", url="amqp://127.0.0.1:1/"), [])


def test_a_server_that_is_too_busy_to_answer_is_not_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, answers = ProcessId(pid=os.getpid(), started=started_at(os.getpid()) or 0), iter([False] * 5)
    for name, port in (("postgres", 1), ("redis", 2), ("rabbitmq", 3)):
        server = Server(kind="native", url=f"x://127.0.0.1:{port}", port=port, processes=[own])
        records.remember(layout("test", tmp_path), name, server)
    monkeypatch.setattr(probes, "url_answers", lambda _: next(answers, True))
    assert servers.ensure("test", tmp_path).redis.port == 2
    assert next(answers, None) is None
