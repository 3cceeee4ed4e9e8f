"""A bound on the requests that one process has in progress: what exceeds it is refused early, not left to time out."""

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from libs.common.errors import Overloaded
from libs.common.observability import metrics
from libs.common.precedence import Precedence, precedence
from libs.common.web.problems import MEDIA_TYPE, problem_of

_EXEMPT = frozenset({"/healthz", "/readyz", "/metrics"})
"""What an orchestrator asks: a busy process is not a dead one."""


def limit_in_flight(app: ASGIApp, *, limit: int) -> ASGIApp:
    """Wrap `app`: beyond `limit` requests in progress, waiting ones included, the answer is 503 at once.

    A refused request has done nothing and cost next to nothing, so the client may repeat it after `Retry-After`.
    """
    in_flight = 0

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal in_flight
        if scope["type"] != ScopeType.HTTP or scope["path"] in _EXEMPT:
            await app(scope, receive, send)
            return
        if in_flight >= limit:
            metrics.HTTP_OVERLOADED.inc()
            await _refuse(scope["path"], send)
            return
        in_flight += 1
        metrics.HTTP_IN_FLIGHT.inc()
        precedence.set(Precedence.NEW)
        try:
            await app(scope, receive, send)
        finally:
            in_flight -= 1
            metrics.HTTP_IN_FLIGHT.dec()

    return middleware


async def _refuse(path: str, send: Send) -> None:
    fault = Overloaded("too many requests are in progress; try again shortly")
    problem, headers = problem_of(fault, path=path)
    body = msgspec.json.encode(problem)
    lines = {
        **headers,
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    await send(
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
