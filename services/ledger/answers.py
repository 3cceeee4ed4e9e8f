"""What the ledger is asked about its books beyond posting: holds, reversals, periods, balances at an instant, verification."""

from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import BalanceList, JournalEntry
from libs.common.db import Database
from libs.common.messaging import Bus
from services.ledger import store
from services.ledger.holds import Holds
from services.ledger.periods import Periods
from services.ledger.verification import Verifier


class Answers:
    """One method per question."""

    def __init__(self, database: Database, holds: Holds, periods: Periods, verifier: Verifier) -> None:
        self._database = database
        self.holds = holds
        self.periods = periods
        self.verifier = verifier

    async def get_hold(self, request: contract.GetHold) -> contract.Hold:
        """How does this hold stand?"""
        return await self.holds.get(request.tenant_id, request.hold_id)

    async def reverse_entry(self, request: contract.ReverseEntry) -> JournalEntry:
        """Take an entry back."""
        return await self.periods.reverse(request.tenant_id, request.entry_id)

    async def list_periods(self, request: contract.ListPeriods) -> contract.PeriodList:
        """What has this tenant closed?"""
        return await self.periods.closed(request.tenant_id)

    async def get_balances_at(self, request: contract.GetBalancesAt) -> BalanceList:
        """What did this tenant's accounts hold at an instant?"""
        async with self._database.connection() as connection:
            if request.time is contract.BookTime.EFFECTIVE:
                found = await store.effective_balances(
                    connection,
                    request.tenant_id,
                    before=request.before,
                    currency=request.currency,
                    account=request.account,
                )
            else:
                found = await store.balances_in_period(
                    connection,
                    request.tenant_id,
                    posted_from=None,
                    posted_until=request.before,
                    currency=request.currency,
                    account=request.account,
                )
        return BalanceList(balances=found)

    async def get_verification(self, request: contract.GetVerification) -> contract.Verification:
        """Are the books as they were written?"""
        return await self.verifier.standing(request.tenant_id)


def register(bus: Bus, answers: Answers) -> None:
    """Connect every question with the one that answers it."""
    bus.answer(contract.PlaceHold, answers.holds.place)
    bus.answer(contract.CaptureHold, answers.holds.capture)
    bus.answer(contract.VoidHold, answers.holds.void)
    bus.answer(contract.GetHold, answers.get_hold)
    bus.answer(contract.ListHolds, answers.holds.page)
    bus.answer(contract.ReverseEntry, answers.reverse_entry)
    bus.answer(contract.ClosePeriod, answers.periods.close)
    bus.answer(contract.ListPeriods, answers.list_periods)
    bus.answer(contract.GetBalancesAt, answers.get_balances_at)
    bus.answer(contract.GetVerification, answers.get_verification)
