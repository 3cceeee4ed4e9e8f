"""Traces: what is passed on while they are off, what is recorded while they are on, and a collector that fails."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import cast

import pytest
from litestar.types import HTTPRequestEvent, Message, Receive, Scope, Send
from prometheus_client import REGISTRY

from libs.common.observability import tracing
from libs.common.observability.otlp import OtlpExporter
from libs.common.observability.tracing import SpanKind
from libs.common.web.correlation import correlate
from tests.support.otlp import Collector, running_collector
from tests.support.ports import free_port
from tests.support.spans import keeping

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = f"{PARENT[:-2]}00"
pytestmark = pytest.mark.unit

MALFORMED = [
    None,
    "",
    "garbage",
    f"{PARENT}-more",
    f"00-{'0' * 32}-00f067aa0ba902b7-01",
    f"00-{'a' * 32}-{'0' * 16}-01",
]


def record(traceparent: str, parent: str | None = "", **more: object) -> None:
    tracing.record("step", kind=SpanKind.INTERNAL, traceparent=traceparent, parent=parent, started_ns=1, **more)  # type: ignore[arg-type]


async def requested(traceparent: str) -> None:
    """Send a request to an application that answers nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def receive() -> HTTPRequestEvent:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message["type"] == "http.response.start"

    scope = {"type": "http", "method": "GET", "headers": [(b"traceparent", traceparent.encode())]}
    await correlate(app)(cast("Scope", scope), receive, send)


class TestOff:
    def test_caller_s_trace_is_passed_on_as_it_came(self) -> None:
        assert tracing.child_traceparent(PARENT) == PARENT
        assert tracing.child_traceparent(UNSAMPLED) == UNSAMPLED

    @pytest.mark.parametrize("parent", MALFORMED)
    def test_no_trace_begins(self, parent: str | None) -> None:
        assert tracing.child_traceparent(parent) == ""

    async def test_nothing_is_measured_or_recorded(self) -> None:
        async with tracing.exporting(None, ratio=1, seconds=1):
            assert not tracing.is_on()
            assert tracing.started() == 0
            record(PARENT)


class TestOn:
    async def test_trace_is_continued_with_a_span_of_our_own(self) -> None:
        async with keeping():
            child = tracing.child_traceparent(PARENT)
            assert child[:36] == PARENT[:36]
            assert child[36:52] != PARENT[36:52]
            assert child[52:] == PARENT[52:]
            # Of what nobody records there is no span to be the parent of others.
            assert tracing.child_traceparent(UNSAMPLED) == UNSAMPLED
        assert not tracing.is_on()

    @pytest.mark.parametrize("parent", MALFORMED)
    async def test_malformed_trace_begins_a_new_one(self, parent: str | None) -> None:
        async with keeping() as kept:
            begun = tracing.child_traceparent(parent)
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun)
            record(begun, parent)
        assert [span.parent for span in kept.spans] == [""]

    async def test_span_names_its_parent(self) -> None:
        async with keeping() as kept:
            child = tracing.child_traceparent(PARENT)
            began = tracing.started()
            assert abs(began - time.time_ns()) < 1_000_000_000
            record(child, PARENT, links=[PARENT] * 1000, error="broken")
        (span,) = kept.spans
        assert (span.traceparent, span.parent, span.error) == (child, PARENT, "broken")
        assert len(span.links) == tracing.LINKS_MAX
        assert span.ended_ns >= began

    async def test_caller_decides_whether_its_trace_is_recorded(self) -> None:
        async with keeping(ratio=0) as kept:
            record(tracing.child_traceparent(PARENT))
            record(tracing.child_traceparent(UNSAMPLED))
            record(tracing.child_traceparent(None))
            record(tracing.root_traceparent(is_recorded=True))
        assert [span.traceparent[:35] == PARENT[:35] for span in kept.spans] == [True, False]

    @pytest.mark.parametrize(("ratio", "least", "most"), [(0.0, 5, 50), (0.5, 350, 650), (1.0, 1000, 1000)])
    async def test_no_caller_has_each_request_recorded(self, ratio: float, least: int, most: int) -> None:
        async with keeping(ratio=ratio, callers_per_second=5) as kept:
            for _ in range(1000):
                await requested(PARENT)
            continued = {tracing.traceparent_for_caller(PARENT) for _ in range(1000)}
        assert least <= len(kept.spans) <= most
        assert {span.parent for span in kept.spans} == {PARENT}
        # What is not recorded stays in the trace, with a span id of its own.
        assert len(continued) == 1000
        assert {each[:35] for each in continued} == {PARENT[:35]}
        assert tracing.traceparent_for_caller(PARENT) == PARENT

    async def test_ratio_chooses_among_traces_that_begin_here(self) -> None:
        async with keeping(ratio=0.25):
            chosen = sum(tracing.is_sampled(tracing.root_traceparent()) for _ in range(4000))
        assert 800 < chosen < 1200


