"""A year's income and expenses go to retained earnings, once, and by two people where the tenant demands it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_books import ClosePeriod
from libs.common.contracts.ledger_closing import BooksClosed, CloseYear, ClosingOutcome
from libs.common.contracts.ledger_errors import EntryNotReversible, PeriodClosed, PeriodInvalid
from libs.common.contracts.ledger_journal import ApproveProposal, RejectProposal
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.ledger.accounts.domain import default_account_id
from services.ledger.balances import effective_balances
from services.ledger.closing import Closing
from services.ledger.core import Entry, Line
from services.ledger.entries import EntryCommands
from services.ledger.manual_entries.commands import decide
from services.ledger.periods import Periods
from services.ledger.posting import Booking, PostingService
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.conftest import audit
from tests.integration.ledger.policies.test_control import demand

IN_YEAR = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = "second@example.com"


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands shortly before a year ends."""
    return ManualClock(IN_YEAR)


async def closed(books: Books, tenant_id: str, year: int = 2025) -> BooksClosed:
    return await Closing(books.journal).close_year(
        CloseYear(tenant_id=tenant_id, year=year, made_by="chief@example.com")
    )


async def held(books: Books, tenant_id: str, *, before: datetime = END) -> dict[tuple[str, str], int]:
    """What counts before an instant, as debits less credits; empty accounts are left out."""
    async with books.database.connection() as connection:
        found = await effective_balances(connection, tenant_id, before=before, currency=None)
    nets = {(each.account, each.currency): each.debits_minor - each.credits_minor for each in found}
    return {key: net for key, net in nets.items() if net}


async def a_year(books: Books, tenant_id: str) -> None:
    """Earn 60.25 BRL and lose 3 JPY; 1.00 BRL is of the next year already."""
    await books.post(
        tenant_id,
        moved("CASH", "REVENUE", "100.50"),
        moved("REFUND_EXPENSE", "CASH", "40.25"),
        moved("PROCESSOR_FEES", "CASH", "3", "JPY"),
    )
    books.clock.advance(timedelta(hours=2))
    await books.post(tenant_id, moved("CASH", "REVENUE", "1.00"))


async def test_income_and_expenses_go_to_retained_earnings_once(books: Books, tenant_id: str) -> None:
    await a_year(books, tenant_id)
    first, *others = await asyncio.gather(*(closed(books, tenant_id) for _ in range(4)))
    assert {each.outcome for each in (first, *others)} <= {ClosingOutcome.POSTED, ClosingOutcome.UNCHANGED}
    again = await closed(books, tenant_id)
    assert (again.outcome, again.results) == (ClosingOutcome.UNCHANGED, [])
    assert {*again.entry_ids} == {*first.entry_ids}
    assert await held(books, tenant_id) == {
        ("CASH", "BRL"): 6025,
        ("RETAINED_EARNINGS", "BRL"): -6025,
        ("CASH", "JPY"): -3,
        ("RETAINED_EARNINGS", "JPY"): 3,
    }
    assert (await held(books, tenant_id, before=END + timedelta(days=1)))["REVENUE", "BRL"] == -100
    # What comes later is moved by closing the year again, and nothing else is.
    late = moved("CASH", "REVENUE", "7.00")
    late = type(late)(description=late.description, lines=late.lines, occurred_at=IN_YEAR)
    await books.post(tenant_id, late)
    later = await closed(books, tenant_id)
    assert [(each.currency, each.result_minor) for each in later.results] == [("BRL", 700)]
    assert not {*later.entry_ids} & {*again.entry_ids}
    assert (await held(books, tenant_id))["RETAINED_EARNINGS", "BRL"] == -6725
    assert ("REVENUE", "BRL") not in await held(books, tenant_id)
    kinds = await books.database.fetch(
        "SELECT kind, count(*) AS n FROM journal_entries WHERE tenant_id = $1 GROUP BY kind", tenant_id
    )
    assert {row["kind"]: row["n"] for row in kinds} == {"manual": 5, "year_end": 3}
    assert await audit(books.database) == []


