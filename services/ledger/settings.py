"""What differs by place for the ledger."""

import msgspec

from libs.common.settings import BrokerSettings, DatabaseSettings, HttpSettings, PlaceSettings


class LedgerHttpSettings(HttpSettings, frozen=True, kw_only=True):
    """Where the ledger is asked about its health."""

    http_port: int = 8001
    """Port to listen on."""


class ReportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh reports are."""

    report_refresh_interval_minutes: int = 15
    """How old the report views may become before a process refreshes them."""
    report_refresh_timeout_seconds: float = 300.0
    """How long one refresh may take before it is given up; the views stay as they were."""


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How entries that people make get into the books."""

    proposal_lifetime_hours: int = 168
    """How long a proposal can be decided before it expires."""


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long is kept what is not the books themselves, which are kept for ever."""

    journal_request_retention_days: int = 0
    """How long the answer to a request that posted entries by hand is kept under its key; 0: for ever, else at least 90 days."""
    hold_retention_days: int = 0
    """How long a hold is kept after it was captured, voided or expired; 0: for ever, else at least 90 days. Its id is then free
    again."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the ledger reads from its environment."""

    place: PlaceSettings = PlaceSettings()
    """Which place this is."""
    database: DatabaseSettings = DatabaseSettings()
    """Where it remembers."""
    broker: BrokerSettings = BrokerSettings()
    """How it hears and speaks."""
    http: LedgerHttpSettings = LedgerHttpSettings()
    """Where it is asked."""
    reports: ReportSettings = ReportSettings()
    """How fresh reports are."""
    journal: JournalSettings = JournalSettings()
    """How entries that people make get into the books."""
    retention: RetentionSettings = RetentionSettings()
    """How long is kept what is not the books themselves."""


def check_settings(settings: Settings) -> list[str]:
    """Find settings that cannot be; one sentence each."""
    faults: list[str] = []
    if not 1 <= settings.reports.report_refresh_interval_minutes <= 1440:
        faults.append("REPORT_REFRESH_INTERVAL_MINUTES must be from 1 to 1440")
    if not 1 <= settings.reports.report_refresh_timeout_seconds <= 3600:
        faults.append("REPORT_REFRESH_TIMEOUT_SECONDS must be from 1 to 3600")
    if not 1 <= settings.journal.proposal_lifetime_hours <= 8760:
        faults.append("PROPOSAL_LIFETIME_HOURS must be from 1 to 8760")
    faults += [
        f"{name.upper()} must be 0 (for ever) or at least 90"
        for name in RetentionSettings.__struct_fields__
        if 0 != getattr(settings.retention, name) < 90
    ]
    return faults
