"""A gateway's database, runs and closings over it, and sides that answer as the api and the ledger would."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.api_facts import ListPaymentFacts, PaymentFact, PaymentFactPage
from libs.common.contracts.base import Message
from libs.common.contracts.gateway_periods import ClosedMonth, CloseReconciliationPeriod
from libs.common.contracts.gateway_reconciliation import (
    GetReconciliationRun,
    ReconciliationRun,
    StartReconciliation,
)
from libs.common.contracts.ledger import BalanceList
from libs.common.contracts.ledger_books import GetBalancesAt
from libs.common.contracts.ledger_facts import EntryFact, EntryFactPage, ListEntryFacts
from libs.common.contracts.ledger_roles import AccountRoleList, ListAccountRoles
from libs.common.db import Database
from libs.common.ids import derived_id, first_id, new_id
from services.gateway.reconciliation.matching import Matching
from services.gateway.reconciliation.periods import PeriodClosing
from services.gateway.reconciliation.reports import BookSources
from services.gateway.reconciliation.runs import Reconciling, queries
from services.gateway.reconciliation.runs.commands import Schedule
from services.gateway.reconciliation.runs.sources import Sources
from tests.support.databases import TestDatabase

_MOVEMENT = [
    "account_id",
    "is_live",
    "id",
    "movement_id",
    "tenant_id",
    "is_booked",
    "kind",
    "type",
    "reporting_category",
    "source_ref",
    "payment_ref",
    "charge_ref",
    "amount_minor",
    "fee_minor",
    "fee_details",
    "net_minor",
    "currency",
    "exchange_rate",
    "source_currency",
    "created_at",
    "available_at",
    "status",
    "raw",
    "seen_at",
    "updated_at",
]


class Sides:
    """The api and the ledger, as far as a run asks them: no payments, and the entries that a test gives."""

    def __init__(self) -> None:
        self.entries: dict[UUID, EntryFact] = {}
        self.payments: list[PaymentFact] = []
        """Older payments, of which something was given back lately."""
        self.part_of: EntryFact | None = None
        """The first of more entries than are read of its payment."""
        self.fails: Exception | None = None
        self.requests: list[Message] = []

    async def request(self, message: Message) -> Any:
        """Answer."""
        self.requests.append(message)
        if self.fails is not None:
            raise self.fails
        match message:
            case ListPaymentFacts():
                return PaymentFactPage(items=tuple(each for each in self.payments if _has(message, each)))
            case ListEntryFacts() if self.part_of is not None and _names(message, self.part_of.payment_intent_id):
                return EntryFactPage(items=(self.part_of,), is_whole=False)
            case ListEntryFacts():
                return EntryFactPage(items=tuple(self.entries[key] for key in message.entry_ids if key in self.entries))
            case ListAccountRoles():
                return AccountRoleList(roles=[])
            case GetBalancesAt():
                return BalanceList(balances=[])
            case _:
                raise AssertionError(message)


def _has(request: ListPaymentFacts, payment: PaymentFact) -> bool:
    """Return whether a payment is requested."""
    if request.changed_from is not None:
        return payment.payment_intent_id > (request.after or UUID(int=0))
    return payment.payment_intent_id in request.ids


def _names(request: ListEntryFacts, intent: UUID | None) -> bool:
    """Return whether the entries of a payment are requested."""
    is_in_range = (
        request.until is not None and intent is not None and (request.after or UUID(int=0)) < intent <= request.until
    )
    return is_in_range or intent in request.payment_intent_ids


class Office:
    """A tenant whose account is compared, and whose months are closed."""

    def __init__(self, database: Database, tenant_id: str, clock: ManualClock) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.clock = clock
        self.sides = Sides()
        self.number = 0
        self.runs = self.another()
        self.closing = PeriodClosing(database, BookSources(self.sides), overdue=timedelta(days=3), clock=clock)

    def another(self, *, quiet: timedelta = timedelta()) -> Reconciling:
        """Return what carries out runs in another process."""
        nothing = timedelta(0)
        schedule = Schedule(
            every=nothing, window=nothing, deep=nothing, quiet=quiet, timing=quiet, kept=timedelta(days=100)
        )
        return Reconciling(
            self.database,
            Sources(self.sides),
            BookSources(self.sides),
            matching=Matching(self.database, clock=self.clock),
            schedule=schedule,
            clock=self.clock,
        )

    async def move(self, amount_minor: int, created_at: datetime, **more: Any) -> str:
        """Record a fee that the account was charged, or was given back, known now."""
        self.number += 1
        now = self.clock.now()
        ref = f"txn_{self.number}"
        row: dict[str, Any] = {
            **dict.fromkeys(_MOVEMENT, ""),
            "account_id": f"acct_{self.tenant_id}",
            "is_live": False,
            "id": ref,
            "movement_id": derived_id(first_id(created_at), f"{self.tenant_id}:{ref}"),
            "tenant_id": self.tenant_id,
            "is_booked": True,
            "kind": "fee",
            "type": "stripe_fee",
            "amount_minor": amount_minor,
            "fee_minor": 0,
            "fee_details": "[]",
            "net_minor": amount_minor,
            "currency": "BRL",
            "created_at": created_at,
            "available_at": created_at,
            "status": "pending",
            "seen_at": now,
            "updated_at": now,
        } | more
        async with self.database.connection() as connection:
            await connection.execute(
                f"INSERT INTO processor_movements ({', '.join(row)}) "
                f"VALUES ({', '.join(f'${number}' for number in range(1, len(row) + 1))})",
                *row.values(),
            )
        return ref

    async def compare(self, since: datetime, until: datetime, **more: Any) -> ReconciliationRun:
        """Compare a window until that is over."""
        run_id = new_id(self.clock.now())
        await self.runs.start(
            StartReconciliation(
                tenant_id=self.tenant_id,
                run_id=run_id,
                window_from=since,
                window_until=until,
                requested_by="ana@example.com",
                **more,
            )
        )
        await self.runs.work()
        return await queries.show(self.database, GetReconciliationRun(tenant_id=self.tenant_id, run_id=run_id))

    async def close(self, month: str, **more: Any) -> ClosedMonth:
        """Close a month."""
        return await self.closing.close(
            CloseReconciliationPeriod(tenant_id=self.tenant_id, month=month, closed_by="ana@example.com", **more)
        )

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Read rows of this tenant, whose id is `$1`."""
        async with self.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(sql, self.tenant_id, *values)]


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway") as opened:
        yield opened


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database, f"tenant-{new_id().hex[-12:]}", ManualClock(datetime(2026, 11, 2, 12, tzinfo=UTC)))
