"""What a processor paid out and what a bank has of it, written into the gateway's tables; and runs that compare both."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common.clock import ManualClock
from libs.common.contracts.api_facts import ListPaymentFacts, PaymentFactPage
from libs.common.contracts.base import Message
from libs.common.contracts.gateway_matching import LineMatch, ListLineMatches
from libs.common.contracts.gateway_reconciliation import (
    Discrepancy,
    GetReconciliationRun,
    ListDiscrepancies,
    ReconciliationRun,
    StartReconciliation,
    SubjectKind,
)
from libs.common.contracts.ledger import BalanceList
from libs.common.contracts.ledger_books import GetBalancesAt
from libs.common.contracts.ledger_facts import EntryFactPage
from libs.common.contracts.ledger_roles import AccountRoleList, ListAccountRoles
from libs.common.db import Database
from libs.common.ids import derived_id, first_id, new_id
from services.gateway.reconciliation.discrepancies import queries as discrepancies
from services.gateway.reconciliation.matching import Matching, MatchingByHand, queries
from services.gateway.reconciliation.reports import BookSources
from services.gateway.reconciliation.runs import queries as runs
from services.gateway.reconciliation.runs.commands import Reconciling, Schedule
from services.gateway.reconciliation.runs.sources import Sources

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SINCE = datetime(2026, 9, 1, tzinfo=UTC)
OF_BANKS = (SubjectKind.LINE, SubjectKind.ARRIVAL)


def payout_row(tenant_id: str, ref: str, amount: int, on: date) -> dict[str, Any]:
    """Make the row of a payout that arrived, made long before what runs compare."""
    arrives_at = datetime(on.year, on.month, on.day, tzinfo=UTC)
    return {
        **dict.fromkeys(("movement_ref", "failure_movement_ref", "original_ref", "reversed_by", "trace_id"), ""),
        "account_id": f"acct_{tenant_id}",
        "is_live": False,
        "id": ref,
        "payout_id": derived_id(first_id(arrives_at), f"{tenant_id} {ref}"),
        "tenant_id": tenant_id,
        "amount_minor": amount,
        "currency": "EUR",
        "status": "paid",
        "bank": "arrived",
        "is_automatic": True,
        "reconciliation_status": "completed",
        "is_matched": False,
        "arrives_at": arrives_at,
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        "raw": "{}",
        "updated_at": NOW,
    }


class _Nobody:
    """The api and the ledger of a tenant that has no payments."""

    async def request(self, message: Message) -> Any:
        match message:
            case ListPaymentFacts():
                return PaymentFactPage(items=())
            case ListAccountRoles():
                return AccountRoleList(roles=[])
            case GetBalancesAt():
                return BalanceList(balances=[])
            case _:
                return EntryFactPage(items=())


class BankHistory:
    """A tenant's payouts, the statements of its bank, and what runs find."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.clock = ManualClock(NOW)
        self.source_id = new_id()
        self.last = self.source_id
        """The run that was begun last."""
        self.names: dict[str, str] = {}
        """What was made, by its id or reference."""
        schedule = Schedule(
            every=timedelta(),
            window=timedelta(days=2),
            deep=timedelta(days=2),
            quiet=timedelta(),
            timing=timedelta(),
            arrival=timedelta(days=3),
        )
        matching = Matching(database, clock=self.clock)
        self.by_hand = MatchingByHand(database, clock=self.clock)
        self.runs = Reconciling(
            database,
            Sources(_Nobody()),
            BookSources(_Nobody()),
            matching=matching,
            schedule=schedule,
            clock=self.clock,
        )

    async def source(self, file_format: str = "mt940", source_id: UUID | None = None) -> None:
        """Add a source whose statements have all days."""
        await self.write(
            "import_sources",
            tenant_id=self.tenant_id,
            id=source_id or self.source_id,
            name="Bank",
            reading=json.dumps({"format": file_format}),
            created_at=NOW,
            updated_at=NOW,
        )
        await self.statement(date(2026, 9, 1), date(2026, 11, 19), source_id=source_id)

    async def statement(self, first_on: date, last_on: date, *, source_id: UUID | None = None) -> None:
        """Import a statement of some days, without lines yet."""
        key = new_id()
        await self.write(
            "file_imports",
            tenant_id=self.tenant_id,
            id=key,
            source_id=source_id or self.source_id,
            file_name="x",
            sha256=hashlib.sha256(key.bytes).hexdigest(),
            size_bytes=1,
            status="IMPORTED",
            first_on=first_on,
            last_on=last_on,
            created_at=NOW - timedelta(days=1),
            ended_at=NOW - timedelta(days=1),
        )

    async def payout(self, name: str, amount: int, on: date, **changes: Any) -> UUID:
        """Pay out; returns our id of it."""
        row = payout_row(self.tenant_id, f"po_{self.tenant_id[-6:]}{name}", amount, on) | changes
        self.names |= {row["id"]: name, str(row["payout_id"]): name}
        await self.write("processor_payouts", **row)
        found: UUID = row["payout_id"]
        return found

    async def line(self, name: str, amount: int, on: date, *, ref: str = "", **changes: Any) -> UUID:
        """Import a line, that names a payout where `ref` does; returns its id."""
        key = new_id()
        self.names[str(key)] = name
        given: dict[str, Any] = {
            "source_id": self.source_id,
            "occurrence": 1,
            "tenant_id": self.tenant_id,
            "id": key,
            "import_id": key,
            "line": 1,
            "identity": key.bytes,
            "essence": key.bytes,
            "account": "DE1",
            "bank_id": "",
            "booked_on": on,
            "currency": "EUR",
            "amount_minor": amount,
            "fee_minor": 0,
            "kind": "",
            "refs": json.dumps({"end_to_end": f"PO{self.tenant_id[-6:]}{ref}".upper()} if ref else {}),
            "counterparty": "",
            "description": "STRIPE PAYOUT",
            "raw": "{}",
            "created_at": NOW - timedelta(days=1),
        }
        await self.write("statement_lines", **(given | changes))
        return key

    async def movement(self, name: str, amount: int, net: int) -> None:
        """Move money on the account at the processor, long before what runs compare."""
        key, at = new_id(), datetime(2026, 1, 1, tzinfo=UTC)
        self.names[str(key)] = name
        empty = ("source_ref", "payment_ref", "charge_ref", "exchange_rate", "source_currency")
        await self.write(
            "processor_movements",
            **dict.fromkeys(empty, ""),
            account_id=f"acct_{self.tenant_id}",
            is_live=False,
            id=f"txn_{self.tenant_id}_{name}",
            movement_id=key,
            tenant_id=self.tenant_id,
            is_booked=True,
            kind="charge",
            type="charge",
            reporting_category="charge",
            amount_minor=amount,
            fee_minor=amount - net,
            fee_details="[]",
            net_minor=net,
            currency="EUR",
            created_at=at,
            available_at=at,
            status="available",
            raw="{}",
            seen_at=at,
            updated_at=at,
        )

    async def write(self, table: str, **columns: Any) -> None:
        """Write a row."""
        values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        async with self.database.connection() as connection:
            await connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})", *columns.values())

    async def run(self, *, is_dry: bool = False, since: datetime = SINCE) -> ReconciliationRun:
        """Compare, and return the run."""
        started = await self.runs.start(
            StartReconciliation(
                tenant_id=self.tenant_id,
                run_id=new_id(),
                window_from=since,
                window_until=self.clock.now(),
                is_dry=is_dry,
                requested_by="test",
            )
        )
        self.last = started.id
        return await self.go_on()

    async def go_on(self) -> ReconciliationRun:
        """Go on with the run that was begun last, and return it."""
        await self.runs.work()
        row = await self.database.fetchrow("SELECT state FROM reconciliation_runs WHERE id = $1", self.last)
        assert row is not None and row["state"] == "complete", dict(row or {})
        return await runs.show(self.database, GetReconciliationRun(tenant_id=self.tenant_id, run_id=self.last))

    async def found(self) -> set[tuple[str, str]]:
        """Return what is unsettled, as (type, name)."""
        return {(each.type, self.names[each.subject]) for each in await self.discrepancies()}

    async def discrepancies(self, *, settled: bool | None = False) -> list[Discrepancy]:
        """List discrepancies of lines and arrivals."""
        page = await discrepancies.list_page(
            self.database, ListDiscrepancies(tenant_id=self.tenant_id, settled=settled, limit=200)
        )
        return [each for each in page.discrepancies if each.subject_kind in OF_BANKS]

    async def matches(self, **wish: Any) -> list[LineMatch]:
        """List matches."""
        wish = {"in_force": True, "limit": 200} | wish
        return (await queries.matches(self.database, ListLineMatches(tenant_id=self.tenant_id, **wish))).matches

    async def matched(self) -> set[tuple[str, str]]:
        """Return what is matched, as (rule, names of its parts in alphabetical order)."""
        return {
            (match.rule, " ".join(sorted(self.names[str(part.id)] for part in match.parts)))
            for match in await self.matches()
        }
