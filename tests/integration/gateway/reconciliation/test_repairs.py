"""What is safe about a discrepancy is done once, whoever requests it; what is not waits for an entry that somebody else approves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common.contracts.gateway_decisions import RepairDiscrepancy
from libs.common.contracts.gateway_errors import (
    DiscrepancyDecided,
    DiscrepancyNotFound,
    DiscrepancyNotRepairable,
)
from libs.common.contracts.gateway_reconciliation import Discrepancy, DiscrepancyState
from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_facts import EntryFact, EntryFactPage, ListEntryFacts
from libs.common.contracts.ledger_journal import GetProposal, ManualEntry, ManualLine, Proposal, ProposalStatus
from libs.common.errors import Invalid, NotFound, Unavailable
from libs.common.ids import new_id
from services.gateway.reconciliation.repairs import Proposals, Repairing, sql
from services.gateway.reconciliation.runs.domain import entry_of
from tests.integration.gateway.reconciliation.conftest import Office

OCTOBER, NOVEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11))


class Ledger:
    """The ledger, as far as it answers for proposals."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.status: dict[UUID, ProposalStatus] = {}
        self.decided_at: dict[UUID, datetime] = {}
        self.currency = "BRL"
        self.amount = "3.00"
        self.fails: Exception | None = None
        self.reversed: set[UUID] = set()
        """Proposals whose entry was taken back."""

    async def request(self, message: Any) -> Any:
        """Answer."""
        if self.fails is not None:
            raise self.fails
        if isinstance(message, ListEntryFacts):
            # Each has one entry, which has its id here.
            return EntryFactPage(items=tuple(self.fact(key) for key in message.entry_ids))
        assert isinstance(message, GetProposal)
        if message.proposal_id not in self.status:
            raise NotFound
        now = self.office.clock.now()
        line = {"amount": self.amount, "currency": self.currency}
        lines = [
            ManualLine(account="PROCESSOR_FEES", side=Side.DEBIT, **line),
            ManualLine(account="CASH", side=Side.CREDIT, **line),
        ]
        return Proposal(
            id=message.proposal_id,
            status=self.status[message.proposal_id],
            reason="It was booked by hand",
            made_by="ana@example.com",
            made_at=now,
            expires_at=now,
            decided_by="cfo@example.com",
            decided_at=self.decided_at.get(message.proposal_id),
            entries=[ManualEntry(id=message.proposal_id, description="By hand", lines=lines)],
        )

    def fact(self, entry_id: UUID) -> EntryFact:
        """Return an entry by hand."""
        now = self.office.clock.now()
        return EntryFact(
            entry_id=entry_id,
            kind=EntryKind.MANUAL,
            currency=self.currency,
            amount_minor=300,
            amounts={},
            occurred_at=now,
            posted_at=now,
            is_reversed=entry_id in self.reversed,
        )


def repairing(office: Office, ledger: Ledger, *, is_automatic: bool = False) -> Repairing:
    return Repairing(office.database, Proposals(ledger), is_automatic=is_automatic, clock=office.clock)


async def found(office: Office, amount_minor: int = -300) -> tuple[UUID, Repairing, Ledger]:
    """Find that a fee is not booked."""
    await office.move(amount_minor, OCTOBER + timedelta(days=9))
    await office.compare(OCTOBER, NOVEMBER)
    (row,) = await office.rows("SELECT id FROM discrepancies WHERE tenant_id = $1")
    ledger = Ledger(office)
    return row["id"], repairing(office, ledger), ledger


async def repair(office: Office, by: Repairing, discrepancy: UUID, proposal: UUID | None = None) -> Discrepancy:
    return await by.repair(
        RepairDiscrepancy(
            tenant_id=office.tenant_id, discrepancy_id=discrepancy, actor="ana@example.com", proposal_id=proposal
        )
    )


async def published(office: Office) -> list[dict[str, Any]]:
    return await office.rows("SELECT event_id FROM outbox WHERE tenant_id = $1 AND contract LIKE '%movement%'")


