"""The audit log: who did what, and who was denied what; as JSON, or as CSV for a spreadsheet."""

import msgspec
from litestar import Response

from libs.common.db import Database
from services.api.audit import AuditFilter, queries
from services.api.audit.schemas import AuditLine, AuditLines, audit_line
from services.api.errors import FeatureDisabled
from services.api.http.callers import PLATFORM_TENANT, Caller, Feature
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, next_link
from services.api.http.rendering import json_answer
from services.api.http.tables import csv_rows

LINES, LINES_MAX = 100, 1000
CSV_LINES_MAX = 10_000
"""Lines of one CSV file; what is older follows by `cursor`."""
_PERMISSION = "admin:write"
_OUTCOMES = {name: (name,) for name in ("success", "failed", "denied", "requested", "unknown")}
_FORMATS = {"json": ("json",), "csv": ("csv",)}
_COLUMNS = ("id", "at", "tenant_id", "actor", "action", "target", "outcome", "correlation_id", "detail")
_INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
_TEXT = {"type": "string", "maxLength": 256}
_QUERY = (
    QueryParameter(name="actor", description="By this subject or login name.", shape=_TEXT),
    QueryParameter(
        name="action",
        description="This action; one that ends in a dot means all that begin with it.",
        shape={**_TEXT, "examples": ["payment_intent.create", "auth."]},
    ),
    QueryParameter(name="target", description="On this id, permission or path.", shape=_TEXT),
    QueryParameter(name="outcome", description="With this outcome.", shape={"type": "string", "enum": [*_OUTCOMES]}),
    QueryParameter(name="correlation_id", description="Of this request.", shape=_TEXT),
    QueryParameter(name="from", description="At or after this date or instant (UTC).", shape=_INSTANT),
    QueryParameter(name="to", description="Until this instant, or on this date, included.", shape=_INSTANT),
    QueryParameter(
        name="limit",
        description=f"Lines at most; as CSV {CSV_LINES_MAX} whatever is given here.",
        shape={"type": "integer", "minimum": 1, "maximum": LINES_MAX, "default": LINES},
    ),
    QueryParameter(
        name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string", "maxLength": 512}
    ),
    QueryParameter(
        name="format",
        description="`csv` for a spreadsheet.",
        shape={"type": "string", "enum": [*_FORMATS], "default": "json"},
    ),
)


class AuditLog(Resource):
    """Routes: `GET /v1/audit`."""

    database: Database

    @operation(
        "GET",
        "/v1/audit",
        operation_id="listAudit",
        summary="List the audit log",
        description="Every change and every denial, newest first. With `format=csv`, or where text/csv is accepted, "
        "as a file. A platform operator who acts for the platform tenant also sees lines that belong to no tenant.",
        tags=["audit"],
        answer=AuditLines,
        permission=_PERMISSION,
        query=_QUERY,
        csv=True,
        refusals=(FeatureDisabled,),
    )
    async def list_audit(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        accepts = request.headers.get("accept") or ""
        formats = query.names("format", _FORMATS) or (("csv",) if "text/csv" in accepts else ("json",))
        as_csv = "csv" in formats
        if as_csv:
            await self.access.require(caller, Feature.AUDIT_EXPORT)
        limit = query.integer("limit", default=LINES, at_least=1, at_most=LINES_MAX)
        outcomes = query.names("outcome", _OUTCOMES)
        page = await queries.audit_page(
            self.database,
            caller.tenant_id,
            AuditFilter(
                actor=query.text("actor"),
                action=query.text("action"),
                target=query.text("target"),
                outcome=None if outcomes is None else outcomes[0],
                correlation_id=query.text("correlation_id"),
                at_from=query.begin(),
                at_until=query.end(),
            ),
            limit=CSV_LINES_MAX if as_csv else limit,
            cursor=query.cursor(),
            with_unproven=caller.principal.is_global_admin and caller.tenant_id == PLATFORM_TENANT,
        )
        headers = {"Link": next_link(query.given, page.next_cursor)} if page.next_cursor else {}
        shown = [audit_line(line) for line in page.lines]
        if as_csv:
            headers["Content-Disposition"] = 'attachment; filename="audit.csv"'
            return Response(csv_of(shown), media_type="text/csv", headers=headers)
        return json_answer(AuditLines(data=shown, next_cursor=page.next_cursor), headers=headers)


def csv_of(lines: list[AuditLine]) -> bytes:
    """Write lines as CSV."""
    return csv_rows(
        [
            _COLUMNS,
            *(
                [*(getattr(line, name) for name in _COLUMNS[:-1]), msgspec.json.encode(line.detail).decode()]
                for line in lines
            ),
        ]
    )
