"""The egress guard: a table of hostile addresses in every spelling, rebinding names and redirects against a real sink."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from prometheus_client import REGISTRY

from libs.common.egress import LOCAL_NETWORKS, EgressBlocked, EgressGuard, GuardedResolver, resolving_for
from services.notifier.app import egress_guard
from services.notifier.sending import Answer, AttemptError, Sender
from services.notifier.settings import Settings, WebhookSettings

HOSTILE = {
    "loopback": ["127.0.0.1", "127.0.0.2", "127.255.255.254", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
    "unique local": ["fc00::1", "fd00::1", "fdff:ffff::1"],
    "link-local": ["169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%lo", "febf::1"],
    "metadata": [
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
    ],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255"],
    "documentation and benchmarks": [
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "198.18.0.1",
        "2001:db8::1",
        "3fff::1",
    ],
    "mapped": ["::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:8.8.8.8"],
    "compatible": ["::127.0.0.1", "::7f00:1", "::a9fe:a9fe"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:a00:1::1", "192.88.99.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::127.0.0.1", "64:ff9b:1::7f00:1"],
    "Teredo and ORCHID": ["2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:2::1"],
    "site-local, discard, segment routing": ["fec0::1", "100::1", "5f00::1", "4000::1"],
    "anycast services": ["192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1", "192.0.0.9"],
}
ADDRESSES = [address for addresses in HOSTILE.values() for address in addresses]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
    "127.0.0.1.", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]",
    "localhost", "LOCALHOST", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "127.000.000.001", "0x7f.1", "0x7F.0x0.0x0.0x1", "0177.1", "00", "0x0", "2130706433.", "%31%32%37.0.0.1", "127.0.0.1%00",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "127\u30020\u30020\u30021", "127\uff0e0\uff0e0\uff0e1",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3", "local\u00adhost",
    "localhost.", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0001]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::FFFF:7F00:0001]",
    "[::ffff:0.0.0.0]", "[::ffff:0:127.0.0.1]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25lo]", "[64:ff9b:1::7f00:1]",
]  # fmt: skip
"""Ways to write this machine, as a url's host."""


