"""Payouts of the stand-in: daily and by hand, paid, failed, cancelled, reversed, and debits of the bank account."""

from typing import Any

from tests.support.fake_stripe import KEY, Caller

DAY = 86_400


async def rich(caller: Caller, amount: int = 10_000) -> int:
    """Make a payment whose money is available at once; returns what is left of it."""
    paid = await caller.paid(amount=str(amount), payment_method="pm_card_bypassPending")
    charge = await caller.found(f"/v1/charges/{paid['latest_charge']}", {"expand[]": "balance_transaction"})
    return int(charge["balance_transaction"]["net"])


async def payout_by_hand(caller: Caller, amount: int) -> Any:
    return await caller.made("/v1/payouts", {"amount": str(amount), "currency": "brl"})


def kinds(caller: Caller) -> list[str]:
    return [each["type"] for each in caller.books.events.values() if each["type"].startswith("payout.")]


async def test_payout_by_hand_goes_to_the_bank_by_the_clock(caller: Caller) -> None:
    net = await rich(caller)
    payout = await payout_by_hand(caller, 5_000)
    assert (payout["status"], payout["automatic"], payout["source_type"]) == ("pending", False, "card")
    assert (payout["reconciliation_status"], payout["trace_id"]["value"]) == ("not_applicable", None)
    assert await caller.balance() == {"brl": (net - 5_000, 0)}
    caller.fake.clock.advance(3_600)
    assert (await caller.found(f"/v1/payouts/{payout['id']}"))["status"] == "in_transit"
    caller.fake.clock.advance(payout["arrival_date"] - caller.fake.clock.now())
    paid = await caller.found(f"/v1/payouts/{payout['id']}")
    assert (paid["status"], paid["trace_id"]["status"]) == ("paid", "supported")
    assert kinds(caller) == ["payout.created", "payout.updated", "payout.paid"]
    refused = await caller.get("/v1/balance_transactions", {"payout": payout["id"]})
    assert (refused.status, refused.error["param"]) == (400, "payout")


async def test_pending_payout_by_hand_is_cancelled(caller: Caller) -> None:
    net = await rich(caller)
    payout = await payout_by_hand(caller, 5_000)
    canceled = await caller.made(f"/v1/payouts/{payout['id']}/cancel")
    *_, back = await caller.movements()
    assert (canceled["status"], canceled["failure_balance_transaction"]) == ("canceled", back["id"])
    assert (back["type"], back["reporting_category"], back["amount"]) == ("payout_cancel", "payout_reversal", 5_000)
    assert await caller.balance() == {"brl": (net, 0)}
    assert kinds(caller) == ["payout.created", "payout.canceled"]
    assert (await caller.post(f"/v1/payouts/{payout['id']}/cancel")).status == 400


async def test_payout_fails_after_it_was_paid(caller: Caller) -> None:
    net = await rich(caller)
    payout = await payout_by_hand(caller, 5_000)
    await caller.made(f"/_control/payouts/{payout['id']}/paid")
    failed = await caller.made(f"/_control/payouts/{payout['id']}/failed")
    *_, back = await caller.movements()
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert (failed["failure_balance_transaction"], back["type"]) == (back["id"], "payout_failure")
    assert back["reporting_category"] == "payout_reversal"
    assert await caller.balance() == {"brl": (net, 0)}
    assert kinds(caller) == ["payout.created", "payout.paid", "payout.failed"]
    assert (await caller.post(f"/_control/payouts/{payout['id']}/paid")).status == 400


async def test_paid_payout_is_reversed_by_another(caller: Caller) -> None:
    net = await rich(caller)
    payout = await payout_by_hand(caller, 5_000)
    assert (await caller.post(f"/v1/payouts/{payout['id']}/reverse")).status == 400
    await caller.made(f"/_control/payouts/{payout['id']}/paid")
    back = await caller.made(f"/v1/payouts/{payout['id']}/reverse")
    assert (back["amount"], back["original_payout"]) == (-5_000, payout["id"])
    assert (await caller.found(f"/v1/payouts/{payout['id']}"))["reversed_by"] == back["id"]
    assert await caller.balance() == {"brl": (net, 0)}


async def test_automatic_payout_takes_all_that_is_available_and_names_it(caller: Caller) -> None:
    await caller.paid(amount="10000")
    assert (await caller.made("/_control/payouts/run"))["data"] == []
    net = sum((await caller.balance())["brl"])
    caller.fake.clock.advance(2 * DAY)
    (payout,) = (await caller.made("/_control/payouts/run"))["data"]
    assert (payout["amount"], payout["automatic"], payout["status"]) == (net, True, "in_transit")
    assert payout["reconciliation_status"] == "in_progress"
    early = await caller.get("/v1/balance_transactions", {"payout": payout["id"]})
    assert early.code == (400, "payout_reconciliation_not_ready")
    caller.fake.clock.advance(3_600)
    assert (await caller.found(f"/v1/payouts/{payout['id']}"))["reconciliation_status"] == "completed"
    assert kinds(caller) == ["payout.created", "payout.reconciliation_completed"]
    listed = await caller.movements(payout=payout["id"])
    # As at Stripe the payout's own movement is in the list.
    assert [each["type"] for each in listed] == ["charge", "payout"]
    assert sum(each["net"] for each in listed if each["type"] != "payout") == payout["amount"]
    assert await caller.balance() == {"brl": (0, 0)}


async def test_daily_payouts_run_at_midnight_and_what_came_back_goes_again(caller: Caller) -> None:
    async with caller.http.post(
        f"{caller.fake.url}/_control/account", json={"payouts": "daily"}, headers={"Authorization": f"Bearer {KEY}"}
    ) as answer:
        assert (await answer.json())["payouts"] == "daily"
    assert (await caller.found("/v1/account"))["settings"]["payouts"]["schedule"]["interval"] == "daily"
    net = await rich(caller)
    caller.fake.clock.advance(DAY)
    (first,) = (await caller.found("/v1/payouts"))["data"]
    assert (first["amount"], first["created"] % DAY) == (net, 0)
    await caller.made(f"/_control/payouts/{first['id']}/failed")
    caller.fake.clock.advance(DAY)
    second, _ = (await caller.found("/v1/payouts"))["data"]
    assert second["amount"] == net
    caller.fake.clock.advance(5 * DAY)
    assert len((await caller.found("/v1/payouts"))["data"]) == 2
    assert [each["id"] for each in (await caller.found("/v1/payouts", {"status": "paid"}))["data"]] == [second["id"]]
    window = {"arrival_date[gte]": str(second["arrival_date"])}
    assert [each["id"] for each in (await caller.found("/v1/payouts", window))["data"]] == [second["id"]]


async def test_balance_below_zero_is_debited_from_the_bank(caller: Caller) -> None:
    net = await rich(caller, 5_000)
    await caller.made("/_control/payouts/run")
    (charge,) = caller.books.charges.values()
    await caller.made("/v1/refunds", {"charge": charge["id"]})
    assert await caller.balance() == {"brl": (-5_000, 0)}
    (debit,) = (await caller.made("/_control/payouts/run"))["data"]
    assert (debit["amount"], debit["automatic"]) == (-5_000, True)
    *_, movement = await caller.movements()
    assert (movement["type"], movement["amount"]) == ("payout", 5_000)
    assert await caller.balance() == {"brl": (0, 0)}
    assert net < 5_000
