"""One payment is one trace, from the request to the webhook; a collector that fails harms nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import aio_pika
import pytest

from deploy.local.servers import Servers
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.otlp import Collector, ReceivedSpan, running_collector
from tests.support.platform import Client, Platform, running_platform
from tests.support.receiver import Receiver

CALLER = "00f067aa0ba902b7"
UNKNOWN_FOR_A_WHILE = "90.13"
"""The processor loses its answers to this amount for a while: the gateway then has something to log."""


class Traced(NamedTuple):
    """A platform whose spans go to a collector."""

    platform: Platform
    collector: Collector


@pytest.fixture(scope="module")
async def traced(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    async with running_collector() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        logs: Path = tmp_path_factory.mktemp("traced")
        async with running_platform(servers, logs, environ=environ) as platform:
            yield Traced(platform, collector)


@pytest.fixture
async def cashier(traced: Traced, receiver: Receiver) -> Client:
    """Somebody whose tenant has a webhook endpoint."""
    tenant = new_tenant()
    admin = person(traced.platform, tenant, "engineer@example.com", ("admin:write", "payments:read"))
    made = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.settled"]})
    assert made.status == 201, made.raw
    return person(traced.platform, tenant, "cashier@example.com", ("payments:write", "payments:read"))


async def pay(cashier: Client, receiver: Receiver, *, amount: str, trace_id: str) -> str:
    """Make a payment whose confirmation belongs to a caller's trace, and wait for its webhook; returns its id."""
    before = len(receiver.received)
    intent = await cashier.create(amount)
    await cashier.confirm(intent["id"], headers={"traceparent": f"00-{trace_id}-{CALLER}-01"})
    await cashier.settled(intent["id"])
    async with asyncio.timeout(60):
        while len(receiver.received) == before:
            await asyncio.sleep(0.05)
    return str(intent["id"])


def of_trace(trace_id: str, spans: Sequence[ReceivedSpan]) -> list[ReceivedSpan]:
    return [span for span in spans if span.trace_id == trace_id]


def is_whole(spans: Sequence[ReceivedSpan]) -> bool:
    """Whether the steps at the end of each way have arrived, and the parent of each: services send at their own times."""
    ends = {"deliver webhook", "post group", "call sandbox authorize", "call sandbox capture"}
    known = {CALLER, *(span.span_id for span in spans)}
    return ends <= {span.name for span in spans} and all(span.parent_id in known for span in spans)


def above(span: ReceivedSpan, spans: Sequence[ReceivedSpan]) -> list[ReceivedSpan]:
    """A span and what caused it, up to the first that is not there."""
    by_id = {one.span_id: one for one in spans}
    way = [span]
    while way[-1].parent_id in by_id:
        way.append(by_id[way[-1].parent_id])
    return way


async def test_payment_is_one_trace_over_four_services(traced: Traced, cashier: Client, receiver: Receiver) -> None:
    trace_id = uuid4().hex
    connection = await aio_pika.connect(traced.platform.rabbitmq_url)
    async with connection:
        channel = await connection.channel()
        public = await channel.declare_queue(exclusive=True)
        await public.bind("payments.x", "payment.settled")
        intent_id = await pay(cashier, receiver, amount=UNKNOWN_FOR_A_WHILE, trace_id=trace_id)
        async with asyncio.timeout(60):
            message = await public.get(timeout=60)
    await traced.collector.until(lambda spans: is_whole(of_trace(trace_id, spans)))
    spans = of_trace(trace_id, traced.collector.spans)
    ids = {span.span_id for span in spans}
    assert len(ids) == len(spans)
    assert {span.service for span in spans} == {f"payments-{name}" for name in ("api", "gateway", "ledger", "notifier")}
    (first,) = [span for span in spans if span.parent_id == CALLER]
    assert (first.name, first.kind) == ("POST /v1/payment-intents/{intent_id}/confirm", "SERVER")

    (delivered,) = [span for span in spans if span.name == "deliver webhook"]
    assert delivered.attributes["http.response.status_code"] == 200
    assert [(span.service.removeprefix("payments-"), span.name, span.kind) for span in above(delivered, spans)] == [
        ("notifier", "deliver webhook", "CLIENT"),
        ("notifier", "process notifier.payment.settled", "CONSUMER"),
        ("api", "send payment.settled", "PRODUCER"),
        ("api", "process api.journal_entry.posted", "CONSUMER"),
        ("ledger", "send journal_entry.posted", "PRODUCER"),
        ("ledger", "process ledger.payment.captured", "CONSUMER"),
        ("gateway", "send payment.captured", "PRODUCER"),
        ("gateway", "process gateway.payment.capture", "CONSUMER"),
        ("api", "send payment.capture", "PRODUCER"),
        ("api", "process api.payment.authorized", "CONSUMER"),
        ("gateway", "send payment.authorized", "PRODUCER"),
        ("gateway", "process gateway.payment.authorize", "CONSUMER"),
        ("api", "send payment.authorize", "PRODUCER"),
        ("api", first.name, "SERVER"),
    ]
    (posted,) = [span for span in spans if span.name == "post group"]
    assert above(posted, spans)[1].name == "process ledger.payment.captured"
    calls = [span for span in spans if span.name.startswith("call sandbox")]
    assert {span.name for span in calls} == {"call sandbox authorize", "call sandbox capture"}
    assert all(span.service == "payments-gateway" and span.kind == "CLIENT" for span in calls)
    assert any(span.is_error and span.attributes["outcome"] == "unknown" for span in calls)
    assert all(span.attributes["payment_intent_id"] == intent_id for span in calls)

    # Other teams go on from the span that sent what they got; a merchant gets no trace context.
    sent = {span.span_id: span for span in spans if span.attributes.get("messaging.destination.name") == "payments.x"}
    _, _, span_id, _ = str(message.headers["traceparent"]).split("-")
    assert sent[span_id].name == "send payment.settled"
    assert "traceparent" not in receiver.received[-1].headers


async def test_log_lines_have_their_trace_and_correlation(traced: Traced, cashier: Client, receiver: Receiver) -> None:
    trace_id = uuid4().hex
    await pay(cashier, receiver, amount=UNKNOWN_FOR_A_WHILE, trace_id=trace_id)
    lines = [json.loads(line) for line in traced.platform.log("gateway").splitlines() if trace_id in line]
    assert lines
    assert {line["trace_id"] for line in lines} == {trace_id}
    for service in ("api", "gateway", "ledger", "notifier"):
        logged = [json.loads(line) for line in traced.platform.log(service).splitlines() if line.startswith("{")]
        assert logged
        assert [line for line in logged if not line["correlation_id"]] == []


async def test_collector_that_fails_harms_nothing(traced: Traced, cashier: Client, receiver: Receiver) -> None:
    traced.collector.answer = lambda: 503
    lost = uuid4().hex
    try:
        await pay(cashier, receiver, amount="20.00", trace_id=lost)
        async with asyncio.timeout(60):
            while "traces.not_sent" not in traced.platform.log("gateway"):
                await asyncio.sleep(0.1)
    finally:
        traced.collector.answer = lambda: 200
    assert [span for span in traced.collector.spans if span.trace_id == lost and span.service == "payments-api"] == []
    again = uuid4().hex
    await pay(cashier, receiver, amount="20.01", trace_id=again)
    await traced.collector.until(
        lambda spans: {span.service for span in spans if span.trace_id == again} >= {"payments-gateway"}
    )
    log = traced.platform.log("gateway")
    assert log.count('"traces.not_sent"') == 1, "logged once, not with each batch"
    assert log.index("traces.not_sent") < log.index("traces.sent_again")
