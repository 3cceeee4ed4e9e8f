"""What the api hears: the gateway's word about authorizations and captures, and the ledger's about its books."""

from collections.abc import Callable, Sequence
from functools import partial

from libs.common.clock import Clock
from libs.common.contracts import gateway, ledger, ledger_books
from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection
from libs.common.messaging import Bus, Heard
from services.api import domain
from services.api.commands import News, PaymentCommands
from services.api.domain import Decision, PaymentIntent
from services.api.store import AuditRecord, audit


class Consumers:
    """One method per message; each hears the same message any number of times and acts on it once."""

    def __init__(self, payments: PaymentCommands, *, clock: Clock) -> None:
        self._payments = payments
        self._clock = clock

    async def on_payment_authorized(
        self, transaction: Connection, heard: Sequence[Heard[gateway.PaymentAuthorized]]
    ) -> Callable[[], None]:
        """The issuer promised the funds: AUTHORIZED, and the capture is asked for."""
        return await self._payments.record(
            transaction,
            [_news(h, partial(domain.authorize, gateway_ref=h.body.gateway_ref, at=self._clock.now())) for h in heard],
        )

    async def on_authorization_declined(
        self, transaction: Connection, heard: Sequence[Heard[gateway.AuthorizationDeclined]]
    ) -> Callable[[], None]:
        """The issuer said no: FAILED."""
        return await self._payments.record(
            transaction,
            [
                _news(h, partial(domain.decline, code=h.body.reason, message=h.body.detail, at=self._clock.now()))
                for h in heard
            ],
        )

    async def on_payment_captured(
        self, transaction: Connection, heard: Sequence[Heard[gateway.PaymentCaptured]]
    ) -> Callable[[], None]:
        """The processor took the funds; the books follow."""
        return await self._payments.record(
            transaction, [_news(h, partial(domain.capture, at=self._clock.now())) for h in heard]
        )

    async def on_capture_failed(
        self, transaction: Connection, heard: Sequence[Heard[gateway.CaptureFailed]]
    ) -> Callable[[], None]:
        """The processor refused to take the held funds: FAILED."""
        return await self._payments.record(
            transaction,
            [
                _news(h, partial(domain.fail_capture, code=h.body.reason, message=h.body.detail, at=self._clock.now()))
                for h in heard
            ],
        )

    async def on_journal_entry_posted(
        self, transaction: Connection, heard: Sequence[Heard[ledger.JournalEntryPosted]]
    ) -> Callable[[], None]:
        """The capture stands in the books: SETTLED."""
        captures = [h for h in heard if h.body.kind is EntryKind.CAPTURE and h.body.payment_intent_id is not None]
        return await self._payments.record(
            transaction, [_news(h, partial(domain.settle, at=self._clock.now())) for h in captures]
        )

    async def on_invariant_broken(
        self, transaction: Connection, heard: Sequence[Heard[ledger_books.InvariantBroken]]
    ) -> None:
        """The ledger found something in its books that cannot be: it stands in the audit log of whom it concerns."""
        await audit.write(
            transaction,
            [
                AuditRecord(
                    tenant_id=h.tenant_id,
                    id=h.id,
                    actor="ledger",
                    action="ledger.invariant_broken",
                    target=h.body.subject,
                    outcome="failed",
                    detail={"invariant": h.body.invariant, "detail": h.body.detail},
                    correlation_id=h.correlation.correlation_id,
                    at=h.body.found_at,
                )
                for h in heard
            ],
        )


def _news[M: gateway.PaymentMessage | ledger.JournalEntryPosted](
    heard: Heard[M], decide: Callable[[PaymentIntent], Decision]
) -> News:
    body = heard.body
    assert body.payment_intent_id is not None, "an entry without an intent is no news about one"

    def decide_same_money(intent: PaymentIntent) -> Decision:
        domain.require_same_money(intent, amount_minor=body.amount_minor, currency=body.currency)
        return decide(intent)

    return News(
        tenant_id=heard.tenant_id,
        payment_intent_id=body.payment_intent_id,
        correlation=heard.correlation,
        actor=type(body).contract.owner,
        message_id=heard.id,
        decide=decide_same_money,
    )


def register(bus: Bus, consumers: Consumers) -> None:
    """Tell the bus who hears what."""
    bus.hear(gateway.PaymentAuthorized, consumers.on_payment_authorized)
    bus.hear(gateway.AuthorizationDeclined, consumers.on_authorization_declined)
    bus.hear(gateway.PaymentCaptured, consumers.on_payment_captured)
    bus.hear(gateway.CaptureFailed, consumers.on_capture_failed)
    bus.hear(ledger.JournalEntryPosted, consumers.on_journal_entry_posted)
    bus.hear(ledger_books.InvariantBroken, consumers.on_invariant_broken)
