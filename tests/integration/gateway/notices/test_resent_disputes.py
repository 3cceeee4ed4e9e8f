"""Decisions about a dispute that were reversed and are published again are booked once, and none is lost."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from deploy.local.servers import Servers
from libs.common.clock import ManualClock
from libs.common.contracts import REGISTRY, Message
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.messaging.resend import Window
from libs.common.observability.correlation import Correlation
from services.gateway.notices.commands.resending import resend
from services.gateway.notices.domain import Dispute
from services.gateway.processors.port import DisputeState
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.posting_rules.test_events import handle, standing
from tests.support.databases import fresh_database

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
TENANT = "tenant-disputes"
DISPUTE = Dispute(
    tenant_id=TENANT,
    id=new_id(),
    payment_intent_id=new_id(),
    processor="sandbox",
    gateway_ref="dp_1",
    state=DisputeState.WON,
    amount_minor=700,
    currency="BRL",
    reason="fraudulent",
    opened_at=AT,
    evidence_due_at=None,
    decided_at=AT + timedelta(days=2),
    reversals=1,
)
"""Lost, and won after that."""
WINDOW = Window(since=AT, until=AT + timedelta(days=3))


async def resent(database: Database) -> list[Received[Message]]:
    """What the gateway publishes again, as the ledger receives it."""
    before = await database.fetch("SELECT seq FROM outbox")
    assert await resend(database, WINDOW) == 3
    rows = await database.fetch("SELECT * FROM outbox ORDER BY seq")
    return [
        Received(
            id=row["event_id"],
            body=msgspec.json.decode(row["body"], type=REGISTRY[row["contract"]]),
            occurred_at=row["occurred_at"],
            correlation=Correlation(correlation_id="c", tenant_id=row["tenant_id"]),
            attempt=0,
        )
        for row in rows[len(before) :]
    ]


@pytest.mark.sampled(each=2)
@pytest.mark.parametrize("first", [0, 1, 2, 3])
async def test_won_after_lost_and_published_again_is_booked_once(servers: Servers, first: int) -> None:
    """The ledger has handled the first so many events, then all of them come again, twice."""
    async with (
        fresh_database(servers, ("gateway", "ledger")) as made,
        made.open("gateway") as charging,
        made.open("ledger") as booking,
    ):
        names = DISPUTE.__struct_fields__
        places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
        sql = f"INSERT INTO disputes ({', '.join(names)}, updated_at) VALUES ({places}, now())"
        await charging.write(sql, *(getattr(DISPUTE, name) for name in names))
        events = await resent(charging)
        assert [type(event.body).__name__ for event in events] == ["DisputeOpened", "DisputeLost", "DisputeWon"]
        ledger = Ledger(booking, ManualClock(AT + timedelta(days=4)))
        for event in events[:first]:
            await handle(ledger, event)
        for _ in range(2):
            again = await resent(charging)
            assert [event.id for event in again] == [event.id for event in events]
            # Others may have overtaken one another, and the marks of the first time are gone.
            for event in reversed(again):
                await handle(ledger, event)
        kinds = await booking.fetch("SELECT kind FROM journal_entries ORDER BY kind")
        assert [row["kind"] for row in kinds] == ["dispute_lost", "dispute_opened", "dispute_won"]
        assert await standing(ledger, TENANT) == {}
