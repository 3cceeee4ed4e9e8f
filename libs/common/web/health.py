"""Liveness, readiness and metrics: what an orchestrator and Prometheus ask every service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import Guard
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from libs.common.observability.logging import get_logger
from libs.common.outages import cause_of

log = get_logger("web.health")

type Check = Callable[[], Awaitable[None]]
"""Returns when all is well; raises when it is not."""

_CHECK_SECONDS = 2.5


class Liveness(msgspec.Struct, frozen=True):
    """The process lives."""

    status: str = "ok"


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the service can do its work, check by check: `ok` or `fail`."""

    status: str
    checks: dict[str, str]
    details: dict[str, str] = {}
    """What an operator wants to know: the state of a circuit breaker, what is wrong with the broker; no word when all is well."""


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except Exception as fault:  # noqa: BLE001 - whatever it is, the service is not ready
        # The reason goes to the log; the answer names the check only, since driver texts tell strangers too much.
        log.warning("check.failed", check=name, reason=cause_of(fault.__cause__ or fault))
        return False
    return True


def health_routes(
    checks: Mapping[str, Check], details: Mapping[str, Callable[[], str]], *, guards: Sequence[Guard] = ()
) -> list[HTTPRouteHandler]:
    """Build `/healthz`, `/readyz` and `/metrics`; `guards` say who may read the metrics."""

    @get("/healthz", operation_id="healthz", summary="Is the process alive?", tags=["operations"])
    async def healthz() -> Liveness:
        return Liveness()

    @get("/readyz", operation_id="readyz", summary="Can the service do its work?", tags=["operations"])
    async def readyz() -> Response[Readiness]:
        names = list(checks)
        passed = await asyncio.gather(*(_passes(name, checks[name]) for name in names))
        ready = all(passed)
        return Response(
            Readiness(
                status="ok" if ready else "fail",
                checks={name: "ok" if ok else "fail" for name, ok in zip(names, passed, strict=True)},
                details={name: text for name, tell in details.items() if (text := tell())},
            ),
            status_code=200 if ready else 503,
            headers={} if ready else {"Retry-After": "1"},
        )

    @get(
        "/metrics",
        operation_id="metrics",
        summary="Prometheus metrics",
        tags=["operations"],
        include_in_schema=False,
        guards=[*guards],
    )
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    found: list[Any] = [healthz, readyz, metrics]
    return found
