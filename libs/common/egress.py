"""Where may a request go whose address a tenant has chosen? Decided at the last moment, on the exact address about to be dialled.

Without this guard a tenant could make us ask our own network: a cloud's metadata service, a database, the broker. Checking
the url when it is registered cannot help, because the name may resolve to something else later (DNS rebinding). So the guard
stands in two places, both after name resolution:

1. `GuardedResolver` refuses a name as soon as one of its addresses is forbidden; there is no partial trust.
2. `EgressGuard.socket` is the connector's socket factory: no socket exists for a forbidden address, whatever led to it, a
   literal in the url included.

Redirects are never followed and no proxy is taken from the environment, so there is no third way.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from libs.common.errors import PlatformError
from libs.common.observability.logging import get_logger

log = get_logger("egress")

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

FORBIDDEN_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network (RFC 791); Linux dials 0.0.0.0 as itself
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); Alibaba's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's WireServer: a public address that only virtual machines reach
        "169.254.0.0/16",  # link-local (RFC 3927): metadata services of most clouds
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890); Oracle's metadata service
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # automatic multicast tunnelling (RFC 7450)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast included
    )
)
"""IPv4 networks that no request of a tenant reaches: the IANA special-purpose registry, multicast, and clouds' own addresses."""

GLOBAL_UNICAST_IPV6 = IPv6Network("2000::/3")
"""The only part of IPv6 that IANA hands out; everything outside (loopback, mapped and compatible IPv4, both NAT64
prefixes, unique local, link- and site-local, multicast, segment routing) is refused without being listed."""

FORBIDDEN_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, ORCHID (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4 (RFC 3056): embeds any IPv4 address
        "2620:4f:8000::/48",  # AS112 (RFC 7534)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""Networks within global unicast that no request of a tenant reaches."""

LOCAL_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""What local development may reach besides the public internet: loopback and private networks, never link-local."""

EVERYWHERE = ("0.0.0.0/0", "::/0")
"""What whoever runs the platform may name as an address."""

_LOOKUP_THREADS = 32
"""Names resolved at once. A name whose servers are dead holds a thread for seconds and must not starve the others."""
_TENANT_LOOKUPS_MAX = 4
"""Names of one tenant resolved at once: its dead names wait for each other and not for all the threads."""

resolving_for: ContextVar[str] = ContextVar("resolving_for", default="")
"""The tenant for whom a request is made."""


class EgressBlocked(PlatformError):
    """An address that must never be reached; the address is for the log alone, never for the tenant.

    Not an `OSError` on purpose: the dialler would otherwise go on to the name's next address, and one forbidden answer
    refuses the whole name.
    """

    code = "egress_blocked"

    def __init__(self, address: str) -> None:
        super().__init__("the address is not one that may be reached")
        self.address = address


class EgressGuard:
    """Knows which addresses may be dialled, and makes the sockets for them."""

    def __init__(
        self,
        *,
        allowed: Iterable[str] = (),
        denied: Iterable[str] = (),
        on_blocked: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the operator's networks in CIDR form; `denied` wins over `allowed`, `allowed` over the tables above.

        `on_blocked` is called for each address that is refused, to be counted.
        """
        self._allowed: tuple[Network, ...] = tuple(ip_network(network) for network in allowed)
        self._denied: tuple[Network, ...] = tuple(ip_network(network) for network in denied)
        self._on_blocked = on_blocked

    def admits(self, address: Address) -> bool:
        """Whether a request may go to this address."""
        if _is_in(address, self._denied):
            return False
        if _is_in(address, self._allowed):
            return True
        if isinstance(address, IPv4Address):
            return not _is_in(address, FORBIDDEN_IPV4)
        return address in GLOBAL_UNICAST_IPV6 and not _is_in(address, FORBIDDEN_IPV6)

    def check(self, host: str) -> None:
        """Admit one resolved address.

        Raises:
            EgressBlocked: when it is forbidden, or no address at all.
        """
        try:
            address = ip_address(host)
        except ValueError:
            address = None
        if address is None or not self.admits(address):
            self._on_blocked()
            log.warning("egress.blocked", address=host)
            raise EgressBlocked(host)

    def socket(self, address_info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for one address about to be dialled: the connector's `socket_factory`.

        Raises:
            EgressBlocked: when the address is forbidden; there is no socket then, and nothing is sent.
        """
        family, kind, protocol, _, target = address_info
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise EgressBlocked(str(target))
        self.check(str(target[0]))
        return socket.socket(family=family, type=kind, proto=protocol)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


type Lookup = Callable[[str, int], Awaitable[list[tuple[int, str]]]]
"""Resolves a name and a port to (address family, address) pairs; raises OSError when there are none."""


class GuardedResolver(AbstractResolver):
    """Resolves names for the connector and refuses those that have a forbidden address among their answers."""

    def __init__(
        self,
        guard: EgressGuard,
        lookup: Lookup | None = None,
        *,
        getaddrinfo: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo,
    ) -> None:
        """Resolve by `lookup`, or by the system's `getaddrinfo` in threads, of which each tenant gets a few."""
        self._guard = guard
        self._getaddrinfo = getaddrinfo
        self._threads = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="guarded-dns")
        self._lookup = lookup or self._ask_system
        self._turns: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return every address of `host`.

        Raises:
            EgressBlocked: when one of them is forbidden.
            OSError: when there is none.
        """
        found = await self._lookup(host, port)
        for _, address in found:
            self._guard.check(address)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def _ask_system(self, host: str, port: int) -> list[tuple[int, str]]:
        def ask() -> list[tuple[int, str]]:
            answers = self._getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return [(int(family), str(target[0])) for family, _, _, _, target in answers]

        tenant_id, loop = resolving_for.get(), asyncio.get_running_loop()
        turn, users = self._turns.setdefault(tenant_id, (asyncio.Semaphore(_TENANT_LOOKUPS_MAX), []))
        users.append(None)

        def leave() -> None:
            users.pop()
            if not users:
                del self._turns[tenant_id]

        def end() -> None:
            turn.release()
            leave()

        def ended(_: object) -> None:
            # The loop may be gone by then: the process stops.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(end)

        try:
            await turn.acquire()
        except BaseException:
            leave()
            raise
        # A thread cannot be stopped: the place is free when the lookup has ended, not when its attempt timed out.
        try:
            lookup = self._threads.submit(ask)
        except RuntimeError as fault:
            end()
            raise OSError("no names are resolved any more") from fault
        lookup.add_done_callback(ended)
        return await asyncio.wrap_future(lookup)

    async def close(self) -> None:
        """Let go of the threads; lookups still in progress are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
