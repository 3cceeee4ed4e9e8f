"""Refunds and disputes: reserved, counted, undone, and opened and ended once."""

import msgspec
import pytest

from libs.common.ids import new_id
from services.api.errors import ContradictoryOutcome, NotYet, RefundExceedsPayment
from services.api.payments import domain
from services.api.payments.domain import (
    Decision,
    DisputeStatus,
    PaymentIntent,
    RefundStatus,
    Stage,
    Status,
)
from tests.unit.api.payments.test_domain import T1, a_dispute, intent_in


def settled() -> PaymentIntent:
    return msgspec.structs.replace(intent_in(Stage.SETTLED), refunding_minor=0)


def refund_of(intent: PaymentIntent, amount_minor: int | None) -> Decision:
    return domain.request_refund(intent, refund_id=new_id(), amount_minor=amount_minor, reason="r", at=T1)


def test_a_refund_is_reserved_at_once_and_counts_when_it_is_completed() -> None:
    decision = refund_of(settled(), 5050)
    assert decision.refund is not None
    assert (decision.refund.status, decision.refund.amount_minor) == (RefundStatus.PENDING, 5050)
    intent = decision.intent
    assert (intent.status, intent.refunding_minor, intent.refundable_minor) == (Status.SETTLED, 5050, 10000)
    done = domain.complete_refund(intent, decision.refund, gateway_ref="re", at=T1)
    assert (done.intent.status, done.intent.refunded_minor) == (Status.PARTIALLY_REFUNDED, 5050)
    rest = refund_of(done.intent, None)
    assert rest.refund is not None
    assert rest.refund.amount_minor == 10000
    full = domain.complete_refund(rest.intent, rest.refund, gateway_ref="re", at=T1)
    assert (full.intent.status, full.intent.refundable_minor) == (Status.REFUNDED, 0)


def test_refund_that_was_made_at_the_processor_is_adopted_once() -> None:
    made = refund_of(settled(), 5050).refund
    assert made is not None
    made = msgspec.structs.replace(made, status=RefundStatus.COMPLETED, gateway_ref="re")
    adopted = domain.adopt_refund(settled(), None, made, at=T1)
    assert (adopted.intent.status, adopted.intent.refunded_minor) == (Status.PARTIALLY_REFUNDED, 5050)
    assert (adopted.intent.refunding_minor, adopted.refund) == (0, made)
    assert not domain.adopt_refund(adopted.intent, made, made, at=T1).changed
    failed = domain.fail_refund(adopted.intent, made, code="c", message="m", at=T1)
    assert (failed.intent.status, failed.intent.refunded_minor) == (Status.SETTLED, 0)
    assert failed.refund is not None
    assert not domain.adopt_refund(failed.intent, failed.refund, made, at=T1).changed
    with pytest.raises(NotYet):
        domain.adopt_refund(intent_in(Stage.CAPTURED), None, made, at=T1)
    # The processor will refuse the one that is pending: until then both cannot be right.
    with pytest.raises(NotYet):
        domain.adopt_refund(refund_of(settled(), 15050).intent, None, made, at=T1)


def test_dispute_that_changes_its_amount_leaves_so_much_to_refund() -> None:
    opened = domain.open_dispute(settled(), None, a_dispute(settled(), amount_minor=3000), at=T1)
    more = domain.change_dispute(opened.intent, opened.dispute, amount_minor=5000, was_minor=3000, at=T1)
    assert more.dispute is not None
    assert (more.dispute.amount_minor, more.intent.disputed_minor, more.intent.refundable_minor) == (5000, 5000, 10050)
    again = domain.change_dispute(more.intent, more.dispute, amount_minor=5000, was_minor=3000, at=T1)
    assert not again.changed
    lost = domain.end_dispute(more.intent, more.dispute, is_won=False, at=T1)
    assert (lost.intent.disputed_minor, lost.facts) == (5000, (domain.Fact.DISPUTE_LOST,))
    won = domain.end_dispute(more.intent, more.dispute, is_won=True, at=T1)
    less = domain.change_dispute(won.intent, won.dispute, amount_minor=4000, was_minor=5000, at=T1)
    assert less.intent.disputed_minor == 0
    for known in (None, opened.dispute):
        with pytest.raises(NotYet):
            domain.change_dispute(opened.intent, known, amount_minor=7000, was_minor=5000, at=T1)


