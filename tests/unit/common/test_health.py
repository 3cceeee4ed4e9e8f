"""What `/readyz` answers, by what works, what is limited and who asks."""

import asyncio

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from libs.common.web.health import exposition, health_routes


async def _works() -> None:
    return


async def _read_only() -> str:
    return "read_only"


async def _fails() -> None:
    raise ConnectionError("away")


@pytest.mark.parametrize(
    ("database", "broker", "works_degraded", "status_code", "status", "words"),
    [
        (_works, _works, True, 200, "ok", ["ok", "ok"]),
        (_read_only, _works, True, 200, "degraded", ["read_only", "ok"]),
        (_read_only, _works, False, 503, "fail", ["read_only", "ok"]),
        (_read_only, _fails, True, 503, "fail", ["read_only", "fail"]),
        (_works, _fails, True, 503, "fail", ["ok", "fail"]),
    ],
)
def test_readiness_names_what_is_limited(
    database: object, broker: object, works_degraded: bool, status_code: int, status: str, words: list[str]
) -> None:
    checks: dict[str, object] = {"database": database, "rabbitmq": broker}
    routes = health_routes(checks, {}, works_degraded=works_degraded)  # type: ignore[arg-type]  # parameters are objects
    with TestClient(Litestar(routes, openapi_config=None, logging_config=None)) as client:
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (status_code, status)
    assert list(answer.json()["checks"].values()) == words
    assert ("Retry-After" in answer.headers) == (status_code == 503)


async def test_metrics_are_written_as_ever_with_a_pause_after_each() -> None:
    registry = CollectorRegistry()
    for number in range(5):
        counter = Counter(f"count_{number}", "How many.", ["kind"], registry=registry)
        took = Histogram(f"took_{number}_seconds", "How long.", ["kind"], registry=registry)
        for kind in ("a", "b"):
            counter.labels(kind).inc(number)
            took.labels(kind).observe(number)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert await exposition(registry) == generate_latest(registry)
    assert turns >= 10
    task.cancel()