async def book(office: Office) -> None:
    """Let the ledger book the fee."""
    (moved,) = await office.rows("SELECT movement_id FROM processor_movements WHERE tenant_id = $1")
    entry_id = entry_of(moved["movement_id"], EntryKind.MOVEMENT)
    now = office.clock.now()
    office.sides.entries[entry_id] = EntryFact(
        entry_id=entry_id,
        kind=EntryKind.MOVEMENT,
        currency="BRL",
        amount_minor=300,
        amounts={"PROCESSOR_PENDING": -300, "PROCESSOR_FEES": 300},
        occurred_at=now,
        posted_at=now,
    )


async def test_what_is_not_booked_is_published_again_once(office: Office) -> None:
    discrepancy, by, _ = await found(office)
    results = await asyncio.gather(*(repair(office, by, discrepancy) for _ in range(5)))
    assert {each.state for each in results} == {DiscrepancyState.PENDING}
    first = await published(office)
    assert len(first) == 1
    assert len(await office.rows("SELECT id FROM discrepancy_repairs WHERE tenant_id = $1")) == 1
    office.clock.advance(timedelta(minutes=2))
    await repair(office, by, discrepancy)
    # The same event: who has it takes it once.
    assert {row["event_id"] for row in await published(office)} == {first[0]["event_id"]}

    await book(office)
    assert (await office.compare(OCTOBER, NOVEMBER)).agreed == 1
    with pytest.raises(DiscrepancyDecided):
        await repair(office, by, discrepancy)
    with pytest.raises(DiscrepancyNotFound):
        await repair(office, by, new_id())


async def test_a_discrepancy_waits_for_the_entry_that_adjusts_the_books(office: Office) -> None:
    discrepancy, by, ledger = await found(office)
    with pytest.raises(Invalid):
        await repair(office, by, discrepancy, new_id())
    rejected, approved = new_id(), new_id()
    ledger.status = {rejected: ProposalStatus.OPEN, approved: ProposalStatus.OPEN}
    assert (await repair(office, by, discrepancy, rejected)).state is DiscrepancyState.PENDING
    assert (await repair(office, by, discrepancy, rejected)).state is DiscrepancyState.PENDING
    with pytest.raises(DiscrepancyNotRepairable, match="waits for the proposal"):
        await repair(office, by, discrepancy, approved)
    await by.follow()
    ledger.status[rejected] = ProposalStatus.REJECTED
    ledger.fails = Unavailable("it does not answer")
    office.clock.advance(timedelta(minutes=2))
    await by.follow()
    ledger.fails = None
    office.clock.advance(timedelta(minutes=2))
    await by.follow()

    async def state() -> str:
        (row,) = await office.rows("SELECT state || ' ' || reason AS state FROM discrepancies WHERE tenant_id = $1")
        return str(row["state"])

    assert await state() == "open "
    with pytest.raises(DiscrepancyNotRepairable, match="is rejected"):
        await repair(office, by, discrepancy, rejected)
    await repair(office, by, discrepancy, approved)
    ledger.status[approved] = ProposalStatus.APPROVED
    office.clock.advance(timedelta(minutes=2))
    # Two processes look at once: it ends once.
    await asyncio.gather(by.follow(), repairing(office, ledger).follow())
    assert await state() == "resolved adjusted"
    assert (await office.compare(OCTOBER, NOVEMBER)).new == 0
    assert await state() == "resolved adjusted"
    changes = await office.rows("SELECT state, actor FROM discrepancy_changes WHERE tenant_id = $1 ORDER BY id")
    assert [(row["state"], row["actor"]) for row in changes] == [
        ("open", "reconciliation"),
        ("pending", "ana@example.com"),
        ("open", "cfo@example.com"),
        ("pending", "ana@example.com"),
        ("resolved", "cfo@example.com"),
    ]


async def test_what_is_safe_is_done_by_itself_where_that_is_set(office: Office) -> None:
    discrepancy, by, ledger = await found(office)
    await by.repair_all()
    assert await published(office) == []
    await repairing(office, ledger, is_automatic=True).repair_all()
    await repairing(office, ledger, is_automatic=True).repair_all()
    assert len(await published(office)) == 1
    (row,) = await office.rows("SELECT actor FROM discrepancy_repairs WHERE tenant_id = $1")
    assert row["actor"] == "reconciliation"
    assert discrepancy


