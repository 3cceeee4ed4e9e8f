"""How the ledger is wired: the only file that knows every other room."""

import sys
from datetime import timedelta
from uuid import UUID

import msgspec

from libs.common.clock import Clock, SystemClock
from libs.common.db import Database
from libs.common.messaging import Bus, inbox_partitions, published_partitions
from libs.common.messaging.letters import dead_letters
from libs.common.messaging.refused import list_refused
from libs.common.messaging.resend import TIMEOUT_SECONDS, Window
from libs.common.service import Service
from services.ledger import answers, consumers, rules, store
from services.ledger.claims import Claims
from services.ledger.commands import Commands, ExchangeCommands, JournalCommands, ReportCommands, RoleCommands
from services.ledger.commands.resending import resend as publish_again
from services.ledger.holds import Holds
from services.ledger.periods import Periods
from services.ledger.posting import BalanceCache, PostingDesk
from services.ledger.queries import ExchangeQueries, JournalQueries, Queries, ReportQueries
from services.ledger.settings import Settings
from services.ledger.verification import Verifier
from services.ledger.workers import MEASURED, forgetting, loops, workers

_STUCK_MAX = 200
"""Payments, and dead letters of each queue, that an operator is shown at a time."""


def build(settings: Settings, clock: Clock | None = None) -> Service:
    """Wire the ledger; nothing connects before the service is served."""
    clock = clock or SystemClock()
    database = Database(settings.database, schema="ledger", application_name="ledger")
    bus = Bus(service="ledger", settings=settings.broker, database=database, clock=clock)
    reports = ReportCommands(
        database,
        age_max=timedelta(minutes=settings.reports.report_refresh_interval_minutes),
        timeout_seconds=settings.reports.report_refresh_timeout_seconds,
    )
    consumers.register_reports(bus, ReportQueries(database, clock=clock), reports)
    cache = BalanceCache()
    journal = JournalCommands(
        database,
        clock=clock,
        proposal_lifetime=timedelta(hours=settings.journal.proposal_lifetime_hours),
        cache=cache,
    )
    consumers.register_journal(bus, JournalQueries(database, clock=clock), journal)
    desk = PostingDesk(database, clock=clock, cache=cache)
    holds = Holds(database, desk, clock=clock)
    verifier = Verifier(database, clock=clock)
    claims = Claims(database, clock=clock)
    consumers.register_claims(bus, claims)
    hearing = consumers.Consumers(
        Commands(database, clock=clock, cache=cache),
        Queries(database),
        roles=RoleCommands(database, clock=clock),
        exchange=ExchangeCommands(database, clock=clock, cache=cache),
        exchange_queries=ExchangeQueries(database, clock=clock),
    )
    consumers.register(bus, hearing)
    answers.register(bus, answers.Answers(database, holds, Periods(database, desk, clock=clock), verifier))
    return Service(
        name="ledger",
        place=settings.place,
        http=settings.http,
        database=database,
        bus=bus,
        clock=clock,
        tables=[inbox_partitions(settings.broker), published_partitions(settings.broker)],
        measured=MEASURED,
        loops=loops(reports),
        workers=[
            *workers(database, holds, verifier, claims),
            *forgetting(database, clock=clock, settings=settings.retention),
        ],
    )


async def print_chart_of_accounts(_: Settings) -> None:
    """Print the posting rules for an accountant, `docs/chart-of-accounts.md`."""
    print(rules.page(), end="")  # noqa: T201 - its output


async def print_stuck(settings: Settings) -> None:
    """Print the entries of the payments named on standard input, and the ledger's dead letters, as JSON for `just stuck`."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=list[tuple[str, UUID]])
    database = Database(settings.database, schema="ledger", application_name="ledger-stuck")
    await database.open()
    try:
        entries = await store.entries_of_intents(database, wanted[:_STUCK_MAX])
        refused = await list_refused(database)
    finally:
        await database.close()
    dead = await dead_letters(settings.broker.rabbitmq_url, "ledger", limit=_STUCK_MAX)
    print(msgspec.json.encode({"entries": entries, "dead": dead, "refused": refused}).decode())  # noqa: T201 - its output


async def verify(settings: Settings) -> None:
    """Recompute all of the books in one snapshot, and print what is wrong with them; ends with 1 when anything is."""
    database = Database(settings.database, schema="ledger", application_name="ledger-verify")
    await database.open()
    try:
        report = await Verifier(database, clock=SystemClock()).all()
    finally:
        await database.close()
    for finding in report.findings:
        print(f"{finding.invariant:26} {finding.tenant_id or '-':40} {finding.subject}: {finding.detail}")  # noqa: T201 - its output
    for chain, head in report.heads.items():
        print(f"chain {chain:2} ends in {head}")  # noqa: T201 - its output
    print(f"{report.entries:,} entries in {report.groups:,} groups recomputed, {len(report.findings)} findings")  # noqa: T201 - its output
    if report.findings:
        raise SystemExit(1)


async def resend(settings: Settings, window: Window) -> int:
    """Publish again what was booked in a window; returns how many messages that are."""
    database = Database(
        msgspec.structs.replace(settings.database, database_timeout_seconds=TIMEOUT_SECONDS),
        schema="ledger",
        application_name="ledger-resend",
    )
    await database.open()
    try:
        return await publish_again(database, window)
    finally:
        await database.close()
