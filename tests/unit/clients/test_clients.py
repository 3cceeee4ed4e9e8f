"""Both Python clients over real HTTP: they retry, log in, page and close alike."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from payments_client import AsyncClient, Client, Login, Retries, errors, models
from payments_client.exchange import Call, Operation

pytestmark = pytest.mark.unit

CLIENTS = Path(__file__).parents[3] / "clients" / "python"
QUICK = Retries(max=3, base_seconds=0.01, total_seconds=5.0)
FLAG = {"name": "f", "is_enabled": True, "description": "d", "source": "tenant"}

type Answering = Callable[[web.Request, int], Awaitable[web.StreamResponse]]
type Use = Callable[[Any], Any]


@asynccontextmanager
async def serving(answer: Answering) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """An api that answers each request by its number; yields where it is and what it was sent."""
    received: list[web.Request] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        received.append(request)
        return await answer(request, len(received))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", received
    finally:
        await runner.cleanup()


async def _waiting(url: str, use: Use, **options: Any) -> Any:
    def run() -> Any:
        with Client(url, retries=QUICK, **options) as client:
            found = use(client)
            return list(found) if hasattr(found, "__next__") else found

    return await asyncio.to_thread(run)


async def _awaiting(url: str, use: Use, **options: Any) -> Any:
    async with AsyncClient(url, retries=QUICK, **options) as client:
        found = use(client)
        return [item async for item in found] if hasattr(found, "__anext__") else await found


BOTH = pytest.mark.parametrize("run", [_waiting, _awaiting], ids=["waiting", "awaiting"])


def refusal(status: int, code: str, **headers: str) -> web.Response:
    body = {"status": status, "code": code, "detail": "d"}
    return web.json_response(body, status=status, headers={n.replace("_", "-"): v for n, v in headers.items()})


@BOTH
async def test_a_write_goes_on_with_its_key_until_it_is_answered(run: Any) -> None:
    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        if number == 1:
            assert request.transport is not None
            request.transport.close()
        if number == 2:
            return refusal(503, "service_unavailable")
        return web.json_response({"id": "c"}) if number > 2 else web.Response()

    async with serving(answer) as (url, received):
        with pytest.raises(errors.UnreadableAnswer):
            await run(url, lambda c: c.create_customer(models.CreateCustomer(reference="r")), authentication="key")
    assert len(received) == 3
    assert len({request.headers["Idempotency-Key"] for request in received}) == 1
    assert {request.headers["Authorization"] for request in received} == {"Bearer key"}


@BOTH
async def test_nobody_there_is_no_answer(run: Any) -> None:
    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        return web.Response()

    async with serving(answer) as (url, _):
        pass
    with pytest.raises(errors.NoAnswer, match="after 4 requests"):
        await run(url, lambda c: c.list_feature_flags(), authentication="key")


@BOTH
async def test_a_person_logs_in_before_the_first_request_and_when_the_token_ends(run: Any) -> None:
    logged_in: list[Any] = []

    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        if number == 1:
            return refusal(503, "unavailable")
        if request.path == "/v1/auth/token":
            assert "Authorization" not in request.headers
            logged_in.append(json.loads(await request.read()))
            return web.json_response({"access_token": f"token-{len(logged_in)}", "expires_in": 3600})
        if request.headers["Authorization"] == "Bearer token-1":
            return refusal(401, "token_expired")
        return web.json_response([FLAG])

    async with serving(answer) as (url, received):
        login = Login("ops@demo.example.com", "secret")
        found = await run(url, lambda c: c.list_feature_flags(), authentication=login, tenant_id="t")
    assert [flag.name for flag in found] == ["f"]
    assert logged_in == [{"email": "ops@demo.example.com", "password": "secret"}] * 2
    assert [request.path for request in received[1:]] == ["/v1/auth/token", "/v1/feature-flags"] * 2
    assert received[-1].headers["X-Tenant-Id"] == "t"


@BOTH
async def test_a_journal_comes_part_by_part_and_is_whole_or_no_answer(run: Any) -> None:
    cut_off = False

    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        if number == 1:
            return refusal(503, "overloaded")
        if request.query["format"] == "xml":
            return refusal(422, "invalid_request")
        streamed = web.StreamResponse()
        await streamed.prepare(request)
        await streamed.write(b"; begins\n")
        if cut_off:
            assert request.transport is not None
            request.transport.close()
        await streamed.write(b"; ends\n")
        return streamed

    async with serving(answer) as (url, received):
        parts = await run(url, lambda c: c.export_journal("hledger", tz="UTC"), authentication="key")
        assert b"".join(parts) == b"; begins\n; ends\n"
        assert dict(received[-1].query) == {"format": "hledger", "tz": "UTC"}
        with pytest.raises(errors.ApiError) as refused:
            await run(url, lambda c: c.export_journal("xml"), authentication="key")
        assert refused.value.problem.code == "invalid_request"
        cut_off = True
        with pytest.raises(errors.NoAnswer, match="not the whole"):
            await run(url, lambda c: c.export_journal("hledger"), authentication="key")


@BOTH
async def test_a_wrong_password_is_refused_once(run: Any) -> None:
    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        return refusal(401, "invalid_credentials")

    async with serving(answer) as (url, received):
        with pytest.raises(errors.Unauthenticated):
            await run(url, lambda c: c.list_feature_flags(), authentication=Login("a", "b"))
    assert len(received) == 1


@pytest.mark.parametrize(
    ("kind", "sent"), [(httpx.Client, _waiting), (httpx.AsyncClient, _awaiting)], ids=["waiting", "awaiting"]
)
async def test_a_log_in_is_never_sent_on_to_another_host(kind: Any, sent: Any) -> None:
    async def keep(request: web.Request, number: int) -> web.StreamResponse:
        return web.json_response({"access_token": "t", "expires_in": 60})

    async with serving(keep) as (elsewhere, taken):

        async def redirect(request: web.Request, number: int) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": f"{elsewhere}{request.path}"})

        async with serving(redirect) as (url, _):
            with pytest.raises(errors.ApiError, match="307"):
                await sent(
                    url,
                    lambda c: c.list_feature_flags(),
                    authentication=Login("a", "b"),
                    http=kind(follow_redirects=True),
                )
    assert taken == []


@BOTH
async def test_what_cannot_be_unpacked_is_no_answer(run: Any) -> None:
    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})

    async with serving(answer) as (url, received):
        with pytest.raises(errors.NoAnswer) as lost:
            await run(url, lambda c: c.create_customer(models.CreateCustomer(reference="r")), authentication="key")
    assert {request.headers["Idempotency-Key"] for request in received} == {lost.value.idempotency_key}


@BOTH
async def test_all_pages_are_listed_and_each_is_tried_again(run: Any) -> None:
    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        if number == 2:
            return refusal(503, "service_unavailable")
        cursor = request.query.get("cursor", "")
        following = {"Link": f'<?limit=1&cursor={cursor}a>; rel="next"'} if len(cursor) < 2 else {}
        return web.json_response([{"hold_id": cursor}], headers=following)

    async with serving(answer) as (url, received):
        with pytest.raises(errors.UnreadableAnswer):
            await run(url, lambda c: c.iterate_holds(limit=1), authentication="key")
        received.clear()
        found = await run(url, _pages, authentication="key")
    assert found == [{"hold_id": ""}, {"hold_id": "a"}, {"hold_id": "aa"}]
    assert [request.query.get("cursor") for request in received] == [None, "a", "a", "aa"]


def _pages(client: Any) -> Any:
    listing = Operation[Any](name="list", method="GET", path="/v1/ledger/holds", reads=list[dict[str, str]])
    return client._items(listing, Call(path={}, query={"limit": 1}))


def test_options_are_changed_over_the_same_connections() -> None:
    with Client("http://pay", authentication="key") as client:
        other = client.with_options(tenant_id="other")
        assert (other.tenant_id, client.tenant_id, other._http) == ("other", None, client._http)
        with pytest.raises(TypeError, match="base_url"):
            client.with_options(base_url="http://elsewhere")


def test_the_client_stands_alone() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(CLIENTS)!r}); import payments_client\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('libs', 'services', 'deploy', 'cryptography')])"
    )
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"
