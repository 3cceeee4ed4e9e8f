"""The log of requests: what was sent lately, and how it was answered."""

from litestar import Response

from libs.common.db import Database
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, next_link
from services.api.http.rendering import json_answer
from services.api.request_log import queries
from services.api.request_log.domain import RequestFilter
from services.api.request_log.schemas import RequestLines, request_line

LINES, LINES_MAX = 100, 1000
_METHODS = {name: (name,) for name in ("GET", "POST", "PUT", "PATCH", "DELETE")}
_STATUSES = {"2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5}
_INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
_TEXT = {"type": "string", "maxLength": 256}
_QUERY = (
    QueryParameter(name="method", description="Of this method.", shape={"type": "string", "enum": [*_METHODS]}),
    QueryParameter(
        name="path",
        description="To this path; one that ends in a slash means all that begin with it.",
        shape={**_TEXT, "examples": ["/v1/payment-intents", "/v1/payment-intents/"]},
    ),
    QueryParameter(
        name="status", description="Answered with such a status.", shape={"type": "string", "enum": [*_STATUSES]}
    ),
    QueryParameter(name="code", description="Answered with a problem of this code.", shape=_TEXT),
    QueryParameter(name="actor", description="Of this subject or API key.", shape=_TEXT),
    QueryParameter(name="correlation_id", description="With this correlation ID.", shape=_TEXT),
    QueryParameter(name="from", description="Answered at or after this date or instant (UTC).", shape=_INSTANT),
    QueryParameter(name="to", description="Until this instant, or on this date, included.", shape=_INSTANT),
    QueryParameter(
        name="limit",
        description="Lines at most.",
        shape={"type": "integer", "minimum": 1, "maximum": LINES_MAX, "default": LINES},
    ),
    QueryParameter(
        name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string", "maxLength": 512}
    ),
)


class RequestLogRoutes(Resource):
    """Routes: `GET /v1/requests`."""

    database: Database

    @operation(
        "GET",
        "/v1/requests",
        operation_id="listRequests",
        summary="List the log of requests",
        description="What the tenant's API keys and users sent lately, newest first, half a second after it was answered: no "
        "bodies, no secrets. Kept for `REQUEST_LOG_RETENTION_DAYS`; of one tenant each process notes at most "
        "`REQUEST_LOG_PER_SECOND`. What the console does is not in it.",
        tags=["audit"],
        answer=RequestLines,
        permission="admin:write",
        query=_QUERY,
    )
    async def list_requests(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        methods, status = query.names("method", _METHODS), query.names("status", {name: (name,) for name in _STATUSES})
        page = await queries.request_page(
            self.database,
            caller.tenant_id,
            RequestFilter(
                method=None if methods is None else methods[0],
                path=query.text("path"),
                status_class=None if status is None else _STATUSES[status[0]],
                code=query.text("code"),
                actor=query.text("actor"),
                correlation_id=query.text("correlation_id"),
                answered_from=query.begin(),
                answered_until=query.end(),
            ),
            limit=query.integer("limit", default=LINES, at_least=1, at_most=LINES_MAX),
            cursor=query.cursor(),
        )
        headers = {"Link": next_link(query.given, page.next_cursor)} if page.next_cursor else {}
        shown = [request_line(line) for line in page.lines]
        return json_answer(RequestLines(data=shown, next_cursor=page.next_cursor), headers=headers)
