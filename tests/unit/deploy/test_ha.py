"""The profile `ha`: what each program reads, where it listens, and how single nodes fail."""

import configparser
import sys
import time
from pathlib import Path

import pytest

from deploy.local import balancer, lifecycle, packages, records, servers, supervision
from deploy.local.bootstrap import SERVICES
from deploy.local.environment import HTTP_PORTS
from deploy.local.errors import LocalFailure
from deploy.local.ha import cluster, configs, network, nodes, patroni
from deploy.local.ha.plan import NODES, Node, Plan
from deploy.local.ha.plan import nodes as of_part
from deploy.local.ha.plan import plan as planned
from deploy.local.layout import layout, platform_layout
from deploy.local.processes import run, spawn, which
from deploy.local.records import Server
from deploy.local.waiting import wait_until

pytestmark = pytest.mark.unit

EPHEMERAL_FIRST = 32_768
"""From here on a system gives ports to outgoing connections."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    for name in ("HA_POSTGRES_PORT", "HA_REDIS_PORT", "HA_RABBITMQ_PORT", "PORT_OFFSET", *cluster.GIVEN):
        monkeypatch.delenv(name, raising=False)
    place = layout("ha", tmp_path)
    place.run.mkdir(parents=True)
    (place.home / "nodes").mkdir(parents=True)
    return planned(place, place.home / "nodes")


def haproxy() -> str:
    """Where HAProxy is; it is installed first where we may."""
    if not which("haproxy", "/usr/sbin"):
        try:
            packages.install(["haproxy"], report=print)
        except LocalFailure as failed:
            pytest.skip(str(failed))
    return which("haproxy", "/usr/sbin")


def test_no_two_nodes_share_a_port(here: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    served = [here.postgres, here.redis, here.rabbitmq]
    served += [here.port(node) for node in NODES if node.part != "proxy"]
    served += [here.control_port(node) for node in NODES if node.part in {"postgres", "etcd", "rabbitmq"}]
    assert len(set(served)) == len(served)
    assert max(served) < EPHEMERAL_FIRST
    monkeypatch.setenv("HA_REDIS_PORT", "7000")
    moved = planned(here.place, here.base)
    assert {moved.redis, *(moved.port(node) for node in of_part("sentinel"))} == {7000, 7011, 7012, 7013}


def test_only_a_node_that_has_every_commit_becomes_leader() -> None:
    shared = patroni.shared()
    assert shared["synchronous_mode"] == "quorum"
    assert shared["synchronous_mode_strict"]
    assert shared["synchronous_node_count"] == 1
    assert shared["failsafe_mode"]
    # As Patroni demands; and a leader that is lost is replaced within 30 s.
    assert shared["loop_wait"] + 2 * shared["retry_timeout"] <= shared["ttl"] <= 20


def test_each_node_of_postgresql_has_addresses_of_its_own(here: Plan) -> None:
    found = [patroni.config(here, node) for node in of_part("postgres")]
    assert len(found) == 3
    assert len({config["name"] for config in found}) == 3
    assert len({config["restapi"]["listen"] for config in found}) == 3
    assert len({config["postgresql"]["listen"] for config in found}) == 3
    assert len({config["postgresql"]["data_dir"] for config in found}) == 3
    assert {tuple(config["etcd3"]["hosts"]) for config in found} == {
        tuple(f"127.0.0.1:{here.port(node)}" for node in of_part("etcd"))
    }


def test_nodes_of_etcd_know_each_other(here: Plan) -> None:
    (members,) = {
        option for node in of_part("etcd") for option in configs.etcd(here, node) if "initial-cluster=" in option
    }
    assert members.count("etcd-") == 3


def test_minority_of_rabbitmq_takes_no_messages(here: Plan) -> None:
    text = configs.rabbit(here)
    assert "cluster_partition_handling = pause_minority\n" in text
    for node in of_part("rabbitmq"):
        assert f"classic_config.nodes.{node.number} = {configs.rabbit_node(here, node)}\n" in text


def test_two_of_three_sentinels_change_the_master(here: Plan) -> None:
    first, second = (configs.redis(here, node) for node in of_part("redis"))
    assert "replicaof" not in first
    assert f"replicaof 127.0.0.1 {here.redis + 1}\n" in second
    for node in of_part("sentinel"):
        assert f"sentinel monitor mymaster 127.0.0.1 {here.redis + 1} 2\n" in configs.sentinel(here, node)


def test_haproxy_takes_what_is_written_for_it(here: Plan, tmp_path: Path) -> None:
    listens = {service: f"127.0.0.1:{port}" for service, port in HTTP_PORTS.items()}
    addresses = {service: [f"127.0.0.1:{port + 10}", f"127.0.0.1:{port + 20}"] for service, port in HTTP_PORTS.items()}
    services = balancer.configuration(listens, addresses, health="127.0.0.1:8040")
    assert "docker" not in services.partition("\n\n")[2]
    for name, text in (("proxy", configs.proxy(here)), ("balancer", services)):
        file = tmp_path / f"{name}.cfg"
        file.write_text(text)
        done = run([haproxy(), "-c", "-f", str(file)], seconds=30)
        assert done.returncode == 0, done.stderr
        assert "[WARNING]" not in done.stderr, done.stderr


def test_proxy_leaves_a_leader_that_lost_the_lock(here: Plan) -> None:
    text = configs.proxy(here)
    assert "on-marked-down shutdown-sessions" in text
    assert "httpchk OPTIONS /primary" in text
    for node in of_part("postgres"):
        where = f"server {node.name} {here.host(node)}:{here.port(node)} check port {here.control_port(node)}"
        assert where in text


def test_each_service_has_two_processes_and_a_balancer(here: Plan) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(supervision.config(here.place))
    programs = {section.removeprefix("program:") for section in parser.sections() if section.startswith("program:")}
    assert programs == {f"{service}-{number}" for service in SERVICES for number in (1, 2)} | {"balancer"}
    command = parser["program:ledger-2"]["command"]
    assert ". .local/run/ledger.settings; export LEDGER_HTTP_HOST=127.0.0.1 LEDGER_HTTP_PORT=$((" in command
    settings = {f"{service.upper()}_HTTP_PORT": str(port) for service, port in HTTP_PORTS.items()}
    ports = {process.port(settings) for process in supervision.processes(here.place)}
    assert len(ports) == 8
    supervision.write_balancer(here.place, settings)
    text = (here.place.run / "balancer.cfg").read_text()
    assert all(f"127.0.0.1:{port}\n" in text for port in ports)


def test_profile_is_kept_for_later_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert platform_layout(tmp_path).profile == "dev"
    for name in [f"{service.upper()}_DATABASE_URL" for service in SERVICES]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(lifecycle, "choose_platform", (tmp_path / "kept").write_text)
    lifecycle.choose_profile("ha")
    assert (tmp_path / "kept").read_text() == "ha"
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "profile").write_text("ha\n")
    assert platform_layout(tmp_path).profile == "ha"
    monkeypatch.setenv("API_DATABASE_URL", "postgresql://api_app@db.internal/payments")
    with pytest.raises(LocalFailure, match="API_DATABASE_URL names a database already"):
        lifecycle.choose_profile("ha")


def test_given_server_is_refused(here: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://cache.internal:6379/0")
    with pytest.raises(LocalFailure, match="REDIS_URL names a server of yours"):
        servers.ensure("ha", here.place.root)


def test_single_server_of_several_nodes_is_not_stopped(here: Plan) -> None:
    for name in ("postgres", "redis", "rabbitmq"):
        records.remember(here.place, name, Server(kind="cluster", url="redis://127.0.0.1:1/0", port=1))
    with pytest.raises(LocalFailure, match="has several nodes"):
        servers.kill("ha", "postgres", here.place.root)
    with pytest.raises(LocalFailure, match="There is no node postgres-4; they are etcd-1,"):
        nodes.named("postgres-4")


def state(pid: int) -> str:
    """The state of a process, as proc(5) has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_node_is_suspended_resumed_and_killed_with_its_children(here: Plan) -> None:
    node, other = Node(part="etcd", number=1), Node(part="etcd", number=2)
    for each in (node, other):
        here.folder(each).mkdir()
        command = ["/bin/sh", "-c", "sleep 600 & mkdir -p data; cd data; sleep 600"]
        spawn(command, home=here.base, log=here.log(each), cwd=here.folder(each))
    try:
        assert wait_until(
            lambda: len(nodes.processes(here, node)) == len(nodes.processes(here, other)) == 3, seconds=20
        )
        pids = [process.pid for process in nodes.processes(here, node)]
        nodes.suspend(here, node)
        assert wait_until(lambda: {state(pid) for pid in pids} == {"T"}, seconds=10)
        nodes.resume(here, node)
        assert wait_until(lambda: {state(pid) for pid in pids} == {"S"}, seconds=10)
        nodes.suspend(here, node)
        nodes.kill(here, node)
        assert nodes.processes(here, node) == []
        assert len(nodes.processes(here, other)) == 3
    finally:
        began = time.monotonic()
        for each in (node, other):
            nodes.kill(here, each)
        assert time.monotonic() - began < nodes.KILL_SECONDS


