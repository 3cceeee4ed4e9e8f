"""For developers: what became of a request, the catalogue of events, and where the documents are."""

import asyncio
from functools import cache
from typing import Any

import msgspec

from services.api.console.declared import Act, Column, Filter, Kind, Listing, Page, View
from services.api.console.showing import Table, buttons_of, show_listing
from services.api.console.visits import Visit
from services.api.http.webhook_events import Sent, sent_events

_LINES_MAX = "100"
_REDRIVE = Act(operation="redriveDeadLetter", title="Handle again", path={"service": "service", "letter_id": "id"})


@cache
def catalogue() -> dict[str, Sent]:
    """Return every event that endpoints may receive, by its name."""
    return {event.name: event for event in sorted(sent_events(), key=lambda event: event.name)}


async def show_events(visit: Visit) -> View:
    """Show the catalogue of events."""
    columns = (
        Column(member="name", title="Event", link="/console/events/{name}"),
        Column(member="summary", title="What has happened"),
    )
    rows = [{"name": event.name, "summary": visit.text(event.summary)} for event in catalogue().values()]
    return View(template="events.html", values={"table": Table(columns=columns, rows=rows)})


async def show_event(_visit: Visit, name: str) -> View | None:
    """Show one event: when it is sent, and an example of its body; None where there is no such event."""
    event = catalogue().get(name)
    if event is None:
        return None
    return View(template="event.html", title=event.name, values={"event": event})


_REQUESTS = Listing(
    operation="listRequests",
    filters=(
        Filter(name="status", choices=("2xx", "3xx", "4xx", "5xx")),
        Filter(name="method", choices=("GET", "POST", "PUT", "PATCH", "DELETE")),
        Filter(name="path", title="Path, or its beginning with a slash at the end"),
        Filter(name="code", title="Code"),
        Filter(name="actor", title="Who"),
        Filter(name="correlation_id", title="Correlation ID"),
        Filter(name="from", title="From", kind="date"),
        Filter(name="to", title="To", kind="date"),
    ),
    columns=(
        Column(member="at", title="At", kind=Kind.TIME, link="/console/requests?correlation_id={correlation_id}"),
        Column(member="method", title="Method"),
        Column(member="path", title="Path"),
        Column(member="status", title="Status", kind=Kind.COUNT),
        Column(member="code", title="Code"),
        Column(member="duration_ms", title="Milliseconds", kind=Kind.COUNT, is_minor=True),
        Column(member="actor", title="Who", is_minor=True),
    ),
    empty="Nothing like this was sent lately. Clear the filters, or send a request with an API key.",
)
_FURTHER = (
    Column(member="idempotency_key", title="Idempotency key", is_minor=True),
    Column(member="address", title="Address", is_minor=True),
    Column(member="user_agent", title="User agent", is_minor=True),
)
"""What is shown of one request alone."""


async def show_requests(visit: Visit) -> View:
    """Show what was sent lately, or one request and what it changed.

    Raises:
        Refused: when the API refuses to read it.
    """
    correlation_id = visit.query.get("correlation_id", "").strip()
    return await (show_request(visit, correlation_id) if correlation_id else show_listing(_REQUESTS, visit))


async def show_request(visit: Visit, correlation_id: str) -> View:
    """Show what the logs have of one request, by the correlation ID that its answer carried.

    Raises:
        Refused: when the API refuses to read it.
    """
    found, sent = await asyncio.gather(
        visit.read("listAudit", correlation_id=correlation_id, limit=_LINES_MAX),
        visit.read("listRequests", correlation_id=correlation_id, limit=_LINES_MAX),
    )
    # In the order in which it happened.
    rows = [{**line, "payment": _payment(line)} for line in reversed(found["data"])]
    columns = (
        Column(member="at", title="At", kind=Kind.TIME),
        Column(member="actor", title="Who"),
        Column(member="action", title="Action"),
        Column(member="target", title="On what", link="/console/payments/{payment}"),
        Column(member="outcome", title="Outcome", kind=Kind.STATE),
        Column(member="detail", title="Detail", kind=Kind.JSON, is_minor=True),
    )
    table = Table(
        columns=columns,
        rows=rows,
        empty="The log has nothing of this request: it changed nothing, or the ID is of another tenant.",
    )
    requests = Table(
        columns=(*(msgspec.structs.replace(column, link="") for column in _REQUESTS.columns), *_FURTHER),
        rows=[*reversed(sent["data"])],
        empty="It is not in the log of requests: it is too old, or it was sent by the console.",
    )
    return View(template="requests.html", values={"correlation_id": correlation_id, "table": table, "sent": requests})


