"""Requests to servers of others whose addresses a setting or a tenant has: guarded, without redirects, bounded in size and time."""

import asyncio
from collections.abc import Mapping

import aiohttp
import msgspec
from yarl import URL

from libs.common.egress import EgressBlocked, EgressGuard, GuardedResolver, Lookup

_TIMEOUT_SECONDS = 5.0
"""For one exchange, from the name to the last byte."""
_BYTES_MAX = 262_144
_CONNECTIONS_MAX, _CONNECTIONS_OF_HOST_MAX = 20, 4
"""Exchanges at a time; the next one waits within its own time."""
_HEADERS = {
    "Accept": "application/json",
    # Nothing compressed: a small answer could otherwise unfold into a large one.
    "Accept-Encoding": "identity",
    "User-Agent": "payments-platform/1",
}
_OK = 200


class Unreachable(OSError):
    """There is no complete answer: the text names why, and nothing of the network."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a server has answered."""

    status: int
    body: bytes


class Outside:
    """Reads from servers of others. It connects with the first reading; close it when the process ends."""

    def __init__(
        self, guard: EgressGuard, lookup: Lookup | None = None, *, timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        """Reach what `guard` admits; `lookup` replaces the system's name resolution."""
        self._guard = guard
        self._lookup = lookup
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._resolver: GuardedResolver | None = None

    async def request(
        self, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Get a document, or post a form where there is one.

        Raises:
            Unreachable: when the address is forbidden, or there is no complete answer of a bounded size in time.
        """
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._opened().request(
                    "GET" if form is None else "POST",
                    URL(url),
                    data=form,
                    headers={**_HEADERS, **(headers or {})},
                    allow_redirects=False,
                ) as response,
            ):
                return Reply(status=response.status, body=await _read(response))
        except Unreachable:
            raise
        except EgressBlocked as fault:
            raise Unreachable("the address is forbidden") from fault
        except TimeoutError as fault:
            raise Unreachable("no answer in time") from fault
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise Unreachable("no complete answer") from fault

    async def read(self, url: str) -> bytes:
        """Get a document.

        Raises:
            Unreachable: as above, and when the status is another than 200; redirects are not followed.
        """
        reply = await self.request(url)
        if reply.status != _OK:
            raise Unreachable(f"the answer has the status {reply.status}")
        return reply.body

    async def close(self) -> None:
        """Let go of all connections."""
        session, resolver, self._session, self._resolver = self._session, self._resolver, None, None
        if session is not None:
            await session.close()
        if resolver is not None:
            await resolver.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._resolver = GuardedResolver(self._guard, self._lookup)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver,
                    socket_factory=self._guard.socket,
                    limit=_CONNECTIONS_MAX,
                    limit_per_host=_CONNECTIONS_OF_HOST_MAX,
                    # Read rarely: a kept connection is one that the other side has closed.
                    force_close=True,
                ),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                raise_for_status=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk
        if len(kept) > _BYTES_MAX:
            response.close()
            raise Unreachable("the answer is larger than it may be")
    return bytes(kept)
