"""How the ledger is wired: the only file that knows every subject."""

import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from libs.common.clock import Clock, SystemClock
from libs.common.currencies import EXPONENTS
from libs.common.db import Database, DatabaseClock
from libs.common.evidence import SigningKeys, write_public_keys
from libs.common.messaging import Bus, inbox_partitions, published_partitions
from libs.common.messaging.letters import dead_letters
from libs.common.messaging.refused import list_refused
from libs.common.messaging.resend import TIMEOUT_SECONDS, Window
from libs.common.service import Loop, Service
from services.ledger import settings as rules
from services.ledger.accounts import AccountCommands, AccountConsumers, AccountQueries
from services.ledger.balances import BalanceConsumers, BalanceQueries, balance_workers
from services.ledger.closing import Closing, ClosingConsumers
from services.ledger.entries import EntryCommands, EntryConsumers, EntryQueries, entries_of_intents
from services.ledger.entries import resend as publish_again
from services.ledger.exchange import ExchangeCommands, ExchangeConsumers, ExchangeQueries, known_quote
from services.ledger.holds import HoldCommands, HoldConsumers, hold_workers
from services.ledger.integrity import (
    CONNECTIONS,
    HeadSigner,
    IntegrityConsumers,
    Reconciliation,
    VerificationWorker,
    Verifier,
    export_books,
    integrity_workers,
)
from services.ledger.manual_entries import Journal, JournalQueries, ManualEntryConsumers, manual_entry_workers
from services.ledger.periods import PeriodConsumers, Periods
from services.ledger.policies import Policies, PolicyConsumers, PolicyQueries
from services.ledger.posting import BalanceCache, PostingService
from services.ledger.posting_rules import PaymentCommands, PaymentConsumers, RoleCommands, RoleConsumers, page
from services.ledger.reports import ReportCommands, ReportConsumers, ReportQueries
from services.ledger.settings import ProofSettings, Settings
from services.ledger.statements import StatementConsumers, StatementQueries
from services.ledger.units import CurrencyExponents, UnitCommands, UnitConsumers
from services.ledger.watermark import Watermark

MEASURED = (
    *("journal_entries", "postings", "entry_groups", "journal_requests", "manual_entries"),
    *("effective_totals", "holds", "claims", "outbox", "sealed_changes", "change_groups", "signed_heads"),
)
"""Tables without partitions whose size is measured."""
_STUCK_MAX = 200
"""Payments, and dead letters of each queue, that an operator is shown at a time."""


def build(settings: Settings, clock: Clock | None = None) -> Service:
    """Wire the ledger; nothing connects before the service is served."""
    machine = clock or SystemClock()
    database = Database(settings.database, schema="ledger", application_name="ledger")
    # What is written into the books has the time of their database, whatever the clock of this machine shows.
    recording = DatabaseClock(database)
    clock = clock or recording
    bus = Bus(service="ledger", settings=settings.broker, database=database, clock=machine)
    cache = BalanceCache()
    watermark = Watermark(database, clock=clock)
    service = PostingService(database, clock=clock, cache=cache)
    holds = HoldCommands(database, service, clock=clock)
    verifier = verifier_of(settings.proof, database, clock=clock)
    verification = VerificationWorker(verifier, database=settings.database, log_level=settings.place.log_level)
    reconciliation = Reconciliation(database, clock=clock)
    reports = ReportCommands(
        database,
        age_max=timedelta(minutes=settings.reports.report_refresh_interval_minutes),
        timeout_seconds=settings.reports.report_refresh_timeout_seconds,
    )
    lifetime = timedelta(hours=settings.journal.proposal_lifetime_hours)
    journal = Journal(database, clock=clock, proposal_lifetime=lifetime, cache=cache)
    for consumers in (
        AccountConsumers(AccountCommands(database, clock=clock), AccountQueries(database)),
        UnitConsumers(UnitCommands(database, clock=clock)),
        PaymentConsumers(
            PaymentCommands(
                database,
                clock=clock,
                cache=cache,
                quote_of=known_quote,
                band_percent=settings.exchange.conversion_band_percent,
            )
        ),
        RoleConsumers(RoleCommands(database, clock=clock)),
        EntryConsumers(EntryCommands(database, service, clock=clock), EntryQueries(database, watermark=watermark)),
        BalanceConsumers(BalanceQueries(database, watermark=watermark)),
        HoldConsumers(database, holds),
        PeriodConsumers(Periods(database, clock=clock)),
        ExchangeConsumers(
            ExchangeCommands(
                database, clock=clock, cache=cache, band_percent=settings.exchange.conversion_band_percent
            ),
            ExchangeQueries(database, clock=clock),
        ),
        ManualEntryConsumers(journal, JournalQueries(database, clock=clock)),
        PolicyConsumers(Policies(database, clock=clock, lifetime=lifetime), PolicyQueries(database, clock=clock)),
        ClosingConsumers(Closing(journal)),
        ReportConsumers(reports, ReportQueries(database, clock=clock)),
        StatementConsumers(StatementQueries(database, clock=clock)),
        IntegrityConsumers(reconciliation, verifier),
    ):
        consumers.register(bus)
    return Service(
        name="ledger",
        place=settings.place,
        http=settings.http,
        traces=settings.tracing,
        database=database,
        bus=bus,
        clock=machine,
        tables=[inbox_partitions(settings.broker), published_partitions(settings.broker)],
        measured=MEASURED,
        # Every process has it; the database lets one at a time refresh.
        loops=[
            Loop(name="keep reports fresh", run=reports.keep_fresh),
            Loop(name="read the database's clock", run=recording.keep),
        ],
        opens=[recording.opened, CurrencyExponents(database, EXPONENTS).opened, verification.opened],
        workers=[
            *hold_workers(database, holds, clock=clock, kept_days=settings.retention.hold_retention_days),
            *balance_workers(database),
            *manual_entry_workers(database, clock=clock, kept_days=settings.retention.journal_request_retention_days),
            *integrity_workers(
                database,
                verify_added=verification.run,
                reconciliation=reconciliation,
                signer=signer_of(settings.proof, database, clock=clock),
            ),
        ],
    )


