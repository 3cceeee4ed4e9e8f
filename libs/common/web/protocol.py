"""HTTP as it arrives: every bound that must hold before a request exists, before anybody is authenticated.

uvicorn bounds neither the size of headers nor the time in which a request arrives, and answers what is not HTTP in plain
text. `BoundedProtocol` adds that to uvicorn's own protocol; docs/decisions/ says why no other server.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from libs.common.observability import metrics
from libs.common.settings import HttpSettings
from libs.common.web import refusals
from libs.common.web.connections import Connections
from libs.common.web.refusals import Refusal

if TYPE_CHECKING:
    import asyncio

_PIPELINED_MAX = 16
"""Requests that a client may send ahead of their answers; what comes after is not read, and the connection is closed."""
_LINGER_SECONDS = 2.0
"""How long what a refused client still sends is thrown away: closed at once, it would lose our answer (RFC 9112, 9.6)."""
_LINGER_BYTES_MAX = 16 * 1_048_576
_HEADER_OVERHEAD = 4
"""Colon, space and line end of a header."""
_SINGLE = frozenset((b"authorization", b"content-length", b"content-type", b"host", b"idempotency-key", b"x-tenant-id"))
"""Headers of which only one can be meant: whoever reads the first and whoever reads the last would disagree."""


class Receiving(IntEnum):
    """What a connection is in the middle of."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


_NOTHING, _HEAD, _BODY = Receiving


