"""Requests about replays: deliveries that are made again."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.notifier.endpoints import EXAMPLE_ENDPOINT_ID, EXAMPLE_TENANT


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to have deliveries made again, and how far it is."""

    id: UUID | None
    """The replay; None of a dry run."""
    endpoint_id: UUID
    """The endpoint that receives again."""
    status: str
    """DRY_RUN, RUNNING, DONE (everything is scheduled) or CANCELLED (somebody, or the end of the endpoint, stopped it)."""
    total: int
    """Deliveries that the selection had when the replay was created."""
    scheduled: int
    """Deliveries scheduled so far."""
    created_at: datetime
    """When it was created."""
    ended_at: datetime | None = None
    """When everything was scheduled, or when it was cancelled."""


@request(
    "replays.start",
    owner="notifier",
    published_by=("api",),
    reply=Replay,
    example=EXAMPLE_TENANT | {"endpoint_id": EXAMPLE_ENDPOINT_ID, "key": "0190f3a4", "outcomes": ["failed", "missing"]},
)
class StartReplay(Message, frozen=True, kw_only=True):
    """Make deliveries again: one, many, those of a time, or all that were missed. Requested by the api.

    The same key and selection again is the same replay.
    """

    tenant_id: str
    """The tenant."""
    endpoint_id: UUID
    """The endpoint."""
    key: str
    """The idempotency key; not looked at in a dry run."""
    outcomes: tuple[str, ...] = ("failed", "missing")
    """`failed`: not delivered; `missing`: the endpoint lists the event and has no delivery of it; `delivered`: arrived."""
    event_ids: tuple[UUID, ...] = ()
    """These events alone, 1,000 at most; empty for all."""
    event_types: tuple[str, ...] = ()
    """Events of these names alone; empty for all."""
    since: datetime | None = None
    """Events from this instant on; by default from the endpoint's registration."""
    until: datetime | None = None
    """Events before this instant; by default until now."""
    is_dry_run: bool = False
    """Count only."""


@request(
    "replays.get",
    owner="notifier",
    published_by=("api",),
    reply=Replay,
    example=EXAMPLE_TENANT | {"replay_id": EXAMPLE_ENDPOINT_ID},
)
class GetReplay(Message, frozen=True, kw_only=True):
    """How far is this replay? Requested by the api."""

    tenant_id: str
    """The tenant."""
    replay_id: UUID
    """The replay."""


@request(
    "replays.cancel",
    owner="notifier",
    published_by=("api",),
    reply=Replay,
    example=EXAMPLE_TENANT | {"replay_id": EXAMPLE_ENDPOINT_ID},
)
class CancelReplay(Message, frozen=True, kw_only=True):
    """Schedule no more of this replay; what is scheduled stays so. Requested by the api; again it is success."""

    tenant_id: str
    """The tenant."""
    replay_id: UUID
    """The replay."""
