"""What is always true of replays."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from services.notifier.deliveries import Selection


class ReplayStatus(StrEnum):
    """Where a replay stands."""

    DRY_RUN = "DRY_RUN"
    """Counted only; nothing is kept of it."""
    RUNNING = "RUNNING"
    """Deliveries are being scheduled."""
    DONE = "DONE"
    """Everything is scheduled."""
    CANCELLED = "CANCELLED"
    """Somebody stopped it, or its endpoint takes nothing any more; what was scheduled stays so."""


class ReplayState(msgspec.Struct, frozen=True, kw_only=True):
    """One replay as it is kept."""

    tenant_id: str
    """The tenant."""
    id: UUID
    """The replay."""
    endpoint_id: UUID
    """The endpoint."""
    selection: Selection
    """What is replayed."""
    fingerprint: str
    """The selection and its bounds as text; the same key with another one is refused."""
    status: ReplayStatus
    """Where it stands."""
    total: int
    """Deliveries at the beginning."""
    scheduled: int
    """Deliveries scheduled so far."""
    position: UUID
    """The last event looked at."""
    until: UUID
    """The last event to look at."""
    created_at: datetime
    """When it was created."""
    ended_at: datetime | None = None
    """When everything was scheduled, or when it was cancelled."""
