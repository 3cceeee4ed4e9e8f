"""A tenant's payments at a fake Stripe are compared over the whole platform: what agrees, what does not, and what people do about it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from deploy.fake_stripe import disputes, running_fake_stripe
from deploy.local.servers import Servers
from tests.e2e.own_account.shop import ENVIRON, KEY, Shop
from tests.proof.happenings import charge_elsewhere
from tests.support.platform import ADMIN, OPERATOR, Answer, running_platform
from tests.support.receiver import Receiver

NO_PATIENCE = {
    "RECONCILIATION_QUIET_SECONDS": "0",
    "RECONCILIATION_TIMING_HOURS": "0",
    "RECONCILIATION_EVERY_MINUTES": "0",
}
BEHIND_SECONDS = 60
"""Stripe's clock, which a test turns forward without leaving ours behind."""
READ_OFTEN = {"STRIPE_STATEMENT_EVERY_SECONDS": "0.3"}


class Books(Shop):
    """The shop, and who looks into its databases."""

    database: asyncpg.Pool

    async def known(self, **expected: int) -> dict[str, Any]:
        """Compare without writing anything down until all that moved is known here and in the books; returns the last run."""
        for _ in range(100):
            run = await self.run(dry_run=True)
            if run["discrepancies"] == expected:
                return run
            await asyncio.sleep(0.3)
        raise AssertionError(run)

    async def run(self, **more: Any) -> dict[str, Any]:
        """Compare the last day, and wait for the end of that."""
        now = datetime.now(UTC)
        body = {"from": (now - timedelta(days=1)).isoformat(), "until": now.isoformat()} | more
        begun = await self.admin.call("POST", "/v1/reconciliation/run", body)
        assert begun.status == 202, begun.raw
        async with asyncio.timeout(60):
            while True:
                run = await self.admin.call("GET", f"/v1/reconciliation/runs/{begun.json['id']}")
                assert run.status == 200, run.raw
                if run.json["state"] != "running":
                    break
                await asyncio.sleep(0.1)
        assert run.json["state"] == "complete", run.raw
        found: dict[str, Any] = run.json
        return found

    async def read_on(self) -> None:
        """Wait until the statement was read from after now on: a page that is being read shows what was there before."""
        now = datetime.now(UTC)
        unread = "SELECT count(*) FROM gateway.processor_readings WHERE list = 'movements' AND complete_until < $1"
        async with asyncio.timeout(60):
            while await self.database.fetchval(unread, now):
                await asyncio.sleep(0.1)

    async def discrepancies(self, query: str = "resolved=false") -> list[dict[str, Any]]:
        """List discrepancies."""
        answer = await self.admin.call("GET", f"/v1/reconciliation/discrepancies?{query}")
        assert answer.status == 200, answer.raw
        found: list[dict[str, Any]] = answer.json
        return found

    async def decide(self, discrepancy: str, decision: str, body: dict[str, Any] | None = None) -> Answer:
        """Decide about one."""
        return await self.admin.call("POST", f"/v1/reconciliation/discrepancies/{discrepancy}/{decision}", body)


@pytest.fixture(scope="module")
async def shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Books]:
    logs: Path = tmp_path_factory.mktemp("reconciliation-logs")
    with pytest.MonkeyPatch.context() as patch:
        async with running_fake_stripe(behind_seconds=BEHIND_SECONDS) as fake:
            patch.setenv("STRIPE_API_BASE", fake.url)
            async with running_platform(servers, logs, environ=ENVIRON | NO_PATIENCE | READ_OFTEN) as platform:
                running = Books(platform, fake, await platform.login(ADMIN), await platform.login(OPERATOR))
                running.database = await asyncpg.create_pool(platform.database.admin_url, min_size=1, max_size=2)
                await running.configure()
                yield running
                await running.database.close()


