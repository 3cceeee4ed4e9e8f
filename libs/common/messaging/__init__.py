"""How services exchange messages: contracts become topology; the outbox, the relay, packs, the inbox, redelivery, requests."""

from libs.common.messaging.bus import Bus
from libs.common.messaging.envelope import Publication, Received
from libs.common.messaging.inbox import inbox_partitions, inbox_table
from libs.common.messaging.outbox import (
    INSERT_OUTBOX,
    INSERT_OUTBOX_OF,
    OUTBOX_ARRAYS,
    OUTBOX_COLUMNS,
    outbox_refused_table,
    outbox_table,
    publish,
)
from libs.common.messaging.published import published_partitions, published_table
from libs.common.messaging.refused import operator_actions_table, write_down

__all__ = [
    "INSERT_OUTBOX",
    "INSERT_OUTBOX_OF",
    "OUTBOX_ARRAYS",
    "OUTBOX_COLUMNS",
    "Bus",
    "Publication",
    "Received",
    "inbox_partitions",
    "inbox_table",
    "operator_actions_table",
    "outbox_refused_table",
    "outbox_table",
    "publish",
    "published_partitions",
    "published_table",
    "write_down",
]
