"""The lifecycle of a payment intent: every stage against every happening."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from libs.common.ids import new_id
from services.api import domain
from services.api.domain import (
    LIFECYCLE,
    STATUS_OF,
    Decision,
    Fact,
    Happening,
    Move,
    Otherwise,
    PaymentIntent,
    Stage,
    Status,
)
from services.api.errors import ContradictoryOutcome, NotYet

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
T1 = T0 + timedelta(seconds=1)

CALLS: dict[Happening, Callable[[PaymentIntent], Decision]] = {
    Happening.CONFIRM: lambda i: domain.confirm(i, at=T1),
    Happening.AUTHORIZED: lambda i: domain.authorize(i, gateway_ref="g-1", at=T1),
    Happening.DECLINED: lambda i: domain.decline(i, code="insufficient_funds", message="No.", at=T1),
    Happening.CAPTURED: lambda i: domain.capture(i, at=T1),
    Happening.CAPTURE_FAILED: lambda i: domain.fail_capture(i, code="expired", message="Too late.", at=T1),
    Happening.POSTED: lambda i: domain.settle(i, at=T1),
}


def intent_in(stage: Stage) -> PaymentIntent:
    """An intent of 150.50 BRL in `stage`."""
    return PaymentIntent(
        tenant_id="t",
        id=new_id(),
        amount_minor=15050,
        currency="BRL",
        status=STATUS_OF[stage],
        customer_ref="c",
        captured_minor=15050 if stage in {Stage.CAPTURED, Stage.SETTLED} else 0,
        version=7,
        created_at=T0,
        updated_at=T0,
    )


def test_every_pair_has_a_row() -> None:
    assert set(LIFECYCLE) == {(stage, happening) for stage in Stage for happening in Happening}


@pytest.mark.parametrize("stage", Stage)
def test_an_intent_knows_its_stage(stage: Stage) -> None:
    assert intent_in(stage).stage is stage


@pytest.mark.parametrize(("stage", "happening"), LIFECYCLE)
def test_each_pair_does_what_its_row_says(stage: Stage, happening: Happening) -> None:
    intent, row = intent_in(stage), LIFECYCLE[stage, happening]
    if isinstance(row, Move):
        decision = CALLS[happening](intent)
        assert decision.intent.stage is row.to
        assert decision.facts == row.says
        assert (decision.intent.version, decision.intent.updated_at) == (8, T1)
    elif row is Otherwise.STAYS:
        assert CALLS[happening](intent) == Decision(intent)
    else:
        failure = {
            Otherwise.EARLY: NotYet,
            Otherwise.CONTRADICTS: ContradictoryOutcome,
        }[row]
        with pytest.raises(failure):
            CALLS[happening](intent)


@pytest.mark.parametrize(("stage", "happening"), LIFECYCLE)
def test_a_happening_heard_again_changes_nothing(stage: Stage, happening: Happening) -> None:
    if isinstance(LIFECYCLE[stage, happening], Move):
        moved = CALLS[happening](intent_in(stage)).intent
        assert not CALLS[happening](moved).changed


def test_nothing_leaves_a_final_stage() -> None:
    assert not any(isinstance(LIFECYCLE[s, h], Move) for s in (Stage.SETTLED, Stage.FAILED) for h in Happening)


def test_the_whole_way_is_said_once_and_in_order() -> None:
    intent, said = intent_in(Stage.CREATED), list[Fact]()
    way = (Happening.CONFIRM, Happening.AUTHORIZED, Happening.CAPTURED, Happening.POSTED)
    for happening in [again for one in way for again in (one, one)]:
        decision = CALLS[happening](intent)
        intent, said = decision.intent, [*said, *decision.facts]
    assert said == [
        Fact.AUTHORIZATION_WANTED,
        Fact.AUTHORIZED,
        Fact.CAPTURE_WANTED,
        Fact.CAPTURED,
        Fact.SETTLED,
    ]
    assert (intent.status, intent.captured_minor, intent.gateway_ref) == (Status.SETTLED, 15050, "g-1")
    assert (intent.authorized_at, intent.settled_at) == (T1, T1)


def test_a_posting_heard_before_its_capture_says_both() -> None:
    assert domain.settle(intent_in(Stage.AUTHORIZED), at=T1).facts == (Fact.CAPTURED, Fact.SETTLED)


def test_other_money_is_a_contradiction() -> None:
    intent = intent_in(Stage.PROCESSING)
    domain.require_same_money(intent, amount_minor=15050, currency="BRL")
    for amount, currency in ((15051, "BRL"), (15050, "USD")):
        with pytest.raises(ContradictoryOutcome):
            domain.require_same_money(intent, amount_minor=amount, currency=currency)


def test_an_intent_is_never_changed_in_place() -> None:
    intent = intent_in(Stage.CREATED)
    before = msgspec.structs.asdict(intent)
    domain.confirm(intent, at=T1)
    assert msgspec.structs.asdict(intent) == before
