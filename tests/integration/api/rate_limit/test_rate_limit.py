"""Rates that are exact across processes, and what is counted when Redis is away."""

import asyncio
from collections.abc import AsyncIterator
from math import ceil
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio as redis

from deploy.local.servers import Servers
from libs.common.errors import Unavailable
from services.api.api_keys import KeyMode
from services.api.api_keys.domain import new_secret
from services.api.app import seed
from services.api.http.edge import KEYS_TOGETHER
from services.api.rate_limit import Limit, RateLimiter, Store
from services.api.settings import RateSettings, RedisSettings
from tests.integration.api.access.test_access import problem
from tests.integration.api.conftest import Api, serving, settings_for
from tests.integration.api.http.test_edge import BODY, redis_of
from tests.support.databases import TestDatabase
from tests.support.platform import Answer, Client

READ, WRITE, LOGIN = 12, 5, 4
SCOPES = ["payments:read", "payments:write"]
RATES = RateSettings(
    rate_limit_read_per_min=READ,
    rate_limit_write_per_min=WRITE,
    rate_limit_login_per_min=LOGIN,
    rate_limit_login_address_per_min=0,
)


@pytest.fixture(autouse=True)
async def uncounted(servers: Servers) -> None:
    """Forget what earlier tests and earlier runs have counted."""
    store = redis.Redis.from_url(servers.redis_url)
    async for key in store.scan_iter("ratelimit:*", count=1000):
        await store.delete(key)
    await store.aclose()


@pytest.fixture(scope="module", autouse=True)
async def _seeded(api_database: TestDatabase) -> None:
    """Whichever test comes first: some log in as a seeded user."""
    await seed(settings_for(api_database))


@pytest.fixture(scope="module")
async def pair(api_database: TestDatabase, servers: Servers) -> AsyncIterator[tuple[Api, Api]]:
    """Two processes' worth of one api, with low limits, on one Redis and one database."""
    settings = settings_for(api_database, rates=RATES, redis=redis_of(servers))
    async with serving(api_database, settings) as one, serving(api_database, settings) as two:
        yield one, two


async def create(client: Client, key: str | None = None) -> Answer:
    return await client.call("POST", "/v1/payment-intents", BODY, key=key or str(uuid4()))


async def test_a_limit_is_exact_across_processes(pair: tuple[Api, Api], tenant_id: str) -> None:
    clients = [api.client(tenant_id) for api in pair]
    answers = await asyncio.gather(*(create(clients[i % 2]) for i in range(4 * WRITE)))
    taken = [a for a in answers if a.status == 200]
    refused = [a for a in answers if a.status == 429]
    assert (len(taken), len(refused)) == (WRITE, 3 * WRITE)
    for answer in refused:
        assert problem(answer)["code"] == "rate_limited"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["x-ratelimit-remaining"] == "0"
    assert sorted(int(a.headers["x-ratelimit-remaining"]) for a in taken) == list(range(WRITE))


async def test_a_large_limit_is_leased_and_never_exceeded(servers: Servers) -> None:
    """Two processes take leases of four from a limit of four thousand; near the limit each request is counted alone."""
    limit, caller = Limit("write", 4000), ("subject", "t", uuid4().hex)
    stores = [Store(redis_of(servers)) for _ in range(2)]
    limiters = [RateLimiter(store) for store in stores]
    started = monotonic()
    counts = [await limiters[i % 2].count(limit, *caller) for i in range(5000)]
    regained = (monotonic() - started) * 4000 / 60
    allowed = [count for count in counts if count is not None and count.allowed]
    assert 4000 - 2 * 4 <= len(allowed) <= 4000 + regained + 1
    assert all(0 <= count.remaining < 4000 for count in allowed)
    # What was only a replay is given back, out of a lease or not.
    other = ("subject", "t", uuid4().hex)
    first = await limiters[0].count(limit, *other)
    back = await limiters[0].give_back(limit, *other)
    assert first is not None
    assert back is not None
    assert back.remaining == first.remaining + 1
    for store in stores:
        await store.close()


