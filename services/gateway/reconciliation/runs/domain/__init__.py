"""What is always true of a comparison: which facts belong together, and where the sides do not agree. Pure."""

from services.gateway.reconciliation.runs.domain.agreeing import agreeing
from services.gateway.reconciliation.runs.domain.at_once import Agreed, AtOnce
from services.gateway.reconciliation.runs.domain.books import compare_movement
from services.gateway.reconciliation.runs.domain.facts import (
    Compared,
    Difference,
    Match,
    MovementFact,
    Patience,
    PaymentGroup,
    PayoutFact,
    compared,
    entry_of,
)
from services.gateway.reconciliation.runs.domain.late import late, named_by_month
from services.gateway.reconciliation.runs.domain.only_booked import ASPECT as ONLY_BOOKED
from services.gateway.reconciliation.runs.domain.only_booked import OF_PAYOUTS, compare_entries
from services.gateway.reconciliation.runs.domain.payment import compare_payment
from services.gateway.reconciliation.runs.domain.payouts import compare_payout
from services.gateway.reconciliation.runs.domain.reported import Unreported, unreported

__all__ = [
    "OF_PAYOUTS",
    "ONLY_BOOKED",
    "Agreed",
    "AtOnce",
    "Compared",
    "Difference",
    "Match",
    "MovementFact",
    "Patience",
    "PaymentGroup",
    "PayoutFact",
    "Unreported",
    "agreeing",
    "compare_entries",
    "compare_movement",
    "compare_payment",
    "compare_payout",
    "compared",
    "entry_of",
    "late",
    "named_by_month",
    "unreported",
]
