"""What the cancellation of an order means in every stage of its payment, under every policy."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.api.orders.domain import WATCHED_FOR, Step, next_look, next_step
from services.api.payments.domain import PaymentIntent, Stage
from services.api.payments.domain.lifecycle import LIFECYCLE, Move
from services.api.settings import CancelPolicy

pytestmark = pytest.mark.unit
VOIDED = {Stage.CREATED, Stage.PROCESSING, Stage.REQUIRES_ACTION, Stage.AUTHORIZED}
WAITED_FOR = {
    *(Stage.CANCELLING, Stage.ABANDONING, Stage.VOIDING, Stage.CAPTURING, Stage.CAPTURED),
    *(Stage.DECLINED, Stage.LAPSED),
}
WATCHED = {Stage.VOIDED, Stage.FAILED, Stage.EXPIRED}
GIVEN_BACK = {Stage.SETTLED, Stage.PARTIALLY_REFUNDED}


def payment(stage: Stage, *, left: int = 100) -> PaymentIntent:
    return cast(PaymentIntent, SimpleNamespace(stage=stage, refundable_minor=left))


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_has_its_step(stage: Stage) -> None:
    steps = {Step.VOID: VOIDED, Step.WAIT: WAITED_FOR, Step.WATCH: WATCHED}
    step: Any = next((step for step, stages in steps.items() if stage in stages), Step.DONE)
    assert next_step(payment(stage), CancelPolicy.VOID) is step
    assert next_step(payment(stage), CancelPolicy.REFUND) is (Step.REFUND if stage in GIVEN_BACK else step)
    assert next_step(payment(stage), CancelPolicy.IGNORE) is Step.DONE


def test_nothing_is_given_back_where_nothing_is_left() -> None:
    assert next_step(payment(Stage.SETTLED, left=0), CancelPolicy.REFUND) is Step.DONE


@pytest.mark.parametrize(("since", "pause"), [(0, 2), (-5, 2), (20, 2), (600, 60), (86_400, 8_640)])
def test_what_waits_long_is_looked_at_seldom(since: float, pause: float) -> None:
    at = datetime(2028, 2, 29, tzinfo=UTC)
    assert next_look(at - timedelta(seconds=since), at=at) == at + timedelta(seconds=pause)


def test_what_has_ended_is_looked_at_for_longer_than_funds_are_held() -> None:
    cancelled_at = at = datetime(2028, 2, 29, tzinfo=UTC)
    looks = 0
    while (due := next_look(cancelled_at, at=at, step=Step.WATCH)) is not None:
        at, looks = due, looks + 1
    assert at - cancelled_at > WATCHED_FOR
    assert looks < 25
    assert next_look(cancelled_at, at=at) is not None
    assert next_look(at, at=at, step=Step.REFUND) is next_look(at, at=at, step=Step.DONE) is None


@pytest.mark.parametrize("stage", Stage)
def test_nothing_that_may_still_be_collected_is_done(stage: Stage) -> None:
    # Otherwise the money of a cancelled order would be kept.
    leads_on = {move.to for (of, _), move in LIFECYCLE.items() if of is stage and isinstance(move, Move)}
    if next_step(payment(stage), CancelPolicy.VOID) is Step.DONE:
        assert leads_on <= GIVEN_BACK | {Stage.REFUNDED}, (stage, leads_on)