async def test_an_entry_that_ends_a_year_is_not_reversed(books: Books, tenant_id: str) -> None:
    await a_year(books, tenant_id)
    entry_id = (await closed(books, tenant_id)).entry_ids[0]
    service = PostingService(books.database, clock=books.clock)
    with pytest.raises(EntryNotReversible):
        await EntryCommands(books.database, service, clock=books.clock).reverse(tenant_id, entry_id)


async def test_a_year_is_closed_in_a_currency_that_was_withdrawn(books: Books, tenant_id: str) -> None:
    await books.post(tenant_id, moved("CASH", "REVENUE"))
    service = PostingService(books.database, clock=books.clock)
    sides = ((Side.DEBIT, "CASH"), (Side.CREDIT, "REVENUE"))
    entry = Entry(
        tenant_id=tenant_id,
        id=new_id(),
        kind=EntryKind.CAPTURE,
        content="capture",
        payment_intent_id=None,
        occurred_at=IN_YEAR,
        source_event_id=new_id(),
        lines=tuple(
            Line(account_id=default_account_id(tenant_id, code), side=side, amount_minor=500, currency="BGN")  # type: ignore[arg-type]
            for side, code in sides
        ),
    )
    await service.post(Booking(entry=entry, correlation=Correlation(correlation_id="c", tenant_id=tenant_id)))
    books.clock.advance(timedelta(hours=2))
    assert {each.currency for each in (await closed(books, tenant_id)).results} == {"BGN", "BRL"}
    assert (await held(books, tenant_id))["RETAINED_EARNINGS", "BGN"] == -500


async def test_what_cannot_be_closed_leaves_nothing(books: Books, tenant_id: str) -> None:
    await a_year(books, tenant_id)
    before = await books.count(tenant_id)
    for year in (2026, 1969, 9999):
        with pytest.raises(PeriodInvalid):
            await closed(books, tenant_id, year)
    assert (await closed(books, tenant_id, 2024)).outcome is ClosingOutcome.UNCHANGED
    periods = Periods(books.database, clock=books.clock)
    await periods.close(ClosePeriod(tenant_id=tenant_id, ends_before=END, closed_by="chief"))
    with pytest.raises(PeriodClosed):
        await closed(books, tenant_id)
    assert await books.count(tenant_id) == before


async def test_a_second_person_approves_where_the_tenant_demands_it(books: Books, tenant_id: str) -> None:
    await a_year(books, tenant_id)
    await demand(books, tenant_id)
    before = await books.count(tenant_id)
    proposed = await closed(books, tenant_id)
    assert (proposed.outcome, (await closed(books, tenant_id))) == (ClosingOutcome.PROPOSED, proposed)
    assert await books.count(tenant_id) == before
    assert proposed.proposal_id is not None
    await decide.reject(
        books.journal, RejectProposal(tenant_id=tenant_id, proposal_id=proposed.proposal_id, decided_by=SECOND)
    )
    # Once it was rejected it is proposed anew.
    renewed = await closed(books, tenant_id)
    assert renewed.proposal_id not in (None, proposed.proposal_id)
    assert renewed.proposal_id is not None
    answer = await decide.approve(
        books.journal, ApproveProposal(tenant_id=tenant_id, proposal_id=renewed.proposal_id, decided_by=SECOND)
    )
    assert answer.proposal is not None
    assert (await closed(books, tenant_id)).outcome is ClosingOutcome.UNCHANGED
    assert (await held(books, tenant_id))["RETAINED_EARNINGS", "BRL"] == -6025
    row = await books.database.fetchrow(
        "SELECT made_by, approved_by FROM manual_entries WHERE tenant_id = $1 AND entry_id = $2",
        tenant_id,
        renewed.entry_ids[0],
    )
    assert row is not None
    assert tuple(row) == ("chief@example.com", "second@example.com")
