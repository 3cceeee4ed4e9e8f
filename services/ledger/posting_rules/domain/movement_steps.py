"""What a story of the processor's statement is made of: lines of the statement, and what became of payments. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.contracts.ledger import EntryKind
from services.ledger.posting_rules.domain.movements import Movement

NOW = datetime(2026, 11, 22, tzinfo=UTC)
"""When everything in the stories happens."""
INTENT = UUID(int=1)
"""The payment that the stories are about."""
REFUND = UUID(int=2)
"""Its refund that we requested."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the processor's statement."""

    ref: str
    """The processor's reference of it."""
    kind: MovementKind
    """What moved."""
    amount_minor: int
    """Before fees; below zero where it left."""
    fees: tuple[tuple[FeeKind, int], ...] = ()
    """What was kept."""
    is_ours: bool = True
    """Whether it belongs to the payment, where it belongs to one at all."""
    is_requested: bool = False
    """Whether it is the refund that we requested."""
    source: tuple[int, str] | None = None
    """The amount in the payment's currency, where that is another one."""

    def as_movement(self, number: int) -> Movement:
        """Make what the rules know of it."""
        amount, currency = self.source or (0, "")
        return Movement(
            id=UUID(int=1000 + number),
            kind=self.kind,
            gateway_ref=self.ref,
            payment_intent_id=INTENT if self.is_ours else None,
            refund_id=REFUND if self.is_requested else None,
            amount_minor=self.amount_minor,
            currency="BRL",
            fees=self.fees,
            source_amount_minor=amount,
            source_currency=currency,
            occurred_at=NOW,
        )


class Available(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the statement that can be paid out from now on."""

    ref: str
    """The line."""
    net_minor: int
    """After fees; below zero where it left."""


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the payment, a refund, a dispute or a payout."""

    kind: EntryKind
    """What."""
    amount_minor: int
    """How much."""
    currency: str = "BRL"
    """Of what."""
    reversals: int = 0
    """How often a decision had been reversed."""


type Step = Moved | Available | Happened
"""One thing that happens in a story."""


class MovementStory(msgspec.Struct, frozen=True, kw_only=True):
    """What happens, and what stands in the books at its end."""

    title: str
    """What it is an example of."""
    words: str
    """What happens."""
    steps: tuple[Step, ...]
    """In their order; none depends on it."""
    closing: Mapping[str, int]
    """What stands at the end, as an accountant has written it down: `ROLE currency`, debits less credits."""
