"""A code or a slip that is voided, paid or left: reports come late, early and twice, in many orders, and it ends in one way."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.ids import new_id
from services.api.errors import CannotVoid, NotYet
from services.api.payments import domain
from services.api.payments.domain import Decision, Fact, PaymentIntent, Stage, Status

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ORDERS = 400
TWICE = 0.3
"""How often a report comes once more."""
MONEY = 15_050
REPORTS: dict[str, Callable[[PaymentIntent], Decision]] = {
    "shown": lambda intent: domain.require_action(intent, gateway_ref="pi_1", action_url="", next_action="{}", at=NOW),
    "held": lambda intent: domain.authorize(intent, gateway_ref="pi_1", at=NOW),
    "captured": lambda intent: domain.capture(intent, amount_minor=MONEY, at=NOW),
    "confirmed": lambda intent: domain.confirm_capture(intent, amount_minor=MONEY, at=NOW),
    "posted": lambda intent: domain.settle(intent, amount_minor=MONEY, at=NOW),
    "unpaid": lambda intent: domain.lapse(intent, at=NOW),
    "declined": lambda intent: domain.decline(intent, code="c", message="m", codes=DeclineCodes(), at=NOW),
    "released": lambda intent: domain.void(intent, at=NOW),
    "not_released": lambda intent: domain.fail_void(intent, at=NOW),
}


def story(reports: tuple[str, ...], *, answer: str, rng: random.Random) -> tuple[PaymentIntent, Counter[Fact]]:
    """Report in some order what happened at the processor, with a void of the merchant somewhere in between."""
    created = PaymentIntent(
        tenant_id="t",
        id=new_id(NOW),
        amount_minor=MONEY,
        currency="BRL",
        status=Status.CREATED,
        customer_ref="c",
        created_at=NOW,
        updated_at=NOW,
    )
    intent, facts = domain.confirm(created, at=NOW).intent, Counter[Fact]()
    due, voids_at = list(reports), rng.randrange(len(reports) + 2)
    for step in range(1_000):
        if step == voids_at:
            try:
                decision = domain.request_void(intent, at=NOW)
            except CannotVoid:
                continue
        elif due:
            name = due.pop(rng.randrange(len(due)))
            try:
                decision = REPORTS[name](intent)
            except NotYet:
                due.append(name)
                continue
            if rng.random() < TWICE:
                due.append(name)
        elif step > voids_at:
            return intent, facts
        else:
            continue
        intent = decision.intent
        facts.update(decision.facts)
        due += [answer] * decision.facts.count(Fact.VOID_REQUESTED)
        due += ["confirmed"] * decision.facts.count(Fact.CAPTURE_UNCONFIRMED)
    raise AssertionError(f"it is {intent.stage}, and these are always early: {due}")


@pytest.mark.parametrize(
    ("reports", "answer", "ends"),
    [
        (("shown", "held", "captured", "posted"), "not_released", {Stage.SETTLED}),
        (("held", "captured", "posted"), "not_released", {Stage.SETTLED}),
        (("shown", "unpaid"), "released", {Stage.LAPSED, Stage.VOIDED}),
        (("shown", "unpaid"), "not_released", {Stage.LAPSED, Stage.VOIDED}),
        (("shown", "declined"), "released", {Stage.DECLINED, Stage.VOIDED}),
    ],
)
def test_order_of_reports_changes_no_end(reports: tuple[str, ...], answer: str, ends: set[Stage]) -> None:
    rng = random.Random(1)
    stages = set[Stage]()
    for _ in range(ORDERS):
        intent, facts = story(reports, answer=answer, rng=rng)
        stages.add(intent.stage)
        is_taken = intent.stage is Stage.SETTLED
        assert (facts[Fact.CAPTURED], facts[Fact.SETTLED], intent.captured_minor) == (
            (1, 1, MONEY) if is_taken else (0, 0, 0)
        )
        assert facts[Fact.CAPTURE_REQUESTED] <= is_taken
        assert facts[Fact.VOIDED] == (intent.stage is Stage.VOIDED)
        assert facts[Fact.EXPIRED] == (intent.stage is Stage.LAPSED)
        assert not intent.is_voiding
    assert stages == ends