async def test_many_at_once_share_two_questions(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is for a lease of 60; the second for all who got nothing of that, and nobody waits for a turn."""
    store = Store(redis_of(servers))
    limiter, limit, caller = RateLimiter(store), Limit("write", 60_000), ("subject", "t", uuid4().hex)
    call, questions = store.call, 0

    async def count_questions(question: Any) -> Any:
        nonlocal questions
        questions += 1
        return await call(question)

    monkeypatch.setattr(store, "call", count_questions)
    counts = await asyncio.gather(*(limiter.count(limit, *caller) for _ in range(200)))
    await store.close()
    assert all(count is not None and count.allowed for count in counts)
    assert questions == 2
    assert len({count.remaining for count in counts if count is not None}) > 150


async def test_many_at_once_are_refused_together_where_redis_has_no_room(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking one after another, each of them would wait as long as the first."""
    store = Store(redis_of(servers))
    limiter, limit, caller = RateLimiter(store), Limit("write", 60_000), ("subject", "t", uuid4().hex)
    call, questions, is_crowded = store.call, 0, True

    async def refuse(question: Any) -> Any:
        nonlocal questions
        questions += 1
        if not is_crowded:
            return await call(question)
        question.close()
        await asyncio.sleep(0.01)
        raise Unavailable("too many requests at once", code="overloaded")

    monkeypatch.setattr(store, "call", refuse)
    counts = await asyncio.gather(*(limiter.count(limit, *caller) for _ in range(100)), return_exceptions=True)
    assert {type(count) for count in counts} == {Unavailable}
    assert questions == 1
    is_crowded = False
    count = await limiter.count(limit, *caller)
    await store.close()
    assert count is not None
    assert count.allowed


async def test_reading_other_subjects_and_other_tenants_have_limits_of_their_own(
    pair: tuple[Api, Api], tenant_id: str
) -> None:
    one = pair[0]
    busy = one.client(tenant_id)
    for _ in range(WRITE):
        assert (await create(busy)).status == 200
    assert (await create(busy)).status == 429
    listed = await busy.call("GET", "/v1/payment-intents")
    assert listed.status == 200
    assert listed.headers["ratelimit-policy"] == f'"read";q={READ};w=60'
    assert listed.headers["ratelimit"].startswith(f'"read";r={READ - 1};t=')
    assert (await create(one.client(tenant_id, sub="somebody-else"))).status == 200
    assert (await create(one.client(f"{tenant_id}-2"))).status == 200


async def test_keys_of_a_tenant_count_together_and_made_up_ones_by_address(
    api_database: TestDatabase, servers: Servers, tenant_id: str
) -> None:
    # One request a minute for each key, and ten for all: thirty pass together in no less than two minutes.
    rates = RateSettings(rate_limit_read_per_min=1, rate_limit_write_per_min=0)
    settings = settings_for(api_database, rates=rates, redis=redis_of(servers))
    async with serving(api_database, settings) as api:
        root = api.client(tenant_id, roles=["admin"], perms=["admin:write", "payments:read"], plan="enterprise")
        made = [await root.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["payments:read"]}) for _ in range(30)]
        secrets = [*(answer.json["secret"] for answer in made), *(new_secret(KeyMode.TEST) for _ in range(10))]
        clients = [Client(api.http, api.base, token=secret, tenant=tenant_id) for secret in secrets]
        answers = [await client.call("GET", "/v1/payment-intents") for client in clients]
    statuses = [answer.status for answer in answers]
    assert statuses[:KEYS_TOGETHER] == [200] * KEYS_TOGETHER
    assert 429 in statuses[KEYS_TOGETHER:30]
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.headers["x-ratelimit-limit"] == str(KEYS_TOGETHER)
    # A key that nobody has counts against the address before it is looked for.
    assert {401, 429} == set(statuses[30:])


async def test_keys_are_not_refused_for_what_others_send_from_their_address(
    api_database: TestDatabase, servers: Servers, tenant_id: str
) -> None:
    rates = RateSettings(rate_limit_read_per_min=600, rate_limit_write_per_min=1)
    settings = settings_for(api_database, rates=rates, redis=redis_of(servers))
    async with serving(api_database, settings) as api:

        def root(sub: str) -> Client:
            return api.client(tenant_id, sub=sub, roles=["admin"], perms=["admin:write", *SCOPES], plan="enterprise")

        made = [await root(f"{n}").call("POST", "/v1/api-keys", {"name": "k", "scopes": SCOPES}) for n in range(3)]
        keys = [Client(api.http, api.base, token=answer.json["secret"], tenant=tenant_id) for answer in made]
        assert (await keys[0].call("GET", "/v1/payment-intents")).status == 200
        anonymous = [(await create(api.stranger())).status for _ in range(2)]
        assert anonymous == [401, 429]
        # Known, and read again since a key of the tenant changed; then one that was not met before.
        assert (await root("d").call("DELETE", f"/v1/api-keys/{made[2].json['id']}")).status == 204
        assert [(await create(key)).status for key in keys[:2]] == [200, 200]


async def test_a_tenant_that_the_token_does_not_prove_counts_for_nothing(pair: tuple[Api, Api], tenant_id: str) -> None:
    intruder = pair[0].client(f"{tenant_id}-own")
    for number in range(READ):
        headers = {"X-Tenant-Id": f"{tenant_id}-{number}"}
        assert (await intruder.call("GET", "/v1/payment-intents", headers=headers)).status == 403
    assert (await intruder.call("GET", "/v1/payment-intents")).status == 429


async def test_replays_are_not_counted_as_writes(pair: tuple[Api, Api], tenant_id: str) -> None:
    client, key = pair[0].client(tenant_id), str(uuid4())
    first = await create(client, key)
    for _ in range(3 * WRITE):
        again = await create(client, key)
        assert (again.status, again.raw) == (200, first.raw)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]


