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
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.contracts.ledger_journal import GetProposal, Proposal, ProposalStatus
from libs.common.errors import Invalid, NotFound, Unavailable
from libs.common.ids import new_id
from services.gateway.reconciliation.repairs import Proposals, Repairing
from services.gateway.reconciliation.runs.domain import entry_of
from tests.integration.gateway.reconciliation.conftest import Office

OCTOBER, NOVEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11))


class Ledger:
    """The ledger, as far as it answers for proposals."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.status: dict[UUID, ProposalStatus] = {}
        self.fails: Exception | None = None

    async def request(self, message: Any) -> Any:
        """Answer."""
        assert isinstance(message, GetProposal)
        if self.fails is not None:
            raise self.fails
        if message.proposal_id not in self.status:
            raise NotFound
        now = self.office.clock.now()
        return Proposal(
            id=message.proposal_id,
            status=self.status[message.proposal_id],
            reason="It was booked by hand",
            made_by="ana@example.com",
            made_at=now,
            expires_at=now,
            decided_by="cfo@example.com",
            entries=[],
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
