"""What the ledger's tests arrange and read: captures in, books out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import gateway
from libs.common.contracts.ledger import AccountType, JournalEntryPosted
from libs.common.db import Connection, Database
from libs.common.db.database import CONTENTION
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.ledger.accounts import AccountCommands, AccountConsumers, AccountQueries
from services.ledger.balances import BalanceConsumers, BalanceQueries
from services.ledger.entries import EntryCommands, EntryConsumers, EntryQueries
from services.ledger.exchange import ExchangeCommands, ExchangeConsumers, ExchangeQueries, known_quote
from services.ledger.posting import PostingService
from services.ledger.posting_rules import PaymentCommands, PaymentConsumers, RoleCommands, RoleConsumers
from services.ledger.watermark import Watermark
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.books import Books
from tests.support.databases import TestDatabase

CONTENTION_RETRIES_MAX = 10


class Ledger:
    """One ledger process, without its broker: its handlers, its database and its clock."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.accounts = AccountConsumers(AccountCommands(database, clock=clock), AccountQueries(database))
        self.payments = PaymentConsumers(PaymentCommands(database, clock=clock, quote_of=known_quote))
        self.roles = RoleConsumers(RoleCommands(database, clock=clock))
        service = PostingService(database, clock=clock)
        watermark = Watermark(database, clock=clock)
        self.entries = EntryConsumers(
            EntryCommands(database, service, clock=clock), EntryQueries(database, watermark=watermark)
        )
        self.balances = BalanceConsumers(BalanceQueries(database, watermark=watermark))
        self.exchange = ExchangeConsumers(
            ExchangeCommands(database, clock=clock), ExchangeQueries(database, clock=clock)
        )

    async def handle_captures(self, *received: Received[gateway.PaymentCaptured]) -> None:
        """Handle captures in one transaction, as the pack consumer does."""
        await self.handle(self.payments.handler(gateway.PaymentCaptured), received)

    async def handle[M](
        self, handler: Callable[[Connection, Sequence[M]], Awaitable[None]], received: Sequence[M]
    ) -> None:
        """Handle events in one transaction, and again when it lost against another one, as the pack consumer does."""
        for _ in range(CONTENTION_RETRIES_MAX):
            try:
                async with self.database.transaction() as tx:
                    return await handler(tx, received)
            except CONTENTION:
                continue
        raise AssertionError("events lost against others again and again")

    async def published(self, tenant_id: str) -> list[JournalEntryPosted]:
        """Read what waits in the outbox for a tenant, in its order."""
        rows = await self.database.fetch(
            "SELECT contract, body FROM outbox WHERE tenant_id = $1 ORDER BY seq", tenant_id
        )
        assert {row["contract"] for row in rows} <= {"event:ledger:journal_entry.posted"}
        return [msgspec.json.decode(row["body"], type=JournalEntryPosted) for row in rows]

    async def book(self, tenant_id: str) -> list[tuple[str, str, int, str]]:
        """Read a tenant's postings as (account, side, amount, currency), in order of record."""
        rows = await self.database.fetch(
            "SELECT a.code, p.side, p.amount_minor, p.currency FROM postings AS p "
            "JOIN accounts AS a ON a.tenant_id = p.tenant_id AND a.id = p.account_id "
            "WHERE p.tenant_id = $1 ORDER BY p.posted_at, p.entry_id, p.line_no",
            tenant_id,
        )
        return [(row["code"], row["side"], row["amount_minor"], row["currency"]) for row in rows]


def captured(
    tenant_id: str,
    *,
    at: datetime,
    amount_minor: int = 15050,
    currency: str = "BRL",
    payment_intent_id: UUID | None = None,
) -> Received[gateway.PaymentCaptured]:
    """Make a capture as it arrives, under a new event id."""
    return Received(
        id=new_id(),
        body=gateway.PaymentCaptured(
            payment_intent_id=payment_intent_id or new_id(),
            amount_minor=amount_minor,
            currency=currency,
            gateway_ref="sandbox_1",
            captured_at=at,
        ),
        occurred_at=at,
        correlation=Correlation(correlation_id="corr-1", tenant_id=tenant_id),
        attempt=0,
    )


async def audit(database: Database) -> Sequence[str]:
    """Look for anything in the books that cannot be; returns a sentence for each, by queries of its own."""
    faults = []
    for sentence, sql in (
        (
            "an entry is not balanced",
            (
                "SELECT entry_id FROM postings GROUP BY tenant_id, entry_id, currency "
                "HAVING sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) <> 0"
            ),
        ),
        (
            "versions have a gap",
            (
                "SELECT account_id FROM postings GROUP BY tenant_id, account_id, currency "
                "HAVING count(*) <> max(version) OR min(version) <> 1"
            ),
        ),
        (
            "a balance is not the sum of its postings",
            (
                "SELECT b.account_id FROM balances AS b LEFT JOIN (SELECT tenant_id, account_id, currency, count(*) AS n, "
                "sum(amount_minor) FILTER (WHERE side = 'DEBIT') AS debits, "
                "sum(amount_minor) FILTER (WHERE side = 'CREDIT') AS credits "
                "FROM postings GROUP BY 1, 2, 3) AS s USING (tenant_id, account_id, currency) "
                "WHERE b.version <> coalesce(s.n, 0) OR b.debits_minor <> coalesce(s.debits, 0) "
                "OR b.credits_minor <> coalesce(s.credits, 0)"
            ),
        ),
        (
            "a running total is not the sum up to it",
            (
                "SELECT account_id FROM (SELECT *, "
                "sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE 0 END) OVER running AS debits, "
                "sum(CASE side WHEN 'CREDIT' THEN amount_minor ELSE 0 END) OVER running AS credits FROM postings "
                "WINDOW running AS (PARTITION BY tenant_id, account_id, currency ORDER BY version)) AS p "
                "WHERE debits <> debits_after_minor OR credits <> credits_after_minor"
            ),
        ),
        (
            "the order of record is not the order of versions",
            (
                "SELECT account_id FROM (SELECT *, lag(posted_at) OVER (PARTITION BY tenant_id, account_id, currency "
                "ORDER BY version) AS earlier, lag(entry_id) OVER (PARTITION BY tenant_id, account_id, currency "
                "ORDER BY version) AS earlier_entry FROM postings) AS p "
                "WHERE earlier > posted_at OR (earlier = posted_at AND earlier_entry <> entry_id)"
            ),
        ),
        (
            "an entry lacks a line",
            (
                "SELECT e.id FROM journal_entries AS e "
                "WHERE line_count <> (SELECT count(*) FROM postings AS p WHERE p.tenant_id = e.tenant_id AND p.entry_id = e.id)"
            ),
        ),
    ):
        faults += [f"{sentence}: {row[0]}" for row in await database.fetch(sql)]
    return faults


@pytest.fixture(scope="module")
async def database(ledger_database: TestDatabase) -> AsyncIterator[Database]:
    """The runtime role's pool."""
    async with ledger_database.open("ledger", pool_size=8) as opened:
        yield opened


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    """A ledger process that has just started: it remembers no chart."""
    return Ledger(database, clock)


@pytest.fixture
async def bank(database: Database, tenant_id: str, clock: ManualClock) -> Bank:
    bank = Bank(database, tenant_id, clock)
    await bank.open("VAULT", AccountType.ASSET)
    await bank.open("WALLET", AccountType.LIABILITY, floor_minor=0)
    await bank.post("VAULT", "WALLET", 1000)
    return bank


@pytest.fixture
def books(database: Database, clock: ManualClock) -> Books:
    """A ledger process that has just started."""
    return Books(database, clock)
