"""A collector on loopback that takes OTLP over HTTP as a real one does, and keeps the spans that it was sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


class ReceivedSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One span as it arrived."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    """The trace ids of its links."""
    attributes: dict[str, str | int]
    is_error: bool
    seconds: float


class Collector:
    """Keeps what it receives; `answer` decides the status."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.requests = 0
        self.headers: dict[str, str] = {}
        self.answer: Callable[[], int] = lambda: 200
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Decode one request and answer it."""
        self.requests += 1
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        status = self.answer()
        if status != 200:
            return web.Response(status=status)
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )

    async def until(self, is_enough: Callable[[list[ReceivedSpan]], bool], *, seconds: float = 60) -> None:
        """Wait until what has arrived is enough.

        Raises:
            AssertionError: when it is not in time, with what has arrived.
        """
        try:
            async with asyncio.timeout(seconds):
                while not is_enough(self.spans):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            seen = [(span.service, span.name, span.trace_id[:8]) for span in self.spans]
            raise AssertionError(f"not enough within {seconds} s: {seen}") from None


def _spans(request: ExportTraceServiceRequest) -> list[ReceivedSpan]:
    found: list[ReceivedSpan] = []
    for resource in request.resource_spans:
        about = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            found += [_span(about["service.name"], span) for span in scope.spans]
    return found


def _span(service: str, span: Span) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple(link.trace_id.hex() for link in span.links),
        attributes={
            one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value
            for one in span.attributes
        },
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


@asynccontextmanager
async def running_collector() -> AsyncIterator[Collector]:
    """Listen on a free port of loopback until the block ends."""
    collector = Collector()
    application = web.Application(client_max_size=2**26)
    application.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()
