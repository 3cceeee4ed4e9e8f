"""Everything about one payment: what the customer does next, and the webhooks that were sent of it."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from libs.common.contracts.base import REGISTRY
from services.api.console.calling import Refused
from services.api.console.declared import Column, Detail, Kind, View
from services.api.console.showing import Button, Table, show_detail
from services.api.console.visits import Visit

_EVENTS_MAX = 5
"""Events of a payment whose webhooks are shown, the newest ones: each is a request to the notifier, and one of those that whoever
looks may make in a minute. The list of deliveries has all."""
_PUBLIC = frozenset(message.contract.name for message in REGISTRY.values() if message.contract.public)
"""The events that endpoints receive; a timeline has commands to other services too."""
_DELIVERIES = (
    Column(member="event_type", title="Event"),
    Column(member="status", title="Status", kind=Kind.STATE),
    Column(member="endpoint_id", title="Endpoint", kind=Kind.CODE, link="/console/webhooks/{endpoint_id}"),
    Column(member="tries", title="Attempts", kind=Kind.COUNT),
    Column(member="answer", title="Last answer"),
    Column(member="tried_at", title="Last attempt", kind=Kind.TIME),
    Column(member="next_attempt_at", title="Next attempt", kind=Kind.TIME, is_minor=True),
)


async def show_payment(detail: Detail, visit: Visit, intent_id: str) -> View:
    """Show a payment.

    Raises:
        Refused: when the API refuses to read it.
    """
    view = await show_detail(detail, visit, intent_id)
    thing = view.values["thing"]
    return View(
        template=view.template,
        title=view.title,
        values={
            **view.values,
            "deliveries": await _deliveries(visit, thing.get("events") or []),
            "action": thing.get("next_action"),
            "left": left_of(thing),
            "may_audit": await visit.may("listAudit"),
        },
    )


def left_of(thing: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what can be captured and what can be refunded still, pending refunds apart; without what is nothing."""
    held, taken, returned = (
        Decimal(thing.get(name) or 0) for name in ("authorized_amount", "captured_amount", "refunded_amount")
    )
    capturable = held - taken if thing.get("status") == "AUTHORIZED" else Decimal(0)
    return {
        name: str(amount)
        for name, amount in (("capturePaymentIntent", capturable), ("refundPaymentIntent", taken - returned))
        if amount > 0
    }


async def _deliveries(visit: Visit, events: Sequence[Mapping[str, Any]]) -> Table | None:
    """Read what was sent of a payment's events; None where whoever looks may not."""
    if not await visit.may("listAllWebhookDeliveries"):
        return None
    newest = [str(event["id"]) for event in events if event["type"] in _PUBLIC][-_EVENTS_MAX:]
    try:
        pages = await asyncio.gather(*(visit.read("listAllWebhookDeliveries", event_id=event) for event in newest))
    except Refused as refused:
        return Table(columns=_DELIVERIES, rows=(), refused=refused)
    rows = [_delivery(row) for page in reversed(pages) for row in page["data"]]
    return Table(
        columns=_DELIVERIES,
        rows=rows,
        buttons=[_again(row) for row in rows] if await visit.may("replayWebhook") else (),
        empty="No webhook was sent of it: no endpoint takes its events.",
    )


def _delivery(row: Mapping[str, Any]) -> Mapping[str, Any]:
    last = row["attempts"][-1] if row["attempts"] else {}
    return {
        **row,
        "tries": len(row["attempts"]),
        "answer": last.get("error") or last.get("status_code"),
        "tried_at": last.get("attempted_at"),
    }


def _again(row: Mapping[str, Any]) -> Sequence[Button]:
    if not row["endpoint_id"]:
        return ()
    query = {"endpoint_id": row["endpoint_id"], "event_ids": row["event_id"], "outcomes": "failed\nmissing\ndelivered"}
    return (Button(title="Send again", address=f"/console/do/replayWebhook?{urlencode(query)}", is_danger=False),)
