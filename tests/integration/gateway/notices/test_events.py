"""Stripe's events one by one: early, unknown, contradicting, unreadable, claimed by two, and a fee that cannot be had."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import PayoutPaid
from libs.common.contracts.gateway_requests import ListProcessorEvents, ProcessorEvent
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation
from services.gateway import metrics
from services.gateway.accounts import AccountStore, ConfigStore
from services.gateway.accounts.domain import Ownership
from services.gateway.errors import GatewayConfigConflict, ProcessorUnavailable
from services.gateway.notices import EventStore, Notices, NoticeStore, StripeInbox
from services.gateway.notices.queries import list_events
from services.gateway.notices.sql.events import EventStatus, Finished, RawEvent
from services.gateway.operations import Attempt, AttemptStatus, AttemptStore, attempt_id
from services.gateway.processors.port import Operation
from services.gateway.processors.stripe import NotGenuine
from tests.support.databases import TestDatabase


class Tenant:
    """A tenant with an inbox on a database, with a clock that is turned by hand and fees that can be withheld."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str) -> None:
        self.database = database
        self.clock = clock
        self.tenant_id = tenant_id
        self.fee: dict[str, Any] | None = None
        self.bug: Exception | None = None
        self.attempts = AttemptStore(database)
        self.inbox = self.another()
        self.events = EventStore(database)

    def another(self) -> StripeInbox:
        """An inbox of another process."""
        payments = NoticeStore(self.database)
        return StripeInbox(
            store=EventStore(self.database),
            accounts=AccountStore(self.database),
            payments=payments,
            notices=Notices(store=payments, clock=self.clock),
            fetch=self._fetch,
            clock=self.clock,
        )

    async def own(self, account_id: str = "") -> None:
        """Let the tenant charge through a Stripe account, which Stripe has named."""
        named = account_id or f"acct_{self.tenant_id}"
        owned = Ownership(account_id=named, is_live=False, tenant_id=self.tenant_id, processor="stripe")
        await ConfigStore(self.database).own(owned, at=self.clock.now())

    async def _fetch(self, name: str, transaction_id: str) -> dict[str, Any]:
        if self.bug is not None:
            raise self.bug
        if self.fee is None:
            raise ProcessorUnavailable("not now")
        return self.fee | {"id": transaction_id}

    async def receive(self, kind: str, found: dict[str, Any], *, event_id: str = "") -> str:
        """Receive an event."""
        identifier = event_id or f"evt_{new_id().hex}"
        body = {"id": identifier, "type": kind, "created": 1_763_800_000, "data": {"object": found}}
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
        return await self.attempts.open(attempt)

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


@pytest.fixture
async def tenant(gateway_database: TestDatabase, clock: ManualClock, tenant_id: str) -> AsyncIterator[Tenant]:
    async with gateway_database.open("gateway") as database:
        yield Tenant(database, clock, tenant_id)


async def test_event_of_an_unknown_payment_is_tried_for_a_while_and_kept(tenant: Tenant) -> None:
    refund = {"id": "re_1", "status": "succeeded", "payment_intent": "pi_unknown", "metadata": {}, "currency": "brl"}
    dispute = {"id": "dp_1", "status": "lost", "payment_intent": "pi_unknown", "amount": 1, "currency": "brl"}
    found = [await tenant.receive("refund.updated", refund), await tenant.receive("charge.dispute.closed", dispute)]
    for _ in range(10):
        await tenant.work()
        tenant.clock.advance(timedelta(minutes=2))
    for identifier in found:
        event = await tenant.event(identifier)
        assert (event.status, event.reason) == ("UNMATCHED", "unknown_payment")
    assert (await tenant.events.count()).unmatched >= 2


async def test_event_before_our_own_commit_takes_effect_after_it(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    unknown = msgspec.structs.replace(attempt, payment_intent_id=new_id())
    early = await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(unknown))
    await tenant.work()
    assert (await tenant.event(early)).status == "RECEIVED"
    later = msgspec.structs.replace(
        unknown,
        id=attempt_id(tenant_id=tenant.tenant_id, subject_id=unknown.payment_intent_id, operation=Operation.AUTHORIZE),
    )
    await tenant.attempts.open(later)
    tenant.clock.advance(timedelta(seconds=2))
    await tenant.work()
    assert (await tenant.event(early)).status == "HANDLED"
    assert "payment.authorized" in await tenant.published()


