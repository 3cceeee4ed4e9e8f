"""The closed list of what the gateway publishes: what became of attempts, and how disputes, fees and payouts stand."""

from collections.abc import Sequence
from typing import Any

from libs.common.contracts import Message, published_by
from libs.common.messaging import OUTBOX_COLUMNS, Publication, outbox_arrays

MESSAGES: tuple[type[Message], ...] = tuple(published_by("gateway"))
"""Every message that this service may put on the broker."""

OUTBOX_PARAMETERS = (
    ":event_id::uuid[], :contract::text[], :tenant_id::text[], :correlation_id::text[], :traceparent::text[], "
    ":occurred_at::timestamptz[], :body::text[]"
)
"""The parameters of a statement that publishes what it changes, from `outbox_values`, in the order of `OUTBOX_COLUMNS`."""


def outbox_values(publications: Sequence[Publication]) -> dict[str, list[Any]]:
    """Turn publications into the values of `OUTBOX_PARAMETERS`."""
    return dict(zip(OUTBOX_COLUMNS.split(", "), outbox_arrays(publications), strict=True))
