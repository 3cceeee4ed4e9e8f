"""How is one webhook sent? A signed POST over a connection that the egress guard admitted, within one deadline."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from libs.common.egress import EgressBlocked, EgressGuard, GuardedResolver, Lookup
from libs.common.errors import Unavailable
from services.notifier.sending.domain import Answer, AttemptError
from services.notifier.settings import WebhookSettings

_FIXED_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "payments-platform-webhooks/1",
    "Accept": "*/*",
    # Nothing compressed: a small answer could otherwise unfold into a large one.
    "Accept-Encoding": "identity",
}
_KEEP_ALIVE_SECONDS = 4.0
"""How long an idle connection is kept. Shorter than the 5 s of common servers (uvicorn, Node.js), so that we are the one
who hangs up and no POST meets a connection that is being closed."""
_DNS_SECONDS = 30
"""How long a name's addresses are trusted; every dial is guarded all the same."""
_EXCERPT_CHARACTERS_MAX = 1024
"""What is kept of an answer, for people."""


class Sender:
    """Sends webhooks. Open it once per process; connections are kept alive and shared by all deliveries."""

    def __init__(self, settings: WebhookSettings, guard: EgressGuard, lookup: Lookup | None = None) -> None:
        self._settings = settings
        self._guard = guard
        self._lookup = lookup
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Sender"]:
        """Hold the connections open inside the block."""
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._guard, self._lookup),
            socket_factory=self._guard.socket,
            ttl_dns_cache=_DNS_SECONDS,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            # The worker limits attempts in flight, in total and for each endpoint.
            limit=0,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._settings.webhook_connect_timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            raise_for_status=False,
        ) as session:
            self._session = session
            try:
                yield self
            finally:
                self._session = None
                await connector.close()

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one attempt; whatever the other side does comes back as an `Answer`, never as an error.

        Raises:
            Unavailable: when the sender is not open.
        """
        if self._session is None:
            raise Unavailable("the webhook sender is not open")
        status: int | None = None
        try:
            async with (
                asyncio.timeout(self._settings.webhook_timeout_seconds),
                self._session.post(
                    URL(url, encoded=True), data=body, headers={**_FIXED_HEADERS, **headers}, allow_redirects=False
                ) as response,
            ):
                status = response.status
                excerpt = await self._read(response)
                return Answer(status_code=status, retry_after=response.headers.get("Retry-After"), excerpt=excerpt)
        except EgressBlocked:
            return Answer(error=AttemptError.EGRESS_BLOCKED)
        except TimeoutError:
            return Answer(status_code=status, error=AttemptError.TIMEOUT)
        except (aiohttp.ClientConnectorDNSError, aiohttp.InvalidURL):
            return Answer(error=AttemptError.NAME_NOT_RESOLVED)
        except aiohttp.ClientSSLError:
            return Answer(error=AttemptError.TLS_FAILED)
        except (aiohttp.ClientConnectionError, OSError):
            return Answer(status_code=status, error=AttemptError.CONNECTION_FAILED)
        except (aiohttp.ClientError, ValueError):
            return Answer(status_code=status, error=AttemptError.INVALID_RESPONSE)

    async def _read(self, response: aiohttp.ClientResponse) -> str:
        limit = self._settings.webhook_response_bytes_max
        kept = bytearray()
        async for chunk in response.content.iter_any():
            kept += chunk
            if len(kept) > limit:
                # An endless answer is not read to its end; the connection cannot be used again.
                response.close()
                break
        return _legible(bytes(kept[:limit]))


def _legible(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace")[:_EXCERPT_CHARACTERS_MAX]
    # PostgreSQL refuses NUL, and other control characters have no business in a log of answers.
    return "".join(character if character.isprintable() or character in "\n\t" else "�" for character in text)
