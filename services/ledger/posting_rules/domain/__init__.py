"""The posting rules: which accounts each business event debits and credits. Pure, and written to be read by an accountant.

One function per event. A rule names roles; the tenant's chart names the account that plays each of them. What the functions
do, with a worked example for each, is `docs/chart-of-accounts.md`, which is generated from them.
"""

from services.ledger.posting_rules.domain.conversion import Conversion, conversion_entries
from services.ledger.posting_rules.domain.movements import (
    Movement,
    MovementRule,
    available_entries,
    movement_entries,
)
from services.ledger.posting_rules.domain.payments import (
    PAYMENT_RULES,
    Occurrence,
    PostingRule,
    capture_entry,
    dispute_lost_entry,
    dispute_opened_entry,
    dispute_won_entry,
    payout_created_entry,
    payout_debited_entry,
    payout_failed_entry,
    payout_paid_entry,
    processor_fee_entry,
    refund_entry,
    refund_failure_entry,
)
from services.ledger.posting_rules.domain.roles import check_role, opposites
from services.ledger.posting_rules.domain.story import STORIES, page

__all__ = [
    "PAYMENT_RULES",
    "STORIES",
    "Conversion",
    "Movement",
    "MovementRule",
    "Occurrence",
    "PostingRule",
    "available_entries",
    "capture_entry",
    "check_role",
    "conversion_entries",
    "dispute_lost_entry",
    "dispute_opened_entry",
    "dispute_won_entry",
    "movement_entries",
    "opposites",
    "page",
    "payout_created_entry",
    "payout_debited_entry",
    "payout_failed_entry",
    "payout_paid_entry",
    "processor_fee_entry",
    "refund_entry",
    "refund_failure_entry",
]
