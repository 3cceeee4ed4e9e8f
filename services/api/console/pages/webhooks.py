"""Webhooks: endpoints and how they do, deliveries with their attempts, replays as they go on."""

import msgspec

from services.api.console.declared import HIDDEN, Act, Column, Detail, Filter, Kind, Listing, Page, Panel, View
from services.api.console.showing import Table, buttons_of
from services.api.console.visits import Visit

_ENDPOINT = {"endpoint_id": "id"}
_STATUSES = ("PENDING", "DELIVERED", "FAILED")
_REPLAYS_RUNNING = ("RUNNING",)

_ATTEMPTS = Column(
    member="attempts",
    title="Attempts",
    kind=Kind.ROWS,
    columns=(
        Column(member="number", title="Attempt"),
        Column(member="attempted_at", title="At", kind=Kind.TIME),
        Column(member="status_code", title="Answer"),
        Column(member="duration_ms", title="Milliseconds", kind=Kind.COUNT),
        Column(member="error", title="Error"),
        Column(member="response_excerpt", title="Beginning of the answer"),
    ),
)
_DELIVERY = (
    Column(member="event_type", title="Event", link="/console/deliveries/{event_id}"),
    Column(member="status", title="Status", kind=Kind.STATE),
    Column(member="created_at", title="Created", kind=Kind.TIME),
    _ATTEMPTS,
    Column(member="next_attempt_at", title="Next attempt", kind=Kind.TIME, is_minor=True),
    Column(member="end_reason", title="Ended because", is_minor=True),
    Column(member="replays", title="Replays", kind=Kind.COUNT, is_minor=True),
)
_AGAIN = Act(
    operation="replayWebhook",
    title="Deliver again",
    path={"endpoint_id": "endpoint_id", "event_ids": "event_id"},
    fill={"outcomes": "failed\nmissing\ndelivered"},
)

ENDPOINTS = Listing(
    operation="listWebhooks",
    columns=(
        Column(member="url", title="Address", link="/console/webhooks/{id}"),
        Column(member="health.status", title="Health", kind=Kind.STATE),
        Column(member="events", title="Events", kind=Kind.LIST),
        Column(member="health.waiting", title="Waiting", kind=Kind.COUNT),
        Column(member="health.delivered_recently", title="Delivered recently", kind=Kind.COUNT, is_minor=True),
        Column(member="health.failed_recently", title="Failed recently", kind=Kind.COUNT),
        Column(member="description", title="Description", is_minor=True),
    ),
    acts=(Act(operation="createWebhook", title="New endpoint"),),
    empty="No endpoint receives events yet. Register the address of your server with New endpoint.",
)

ENDPOINT = Detail(
    operation="getWebhook",
    parameter="endpoint_id",
    title="url",
    fields=(
        Column(member="health.status", title="Health", kind=Kind.STATE),
        Column(member="is_active", title="Switched on", kind=Kind.FLAG),
        Column(member="events", title="Events", kind=Kind.LIST),
        Column(member="description", title="Description"),
        Column(member="health.waiting", title="Waiting", kind=Kind.COUNT),
        Column(member="health.delivered_recently", title="Delivered recently", kind=Kind.COUNT),
        Column(member="health.failed_recently", title="Failed recently", kind=Kind.COUNT),
        Column(member="health.consecutive_failures", title="Failures in a row", kind=Kind.COUNT),
        Column(member="health.failing_since", title="Failing since", kind=Kind.TIME),
        Column(member="health.last_error", title="Last error"),
        Column(member="health.paused_until", title="Paused until", kind=Kind.TIME),
        Column(member="health.disables_at", title="Is switched off at", kind=Kind.TIME),
        Column(member="disabled_reason", title="Switched off because"),
        Column(member="gap.count", title="Events missed while it was off", kind=Kind.COUNT),
        Column(member="gap.since", title="Missed since", kind=Kind.TIME),
        Column(member="gap.until", title="Missed until", kind=Kind.TIME),
        Column(member="rate_limit_per_second", title="Attempts per second at most", kind=Kind.COUNT),
        Column(member="is_ordered", title="In order of each payment", kind=Kind.FLAG),
        Column(member="header_names", title="Headers of your own", kind=Kind.LIST),
        Column(member="public_key", title="Public key", kind=Kind.CODE),
        Column(member="created_at", title="Created", kind=Kind.TIME),
        Column(member="id", title="ID", kind=Kind.CODE),
    ),
    acts=(
        Act(operation="testWebhook", title="Send a test event", path=_ENDPOINT),
        Act(operation="replayWebhook", title="Replay", path=_ENDPOINT, fill={"outcomes": "failed\nmissing"}),
        Act(operation="changeWebhook", title="Change", path=_ENDPOINT),
        Act(operation="rotateWebhookSecret", title="Rotate the secret", path=_ENDPOINT),
        Act(operation="deleteWebhook", title="Delete", path=_ENDPOINT, is_danger=True),
    ),
    panels=(
        Panel(
            title="Deliveries",
            operation="listWebhookDeliveries",
            path=_ENDPOINT,
            columns=_DELIVERY,
            empty="Nothing was delivered yet. Send a test event to try the endpoint.",
            acts=(_AGAIN,),
        ),
    ),
)

