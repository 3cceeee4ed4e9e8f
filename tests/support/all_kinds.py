"""A history with entries of every kind that a rule or a person makes, over random amounts, for those who read the books."""

import random
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.ids import new_id
from services.ledger.accounts.domain import default_roles
from services.ledger.core import Chart, Entry
from services.ledger.posting_rules.domain import (
    PAYMENT_RULES,
    Movement,
    Occurrence,
    available_entries,
    movement_entries,
)

CURRENCIES = ("BRL", "JPY", "KWD", "CLF", "USD")


def of_every_rule(tenant_id: str, dice: random.Random, *, at: datetime) -> Iterator[Entry]:
    """Make what the rules of payments, payouts and movements post, by the chart that every tenant begins with."""
    chart = Chart(tenant_id=tenant_id, roles=default_roles(tenant_id))
    for rule in PAYMENT_RULES.values():
        yield rule(
            chart,
            Occurrence(
                subject_id=new_id(),
                payment_intent_id=dice.choice((None, new_id())),
                amount_minor=dice.randint(1, 10 ** dice.randint(1, 12)),
                currency=dice.choice(CURRENCIES),
                occurred_at=at,
                source_event_id=new_id(),
            ),
        )
    for kind in MovementKind:
        moved = _movement(kind, dice, at)
        yield from movement_entries(chart, moved)
        yield from available_entries(chart, moved)


def _movement(kind: MovementKind, dice: random.Random, at: datetime) -> Movement:
    amount_minor = dice.randint(100, 10**6) * dice.choice((1, -1))
    settled, paid = dice.sample(CURRENCIES, 2)
    is_exchanged = dice.random() < 0.5
    intent: UUID | None = dice.choice((None, new_id()))
    return Movement(
        id=new_id(),
        kind=kind,
        gateway_ref="ref",
        payment_intent_id=intent,
        amount_minor=amount_minor,
        currency=settled,
        fees=((FeeKind.PROCESSOR, dice.randint(1, 50)), (FeeKind.TAX, dice.randint(1, 9))),
        source_amount_minor=2 * amount_minor if is_exchanged else 0,
        source_currency=paid if is_exchanged else "",
        occurred_at=at,
        source_event_id=new_id(),
    )
