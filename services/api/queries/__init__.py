"""What we can be told about payment intents: reads only."""

from services.api.queries.cursors import decode_cursor, encode_cursor
from services.api.queries.intents import STATUS_NAMES, IntentPage, by_order, cursor_page, get, numbered_page

__all__ = [
    "STATUS_NAMES",
    "IntentPage",
    "by_order",
    "cursor_page",
    "decode_cursor",
    "encode_cursor",
    "get",
    "numbered_page",
]
