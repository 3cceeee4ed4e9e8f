"""The two clients: `Client` waits in its thread, `AsyncClient` in its event loop; all else they share."""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import httpx

from payments_client.authentication import ApiKey, Authentication, Login
from payments_client.exchange import Call, Exchange, Operation, Retries
from payments_client.generated.operations import AsyncOperations, Operations
from payments_client.models import TokenResponse
from payments_client.problems import PaymentsError

_LOGIN = Operation[TokenResponse](
    name="createToken", method="POST", path="/v1/auth/token", reads=TokenResponse, is_harmless=True
)
_JOURNAL = Operation[bytes](name="reportJournal", method="GET", path="/v1/reports/journal", reads=bytes)
_SECONDS = 30.0
"""For which a request is waited for."""


class _Shared[Http, Lock](ABC):
    """What a client knows; `Http` sends its requests, and `Lock` lets one log-in at a time through."""

    def __init__(
        self,
        base_url: str,
        *,
        authentication: Authentication | str,
        tenant_id: str | None = None,
        correlation_id: str | None = None,
        retries: Retries = Retries(),  # noqa: B008 - it is frozen
        http: Http | None = None,
    ) -> None:
        """Take where the api is and as whom to ask.

        Args:
            base_url: where it is: `https://pay.example.com`.
            authentication: an api key or token, or another way.
            tenant_id: for whom; needed by those alone who work for several tenants.
            correlation_id: goes with every request, into the logs of all services.
            retries: how often a request is sent again.
            http: sends the requests, where you bring proxies or certificates of your own.
        """
        self.base_url = base_url
        self.authentication = ApiKey(authentication) if isinstance(authentication, str) else authentication
        self.tenant_id = tenant_id
        self.correlation_id = correlation_id
        self.retries = retries
        self._http = self._connections() if http is None else http
        self._logging_in = self._lock()

    @staticmethod
    @abstractmethod
    def _connections() -> Http:
        """Return connections of its own."""

    @staticmethod
    @abstractmethod
    def _lock() -> Lock:
        """Return what one log-in holds."""

    def with_options(self, **changes: Any) -> Self:
        """Return a client over the same connections with another `tenant_id`, `correlation_id` or `retries`."""
        unknown = changes.keys() - {"tenant_id", "correlation_id", "retries"}
        if unknown:
            raise TypeError(f"{', '.join(sorted(unknown))} cannot be changed")
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__, **changes)
        return made

    def _exchange[T](self, operation: Operation[T], call: Call) -> Exchange[T]:
        named = {"X-Tenant-Id": self.tenant_id, "X-Correlation-Id": self.correlation_id}
        headers = {name: value for name, value in named.items() if value is not None}
        return Exchange(
            operation, call, base_url=self.base_url, headers=headers, retries=self.retries, began=time.monotonic()
        )

    def _journal_exchange(
        self, file_format: str, from_: str | None, to: str | None, tz: str | None, locale: str | None
    ) -> Exchange[bytes]:
        query = {"format": file_format, "from": from_, "to": to, "tz": tz, "locale": locale}
        return self._exchange(_JOURNAL, Call(path={}, query=query))

    def _login_exchange(self) -> Exchange[TokenResponse]:
        if not isinstance(self.authentication, Login):
            raise PaymentsError("this authentication has neither a header nor a log-in")
        return self._exchange(_LOGIN, Call(path={}, query={}, body=self.authentication._body))

    def _logged_in(self, token: TokenResponse) -> str:
        if isinstance(self.authentication, Login):
            self.authentication.logged_in(token.access_token, seconds=token.expires_in)
        return f"Bearer {token.access_token}"


def _was_sent(error: httpx.RequestError) -> bool:
    return not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


