"""What is always true of matching: what belongs together by a rule, and what is wrong with the rest. Pure."""

from services.gateway.reconciliation.matching.domain.comparing import (
    Coverage,
    Patience,
    arrival,
    line_of_bank,
    line_of_processor,
    named_by,
)
from services.gateway.reconciliation.matching.domain.facts import (
    Finding,
    Line,
    Match,
    Moved,
    Names,
    Pair,
    Part,
    Payout,
    plain,
)
from services.gateway.reconciliation.matching.domain.pairing import (
    TRIED_MAX,
    Around,
    Paired,
    bounds,
    pair_movements,
    paired,
)
from services.gateway.reconciliation.matching.domain.rules import MOVEMENTS, PAYOUTS, Source, by_default, faults_of

__all__ = [
    "MOVEMENTS",
    "PAYOUTS",
    "TRIED_MAX",
    "Around",
    "Coverage",
    "Finding",
    "Line",
    "Match",
    "Moved",
    "Names",
    "Pair",
    "Paired",
    "Part",
    "Patience",
    "Payout",
    "Source",
    "arrival",
    "bounds",
    "by_default",
    "faults_of",
    "line_of_bank",
    "line_of_processor",
    "named_by",
    "pair_movements",
    "paired",
    "plain",
]
