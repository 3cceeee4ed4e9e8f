"""What the processor's statement debits and credits, as an accountant has written it down."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_roles import Role
from libs.common.ids import new_id
from libs.common.money import InvalidAmount, UnsupportedCurrency
from services.ledger.accounts import default_roles
from services.ledger.core import Chart, Entry
from services.ledger.posting_rules.domain.movement_steps import Moved, MovementStory
from services.ledger.posting_rules.domain.movement_story import MOVEMENT_STORIES, entries_of
from services.ledger.posting_rules.domain.movements import Movement, available_entries, movement_entries
from services.ledger.posting_rules.domain.roles import roles_of

CHART = Chart(tenant_id="t", roles=default_roles("t"))
ROLE_OF = {account_id: role for role, account_id in CHART.roles.items()}
CHARGE = Movement(
    id=new_id(),
    kind=MovementKind.CHARGE,
    gateway_ref="txn_1",
    payment_intent_id=new_id(),
    amount_minor=1_000,
    currency="BRL",
    fees=((FeeKind.PROCESSOR, 59), (FeeKind.TAX, 6)),
    occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
)


def shown(entry: Entry) -> list[tuple[Side, Role, int, str]]:
    return [(line.side, ROLE_OF[line.account_id], line.amount_minor, line.currency) for line in entry.lines]


@pytest.mark.parametrize("story", MOVEMENT_STORIES, ids=lambda story: story.title)
def test_story_closes_as_an_accountant_has_written_it_down(story: MovementStory) -> None:
    found: Counter[str] = Counter()
    for entry in entries_of(story):
        for role, line in zip(roles_of(entry), entry.lines, strict=True):
            found[f"{role} {line.currency}"] += line.amount_minor * (1 if line.side is Side.DEBIT else -1)
    assert {account: amount for account, amount in found.items() if amount} == story.closing


def test_every_kind_of_movement_and_of_fee_has_a_story() -> None:
    moved = [step for story in MOVEMENT_STORIES for step in story.steps if isinstance(step, Moved)]
    assert {step.kind for step in moved} == set(MovementKind)
    assert {kind for step in moved for kind, _ in step.fees} == set(FeeKind)


@pytest.mark.parametrize(
    ("kind", "payment", "refund", "counterpart"),
    [
        (MovementKind.CHARGE, True, False, Role.CASH),
        (MovementKind.RELEASE, True, False, Role.CASH),
        (MovementKind.REFUND, True, True, Role.REFUND_CLEARING),
        (MovementKind.REFUND, True, False, Role.REFUND_CLEARING),
        (MovementKind.REFUND_FAILURE, True, True, Role.REFUND_CLEARING),
        (MovementKind.REFUND_FAILURE, True, False, Role.REFUND_CLEARING),
        (MovementKind.DISPUTE, True, False, Role.DISPUTE_CLEARING),
        (MovementKind.DISPUTE_REVERSAL, True, False, Role.DISPUTE_CLEARING),
        *((kind, False, False, Role.SUSPENSE) for kind in list(MovementKind)[:6]),
        (MovementKind.PAYOUT, False, False, Role.GATEWAY_CLEARING),
        (MovementKind.PAYOUT_RETURN, False, False, Role.GATEWAY_CLEARING),
        (MovementKind.FEE, False, False, Role.PROCESSOR_FEES),
        (MovementKind.TAX, False, False, Role.TAX_RECOVERABLE),
        (MovementKind.RESERVE, False, False, Role.RESERVES),
        (MovementKind.PLATFORM_EARNING, False, False, Role.PLATFORM_EARNINGS),
        (MovementKind.PLATFORM_EARNING_REFUND, False, False, Role.PLATFORM_EARNINGS),
        (MovementKind.PLATFORM_FEE_REFUND, False, False, Role.PLATFORM_FEES),
        (MovementKind.OPENING, False, False, Role.OPENING_BALANCE),
        (MovementKind.OTHER, True, False, Role.SUSPENSE),
    ],
)
def test_movement_meets_the_account_of_its_kind(
    kind: MovementKind, payment: bool, refund: bool, counterpart: Role
) -> None:
    moved = msgspec.structs.replace(
        CHARGE,
        kind=kind,
        payment_intent_id=new_id() if payment else None,
        refund_id=new_id() if refund else None,
        fees=(),
    )
    (entry,) = movement_entries(CHART, moved)
    assert shown(entry) == [
        (Side.DEBIT, Role.PROCESSOR_PENDING, 1_000, "BRL"),
        (Side.CREDIT, counterpart, 1_000, "BRL"),
    ]


def test_reported_twice_it_is_the_same_entries_and_other_money_is_not() -> None:
    source = {"source_amount_minor": 200, "source_currency": "USD"}
    exchanged = msgspec.structs.replace(CHARGE, **source)
    later = msgspec.structs.replace(
        exchanged, occurred_at=exchanged.occurred_at + timedelta(days=1), source_event_id=new_id()
    )
    remapped = Chart(tenant_id="t", roles={role: new_id() for role in Role})
    first, again = movement_entries(CHART, exchanged), movement_entries(remapped, later)
    assert [(entry.id, entry.digest) for entry in first] == [(entry.id, entry.digest) for entry in again]
    assert len({entry.id for entry in (*first, *available_entries(CHART, CHARGE))}) == 3
    other = movement_entries(CHART, msgspec.structs.replace(exchanged, fees=((FeeKind.PROCESSOR, 60),)))
    assert other[0].id == first[0].id
    assert other[0].digest != first[0].digest


def test_what_moves_nothing_is_no_entry() -> None:
    nothing = msgspec.structs.replace(CHARGE, amount_minor=0, fees=())
    assert movement_entries(CHART, nothing) == available_entries(CHART, nothing) == ()


def test_fee_without_an_amount_and_one_that_takes_all_are_balanced() -> None:
    (alone,) = movement_entries(CHART, msgspec.structs.replace(CHARGE, amount_minor=0, fees=((FeeKind.PROCESSOR, 59),)))
    assert shown(alone) == [
        (Side.DEBIT, Role.PROCESSOR_FEES, 59, "BRL"),
        (Side.CREDIT, Role.PROCESSOR_PENDING, 59, "BRL"),
    ]
    (whole,) = movement_entries(
        CHART, msgspec.structs.replace(CHARGE, amount_minor=59, fees=((FeeKind.PROCESSOR, 59),))
    )
    assert shown(whole) == [(Side.DEBIT, Role.PROCESSOR_FEES, 59, "BRL"), (Side.CREDIT, Role.CASH, 59, "BRL")]


@pytest.mark.parametrize("changes", [{"amount_minor": 10**16}, {"currency": "XYZ"}])
def test_what_no_book_can_hold_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((InvalidAmount, UnsupportedCurrency)):
        movement_entries(CHART, msgspec.structs.replace(CHARGE, **changes))
