"""Every event and command as its publisher's own code makes it, by the key of its contract."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts import api, gateway, gateway_customers, gateway_movements
from libs.common.contracts.gateway_actions import PixDisplayQrCode, encode_next_action
from libs.common.contracts.gateway_methods import BillingDetails
from libs.common.contracts.gateway_reconciliation import DiscrepanciesFound
from libs.common.contracts.ledger import Side
from libs.common.messaging import Publication, Received
from libs.common.messaging.shipments import shipments
from libs.common.observability.correlation import Correlation
from services.api.outbox import tenant_provisioned
from services.api.payments.commands.publications import publications_of
from services.api.payments.domain import Decision, Dispute, Fact, PaymentIntent, Refund, Status
from services.api.reconciliation.consumers import _announced
from services.gateway.movements import schemas as movements
from services.gateway.movements.domain import BankChange, RecordedMovement
from services.gateway.notices import schemas as disputes
from services.gateway.notices.commands.events import _fee_message
from services.gateway.notices.domain import Dispute as KnownDispute
from services.gateway.operations import Attempt, AttemptStatus
from services.gateway.operations import schemas as attempts
from services.gateway.processors.port import DeclineReason, DisputeState, Operation
from services.gateway.processors.port.reading import StatementMovement
from services.gateway.processors.stripe.events import meaning
from services.gateway.reconciliation.runs.commands.running import _announcement
from services.gateway.reconciliation.runs.domain.run import Progress, Run
from services.ledger.core import Entry, Line
from services.ledger.outbox import entry_posted, heads_signed, invariant_broken
from services.notifier.outbox import endpoint_disabled, endpoint_failing
from tests.contract.forms import sample
from tests.support.fields import NOW, filled

TENANT = "00000000-0000-0000-0000-000000000002"
CAUSE = Correlation(correlation_id="corr-7", tenant_id=TENANT, traceparent=f"00-{'1' * 32}-{'2' * 16}-01")


def _intent(**changes: Any) -> PaymentIntent:
    fields: dict[str, Any] = {
        "tenant_id": TENANT,
        "currency": "BRL",
        "amount_minor": 10_000,
        "captured_minor": 10_000,
        "status": Status.SETTLED,
        "next_action": encode_next_action(filled(PixDisplayQrCode)),
        "billing_details": msgspec.json.encode(sample(BillingDetails)).decode(),
    }
    return filled(PaymentIntent, **(fields | changes))


def _life() -> Iterable[Publication]:
    """Every fact of a payment, its refund and its dispute."""
    intent = _intent()
    refund = filled(Refund, tenant_id=TENANT, currency="BRL")
    decision = Decision(intent, tuple(Fact), refund=refund, dispute=filled(Dispute, tenant_id=TENANT, currency="BRL"))
    return publications_of(decision, at=NOW, correlation=CAUSE)


def _outcomes() -> Iterable[Publication]:
    """Every outcome of an operation at a processor."""
    attempt = filled(
        Attempt,
        tenant_id=TENANT,
        currency="BRL",
        processor="stripe",
        next_action=encode_next_action(filled(PixDisplayQrCode)),
        reason=next(iter(DeclineReason)),
    )
    expired = {"status": AttemptStatus.DECLINED, "reason": DeclineReason.PAYMENT_EXPIRED}
    ends: list[dict[str, Any]] = [
        {"operation": operation, "status": status}
        for operation in (Operation.AUTHORIZE, Operation.CAPTURE, Operation.VOID, Operation.EXPIRE, Operation.REFUND)
        for status in (AttemptStatus.APPROVED, AttemptStatus.DECLINED)
    ]
    ends += [
        {"operation": Operation.AUTHORIZE, **expired},
        {"operation": Operation.REFUND, "status": AttemptStatus.REVERSED},
    ]
    for end in ends:
        outcome = attempts.outcome(msgspec.structs.replace(attempt, **end), decided_at=NOW)
        if outcome is not None:
            yield outcome
    yield attempts.action_required(attempt, at=NOW)
    yield attempts.hold_watched(attempt, at=NOW)
    report: Received[gateway.ReportCapture] = Received(
        id=UUID(int=9),
        body=gateway.ReportCapture(payment_intent_id=UUID(int=1)),
        occurred_at=NOW,
        correlation=CAUSE,
        attempt=0,
    )
    yield attempts.capture_reported(report, amount_minor=10_000, currency="BRL", gateway_ref="pi_1", at=NOW)


def _statement() -> Iterable[Publication | None]:
    """What the processor's statement, its events and the bank show."""
    moved = filled(
        StatementMovement, currency="BRL", fees=((gateway_movements.FeeKind.PROCESSOR, 30),), exchange_rate="5.1"
    )
    movement = filled(RecordedMovement, tenant_id=TENANT, moved=moved)
    yield movements.recorded(movement)
    yield movements.adopted(
        msgspec.structs.replace(
            movement, moved=msgspec.structs.replace(moved, kind=gateway_movements.MovementKind.REFUND)
        )
    )
    yield movements.available_of(movement)
    for change in (BankChange.CREDITED, BankChange.DEBITED):
        yield movements.at_bank(
            change, tenant_id=TENANT, payout_id=UUID(int=3), ref="po_1", amount_minor=900, currency="BRL", at=NOW
        )
    known = filled(KnownDispute, tenant_id=TENANT, currency="BRL", processor="stripe")
    for state in DisputeState:
        yield disputes.dispute(known, state=state, at=NOW, correlation=CAUSE, reversals=1)
    yield disputes.amount_changed(known, was_minor=500, at=NOW, correlation=CAUSE)
    fee = _fee_message(moved, UUID(int=1))
    assert fee is not None
    yield Publication.of(fee, occurred_at=NOW, correlation=CAUSE)
    payout = {"id": "po_1", "amount": 900, "currency": "brl", "created": 1_770_000_000, "arrival_date": 1_770_000_000}
    for kind in ("payout.created", "payout.paid", "payout.failed"):
        message = meaning(payout, kind, tenant_id=TENANT).payout
        assert message is not None
        yield Publication.of(message, occurred_at=NOW, correlation=CAUSE)
    yield _announcement(filled(Run), Progress(new=1, new_types=("AMOUNT_MISMATCH",)), at=NOW)