def outcomes() -> dict[str, float]:
    return {
        outcome: REGISTRY.get_sample_value("trace_spans_total", {"outcome": outcome}) or 0.0
        for outcome in ("sent", "failed", "dropped")
    }


def exporter_to(url: str, *, queue_max: int = 100) -> OtlpExporter:
    return OtlpExporter(
        endpoint=url, headers={"api-key": "k"}, queue_max=queue_max, attributes={"service.name": "payments-test"}
    )


class TestOtlp:
    @pytest.fixture
    async def collector(self) -> AsyncIterator[Collector]:
        async with running_collector() as running:
            yield running

    async def test_collector_receives_what_was_recorded(self, collector: Collector) -> None:
        before = outcomes()
        async with tracing.exporting(exporter_to(collector.url), ratio=1, seconds=30):
            child = tracing.child_traceparent(PARENT)
            tracing.record(
                "step",
                kind=SpanKind.CONSUMER,
                traceparent=child,
                parent=PARENT,
                started_ns=tracing.started() - 2_000_000_000,
                attributes={"tenant_id": "t", "attempt": 2},
                links=[UNSAMPLED],
                error="conflict",
            )
            record(tracing.child_traceparent(UNSAMPLED))
        (span,) = collector.spans
        assert (span.service, span.name, span.kind) == ("payments-test", "step", "CONSUMER")
        assert (span.trace_id, span.span_id, span.parent_id) == (PARENT[3:35], child[36:52], PARENT[36:52])
        assert (span.attributes, span.links, span.is_error) == ({"tenant_id": "t", "attempt": 2}, (PARENT[3:35],), True)
        assert 2 <= span.seconds < 60
        assert collector.headers["api-key"] == "k"
        assert outcomes() == before | {"sent": before["sent"] + 1}

    @pytest.mark.parametrize("status", [400, 503])
    async def test_refusal_is_counted_and_ends_in_time(self, collector: Collector, status: int) -> None:
        collector.answer = lambda: status
        before = outcomes()
        async with tracing.exporting(exporter_to(collector.url), ratio=1, seconds=0.5):
            record(tracing.child_traceparent(None))
            began = time.monotonic()
        assert time.monotonic() - began < 5
        async with asyncio.timeout(30):
            while outcomes()["failed"] == before["failed"]:
                await asyncio.sleep(0.01)
        assert collector.requests >= 1
        assert outcomes() == before | {"failed": before["failed"] + 1}

    async def test_full_queue_drops_what_is_further_at_once(self) -> None:
        before = outcomes()
        async with tracing.exporting(
            exporter_to(f"http://127.0.0.1:{free_port()}", queue_max=10), ratio=1, seconds=0.1
        ):
            began = time.monotonic()
            for _ in range(1000):
                record(tracing.child_traceparent(None))
            assert time.monotonic() - began < 5
        found = outcomes()
        assert found["dropped"] - before["dropped"] >= 900
        assert found["sent"] == before["sent"]