async def the_report_ties(shop: Books, run: dict[str, Any]) -> None:
    """What an account opens with and what moved make what it closes with, which is what the books have; in every form."""
    report = run["report"]
    kinds: set[str] = set()
    for statement in report["statements"]:
        amounts = {line["kind"]: (Decimal(line["came"]), Decimal(line["left"])) for line in statement["lines"]}
        kinds |= amounts.keys()
        came, left = (sum(pair[side] for pair in amounts.values()) for side in (0, 1))
        assert (came, left) == (Decimal(statement["came"]), Decimal(statement["left"]))
        assert Decimal(statement["opening"]) + came - left == Decimal(statement["closing"])
    assert {"charge", "refund", "fee"} <= kinds
    for beside in report["books"]:
        closings = [each["closing"] for each in report["statements"] if each["currency"] == beside["currency"]]
        assert Decimal(beside["books"]) == sum(map(Decimal, closings))
        assert Decimal(beside["difference"]) == 0
    assert sum(each["number"] for each in report["matched"]) == run["matched"]
    assert {(each["type"], each["age"]) for each in report["unsettled"]} == {("FOREIGN", "day")}
    assert any("SUSPENSE" in each["roles"] for each in report["clearing"])
    path = f"/v1/reconciliation/runs/{run['id']}"
    # What happens later changes nothing of it.
    assert (await shop.admin.call("GET", path)).json["report"] == report
    table = (await shop.admin.call("GET", f"{path}?format=csv")).raw.decode()
    assert f"closing,,{statement['came']},{statement['left']},{statement['closing']}" in table
    page = (await shop.admin.call("GET", f"{path}?format=html")).raw.decode()
    assert page.startswith("<!doctype html>")
    assert statement["closing"] in page


async def test_what_agrees_is_matched_and_each_damage_is_found(shop: Books, receiver: Receiver) -> None:
    hook = await shop.admin.call(
        "POST", "/v1/webhooks", {"url": receiver.url, "events": ["reconciliation.discrepancy_found"]}
    )
    assert hook.status == 201, hook.raw
    known = await shop.run(dry_run=True)
    before, others = known["discrepancies"].get("FOREIGN", 0), known["payments"]
    paid = [await shop.paid() for _ in range(3)]
    refund = await shop.operator.call(
        "POST", f"/v1/payment-intents/{paid[0]}/refund", {"amount": "5.00"}, key=str(uuid4())
    )
    assert refund.status in {200, 201, 202}, refund.raw
    moved = charge_elsewhere(shop.fake.account(KEY), 1234)

    dry = await shop.known(FOREIGN=before + 1)
    assert dry["payments"] == others + 3
    assert {each["discrepancy_type"] for each in dry["sample"]} == {"FOREIGN"}

    run = await shop.run()
    assert (run["payments"] - others, run["discrepancies"], run["new"]) == (3, {"FOREIGN": before + 1}, 1)
    assert run["matched"] == run["movements"] - before - 1
    foreign = next(each for each in await shop.discrepancies() if each["subject"] == moved["id"])
    assert (foreign["discrepancy_type"], foreign["actual_amount"], foreign["currency"]) == ("FOREIGN", "12.34", "BRL")
    async with asyncio.timeout(30):
        while not receiver.received:
            await asyncio.sleep(0.05)
    event = json.loads(receiver.received[0].body)["data"]
    assert (event["discrepancy_count"], event["types"], event["run_id"]) == (1, ["FOREIGN"], run["id"])

    await the_report_ties(shop, run)

    again = await shop.run()
    assert (again["discrepancies"], again["new"]) == ({"FOREIGN": before + 1}, 0)

    # A charge is lost here, and the api has another amount of what was captured than everybody else.
    intents = [UUID(each) for each in paid]
    at_stripe = shop.fake.account(KEY).balance_transactions
    lost = await shop.database.fetchval(
        "SELECT id FROM gateway.processor_movements WHERE payment_intent_id = $1 AND kind = 'charge'", intents[1]
    )
    forgotten = at_stripe.pop(lost)
    await shop.read_on()
    await shop.database.execute("DELETE FROM gateway.processor_movements WHERE id = $1", lost)
    await shop.database.execute(
        "UPDATE api.payment_intents SET captured_minor = captured_minor - 100 WHERE id = $1", intents[2]
    )
    damaged = await shop.run()
    assert damaged["new"] == 4
    found = {
        (each["payment_intent_id"], each["discrepancy_type"], each["aspect"]): each
        for each in await shop.discrepancies()
    }
    assert {key for key in found if key[1] != "FOREIGN"} == {
        (paid[1], "MISSING_REMOTE", "processor"),
        # The books have what moved, and nothing says any more what of.
        (paid[1], "MISSING_REMOTE", "entry"),
        (paid[2], "AMOUNT_MISMATCH", "processor"),
        (paid[2], "AMOUNT_MISMATCH", "book"),
    }
    wrong = found[paid[2], "AMOUNT_MISMATCH", "processor"]
    assert (wrong["expected_amount"], wrong["actual_amount"]) == ("24.00", "25.00")
    assert {each["id"] for each in await shop.discrepancies(f"payment_intent_id={paid[1]}")} == {
        found[paid[1], "MISSING_REMOTE", aspect]["id"] for aspect in ("processor", "entry")
    }

    # What is repaired agrees, by itself.
    at_stripe[lost] = forgotten
    await shop.database.execute(
        "UPDATE api.payment_intents SET captured_minor = captured_minor + 100 WHERE id = $1", intents[2]
    )
    await shop.known(FOREIGN=before + 1)
    assert (await shop.run())["agreed"] == 4
    assert [each["reason"] for each in await shop.discrepancies(f"payment_intent_id={paid[1]}")] == ["agreed"] * 2