def _payment(line: dict[str, str]) -> str:
    return line["target"] if line["action"].startswith("payment_intent.") else ""


async def show_reference(_visit: Visit) -> View:
    """Show where the documents of the API and of the messages are."""
    return View(template="reference.html", values={"count": len(catalogue())})


EVENTS = Page(
    key="events",
    title="Events",
    needs="getMe",
    group="Developers",
    show=show_events,
    one=show_event,
)
REQUESTS = Page(
    key="requests", title="Requests", needs="listRequests", group="Developers", show=show_requests, letter="q"
)
REFERENCE = Page(key="reference", title="Documents", needs="getMe", group="Developers", show=show_reference)


def _letter_id(letter: dict[str, str]) -> str:
    return f"{letter['service']}.{letter['id']}"


async def show_dead_letters(visit: Visit) -> View:
    """Show the messages that services could not handle.

    Raises:
        Refused: when the API refuses to list them.
    """
    service = visit.query.get("service", "")
    found = await visit.read("listDeadLetters", service=service)
    rows = [{**letter, "letter": _letter_id(letter)} for letter in found["data"]]
    table = Table(
        columns=(
            Column(member="message_type", title="Message", link="/console/dead-letters/{letter}"),
            Column(member="service", title="Service"),
            Column(member="queue", title="Queue", is_minor=True),
            Column(member="reason", title="Reason", kind=Kind.STATE),
            Column(member="detail", title="Detail"),
            Column(member="failed_at", title="Failed", kind=Kind.TIME),
        ),
        rows=rows,
        buttons=[await buttons_of(visit, (_REDRIVE,), row) for row in rows],
        empty="Every message was handled. Nothing is to be done.",
    )
    return View(
        template="dead_letters.html",
        values={"table": table, "queues": found["queues"], "unavailable": found["unavailable"]},
    )


async def show_dead_letter(visit: Visit, letter: str) -> View | None:
    """Show one message that could not be handled, with its content; None where the address names none.

    Raises:
        Refused: when the API refuses to show it.
    """
    service, _, letter_id = letter.partition(".")
    if not letter_id:
        return None
    found = await visit.read("getDeadLetter", path={"service": service, "letter_id": letter_id})
    columns = (
        Column(member="service", title="Service"),
        Column(member="queue", title="Queue", kind=Kind.CODE),
        Column(member="reason", title="Reason", kind=Kind.STATE),
        Column(member="detail", title="Detail"),
        Column(member="failed_at", title="Failed", kind=Kind.TIME),
        Column(member="message_id", title="Message ID", kind=Kind.CODE),
        Column(member="size_bytes", title="Bytes", kind=Kind.COUNT),
        Column(member="events", title="Events in it", kind=Kind.JSON),
        Column(member="omitted", title="Its content is left out because", kind=Kind.STATE),
        Column(member="content", title="Content", kind=Kind.JSON),
    )
    return View(
        template="thing.html",
        title=found["message_type"] or letter_id,
        values={
            "columns": columns,
            "thing": {**found, "content": _content(found["body"])},
            "buttons": await buttons_of(visit, (_REDRIVE,), found),
        },
    )


def _content(body: str | None) -> Any:
    try:
        return msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        return body


DEAD_LETTERS = Page(
    key="dead-letters",
    title="Dead letters",
    needs="listDeadLetters",
    group="Developers",
    show=show_dead_letters,
    one=show_dead_letter,
)