class Client(_Shared[httpx.Client, threading.Lock], Operations):
    """For threads: it may be shared among them. Close it, or use it in a `with`."""

    @staticmethod
    def _connections() -> httpx.Client:
        return httpx.Client(timeout=_SECONDS)

    @staticmethod
    def _lock() -> threading.Lock:
        return threading.Lock()

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def export_journal(
        self,
        file_format: str,
        *,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> Iterator[bytes]:
        """Yield the whole journal as a file, part by part as it comes.

        Args:
            file_format: `csv`, `beancount` or `hledger`.
            from_: from this date or instant of record.
            to: until this instant, or on this date, included.
            tz: the time zone of dates.
            locale: of a `csv`: whose spreadsheets read it, `pt-BR` for example; with totals.

        Raises:
            NoAnswer: also when the file breaks off: what has come of it is not the whole.
        """
        exchange = self._journal_exchange(file_format, from_, to, tz, locale)
        answer = self._send(exchange, is_stream=True)
        try:
            yield from answer.iter_bytes()
        except httpx.RequestError as error:
            raise exchange.broken_off(error) from error
        finally:
            answer.close()

    def _call[T](self, operation: Operation[T], call: Call) -> T:
        exchange = self._exchange(operation, call)
        return exchange.read(self._send(exchange))

    def _pages[T](self, operation: Operation[T], call: Call) -> Iterator[T]:
        exchange = self._exchange(operation, call)
        while True:
            answer = self._send(exchange)
            yield exchange.read(answer)
            if not exchange.follow(answer):
                return
            exchange.again(time.monotonic())

    def _items(self, operation: Operation[Any], call: Call) -> Iterator[Any]:
        for page in self._pages(operation, call):
            yield from getattr(page, operation.items) if operation.items else page

    def _send(self, exchange: Exchange[Any], *, is_login: bool = False, is_stream: bool = False) -> httpx.Response:
        while True:
            header = None if is_login else self._authorization()
            request = exchange.request(header)
            try:
                answer = self._http.send(
                    self._http.build_request(
                        request.method, request.url, headers=request.headers, content=request.content
                    ),
                    stream=is_stream,
                    # Also where the client that was given follows them: a log-in would be sent on with its password.
                    follow_redirects=False,
                )
                if is_stream and not answer.is_success:
                    answer.read()
            except httpx.RequestError as error:
                pause: float | None = exchange.failed(error, now=time.monotonic(), was_sent=_was_sent(error))
            else:
                may_log_in = answer.status_code == 401 and header is not None and self.authentication.refused(header)
                pause = exchange.refused(answer, may_log_in=may_log_in, now=time.monotonic())
                if pause is None:
                    return answer
            time.sleep(pause or 0.0)

    def _authorization(self) -> str:
        header = self.authentication.authorization()
        if header is not None:
            return header
        with self._logging_in:
            # Another thread may have logged in meanwhile.
            header = self.authentication.authorization()
            if header is not None:
                return header
            exchange = self._login_exchange()
            return self._logged_in(exchange.read(self._send(exchange, is_login=True)))


class AsyncClient(_Shared[httpx.AsyncClient, asyncio.Lock], AsyncOperations):
    """For asyncio: one for each event loop. Close it, or use it in an `async with`."""

    @staticmethod
    def _connections() -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=_SECONDS)

    @staticmethod
    def _lock() -> asyncio.Lock:
        return asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Use it."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def export_journal(
        self,
        file_format: str,
        *,
        from_: str | None = None,
        to: str | None = None,
        tz: str | None = None,
        locale: str | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the whole journal as a file, part by part as it comes.

        Args:
            file_format: `csv`, `beancount` or `hledger`.
            from_: from this date or instant of record.
            to: until this instant, or on this date, included.
            tz: the time zone of dates.
            locale: of a `csv`: whose spreadsheets read it, `pt-BR` for example; with totals.

        Raises:
            NoAnswer: also when the file breaks off: what has come of it is not the whole.
        """
        exchange = self._journal_exchange(file_format, from_, to, tz, locale)
        answer = await self._send(exchange, is_stream=True)
        try:
            async for part in answer.aiter_bytes():
                yield part
        except httpx.RequestError as error:
            raise exchange.broken_off(error) from error
        finally:
            await answer.aclose()

    async def _call[T](self, operation: Operation[T], call: Call) -> T:
        exchange = self._exchange(operation, call)
        return exchange.read(await self._send(exchange))

    async def _pages[T](self, operation: Operation[T], call: Call) -> AsyncIterator[T]:
        exchange = self._exchange(operation, call)
        while True:
            answer = await self._send(exchange)
            yield exchange.read(answer)
            if not exchange.follow(answer):
                return
            exchange.again(time.monotonic())

    async def _items(self, operation: Operation[Any], call: Call) -> AsyncIterator[Any]:
        async for page in self._pages(operation, call):
            for item in getattr(page, operation.items) if operation.items else page:
                yield item

    async def _send(
        self, exchange: Exchange[Any], *, is_login: bool = False, is_stream: bool = False
    ) -> httpx.Response:
        while True:
            header = None if is_login else await self._authorization()
            request = exchange.request(header)
            try:
                answer = await self._http.send(
                    self._http.build_request(
                        request.method, request.url, headers=request.headers, content=request.content
                    ),
                    stream=is_stream,
                    # Also where the client that was given follows them: a log-in would be sent on with its password.
                    follow_redirects=False,
                )
                if is_stream and not answer.is_success:
                    await answer.aread()
            except httpx.RequestError as error:
                pause: float | None = exchange.failed(error, now=time.monotonic(), was_sent=_was_sent(error))
            else:
                may_log_in = answer.status_code == 401 and header is not None and self.authentication.refused(header)
                pause = exchange.refused(answer, may_log_in=may_log_in, now=time.monotonic())
                if pause is None:
                    return answer
            await asyncio.sleep(pause or 0.0)

    async def _authorization(self) -> str:
        header = self.authentication.authorization()
        if header is not None:
            return header
        async with self._logging_in:
            # Another task may have logged in meanwhile.
            header = self.authentication.authorization()
            if header is not None:
                return header
            exchange = self._login_exchange()
            return self._logged_in(exchange.read(await self._send(exchange, is_login=True)))