async def test_people_decide_about_discrepancies_and_runs_heed_that(shop: Books) -> None:
    moved = charge_elsewhere(shop.fake.account(KEY), 777)
    async with asyncio.timeout(60):
        while not (
            mine := [
                each
                for each in await shop.discrepancies()
                if (each["subject"], each["aspect"]) == (moved["id"], "processor")
            ]
        ):
            await shop.run()
    (found,) = mine
    assert (await shop.decide(found["id"], "reopen")).status == 409
    assigned = await shop.decide(found["id"], "assign", {"assignee": "ana@example.com", "note": "asks the bank"})
    assert (assigned.json["state"], assigned.json["assignee"]) == ("assigned", "ana@example.com")
    ignored = await shop.decide(found["id"], "ignore", {"reason": "test_charge"})
    assert (ignored.json["state"], ignored.json["resolved"]) == ("ignored", True)
    run = await shop.run()
    assert run["new"] == 0
    shown = await shop.admin.call("GET", f"/v1/reconciliation/discrepancies/{found['id']}")
    assert [change["state"] for change in shown.json["changes"]] == ["open", "assigned", "ignored"]
    assert shown.json["state"] == "ignored"
    body = {"ids": [found["id"], str(uuid4())], "decision": "reopen"}
    assert (await shop.admin.call("POST", "/v1/reconciliation/discrepancies/decide", body)).status == 404
    body = {"ids": [found["id"]], "decision": "reopen", "note": "it was none"}
    reopened = await shop.admin.call("POST", "/v1/reconciliation/discrepancies/decide", body)
    assert [each["state"] for each in reopened.json] == ["reopened"]
    resolved = await shop.decide(found["id"], "resolve")
    assert (resolved.status, resolved.json["reason"]) == (200, "by_hand")


async def test_what_disputes_cost_agrees_with_the_books(shop: Books) -> None:
    paid = [await shop.paid() for _ in range(3)]
    books = shop.fake.account(KEY)
    charges = {
        each["metadata"].get("payment_intent_id"): books.charges[each["latest_charge"]]
        for each in books.payment_intents.values()
        if each["latest_charge"]
    }
    lost = disputes.open_dispute(books, charges[paid[0]], 700)
    disputes.change_dispute(books, lost, "lost")
    disputes.open_dispute(books, charges[paid[1]], 2500, status="prevented")
    won = disputes.open_dispute(books, charges[paid[2]], 2500)

    async def until(*expected: str) -> None:
        async with asyncio.timeout(60):
            while await statuses() != [*expected]:
                await asyncio.sleep(0.2)

    async def statuses() -> list[str]:
        found = [await shop.operator.call("GET", f"/v1/payment-intents/{each}/disputes") for each in paid]
        return [each.json[0]["status"] if each.json else "" for each in found]

    disputes.change_dispute(books, won, "lost")
    await until("LOST", "LOST", "LOST")
    # Stripe's events have whole seconds: which of one second came last is not known, and then the next list decides.
    shop.fake.clock.advance(5)
    disputes.change_dispute(books, won, "appeal_needs_response")
    shop.fake.clock.advance(5)
    disputes.change_dispute(books, won, "won")
    await until("LOST", "LOST", "WON")
    async with asyncio.timeout(60):
        while (await shop.run(dry_run=True))["discrepancies"].keys() - {"FOREIGN"}:
            await asyncio.sleep(0.3)
    on_losses = await shop.database.fetchval(
        "SELECT sum(CASE p.side WHEN 'DEBIT' THEN p.amount_minor ELSE -p.amount_minor END) FROM ledger.postings AS p "
        "JOIN ledger.accounts AS a ON a.tenant_id = p.tenant_id AND a.id = p.account_id AND a.code = 'DISPUTE_LOSSES'"
    )
    assert on_losses == 700 + 2500