def verifier_of(settings: ProofSettings, database: Database, *, clock: Clock) -> Verifier:
    """Make the verifier, with the public keys of all keys that the settings have."""
    file = Path(settings.ledger_heads_file) if settings.ledger_heads_file else None
    return Verifier(database, clock=clock, keys=keys_of(settings).verifying(), file=file)


def check_settings(settings: Settings) -> list[str]:
    """Find settings that cannot be; one sentence each."""
    return [*rules.check_settings(settings), *keys_of(settings.proof).faults(prefix="LEDGER")]


def keys_of(settings: ProofSettings) -> SigningKeys:
    """Gather the keys that sign and verify."""
    return SigningKeys(
        private=settings.ledger_signing_private_key,
        next_private=settings.ledger_signing_next_private_key,
        public=settings.ledger_public_keys,
    )


def signer_of(settings: ProofSettings, database: Database, *, clock: Clock) -> HeadSigner | None:
    """Make what signs where the chains end; None without a key."""
    if not (keys := keys_of(settings).signing()):
        return None
    file = Path(settings.ledger_heads_file) if settings.ledger_heads_file else None
    return HeadSigner(database, clock=clock, keys=keys, file=file)


async def print_chart_of_accounts(_: Settings) -> None:
    """Print the posting rules for an accountant, `docs/chart-of-accounts.md`."""
    print(page(), end="")  # noqa: T201 - its output


async def print_stuck(settings: Settings) -> None:
    """Print the entries of the payments named on standard input, and the ledger's dead letters, as JSON for `just stuck`."""
    intents = msgspec.json.decode(sys.stdin.buffer.read(), type=list[tuple[str, UUID]])
    database = Database(settings.database, schema="ledger", application_name="ledger-stuck")
    await database.open()
    try:
        entries = await entries_of_intents(database, intents[:_STUCK_MAX])
        refused = await list_refused(database)
    finally:
        await database.close()
    dead = await dead_letters(settings.broker.rabbitmq_url, "ledger", limit=_STUCK_MAX)
    print(msgspec.json.encode({"entries": entries, "dead": dead, "refused": refused}).decode())  # noqa: T201 - its output


async def verify(settings: Settings) -> None:
    """Recompute all of the books in one snapshot, and print what is wrong with them; ends with 1 when anything is."""
    size = max(CONNECTIONS, settings.database.database_pool_size)
    reading = msgspec.structs.replace(settings.database, database_pool_size=size)
    database = Database(reading, schema="ledger", application_name="ledger-verify")
    await database.open()
    try:
        report = await verifier_of(settings.proof, database, clock=SystemClock()).all()
    finally:
        await database.close()
    for finding in report.findings:
        print(f"{finding.invariant:26} {finding.tenant_id or '-':40} {finding.subject}: {finding.detail}")  # noqa: T201 - its output
    for chain, head in report.heads.items():
        print(f"chain {chain:2} ends in {head}")  # noqa: T201 - its output
    print(  # noqa: T201 - its output
        f"{report.entries:,} entries in {report.groups:,} groups and {report.changes:,} changes recomputed, "
        f"{len(report.findings)} findings"
    )
    if report.findings:
        raise SystemExit(1)


async def export(settings: Settings) -> None:
    """Write the books with all that proves them to standard output, for `just export-books`."""
    database = Database(
        msgspec.structs.replace(settings.database, database_timeout_seconds=TIMEOUT_SECONDS),
        schema="ledger",
        application_name="ledger-export",
    )
    await database.open()
    try:
        async for line in export_books(database):
            sys.stdout.buffer.write(line)
    finally:
        await database.close()


async def print_public_keys(settings: Settings) -> None:
    """Print the public keys of those that sign, in PEM, for whoever verifies an export."""
    print(write_public_keys(keys_of(settings.proof).signing()), end="")  # noqa: T201 - its output


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
