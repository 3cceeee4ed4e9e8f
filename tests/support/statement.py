"""A tenant that charges through a fake Stripe, with the gateway's side of its statement and the ledger behind it.

Nothing listens to a broker here: what the gateway has published is read from its outbox and handed to the ledger's own
consumers, in any order. The fake's events are handed to the inbox as webhooks would be, or left undelivered.
"""

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from deploy.fake_stripe import balance, controls
from deploy.fake_stripe.webhooks import create_endpoint
from libs.common.contracts import REGISTRY, gateway_movements
from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.gateway.accounts.domain import Ownership
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.movements import (
    AccountOpening,
    BalanceComparing,
    StatementAccount,
    StatementReading,
    StatementRecording,
)
from services.gateway.movements.commands.reading import ReaderOf
from services.gateway.notices import Adoption, EventStore, Notices, Opening, StripeInbox
from services.gateway.operations import Attempt, AttemptStatus, AttemptStore, attempt_id
from services.gateway.processors.port import Approved, Operation, RequiresAction
from services.gateway.processors.stripe import StripeReader
from services.ledger.posting_rules import PaymentCommands, PaymentConsumers
from tests.support.stripe import Place, a_place, authorize, capture, refund
from tests.support.stripe_tenant import nothing_saved

NOWHERE = "http://127.0.0.1:9/nowhere"
"""Where nobody takes webhooks: the fake's events stay undelivered."""


class StripeTime:
    """The clock of the fake: both sides have one time."""

    def __init__(self, place: Place) -> None:
        self._clock = place.fake.clock

    def now(self) -> datetime:
        """Return the instant as the fake writes it."""
        return datetime.fromtimestamp(self._clock.now(), UTC)


