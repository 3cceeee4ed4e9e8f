"""What is always true of payments: the lifecycle as a table, and what each command and happening makes of an intent.

`lifecycle` is the table, `decisions` reads it; `intent`, `refund` and `dispute` are the nouns, `collection` and `returns`
what becomes of them; `lists` and `waiting` are what is read of many payments. Pure: no framework, no SQL, no wire.
"""

from services.api.payments.domain.collection import (
    authorize,
    capture,
    confirm,
    confirm_capture,
    decline,
    expire,
    fail_capture,
    fail_void,
    lapse,
    request_capture,
    request_void,
    require_action,
    settle,
    void,
)
from services.api.payments.domain.decisions import Decision
from services.api.payments.domain.dispute import Dispute, DisputeStatus
from services.api.payments.domain.intent import CaptureMethod, PaymentIntent, require_captured_money, require_same_money
from services.api.payments.domain.lifecycle import (
    COMMANDS,
    LIFECYCLE,
    STATUS_OF,
    Check,
    Fact,
    Happening,
    Move,
    Otherwise,
    Recount,
    Stage,
    Status,
)
from services.api.payments.domain.lists import IntentFilter, TimelineEvent
from services.api.payments.domain.refund import Refund, RefundStatus
from services.api.payments.domain.returns import (
    adopt_refund,
    change_dispute,
    close_inquiry,
    complete_refund,
    end_dispute,
    fail_refund,
    open_dispute,
    open_inquiry,
    request_refund,
)
from services.api.payments.domain.waiting import Due, Stuck, Sweep, Waiting

__all__ = [
    "COMMANDS",
    "LIFECYCLE",
    "STATUS_OF",
    "CaptureMethod",
    "Check",
    "Decision",
    "Dispute",
    "DisputeStatus",
    "Due",
    "Fact",
    "Happening",
    "IntentFilter",
    "Move",
    "Otherwise",
    "PaymentIntent",
    "Recount",
    "Refund",
    "RefundStatus",
    "Stage",
    "Status",
    "Stuck",
    "Sweep",
    "TimelineEvent",
    "Waiting",
    "adopt_refund",
    "authorize",
    "capture",
    "change_dispute",
    "close_inquiry",
    "complete_refund",
    "confirm",
    "confirm_capture",
    "decline",
    "end_dispute",
    "expire",
    "fail_capture",
    "fail_refund",
    "fail_void",
    "lapse",
    "open_dispute",
    "open_inquiry",
    "request_capture",
    "request_refund",
    "request_void",
    "require_action",
    "require_captured_money",
    "require_same_money",
    "settle",
    "void",
]