async def test_what_belongs_to_nothing_needs_a_person(office: Office) -> None:
    await office.move(500, OCTOBER + timedelta(days=9), kind="other")
    await office.compare(OCTOBER, NOVEMBER)
    (row,) = await office.rows("SELECT id FROM discrepancies WHERE tenant_id = $1 AND type = 'FOREIGN'")
    with pytest.raises(DiscrepancyNotRepairable, match="nothing is safe about FOREIGN"):
        await repair(office, repairing(office, Ledger(office)), row["id"])


async def state_of(office: Office, discrepancy: UUID) -> tuple[str, str, str]:
    (row,) = await office.rows(
        "SELECT type, state, reason FROM discrepancies WHERE tenant_id = $1 AND id = $2", discrepancy
    )
    return row["type"], row["state"], row["reason"]


async def adjust(office: Office, by: Repairing, ledger: Ledger, discrepancy: UUID) -> UUID:
    """Let an entry by hand stand for it, which somebody else approves."""
    proposal = new_id()
    ledger.status[proposal] = ProposalStatus.OPEN
    await repair(office, by, discrepancy, proposal)
    ledger.status[proposal] = ProposalStatus.APPROVED
    office.clock.advance(timedelta(minutes=2))
    await by.follow()
    return proposal


async def test_what_is_booked_after_it_was_adjusted_is_in_the_books_twice(office: Office) -> None:
    discrepancy, by, ledger = await found(office)
    # Published again; before the ledger has it, an entry by hand is proposed and approved.
    await repair(office, by, discrepancy)
    await adjust(office, by, ledger, discrepancy)
    assert await state_of(office, discrepancy) == ("NOT_BOOKED", "resolved", "adjusted")
    await book(office)
    for new in (1, 0):
        assert (await office.compare(OCTOBER, NOVEMBER)).new == new
        assert await state_of(office, discrepancy) == ("DUPLICATE", "reopened", "")
    with pytest.raises(DiscrepancyNotRepairable):
        await repair(office, by, discrepancy)
    # The entry by hand is taken back by another one.
    await adjust(office, by, ledger, discrepancy)
    assert (await office.compare(OCTOBER, NOVEMBER)).new == 0
    assert await state_of(office, discrepancy) == ("DUPLICATE", "resolved", "adjusted")


async def test_a_proposal_that_was_approved_before_settles_nothing_in_its_name(office: Office) -> None:
    discrepancy, by, ledger = await found(office)
    proposal = new_id()
    ledger.status[proposal], ledger.currency = ProposalStatus.APPROVED, "EUR"
    ledger.decided_at[proposal] = office.clock.now() - timedelta(days=1)
    with pytest.raises(DiscrepancyNotRepairable, match="nothing in BRL"):
        await repair(office, by, discrepancy, proposal)
    ledger.currency, ledger.amount = "BRL", "3.01"
    with pytest.raises(DiscrepancyNotRepairable, match=r"no entry of 3\.00 BRL"):
        await repair(office, by, discrepancy, proposal)
    ledger.amount = "3.00"
    await repair(office, by, discrepancy, proposal)
    await by.follow()
    changes = await office.rows("SELECT state, actor FROM discrepancy_changes WHERE tenant_id = $1 ORDER BY id DESC")
    assert (changes[0]["state"], changes[0]["actor"]) == ("resolved", "ana@example.com")


async def test_a_proposal_that_cannot_be_read_keeps_no_other_waiting(office: Office) -> None:
    for amount in (-300, -300):
        await office.move(amount, OCTOBER + timedelta(days=9))
    await office.compare(OCTOBER, NOVEMBER)
    first, second = [
        row["id"] for row in await office.rows("SELECT id FROM discrepancies WHERE tenant_id = $1 ORDER BY id")
    ]
    ledger = Ledger(office)
    by, gone, approved = repairing(office, ledger, is_automatic=True), new_id(), new_id()
    ledger.status = {gone: ProposalStatus.OPEN, approved: ProposalStatus.OPEN}
    await repair(office, by, first, gone)
    office.clock.advance(timedelta(seconds=1))
    await repair(office, by, second, approved)
    # The ledger was restored to before the one was made.
    ledger.status = {approved: ProposalStatus.APPROVED}
    office.clock.advance(timedelta(minutes=2))
    await by.follow()
    assert (await state_of(office, first))[1] == "pending"
    assert (await state_of(office, second))[1] == "resolved"


