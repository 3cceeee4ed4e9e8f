"""What is reported: revenue and balances from the report views, with their age; statements from the books themselves."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from libs.common.clock import Clock
from libs.common.contracts import ledger_reports as contract
from libs.common.contracts.ledger_errors import AccountUnknown, EntryNotFound, QueryInvalid
from libs.common.db import Connection, Database
from services.ledger.accounts import accounts_by_code
from services.ledger.core import checked_limit, read_cursor, write_cursor
from services.ledger.reports.domain import read_line, read_text, write_line, write_text
from services.ledger.reports.sql import statements, views
from services.ledger.reports.sql.views import Period
from services.ledger.watermark import Watermark

LINES_MAX = 1000
"""Lines of a statement, or tenants, on one page at most."""

ENTRIES_MAX = 500
"""Entries of the journal on one page at most."""

_ZONE = re.compile(r"[A-Za-z0-9_+\-]{1,32}(/[A-Za-z0-9_+\-]{1,32}){0,2}\Z")


class ReportQueries:
    """Reports of one ledger process. Each is read from one snapshot, so its figures are of one moment."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._watermark = Watermark(database, clock=clock)

    async def _final_before(self, until: datetime | None) -> datetime | None:
        """Let the instant of record up to which is read be over, if it can be: then it shows the same for ever."""
        return None if until is None else await self._watermark.advance(until)

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    async def revenue(self, request: contract.ReportRevenue) -> contract.RevenueReport:
        """Report a tenant's revenue by period.

        Raises:
            QueryInvalid: for a time zone that there is not.
        """
        zone = read_zone(request.zone)
        async with self._snapshot() as snapshot:
            rows = await views.revenue(
                snapshot,
                request.tenant_id,
                period=Period(begins_at=request.posted_from, ends_at=request.posted_until),
                granularity=request.granularity,
                zone=zone,
                currency=request.currency,
            )
            return contract.RevenueReport(rows=rows, refreshed_at=await views.refreshed_at(snapshot))

    async def revenue_by_tenant(self, request: contract.ReportRevenueByTenant) -> contract.RevenueReport:
        """Report the revenue of every tenant that has any, by its id.

        Raises:
            QueryInvalid: for a limit out of range, or a cursor that is not ours.
        """
        limit = checked_limit(request.limit, LINES_MAX)
        after = "" if request.cursor is None else read_text(request.cursor)
        async with self._snapshot() as snapshot:
            # One more than requested shows whether there is a next page.
            tenants = await views.tenants_with_books(snapshot, after=after, limit=limit + 1)
            rows = await views.revenue_by_tenant(
                snapshot,
                tenants[:limit],
                period=Period(begins_at=request.posted_from, ends_at=request.posted_until),
                currency=request.currency,
            )
            return contract.RevenueReport(
                rows=rows,
                refreshed_at=await views.refreshed_at(snapshot),
                next_cursor=write_text(tenants[limit - 1]) if len(tenants) > limit else None,
            )

    async def balances(self, request: contract.ReportBalances) -> contract.BalancesReport:
        """Report what a tenant's accounts held, or turned over in a period."""
        async with self._snapshot() as snapshot:
            found = await views.account_balances(
                snapshot,
                request.tenant_id,
                period=Period(begins_at=request.posted_from, ends_at=request.posted_until),
                currency=request.currency,
            )
            return contract.BalancesReport(balances=found, refreshed_at=await views.refreshed_at(snapshot))

    async def trial_balance(self, request: contract.ReportTrialBalance) -> contract.TrialBalance:
        """List all accounts of a tenant with their totals at one instant of record."""
        final_before = await self._final_before(request.as_of)
        async with self._database.connection() as connection:
            rows = await statements.trial_balance(connection, request.tenant_id, before=request.as_of)
        return contract.TrialBalance(as_of=request.as_of or self._clock.now(), rows=rows, final_before=final_before)

    async def statement(self, request: contract.ReportStatement) -> contract.StatementPage:
        """State what happened on one account in one currency, page by page.

        The first page fixes where the statement ends, so that all pages are of one statement, however much is posted
        while they are read.

        Raises:
            AccountUnknown: when the chart has no such account.
            QueryInvalid: for a limit out of range, or a cursor that is not ours.
        """
        limit = checked_limit(request.limit, LINES_MAX)
        after, ends_at = None, request.posted_until
        if request.cursor is not None:
            at, version, ends_at = read_line(request.cursor)
            after = (at, version)
        final_before = await self._final_before(request.posted_until)
        async with self._snapshot() as snapshot:
            accounts = await accounts_by_code(snapshot, request.tenant_id, [request.account])
            account = accounts.get(request.account)
            if account is None:
                sentence = f"the chart has no account {request.account}"
                raise AccountUnknown(sentence, errors=(("account", sentence),))
            closing = await statements.standing_before(snapshot, account, request.currency, ends_at)
            opening = statements.Standing()
            if request.posted_from is not None:
                opening = await statements.standing_before(snapshot, account, request.currency, request.posted_from)
            # A period that ends before it begins has no lines, and closes as it opened.
            until = closing.posted_at
            if until is None or (request.posted_from is not None and until < request.posted_from):
                closing, lines = opening, []
            else:
                lines = await statements.statement_lines(
                    snapshot,
                    account,
                    request.currency,
                    begins_at=request.posted_from,
                    until=until,
                    after=after,
                    limit=limit + 1,
                )
        page = lines[:limit]
        next_cursor = None
        if len(lines) > limit and until is not None:
            version, line = page[-1]
            next_cursor = write_line(line.posted_at, version, until)
        return contract.StatementPage(
            account=account.code,
            label=account.label,
            account_type=account.account_type,
            currency=request.currency,
            opening_debits_minor=opening.debits_minor,
            opening_credits_minor=opening.credits_minor,
            closing_debits_minor=closing.debits_minor,
            closing_credits_minor=closing.credits_minor,
            lines=[line for _, line in page],
            next_cursor=next_cursor,
            final_before=final_before,
        )

    async def journal(self, request: contract.ReportJournal) -> contract.JournalPage:
        """List a tenant's entries in the order of record, page by page.

        Raises:
            QueryInvalid: for a limit out of range, or a cursor that is not ours.
        """
        limit = checked_limit(request.limit, ENTRIES_MAX)
        final_before = await self._final_before(request.posted_until)
        async with self._database.connection() as connection:
            found = await statements.journal(
                connection,
                request.tenant_id,
                period=Period(begins_at=request.posted_from, ends_at=request.posted_until),
                after=None if request.cursor is None else read_cursor(request.cursor),
                limit=limit + 1,
            )
        page = found[:limit]
        return contract.JournalPage(
            entries=page,
            next_cursor=write_cursor(page[-1].posted_at, page[-1].id) if len(found) > limit else None,
            final_before=final_before,
        )

    async def entry(self, request: contract.ReportEntry) -> contract.EntryReport:
        """Report one entry.

        Raises:
            EntryNotFound: where the tenant's books have no such entry.
        """
        async with self._snapshot() as snapshot:
            found = await statements.entry(snapshot, request.tenant_id, request.entry_id)
        if found is None:
            raise EntryNotFound(f"there is no entry {request.entry_id}")
        return found


def read_zone(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name.

    Raises:
        QueryInvalid: when there is none.
    """
    try:
        if not _ZONE.match(name):
            raise ZoneInfoNotFoundError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        sentence = "tz must be the name of an IANA time zone: America/Sao_Paulo"
        raise QueryInvalid(sentence, errors=(("tz", sentence),)) from fault
