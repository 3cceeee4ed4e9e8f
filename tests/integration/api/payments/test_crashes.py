"""A request that ends at any of its awaits leaves nothing, or the complete effect together with its answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from litestar.types import ASGIApp

from services.api.app import build
from services.api.settings import PaymentSettings, Settings
from tests.integration.api.access.test_access import BODY
from tests.integration.api.conftest import Api, settings_for, token_of
from tests.support.databases import TestDatabase

pytestmark = pytest.mark.long

AWAITS_MAX = 60
"""Far above what one request waits for; reaching it would mean that the end was never seen."""
PASSES_MAX = 5
EFFECTS = """
SELECT (SELECT count(*) FROM payment_intents WHERE tenant_id = $1 AND version = $3),
       (SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1 AND key = $4),
       (SELECT count(*) FROM payment_intent_events WHERE tenant_id = $1 AND type = $2),
       (SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = $5),
       (SELECT count(*) FROM outbox WHERE tenant_id = $1 AND contract LIKE '%:' || $2)
"""


class EndedAt:
    """Runs a coroutine and cancels its task while it waits for the n-th time."""

    def __init__(self, work: Coroutine[Any, Any, None], wait: int) -> None:
        self._work = work
        self._wait = wait
        self.waited = 0

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        steps = self._work.__await__()
        step: Callable[[], Any] = lambda: next(steps)  # noqa: E731 - replaced each time by what came of the wait
        while True:
            try:
                waiting = step()
            except StopIteration:
                return
            self.waited += 1
            if self.waited == self._wait:
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield waiting
            except BaseException as fault:  # noqa: BLE001 - whatever it is belongs to the coroutine
                step = _throwing(steps, fault)
            else:
                step = lambda: next(steps)  # noqa: E731


def _throwing(steps: Generator[Any, Any, None], fault: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(fault)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[ASGIApp]:
    """An api that is called in this very task, so that the task can be ended at each of its waits."""
    app = build(settings).asgi
    loop = asyncio.get_running_loop()
    # The loop is shared with other apis of these tests, which may have set theirs; a process begins without one.
    before = loop.get_task_factory()
    loop.set_task_factory(None)
    answered: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    stated: asyncio.Queue[Any] = asyncio.Queue()
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    receive: Any = answered.get
    life = asyncio.create_task(_run(app(scope, receive, stated.put)))
    await answered.put({"type": "lifespan.startup"})
    assert (await stated.get())["type"] == "lifespan.startup.complete"
    try:
        yield app
    finally:
        await answered.put({"type": "lifespan.shutdown"})
        await stated.get()
        await life
        loop.set_task_factory(before)


async def _run(work: Awaitable[None]) -> None:
    await work


async def answered(app: ASGIApp, path: str, body: bytes, headers: dict[str, str], *, wait: int) -> int | None:
    """Ask once and end the request at its n-th wait; returns its status, or None when it was ended before."""
    statuses: list[int] = []

    async def receive() -> Any:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
        "extensions": {},
    }

    async def request() -> None:
        await app(scope, receive, send)

    async def ended() -> None:
        await EndedAt(request(), wait)

    task = asyncio.create_task(ended())
    await asyncio.wait([task])
    # What was handed to a group before the end is committed all the same.
    groups = [each for each in asyncio.all_tasks() if each.get_name() == "group-commit"]
    if groups:
        await asyncio.wait(groups)
    if task.cancelled():
        return None
    await task
    return statuses[0]


@pytest.mark.parametrize("operation", ["create", "confirm", "confirm_with_method"])
async def test_a_request_ended_at_any_wait_leaves_nothing_or_everything(
    api: Api, api_database: TestDatabase, operation: str
) -> None:
    outcomes: set[int] = set()
    async with opened(settings_for(api_database)) as app:
        for wait in range(1, AWAITS_MAX):
            tenant, key = f"tenant-{uuid4().hex[:12]}", uuid4().hex
            client = api.client(tenant)
            path, body, kind, version, action = (
                "/v1/payment-intents",
                json.dumps(BODY).encode(),
                "payment.intent.created",
                1,
                "payment_intent.create",
            )
            if operation != "create":
                with_method = operation == "confirm_with_method"
                path = f"{path}/{(await client.create())['id']}/confirm"
                body = b'{"payment_method": "pm_card_visa"}' if with_method else b""
                kind, version, action = "payment.authorize", 2, "payment_intent.confirm"
            else:
                assert (await client.call("GET", path)).status == 200
            headers = {
                "Authorization": f"Bearer {token_of(tenant)}",
                "X-Tenant-Id": tenant,
                "Idempotency-Key": key,
                "Content-Type": "application/json",
                "Prefer": "respond-async",
            }
            status = await answered(app, path, body, headers, wait=wait)
            row = await api.database.fetchrow(EFFECTS, tenant, kind, version, key, action)
            assert row is not None
            number = sum(row)
            assert number in {0, len(row)}, (wait, tuple(row))
            outcomes.add(number)
            # The careful client asks again with its key: now it is there, once.
            again = await client.call("POST", path, raw=body, key=key, headers={"Prefer": "respond-async"})
            assert again.status == (200 if operation == "create" else 202), again.raw
            assert ("idempotency-replayed" in again.headers) == (number > 0)
            row = await api.database.fetchrow(EFFECTS, tenant, kind, version, key, action)
            assert row is not None
            assert tuple(row) == (1, 1, 1, 1, 1)
            if status is not None:
                break
        else:
            pytest.fail("the request never came to its end")
    assert len(outcomes) == 2, "some ends come before the effect and some after it"


async def test_a_confirm_that_ends_while_it_waits_has_the_issuers_answer(api: Api, api_database: TestDatabase) -> None:
    """Whoever comes again with the key must wait until the outcome is there, and then receives it.

    The number of a request's awaits is not always the same (a store that was away is called again), so the one in which it
    waits for the issuer may be missed in one pass over them.
    """
    # Longer than a busy machine's loop may stand still: the end comes before the time is over.
    patient = PaymentSettings(confirm_timeout_seconds=3)
    async with opened(settings_for(api_database, payments=patient)) as app:
        for _ in range(PASSES_MAX):
            if await _ended_while_it_waits(api, app):
                return
    pytest.fail("it was never ended while it waited")


async def _ended_while_it_waits(api: Api, app: ASGIApp) -> bool:
    """End a confirm at each of its awaits; returns whether it was waiting for the issuer at one of them."""
    ended_in_progress = False
    for wait in range(1, AWAITS_MAX):
        tenant, key = f"tenant-{uuid4().hex[:12]}", uuid4().hex
        client = api.client(tenant)
        intent_id = (await client.create())["id"]
        path = f"/v1/payment-intents/{intent_id}/confirm"
        headers = {
            "Authorization": f"Bearer {token_of(tenant)}",
            "X-Tenant-Id": tenant,
            "Idempotency-Key": key,
            "Content-Type": "application/json",
        }
        status = await answered(app, path, b"", headers, wait=wait)
        row = await api.database.fetchrow(EFFECTS, tenant, "payment.authorize", 2, key, "payment_intent.confirm")
        assert row is not None
        assert tuple(row) in {(0, 0, 0, 0, 0), (1, 1, 1, 1, 1)}, (wait, tuple(row))
        if status is not None:
            # Nobody ended it: no word came in time, and that is its answer for ever.
            assert status == 202
            await api.authorized(tenant, intent_id)
            assert (await client.call("POST", path, raw=b"", key=key)).status == 202
            return ended_in_progress
        if row[0] == 0:
            continue
        again = await client.call("POST", path, raw=b"", key=key)
        if again.status == 409:
            ended_in_progress = True
            assert again.json["code"] == "idempotency_in_progress"
            await api.authorized(tenant, intent_id)
            again = await client.call("POST", path, raw=b"", key=key)
            assert (again.status, again.json["status"]) == (200, "AUTHORIZED")
        else:
            # Ended after its time was over and its answer was written.
            assert again.status == 202
        assert "idempotency-replayed" in again.headers
    pytest.fail("the request never came to its end")
