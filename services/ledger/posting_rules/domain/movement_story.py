"""The rules of the processor's statement explained to an accountant, one story for each kind of movement. Pure.

A test posts every story to a real database as well: in its order, from its end, in any order, and twice.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_roles import Role
from services.ledger.core import Entry, Line
from services.ledger.posting_rules.domain.drawing import journal, t_accounts
from services.ledger.posting_rules.domain.movement_steps import (
    INTENT,
    NOW,
    Available,
    Happened,
    Moved,
    MovementStory,
)
from services.ledger.posting_rules.domain.movements import available_entries, movement_entries
from services.ledger.posting_rules.domain.payments import PAYMENT_RULES, Occurrence
from services.ledger.posting_rules.domain.roles import PROBE, roles_of


def _charge(
    amount: int, *fees: tuple[FeeKind, int], ref: str = "txn_charge", source: tuple[int, str] | None = None
) -> Moved:
    return Moved(ref=ref, kind=MovementKind.CHARGE, amount_minor=amount, fees=fees, source=source)


_FEE, _TAX, _PLATFORM = FeeKind.PROCESSOR, FeeKind.TAX, FeeKind.PLATFORM
_SALE = (Happened(kind=EntryKind.CAPTURE, amount_minor=15050), _charge(15050))
_SOLD = {"REVENUE BRL": -15050}
_LOST = Happened(kind=EntryKind.DISPUTE_LOST, amount_minor=15050)
_TAKEN = Moved(ref="txn_dispute", kind=MovementKind.DISPUTE, amount_minor=-15050, fees=((_FEE, 1500),))
_BACK = Moved(ref="txn_back", kind=MovementKind.DISPUTE_REVERSAL, amount_minor=15050)
_SENT = Moved(ref="txn_payout", kind=MovementKind.PAYOUT, amount_minor=-15050)
_RETURNED = Moved(ref="txn_return", kind=MovementKind.PAYOUT_RETURN, amount_minor=15050)
_ARRIVED = Happened(kind=EntryKind.PAYOUT_PAID, amount_minor=15050)
_GIVEN = Moved(ref="txn_refund", kind=MovementKind.REFUND, amount_minor=-5000, is_requested=True)
_REFUNDED = Happened(kind=EntryKind.REFUND, amount_minor=5000)
_CAME_BACK = Moved(ref="txn_failure", kind=MovementKind.REFUND_FAILURE, amount_minor=5000, is_requested=True)

MOVEMENT_STORIES = (
    MovementStory(
        title="Charge with its fee and tax",
        words="150.50 are captured. Of it the processor keeps 4.67, 0.30 of tax on that, and 2.00 for the platform that the "
        "account belongs to. After some days it can pay the rest out.",
        steps=(
            Happened(kind=EntryKind.CAPTURE, amount_minor=15050),
            _charge(15050, (_FEE, 467), (_TAX, 30), (_PLATFORM, 200)),
            Available(ref="txn_charge", net_minor=14353),
        ),
        closing=_SOLD
        | {
            "PROCESSOR_AVAILABLE BRL": 14353,
            "PROCESSOR_FEES BRL": 467,
            "TAX_RECOVERABLE BRL": 30,
            "PLATFORM_FEES BRL": 200,
        },
    ),
    MovementStory(
        title="Charge in another currency than the account settles in",
        words="100.00 USD are captured. The processor settles in BRL, at its rate of 5.4321, and keeps 16.06 of it.",
        steps=(
            Happened(kind=EntryKind.CAPTURE, amount_minor=10000, currency="USD"),
            _charge(54321, (_FEE, 1606), source=(10000, "USD")),
        ),
        closing={
            "REVENUE USD": -10000,
            "FX_POSITION USD": 10000,
            "FX_POSITION BRL": -54321,
            "PROCESSOR_PENDING BRL": 52715,
            "PROCESSOR_FEES BRL": 1606,
        },
    ),
    MovementStory(
        title="Partial capture in two lines",
        words="Of 150.50 that were held, 100.00 are captured. The statement has all of it, then what went back, with its fee.",
        steps=(
            Happened(kind=EntryKind.CAPTURE, amount_minor=10000),
            _charge(15050, (_FEE, 467)),
            Moved(ref="txn_rest", kind=MovementKind.RELEASE, amount_minor=-5050, fees=((_FEE, -147),)),
        ),
        closing={"REVENUE BRL": -10000, "PROCESSOR_PENDING BRL": 9680, "PROCESSOR_FEES BRL": 320},
    ),
    MovementStory(
        title="Hold that expired",
        words="Nobody captured the 150.50, and the statement has them once in each direction.",
        steps=(_charge(15050), Moved(ref="txn_rest", kind=MovementKind.RELEASE, amount_minor=-15050)),
        closing={},
    ),
    MovementStory(
        title="Refund that succeeds",
        words="50.00 leave the processor at once, and the refund succeeds days later.",
        steps=(*_SALE, _GIVEN, _REFUNDED),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 10050, "REFUND_EXPENSE BRL": 5000},
    ),
    MovementStory(
        title="Refund that is pending and fails",
        words="50.00 leave the processor and come back. It was no expense at any time.",
        steps=(*_SALE, _GIVEN, _CAME_BACK),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 15050},
    ),
    MovementStory(
        title="Refund that fails after it succeeded",
        words="The refund of 50.00 had succeeded, and the customer's bank sends it back.",
        steps=(*_SALE, _GIVEN, _REFUNDED, _CAME_BACK, Happened(kind=EntryKind.REFUND_FAILURE, amount_minor=5000)),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 15050},
    ),
    MovementStory(
        title="Refund that somebody made at the processor",
        words="A person gives 50.00 back on the processor's own pages. The statement shows it, and it is adopted as a refund of ours "
        "that has succeeded.",
        steps=(*_SALE, Moved(ref="txn_refund", kind=MovementKind.REFUND, amount_minor=-5000), _REFUNDED),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 10050, "REFUND_EXPENSE BRL": 5000},
    ),
    MovementStory(
        title="Dispute that is won",
        words="The bank takes 150.50 and the processor 15.00 for it. The bank gives its part back; the fee stays.",
        steps=(*_SALE, _TAKEN, _BACK),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 13550, "PROCESSOR_FEES BRL": 1500},
    ),
    MovementStory(
        title="Dispute that is lost",
        words="The bank keeps the 150.50.",
        steps=(*_SALE, _TAKEN, _LOST),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": -1500, "PROCESSOR_FEES BRL": 1500, "DISPUTE_LOSSES BRL": 15050},
    ),
    MovementStory(
        title="Dispute that is prevented",
        words="The money goes back to the customer before it becomes a dispute: nobody decides anything, and no fee is taken. A question of "
        "the bank before that, an inquiry, moves nothing.",
        steps=(*_SALE, msgspec.structs.replace(_TAKEN, fees=()), _LOST),
        closing=_SOLD | {"DISPUTE_LOSSES BRL": 15050},
    ),
    MovementStory(
        title="Refund and dispute of the same money",
        words="50.00 were given back, and the bank takes all of the 150.50 as well: both went through. The books have both, and "
        "`gateway_payments_given_back_twice_total` alerts, so that a person answers the dispute.",
        steps=(*_SALE, _GIVEN, _REFUNDED, _TAKEN, _LOST),
        closing=_SOLD
        | {
            "PROCESSOR_PENDING BRL": -6500,
            "PROCESSOR_FEES BRL": 1500,
            "REFUND_EXPENSE BRL": 5000,
            "DISPUTE_LOSSES BRL": 15050,
        },
    ),
    MovementStory(
        title="Dispute that changes its amount",
        words="The bank takes 100.00, makes it 60.00, and keeps those: what counts is what it took.",
        steps=(
            *_SALE,
            Moved(ref="txn_dispute", kind=MovementKind.DISPUTE, amount_minor=-10000),
            Moved(ref="txn_less", kind=MovementKind.DISPUTE_REVERSAL, amount_minor=4000),
            Happened(kind=EntryKind.DISPUTE_LOST, amount_minor=6000),
        ),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 9050, "DISPUTE_LOSSES BRL": 6000},
    ),
    MovementStory(
        title="Dispute that is lost and won on appeal",
        words="The bank reverses its decision and gives the 150.50 back: they leave the losses again.",
        steps=(*_SALE, _TAKEN, _LOST, _BACK, Happened(kind=EntryKind.DISPUTE_WON, amount_minor=15050, reversals=1)),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 13550, "PROCESSOR_FEES BRL": 1500},
    ),
    MovementStory(
        title="Payout that arrives",
        words="What can be paid out leaves the processor and arrives at the bank.",
        steps=(
            *_SALE,
            Available(ref="txn_charge", net_minor=15050),
            _SENT,
            Available(ref="txn_payout", net_minor=-15050),
            _ARRIVED,
        ),
        closing=_SOLD | {"BANK BRL": 15050},
    ),
    MovementStory(
        title="Payout that fails or is cancelled",
        words="It never arrives, and the 150.50 are back at the processor.",
        steps=(*_SALE, _SENT, _RETURNED),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 15050},
    ),
    MovementStory(
        title="Payout that arrived and fails",
        words="The processor had called it paid; the bank sends it back.",
        steps=(*_SALE, _SENT, _ARRIVED, _RETURNED, Happened(kind=EntryKind.PAYOUT_DEBITED, amount_minor=15050)),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 15050},
    ),
    MovementStory(
        title="Payout below zero",
        words="The account owes 15.00, and the processor takes them from the bank. A payout that is reversed looks the same.",
        steps=(
            Moved(ref="txn_fee", kind=MovementKind.FEE, amount_minor=-1500, is_ours=False),
            Moved(ref="txn_debit", kind=MovementKind.PAYOUT, amount_minor=1500, is_ours=False),
            Happened(kind=EntryKind.PAYOUT_DEBITED, amount_minor=1500),
        ),
        closing={"PROCESSOR_FEES BRL": 1500, "BANK BRL": -1500},
    ),
    MovementStory(
        title="Reserve",
        words="The processor sets 30.00 aside as security; tax of 0.50 comes without any payment.",
        steps=(
            *_SALE,
            Moved(ref="txn_reserve", kind=MovementKind.RESERVE, amount_minor=-3000, is_ours=False),
            Moved(ref="txn_tax", kind=MovementKind.TAX, amount_minor=-50, is_ours=False),
        ),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 12000, "RESERVES BRL": 3000, "TAX_RECOVERABLE BRL": 50},
    ),
    MovementStory(
        title="Account that has a balance when it is added",
        words="Of 300.00 that stand at the processor, 100.00 can be paid out. One entry brings in what there is, one what can be "
        "paid out of it. Later 50.00 more of the same money can be: a line of the statement that is older than the books.",
        steps=(
            Moved(ref="opening", kind=MovementKind.OPENING, amount_minor=30000, is_ours=False),
            Available(ref="opening", net_minor=10000),
            Available(ref="txn_older", net_minor=5000),
        ),
        closing={"PROCESSOR_PENDING BRL": 15000, "PROCESSOR_AVAILABLE BRL": 15000, "OPENING_BALANCE BRL": -30000},
    ),
    MovementStory(
        title="What a platform earns",
        words="The same 2.00 in the books of the platform, whose account gets them. With a refund it gives 0.67 back.",
        steps=(
            Moved(ref="txn_earned", kind=MovementKind.PLATFORM_EARNING, amount_minor=200, is_ours=False),
            Moved(ref="txn_given", kind=MovementKind.PLATFORM_EARNING_REFUND, amount_minor=-67, is_ours=False),
        ),
        closing={"PROCESSOR_PENDING BRL": 133, "PLATFORM_EARNINGS BRL": -133},
    ),
    MovementStory(
        title="Refund of which the platform gives its part back",
        words="Of the sale, 2.00 of which the platform took, 50.00 are given back, and with them 0.67 of its fee: a line of the "
        "statement of its own.",
        steps=(
            Happened(kind=EntryKind.CAPTURE, amount_minor=15050),
            _charge(15050, (_PLATFORM, 200)),
            _GIVEN,
            _REFUNDED,
            Moved(ref="txn_fee_back", kind=MovementKind.PLATFORM_FEE_REFUND, amount_minor=67, is_ours=False),
        ),
        closing=_SOLD | {"PROCESSOR_PENDING BRL": 9917, "REFUND_EXPENSE BRL": 5000, "PLATFORM_FEES BRL": 133},
    ),
    MovementStory(
        title="What fits nothing",
        words="A charge of 80.00 that is none of our payments, with a fee, and an adjustment that nobody explains: a person "
        "decides, and posts it where it belongs.",
        steps=(
            Moved(ref="txn_other", kind=MovementKind.CHARGE, amount_minor=8000, fees=((_FEE, 262),), is_ours=False),
            Moved(ref="txn_odd", kind=MovementKind.OTHER, amount_minor=-100, is_ours=False),
        ),
        closing={"PROCESSOR_PENDING BRL": 7638, "PROCESSOR_FEES BRL": 262, "SUSPENSE BRL": -7900},
    ),
)
"""One story for each kind of movement, and for what can become of it."""


def entries_of(story: MovementStory) -> list[Entry]:
    """Post a story to the probing chart."""
    entries: list[Entry] = []
    numbers: dict[str, int] = {}
    for step in story.steps:
        match step:
            case Moved():
                moved = step.as_movement(numbers.setdefault(step.ref, len(numbers)))
                entries += movement_entries(PROBE, moved)
            case Available():
                number = numbers.setdefault(step.ref, len(numbers))
                moved = Moved(ref=step.ref, kind=MovementKind.OTHER, amount_minor=step.net_minor).as_movement(number)
                entries += available_entries(PROBE, moved)
            case Happened():
                entries.append(PAYMENT_RULES[step.kind](PROBE, _occurrence(step)))
    return entries


def _occurrence(step: Happened) -> Occurrence:
    return Occurrence(
        subject_id=UUID(int=2000 + list(EntryKind).index(step.kind)),
        payment_intent_id=INTENT,
        amount_minor=step.amount_minor,
        currency=step.currency,
        occurred_at=NOW,
        source_event_id=None,
        reversals=step.reversals,
        by_statement=True,
    )


def movement_stories() -> list[str]:
    """Write the part of the page about the processor's statement."""
    lines = [
        "## The processor's statement",
        "",
        "Where a processor has a statement (Stripe's balance transactions), each of its lines is posted once, in the currency that",
        "the account settles in: gross, each part of its fee, and net. What became of payments is posted as above, in the currency",
        "of the payment. The two meet on an account that is empty once both are there, whichever was first: captures on `CASH`,",
        "refunds on `REFUND_CLEARING`, disputes on `DISPUTE_CLEARING`, payouts on `GATEWAY_CLEARING`. What is left there is what one",
        "side has and the other has not. `PROCESSOR_PENDING` and `PROCESSOR_AVAILABLE` are the processor's own two figures.",
        "",
        "An exchange is two entries against the currency position, at the processor's own rate, so it gains nothing.",
        "",
    ]
    for story in MOVEMENT_STORIES:
        entries = entries_of(story)
        touched = [role for entry in entries for role in roles_of(entry)]
        lines += [f"### {story.title}", "", story.words, "", "```text", *journal(entries), ""]
        lines += [*t_accounts(entries, touched=touched), "```", ""]
    return [*lines, *_deferred()]