class _Stop(Exception):
    """Raised into the parser, which then takes nothing more of the connection."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds on what a client may send, how long it may take, and what is taken for clear."""

    bounds: Connections
    """What all connections of a server share; see `bounded_protocol`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._http = self.bounds.http
        self._header_count_max = self._http.http_header_count_max
        self._receiving = _NOTHING
        self._deadline = inf
        """When whoever must act next must have done so; the other side, or nobody."""
        self._write_deadline = inf
        """When the other side must have read what we have sent."""
        self._now = 0.0
        self._begun = 0
        """Messages whose first byte has come."""
        self._begun_before = 0
        """Those whose first byte had come before the bytes that are being parsed."""
        self._is_blank = True
        """Nothing of the head that is awaited has come, or only empty lines."""
        self._chunk = 0
        """Bytes that are being parsed."""
        self._head_bytes = 0
        """Bytes of an unfinished head that were parsed before."""
        self._length = 0
        """The length of the body that is awaited, as far as it is announced."""
        self._body_bytes = 0
        self._bodies: deque[int] = deque()
        """Bytes that are held or promised of each request that is not answered yet."""
        self._trailers = 0
        self._running: RequestResponseCycle | None = None
        self._refusal: Refusal | None = None
        self._is_stopped = False
        """The connection takes no further request, though nothing is wrong with it."""
        self._is_ended = False
        """Nothing more is parsed."""
        self._discarded = 0

    def connection_made(self, transport: "asyncio.Transport") -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self._now = self.loop.time()
        self.bounds.watch(self.loop, self.connections)  # type: ignore[arg-type]  # all are of this class
        count = len(self.connections)
        if self.bounds.admits(count):
            self._deadline = self._now + self._http.http_header_seconds
        elif self.bounds.may_linger(count):
            self._refuse(refusals.TOO_MANY_CONNECTIONS)
        else:
            metrics.HTTP_REFUSED.labels(refusals.TOO_MANY_CONNECTIONS.reason).inc()
            self._is_ended = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everything of a connection go, however it ended."""
        super().connection_lost(exc)
        self.pipeline.clear()
        while self._bodies:
            self.bounds.hold(self._bodies.popleft(), 0)
        self.bounds.show(len(self.connections))
        self._deadline = self._write_deadline = inf
        if self._running is not None and not self._running.response_complete:
            # uvicorn tells the newest request only.
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._is_ended:
            self._discard(len(data))
            return
        self._now = self.loop.time()
        was, begun = self._receiving, self._begun
        self._begun_before, self._chunk = begun, len(data)
        if was is _NOTHING:
            self._expect_head()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            if self._is_stopped:
                self._finish(self.cycle)
            else:
                self._refuse(self._refusal or refusals.MALFORMED)
            return
        if self._receiving is _HEAD and not self._is_ended:
            if was is _HEAD and begun == self._begun:
                self._head_bytes += len(data)
            else:
                # Of a head that began after another message in these bytes, only what follows is counted.
                self._head_bytes = len(data) if was is _NOTHING and self._begun <= begun + 1 else 0
            if self._head_bytes > self._http.http_header_bytes_max:
                self._refuse(refusals.headers_too_large(self._http.http_header_bytes_max))

    def _feed(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                # The offer to use another protocol is ignored (RFC 9110, 7.8); what follows is the next request.
                rest = memoryview(rest)[upgrade.args[0] :]
                if rest:
                    continue
            return

    def _expect_head(self) -> None:
        self._receiving = _HEAD
        self._is_blank = True
        self._head_bytes = 0
        self._deadline = self._now + self._http.http_header_seconds

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin a request, unless the connection has had its last one."""
        ahead = max(self._begun - self._begun_before, len(self.pipeline))
        if ahead >= _PIPELINED_MAX or (self.cycle is not None and not self.cycle.keep_alive):
            self._is_stopped = True
            metrics.HTTP_REFUSED.labels("pipelined").inc()
            raise _Stop
        super().on_message_begin()
        self._begun += 1
        if self._receiving is _NOTHING:
            self._expect_head()
        self._is_blank = False

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        super().on_url(url)
        if len(self.url) > self._http.http_url_bytes_max:
            raise self._stop(refusals.url_too_long(self._http.http_url_bytes_max))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one that follows a body is read by nobody. As uvicorn does it, without a call for each."""
        headers = self.headers
        if self._receiving is _BODY:
            self._trailers += 1
            if self._trailers > self._header_count_max:
                raise self._stop(refusals.too_many_headers(self._header_count_max))
            return
        if len(headers) >= self._header_count_max:
            raise self._stop(refusals.too_many_headers(self._header_count_max))
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start the request, if its head is within bounds and says one thing."""
        refusal = self._wrong_head()
        if refusal is not None:
            raise self._stop(refusal)
        self._body_bytes = self._trailers = 0
        promised = self.bounds.promised(self._length)
        self.bounds.hold(0, promised)
        self._bodies.append(promised)
        super().on_headers_complete()
        self._receiving = _BODY
        self._deadline = self._now + self._http.http_body_seconds

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, however it is framed."""
        self._body_bytes += len(body)
        if self._body_bytes > self._http.http_body_bytes_max:
            raise self._stop(refusals.body_too_large(self._http.http_body_bytes_max))
        if not self.cycle.response_complete:
            before = self._bodies[-1]
            self._bodies[-1] = after = max(before, self._body_bytes)
            if not self.bounds.hold(before, after):
                raise self._stop(refusals.BODIES_TOO_MANY)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End what is received of a request; from here on the client waits for us."""
        super().on_message_complete()
        self._receiving = _NOTHING
        # It may be answered already: to whom a body is refused, its end comes after the answer.
        self._deadline = self._now + self._http.http_keep_alive_seconds if self.cycle.response_complete else inf

    # What the server and the application call.

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one; uvicorn's own timer is not needed."""
        self.server_state.total_requests += 1
        if self._bodies:
            self.bounds.hold(self._bodies.popleft(), 0)
        now = self.loop.time()
        if self.transport.is_closing():
            self._deadline = now + self._http.http_write_seconds
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._receiving is _NOTHING:
            self._deadline = now + self._http.http_keep_alive_seconds

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        super().pause_writing()
        self._write_deadline = self.loop.time() + self._http.http_write_seconds

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._write_deadline = inf

    def sweep(self, now: float, *, idle_max_seconds: float) -> None:
        """End what has kept us waiting for too long."""
        if now >= self._write_deadline:
            metrics.HTTP_REFUSED.labels("write_timeout").inc()
            self.transport.abort()
            return
        deadline, is_closing = self._deadline, self.transport.is_closing()
        if deadline == inf:
            if is_closing:
                self._deadline = now + self._http.http_write_seconds
            return
        if self._receiving is _NOTHING and self._begun and not (self._is_ended or is_closing):
            deadline += idle_max_seconds - self._http.http_keep_alive_seconds
        if now < deadline:
            return
        self._now = now
        if self._is_ended or is_closing or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self._receiving is _NOTHING or (self._receiving is _HEAD and self._is_blank):
            self.transport.close()
        elif self.flow.read_paused:
            # It is we who do not read.
            self._deadline = now + self._http.http_body_seconds
        else:
            is_head = self._receiving is _HEAD
            self._refuse(refusals.HEAD_TIMEOUT if is_head else refusals.BODY_TIMEOUT)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Callable[..., Any]) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # How a connection ends.

    def _wrong_head(self) -> Refusal | None:
        names = [name for name, _ in self.headers]
        distinct = set(names)
        if len(distinct) < len(names):
            for name in _SINGLE & distinct:
                if names.count(name) > 1:
                    return refusals.duplicate_header(name)
        if b"host" not in distinct and self.parser.get_http_version() == "1.1":
            return refusals.HOST_MISSING
        if self._head_bytes + self._chunk > self._http.http_header_bytes_max:
            size = sum(len(name) + len(value) + _HEADER_OVERHEAD for name, value in self.headers)
            if size > self._http.http_header_bytes_max:
                return refusals.headers_too_large(self._http.http_header_bytes_max)
        has_body = b"transfer-encoding" in distinct
        self._length = 0
        if b"content-length" in distinct:
            self._length = length = int(self.headers[names.index(b"content-length")][1])
            if length > self._http.http_body_bytes_max:
                return refusals.body_too_large(self._http.http_body_bytes_max)
            if not self.bounds.has_room(length):
                return refusals.BODIES_TOO_MANY
            has_body |= length > 0
        if b"upgrade" in distinct and has_body and self.parser.should_upgrade():
            # The parser takes everything that follows for the other protocol's: the body would become a request.
            return refusals.UPGRADE_WITH_BODY
        return None

    def _stop(self, refusal: Refusal) -> _Stop:
        self._refusal = refusal
        return _Stop()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot become a request, or not to its end, and close."""
        metrics.HTTP_REFUSED.labels(refusal.reason).inc()
        self._is_ended = True
        cycle = self.cycle if self._receiving is _BODY else None
        if cycle is not None and self.pipeline and self.pipeline[0][0] is cycle:
            # It waits behind others, and is not started.
            self.pipeline.popleft()
            self._finish(self.pipeline[0][0] if self.pipeline else self._running)
        elif cycle is None and self.cycle is not None and not self.cycle.response_complete:
            # An answer now would be taken for that of the request before.
            self._finish(self.cycle)
        elif cycle is not None and cycle.response_started:
            self._leave(cycle)
            self._linger()
        else:
            self._leave(cycle)
            if not self.transport.is_closing():
                self.transport.write(refusal.encode())
            self._linger()

    def _finish(self, newest: RequestResponseCycle | None) -> None:
        """Answer what was requested before, and close."""
        self._is_ended = True
        if newest is not None and not newest.response_complete:
            newest.keep_alive = False
        else:
            self._linger()

    def _leave(self, cycle: RequestResponseCycle | None) -> None:
        """Let the application know that nothing more comes, and that its answer goes nowhere."""
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _linger(self) -> None:
        """Close in our direction, and in the other one once the client has closed or some time has passed."""
        self._deadline = self.loop.time() + _LINGER_SECONDS
        if not self.transport.is_closing():
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.flow.resume_reading()

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > _LINGER_BYTES_MAX:
            self.transport.abort()


def bounded_protocol(http: HttpSettings) -> type[BoundedProtocol]:
    """Make the protocol of one server, whose connections share the bounds of `http`."""
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": Connections(http)})


__all__ = ["BoundedProtocol", "bounded_protocol"]
