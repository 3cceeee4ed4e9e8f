"""Pages from templates: every value is escaped, and no page needs anything from another host."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

from services.api.console.assets import assets
from services.api.console.declared import Column, Kind, member_of, titled
from services.api.console.showing import linked
from services.api.console.values import Formats, as_json, tone
from services.api.console.visits import Preferences
from services.api.http.problems import PROBLEMS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script and no style but our own files; neither a page nor a value in it can bring one."""
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(
        assets={kind: asset.name for kind, asset in assets().items()},
        tone=tone,
        as_json=as_json,
        linked=linked,
        member=member_of,
        meaning=meaning,
    )
    return found


def rendered(template: str, values: Mapping[str, Any], preferences: Preferences) -> str:
    """Fill a template."""
    formats = Formats(preferences)

    def cell(column: Column, row: Mapping[str, Any]) -> dict[str, Any]:
        value = member_of(row, column.member)
        if column.kind is Kind.ROWS:
            # Made here: the macro that shows a value knows no row.
            value = [[cell(inner, one) for inner in column.columns] for one in value or ()]
        return {
            "value": value,
            "kind": column.kind.value,
            "link": linked(column.link, row) if column.link and value not in _EMPTY else "",
            "tone": column.tones.get(str(value)) or tone(value),
            "currency": member_of(row, column.currency) if column.kind is Kind.MONEY else None,
            "columns": column.columns,
        }

    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            t=preferences.language.text,
            label=lambda name: preferences.language.text(titled(name)),
            language=preferences.language.code,
            theme=preferences.theme,
            formats=formats,
            cell=cell,
        )
    )


def meaning(problem: Mapping[str, Any]) -> str:
    """Return what has happened by a problem's code, as the catalogue of them has it; its title where it has none."""
    known = PROBLEMS.get(str(problem.get("code")))
    title = problem.get("title")
    # Of the console's own refusals, the title says it better.
    return str(title or "") if known is None or title == problem.get("detail") else known.meaning()


def page(content: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Answer a page, which nobody keeps."""
    return Response(
        content.encode(),
        status_code=status,
        media_type="text/html",
        headers={
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            # Without any referrer, a browser says of no form from where it was sent.
            "Referrer-Policy": "same-origin",
            **(headers or {}),
        },
    )


def redirect(address: str) -> Response[bytes]:
    """Send the browser to another page of ours."""
    return Response(b"", status_code=303, headers={"Location": address, "Cache-Control": "no-store"})