DELIVERY_LIST = Listing(
    operation="listAllWebhookDeliveries",
    filters=(
        Filter(name="status", title="Status", choices=_STATUSES),
        Filter(name="event_type", title="Event"),
        Filter(name="event_id", title="Event ID"),
        Filter(name="from", title="From", kind="date"),
        Filter(name="to", title="To", kind="date"),
    ),
    columns=(
        *_DELIVERY,
        Column(member="endpoint_id", title="Endpoint", kind=Kind.CODE, link="/console/webhooks/{endpoint_id}"),
    ),
    row_acts=(_AGAIN,),
    empty="No delivery is like this. Clear the filters, or register an endpoint.",
)


async def show_event(visit: Visit, event_id: str) -> View:
    """Show every delivery of one event, with all attempts.

    Raises:
        Refused: when the API refuses to read them.
    """
    found = await visit.read("listAllWebhookDeliveries", event_id=event_id)
    deliveries = found["data"]
    return View(
        template="deliveries.html",
        title=deliveries[0]["event_type"] if deliveries else event_id,
        values={
            "event_id": event_id,
            "body": msgspec.json.decode(deliveries[0]["body"]) if deliveries and deliveries[0]["body"] else None,
            "columns": _ATTEMPTS.columns,
            "deliveries": [
                (
                    one,
                    await buttons_of(visit, (_AGAIN,), one),
                    Table(columns=_ATTEMPTS.columns, rows=one["attempts"], empty="No attempt was made yet."),
                )
                for one in deliveries
            ],
        },
    )


async def show_replay(visit: Visit, replay_id: str) -> View:
    """Show how far a replay is; the page asks again until it has ended.

    Raises:
        Refused: when the API refuses to read it.
    """
    replay = await visit.read("getWebhookReplay", path={"replay_id": replay_id})
    cancel = Act(
        operation="cancelWebhookReplay",
        title="Stop",
        path={"replay_id": "id"},
        when=("status", _REPLAYS_RUNNING),
        is_danger=True,
    )
    return View(
        template="replay.html",
        values={
            "replay": replay,
            "is_running": replay["status"] in _REPLAYS_RUNNING,
            "buttons": await buttons_of(visit, (cancel,), replay),
        },
    )


WEBHOOKS = Page(
    key="webhooks",
    title="Endpoints",
    needs="listWebhooks",
    group="Webhooks",
    show=ENDPOINTS,
    one=ENDPOINT,
    letter="w",
)
DELIVERIES = Page(
    key="deliveries",
    title="Deliveries",
    needs="listAllWebhookDeliveries",
    group="Webhooks",
    show=DELIVERY_LIST,
    one=show_event,
    letter="v",
)
REPLAYS = Page(key="replays", title="Replays", needs="getWebhookReplay", group=HIDDEN, one=show_replay)
