"""Liveness, readiness and metrics: what an orchestrator and Prometheus ask every service."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import Guard
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from libs.common.observability.logging import get_logger
from libs.common.outages import cause_of

log = get_logger("web.health")

type Check = Callable[[], Awaitable[str | None]]
"""Returns nothing when all is well, or a word for what is limited (`read_only`); raises when it does not work at all."""

_OK, _FAIL = "ok", "fail"

_CHECK_SECONDS = 2.5


class Liveness(msgspec.Struct, frozen=True):
    """The process lives."""

    status: str = "ok"


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the service can do its work, check by check: `ok`, `fail` or what is limited, such as `read_only`."""

    status: str
    """`ok`; `degraded` where a part of the work goes on; `fail`."""
    checks: dict[str, str]
    details: dict[str, str] = {}
    """What an operator wants to know: the state of a circuit breaker, what is wrong with the broker; no word when all is well."""


async def _run(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check() or _OK
    except Exception as fault:  # noqa: BLE001 - whatever it is, the service is not ready
        # The reason goes to the log; the answer names the check only, since driver texts tell strangers too much.
        log.warning("check.failed", check=name, reason=cause_of(fault.__cause__ or fault))
        return _FAIL


def health_routes(
    checks: Mapping[str, Check],
    details: Mapping[str, Callable[[], str]],
    *,
    works_degraded: bool = False,
    guards: Sequence[Guard] = (),
) -> list[HTTPRouteHandler]:
    """Build `/healthz`, `/readyz` and `/metrics`; `guards` say who may read the metrics.

    `works_degraded` says that callers are still served while something is limited: then the answer is 200, status
    `degraded`. Where nothing can be done it is 503, and the check names the cause.
    """

    @get(
        "/healthz",
        operation_id="healthz",
        summary="Is the process alive?",
        description="Always 200 while it can answer; what it depends on is not looked at.",
        tags=["operations"],
    )
    async def healthz() -> Liveness:
        return Liveness()

    @get(
        "/readyz",
        operation_id="readyz",
        summary="Can the service do its work?",
        description="Everything it depends on is tried now; `checks` has their states, `details` what operators want to know.",
        tags=["operations"],
    )
    async def readyz() -> Response[Readiness]:
        names = list(checks)
        states = await asyncio.gather(*(_run(name, checks[name]) for name in names))
        ready = _FAIL not in states and (works_degraded or set(states) <= {_OK})
        limited = _OK if set(states) <= {_OK} else "degraded"
        return Response(
            Readiness(
                status=limited if ready else _FAIL,
                checks=dict(zip(names, states, strict=True)),
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
        return Response(await exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    found: list[Any] = [healthz, readyz, metrics]
    return found


class _Family(Collector):
    """One metric, as a registry of its own."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)


async def exposition(registry: CollectorRegistry = REGISTRY) -> bytes:
    """Write all metrics as Prometheus reads them, one after the other: thousands of samples at once take a tenth of a second."""
    parts: list[bytes] = []
    for metric in registry.collect():
        parts.append(generate_latest(_Family(metric)))
        await asyncio.sleep(0)
    return b"".join(parts)