def test_what_a_program_goes_on_to_write_is_kept(tmp_path: Path) -> None:
    file = nodes._first(tmp_path / "sentinel.conf", "first\n")
    file.write_text("changed by Sentinel\n")
    assert nodes._first(file, "first\n").read_text() == "changed by Sentinel\n"


def test_nodes_of_one_number_share_a_machine(here: Plan) -> None:
    there = planned(here.place, here.base, network="10.201.7")
    assert {there.host(node) for node in NODES if node.number == 2} == {"10.201.7.2"}
    assert {there.host(node) for node in NODES if not node.number} == {"127.0.0.1"}
    assert configs.rabbit_node(there, Node(part="rabbitmq", number=3)).endswith("-3@10.201.7.3")
    assert "loopback_users = none\n" in configs.rabbit(there)
    assert "replicaof 10.201.7.1 " in configs.redis(there, Node(part="redis", number=2))
    assert (
        "host replication all 10.201.7.0/24 trust"
        in patroni.config(there, of_part("postgres")[0])["postgresql"]["pg_hba"]
    )


def test_loopback_stays_where_nodes_have_data(here: Plan) -> None:
    (here.base / "etcd-1").mkdir()
    assert network.chosen(here.base, here.place.key) == ""
    assert network.chosen(here.base, here.place.key) == ""
    with pytest.raises(LocalFailure, match="The nodes are on loopback"):
        network.cut(here, 1)


