"""A Prometheus reads the running platform: what every panel asks and every rule records has data after payments."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from deploy.local.bootstrap import SERVICES
from deploy.local.native import prometheus
from deploy.local.processes import end
from deploy.local.waiting import locked
from deploy.observability import dashboards
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import OPERATOR, Platform
from tests.support.ports import free_port
from tests.support.receiver import Receiver

ROOT = Path(__file__).parents[2]
DATA_SECONDS = 150
"""Longer than every loop that measures takes for its first round, on a machine that does much else."""
EMPTY = {
    "database_outages_total": "PostgreSQL has been there, and SQLSTATEs are many",
    "outbox_refused_events": "no destination has refused, and their names are those of other teams' queues",
    "gateway_notices_total": "the sandbox reports nothing unasked",
    "b2b_disputes_total": "the sandbox has no disputes",
    "gateway_statement_lag_seconds": "no account has a statement",
    "gateway_balances_off": "no account has a balance at a processor",
}
"""Parts of queries that may be without data until something is wrong, with the reason."""


@pytest.fixture(scope="module")
async def watching(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A Prometheus that reads the four services every second; yields its address."""
    with locked(ROOT / ".local" / "promtool.lock"):
        program, reason = prometheus.prometheus()
    if not program:
        pytest.skip(reason)
    home, port = tmp_path_factory.mktemp("prometheus"), free_port()
    targets = {f"payments-{service}": [platform.base(service).removeprefix("http://")] for service in SERVICES}
    process = await asyncio.to_thread(
        prometheus.start,
        home / "prometheus",
        prometheus.Watched(targets=targets, every="1s"),
        program=program,
        port=port,
        home=home,
    )
    yield f"http://127.0.0.1:{port}"
    await asyncio.to_thread(end, [process], first=signal.SIGTERM, seconds=10.0, whole_group=False)


@pytest.fixture(scope="module")
def recorded() -> list[str]:
    """The names that the rules record."""
    files = [yaml.safe_load(file.read_text()) for file in sorted((ROOT / "deploy/observability/rules").glob("*.yml"))]
    return sorted({rule["record"] for file in files for group in file["groups"] for rule in group["rules"]})


async def _ask(platform: Platform, url: str, **parameters: str) -> Any:
    async with platform.http.get(url, params=parameters) as answer:
        body = await answer.json()
        assert body["status"] == "success", body
        return body["data"]


async def test_panels_and_rules_have_data_after_payments(
    platform: Platform, watching: str, recorded: list[str], receiver: Receiver
) -> None:
    # A tenant of its own: its endpoint must receive no payment that another test has left pending.
    tenant = new_tenant()
    admin = person(platform, tenant, "watcher@example.com", ("admin:write", "payments:read"))
    operator = person(platform, tenant, "cashier@example.com", ("payments:write", "payments:read", "ledger:read"))
    made = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["*"]})
    assert made.status == 201, made.raw
    await platform.login(OPERATOR)
    for amount in ("21.00", "22.00"):
        intent = await operator.create(amount)
        assert (await operator.confirm(intent["id"])).status in {200, 202}
        await operator.settled(intent["id"])
    refund = await operator.call(
        "POST", f"/v1/payment-intents/{intent['id']}/refund", {"amount": "5.00"}, key=str(uuid4())
    )
    assert refund.status in {200, 201, 202}, refund.raw
    queries = {
        **{name: name for name in recorded},
        **{f"{where}: {expr}": expr for where, expr in dashboards.queries()},
    }
    missing = {where: expr for where, expr in queries.items() if not any(part in expr for part in EMPTY)}
    try:
        async with asyncio.timeout(DATA_SECONDS) as whole:
            while missing:
                for where, expr in list(missing.items()):
                    found = (await _ask(platform, f"{watching}/api/v1/query", query=expr))["result"]
                    # A quantile of a histogram that counts nothing is NaN.
                    if any(sample["value"][1] != "NaN" for sample in found):
                        del missing[where]
                # One more payment: what was new when Prometheus first looked grows before it looks again.
                again = await operator.create("23.00")
                await operator.confirm(again["id"])
                await operator.settled(again["id"])
                # The api asks the ledger.
                assert (await operator.call("GET", "/v1/ledger/balances")).status == 200
                assert (await operator.call("GET", "/v1/webhooks")).status == 403
    except TimeoutError:
        if not whole.expired():
            raise
        assert sorted(missing) == []
    deleted = await admin.call("DELETE", f"/v1/webhooks/{made.json['id']}")
    assert deleted.status == 204, deleted.raw


async def test_rules_are_evaluated_without_error(platform: Platform, watching: str, recorded: list[str]) -> None:
    async with asyncio.timeout(DATA_SECONDS):
        while True:
            groups = (await _ask(platform, f"{watching}/api/v1/rules"))["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            if all(rule["health"] != "unknown" for rule in rules):
                break
            await asyncio.sleep(0.2)
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    assert {rule["name"] for rule in rules} >= set(recorded)
    for _, expr in dashboards.queries():
        await _ask(platform, f"{watching}/api/v1/query", query=expr)


def test_list_of_what_may_be_empty_names_what_is_read(recorded: list[str]) -> None:
    text = "\n".join([*recorded, *(expr for _, expr in dashboards.queries())])
    assert [part for part in EMPTY if not re.search(re.escape(part), text)] == []
