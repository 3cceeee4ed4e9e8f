"""Refunds and disputes whose events were lost are adopted from Stripe's lists, once, and never against what is newer."""

from typing import Any
from uuid import UUID

import pytest

from deploy.fake_stripe import refunds
from libs.common.contracts.gateway import RefundFailed, RefundSucceeded
from libs.common.ids import new_id
from services.gateway import metrics
from services.gateway.movements.domain import adopted_id
from tests.support.statement import Merchant, processor_accounts


def lose(merchant: Merchant) -> None:
    """Let every event so far count as delivered that nobody has received."""
    for event in merchant.books.events.values():
        event["_waiting"].clear()
    merchant._delivered = len(merchant.books.events)


async def names(merchant: Merchant) -> list[str]:
    kinds = ("refund.", "dispute.")
    published = [event.body.contract.name for event in await merchant.published()]
    return [name for name in published if name.startswith(kinds)]


async def disputed(merchant: Merchant, reference: str, **given: str) -> Any:
    return merchant.control(f"payment_intents/{reference}/dispute", amount="5000", **given)


async def adopted(merchant: Merchant) -> list[str]:
    """What a round has brought, that a second one brings nothing, and that the books are Stripe's."""
    await merchant.read()
    found = await names(merchant)
    merchant.advance(hours=7)
    await merchant.read()
    assert await names(merchant) == []
    left = "SELECT type, reason FROM stripe_events WHERE status NOT IN ('HANDLED', 'IGNORED')"
    assert await merchant.charging.fetch(left) == []
    return found


@pytest.mark.parametrize(
    ("method", "end", "before", "after"),
    [
        ("pm_card_visa", "failed", ["refund.succeeded"], ["refund.failed"]),
        ("pm_card_pendingRefund", "succeeded", [], ["refund.succeeded"]),
        ("pm_card_pendingRefund", "failed", [], ["refund.failed"]),
    ],
)
async def test_refund_whose_event_was_lost_ends_as_stripe_lists_it(
    merchant: Merchant, method: str, end: str, before: list[str], after: list[str]
) -> None:
    intent, reference = await merchant.pay(15_050, method=method)
    refund = await merchant.give_back(intent, reference, 5_000)
    await merchant.deliver()
    await merchant.read()
    assert await names(merchant) == before
    # Days later, out of reach of all but a deep round.
    merchant.advance(days=20)
    merchant.control(f"refunds/{refund}/{end}")
    lose(merchant)
    counted = metrics.STATEMENT_ADOPTED.labels("refunds")._value
    was = counted.get()
    assert await adopted(merchant) == after
    assert counted.get() == was + 1


async def test_money_of_a_refund_that_we_declined_is_adopted_once(merchant: Merchant) -> None:
    intent, reference = await merchant.pay(15_050)
    refund = await merchant.give_back(intent, reference, 5_000)
    declined = "UPDATE attempts SET status = 'DECLINED', reason = 'not_received', next_ask_at = NULL WHERE operation = 'refund'"
    await merchant.charging.fetch(declined)
    lose(merchant)
    given: list[RefundSucceeded] = []
    for _ in range(2):
        merchant.advance(hours=7)
        await merchant.read()
        kept = await merchant.charging.fetch("SELECT status FROM stripe_events WHERE type = 'refund.updated'")
        assert [row["status"] for row in kept] == ["CONTRADICTED"]
        published = await merchant.published()
        given += [event.body for event in published if isinstance(event.body, RefundSucceeded)]
        await merchant.handle(published)
    # Once, as one that was made in the dashboard: ours stays declined.
    [adopted_one] = given
    assert (adopted_one.is_adopted, adopted_one.amount_minor) == (True, 5_000)
    assert adopted_one.refund_id == adopted_id(merchant.tenant_id, intent, refund)
    standing = await merchant.standing()
    assert processor_accounts(standing) == merchant.at_stripe()
    assert "REFUND_CLEARING BRL" not in standing
    # It comes back, too.
    merchant.control(f"refunds/{refund}/failed")
    merchant.advance(hours=7)
    await merchant.read()
    published = await merchant.published()
    assert [e.body.refund_id for e in published if isinstance(e.body, RefundFailed)] == [adopted_one.refund_id]
    await merchant.handle(published)
    standing = await merchant.standing()
    assert processor_accounts(standing) == merchant.at_stripe()
    assert "REFUND_CLEARING BRL" not in standing


