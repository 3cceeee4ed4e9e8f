"""Payment intents, read one at a time or as lists."""

from services.api.payments.queries.activity import Activity
from services.api.payments.queries.facts import payment_facts
from services.api.payments.queries.intents import (
    STATUS_NAMES,
    IntentPage,
    by_order,
    cursor_page,
    disputes_of,
    get,
    numbered_page,
    references,
    refunds_of,
    timeline,
)
from services.api.payments.queries.totals import Totals

__all__ = [
    "STATUS_NAMES",
    "Activity",
    "IntentPage",
    "Totals",
    "by_order",
    "cursor_page",
    "disputes_of",
    "get",
    "numbered_page",
    "payment_facts",
    "references",
    "refunds_of",
    "timeline",
]
