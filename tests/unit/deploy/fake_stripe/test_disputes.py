"""Disputes of the stand-in: inquiries, chargebacks, evidence, changed amounts, and each end."""

from typing import Any

import pytest

from tests.support.fake_stripe import Caller

DAY = 86_400


async def disputed(caller: Caller, **params: str) -> Any:
    """Make a payment of 50.00 and dispute it."""
    paid = await caller.paid(amount="5000")
    return await caller.made(f"/_control/payment_intents/{paid['id']}/dispute", params)


def moved(dispute: Any) -> list[tuple[str, str, int, int]]:
    """What a dispute has moved."""
    return [
        (each["type"], each["reporting_category"], each["amount"], each["fee"])
        for each in dispute["balance_transactions"]
    ]


def kinds(caller: Caller) -> list[str]:
    prefix = "charge.dispute."
    return [e["type"].removeprefix(prefix) for e in caller.books.events.values() if e["type"].startswith(prefix)]


TAKEN = ("adjustment", "dispute", -5_000, 1_500)


async def test_won_dispute_gives_the_money_back_without_the_fee(caller: Caller) -> None:
    dispute = await disputed(caller)
    assert (dispute["status"], dispute["is_charge_refundable"], moved(dispute)) == ("needs_response", False, [TAKEN])
    won = await caller.made(f"/_control/disputes/{dispute['id']}/won")
    assert moved(won) == [TAKEN, ("adjustment", "dispute_reversal", 5_000, 0)]
    assert kinds(caller) == ["created", "funds_withdrawn", "closed", "funds_reinstated"]


@pytest.mark.parametrize(("outcome", "fee"), [("lost", 1_500), ("prevented", 1_500)])
async def test_lost_and_prevented_disputes_keep_the_money(caller: Caller, outcome: str, fee: int) -> None:
    dispute = await disputed(caller)
    ended = await caller.made(f"/_control/disputes/{dispute['id']}/{outcome}")
    assert moved(ended) == [("adjustment", "dispute", -5_000, fee)]
    assert kinds(caller)[-1] == "closed"


async def test_dispute_prevented_from_the_start_has_no_fee(caller: Caller) -> None:
    dispute = await disputed(caller, status="prevented")
    assert moved(dispute) == [("adjustment", "dispute", -5_000, 0)]
    assert kinds(caller) == ["created", "funds_withdrawn", "closed"]


async def test_inquiry_takes_nothing_and_the_charge_can_be_refunded(caller: Caller) -> None:
    inquiry = await disputed(caller, status="warning_needs_response")
    assert (inquiry["is_charge_refundable"], moved(inquiry)) == (True, [])
    assert inquiry["payment_method_details"]["card"]["case_type"] == "inquiry"
    assert (await caller.post("/v1/refunds", {"charge": inquiry["charge"], "amount": "100"})).status == 200
    await caller.made(f"/_control/disputes/{inquiry['id']}/warning_under_review")
    closed = await caller.made(f"/_control/disputes/{inquiry['id']}/warning_closed")
    assert (closed["status"], moved(closed)) == ("warning_closed", [])
    assert kinds(caller) == ["created", "updated", "closed"]


async def test_inquiry_becomes_a_chargeback(caller: Caller) -> None:
    inquiry = await disputed(caller, status="warning_needs_response")
    dispute = await caller.made(f"/_control/disputes/{inquiry['id']}/needs_response")
    assert (dispute["is_charge_refundable"], moved(dispute)) == (False, [TAKEN])
    assert dispute["payment_method_details"]["card"]["case_type"] == "chargeback"
    assert (await caller.post("/v1/refunds", {"charge": inquiry["charge"]})).code == (400, "charge_disputed")


async def test_changed_amount_moves_the_difference(caller: Caller) -> None:
    dispute = await disputed(caller, amount="3000")
    more = await caller.made(f"/_control/disputes/{dispute['id']}/amount", {"amount": "5000"})
    assert [each[2] for each in moved(more)] == [-3_000, -2_000]
    less = await caller.made(f"/_control/disputes/{dispute['id']}/amount", {"amount": "1000"})
    assert [each[1:3] for each in moved(less)][-1] == ("dispute_reversal", 4_000)
    won = await caller.made(f"/_control/disputes/{dispute['id']}/won")
    assert sum(each[2] for each in moved(won)) == 0
    assert kinds(caller).count("updated") == 2


async def test_evidence_is_kept_and_submitted_once(caller: Caller) -> None:
    dispute = await disputed(caller)
    path = f"/v1/disputes/{dispute['id']}"
    refused = await caller.post(path, {"evidence[colour]": "red"})
    assert refused.code == (400, "parameter_unknown")
    kept = await caller.made(path, {"evidence[customer_name]": "Jo", "submit": "false"})
    assert (kept["status"], kept["evidence"]["customer_name"]) == ("needs_response", "Jo")
    assert (kept["evidence_details"]["has_evidence"], kept["evidence_details"]["submission_count"]) == (True, 0)
    sent = await caller.made(path, {"evidence[uncategorized_text]": "Delivered."})
    assert (sent["status"], sent["evidence_details"]["submission_count"]) == ("under_review", 1)
    assert (await caller.post(path, {"evidence[customer_name]": "Al"})).status == 400


async def test_accepted_dispute_is_lost_and_may_be_appealed(caller: Caller) -> None:
    dispute = await disputed(caller)
    lost = await caller.made(f"/v1/disputes/{dispute['id']}/close")
    assert lost["status"] == "lost"
    appeal = await caller.made(f"/_control/disputes/{dispute['id']}/appeal_needs_response")
    assert appeal["status"] == "appeal_needs_response"
    await caller.made(f"/_control/disputes/{dispute['id']}/appeal_under_review")
    won = await caller.made(f"/_control/disputes/{dispute['id']}/won")
    assert sum(each[2] for each in moved(won)) == 0
    assert (await caller.post(f"/_control/disputes/{dispute['id']}/lost")).status == 400


async def test_dispute_without_evidence_is_lost_when_its_time_is_over(caller: Caller) -> None:
    dispute = await disputed(caller)
    caller.fake.clock.advance(9 * DAY)
    lapsed = await caller.found(f"/v1/disputes/{dispute['id']}")
    assert (lapsed["status"], lapsed["evidence_details"]["past_due"]) == ("lost", True)


async def test_refund_and_dispute_of_the_same_money_both_go_through(caller: Caller) -> None:
    paid = await caller.paid(amount="5000", payment_method="pm_card_pendingRefund")
    refund = await caller.made("/v1/refunds", {"payment_intent": paid["id"]})
    dispute = await caller.made(f"/_control/payment_intents/{paid['id']}/dispute")
    assert (refund["status"], moved(dispute)) == ("pending", [TAKEN])