async def test_end_before_the_beginning_publishes_both_in_order_and_once(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    end = tenant.intent(attempt, status="succeeded", amount_received=1_000)
    await tenant.receive("payment_intent.succeeded", end)
    await tenant.work()
    await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(attempt))
    await tenant.receive("payment_intent.requires_action", tenant.intent(attempt, status="requires_action"))
    await tenant.work()
    assert await tenant.published() == ["payment.authorized", "payment.captured"]


async def test_what_cannot_be_true_is_kept_and_shown(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    await tenant.receive("payment_intent.payment_failed", tenant.intent(attempt, status="requires_payment_method"))
    await tenant.work()
    identifier = await tenant.receive(
        "payment_intent.succeeded", tenant.intent(attempt, status="succeeded", amount_received=1_000)
    )
    await tenant.work()
    assert (await tenant.event(identifier)).status == "CONTRADICTED"
    assert await tenant.published() == ["payment.declined"]


async def test_a_refund_that_was_made_by_hand_is_kept_and_shown(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    refund = {"id": "re_2", "status": "succeeded", "amount": 1, "currency": "brl", "payment_intent": "pi_x"}
    metadata = {"tenant_id": tenant.tenant_id, "payment_intent_id": str(attempt.payment_intent_id)}
    identifier = await tenant.receive("refund.created", refund | {"metadata": metadata})
    await tenant.work()
    assert (await tenant.event(identifier)).reason == "refund_not_ours"


async def test_event_of_another_shape_is_kept_and_disturbs_no_other(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    strange = await tenant.receive(
        "payment_intent.succeeded", {"id": "pi", "metadata": tenant.intent(attempt)["metadata"]}
    )
    good = await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(attempt))
    await tenant.work()
    assert (await tenant.event(strange)).reason == "unreadable"
    assert (await tenant.event(good)).status == "HANDLED"


@pytest.mark.parametrize("metadata", ["text", ["list"], 7, True])
@pytest.mark.parametrize(
    "kind", ["payment_intent.succeeded", "charge.captured", "refund.updated", "charge.dispute.created"]
)
async def test_event_with_hostile_metadata_fails_once_and_is_kept(tenant: Tenant, kind: str, metadata: Any) -> None:
    identifier = await tenant.receive(kind, {"id": "x", "status": "succeeded", "metadata": metadata})
    assert await tenant.inbox.work(limit=100) >= 1
    event = await tenant.event(identifier)
    assert (event.status, event.reason) == ("FAILED", "unreadable")
    tenant.clock.advance(timedelta(days=1))
    await tenant.work()
    assert await tenant.tries(identifier) == 1


async def test_event_that_meets_a_bug_is_tried_three_times_and_kept(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    tenant.bug = RuntimeError("a bug of ours")
    charge = {
        "id": "ch_1",
        "amount_captured": 1_000,
        "currency": "brl",
        "payment_intent": f"pi_{attempt.id.hex}",
        "balance_transaction": "txn_1",
        "metadata": tenant.intent(attempt)["metadata"],
    }
    identifier = await tenant.receive("charge.captured", charge)
    for _ in range(6):
        await tenant.work()
        tenant.clock.advance(timedelta(minutes=10))
    assert await tenant.tries(identifier) == 3
    event = await tenant.event(identifier)
    assert (event.status, event.reason) == ("FAILED", "unexpected")


async def test_single_event_of_a_tenant_is_claimed_beside_thousands_of_another(tenant: Tenant) -> None:
    store, now = EventStore(tenant.database), tenant.clock.now()
    await tenant.work()
    await tenant.database.write(
        "INSERT INTO stripe_events (tenant_id, processor, id, type, status, body, next_try_at, happened_at, received_at) "
        "SELECT $1, 'stripe:rude', 'evt_rude_' || $1 || n, 'x', 'RECEIVED', '{}', $2::timestamptz - interval '1 hour', "
        "$2, $2 FROM generate_series(1, 3000) AS n RETURNING 1",
        f"{tenant.tenant_id}-rude",
        now,
    )
    identifier = await tenant.receive("product.created", {})
    try:
        claimed = await store.claim(now=now, lease=timedelta(minutes=1), limit=100)
        assert identifier in {event.id for event in claimed}
        assert len([event for event in claimed if event.processor == "stripe:rude"]) == 50
        # Alone, the busy account gets all places.
        assert len(await store.claim(now=now, lease=timedelta(minutes=1), limit=100)) == 100
    finally:
        await tenant.database.write("DELETE FROM stripe_events WHERE processor = 'stripe:rude' RETURNING 1")


async def test_equal_events_and_payouts_of_two_tenants_are_two(tenant: Tenant) -> None:
    payout = {"id": "po_of_both", "amount": 5_000, "currency": "brl", "created": 1_763_800_000}
    another = Tenant(tenant.database, tenant.clock, f"{tenant.tenant_id}-other")
    event_id = f"evt_{new_id().hex}"
    for account in (tenant, another):
        await account.own()
        for kind in ("payout.created", "payout.paid"):
            await account.receive(kind, payout, event_id=f"{event_id}{kind}")
    await tenant.work()
    rows = await tenant.database.fetch(
        "SELECT tenant_id, event_id, body::json ->> 'payout_id' AS payout_id FROM outbox WHERE tenant_id LIKE $1",
        f"{tenant.tenant_id}%",
    )
    assert len(rows) == len({row["event_id"] for row in rows}) == 4
    payouts = {row["tenant_id"]: row["payout_id"] for row in rows}
    assert {row["payout_id"] for row in rows} == set(payouts.values())
    assert len(set(payouts.values())) == 2


async def test_a_payout_waits_until_it_is_known_of_which_account_it_is(tenant: Tenant) -> None:
    payout = {"id": "po_1", "amount": 5_000, "currency": "brl", "created": 1_763_800_000}
    early, late = [await tenant.receive("payout.created", payout | {"id": f"po_{n}"}) for n in range(2)]
    await tenant.work()
    assert (await tenant.event(early)).status == "RECEIVED"
    assert await tenant.published() == []
    await tenant.own()
    tenant.clock.advance(timedelta(hours=1))
    await tenant.work()
    assert [(await tenant.event(each)).status for each in (early, late)] == ["HANDLED"] * 2
    assert len(await tenant.published()) == 2


async def test_what_is_about_a_shared_account_takes_effect_for_its_owner_alone(tenant: Tenant) -> None:
    other = Tenant(tenant.database, tenant.clock, f"{tenant.tenant_id}-other")
    account_id = f"acct_{new_id().hex}"
    await tenant.own(account_id)
    with pytest.raises(GatewayConfigConflict):
        await other.own(account_id)
    payout = {"id": "po_1", "amount": 5_000, "currency": "brl", "created": 1_763_800_000}
    charge = {"id": "ch_1", "amount": 900, "currency": "brl", "payment_intent": "pi_of_nobody", "metadata": {}}
    metric = metrics.STRIPE_EVENTS_OF_ANOTHER._value
    before = metric.get()
    sent = {
        each: [await each.receive("payout.paid", payout), await each.receive("charge.updated", charge)]
        for each in (tenant, other)
    }
    await tenant.work()
    received = {each: [await each.event(event_id) for event_id in ids] for each, ids in sent.items()}
    assert [event.status for event in received[tenant]] == ["HANDLED", "RECEIVED"]
    assert [(event.status, event.reason) for event in received[other]] == [
        ("IGNORED", "account_of_another_configuration")
    ] * 2
    assert (len(await tenant.published()), await other.published()) == (1, [])
    assert metric.get() == before + 2


async def test_a_tenant_cannot_use_up_the_event_of_a_fee_of_another(tenant: Tenant) -> None:
    attempt, intruder = await tenant.unanswered(), Tenant(tenant.database, tenant.clock, f"{tenant.tenant_id}-other")
    tenant.fee = intruder.fee = {"fee": 59, "net": 941, "currency": "brl", "created": 1_763_800_000}
    charge = {
        "id": "ch_1",
        "payment_intent": f"pi_{attempt.id.hex}",
        "amount_captured": 1_000,
        "currency": "brl",
        "balance_transaction": "txn_1",
        "metadata": tenant.intent(attempt)["metadata"],
    }
    own = f"stripe:{new_id()}"
    body = {"id": "evt_x", "type": "charge.updated", "created": 1_763_800_000, "data": {"object": charge}}
    await intruder.inbox.keep(json.dumps(body), tenant_id=intruder.tenant_id, processor=own)
    await tenant.receive("charge.updated", charge)
    await tenant.work()
    await intruder.work()
    rows = await tenant.database.fetch("SELECT event_id, tenant_id FROM outbox WHERE contract LIKE '%processor_fee%'")
    of_both = [row["event_id"] for row in rows if str(row["tenant_id"]).startswith(tenant.tenant_id)]
    assert len(of_both) == len(set(of_both))


async def test_stale_and_fresh_outcome_in_one_group_count_once(tenant: Tenant) -> None:
    store, now = EventStore(tenant.database), tenant.clock.now()
    await tenant.work()
    identifier = await tenant.receive("product.created", {})

    async def claimed(at: datetime) -> RawEvent:
        found = await store.claim(now=at, lease=timedelta(seconds=60), limit=100)
        return next(event for event in found if event.id == identifier)

    later = now + timedelta(seconds=61)
    stale, fresh = await claimed(now), await claimed(later)
    assert (stale.tries, fresh.tries) == (1, 2)
    published = [tenant.publication() for _ in range(2)]
    await asyncio.gather(
        store.finish(
            Finished(event=stale, status=EventStatus.FAILED, reason="stale", at=later, publications=(published[0],))
        ),
        store.finish(Finished(event=fresh, status=EventStatus.HANDLED, at=later, publications=(published[1],))),
    )
    assert (await tenant.event(identifier)).status == "HANDLED"
    rows = await tenant.database.fetch("SELECT event_id FROM outbox WHERE tenant_id = $1", tenant.tenant_id)
    assert [row["event_id"] for row in rows] == [published[1].event_id]


async def test_fee_that_cannot_be_read_is_retried_and_published_once(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    charge = {
        "id": "ch_1",
        "amount_captured": 1_000,
        "currency": "brl",
        "payment_intent": f"pi_{attempt.id.hex}",
        "balance_transaction": "txn_1",
        "metadata": tenant.intent(attempt)["metadata"],
    }
    identifier = await tenant.receive("charge.captured", charge)
    await tenant.work()
    assert (await tenant.event(identifier)).status == "RECEIVED"
    assert await tenant.published() == ["payment.authorized", "payment.captured"]
    tenant.fee = {"fee": 59, "currency": "brl", "created": 1_763_800_000}
    tenant.clock.advance(timedelta(seconds=2))
    await tenant.work()
    assert (await tenant.event(identifier)).status == "HANDLED"
    assert await tenant.published() == ["payment.authorized", "payment.captured", "processor_fee.charged"]


async def test_two_workers_publish_an_outcome_once(tenant: Tenant) -> None:
    tenant.fee = {"fee": 59, "currency": "brl", "created": 1_763_800_000}
    attempts = [await tenant.unanswered() for _ in range(20)]
    for attempt in attempts:
        identifier = f"evt_{attempt.id.hex}"
        for _ in range(2):
            await tenant.receive(
                "payment_intent.amount_capturable_updated", tenant.intent(attempt), event_id=identifier
            )
    await asyncio.gather(*(inbox.work(limit=50) for inbox in (tenant.inbox, tenant.another(), tenant.another())))
    assert await tenant.published() == ["payment.authorized"] * 20


async def test_handled_events_are_forgotten_after_their_time_and_others_never(tenant: Tenant) -> None:
    await tenant.receive("product.created", {})
    kept = await tenant.receive(
        "payment_intent.succeeded", {"id": "pi", "metadata": {"payment_intent_id": str(new_id())}}
    )
    await tenant.work()
    store = EventStore(tenant.database)
    assert await store.forget(before=datetime(2026, 1, 1, tzinfo=UTC), limit=1_000) == 0
    assert await store.forget(before=tenant.clock.now() + timedelta(days=1), limit=1_000) > 0
    assert (await tenant.event(kept)).status == "FAILED"


@pytest.mark.parametrize("body", ["", "null", '{"id":"evt"}', '{"id":1,"type":"x","created":1,"data":{"object":{}}}'])
async def test_what_is_no_event_is_malformed(tenant: Tenant, body: str) -> None:
    with pytest.raises(NotGenuine, match="malformed"):
        await tenant.inbox.keep(body, tenant_id=tenant.tenant_id, processor="stripe")
