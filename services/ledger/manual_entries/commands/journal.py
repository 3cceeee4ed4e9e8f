"""What posting, proposing and deciding share: reading entries, letting the engine decide them, and trying them out."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta

from libs.common.clock import Clock
from libs.common.contracts import ledger_journal as contract
from libs.common.contracts.ledger_errors import EntryInvalid
from libs.common.contracts.ledger_journal import EntryResult, ManualEntry
from libs.common.db import Connection, Database
from libs.common.db.database import CONTENTION
from libs.common.errors import Rejected
from libs.common.observability.correlation import current
from services.ledger.accounts import Charts, accounts_by_code
from services.ledger.core import Account, Entry
from services.ledger.manual_entries.commands.outcomes import all_or_none, as_if, result_of
from services.ledger.manual_entries.domain import Fault, codes, currencies, fault_of, in_turn, manual_entry
from services.ledger.posting import BalanceCache, Booking, Refused, post_locked
from services.ledger.units import missing_units

CONTENTION_RETRIES_MAX = 5
"""How often a transaction that lost against another one is run again."""


class Undone(Exception):
    """Rolls a transaction back and brings out what it had found."""

    def __init__(self, results: list[EntryResult]) -> None:
        super().__init__("undone on purpose")
        self.results = results


class Journal:
    """What one ledger process needs to decide about entries that people make."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        proposal_lifetime: timedelta,
        cache: BalanceCache | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self._cache = cache
        self.proposal_lifetime = proposal_lifetime
        self._charts = Charts()

    async def read(self, tenant_id: str, entries: Sequence[ManualEntry]) -> list[Entry | Fault]:
        """Read what people entered, with the accounts that they name; opens the default accounts."""
        async with self.database.transaction() as tx:
            # The default accounts are there before any message about the tenant.
            await self._charts.of(tx, [tenant_id], opened_at=self.clock.now())
            accounts, missing = await named_in(tx, tenant_id, entries)
        return await self.entries_or_faults(tenant_id, entries, accounts, missing)

    async def entries_or_faults(
        self, tenant_id: str, entries: Sequence[ManualEntry], accounts: Mapping[str, Account], missing: Collection[str]
    ) -> list[Entry | Fault]:
        """Make the journal entries, or the fault of each that cannot be one; `missing` are own units that the tenant does not have."""
        now = self.clock.now()
        read: list[Entry | Fault] = []
        async for some in in_turn(entries):
            for place, entry in enumerate(some, start=len(read)):
                try:
                    read.append(
                        manual_entry(entry, tenant_id=tenant_id, accounts=accounts, missing_units=missing, now=now)
                    )
                except Rejected as reason:
                    read.append(fault_of(reason, place=place))
        return read

    async def post(
        self,
        tx: Connection,
        entries: Sequence[ManualEntry],
        read: Sequence[Entry | Fault],
        *,
        first: int = 0,
        is_approved: bool = False,
    ) -> list[EntryResult]:
        """Let the posting engine decide the entries that could be read; the others are refused already."""
        bookings = [
            Booking(entry=entry, correlation=current(), is_approved=is_approved)
            for entry in read
            if not isinstance(entry, Fault)
        ]
        outcomes = iter(await post_locked(tx, bookings, clock=self.clock, cache=self._cache))
        results: list[EntryResult] = []
        async for some in in_turn(list(zip(entries, read, strict=True))):
            for place, (entry, read_entry) in enumerate(some, start=first + len(results)):
                fault = read_entry if isinstance(read_entry, Fault) else None
                outcome = None if fault is not None else next(outcomes)
                if isinstance(outcome, Refused):
                    fault = fault_of(outcome.reason, place=place)
                results.append(result_of(entry, fault, outcome))
        return results

    async def try_out(self, tenant_id: str, entries: Sequence[ManualEntry]) -> list[EntryResult]:
        """Let the engine decide entries that are posted together, and roll everything back."""
        read = await self.read(tenant_id, entries)

        async def post(tx: Connection) -> list[EntryResult]:
            raise Undone(as_if(all_or_none(await self.post(tx, entries, read, is_approved=True))))

        try:
            return await self.transact(post)
        except Undone as undone:
            return undone.results

    async def transact[T](self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run work in a transaction, and again when it lost against another one."""
        for _ in range(CONTENTION_RETRIES_MAX):
            try:
                async with self.database.transaction() as tx:
                    return await work(tx)
            except CONTENTION:
                continue
        async with self.database.transaction() as tx:
            return await work(tx)


async def named_in(
    tx: Connection, tenant_id: str, entries: Sequence[ManualEntry]
) -> tuple[dict[str, Account], set[str]]:
    """Read the accounts that entries name, and which of the own units that they are in the tenant does not have."""
    return (
        await accounts_by_code(tx, tenant_id, codes(entries)),
        await missing_units(tx, tenant_id, currencies(entries)),
    )


def check_size(entries: Sequence[ManualEntry], *, entries_max: int) -> None:
    """Refuse no entries, and more entries or lines than one request may have."""
    if not 1 <= len(entries) <= entries_max:
        sentence = f"entries must be 1 to {entries_max}"
        raise EntryInvalid(sentence, errors=(("/entries", sentence),))
    if sum(len(entry.lines) for entry in entries) > contract.LINES_MAX:
        sentence = f"entries must have at most {contract.LINES_MAX} lines together"
        raise EntryInvalid(sentence, errors=(("/entries", sentence),))
