"""How the services are: what each is still to publish, what waits in its queues, and which processors are called."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.api.console.calling import Refused
from services.api.console.declared import Column, Kind, Page, View
from services.api.console.showing import Table
from services.api.console.visits import Visit

BEHIND_SECONDS = 60.0
"""For how long a message may be due before its service is behind."""


def is_behind(service: Mapping[str, Any]) -> bool:
    """Whether somebody should look at a service: it does not answer, is late to publish, or leaves a queue alone."""
    if not service["is_answering"] or service["outbox_refused"]:
        return True
    return service["outbox_oldest_seconds"] > BEHIND_SECONDS or any(not each["consumers"] for each in service["queues"])


def is_held_up(circuit: Mapping[str, Any]) -> bool:
    """Whether calls do not go out."""
    return bool(circuit["state"] != "closed")


async def show_services(visit: Visit) -> View:
    """Show every service, and the processors that the gateway calls.

    Raises:
        Refused: when the API refuses to show the services.
    """
    services, circuits = await asyncio.gather(visit.read("listServiceHealth"), _circuits(visit))
    rows = [
        {
            **service,
            "state": ("behind" if is_behind(service) else "ok") if service["is_answering"] else "no answer",
            "waiting": sum(queue["waiting"] for queue in service["queues"]),
        }
        for service in services
    ]
    queues = [
        {**queue, "service": service["service"]}
        for service in services
        for queue in service["queues"]
        if queue["waiting"] or not queue["consumers"]
    ]
    return View(
        template="services.html",
        values={
            "services": Table(columns=_SERVICES, rows=rows),
            "queues": Table(columns=_QUEUES, rows=queues, empty="Every queue is empty, and each has its consumers."),
            "circuits": circuits,
        },
    )


async def _circuits(visit: Visit) -> Table:
    try:
        rows = await visit.read("listCircuits")
    except Refused as refused:
        return Table(columns=_CIRCUITS, rows=(), refused=refused)
    return Table(columns=_CIRCUITS, rows=rows, empty="No process of the gateway has reported in the last seconds.")


_SERVICES = (
    Column(member="service", title="Service"),
    Column(
        member="state", title="State", kind=Kind.STATE, tones={"ok": "good", "behind": "waiting", "no answer": "bad"}
    ),
    Column(member="outbox_pending", title="To be published", kind=Kind.COUNT),
    Column(member="outbox_oldest_seconds", title="Oldest, in seconds", kind=Kind.COUNT),
    Column(member="outbox_refused", title="Refused", kind=Kind.COUNT),
    Column(member="waiting", title="Waiting in queues", kind=Kind.COUNT),
)
_QUEUES = (
    Column(member="queue", title="Queue", kind=Kind.CODE),
    Column(member="service", title="Service"),
    Column(member="waiting", title="Messages", kind=Kind.COUNT),
    Column(member="consumers", title="Consumers", kind=Kind.COUNT),
)
_CIRCUITS = (
    Column(member="name", title="Processor or account", kind=Kind.CODE),
    Column(
        member="state",
        title="Calls",
        kind=Kind.STATE,
        tones={"closed": "good", "half_open": "waiting", "paused": "waiting", "open": "bad"},
    ),
    Column(member="since", title="Since", kind=Kind.TIME),
    Column(member="until", title="Next call", kind=Kind.TIME),
    Column(member="waiting", title="Waiting", kind=Kind.COUNT),
    Column(member="per_second", title="Calls a second at most", kind=Kind.COUNT, is_minor=True),
    Column(member="process", title="Process", kind=Kind.CODE, is_minor=True),
    Column(member="seen_at", title="Reported", kind=Kind.TIME, is_minor=True),
)

SERVICES = Page(
    key="services", title="Services", needs="listServiceHealth", group="Developers", show=show_services, letter="h"
)
"""Every service."""