def _books() -> Iterable[Publication]:
    """What the ledger publishes."""
    lines = tuple(
        Line(account_id=UUID(int=n), side=side, amount_minor=100, currency="BRL") for n, side in enumerate(Side)
    )
    entry = filled(Entry, tenant_id=TENANT, lines=lines)
    yield entry_posted(entry, posted_at=NOW, correlation=CAUSE)
    yield invariant_broken(tenant_id=TENANT, invariant="balanced", subject="entry 1", detail="It is not.", found_at=NOW)
    yield heads_signed(1, statement="{}", signatures={"9f86d081884c7d65": "c2ln"}, signed_at=NOW)


def _endpoints() -> Iterable[Publication]:
    """What the notifier publishes."""
    named: dict[str, Any] = {
        "tenant_id": TENANT,
        "endpoint_id": UUID(int=4),
        "url": "https://example.com/hooks",
        "failing_since": NOW - timedelta(days=3),
        "consecutive_failures": 9,
        "last_error": "status_500",
        "now": NOW,
    }
    yield endpoint_failing(**named, disables_at=NOW + timedelta(days=1))
    yield endpoint_disabled(**named, reason="failing")


def _others() -> Iterable[Publication]:
    """What the api publishes beside payments; two of them have no function of their own in it."""
    yield tenant_provisioned(TENANT, "Acme", at=NOW, correlation=CAUSE)
    found = DiscrepanciesFound(run_id=UUID(int=5), discrepancy_count=1, types=("AMOUNT_MISMATCH",))
    yield _announced(Received(id=UUID(int=6), body=found, occurred_at=NOW, correlation=CAUSE, attempt=0))
    # As the trigger `say_access_changed` and the command that deletes a customer write them.
    for message in (api.AccessChanged(tenant_id=TENANT), gateway_customers.ForgetCustomer(customer_id=UUID(int=8))):
        yield Publication.of(message, occurred_at=NOW, correlation=CAUSE)


def publications() -> dict[str, list[Publication]]:
    """Return what is published of each contract, by its key."""
    every: dict[str, list[Publication]] = {}
    for source in (_life, _outcomes, _statement, _books, _endpoints, _others):
        for publication in source():
            if publication is not None:
                every.setdefault(publication.contract, []).append(publication)
    return every


def on_the_wire(publication: Publication, destination: str) -> bytes:
    """Return the AMQP body as the relay sends it to a queue, to all processes of a service, or to other teams."""
    row: Any = {
        name: getattr(publication, name) for name in (*Publication.__struct_fields__, *_TEXTS) if name != "message"
    }
    [shipment], _ = shipments([row], 1, destination=destination)
    return shipment.public().body if shipment.is_public else shipment.pack()[0]


_TEXTS = ("contract", "tenant_id", "correlation_id", "traceparent", "body")
