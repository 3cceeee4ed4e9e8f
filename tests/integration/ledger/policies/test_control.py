"""Where a tenant demands two people, nobody changes its books alone: whichever way the entry comes, the engine refuses it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from libs.common.contracts.ledger_books import HoldState
from libs.common.contracts.ledger_errors import ApprovalRequired
from libs.common.contracts.ledger_journal import Mode, SetJournalPolicy
from libs.common.contracts.ledger_money import PostConversion
from libs.common.ids import new_id
from services.ledger.manual_entries.commands import post
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.exchange.test_money import record
from tests.integration.ledger.manual_entries.test_manual_entries import outcomes
from tests.integration.ledger.manual_entries.test_proposals import Office


async def demand(books: Books, tenant_id: str) -> None:
    await books.policies.set_for_everything(
        SetJournalPolicy(tenant_id=tenant_id, changed_by="cfo", manual_entries_need_approval=True)
    )


async def test_no_way_leads_around_the_demand(bank: Bank, ledger: Ledger, books: Books, tenant_id: str) -> None:
    await bank.post("VAULT", "WALLET", 1000)
    entry_id, held, again = await bank.post("VAULT", "WALLET", 5), await bank.hold(20), await bank.hold(30)
    await record(ledger, tenant_id, "USD/BRL", "5.00", at=bank.clock.now() - timedelta(hours=1))
    conversion = PostConversion(
        tenant_id=tenant_id, conversion_id=new_id(), from_currency="USD", to_currency="BRL", amount_minor=100
    )
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "entry": lambda: books.post(tenant_id, moved("CASH", "REVENUE")),
        "engine": lambda: bank.post("VAULT", "WALLET", 7),
        "hold": lambda: bank.hold(1),
        "capture": lambda: bank.capture(held),
        "part": lambda: bank.capture(held, 3),
        "reversal": lambda: bank.entries.reverse(tenant_id, entry_id),
        "conversion": lambda: ledger.exchange.on_post_conversion(conversion),
    }
    await demand(books, tenant_id)
    before = await bank.balance("WALLET"), await books.count(tenant_id)
    for way in ways.values():
        with pytest.raises(ApprovalRequired):
            await way()
    assert (await bank.balance("WALLET"), await books.count(tenant_id)) == before
    # Letting go what is held moves nothing, another tenant is not concerned, and events are posted as ever.
    assert (await bank.void(again)).state is HoldState.VOIDED
    await books.post(f"{tenant_id}-b", moved("CASH", "REVENUE"))
    # What was proposed is posted once somebody else approves.
    office = Office(books, tenant_id)
    answer = await office.approve(await office.propose(moved("CASH", "REVENUE")))
    assert outcomes(answer.results) == ["posted"]


async def test_what_stands_already_is_answered_as_ever(bank: Bank, books: Books, tenant_id: str) -> None:
    await bank.post("VAULT", "WALLET", 1000)
    held, entry_id = await bank.hold(20), await bank.post("VAULT", "WALLET", 5)
    captured, reversal = await bank.capture(held), await bank.entries.reverse(tenant_id, entry_id)
    await demand(books, tenant_id)
    assert await bank.capture(held) == captured
    assert await bank.hold(20, hold_id=held.id) == captured
    assert await bank.entries.reverse(tenant_id, entry_id) == reversal


async def test_interrupted_call_names_what_it_had_posted(books: Books, tenant_id: str) -> None:
    posted, left = [msgspec.structs.replace(moved("CASH", "REVENUE"), id=new_id()) for _ in range(2)]
    await books.post(tenant_id, posted, mode=Mode.INDEPENDENT)
    await demand(books, tenant_id)
    answer = await books.post(tenant_id, posted, left, mode=Mode.INDEPENDENT)
    # Who had to propose both would have the first in the books twice.
    assert [(result.outcome.value, result.code) for result in answer.results] == [
        ("replayed", ""),
        ("refused", "approval_required"),
    ]
    with pytest.raises(ApprovalRequired):
        await books.post(tenant_id, left, mode=Mode.INDEPENDENT)


@pytest.mark.parametrize("mode", [Mode.ATOMIC, Mode.INDEPENDENT])
async def test_demand_that_comes_while_entries_are_read_counts(
    books: Books, tenant_id: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_yet(*_: object) -> bool:
        return False

    await demand(books, tenant_id)
    monkeypatch.setattr(post, "needs_approval", not_yet)
    answer = await books.post(tenant_id, moved("CASH", "REVENUE"), mode=mode)
    assert [(result.outcome.value, result.code) for result in answer.results] == [("refused", "approval_required")]
    assert await books.count(tenant_id) == (0, 0, 0)
