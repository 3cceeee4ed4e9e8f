"""How the gateway remembers: the only SQL.

`attempts` keeps what was asked, on the hot path, in groups; `notices` changes all that belongs to one payment in one
transaction, when the processor tells something unasked; `events` keeps what Stripe tells, as it came; `configs` keeps the
processor accounts of tenants, `accounts` whose each of them is; `sandbox` is the memory of the processor that moves no money.
"""

from services.gateway.store.accounts import AccountStore, Move
from services.gateway.store.attempts import AttemptStore, OpenOutcomes, Recording
from services.gateway.store.configs import ConfigStore
from services.gateway.store.events import EventStatus, EventStore, Finished, RawEvent, WaitingEvents
from services.gateway.store.notices import NoticeStore, Payment, RacedError
from services.gateway.store.sandbox import SandboxRow, SandboxStore

__all__ = [
    "AccountStore",
    "AttemptStore",
    "ConfigStore",
    "EventStatus",
    "EventStore",
    "Finished",
    "Move",
    "NoticeStore",
    "OpenOutcomes",
    "Payment",
    "RacedError",
    "RawEvent",
    "Recording",
    "SandboxRow",
    "SandboxStore",
    "WaitingEvents",
]
