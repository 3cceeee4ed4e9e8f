"""What we can be told about payment intents, and about who did what: reads only."""

from services.api.queries.audit import AuditPage, audit_page
from services.api.queries.cursors import decode_cursor, encode_cursor
from services.api.queries.intents import (
    STATUS_NAMES,
    IntentPage,
    by_order,
    cursor_page,
    disputes_of,
    get,
    numbered_page,
    refunds_of,
    timeline,
)
from services.api.queries.totals import Totals

__all__ = [
    "STATUS_NAMES",
    "AuditPage",
    "IntentPage",
    "Totals",
    "audit_page",
    "by_order",
    "cursor_page",
    "decode_cursor",
    "disputes_of",
    "encode_cursor",
    "get",
    "numbered_page",
    "refunds_of",
    "timeline",
]