async def test_copy_of_a_refund_with_its_metadata_is_adopted_as_another(merchant: Merchant) -> None:
    intent, reference = await merchant.pay(15_050)
    refund = await merchant.give_back(intent, reference, 5_000)
    await merchant.deliver()
    ours = merchant.books.refunds[refund]
    copy = refunds.create_refund(
        merchant.books,
        {"payment_intent": reference, "amount": "1000", **{f"metadata[{k}]": v for k, v in ours["metadata"].items()}},
    )
    lose(merchant)
    await merchant.read()
    published = await merchant.published()
    given = {e.body.refund_id: e.body.is_adopted for e in published if isinstance(e.body, RefundSucceeded)}
    assert given == {
        UUID(ours["metadata"]["refund_id"]): False,
        adopted_id(merchant.tenant_id, intent, copy["id"]): True,
    }
    await merchant.handle(published)
    standing = await merchant.standing()
    assert processor_accounts(standing) == merchant.at_stripe()
    assert "REFUND_CLEARING BRL" not in standing


@pytest.mark.parametrize(
    ("status", "is_known", "changes", "expected"),
    [
        ("needs_response", False, [], ["dispute.opened"]),
        ("needs_response", False, ["won"], ["dispute.opened", "dispute.won"]),
        ("needs_response", True, ["amount"], ["dispute.amount_changed"]),
        ("needs_response", True, ["amount", "lost"], ["dispute.amount_changed", "dispute.lost"]),
        ("warning_needs_response", False, [], ["dispute.inquiry_opened"]),
        ("warning_needs_response", True, ["warning_closed"], ["dispute.inquiry_closed"]),
    ],
)
async def test_dispute_whose_events_were_lost_is_adopted(
    merchant: Merchant, status: str, is_known: bool, changes: list[str], expected: list[str]
) -> None:
    _, reference = await merchant.pay(15_050)
    await merchant.deliver()
    dispute = await disputed(merchant, reference, status=status)
    if is_known:
        await merchant.deliver()
        await names(merchant)
    for change in changes:
        merchant.advance(hours=1)
        merchant.control(f"disputes/{dispute['id']}/{change}", amount="3000")
    lose(merchant)
    merchant.advance(minutes=10)
    assert await adopted(merchant) == expected


async def test_what_a_list_showed_before_a_later_event_undoes_nothing(merchant: Merchant) -> None:
    _, reference = await merchant.pay(15_050)
    await merchant.deliver()
    dispute = await disputed(merchant, reference)
    await merchant.deliver()
    merchant.advance(hours=1)
    lost = dispute | {"status": "lost"}
    read_at = merchant.clock.now()
    merchant.advance(minutes=1)
    merchant.control(f"disputes/{dispute['id']}/won")
    await merchant.deliver()
    assert (await names(merchant))[-1] == "dispute.won"
    await merchant.reading._adopt(await merchant.account(), [lost], is_dispute=True, at=read_at)
    await merchant.read()
    assert await names(merchant) == []


async def test_what_is_not_ours_or_understood_makes_no_event(merchant: Merchant) -> None:
    intent, reference = await merchant.pay(15_050)
    await merchant.deliver()
    by_hand = refunds.create_refund(merchant.books, {"payment_intent": reference, "amount": "1000"})
    named = {"tenant_id": merchant.tenant_id, "payment_intent_id": str(intent), "refund_id": str(new_id())}
    of_nobody = {**by_hand, "id": "re_2", "metadata": named}
    elsewhere = {**by_hand, "id": "re_3", "metadata": named | {"payment_intent_id": str(new_id())}}
    account, now = await merchant.account(), merchant.clock.now()
    adopt = merchant.reading._adopt
    shown = [by_hand, of_nobody, elsewhere]
    merchant.advance(hours=7)
    assert await adopt(account, [{**each, "created": 0} for each in shown], is_dispute=False, at=now) == 0
    assert (
        await adopt(account, [{"id": "re_4", "created": 0}, {"created": 0, "metadata": 7}], is_dispute=False, at=now)
        == 2
    )
    dispute = {"id": "dp_1", "payment_intent": "pi_of_nobody", "status": "lost", "amount": 1, "currency": "brl"}
    assert await adopt(account, [dispute, {"id": "dp_2"}, {**dispute, "currency": "x"}], is_dispute=True, at=now) == 2
    assert await merchant.charging.fetch("SELECT 1 FROM stripe_events WHERE id LIKE 'read_%'") == []
    await merchant.read()
    await merchant.book()
    assert processor_accounts(await merchant.standing()) == merchant.at_stripe()
