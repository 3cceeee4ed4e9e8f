"""How services hear and speak: contracts become topology; the outbox, the relay, packs, the inbox, redelivery, requests."""

from libs.common.messaging.bus import Bus
from libs.common.messaging.envelope import Heard, Saying
from libs.common.messaging.inbox import inbox_partitions, inbox_table
from libs.common.messaging.outbox import (
    OUTBOX_COLUMNS,
    insert_outbox,
    outbox_arrays,
    outbox_refused_table,
    outbox_table,
    say,
)
from libs.common.messaging.published import published_partitions, published_table
from libs.common.messaging.refused import operator_actions_table, write_down

__all__ = [
    "OUTBOX_COLUMNS",
    "Bus",
    "Heard",
    "Saying",
    "inbox_partitions",
    "inbox_table",
    "insert_outbox",
    "operator_actions_table",
    "outbox_arrays",
    "outbox_refused_table",
    "outbox_table",
    "published_partitions",
    "published_table",
    "say",
    "write_down",
]
