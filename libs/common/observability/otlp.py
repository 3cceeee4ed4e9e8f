"""Spans go to a collector by OTLP over HTTP, from a thread of their own: whatever fails there, no work waits for it.

Imported only where traces are on: OpenTelemetry's packages take time to import and memory. What it has settings of its own for
(`OTEL_EXPORTER_OTLP_CERTIFICATE`, `OTEL_EXPORTER_OTLP_COMPRESSION`, `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_RESOURCE_ATTRIBUTES` and the
like) it reads itself.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Mapping, Sequence
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace import SpanKind as OtelKind

from libs.common.observability import metrics
from libs.common.observability.logging import get_logger
from libs.common.observability.tracing import Span

log = get_logger("traces")

_BATCH_MAX = 512
"""Spans that one request carries at most."""
_SENT, _FAILED, _DROPPED = (metrics.TRACE_SPANS.labels(outcome) for outcome in ("sent", "failed", "dropped"))
_UNSET = Status(StatusCode.UNSET)
_SCOPE = InstrumentationScope("payments-platform")


class OtlpExporter:
    """Sends spans in batches. At most `queue_max` wait; a further one is dropped and counted."""

    def __init__(
        self,
        *,
        endpoint: str,
        headers: Mapping[str, str],
        queue_max: int,
        attributes: Mapping[str, str],
    ) -> None:
        # Why it cannot send is logged by us, once and when that ends: not with each batch, for as long as a collector is away.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._queue_max = queue_max
        self._kept = 0
        self._resource = Resource.create({**attributes, "service.instance.id": str(uuid4())})
        self._counted = _Counted(
            OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers) or None)
        )
        self._processor = BatchSpanProcessor(
            self._counted, max_queue_size=queue_max, max_export_batch_size=min(_BATCH_MAX, queue_max)
        )

    def keep(self, span: Span) -> None:
        """Take a span at once, or drop it."""
        if self._kept - self._counted.settled >= self._queue_max:
            _DROPPED.inc()
            return
        self._kept += 1
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span.traceparent),
                parent=_context(span.parent, is_remote=True) if span.parent else None,
                resource=self._resource,
                attributes=span.attributes,
                links=[Link(_context(link)) for link in span.links],
                kind=OtelKind[span.kind],
                status=Status(StatusCode.ERROR, span.error) if span.error else _UNSET,
                start_time=span.started_ns,
                end_time=max(span.ended_ns, span.started_ns),
                instrumentation_scope=_SCOPE,
            )
        )

    async def close(self, *, seconds: float) -> None:
        """Send what is left; what is not sent within `seconds` is lost."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def finish() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            # The loop may be over by then.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

        # A thread that the end of the process does not wait for, as an executor's would be.
        threading.Thread(target=finish, name="send last spans", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                await done.wait()
        except TimeoutError:
            log.warning("traces.not_sent_at_the_end", spans=self._kept - self._counted.settled)
            # Ends the pause before another try.
            self._counted.shutdown()


class _Counted(SpanExporter):
    """Counts what became of spans, in the thread that sends them."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_failing = False
        self.settled = 0
        """Spans that were sent, or could not be."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self.settled += len(spans)
            is_sent = result is SpanExportResult.SUCCESS
            (_SENT if is_sent else _FAILED).inc(len(spans))
            if self._is_failing is is_sent:
                self._is_failing = not is_sent
                (log.info if is_sent else log.warning)("traces.sent_again" if is_sent else "traces.not_sent")
        return result

    def shutdown(self) -> None:
        """Stop, also within a pause before another try."""
        self._exporter.shutdown()


def _context(traceparent: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=is_remote,
        trace_flags=TraceFlags(int(traceparent[53:55], 16)),
    )