async def test_failed_logins_of_one_account_are_throttled_whoever_it_is(pair: tuple[Api, Api]) -> None:
    one, two = pair
    for name in (f"nobody-{uuid4().hex}@example.com", "sales@demo"):
        attempts = [
            (one, two)[i % 2].stranger().call("POST", "/v1/auth/token", {"email": name, "password": "wrong"})
            for i in range(2 * LOGIN)
        ]
        statuses = sorted(a.status for a in await asyncio.gather(*attempts))
        assert statuses == [401] * LOGIN + [429] * LOGIN
    # Somebody else is not held back, and success costs nothing.
    for _ in range(2 * LOGIN):
        stated = await one.stranger().call("POST", "/v1/auth/token", {"email": "ops@demo", "password": "ops123"})
        assert stated.status == 200


async def test_logins_of_one_address_are_throttled(api_database: TestDatabase, servers: Servers) -> None:
    rates = RateSettings(rate_limit_login_address_per_min=3, rate_limit_login_per_min=0)
    settings = settings_for(api_database, rates=rates, redis=redis_of(servers))
    async with serving(api_database, settings) as api:
        logins = [
            await api.stranger().call("POST", "/v1/auth/token", {"email": f"{i}@x", "password": "x"}) for i in range(4)
        ]
    assert [a.status for a in logins] == [401, 401, 401, 429]


async def test_no_spelling_of_a_path_escapes_its_limit(api_database: TestDatabase, servers: Servers) -> None:
    rates = RateSettings(rate_limit_login_address_per_min=3, rate_limit_login_per_min=0)
    settings = settings_for(api_database, rates=rates, redis=redis_of(servers))
    body = {"email": "nobody@example.com", "password": "x"}
    async with serving(api_database, settings) as api:
        for path in ("//v1/auth/token", "/v1//auth/token", "/v1/auth/token//", "//v1//auth//token"):
            answer = await api.stranger().call("POST", path, body)
            assert (answer.status, problem(answer)["code"]) == (404, "route_not_found"), path
        paths = ("/v1/auth/token", "/v1/auth/token/", "/v1/auth%2Ftoken", "/v1/auth/token/")
        answers = [await api.stranger().call("POST", path, body) for path in paths]
    counted = [answer.status for answer in answers if answer.status != 404]
    assert counted == [401] * 3 + [429] * (len(counted) - 3)


async def test_without_redis_everybody_may_and_a_metric_says_so(api_database: TestDatabase, tenant_id: str) -> None:
    away = RedisSettings(redis_url="redis://127.0.0.1:1/0")
    async with serving(api_database, settings_for(api_database, rates=RATES, redis=away)) as api:
        key = str(uuid4())
        answers = [await create(api.client(tenant_id), key) for _ in range(3 * WRITE)]
        assert {(a.status, a.raw) for a in answers} == {(200, answers[0].raw)}
        metrics = (await api.stranger().call("GET", "/metrics")).raw.decode()
        ready = (await api.stranger().call("GET", "/readyz")).json
    assert ready["details"]["redis"] == "away"
    uncounted = next(line for line in metrics.splitlines() if line.startswith("rate_limit_uncounted_total "))
    assert float(uncounted.split()[1]) >= 3 * WRITE


async def test_bursts_larger_than_the_connections_are_counted_exactly(servers: Servers) -> None:
    one, two = Store(redis_of(servers)), Store(redis_of(servers))
    limit, caller = Limit("write", 60), uuid4().hex
    counters = [RateLimiter(one), RateLimiter(two)]
    began, passed = monotonic(), 0
    for _ in range(4):
        counts = await asyncio.gather(*(counters[i % 2].count(limit, caller) for i in range(400)))
        assert all(count is not None for count in counts)
        passed += sum(count.allowed for count in counts if count is not None)
    # One more is let through for each second that it took.
    assert 60 <= passed <= 60 + ceil(monotonic() - began)
    assert (one.state, two.state) == ("ok", "ok")
    await one.close()
    await two.close()


async def test_without_redis_logins_are_counted_by_each_process(api_database: TestDatabase) -> None:
    away = RedisSettings(redis_url="redis://127.0.0.1:1/0")
    rates = RateSettings(rate_limit_login_per_min=3, rate_limit_login_address_per_min=0)
    async with serving(api_database, settings_for(api_database, rates=rates, redis=away)) as api:
        login = {"email": f"{uuid4().hex}@example.com", "password": "wrong"}
        answers = [await api.stranger().call("POST", "/v1/auth/token", login) for _ in range(5)]
    assert [a.status for a in answers] == [401, 401, 401, 429, 429]


async def test_a_stored_answer_survives_the_loss_of_redis(
    pair: tuple[Api, Api], api_database: TestDatabase, tenant_id: str
) -> None:
    key = str(uuid4())
    first = await create(pair[0].client(tenant_id), key)
    away = RedisSettings(redis_url="redis://127.0.0.1:1/0")
    async with serving(api_database, settings_for(api_database, redis=away)) as api:
        again = await create(api.client(tenant_id), key)
        assert (again.status, again.raw) == (200, first.raw)
        assert again.headers["idempotency-replayed"] == "true"
        other = await api.client(tenant_id).call("POST", "/v1/payment-intents", {**BODY, "amount": "2.00"}, key=key)
        assert (other.status, problem(other)["code"]) == (422, "idempotency_key_reused")