class Sink:
    """A listening socket on every address of this machine that counts who reaches it."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    found = Sink()
    listening = socket.socket(socket.AF_INET6)
    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind(("::", 0))
    found.port = listening.getsockname()[1]
    server = await asyncio.start_server(found.met, sock=listening)
    try:
        yield found
    finally:
        server.close()


async def attempt(url: str, sender: Sender) -> Answer:
    async with sender.opened():
        return await sender.send(url, headers={}, body=b"{}")


def test_the_table_has_at_least_forty_addresses() -> None:
    assert len(set(ADDRESSES)) >= 40


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_hostile_address_is_refused(address: str) -> None:
    with pytest.raises(EgressBlocked) as refused:
        EgressGuard().check(address)
    assert address not in str(refused.value)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_admitted(address: str) -> None:
    EgressGuard().check(address)


def test_operators_networks_are_obeyed_and_a_denial_wins() -> None:
    guard = EgressGuard(allowed=["10.0.0.0/8", "8.8.8.0/24"], denied=["10.1.0.0/16", "8.8.8.8/32"])
    expected = {"10.2.0.1": True, "10.1.0.1": False, "8.8.8.8": False, "8.8.4.4": True, "192.168.0.1": False}
    assert {address: guard.admits(ip_address(address)) for address in expected} == expected


def test_local_development_still_has_no_way_to_metadata_services() -> None:
    guard = EgressGuard(allowed=LOCAL_NETWORKS)
    for address in ["127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "fd00::1"]:
        assert guard.admits(ip_address(address))
    for address in ["169.254.169.254", "100.100.100.200", "168.63.129.16", "fe80::1", "::ffff:169.254.169.254"]:
        assert not guard.admits(ip_address(address))


def test_no_socket_is_made_for_other_address_families() -> None:
    for family, target in [(socket.AF_UNIX, "/run/docker.sock"), (socket.AF_UNIX, ("8.8.8.8", 443))]:
        with pytest.raises(EgressBlocked):
            EgressGuard().socket((family, socket.SOCK_STREAM, 0, "", target))


REFUSED = {
    AttemptError.EGRESS_BLOCKED,
    AttemptError.NAME_NOT_RESOLVED,
    AttemptError.INVALID_RESPONSE,  # not a url at all
}


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_this_machine_reaches_the_sink(sink: Sink, host: str) -> None:
    answer = await attempt(f"http://{host}:{sink.port}/", Sender(WebhookSettings(), EgressGuard()))
    assert answer.error in REFUSED
    assert (answer.status_code, answer.excerpt) == (None, "")
    assert sink.connections == 0


@pytest.mark.parametrize("address", ADDRESSES)
async def test_hostile_address_is_not_dialled_as_a_literal_or_by_a_name(sink: Sink, address: str) -> None:
    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET6 if ":" in address else socket.AF_INET, address)]

    literal = f"[{address}]" if ":" in address else address
    sender = Sender(WebhookSettings(), EgressGuard(), lookup)
    for host, refused in [(literal, REFUSED), ("merchant.example", {AttemptError.EGRESS_BLOCKED})]:
        answer = await attempt(f"http://{host}:{sink.port}/", sender)
        assert answer.error in refused
        assert address not in f"{answer.error} {answer.excerpt}"
    assert sink.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_this_machine_is_not_followed(sink: Sink, status: int) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        where = f"Location: http://127.0.0.1:{sink.port}/\r\nRefresh: 0; url=http://127.0.0.1:{sink.port}/"
        writer.write(f"HTTP/1.1 {status} Elsewhere\r\n{where}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.2", 0) as server:
        port = server.sockets[0].getsockname()[1]
        # Even where the guard would admit it.
        sender = Sender(WebhookSettings(), EgressGuard(allowed=LOCAL_NETWORKS))
        answer = await attempt(f"http://127.0.0.2:{port}/", sender)
    assert (answer.status_code, answer.error) == (status, None)
    assert sink.connections == 0


async def test_neither_a_proxy_of_the_environment_nor_a_cookie_is_used(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{sink.port}")
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1; Path=/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.2", 0) as server:
        url = f"http://127.0.0.2:{server.sockets[0].getsockname()[1]}/"
        async with Sender(WebhookSettings(), EgressGuard(allowed=LOCAL_NETWORKS)).opened() as sender:
            for _ in range(2):
                assert (await sender.send(url, headers={}, body=b"{}")).status_code == 200
    assert len(heads) == 2
    assert not any(b"cookie" in head.lower() for head in heads)
    assert sink.connections == 0


async def test_the_sink_is_reachable_where_the_guard_admits_it(sink: Sink) -> None:
    await attempt(f"http://127.0.0.1:{sink.port}/", Sender(WebhookSettings(), EgressGuard(allowed=LOCAL_NETWORKS)))
    assert sink.connections == 1


async def test_one_forbidden_answer_refuses_the_whole_name(sink: Sink) -> None:
    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "93.184.216.34"), (socket.AF_INET, "127.0.0.1")]

    answer = await attempt(f"http://merchant.example:{sink.port}/", Sender(WebhookSettings(), EgressGuard(), lookup))
    assert answer == Answer(error=AttemptError.EGRESS_BLOCKED)
    assert sink.connections == 0


async def test_no_port_is_looked_up_where_none_is_given() -> None:
    ports: list[int] = []

    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        ports.append(port)
        return [(socket.AF_INET, "93.184.216.34")]

    resolver = GuardedResolver(EgressGuard(), lookup)
    assert [each["port"] for each in await resolver.resolve("whole.example")] == ports == [0]
    await resolver.close()


async def test_the_resolver_refuses_by_itself_and_closes_its_threads() -> None:
    """Without a dial, so that the guard at the socket cannot be what refused."""
    answers = {"whole.example": ["93.184.216.34", "2a00:1450::1"], "rotten.example": ["93.184.216.34", "10.0.0.1"]}

    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        assert port == 443
        return [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in answers[host]]

    resolver = GuardedResolver(EgressGuard(), lookup)
    with pytest.raises(EgressBlocked):
        await resolver.resolve("rotten.example", 443)
    # Also where the family that is requested has only good addresses.
    with pytest.raises(EgressBlocked):
        await resolver.resolve("rotten.example", 443, socket.AF_INET6)
    found = await resolver.resolve("whole.example", 443)
    assert [(each["hostname"], each["host"], each["port"], each["family"]) for each in found] == [
        ("whole.example", "93.184.216.34", 443, socket.AF_INET),
        ("whole.example", "2a00:1450::1", 443, socket.AF_INET6),
    ]
    # The addresses are final, for whatever protocol the connector dials.
    assert {(each["proto"], each["flags"]) for each in found} == {(0, socket.AI_NUMERICHOST)}
    only = await resolver.resolve("whole.example", 443, socket.AF_INET6)
    assert [each["host"] for each in only] == ["2a00:1450::1"]
    await resolver.close()


def test_a_refusal_is_counted_and_what_is_no_address_is_one() -> None:
    for host in ("169.254.169.254", "merchant.example"):
        before = REGISTRY.get_sample_value("webhook_egress_blocked_total") or 0
        with pytest.raises(EgressBlocked):
            egress_guard(Settings()).check(host)
        assert REGISTRY.get_sample_value("webhook_egress_blocked_total") == before + 1


async def test_a_name_that_rebinds_between_two_deliveries_is_refused(sink: Sink) -> None:
    answers: Iterator[list[tuple[int, str]]] = iter(
        [[(socket.AF_INET, "203.0.113.7")], [(socket.AF_INET6, "::ffff:127.0.0.1")]]
    )

    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        return next(answers)

    guard = EgressGuard(allowed=["203.0.113.7/32"])
    quick = WebhookSettings(webhook_timeout_seconds=0.2)
    for expected in ({AttemptError.TIMEOUT, AttemptError.CONNECTION_FAILED}, {AttemptError.EGRESS_BLOCKED}):
        answer = await attempt(f"http://merchant.example:{sink.port}/", Sender(quick, guard, lookup))
        assert answer.error in expected
    assert sink.connections == 0


class Trusting(AbstractResolver):
    """What a resolver without a guard, or its cache, would answer."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"]])
