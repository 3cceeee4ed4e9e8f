"""A bank account and a wallet that must not be overdrawn, and what a test does with them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import (
    AccountBalance,
    AccountType,
    EntryKind,
    OpenAccount,
    Side,
)
from libs.common.db import Database
from libs.common.errors import Rejected
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.ledger.accounts import AccountCommands
from services.ledger.balances import BalanceQueries, standing_balances
from services.ledger.core import Entry, Line
from services.ledger.entries import EntryCommands
from services.ledger.holds import HoldCommands
from services.ledger.periods import Periods
from services.ledger.posting import Booking, PostingService
from services.ledger.watermark import Watermark


class Bank:
    """A tenant with a bank account and a customer's wallet that must not be overdrawn."""

    def __init__(self, database: Database, tenant_id: str, clock: ManualClock) -> None:
        self.database, self.tenant_id, self.clock = database, tenant_id, clock
        self.service = PostingService(database, clock=clock)
        self.entries = EntryCommands(database, self.service, clock=clock)
        self.balances = BalanceQueries(database, watermark=Watermark(database, clock=clock))
        self.holds = HoldCommands(database, self.service, clock=clock)
        self.periods = Periods(database, clock=clock)
        self.accounts = AccountCommands(database, clock=clock)
        self.ids: dict[str, UUID] = {}

    async def open(self, code: str, kind: AccountType, **limits: object) -> None:
        opened = await self.accounts.open_account(
            OpenAccount(
                tenant_id=self.tenant_id,
                account_id=new_id(),
                code=code,
                label=code,
                account_type=kind,
                **limits,  # type: ignore[arg-type]
            )
        )
        self.ids[code] = opened.id

    def booking(
        self,
        debited: str,
        credited: str,
        amount_minor: int,
        *,
        occurred_at: datetime | None = None,
        from_message: bool = False,
        currency: str = "BRL",
    ) -> Booking:
        lines = tuple(
            Line(account_id=self.ids[code], side=side, amount_minor=amount_minor, currency=currency)
            for side, code in ((Side.DEBIT, debited), (Side.CREDIT, credited))
        )
        entry = Entry(
            tenant_id=self.tenant_id,
            id=new_id(),
            kind=EntryKind.MANUAL,
            content=f"{lines}",
            payment_intent_id=None,
            occurred_at=occurred_at or self.clock.now(),
            source_event_id=new_id() if from_message else None,
            lines=lines,
        )
        return Booking(entry=entry, correlation=Correlation(correlation_id="c", tenant_id=self.tenant_id))

    async def post(self, debited: str, credited: str, amount_minor: int, **more: Any) -> UUID:
        booking = self.booking(debited, credited, amount_minor, **more)
        await self.service.post(booking)
        return booking.entry.id

    async def hold(
        self,
        amount_minor: int,
        *,
        hold_id: UUID | None = None,
        lasts: timedelta | None = None,
        currency: str = "BRL",
    ) -> contract.Hold:
        return await self.holds.place(
            contract.PlaceHold(
                tenant_id=self.tenant_id,
                hold_id=hold_id or new_id(),
                debit_account="WALLET",
                credit_account="VAULT",
                currency=currency,
                amount_minor=amount_minor,
                expires_at=None if lasts is None else self.clock.now() + lasts,
            )
        )

    async def capture(self, hold: contract.Hold, amount_minor: int | None = None) -> contract.Hold:
        return await self.holds.capture(
            contract.CaptureHold(tenant_id=self.tenant_id, hold_id=hold.id, amount_minor=amount_minor)
        )

    async def void(self, hold: contract.Hold) -> contract.Hold:
        return await self.holds.void(contract.VoidHold(tenant_id=self.tenant_id, hold_id=hold.id))

    async def balance(self, code: str) -> tuple[int, int | None]:
        """Net credits, and what is pending on the debit side."""
        async with self.database.connection() as connection:
            found = await standing_balances(connection, self.tenant_id, currency=None)
        of = {balance.account: balance for balance in found}
        return of[code].credits_minor - of[code].debits_minor, of[code].pending_debits_minor

    async def close(self, ends_before: datetime) -> contract.Period:
        return await self.periods.close(
            contract.ClosePeriod(tenant_id=self.tenant_id, ends_before=ends_before, closed_by="ops@demo")
        )

    async def at(self, before: datetime, time: contract.BookTime) -> dict[str, int]:
        """Net credits of each account by one of the two times."""
        found = await self.balances.get_balances_at(
            contract.GetBalancesAt(tenant_id=self.tenant_id, before=before, time=time)
        )
        return {balance.account: net(balance) for balance in found.balances}


def net(balance: AccountBalance) -> int:
    return balance.credits_minor - balance.debits_minor


async def refused(work: object) -> str:
    """The code of a refusal."""
    with pytest.raises(Rejected) as refusal:
        await work  # type: ignore[misc]
    return refusal.value.reason
