"""What others wrote is shown as text, in every kind of column of every page."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

import services.api.console
from services.api.console.calling import Answer, Inside, Refused
from services.api.console.declared import Column, Kind, Page
from services.api.console.forms import WrongField, fields_of
from services.api.console.operations import Operations
from services.api.console.pages import PAGES
from services.api.console.rendering import rendered
from services.api.console.sessions import Session
from services.api.console.showing import Table
from services.api.console.texts import language
from services.api.console.visits import Preferences, Visit
from services.api.routing import RESOURCES, document

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
TEMPLATES = Path(services.api.console.__file__).parent / "templates"
READER = Preferences(language=language("pt"), theme="", zone=ZoneInfo("UTC"))


def columns_of(declared: Any) -> Iterator[Column]:
    """Yield every column of a declaration."""
    if isinstance(declared, Column):
        yield declared
    if isinstance(declared, msgspec.Struct):
        for value in msgspec.structs.asdict(declared).values():
            for one in value if isinstance(value, tuple) else (value,):
                yield from columns_of(one)


def row_of(columns: list[Column]) -> dict[str, Any]:
    """Make a row with hostile text wherever a column or its link looks."""
    row: dict[str, Any] = {}
    for column in columns:
        value: Any = {HOSTILE: HOSTILE} if column.kind is Kind.JSON else HOSTILE
        if column.kind is Kind.LIST:
            value = [HOSTILE]
        if column.kind is Kind.AMOUNTS:
            value = [{"amount": HOSTILE, "currency": HOSTILE}]
        if column.kind is Kind.ROWS:
            value = [row_of(list(column.columns))]
        for name in (column.member, column.currency, *re.findall(r"\{([\w.]+)\}", column.link)):
            place = row
            *above, last = name.split(".")
            for step in above:
                place = place.setdefault(step, {})
            place[last] = value if name == column.member else place.get(last, HOSTILE)
    return row


class Markup(HTMLParser):
    """Collects the elements of a page and the names of their attributes."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        self.names |= {tag, *(name for name, _ in attrs)}


def shown(template: str, values: dict[str, Any]) -> Markup:
    """Show a page to somebody whose name and tenant are hostile too."""

    async def permits(*_: str) -> bool:
        return True

    visit = Visit(
        inside=Inside(),
        operations=Operations((), dict),
        permits=permits,
        session=Session(token="t", csrf=HOSTILE, tenant_id=HOSTILE, name=HOSTILE, ends_at=0),
        preferences=READER,
        query={"q": HOSTILE},
        client=None,
        is_operator=True,
        now=datetime(2026, 11, 30, tzinfo=UTC),
    )
    around = {"visit": visit, "menu": [], "page": PAGES[0], "title": HOSTILE, "address": HOSTILE, "done": HOSTILE}
    return Markup(rendered(template, {**around, **values}, READER))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_hostile_text_is_text_in_every_column(page: Page) -> None:
    columns = [*columns_of(page.show), *columns_of(page.one)]
    rows = [row_of(columns)] if columns else []
    for found in (
        shown("events.html", {"table": Table(columns=columns, rows=rows, empty="-")}),
        shown("thing.html", {"columns": columns, "thing": rows[0] if rows else {}, "buttons": []}),
    ):
        assert "img" not in found.names
        assert not {name for name in found.names if name.startswith("on")}


def test_hostile_text_is_text_in_a_form_and_in_a_refusal() -> None:
    names = ("createPaymentIntent", "changeWebhook", "putRole", "deleteWebhook")
    operations = Operations(RESOURCES, lambda: document(RESOURCES))
    for operation in (operations[name] for name in names):
        fields = fields_of(operations, operation)
        problem = dict.fromkeys(("title", "detail", "code", "correlation_id"), HOSTILE) | {"errors": [HOSTILE]}
        found = shown(
            "act.html",
            {
                "operation": operation,
                "fields": fields,
                "path": dict.fromkeys(operation.parameters, HOSTILE),
                "before": {field.name: HOSTILE for field in fields},
                "written": {field.name: HOSTILE for field in fields},
                "subject": {"name": HOSTILE, "url": HOSTILE, "description": HOSTILE},
                "fault": Refused(Answer(status=400, headers={}, body=msgspec.json.encode(problem))),
                "left": None,
                "is_named": False,
                "wrong": WrongField(fields[0].name, fields[0].shape) if fields else None,
                "key": HOSTILE,
                "back": HOSTILE,
            },
        )

        assert "form" in found.names
        assert "img" not in found.names
        assert not {name for name in found.names if name.startswith("on")}


def test_no_template_shows_a_value_unescaped() -> None:
    for path in TEMPLATES.glob("*.html"):
        found = path.read_text()
        assert not re.search(r"\|\s*safe\b|autoescape|\son\w+=|\sstyle=|javascript:|<script(?! src=)", found), path.name