class Merchant:
    """A tenant at a fake Stripe, and its books."""

    def __init__(self, place: Place, charging: Database, booking: Database, tenant_id: str) -> None:
        self.place = place
        self.books = place.books
        self.charging = charging
        self.booking = booking
        self.tenant_id = tenant_id
        self.clock = StripeTime(place)
        self.processor = place.processor()
        self.attempts = AttemptStore(charging)
        self.recording = StatementRecording(charging, clock=self.clock)
        self.inbox = StripeInbox(
            store=EventStore(charging),
            database=charging,
            notices=Notices(database=charging, clock=self.clock),
            recording=self.recording,
            fetch=self._fetch,
            saving=nothing_saved,
            opening=Opening(database=charging, read=self._object, is_live=self._is_live),
            clock=self.clock,
        )
        self.reading = self.another_reading()
        self.ledger = PaymentConsumers(PaymentCommands(booking, clock=self.clock))
        self._seen = 0
        self._delivered = 0

    @property
    def reader(self) -> StripeReader:
        """Who reads the statement."""
        return StripeReader(self.place.connections.client(self.place.account()))

    def another_reading(self, *, reader_of: ReaderOf | None = None) -> StatementReading:
        """What reads the statement in another process."""
        return StatementReading(
            self.charging,
            self.recording,
            opening=AccountOpening(self.charging, self.recording, clock=self.clock),
            comparing=BalanceComparing(self.charging, clock=self.clock),
            reader_of=reader_of or self._reader_of,
            keep_event=self._keep,
            adopt=Adoption(self.charging, keep=self._keep_shown),
            every=timedelta(minutes=1),
            clock=self.clock,
        )

    async def own(self) -> None:
        """Let the account be known, as when its key was added."""
        owned = Ownership(account_id=self.books.account_id, is_live=False, tenant_id=self.tenant_id, processor="stripe")
        await configs_sql.own(self.charging, owned, at=self.clock.now())
        create_endpoint(self.books, {"url": NOWHERE, "enabled_events": ["*"]})

    async def account(self) -> StatementAccount:
        """The account, as the gateway knows it."""
        found = await self.recording.account_of(tenant_id=self.tenant_id, processor="stripe")
        assert found is not None
        return found

    async def pay(
        self, amount: int, *, captured: int | None = None, currency: str = "BRL", method: str = "pm_card_visa"
    ) -> tuple[UUID, str]:
        """Authorize and capture a payment, all or a part; 0: nothing is captured. Returns our id and Stripe's."""
        intent = new_id()
        await self._attempt(intent, Operation.AUTHORIZE, amount, currency)
        named = {"tenant_id": self.tenant_id, "payment_intent_id": intent, "currency": currency}
        answer = await self.processor.authorize(authorize(**named, amount_minor=amount, payment_method=method))
        assert isinstance(answer, Approved), answer
        taken = amount if captured is None else captured
        if taken:
            answer = await self.processor.capture(capture(answer.gateway_ref, **named, amount_minor=taken))
            assert isinstance(answer, Approved), answer
        return intent, answer.gateway_ref

    async def show(self, amount: int) -> tuple[UUID, str]:
        """Let a customer see the code of a Pix. Returns our id and Stripe's."""
        intent = new_id()
        await self._attempt(intent, Operation.AUTHORIZE, amount, "BRL", payment_method_type="pix")
        named = {"tenant_id": self.tenant_id, "payment_intent_id": intent, "currency": "BRL"}
        answer = await self.processor.authorize(
            authorize(**named, amount_minor=amount, payment_method_type=PaymentMethodType.PIX)
        )
        assert isinstance(answer, RequiresAction), answer
        return intent, answer.gateway_ref

    async def give_back(self, intent: UUID, reference: str, amount: int, *, currency: str = "BRL") -> str:
        """Refund a part of a payment; returns Stripe's reference of the refund."""
        refund_id = new_id()
        await self._attempt(intent, Operation.REFUND, amount, currency, refund_id=refund_id, gateway_ref=reference)
        named = {"tenant_id": self.tenant_id, "payment_intent_id": intent, "currency": currency}
        answer = await self.processor.refund(refund(reference, **named, refund_id=refund_id, amount_minor=amount))
        return str(getattr(answer, "gateway_ref", ""))

    async def _attempt(self, intent: UUID, operation: Operation, amount: int, currency: str, **named: Any) -> None:
        now = self.clock.now()
        subject = named.get("refund_id") or intent
        attempt = Attempt(
            tenant_id=self.tenant_id,
            id=attempt_id(tenant_id=self.tenant_id, subject_id=subject, operation=operation),
            payment_intent_id=intent,
            refund_id=named.get("refund_id"),
            operation=operation,
            processor="stripe",
            status=AttemptStatus.PENDING,
            amount_minor=amount,
            currency=currency,
            customer_ref="",
            gateway_ref=named.get("gateway_ref", ""),
            asked_at=now,
            in_doubt=1,
            next_ask_at=now + timedelta(days=1),
            created_at=now,
            correlation_id="corr",
            traceparent="",
            payment_method_type=named.get("payment_method_type", "card"),
        )
        await self.attempts.open(attempt)

    def control(self, path: str, **params: Any) -> Any:
        """Do what only a customer, an issuer, a bank or time can do."""
        for pattern, handler in controls.CONTROLS:
            names, parts = pattern.removeprefix("/_control/").split("/"), path.split("/")
            named = {n[1:-1]: p for n, p in zip(names, parts, strict=False) if n.startswith("{")}
            if len(names) == len(parts) and all(n == p or n[1:-1] in named for n, p in zip(names, parts, strict=True)):
                return handler(self.books, named, params)
        raise AssertionError(f"no control {path}")

    def advance(self, **by: float) -> None:
        """Turn the clock of both sides forward."""
        self.place.fake.clock.advance(int(timedelta(**by).total_seconds()))

    async def deliver(self, chance: random.Random | None = None, *, share: float = 1.0) -> None:
        """Hand over the events that are new, by chance in any order, some twice, and some never."""
        new = list(self.books.events.values())[self._delivered :]
        self._delivered += len(new)
        if chance is not None:
            new = [event for event in new if chance.random() < share]
            new += [event for event in new if chance.random() < 0.2]
            chance.shuffle(new)
        for event in new:
            event["_waiting"].clear()
            await self._keep(None, json.dumps({name: each for name, each in event.items() if name[0] != "_"}))
        while await self.inbox.work(limit=100):
            pass

    async def read(self) -> None:
        """Read everything that is due of the statement, and work on what that brings."""
        while await self.reading.work():
            pass
        while await self.inbox.work(limit=100):
            pass

    async def published(self) -> list[Received[Any]]:
        """What the gateway has published since the last time."""
        rows = await self.charging.fetch(
            "SELECT * FROM outbox WHERE seq > $1 AND tenant_id = $2 ORDER BY seq", self._seen, self.tenant_id
        )
        self._seen = rows[-1]["seq"] if rows else self._seen
        return [
            Received(
                id=row["event_id"],
                body=msgspec.json.decode(row["body"], type=REGISTRY[row["contract"]]),
                occurred_at=row["occurred_at"],
                correlation=Correlation(correlation_id="c", tenant_id=row["tenant_id"]),
                attempt=0,
            )
            for row in rows
        ]

    async def book(self, chance: random.Random | None = None) -> None:
        """Hand what was published to the ledger, by chance in any order and some of it twice."""
        await self.handle(await self.published(), chance)

    async def handle(self, published: Sequence[Received[Any]], chance: random.Random | None = None) -> None:
        """Hand events to the ledger."""
        events = [event for event in published if "ledger" in event.body.contract.handled_by]
        if chance is not None:
            events += [event for event in events if chance.random() < 0.2]
            chance.shuffle(events)
        for event in events:
            match event.body:
                case gateway_movements.MovementRecorded():
                    handler: Any = self.ledger.on_movement_recorded
                case gateway_movements.MovementAvailable():
                    handler = self.ledger.on_movement_available
                case body:
                    handler = self.ledger.handler(type(body))
            async with self.booking.transaction() as tx:
                await handler(tx, [event])

    async def standing(self) -> dict[str, int]:
        """What stands on each account that is not empty, `CODE currency`: debits less credits."""
        rows = await self.booking.fetch(
            "SELECT a.code || ' ' || b.currency AS name, b.debits_minor - b.credits_minor AS net FROM balances AS b "
            "JOIN accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id "
            "WHERE b.tenant_id = $1 AND b.debits_minor <> b.credits_minor",
            self.tenant_id,
        )
        return {row["name"]: row["net"] for row in rows}

    def at_stripe(self) -> dict[str, int]:
        """What Stripe says that the account has, named as the books name it."""
        return {
            f"PROCESSOR_{status.upper()} {currency.upper()}": amount
            for currency, held in balance.totals(self.books).items()
            for status, amount in held.items()
            if amount
        }

    async def _fetch(self, _: str, reference: str) -> dict[str, Any] | None:
        return await self.reader.movement(reference)

    async def _object(self, _: str, kind: str, reference: str) -> dict[str, Any] | None:
        return await self.reader.object(kind, reference)

    async def _is_live(self, _: str) -> bool:
        return False

    async def _reader_of(self, _: str) -> StripeReader:
        return self.reader

    async def _keep_shown(self, body: str, tenant_id: str, processor: str) -> None:
        await self.inbox.keep(body, tenant_id=tenant_id, processor=processor)

    async def _keep(self, _: Any, body: str) -> None:
        await self.inbox.keep(body, tenant_id=self.tenant_id, processor="stripe")


def processor_accounts(standing: dict[str, int]) -> dict[str, int]:
    """The part of the books that must equal Stripe's balance."""
    return {name: net for name, net in standing.items() if name.startswith("PROCESSOR_") and "FEES" not in name}


@asynccontextmanager
async def a_merchant(charging: Database, booking: Database, tenant_id: str) -> AsyncIterator[Merchant]:
    """Run a fake Stripe with a tenant whose account is known."""
    async with a_place() as place:
        merchant = Merchant(place, charging, booking, tenant_id)
        await merchant.own()
        yield merchant
