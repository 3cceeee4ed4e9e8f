"""The SDK's client: one pool of connections for all accounts, no retries of its own, a pinned version of the API."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import stripe

API_VERSION = "2026-10-28.endive"
"""The version whose shapes this adapter reads; an account's own default does not change it."""
_CONNECT_SECONDS = 3.0
"""A connection that takes longer would leave too little of a call's five seconds."""
_KEEP_ALIVE_SECONDS = 30.0
_ACTIONS = frozenset({"detach", "search"})
"""What stands in a path beside resources and their ids."""


class StripeAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to charge through one Stripe account."""

    name: str
    """The processor's name in our books: `stripe`, or `stripe:<config id>`."""
    secret_key: str
    """`sk_...` or `rk_...`."""
    payment_method: str = ""
    """What is charged where a payment names nothing; empty: such a payment is declined."""
    return_url: str = ""
    """Where the customer comes back to after proving who they are; empty: Stripe's client library leads the way."""

    connected_account: str = ""
    """The account that the key's platform acts for: each call names it in `Stripe-Account`; empty: the key's own."""
    application_fee_bps: int = 0
    """What the platform takes of each capture, in hundredths of a percent."""
    application_fee_minor: int = 0
    """And in minor units of the payment's currency."""
    refund_application_fee: bool = False
    """Whether the platform gives the same part of it back with a refund."""

    @property
    def is_live(self) -> bool:
        """Live or test mode, which have limits of their own; Stripe refuses a key whose prefix is not true."""
        return self.secret_key.partition("_")[2].startswith("live_")

    def __repr__(self) -> str:
        """Name the account, never its key."""
        return f"StripeAccount({self.name!r})"


def endpoint_of(method: str, path: str) -> str:
    """Name the endpoint of a call, as Stripe counts them: the path without the ids in it, so that there are few."""
    resource, *rest = path.removeprefix("/v1/").split("/")
    return " ".join((method, resource, *(part if part in _ACTIONS else "id" for part in rest)))


class StripeConnections:
    """One pool of connections to Stripe, shared by the clients of all accounts.

    Over aiohttp, because httpx slows down as concurrency grows: 288 against 10,989 requests per second with 64 pending
    (measured). Connections are not limited here; the bulkhead limits the calls.
    """

    def __init__(self, *, api_base: str) -> None:
        self._api_base = api_base
        self._http: stripe.AIOHTTPClient | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep the pool open for the length of the block."""
        tls = ssl.create_default_context(cafile=stripe.ca_bundle_path)
        connector = aiohttp.TCPConnector(limit=0, ssl=tls, keepalive_timeout=_KEEP_ALIVE_SECONDS)
        async with aiohttp.ClientSession(connector=connector) as session:
            # No total: every call brings a deadline of its own.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
            self._http = stripe.AIOHTTPClient(timeout=timeout, session=session)
            try:
                yield
            finally:
                self._http = None

    def client(self, account: StripeAccount) -> stripe.StripeClient:
        """Make the client of one account; it is cheap, the connections are the pool's."""
        assert self._http is not None, "the pool is not open"
        return stripe.StripeClient(
            account.secret_key,
            stripe_account=account.connected_account or None,
            stripe_version=API_VERSION,
            base_addresses={"api": self._api_base},
            max_network_retries=0,
            http_client=self._http,
        )