def test_refunds_never_exceed_what_was_captured_and_says_so_in_known_words() -> None:
    with pytest.raises(
        RefundExceedsPayment, match=r"total refunds \(1000\.00\) would exceed payment amount \(150\.50\)"
    ):
        refund_of(settled(), 100_000)
    reserved = refund_of(settled(), 15050).intent
    with pytest.raises(RefundExceedsPayment, match="nothing is left to refund"):
        refund_of(reserved, None)


def test_what_a_bank_has_taken_back_cannot_be_refunded_too() -> None:
    disputed = domain.open_dispute(settled(), None, a_dispute(settled(), amount_minor=15000), at=T1).intent
    assert disputed.refundable_minor == 50
    with pytest.raises(RefundExceedsPayment, match=r"less 150\.00 in dispute"):
        refund_of(disputed, 51)
    won = domain.end_dispute(disputed, a_dispute(disputed, amount_minor=15000), is_won=True, at=T1).intent
    assert won.refundable_minor == 15050


@pytest.mark.parametrize("status", [RefundStatus.PENDING, RefundStatus.COMPLETED])
def test_a_failed_refund_is_undone_whether_or_not_it_had_succeeded(status: RefundStatus) -> None:
    requested = refund_of(settled(), 15050)
    intent, refund = requested.intent, requested.refund
    assert refund is not None
    if status is RefundStatus.COMPLETED:
        done = domain.complete_refund(intent, refund, gateway_ref="re", at=T1)
        assert done.refund is not None
        intent, refund = done.intent, done.refund
    failed = domain.fail_refund(intent, refund, code="no", message="No.", at=T1)
    assert failed.refund is not None
    assert (failed.intent.status, failed.intent.refundable_minor) == (Status.SETTLED, 15050)
    # Whatever is reported of it afterwards is older; its success names it at the processor, where nothing has yet.
    named = domain.complete_refund(failed.intent, failed.refund, gateway_ref="re", at=T1)
    assert named.changed == (status is RefundStatus.PENDING)
    assert named.refund == msgspec.structs.replace(failed.refund, gateway_ref="re")
    assert (named.intent.status, named.intent.refundable_minor, named.facts) == (Status.SETTLED, 15050, ())
    for late in (
        domain.fail_refund(named.intent, named.refund, code="no", message="No.", at=T1),
        domain.complete_refund(named.intent, named.refund, gateway_ref="re", at=T1),
    ):
        assert not late.changed


def test_a_dispute_opens_once_ends_once_and_its_end_waits_for_its_opening() -> None:
    intent = settled()
    dispute = a_dispute(intent)
    with pytest.raises(NotYet):
        domain.end_dispute(intent, None, is_won=True, at=T1)
    opened = domain.open_dispute(intent, None, dispute, at=T1)
    assert not domain.open_dispute(opened.intent, dispute, dispute, at=T1).changed
    lost = domain.end_dispute(opened.intent, dispute, is_won=False, at=T1)
    assert lost.dispute is not None
    assert not domain.end_dispute(lost.intent, lost.dispute, is_won=False, at=T1).changed
    with pytest.raises(ContradictoryOutcome):
        domain.end_dispute(lost.intent, lost.dispute, is_won=True, at=T1)


def test_last_decision_of_a_dispute_counts_in_any_order() -> None:
    intent = settled()
    opened = domain.open_dispute(intent, None, a_dispute(intent, amount_minor=5000), at=T1)
    assert opened.dispute is not None
    # The bank decides LOST, then WON, then LOST: each time what stands in dispute follows it.
    decided = (False, True, False)
    decision = opened
    for reversals, is_won in enumerate(decided):
        later = reversals + 1
        with pytest.raises(NotYet):
            domain.end_dispute(decision.intent, decision.dispute, is_won=not is_won, at=T1, reversals=later)
        decision = domain.end_dispute(decision.intent, decision.dispute, is_won=is_won, at=T1, reversals=reversals)
        assert decision.changed
        assert decision.dispute is not None
        assert decision.dispute.status is (DisputeStatus.WON if is_won else DisputeStatus.LOST)
        assert decision.intent.disputed_minor == (0 if is_won else 5000)
        for earlier in range(later):
            again = domain.end_dispute(
                decision.intent, decision.dispute, is_won=decided[earlier], at=T1, reversals=earlier
            )
            assert not again.changed
            with pytest.raises(ContradictoryOutcome):
                domain.end_dispute(
                    decision.intent, decision.dispute, is_won=not decided[earlier], at=T1, reversals=earlier
                )