def test_machine_that_is_cut_off_reaches_nobody(here: Plan) -> None:
    prefix = network.chosen(here.base, here.place.key)
    if not prefix:
        pytest.skip("network namespaces need root")
    there = planned(here.place, here.base, network=prefix)

    def reaches(number: int, other: int) -> bool:
        # A connection that is refused has reached the machine.
        code = (
            "import errno, socket; s = socket.socket(); s.settimeout(0.5)\n"
            f"raise SystemExit(s.connect_ex(('{prefix}.{other}', 9)) != errno.ECONNREFUSED)"
        )
        command, _ = network.inside(there, Node(part="etcd", number=number), [sys.executable, "-c", code], user="")
        return run(command, seconds=20).returncode == 0

    try:
        network.ensure(there)
        network.ensure(there)
        assert all(reaches(*each) for each in ((1, 2), (2, 3), (1, 254)))
        network.separate(there, 1)
        assert [reaches(*each) for each in ((1, 2), (2, 1), (2, 3), (1, 254))] == [False, False, True, True]
        network.join(there, 1)
        assert reaches(1, 2)
        network.cut(there, 1)
        assert [reaches(*each) for each in ((1, 2), (1, 254), (2, 3))] == [False, False, True]
        network.join(there, 1)
        # The other machine was not found a moment ago, and is looked for again after a second.
        assert wait_until(lambda: reaches(2, 1), seconds=20)
    finally:
        network.remove(there)
    assert here.place.key not in run([which("ip"), "netns", "list"], seconds=20).stdout
