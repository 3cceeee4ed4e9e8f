"""The lifecycle of a payment intent: every stage against every happening."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import msgspec
import pytest

from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.ids import new_id
from services.api.errors import (
    CannotCapture,
    CannotConfirm,
    CannotRefund,
    CannotVoid,
    CaptureExceedsAuthorization,
    ContradictoryOutcome,
    NotYet,
)
from services.api.http.problems import PROBLEMS
from services.api.payments import domain
from services.api.payments.domain import (
    COMMANDS,
    LIFECYCLE,
    STATUS_OF,
    CaptureMethod,
    Check,
    ChosenMethod,
    Decision,
    Dispute,
    DisputeStatus,
    Fact,
    Happening,
    Move,
    Otherwise,
    PaymentIntent,
    Recount,
    Refund,
    RefundStatus,
    Stage,
    Status,
)
from services.api.payments.domain.lifecycle import BY_AMOUNTS

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
T1 = T0 + timedelta(seconds=1)

REFUND_MINOR = 5000
CARD = ChosenMethod(payment_method="pm_card_visa")


def a_refund(intent: PaymentIntent, status: RefundStatus = RefundStatus.PENDING) -> Refund:
    """A refund of 50.00 BRL."""
    return Refund(
        tenant_id="t",
        id=new_id(),
        payment_intent_id=intent.id,
        amount_minor=REFUND_MINOR,
        currency="BRL",
        status=status,
        created_at=T0,
        updated_at=T0,
    )


def a_dispute(intent: PaymentIntent, status: DisputeStatus = DisputeStatus.OPEN, amount_minor: int = 5000) -> Dispute:
    """A dispute of 50.00 BRL, unless another amount is given."""
    return Dispute(
        tenant_id="t",
        id=new_id(),
        payment_intent_id=intent.id,
        amount_minor=amount_minor,
        currency="BRL",
        reason="fraudulent",
        status=status,
        gateway_ref="dp-1",
        opened_at=T0,
        updated_at=T0,
    )


def an_inquiry(intent: PaymentIntent) -> Dispute:
    return msgspec.structs.replace(a_dispute(intent), status=DisputeStatus.INQUIRY)


CALLS: dict[Happening, Callable[[PaymentIntent], Decision]] = {
    Happening.CONFIRM: lambda i: domain.confirm(i, at=T1),
    Happening.CONFIRM_WITH_METHOD: lambda i: domain.confirm_with_method(i, method=CARD, at=T1),
    Happening.CAPTURE: lambda i: domain.request_capture(i, amount_minor=None, at=T1),
    Happening.VOID: lambda i: domain.request_void(i, at=T1),
    Happening.REFUND: lambda i: domain.request_refund(i, refund_id=new_id(), amount_minor=10, reason=None, at=T1),
    Happening.ACTION_REQUIRED: lambda i: domain.require_action(i, gateway_ref="g-1", action_url="", at=T1),
    Happening.AUTHORIZED: lambda i: domain.authorize(i, gateway_ref="g-1", at=T1),
    Happening.DECLINED: lambda i: domain.decline(
        i, code="insufficient_funds", message="No.", codes=DeclineCodes(), at=T1
    ),
    Happening.CAPTURED: lambda i: domain.capture(i, amount_minor=15050, at=T1),
    Happening.CAPTURE_CONFIRMED: lambda i: domain.confirm_capture(i, amount_minor=15050, at=T1),
    Happening.CAPTURE_FAILED: lambda i: domain.fail_capture(
        i, code="expired", message="Too late.", codes=DeclineCodes(), at=T1
    ),
    Happening.VOIDED: lambda i: domain.void(i, at=T1),
    Happening.VOID_FAILED: lambda i: domain.fail_void(i, at=T1),
    Happening.EXPIRED: lambda i: domain.expire(i, at=T1),
    Happening.LAPSED: lambda i: domain.lapse(i, at=T1),
    Happening.POSTED: lambda i: domain.settle(i, amount_minor=15050, at=T1),
    Happening.REFUND_COMPLETED: lambda i: domain.complete_refund(i, a_refund(i), gateway_ref="re-1", at=T1),
    Happening.REFUND_FAILED: lambda i: domain.fail_refund(i, a_refund(i), code="no", message="No.", at=T1),
    Happening.DISPUTE_OPENED: lambda i: domain.open_dispute(i, None, a_dispute(i), at=T1),
    Happening.DISPUTE_WON: lambda i: domain.end_dispute(i, a_dispute(i), is_won=True, at=T1),
    Happening.DISPUTE_LOST: lambda i: domain.end_dispute(i, a_dispute(i), is_won=False, at=T1),
    Happening.INQUIRY_OPENED: lambda i: domain.open_inquiry(i, None, an_inquiry(i), at=T1),
    Happening.INQUIRY_CLOSED: lambda i: domain.close_inquiry(i, an_inquiry(i), at=T1),
}

REFUSALS = {
    Happening.CONFIRM: CannotConfirm,
    Happening.CONFIRM_WITH_METHOD: CannotConfirm,
    Happening.CAPTURE: CannotCapture,
    Happening.VOID: CannotVoid,
    Happening.REFUND: CannotRefund,
}

_CAPTURED = {Stage.CAPTURED, Stage.SETTLED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED}
ENDED = (Stage.VOIDED, Stage.FAILED, Stage.EXPIRED)
_WAS_HELD = {Stage.AUTHORIZED, Stage.CAPTURING, Stage.VOIDING, Stage.FAILED, Stage.EXPIRED}
_REFUNDED = {Stage.PARTIALLY_REFUNDED: 10000, Stage.REFUNDED: 15050}


def intent_in(stage: Stage) -> PaymentIntent:
    """An intent of 150.50 BRL in `stage`, with manual capture; a refund of 50.00 is pending where one can be."""
    refunded = _REFUNDED.get(stage, 0)
    is_settled = stage in _CAPTURED - {Stage.CAPTURED}
    return PaymentIntent(
        tenant_id="t",
        id=new_id(),
        amount_minor=15050,
        currency="BRL",
        status=STATUS_OF[stage],
        capture_method=CaptureMethod.MANUAL,
        customer_ref="c",
        capturing_minor=15050 if stage is Stage.CAPTURING else 0,
        is_voiding=stage in {Stage.VOIDING, Stage.ABANDONING, Stage.CANCELLING},
        captured_minor=15050 if stage in _CAPTURED else 0,
        refunded_minor=refunded,
        refunding_minor=min(REFUND_MINOR, 15050 - refunded) if is_settled else 0,
        disputed_minor=5000 if stage is Stage.CAPTURED else 0,
        version=7,
        created_at=T0,
        updated_at=T0,
        authorized_at=T0 if stage in _WAS_HELD else None,
    )


def test_every_pair_has_a_row() -> None:
    assert set(LIFECYCLE) == {(stage, happening) for stage in Stage for happening in Happening}


def test_only_commands_are_refused_and_only_events_are_early() -> None:
    for (_, happening), row in LIFECYCLE.items():
        if row is Otherwise.REFUSED:
            assert happening in COMMANDS
        if row in (Otherwise.EARLY, Otherwise.CONTRADICTS):
            assert happening not in COMMANDS


def test_every_refusal_is_a_registered_problem_that_names_its_status() -> None:
    for happening, kind in REFUSALS.items():
        refused = kind("REFUNDED")
        assert PROBLEMS[refused.reason].status == 409
        assert (
            refused.detail
            == {
                Happening.CONFIRM: "cannot confirm status REFUNDED",
                Happening.CONFIRM_WITH_METHOD: "cannot confirm status REFUNDED",
                Happening.CAPTURE: "cannot capture status REFUNDED",
                Happening.VOID: "cannot void status REFUNDED",
                Happening.REFUND: "cannot refund payment with status REFUNDED",
            }[happening]
        )


@pytest.mark.parametrize("stage", Stage)
def test_an_intent_knows_its_stage(stage: Stage) -> None:
    assert intent_in(stage).stage is stage


@pytest.mark.parametrize(("stage", "happening"), LIFECYCLE)
def test_each_pair_does_what_its_row_says(stage: Stage, happening: Happening) -> None:
    intent, row = intent_in(stage), LIFECYCLE[stage, happening]
    if isinstance(row, Move):
        decision = CALLS[happening](intent)
        assert decision.intent.stage is row.to
        assert decision.facts == row.facts
        assert (decision.intent.version, decision.intent.updated_at) == (8, T1)
        assert decision.changed
    elif isinstance(row, Recount):
        if happening is Happening.REFUND_COMPLETED and stage is Stage.REFUNDED:
            return  # Nothing can be pending any more; the amounts alone exclude it.
        decision = CALLS[happening](intent)
        assert decision.facts == row.facts
        assert decision.changed
        assert decision.intent.status is (
            STATUS_OF[_by_amounts(decision.intent)] if stage in BY_AMOUNTS else intent.status
        )
    elif isinstance(row, Check):
        decision = CALLS[happening](intent)
        assert decision.facts == row.facts
        assert decision.intent == msgspec.structs.replace(intent, version=8, updated_at=T1)
    elif row is Otherwise.STAYS:
        assert CALLS[happening](intent) == Decision(intent)
    else:
        failure = {
            Otherwise.EARLY: NotYet,
            Otherwise.CONTRADICTS: ContradictoryOutcome,
            Otherwise.REFUSED: REFUSALS.get(happening),
        }[row]
        assert failure is not None
        with pytest.raises(failure):
            CALLS[happening](intent)


def _by_amounts(intent: PaymentIntent) -> Stage:
    if intent.refunded_minor == 0:
        return Stage.SETTLED
    return Stage.REFUNDED if intent.refunded_minor == intent.captured_minor else Stage.PARTIALLY_REFUNDED


@pytest.mark.parametrize(("stage", "happening"), LIFECYCLE)
def test_repeated_happening_changes_nothing(stage: Stage, happening: Happening) -> None:
    if isinstance(LIFECYCLE[stage, happening], Move):
        moved = CALLS[happening](intent_in(stage)).intent
        assert not CALLS[happening](moved).changed


def test_what_has_ended_changes_only_where_its_money_was_taken() -> None:
    changes = {h for s in ENDED for h in Happening if isinstance(LIFECYCLE[s, h], Move | Recount | Check)}
    assert changes == {Happening.CAPTURED, Happening.CAPTURE_CONFIRMED}


def test_whole_life_is_published_once_and_in_order() -> None:
    intent = msgspec.structs.replace(intent_in(Stage.CREATED), capture_method=CaptureMethod.AUTOMATIC)
    published = list[Fact]()
    way = (Happening.CONFIRM, Happening.AUTHORIZED, Happening.CAPTURED, Happening.POSTED)
    for happening in [again for one in way for again in (one, one)]:
        decision = CALLS[happening](intent)
        intent, published = decision.intent, [*published, *decision.facts]
    assert published == [
        Fact.AUTHORIZATION_REQUESTED,
        Fact.AUTHORIZED,
        Fact.CAPTURE_REQUESTED,
        Fact.CAPTURED,
        Fact.SETTLED,
    ]
    assert (intent.status, intent.captured_minor, intent.gateway_ref) == (Status.SETTLED, 15050, "g-1")
    assert (intent.authorized_at, intent.settled_at) == (T1, T1)


def test_a_part_is_captured_and_the_same_part_again_changes_nothing() -> None:
    held = intent_in(Stage.AUTHORIZED)
    requested = domain.request_capture(held, amount_minor=10000, at=T1)
    assert (requested.intent.stage, requested.intent.capturing_minor) == (Stage.CAPTURING, 10000)
    for again in (None, 10000):
        assert not domain.request_capture(requested.intent, amount_minor=again, at=T1).changed
    with pytest.raises(CannotCapture):
        domain.request_capture(requested.intent, amount_minor=9999, at=T1)
    taken = domain.capture(requested.intent, amount_minor=10000, at=T1).intent
    assert (taken.captured_minor, taken.status) == (10000, Status.AUTHORIZED)
    settled = domain.settle(taken, amount_minor=10000, at=T1).intent
    assert settled.refundable_minor == 10000


def test_more_than_is_held_is_not_captured() -> None:
    with pytest.raises(
        CaptureExceedsAuthorization, match=r"capture of 150\.51 would exceed the authorized amount 150\.50"
    ):
        domain.request_capture(intent_in(Stage.AUTHORIZED), amount_minor=15051, at=T1)


def test_an_automatic_capture_leaves_nothing_to_void() -> None:
    intent = msgspec.structs.replace(intent_in(Stage.AUTHORIZED), capture_method=CaptureMethod.AUTOMATIC)
    with pytest.raises(CannotVoid, match="cannot void status AUTHORIZED: its capture is in progress"):
        domain.request_void(intent, at=T1)


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        (Stage.CAPTURING, "cannot void status AUTHORIZED: its capture is in progress"),
        (Stage.CAPTURED, "cannot void status AUTHORIZED: its capture is in progress"),
        (Stage.SETTLED, "cannot void status SETTLED"),
    ],
)
def test_a_refused_void_says_why_where_the_status_does_not(stage: Stage, sentence: str) -> None:
    with pytest.raises(CannotVoid) as refused:
        domain.request_void(intent_in(stage), at=T1)
    assert refused.value.detail == sentence


def test_a_customer_who_acts_in_the_last_moment_is_not_charged_twice() -> None:
    leaving = intent_in(Stage.ABANDONING)
    held = domain.authorize(leaving, gateway_ref="g-1", at=T1).intent
    assert held.stage is Stage.VOIDING
    assert domain.void(held, at=T1).intent.status is Status.VOIDED
    # Where the processor refuses to let go, nothing is taken: the sweeper requests the release again.
    automatic = msgspec.structs.replace(held, capture_method=CaptureMethod.AUTOMATIC)
    assert domain.fail_void(automatic, at=T1) == Decision(automatic)


@pytest.mark.parametrize("method", CaptureMethod)
def test_payment_voided_while_processing_is_never_captured(method: CaptureMethod) -> None:
    begun = msgspec.structs.replace(intent_in(Stage.PROCESSING), capture_method=method)
    voided = domain.request_void(begun, at=T1).intent
    assert (voided.stage, voided.status) == (Stage.CANCELLING, Status.PROCESSING)
    assert domain.confirm(voided, at=T1) == domain.request_void(voided, at=T1) == Decision(voided)
    held = domain.authorize(voided, gateway_ref="g-1", at=T1, expires_at=T1)
    assert (held.intent.stage, held.facts) == (Stage.VOIDING, (Fact.AUTHORIZED, Fact.VOID_REQUESTED))
    assert domain.void(held.intent, at=T1).intent.status is Status.VOIDED
    acting = domain.require_action(voided, gateway_ref="g-1", action_url="", at=T1)
    assert (acting.intent.stage, acting.facts) == (Stage.ABANDONING, (Fact.VOID_REQUESTED,))
    refused = CALLS[Happening.DECLINED](voided)
    assert (refused.intent.status, refused.facts, refused.intent.failure_code) == (Status.VOIDED, (Fact.VOIDED,), None)


def test_capture_by_the_processor_of_a_voided_payment_is_kept() -> None:
    for order in permutations((Happening.AUTHORIZED, Happening.CAPTURED, Happening.POSTED)):
        intent, waiting = intent_in(Stage.CANCELLING), list(order)
        while waiting:
            for happening in list(waiting):
                try:
                    decision = CALLS[happening](intent)
                except NotYet:
                    continue
                waiting.remove(happening)
                intent = decision.intent
                if Fact.CAPTURE_UNCONFIRMED in decision.facts:
                    intent = CALLS[Happening.CAPTURE_CONFIRMED](intent).intent
        assert (intent.status, intent.is_voiding) == (Status.SETTLED, False)


def test_posting_before_the_requested_capture_publishes_both() -> None:
    assert domain.settle(intent_in(Stage.CAPTURING), amount_minor=15050, at=T1).facts == (Fact.CAPTURED, Fact.SETTLED)


def test_another_amount_than_requested_moves_nothing_by_itself() -> None:
    capturing = domain.request_capture(intent_in(Stage.AUTHORIZED), amount_minor=10000, at=T1).intent
    with pytest.raises(NotYet):
        domain.settle(capturing, amount_minor=9999, at=T1)
    checked = domain.capture(capturing, amount_minor=9999, at=T1)
    assert (checked.intent.stage, checked.facts) == (Stage.CAPTURING, (Fact.CAPTURE_UNCONFIRMED,))
    confirmed = domain.confirm_capture(checked.intent, amount_minor=9999, at=T1)
    assert (confirmed.intent.stage, confirmed.intent.captured_minor) == (Stage.CAPTURED, 9999)
    assert domain.settle(confirmed.intent, amount_minor=9999, at=T1).intent.status is Status.SETTLED


@pytest.mark.parametrize("stage", [Stage.AUTHORIZED, Stage.VOIDING, Stage.DECLINED, *ENDED])
def test_a_capture_at_the_processor_converges_in_any_order(stage: Stage) -> None:
    happenings = (Happening.CAPTURED, Happening.CAPTURE_CONFIRMED, Happening.POSTED)
    for order in permutations(happenings):
        intent, waiting, facts = intent_in(stage), list(order), list[Fact]()
        for _ in happenings:
            for happening in list(waiting):
                try:
                    decision = CALLS[happening](intent)
                except NotYet:
                    continue
                waiting.remove(happening)
                intent, facts = decision.intent, [*facts, *decision.facts]
        assert not waiting
        assert intent.status is Status.SETTLED
        assert [fact for fact in facts if fact is not Fact.CAPTURE_UNCONFIRMED] == [Fact.CAPTURED, Fact.SETTLED]


def test_other_money_is_a_contradiction() -> None:
    intent = intent_in(Stage.PROCESSING)
    domain.require_same_money(intent, amount_minor=15050, currency="BRL")
    for amount, currency in ((15051, "BRL"), (15050, "USD")):
        with pytest.raises(ContradictoryOutcome):
            domain.require_same_money(intent, amount_minor=amount, currency=currency)


def test_another_capture_than_was_known_is_a_contradiction() -> None:
    held = intent_in(Stage.AUTHORIZED)
    domain.require_captured_money(held, amount_minor=1, currency="BRL")
    for intent, amount, currency in (
        (held, 15051, "BRL"),
        (held, 1, "USD"),
        (intent_in(Stage.SETTLED), 15049, "BRL"),
    ):
        with pytest.raises(ContradictoryOutcome):
            domain.require_captured_money(intent, amount_minor=amount, currency=currency)


def test_an_intent_is_never_changed_in_place() -> None:
    intent = intent_in(Stage.CREATED)
    before = msgspec.structs.asdict(intent)
    domain.confirm(intent, at=T1)
    assert msgspec.structs.asdict(intent) == before
