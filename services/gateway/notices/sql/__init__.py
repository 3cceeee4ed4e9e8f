"""The SQL of notices: `events` as Stripe sent them, `adopting` what lists are compared with, `payments` under lock, and `resending` what was decided."""

from services.gateway.notices.sql.events import EventStatus, EventStore, Finished, RawEvent, WaitingEvents
from services.gateway.notices.sql.payments import Payment, RacedError

__all__ = [
    "EventStatus",
    "EventStore",
    "Finished",
    "Payment",
    "RacedError",
    "RawEvent",
    "WaitingEvents",
]
