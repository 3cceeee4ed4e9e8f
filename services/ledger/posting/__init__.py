"""The posting engine: the one way by which anything gets into the books.

A group of entries is posted in one transaction: every balance row that it touches is locked once, in the order of its
key; the entries are decided one after the other in memory, exactly as if each had come alone; then everything is written
by one statement, each balance row once. A hot account costs what a cold one does, and two processes that post to the
same accounts wait for each other and never in a circle.

`domain` is the pure part: what can be instructed, and how a group is decided. Two strategies write what it decides:
`post_locked` locks first and is right for everything, `post_optimistically` decides by remembered balances and lets the
database check them. `PostingService` takes single entries. Measured on two cores: `python -m tests.bench.ledger`.
"""

from services.ledger.posting.cache import BalanceCache
from services.ledger.posting.counting import count
from services.ledger.posting.domain.decision import BalanceKey, Decision, EntryKey, ExistingEntry, HoldKey, decide
from services.ledger.posting.domain.instructions import (
    Booking,
    Held,
    Instruction,
    Outcome,
    Placing,
    Posted,
    Refused,
    Releasing,
    Replayed,
)
from services.ledger.posting.locked import post_locked
from services.ledger.posting.optimistic import post_optimistically
from services.ledger.posting.service import CONTENTION_RETRIES_MAX, PostingService
from services.ledger.posting.sql.approval import KnownPolicies
from services.ledger.posting.sql.holds import HOLD_COLUMNS, holds_by_id, read_hold
from services.ledger.posting.waiting import earlier_groups_ended

__all__ = [
    "CONTENTION_RETRIES_MAX",
    "HOLD_COLUMNS",
    "BalanceCache",
    "BalanceKey",
    "Booking",
    "Decision",
    "EntryKey",
    "ExistingEntry",
    "Held",
    "HoldKey",
    "Instruction",
    "KnownPolicies",
    "Outcome",
    "Placing",
    "Posted",
    "PostingService",
    "Refused",
    "Releasing",
    "Replayed",
    "count",
    "decide",
    "earlier_groups_ended",
    "holds_by_id",
    "post_locked",
    "post_optimistically",
    "read_hold",
]