async def test_what_cannot_be_repaired_by_itself_keeps_nothing_else_waiting(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for amount in (-300, -5):
        await office.move(amount, OCTOBER + timedelta(days=9))
    await office.compare(OCTOBER, NOVEMBER)
    first, second = [
        row["id"] for row in await office.rows("SELECT id FROM discrepancies WHERE tenant_id = $1 ORDER BY id")
    ]
    by = repairing(office, Ledger(office), is_automatic=True)
    prepared = by._prepared

    async def failing(repair: Any, known: Discrepancy) -> Any:
        if known.id == first:
            raise ValueError
        return await prepared(repair, known)

    # Another tenant has one: it does not wait for the second of this one.
    other = Office(office.database, f"zz-{office.tenant_id}", office.clock)
    third, _, _ = await found(other)
    both = await sql.unrepaired(office.database, limit=10_000)
    assert both.index((other.tenant_id, third)) < both.index((office.tenant_id, second))
    monkeypatch.setattr(by, "_prepared", failing)
    await by.repair_all()
    assert [(await state_of(office, each))[1] for each in (first, second)] == ["open", "pending"]


async def test_an_entry_stands_for_one_discrepancy(office: Office) -> None:
    for amount in (-300, -300):
        await office.move(amount, OCTOBER + timedelta(days=9))
    await office.compare(OCTOBER, NOVEMBER)
    ids = [row["id"] for row in await office.rows("SELECT id FROM discrepancies WHERE tenant_id = $1")]
    ledger, proposal = Ledger(office), new_id()
    ledger.status[proposal] = ProposalStatus.OPEN
    by = repairing(office, ledger)
    results = await asyncio.gather(*(repair(office, by, each, proposal) for each in ids), return_exceptions=True)
    assert sorted((type(each) for each in results), key=lambda kind: kind.__name__) == [
        Discrepancy,
        DiscrepancyNotRepairable,
    ]


async def test_an_entry_settles_nothing_that_came_to_something_else_meanwhile(office: Office) -> None:
    discrepancy, by, ledger = await found(office)
    proposal = new_id()
    ledger.status[proposal] = ProposalStatus.OPEN
    await repair(office, by, discrepancy, proposal)
    async with office.database.connection() as connection:
        await connection.execute(
            "UPDATE processor_movements SET amount_minor = -301, net_minor = -301 WHERE tenant_id = $1",
            office.tenant_id,
        )
    await office.compare(OCTOBER, NOVEMBER)
    ledger.status[proposal] = ProposalStatus.APPROVED
    office.clock.advance(timedelta(minutes=2))
    await by.follow()
    assert await state_of(office, discrepancy) == ("NOT_BOOKED", "open", "")
    (row,) = await office.rows("SELECT note FROM discrepancies WHERE tenant_id = $1")
    assert row["note"].endswith("has no entry of 3.01 BRL")


async def test_a_discrepancy_is_open_again_where_its_entry_was_taken_back(office: Office) -> None:
    discrepancy, by, ledger = await found(office)
    first = await adjust(office, by, ledger, discrepancy)
    office.clock.advance(timedelta(days=2))
    await by.follow()
    assert await state_of(office, discrepancy) == ("NOT_BOOKED", "resolved", "adjusted")
    ledger.reversed.add(first)
    office.clock.advance(timedelta(days=2))
    await asyncio.gather(by.follow(), repairing(office, ledger).follow())
    assert await state_of(office, discrepancy) == ("NOT_BOOKED", "reopened", "")
    assert (await office.compare(OCTOBER, NOVEMBER)).new == 0
    # Another entry stands for it now: the first one concerns nothing any more.
    await adjust(office, by, ledger, discrepancy)
    office.clock.advance(timedelta(days=2))
    await by.follow()
    assert await state_of(office, discrepancy) == ("NOT_BOOKED", "resolved", "adjusted")
    changes = await office.rows("SELECT state, actor FROM discrepancy_changes WHERE tenant_id = $1 ORDER BY id")
    assert [row["state"] for row in changes] == ["open", "pending", "resolved", "reopened", "pending", "resolved"]
    assert changes[3]["actor"] == "reconciliation"
