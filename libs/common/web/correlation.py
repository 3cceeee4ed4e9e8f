"""Correlation and metrics around every HTTP request, as one thin ASGI layer."""

from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from litestar.types.asgi_types import ReceiveMessage
from prometheus_client import Counter, Histogram

from libs.common.observability import metrics, tracing
from libs.common.observability.correlation import Correlation, accept_correlation_id, adopt, current
from libs.common.observability.tracing import SpanKind
from libs.common.web.errors import ClientGone

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNKNOWN_ROUTE = "(unknown)"
_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that probes and Prometheus read every few seconds."""


def _header(headers: "Iterable[tuple[bytes, bytes]]", name: bytes) -> str | None:
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return None


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    # Looking a series up by its labels takes a lock and builds strings; there are as few series as routes.
    return metrics.HTTP_REQUESTS.labels(method, route, status), metrics.HTTP_DURATION.labels(method, route)


def _record(method: str, route: str, status: int, *, traceparent: str, parent: str | None, started_ns: int) -> None:
    # The tenant is known since the request was admitted.
    correlation = current()
    tracing.record(
        f"{method} {route}",
        kind=SpanKind.SERVER,
        traceparent=traceparent,
        parent=parent,
        started_ns=started_ns,
        attributes={
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "correlation_id": correlation.correlation_id,
            "tenant_id": correlation.tenant_id,
        },
        error=str(status) if status >= 500 else "",
    )


def correlate(app: ASGIApp) -> ASGIApp:
    """Wrap `app`: accept or mint the correlation id, continue the trace, echo the id, count and time the request.

    A client that leaves before its request is complete is `ClientGone`, and counted with the status 499.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        headers = scope["headers"]
        parent = _header(headers, b"traceparent")
        correlation = Correlation(
            correlation_id=accept_correlation_id(_header(headers, b"x-correlation-id")),
            traceparent=tracing.traceparent_for_caller(parent),
        )
        adopt(correlation)
        started_ns = tracing.started()
        started = perf_counter()
        status = 500
        is_whole = is_started = False

        async def take() -> ReceiveMessage:
            nonlocal is_whole
            message = await receive()
            if message["type"] == "http.request":
                is_whole = not message["more_body"]
            elif not is_whole and not is_started:
                # Whoever reads a body would take its beginning for all of it, or the end for an error of ours.
                raise ClientGone
            return message

        async def send_with_correlation(message: Message) -> None:
            nonlocal status, is_started
            if message["type"] == "http.response.start":
                is_started = True
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-correlation-id", correlation.correlation_id.encode()),
                ]
            await send(message)

        try:
            await app(scope, take, send_with_correlation)
        finally:
            # The template, never the path with its ids: the number of series stays bounded.
            route: Any = scope.get("path_template") or _UNKNOWN_ROUTE
            counter, histogram = _series(scope["method"], route, status)
            counter.inc()
            histogram.observe(perf_counter() - started)
            if started_ns and route not in _UNTRACED and tracing.is_sampled(correlation.traceparent):
                _record(
                    scope["method"],
                    route,
                    status,
                    traceparent=correlation.traceparent,
                    parent=parent,
                    started_ns=started_ns,
                )

    return middleware
