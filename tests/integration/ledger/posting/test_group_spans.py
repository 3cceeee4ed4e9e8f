"""What is recorded of a group that is posted: below the cause of a lone entry, linked with the causes of several."""

import msgspec

from libs.common.clock import ManualClock
from libs.common.contracts import gateway
from libs.common.messaging import Received
from libs.common.observability.tracing import SpanKind
from tests.integration.ledger.conftest import Ledger, captured
from tests.support.spans import keeping


def caused(tenant_id: str, clock: ManualClock, traceparent: str) -> Received[gateway.PaymentCaptured]:
    event = captured(tenant_id, at=clock.now())
    return msgspec.structs.replace(
        event, correlation=msgspec.structs.replace(event.correlation, traceparent=traceparent)
    )


def trace(digit: str, *, flags: str = "01") -> str:
    return f"00-{digit * 32}-{digit * 16}-{flags}"


async def test_lone_entry_is_posted_below_its_cause(ledger: Ledger, tenant_id: str, clock: ManualClock) -> None:
    async with keeping() as kept:
        await ledger.handle_captures(caused(tenant_id, clock, trace("a")))
    (posted,) = kept.spans
    assert (posted.name, posted.kind, posted.parent, posted.links) == (
        "post group",
        SpanKind.INTERNAL,
        trace("a"),
        (),
    )
    assert posted.attributes == {"way": "locked", "group_size": 1}


async def test_group_of_several_is_linked_with_each_cause(ledger: Ledger, tenant_id: str, clock: ManualClock) -> None:
    causes = [trace("a"), trace("b"), trace("c", flags="00")]
    async with keeping(ratio=0) as kept:
        await ledger.handle_captures(*(caused(tenant_id, clock, cause) for cause in causes))
        # Nothing of it is recorded, whatever the ratio is.
        await ledger.handle_captures(caused(tenant_id, clock, causes[2]))
    (posted,) = kept.spans
    assert posted.attributes["group_size"] == 3
    assert (posted.parent, list(posted.links)) == ("", causes[:2])
    assert posted.traceparent[3:35] not in {cause[3:35] for cause in causes}