async def test_the_dial_itself_is_guarded_whatever_the_resolver_says(sink: Sink, addresses: list[str]) -> None:
    connector = aiohttp.TCPConnector(resolver=Trusting(*addresses), socket_factory=EgressGuard().socket)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(EgressBlocked):
            await session.post(f"http://merchant.example:{sink.port}/")
    assert sink.connections == 0


async def test_dead_names_of_one_tenant_leave_threads_to_the_others() -> None:
    let_go, begun = threading.Event(), []

    def getaddrinfo(host: str, port: int, **kind: int) -> list[tuple[Any, ...]]:
        begun.append(host)
        if host.startswith("dead"):
            let_go.wait()
        return [(socket.AF_INET, kind["type"], 0, "", ("93.184.215.14", port))]

    resolver = GuardedResolver(EgressGuard(), getaddrinfo=getaddrinfo)

    async def resolve(tenant_id: str, host: str) -> str:
        resolving_for.set(tenant_id)
        return (await resolver.resolve(host, 443))[0]["host"]

    dead = [asyncio.create_task(resolve("rude", f"dead-{number}.example")) for number in range(100)]
    try:
        async with asyncio.timeout(20):
            assert await asyncio.create_task(resolve("quiet", "alive.example")) == "93.184.215.14"
        assert len([host for host in begun if host.startswith("dead")]) <= 4
        # A timeout does not free a place whose thread still waits, and what timed out in the queue is never looked up.
        for task in (*dead[:4], dead[50]):
            task.cancel()
        await asyncio.sleep(0)
        assert len([host for host in begun if host.startswith("dead")]) <= 4
    finally:
        let_go.set()
    async with asyncio.timeout(20):
        results = await asyncio.gather(*dead, return_exceptions=True)
    assert results.count("93.184.215.14") >= 95
    assert "dead-50.example" not in begun
    assert resolver._turns == {}
    await resolver.close()


async def test_resolver_that_closes_waits_for_no_name_and_looks_up_no_more() -> None:
    let_go, begun = threading.Event(), []

    def getaddrinfo(host: str, port: int, **kind: int) -> list[tuple[Any, ...]]:
        begun.append(host)
        let_go.wait()
        return [(socket.AF_INET, kind["type"], 0, "", ("93.184.215.14", port))]

    resolver = GuardedResolver(EgressGuard(), getaddrinfo=getaddrinfo)

    async def resolve(host: str) -> str:
        # A tenant of its own for each, so that only the number of threads is their bound.
        resolving_for.set(host)
        return (await resolver.resolve(host, 443))[0]["host"]

    dead = [asyncio.create_task(resolve(f"dead-{number}.example")) for number in range(40)]
    # Should closing wait for them after all, it does not wait for ever.
    rescue = threading.Timer(20, let_go.set)
    rescue.start()
    try:
        while len(begun) < 32:
            await asyncio.sleep(0)
        await resolver.close()
        assert not let_go.is_set()
        with pytest.raises(OSError, match="no names are resolved any more"):
            await resolve("late.example")
    finally:
        rescue.cancel()
        let_go.set()
    async with asyncio.timeout(20):
        results = await asyncio.gather(*dead, return_exceptions=True)
        while resolver._turns:
            await asyncio.sleep(0)
    assert len(begun) == results.count("93.184.215.14") == 32
