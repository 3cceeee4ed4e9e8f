"""Events about payments: what the gateway reports of intents, refunds and disputes, and the ledger of its books; and requests."""

from collections.abc import Callable, Sequence

from libs.common.contracts import gateway, ledger
from libs.common.contracts.api_facts import ListPaymentFacts, PaymentFactPage
from libs.common.contracts.gateway_movements import DisputeAmountChanged
from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection, Database
from libs.common.messaging import Bus, Received
from services.api.payments.commands import Outcomes, reports
from services.api.payments.queries import payment_facts

type AfterCommit = Callable[[], None]
"""What is done after the commit."""


class PaymentConsumers:
    """One method per event; each handles the same event any number of times and applies it once."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def register(self, bus: Bus) -> None:
        """Handle every event of this subject."""
        bus.handle(gateway.PaymentActionRequired, self.on_payment_action_required)
        bus.handle(gateway.PaymentAuthorized, self.on_payment_authorized)
        bus.handle(gateway.AuthorizationDeclined, self.on_authorization_declined)
        bus.handle(gateway.PaymentCaptured, self.on_payment_captured)
        bus.handle(gateway.CaptureReported, self.on_capture_reported)
        bus.handle(gateway.CaptureFailed, self.on_capture_failed)
        bus.handle(gateway.PaymentVoided, self.on_payment_voided)
        bus.handle(gateway.VoidFailed, self.on_void_failed)
        bus.handle(gateway.AuthorizationExpired, self.on_authorization_expired)
        bus.handle(gateway.RefundSucceeded, self.on_refund_succeeded)
        bus.handle(gateway.RefundFailed, self.on_refund_failed)
        bus.handle(gateway.InquiryOpened, self.on_inquiry_opened)
        bus.handle(gateway.InquiryClosed, self.on_inquiry_closed)
        bus.handle(gateway.DisputeOpened, self.on_dispute_opened)
        bus.handle(DisputeAmountChanged, self.on_dispute_amount_changed)
        bus.handle(gateway.DisputeWon, self.on_dispute_won)
        bus.handle(gateway.DisputeLost, self.on_dispute_lost)
        bus.handle(ledger.JournalEntryPosted, self.on_journal_entry_posted)

    async def on_payment_action_required(
        self, tx: Connection, events: Sequence[Received[gateway.PaymentActionRequired]]
    ) -> AfterCommit:
        """The customer must act first."""
        return await self._outcomes.record(tx, events, reports.action_required)

    async def on_payment_authorized(
        self, tx: Connection, events: Sequence[Received[gateway.PaymentAuthorized]]
    ) -> AfterCommit:
        """The issuer promised the funds."""
        return await self._outcomes.record(tx, events, reports.authorized)

    async def on_authorization_declined(
        self, tx: Connection, events: Sequence[Received[gateway.AuthorizationDeclined]]
    ) -> AfterCommit:
        """The issuer declined."""
        return await self._outcomes.record(tx, events, reports.declined)

    async def on_payment_captured(
        self, tx: Connection, events: Sequence[Received[gateway.PaymentCaptured]]
    ) -> AfterCommit:
        """The processor took the funds."""
        return await self._outcomes.record(tx, events, reports.captured)

    async def on_capture_reported(
        self, tx: Connection, events: Sequence[Received[gateway.CaptureReported]]
    ) -> AfterCommit:
        """The gateway has looked up a capture that the api did not request."""
        return await self._outcomes.record_capture_reports(tx, events)

    async def on_capture_failed(self, tx: Connection, events: Sequence[Received[gateway.CaptureFailed]]) -> AfterCommit:
        """The processor refused to take the held funds."""
        return await self._outcomes.record(tx, events, reports.capture_failed)

    async def on_payment_voided(self, tx: Connection, events: Sequence[Received[gateway.PaymentVoided]]) -> AfterCommit:
        """The processor released the funds."""
        return await self._outcomes.record(tx, events, reports.voided)

    async def on_void_failed(self, tx: Connection, events: Sequence[Received[gateway.VoidFailed]]) -> AfterCommit:
        """The processor refused to release the funds."""
        return await self._outcomes.record(tx, events, reports.void_failed)

    async def on_authorization_expired(
        self, tx: Connection, events: Sequence[Received[gateway.AuthorizationExpired]]
    ) -> AfterCommit:
        """The authorization ended by itself."""
        return await self._outcomes.record(tx, events, reports.expired)

    async def on_refund_succeeded(
        self, tx: Connection, events: Sequence[Received[gateway.RefundSucceeded]]
    ) -> AfterCommit:
        """The processor gave the money back."""
        return await self._outcomes.record(tx, events, reports.refund_succeeded)

    async def on_refund_failed(self, tx: Connection, events: Sequence[Received[gateway.RefundFailed]]) -> AfterCommit:
        """The money did not reach the customer."""
        return await self._outcomes.record(tx, events, reports.refund_failed)

    async def on_inquiry_opened(self, tx: Connection, events: Sequence[Received[gateway.InquiryOpened]]) -> AfterCommit:
        """The customer's bank inquires, and takes nothing."""
        return await self._outcomes.record(tx, events, reports.inquiry_opened)

    async def on_inquiry_closed(self, tx: Connection, events: Sequence[Received[gateway.InquiryClosed]]) -> AfterCommit:
        """The inquiry ended without a dispute."""
        return await self._outcomes.record(tx, events, reports.inquiry_closed)

    async def on_dispute_opened(self, tx: Connection, events: Sequence[Received[gateway.DisputeOpened]]) -> AfterCommit:
        """The customer's bank took money back until it is decided."""
        return await self._outcomes.record(tx, events, reports.dispute_opened)

    async def on_dispute_amount_changed(
        self, tx: Connection, events: Sequence[Received[DisputeAmountChanged]]
    ) -> AfterCommit:
        """The customer's bank disputes another amount."""
        return await self._outcomes.record(tx, events, reports.dispute_amount_changed)

    async def on_dispute_won(self, tx: Connection, events: Sequence[Received[gateway.DisputeWon]]) -> AfterCommit:
        """The bank gave it back."""
        return await self._outcomes.record(tx, events, reports.dispute_won)

    async def on_dispute_lost(self, tx: Connection, events: Sequence[Received[gateway.DisputeLost]]) -> AfterCommit:
        """The money is gone."""
        return await self._outcomes.record(tx, events, reports.dispute_lost)

    async def on_journal_entry_posted(
        self, tx: Connection, events: Sequence[Received[ledger.JournalEntryPosted]]
    ) -> AfterCommit:
        """The books have the capture; entries of another kind change nothing here."""
        captures = [e for e in events if e.body.kind is EntryKind.CAPTURE and e.body.payment_intent_id is not None]
        return await self._outcomes.record(tx, captures, reports.posted)


class FactConsumers:
    """Answers requests about payments, from those who compare them with what they have."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ListPaymentFacts, self.on_list_payment_facts)

    async def on_list_payment_facts(self, request: ListPaymentFacts) -> PaymentFactPage:
        """List payments with what was given back of them."""
        return await payment_facts(self._database, request)
