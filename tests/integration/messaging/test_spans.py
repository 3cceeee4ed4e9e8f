"""What is recorded of messages where traces are on: of each event in its own trace, however it travels."""

from collections.abc import Sequence

import msgspec

from libs.common.contracts import gateway, ledger
from libs.common.db import Connection
from libs.common.errors import TooEarly, Unavailable
from libs.common.messaging import Publication, Received
from libs.common.observability.correlation import Correlation, correlated
from libs.common.observability.tracing import Span, SpanKind, is_sampled
from tests.integration.messaging.buses import complete_api, complete_gateway, complete_ledger
from tests.integration.messaging.conftest import Pair, captured, publish_together, record
from tests.support.spans import keeping
from tests.support.waiting import until

type Captures = Sequence[Received[gateway.PaymentCaptured]]

QUEUE = "ledger.payment.captured"


def trace(digit: str, *, flags: str = "01") -> str:
    return f"00-{digit * 32}-{digit * 16}-{flags}"


def of_trace(traceparent: str) -> Publication:
    publication = captured()
    cause = msgspec.structs.replace(publication.correlation, traceparent=traceparent)
    return msgspec.structs.replace(publication, correlation=cause)


def in_trace(traceparent: str, spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span.traceparent[:35] == traceparent[:35]]


def at_ledger(traceparent: str, spans: Sequence[Span]) -> list[Span]:
    """Of a trace, what is about the ledger's queue: the api gets each event as well."""
    return [span for span in in_trace(traceparent, spans) if span.attributes.get("messaging.destination.name") == QUEUE]


async def test_each_event_of_a_pack_is_in_its_own_trace(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)
    causes: dict[str, str] = {}

    async def on_captured(transaction: Connection, events: Captures) -> None:
        causes.update({str(event.id): event.correlation.traceparent for event in events})
        await record(transaction, list(events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    recorded = [trace("a"), trace("b")]
    ignored, without = trace("c", flags="00"), ""
    publications = [of_trace(each) for each in (*recorded, ignored, without)]
    async with keeping(ratio=0) as kept, pair.running(publisher, subscriber):
        await publish_together(source, publications)

        async def all_handled() -> bool:
            # A message is confirmed at its own time, which may be after it was handled.
            found = [span for each in recorded for span in at_ledger(each, kept.spans)]
            return len(causes) == 4 and len(found) == 4

        await until(all_handled)
    for publication in publications[:2]:
        spans = at_ledger(publication.traceparent, kept.spans)
        (sent,) = [span for span in spans if span.kind is SpanKind.PRODUCER]
        (handled,) = [span for span in spans if span.kind is SpanKind.CONSUMER]
        assert (sent.name, sent.kind, sent.parent) == (
            "send payment.captured",
            SpanKind.PRODUCER,
            publication.traceparent,
        )
        assert (handled.name, handled.kind, handled.parent) == (f"process {QUEUE}", SpanKind.CONSUMER, sent.traceparent)
        # What the handler publishes goes below its own span.
        assert causes[str(publication.event_id)] == handled.traceparent
        assert handled.attributes["outcome"] == "handled"
        assert handled.attributes["payment_intent_id"] == str(getattr(publication.message, "payment_intent_id", ""))
        assert sent.attributes["messaging.message.id"] == str(publication.event_id)
        assert sent.attributes["messaging.destination.name"] == QUEUE
    assert causes[str(publications[2].event_id)][:35] == ignored[:35]
    assert not is_sampled(causes[str(publications[3].event_id)])


async def test_postponed_event_stays_in_its_trace(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)

    async def on_captured(transaction: Connection, events: Captures) -> None:
        if any(event.attempt == 0 for event in events):
            raise TooEarly("its authorization is not there")
        await record(transaction, list(events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    async with keeping() as kept, pair.running(publisher, subscriber):
        await publish_together(source, [of_trace(trace("a"))])

        async def handled() -> bool:
            return len(at_ledger(trace("a"), kept.spans)) == 3

        await until(handled)
    spans = at_ledger(trace("a"), kept.spans)
    (sent,) = [span for span in spans if span.kind is SpanKind.PRODUCER]
    tries = [span for span in spans if span.kind is SpanKind.CONSUMER]
    assert [(span.attributes["outcome"], span.attributes["attempt"], span.error) for span in tries] == [
        ("postponed", 0, "too_early"),
        ("handled", 1, ""),
    ]
    assert {span.parent for span in tries} == {sent.traceparent}
    assert len({span.traceparent for span in tries}) == 2


async def test_request_and_its_answer_are_in_the_trace_of_who_asks(pair: Pair) -> None:
    asks, answers = await pair.database("api"), await pair.database("ledger")
    requester, answerer = await pair.bus("api", asks), await pair.bus("ledger", answers)
    complete_ledger(answerer)
    answerer.handle(gateway.PaymentCaptured, lambda _, __: record_nothing())
    complete_api(requester)

    async def connected() -> bool:
        try:
            await requester.ping()
            await answerer.ping()
        except Unavailable:
            return False
        return True

    async with keeping() as kept, pair.running(requester, answerer):
        await until(connected)
        with correlated(Correlation(correlation_id="c-1", tenant_id="t1", traceparent=trace("a"))):
            await requester.request(ledger.ListAccounts(tenant_id="t1"))
    answered, requested = in_trace(trace("a"), kept.spans)
    name = ledger.ListAccounts.contract.name
    assert (requested.name, requested.kind, requested.parent) == (f"request {name}", SpanKind.CLIENT, trace("a"))
    assert (answered.name, answered.kind) == (f"answer {name}", SpanKind.SERVER)
    assert answered.parent == requested.traceparent
    assert {span.attributes["correlation_id"] for span in (answered, requested)} == {"c-1"}
    assert {span.attributes["outcome"] for span in (answered, requested)} == {"answered"}


async def record_nothing() -> None:
    return
