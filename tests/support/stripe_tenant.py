"""A tenant whose Stripe events are received and handled on a real database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_payouts import PayoutPaid
from libs.common.contracts.gateway_requests import ListProcessorEvents, ProcessorEvent
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation
from services.gateway.accounts.domain import Ownership
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.errors import ProcessorUnavailable
from services.gateway.movements import StatementRecording
from services.gateway.notices import EventStore, Notices, Opening, StripeInbox
from services.gateway.notices.queries import list_events
from services.gateway.operations import Attempt, AttemptStatus, AttemptStore, attempt_id
from services.gateway.processors.port import Operation

MOVEMENT: dict[str, Any] = {
    "amount": 1_000,
    "available_on": 1_763_900_000,
    "created": 1_763_800_000,
    "currency": "brl",
    "fee": 0,
    "fee_details": [],
    "reporting_category": "charge",
    "source": "ch_1",
    "status": "pending",
    "type": "charge",
}
"""A balance transaction as Stripe shows it, without its id."""


async def nothing_saved(*, tenant_id: str, processor: str, kind: str, found: dict[str, Any]) -> bool:
    """Learns nothing of saved payment methods: none is ours."""
    return False


class Tenant:
    """A tenant with an inbox on a database, with a clock that is turned by hand and fees that can be withheld."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str) -> None:
        self.database = database
        self.clock = clock
        self.tenant_id = tenant_id
        self.fee: dict[str, Any] | None = None
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.bug: Exception | None = None
        self.attempts = AttemptStore(database)
        self.inbox = self.another()
        self.events = EventStore(database)

    def another(self) -> StripeInbox:
        """An inbox of another process."""
        return StripeInbox(
            store=EventStore(self.database),
            database=self.database,
            notices=Notices(database=self.database, clock=self.clock),
            recording=StatementRecording(self.database, clock=self.clock),
            fetch=self._fetch,
            saving=nothing_saved,
            opening=Opening(database=self.database, read=self._read, is_live=self._is_live),
            clock=self.clock,
        )

    async def own(self, account_id: str = "", *, booked_from: datetime | None = None) -> None:
        """Let the tenant charge through a Stripe account, which Stripe has named; its statement is booked from an instant on."""
        named = account_id or f"acct_{self.tenant_id}"
        owned = Ownership(account_id=named, is_live=False, tenant_id=self.tenant_id, processor="stripe")
        await configs_sql.own(self.database, owned, at=self.clock.now())
        # As of an earlier version: with no opening balance, so that what is older has been booked by its events.
        sql = "UPDATE stripe_accounts SET booked_from = $2, opening_due = FALSE WHERE account_id = $1 RETURNING 1"
        await self.database.write(sql, named, booked_from or datetime(1970, 1, 1, tzinfo=UTC))

    async def _fetch(self, name: str, transaction_id: str) -> dict[str, Any]:
        if self.bug is not None:
            raise self.bug
        if self.fee is None:
            raise ProcessorUnavailable("not now")
        return MOVEMENT | self.fee | {"id": transaction_id}

    async def _read(self, _: str, kind: str, reference: str) -> dict[str, Any] | None:
        return self.objects.get((kind, reference))

    async def _is_live(self, _: str) -> bool:
        return False

    async def receive(self, kind: str, found: dict[str, Any], *, event_id: str = "", **envelope: Any) -> str:
        """Receive an event; `envelope` is what stands around its object."""
        identifier = event_id or f"evt_{new_id().hex}"
        body = {"id": identifier, "type": kind, "created": 1_763_800_000, "data": {"object": found}} | envelope
        await self.inbox.keep(json.dumps(body), tenant_id=self.tenant_id, processor="stripe")
        return identifier

    async def work(self) -> None:
        """Work on everything that is due."""
        while await self.inbox.work(limit=100):
            pass

    async def event(self, identifier: str) -> ProcessorEvent:
        """How an event stands."""
        found = await list_events(self.events, ListProcessorEvents(tenant_id=self.tenant_id))
        return next(event for event in found.events if event.id == identifier)

    async def unanswered(self) -> Attempt:
        """An authorization that Stripe has not answered yet."""
        intent, now = new_id(), self.clock.now()
        attempt = Attempt(
            tenant_id=self.tenant_id,
            id=attempt_id(tenant_id=self.tenant_id, subject_id=intent, operation=Operation.AUTHORIZE),
            payment_intent_id=intent,
            operation=Operation.AUTHORIZE,
            processor="stripe",
            status=AttemptStatus.PENDING,
            amount_minor=1_000,
            currency="BRL",
            customer_ref="",
            gateway_ref="",
            asked_at=now,
            next_ask_at=now + timedelta(days=1),
            created_at=now,
            correlation_id="corr",
            traceparent="",
        )
        return (await self.attempts.open(attempt)).attempt

    def intent(self, attempt: Attempt, **changes: Any) -> dict[str, Any]:
        """The payment intent of an attempt, as Stripe shows it."""
        metadata = {"tenant_id": attempt.tenant_id, "payment_intent_id": str(attempt.payment_intent_id)}
        return {
            "id": f"pi_{attempt.id.hex}",
            "status": "requires_capture",
            "amount": 1_000,
            "amount_received": 0,
            "currency": "brl",
            "metadata": metadata,
        } | changes

    async def tries(self, identifier: str) -> int:
        """How often an event was worked on."""
        row = await self.database.fetchrow("SELECT tries FROM stripe_events WHERE id = $1", identifier)
        assert row is not None
        return int(row["tries"])

    def publication(self) -> Publication:
        """A message of this tenant."""
        message = PayoutPaid(
            payout_id=new_id(), amount_minor=1, currency="BRL", gateway_ref="po_1", happened_at=self.clock.now()
        )
        return Publication(
            event_id=new_id(),
            message=message,
            occurred_at=self.clock.now(),
            correlation=Correlation(correlation_id="test", tenant_id=self.tenant_id),
        )

    async def published(self) -> list[str]:
        """What waits in the outbox for this tenant."""
        rows = await self.database.fetch(
            "SELECT contract FROM outbox WHERE tenant_id = $1 ORDER BY seq", self.tenant_id
        )
        return [row["contract"].rpartition(":")[2] for row in rows]
