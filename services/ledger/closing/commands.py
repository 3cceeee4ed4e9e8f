"""Ending a period: what is missing is computed in one snapshot, then posted as people's entries are, or proposed.

Nothing is remembered beside the entries. Their ids follow from what they are for and how many there are, so two processes that
compute the same post once, and two that compute something different do not both: the second is refused, and again is right.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from libs.common.contracts import ledger_closing as contract
from libs.common.contracts import ledger_errors as refusals
from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_closing import BooksClosed, ClosingOutcome, ClosingResult
from libs.common.contracts.ledger_errors import ApprovalRequired, PeriodInvalid
from libs.common.contracts.ledger_journal import (
    EntryResult,
    ManualEntry,
    Mode,
    Outcome,
    PostEntries,
    ProposalStatus,
    ProposeEntries,
)
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection
from libs.common.errors import Rejected
from libs.common.money import UnsupportedCurrency, is_currency
from services.ledger.accounts import Charts, changes_of, codes_of, default_account_id
from services.ledger.balances import effective_balances
from services.ledger.closing import sql
from services.ledger.closing.domain import Drafted, Valued, ids_of, moving, turned, value
from services.ledger.exchange import rates_by_day
from services.ledger.manual_entries import Journal, post_entries, propose
from services.ledger.periods import beginning_of, calendar_of, zone_named

YEAR_MIN, YEAR_MAX = 1970, 9998
_TICK = timedelta(microseconds=1)
_RESULT = frozenset({AccountType.REVENUE, AccountType.EXPENSE})
_REFUSALS: tuple[type[Rejected], ...] = (
    refusals.EntryConflict,
    refusals.PeriodClosed,
    refusals.FloorCrossed,
    refusals.CeilingCrossed,
    refusals.BalanceOverflow,
    refusals.CurrencyNotTaken,
    refusals.EntryInvalid,
)
_MIRRORS = (Role.FX_POSITION, Role.FX_REVALUATION)
"""What stands on their accounts is neither owned nor owed: the mirror of what was exchanged, and earlier valuations."""
_PROPOSALS_MAX = 50
"""How often the same entries are proposed again after they were rejected, or nobody decided in time."""


class Closing:
    """What one ledger process decides about the end of periods."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._charts = Charts()

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        async with (
            self._journal.database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    async def _roles(self, tenant_id: str) -> dict[Role, tuple[UUID, str]]:
        """Return which account plays each role, by id and code; opens the default accounts."""
        async with self._journal.database.transaction() as tx:
            chart = (await self._charts.of(tx, [tenant_id], opened_at=self._journal.clock.now()))[tenant_id]
            codes = await codes_of(tx, tenant_id, list(chart.roles.values()))
        return {role: (account_id, codes[account_id]) for role, account_id in chart.roles.items()}

    async def close_year(self, request: contract.CloseYear) -> BooksClosed:
        """Move what counts in a year on accounts of income and expenses to retained earnings; again moves what came later.

        Raises:
            PeriodInvalid: when the year is not over.
            PeriodClosed: when its last day is closed: the year is closed before its last period.
            Rejected: when the books refuse an entry; then none is posted.
        """
        if not YEAR_MIN <= request.year <= YEAR_MAX:
            raise _invalid("year", f"year must be {YEAR_MIN} to {YEAR_MAX}")
        retained = (await self._roles(request.tenant_id))[Role.RETAINED_EARNINGS][1]
        async with self._snapshot() as snapshot:
            begins_at = await _beginning_of_year(snapshot, request.tenant_id, request.year)
            ends_before = await _beginning_of_year(snapshot, request.tenant_id, request.year + 1)
            self._require_over("year", ends_before)
            left, currencies = await _results(snapshot, request.tenant_id, begins_at, ends_before)
            ids = {each: ids_of(request.tenant_id, f"year-end/{request.year}/{each}") for each in currencies}
            standing = await sql.standing(snapshot, request.tenant_id, [each for some in ids.values() for each in some])
        entries: list[ManualEntry] = []
        for currency, amounts in sorted(left.items()):
            drafted = Drafted(
                kind="year_end",
                currency=currency,
                description=f"Year end {request.year}: income and expenses to {retained}",
                occurred_at=ends_before - _TICK,
                ids=(each for each in ids[currency] if each not in standing),
            )
            entries += moving(amounts, retained, drafted)
        results = [
            # What was earned stands on the credit side.
            ClosingResult(currency=currency, result_minor=-sum(amounts.values()))
            for currency, amounts in sorted(left.items())
        ]
        return await self._book(request, entries, results, standing, reason=f"Year end {request.year}")

    async def revalue(self, request: contract.RevalueCurrencies) -> BooksClosed:
        """Post what assets and liabilities in other currencies have gained or lost, and take it back when the next period begins.

        Raises:
            UnsupportedCurrency: when the currency of the reports is none.
            PeriodInvalid: when the day is not over, by the tenant's calendar.
            RateUnknown: when no rate led to the currency of the reports on a day on which something was booked.
            PeriodClosed: when the day is closed.
            Rejected: when the books refuse an entry; then none is posted.
        """
        if not is_currency(request.currency):
            raise UnsupportedCurrency("unsupported currency", errors=(("/currency", "unsupported currency"),))
        if not YEAR_MIN <= request.day.year <= YEAR_MAX:
            raise _invalid("day", f"day must be in the years {YEAR_MIN} to {YEAR_MAX}")
        roles = await self._roles(request.tenant_id)
        async with self._snapshot() as snapshot:
            zone = zone_named((await calendar_of(snapshot, request.tenant_id)).zone)
            ends_before = beginning_of(request.day + timedelta(days=1), zone)
            self._require_over("day", ends_before)
            days = await sql.days(
                snapshot,
                request.tenant_id,
                currency=request.currency,
                but=await _mirrors(snapshot, request.tenant_id),
                zone=zone.key,
                ends_before=ends_before,
            )
            currencies = sorted({each.currency for each in days})
            rates = await rates_by_day(
                snapshot, request.tenant_id, currencies, request.currency, zone=zone.key, ends_before=ends_before
            )
            ids = {
                each: ids_of(request.tenant_id, f"revaluation/{request.currency}/{each}/{request.day}")
                for each in currencies
            }
            standing = await sql.standing(snapshot, request.tenant_id, [each for some in ids.values() for each in some])
        # A long history takes a while to compute; others go on meanwhile.
        valued = await asyncio.to_thread(value, days, rates, request.currency, last_day=request.day)
        entries: list[ManualEntry] = []
        results: list[ClosingResult] = []
        for each in valued:
            # Entries alternate: one that values, and one that takes it back.
            posted = sum(standing.get(entry_id, 0) for entry_id in ids[each.currency][::2])
            if missing := each.gain_minor - posted:
                free = (entry_id for entry_id in ids[each.currency] if entry_id not in standing)
                entries += _revaluation(request, each, missing, roles, ends_before=ends_before, ids=free)
                results.append(
                    ClosingResult(
                        currency=each.currency,
                        result_minor=missing,
                        balance_minor=each.balance_minor,
                        rate=each.rate,
                    )
                )
        return await self._book(request, entries, results, standing, reason=f"Revaluation of {request.day}")

    def _require_over(self, member: str, ends_before: datetime) -> None:
        if ends_before > self._journal.clock.now():
            raise _invalid(member, f"the {member} is not over")

    async def _book(
        self,
        request: contract.CloseYear | contract.RevalueCurrencies,
        entries: Sequence[ManualEntry],
        results: list[ClosingResult],
        standing: dict[UUID, int],
        *,
        reason: str,
    ) -> BooksClosed:
        """Post entries together, or propose them where the tenant demands a second person."""
        if not entries:
            return BooksClosed(outcome=ClosingOutcome.UNCHANGED, results=[], entry_ids=sorted(standing))
        entry_ids = [entry.id for entry in entries if entry.id is not None]
        # The same entries have the same key, so that they are posted once and proposed once.
        key = uuid5(NAMESPACE_URL, f"ledger/{request.tenant_id}/{reason}/{msgspec.json.encode(entries).decode()}").hex
        try:
            posting = PostEntries(
                tenant_id=request.tenant_id,
                made_by=request.made_by,
                key=key,
                mode=Mode.ATOMIC,
                entries=list(entries),
            )
            refused = _refused((await post_entries(self._journal, posting)).results)
        except ApprovalRequired as required:
            refused = required
        if refused is None:
            return BooksClosed(outcome=ClosingOutcome.POSTED, results=results, entry_ids=entry_ids)
        if not isinstance(refused, ApprovalRequired):
            raise refused
        proposal_id = await self._propose(request, entries, key=key, reason=reason)
        return BooksClosed(
            outcome=ClosingOutcome.PROPOSED, results=results, entry_ids=entry_ids, proposal_id=proposal_id
        )

    async def _propose(
        self,
        request: contract.CloseYear | contract.RevalueCurrencies,
        entries: Sequence[ManualEntry],
        *,
        key: str,
        reason: str,
    ) -> UUID:
        for number in range(_PROPOSALS_MAX):
            answer = await propose(
                self._journal,
                ProposeEntries(
                    tenant_id=request.tenant_id,
                    made_by=request.made_by,
                    responsible=request.responsible,
                    key=f"{key}/{number}",
                    reason=reason,
                    entries=list(entries),
                ),
            )
            if answer.proposal is None:
                raise _refused(answer.results) or refusals.EntryInvalid("the entries cannot be proposed")
            if answer.proposal.status is ProposalStatus.OPEN:
                return answer.proposal.id
        raise refusals.EntryInvalid(f"these entries were proposed {_PROPOSALS_MAX} times already")


async def _results(
    snapshot: Connection, tenant_id: str, begins_at: datetime, ends_before: datetime
) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Read what counts in a year on accounts of income and expenses, by currency; and all their currencies."""
    found: dict[str, dict[str, int]] = {}
    currencies = set()
    for sign, instant in ((-1, begins_at), (1, ends_before)):
        for each in await effective_balances(snapshot, tenant_id, before=instant, currency=None):
            if each.account_type in _RESULT:
                currencies.add(each.currency)
                amounts = found.setdefault(each.currency, {})
                net = sign * (each.debits_minor - each.credits_minor)
                amounts[each.account] = amounts.get(each.account, 0) + net
    left = {
        currency: moved
        for currency, amounts in found.items()
        if (moved := {account: net for account, net in amounts.items() if net})
    }
    return left, sorted(currencies)


async def _beginning_of_year(snapshot: Connection, tenant_id: str, year: int) -> datetime:
    """Return when a year begins: by the tenant's calendar, or where the year before was ended already, by whichever calendar.

    So years follow one another without a gap, and none is moved twice, when the calendar changes.
    """
    zone = zone_named((await calendar_of(snapshot, tenant_id)).zone)
    about = beginning_of(date(year, 1, 1), zone)
    ended_at = await sql.year_ended_at(snapshot, tenant_id, about)
    return about if ended_at is None else ended_at + _TICK


async def _mirrors(snapshot: Connection, tenant_id: str) -> set[UUID]:
    """Find the accounts that play a role that is not valued, or ever did: what they had in that time stays on them."""
    changed = {account_id for role, account_id, _ in await changes_of(snapshot, tenant_id) if role in _MIRRORS}
    return changed | {default_account_id(tenant_id, role) for role in _MIRRORS}


def _revaluation(
    request: contract.RevalueCurrencies,
    valued: Valued,
    missing_minor: int,
    roles: dict[Role, tuple[UUID, str]],
    *,
    ends_before: datetime,
    ids: Iterator[UUID],
) -> list[ManualEntry]:
    adjusted, result = roles[Role.FX_REVALUATION][1], roles[Role.FX_UNREALIZED][1]
    drafted = Drafted(
        kind="revaluation",
        currency=request.currency,
        description=f"Revaluation of {request.day}: {valued.currency} at {valued.rate:f} {request.currency}",
        occurred_at=ends_before - _TICK,
        ids=ids,
    )
    # What is gained leaves the account of results on its credit side, and stands as an asset.
    (entry,) = moving({result: missing_minor}, adjusted, drafted)
    back = next(ids, None)
    if back is None:
        raise refusals.EntryInvalid("there are too many entries for this already")
    return [entry, turned(entry, entry_id=back, occurred_at=ends_before)]


def _refused(results: Sequence[EntryResult]) -> Rejected | None:
    """Return why entries were refused: the kind of the first; None where they were not."""
    first = next((result for result in results if result.outcome is Outcome.REFUSED), None)
    if first is None:
        return None
    kinds: tuple[type[Rejected], ...] = (*_REFUSALS, ApprovalRequired)
    kind = next((known for known in kinds if known.code == first.code), refusals.EntryInvalid)
    return kind(first.detail)


def _invalid(member: str, sentence: str) -> PeriodInvalid:
    return PeriodInvalid(sentence, errors=((f"/{member}", sentence),))
