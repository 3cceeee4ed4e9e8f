"""How the gateway remembers: the only SQL.

`attempts` keeps what was asked, on the hot path, in groups; `notices` changes all that belongs to one payment in one
transaction, when the processor tells something unasked; `sandbox` is the memory of the processor that moves no money.
"""

from services.gateway.store.attempts import AttemptStore, OpenOutcomes, Recording
from services.gateway.store.notices import NoticeStore, Payment, RacedError
from services.gateway.store.sandbox import SandboxRow, SandboxStore

__all__ = [
    "AttemptStore",
    "NoticeStore",
    "OpenOutcomes",
    "Payment",
    "RacedError",
    "Recording",
    "SandboxRow",
    "SandboxStore",
]
