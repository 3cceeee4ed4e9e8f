"""How the ledger is wired: the only file that knows every other room."""

from datetime import timedelta

from libs.common.clock import Clock, SystemClock
from libs.common.db import Database
from libs.common.messaging import Bus
from libs.common.service import Service
from services.ledger import consumers, workers
from services.ledger.commands import Commands, JournalCommands, ReportCommands
from services.ledger.queries import JournalQueries, Queries, ReportQueries
from services.ledger.settings import Settings


def build(settings: Settings, clock: Clock | None = None) -> Service:
    """Wire the ledger; nothing connects before the service is served."""
    clock = clock or SystemClock()
    database = Database(settings.database, schema="ledger", application_name="ledger")
    bus = Bus(service="ledger", settings=settings.broker, database=database, clock=clock)
    consumers.register(bus, consumers.Consumers(Commands(database, clock=clock), Queries(database)))
    reports = ReportCommands(
        database,
        age_max=timedelta(minutes=settings.reports.report_refresh_interval_minutes),
        timeout_seconds=settings.reports.report_refresh_timeout_seconds,
    )
    consumers.register_reports(bus, ReportQueries(database, clock=clock), reports)
    journal = JournalCommands(
        database, clock=clock, proposal_lifetime=timedelta(hours=settings.journal.proposal_lifetime_hours)
    )
    consumers.register_journal(bus, JournalQueries(database, clock=clock), journal)
    return Service(
        name="ledger",
        place=settings.place,
        http=settings.http,
        database=database,
        bus=bus,
        clock=clock,
        loops=workers.loops(reports),
    )