async def test_a_capture_that_was_missed_takes_the_way_of_a_notice(shop: Books) -> None:
    paid = await shop.paid()
    while (await shop.run(dry_run=True))["discrepancies"].keys() - {"FOREIGN"}:
        await asyncio.sleep(0.3)
    # As if the message had never come.
    await shop.database.execute(
        "UPDATE api.payment_intents SET status = 'AUTHORIZED', capturing_minor = captured_minor, captured_minor = 0 WHERE id = $1",
        UUID(paid),
    )
    named: list[dict[str, Any]] = []
    # Once the statement of the processor is read up to the payment: before that it is too early to say.
    async with asyncio.timeout(60):
        while not named:
            await asyncio.sleep(0.3)
            await shop.run()
            unsettled = await shop.discrepancies(f"payment_intent_id={paid}&resolved=false")
            named = [each for each in unsettled if each["aspect"] == "processor"]
    (found,) = named
    assert found["discrepancy_type"] == "STATUS_MISMATCH"
    repaired = await shop.decide(found["id"], "repair")
    assert (repaired.status, repaired.json["state"]) == (200, "pending"), repaired.raw
    async with asyncio.timeout(30):
        while (await shop.admin.call("GET", f"/v1/payment-intents/{paid}")).json["status"] != "SETTLED":
            await asyncio.sleep(0.1)
    await shop.run()
    assert await shop.discrepancies(f"payment_intent_id={paid}&resolved=false") == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"from": "2026-11-02", "until": "2026-11-01"}, 422),
        ({"from": "2026-11-01", "until": "2999-11-02"}, 422),
        ({"from": "2020-11-01", "until": "2026-11-02"}, 422),
        ({"from": "yesterday!", "until": "2026-11-02"}, 422),
        ({"from": "2026-11-01T00:00:00", "until": "2026-11-02"}, 422),
        ({"from": "2026-11-01"}, 422),
    ],
)
async def test_windows_that_cannot_be_compared_are_refused(shop: Books, body: dict[str, Any], status: int) -> None:
    answer = await shop.admin.call("POST", "/v1/reconciliation/run", body)
    assert answer.status == status, answer.raw


async def test_runs_and_discrepancies_are_the_tenants_own(shop: Books) -> None:
    for path in ("runs", "discrepancies"):
        answer = await shop.admin.call("GET", f"/v1/reconciliation/{path}/{uuid4()}")
        assert answer.status == 404, answer.raw
    assert (await shop.operator.call("GET", "/v1/reconciliation/runs")).status == 403


async def test_a_month_is_closed_and_read_over_the_api(shop: Books) -> None:
    # Not the last one, which other tests of today may look back into.
    until = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    begins = (until - timedelta(days=1)).replace(day=1)
    await shop.run(**{"from": begins.isoformat(), "until": until.isoformat()})
    path = f"/v1/reconciliation/periods/{begins:%Y-%m}"
    closed = await shop.admin.call("POST", f"{path}/close", {"override_reason": "Nothing moved"})
    assert closed.status == 200, closed.raw
    found = await shop.admin.call("GET", path)
    assert found.status == 200, found.raw
    assert found.json | closed.json == found.json
    assert sha256(found.json["sealed"].encode()).hexdigest() == closed.json["sha256"]
