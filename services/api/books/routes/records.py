"""Reports of what stands in the books, line by line: account statement and general journal."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from litestar import Response
from litestar.response import Stream

from libs.common.clock import iso
from libs.common.contracts import ledger_reports as contract
from libs.common.contracts.ledger_errors import AccountUnknown, EntryNotFound, QueryInvalid
from libs.common.money import UnsupportedCurrency, is_booked
from services.api.books.routes.parameters import CURRENCY, CURSOR, FROM_TO, LIVE, TZ, all_pages, limited
from services.api.books.schemas import records as shapes
from services.api.books.schemas.plain_text import JournalText, TextFormat
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id, wrong
from services.api.http.rendering import final_before, json_answer
from services.api.http.requests import Ask
from services.api.http.tables import (
    FORMAT,
    LOCALE,
    chosen_locale,
    csv_answer,
    file_answer,
    named_format,
    sheet_of,
    wants_csv,
)

_READ, _PAYMENTS = "ledger:read", "payments:read"
LINES, LINES_MAX = 200, 1000
ENTRIES, ENTRIES_MAX = 200, 500

_JOURNAL_FORMAT = QueryParameter(
    name="format",
    description="`csv` for a spreadsheet, `beancount` or `hledger` for that program, each streamed and complete; "
    "`Accept: text/csv` does the same as `csv`.",
    shape={"type": "string", "enum": ["json", "csv", *TextFormat], "default": "json"},
)


class RecordReports(Resource):
    """Reports of what stands in the books, line by line."""

    ask: Ask
    payments_of: shapes.PaymentsOf

    @operation(
        "GET",
        "/v1/reports/statement",
        operation_id="reportStatement",
        summary="Account statement",
        description="One account in one currency, oldest first: the opening balance and the lines make the closing "
        "balance. The first page fixes where it ends, so that all pages are of one statement.",
        tags=["reports"],
        answer=shapes.StatementBody,
        permission=_READ,
        query=(
            QueryParameter(name="account", description="The account's code.", shape={"type": "string"}, required=True),
            QueryParameter(
                name="currency",
                description=CURRENCY.description,
                shape=CURRENCY.shape,
                required=True,
            ),
            *FROM_TO,
            TZ,
            limited("Lines", LINES, LINES_MAX),
            CURSOR,
            FORMAT,
            LOCALE,
        ),
        refusals=(QueryInvalid, AccountUnknown, UnsupportedCurrency),
        csv=True,
        final=True,
    )
    async def report_statement(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        as_csv, zone, locale = wants_csv(request, query), query.zone(), chosen_locale(query)
        account, currency = query.text("account", length_max=64), query.currency(own=True)
        if account is None:
            raise wrong("account", "is required")
        if currency is None:
            raise wrong("currency", "is required")
        if not is_booked(currency):
            raise UnsupportedCurrency("unsupported currency", errors=(("currency", "unsupported currency"),))
        requested = contract.ReportStatement(
            tenant_id=caller.tenant_id,
            account=account,
            currency=currency,
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            limit=LINES_MAX if as_csv else query.integer("limit", default=LINES, at_least=1, at_most=LINES_MAX),
            cursor=query.cursor(),
        )
        first = await self.ask(requested)
        body = shapes.statement_body(first, await self._payments(caller, first.lines))
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                yield [shapes.edge_row("opening", requested.posted_from, body.opening_balance, currency)]
                async for page in all_pages(self.ask, requested, first):
                    payments = await self._payments(caller, page.lines)
                    yield shapes.statement_rows(shapes.statement_body(page, payments).lines, currency)
                yield [shapes.edge_row("closing", requested.posted_until, body.closing_balance, currency)]

            sheet = sheet_of(locale, sums=("debit", "credit"), amounts=("balance",), as_of=self.clock.now())
            final = final_before(first.final_before)
            return csv_answer("statement", shapes.STATEMENT_COLUMNS, pages(), headers=final, sheet=sheet)
        return json_answer(body, headers=_paged(query, first))

    @operation(
        "GET",
        "/v1/reports/journal",
        operation_id="reportJournal",
        summary="General journal",
        description="Every entry with its lines, oldest first; as CSV one row per line. As `beancount` or `hledger` a file "
        f"for the program of that name, in which the dates are those of record in `tz`. {LIVE}",
        tags=["reports"],
        answer=shapes.JournalBody,
        permission=_READ,
        query=(*FROM_TO, TZ, limited("Entries", ENTRIES, ENTRIES_MAX), CURSOR, _JOURNAL_FORMAT, LOCALE),
        refusals=(QueryInvalid,),
        csv=True,
        plain_text=True,
        final=True,
    )
    async def report_journal(self, caller: Caller, request: AnyRequest) -> Response[bytes] | Stream:
        query = Query(request)
        zone, locale = query.zone(), chosen_locale(query)
        text_format = named_format(query, TextFormat)
        as_csv = text_format is None and wants_csv(request, query)
        is_whole = as_csv or text_format is not None
        requested = contract.ReportJournal(
            tenant_id=caller.tenant_id,
            posted_from=query.begin(zone=zone),
            posted_until=query.end(zone=zone),
            limit=ENTRIES_MAX if is_whole else query.integer("limit", default=ENTRIES, at_least=1, at_most=ENTRIES_MAX),
            cursor=query.cursor(),
        )
        first = await self.ask(requested)
        if text_format is not None:
            written = JournalText(TextFormat(text_format), zone=zone)
            # Before the answer begins, so that what cannot be written is a refusal.
            begun = written.begin(_notes(requested, zone, now=self.clock.now()))
            begun += written.page(first.entries, await self._payments(caller, first.entries))

            async def parts() -> AsyncIterator[bytes]:
                yield begun.encode()
                async for page in all_pages(self.ask, requested, first):
                    if page is not first:
                        yield written.page(page.entries, await self._payments(caller, page.entries)).encode()
                yield written.end().encode()

            return file_answer(f"journal.{text_format}", parts(), media_type="text/plain")
        if as_csv:

            async def pages() -> AsyncIterator[Iterable[Sequence[str]]]:
                async for page in all_pages(self.ask, requested, first):
                    yield shapes.journal_rows(page.entries, await self._payments(caller, page.entries))

            sheet = sheet_of(locale, sums=("debit", "credit"), as_of=self.clock.now())
            final = final_before(first.final_before)
            return csv_answer("journal", shapes.JOURNAL_COLUMNS, pages(), headers=final, sheet=sheet)
        payments = await self._payments(caller, first.entries)
        body = shapes.JournalBody(
            data=[shapes.journal_item(entry, payments) for entry in first.entries], next_cursor=first.next_cursor
        )
        return json_answer(body, headers=_paged(query, first))

    @operation(
        "GET",
        "/v1/ledger/entries/{entry_id:str}",
        operation_id="getLedgerEntry",
        summary="Get a journal entry",
        description="With what the journal has of it, and the entry that takes it back.",
        tags=["ledger"],
        answer=shapes.EntryItem,
        permission=_READ,
        refusals=(EntryNotFound,),
    )
    async def get_entry(self, caller: Caller, request: AnyRequest, entry_id: str) -> Response[bytes]:
        found = await self.ask(contract.ReportEntry(tenant_id=caller.tenant_id, entry_id=path_id(entry_id, "entry_id")))
        return json_answer(shapes.entry_item(found, await self._payments(caller, [found.entry])))

    async def _payments(
        self, caller: Caller, rows: Iterable[contract.JournalRecord | contract.StatementLine]
    ) -> shapes.Payments:
        """Read whose payments the rows are, for a caller who may read payments."""
        if _PAYMENTS not in caller.principal.perms:
            return shapes.NO_PAYMENTS
        ids = {row.payment_intent_id for row in rows if row.payment_intent_id is not None}
        return await self.payments_of(caller.tenant_id, ids)


def _paged(query: Query, page: contract.StatementPage | contract.JournalPage) -> dict[str, str]:
    return {**(query.link(page.next_cursor) or {}), **(final_before(page.final_before) or {})}


def _notes(requested: contract.ReportJournal, zone: ZoneInfo, *, now: datetime) -> list[tuple[str, str]]:
    """Return what an exported journal tells of itself; the instant at which a period ends is the first after it."""
    begins = "the first entry" if requested.posted_from is None else iso(requested.posted_from)
    ends = "now" if requested.posted_until is None else f"before {iso(requested.posted_until)}"
    return [
        ("journal of tenant", requested.tenant_id),
        ("recorded", f"from {begins} to {ends}"),
        ("dates", f"of record, in {zone.key}"),
        ("exported", iso(now)),
    ]