def _deferred() -> list[str]:
    capture = PAYMENT_RULES[EntryKind.CAPTURE](
        msgspec.structs.replace(PROBE, roles={**PROBE.roles, Role.REVENUE: PROBE.roles[Role.DEFERRED_REVENUE]}),
        _occurrence(Happened(kind=EntryKind.CAPTURE, amount_minor=15050)),
    )
    earned = Entry(
        tenant_id=PROBE.tenant_id,
        id=UUID(int=3),
        kind=EntryKind.MANUAL,
        content="",
        payment_intent_id=None,
        occurred_at=NOW,
        source_event_id=None,
        lines=(
            Line(account_id=PROBE.roles[Role.DEFERRED_REVENUE], side=Side.DEBIT, amount_minor=15050, currency="BRL"),
            Line(account_id=PROBE.roles[Role.REVENUE], side=Side.CREDIT, amount_minor=15050, currency="BRL"),
        ),
    )
    entries: Sequence[Entry] = (capture, earned)
    return [
        "## When revenue is recognised",
        "",
        "At capture, unless the tenant chooses otherwise: `PUT /v1/accounts/roles/REVENUE` with the account `DEFERRED_REVENUE` lets a",
        "capture stand as a liability until it is earned, and an [entry by hand](manual-entries.md) recognises it.",
        "",
        "```text",
        *journal(entries),
        "",
        *t_accounts(entries, touched=[role for entry in entries for role in roles_of(entry)]),
        "```",
        "",
    ]
