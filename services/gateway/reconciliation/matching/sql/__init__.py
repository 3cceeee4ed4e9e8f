"""How matching reads and writes."""

from services.gateway.reconciliation.matching.sql.lines import booked, naming, others, parted, rivals
from services.gateway.reconciliation.matching.sql.payouts import (
    arrivals,
    coverage,
    extremes,
    imported_days,
    movements,
    named,
    near,
)
from services.gateway.reconciliation.matching.sql.rules import add_rules, lock_source, sources
from services.gateway.reconciliation.matching.sql.shapes import Days, Near
from services.gateway.reconciliation.matching.sql.showing import (
    get_match,
    lines_of,
    list_lines,
    list_matches,
    lock,
    payouts_of,
)
from services.gateway.reconciliation.matching.sql.writing import add, matches_of_payouts, taken, undo

__all__ = [
    "Days",
    "Near",
    "add",
    "add_rules",
    "arrivals",
    "booked",
    "coverage",
    "extremes",
    "get_match",
    "imported_days",
    "lines_of",
    "list_lines",
    "list_matches",
    "lock",
    "lock_source",
    "matches_of_payouts",
    "movements",
    "named",
    "naming",
    "near",
    "others",
    "parted",
    "payouts_of",
    "rivals",
    "sources",
    "taken",
    "undo",
]
