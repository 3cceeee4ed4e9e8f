"""What differs by place for the ledger."""

from typing import Annotated

import msgspec

from libs.common.setting_values import Lines, Port, between
from libs.common.settings import BrokerSettings, DatabaseSettings, HttpSettings, PlaceSettings, TracingSettings


class LedgerHttpSettings(HttpSettings, frozen=True, kw_only=True):
    """Where the ledger is queried for its health."""

    http_port: Port = 8001
    """Port to listen on."""


class ReportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh reports are."""

    report_refresh_interval_minutes: Annotated[int, between(1, 1440)] = 15
    """How old the report views may become before a process refreshes them."""
    report_refresh_timeout_seconds: Annotated[float, between(1, 3600)] = 300.0
    """How long one refresh may take before it is cancelled; the views stay as they were."""


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How entries that people make get into the books."""

    proposal_lifetime_hours: Annotated[int, between(1, 8760)] = 168
    """How long a proposal, of entries or of a policy, can be decided before it expires."""


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How money is exchanged in the books."""

    conversion_band_percent: Annotated[int, between(1, 1000)] = 10
    """How far what a conversion has received may be from its worth at the known rate; further off it is refused.

    A processor's own exchange that is further off is booked, and an alarm."""


class ProofSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How it is proved that the books are as they were written."""

    ledger_signing_private_key: Lines = ""
    """PEM of the Ed25519 key that signs where the chains end, once a minute; empty: nothing is signed."""
    ledger_signing_next_private_key: Lines = ""
    """PEM of the key that signs beside it while rotating."""
    ledger_public_keys: Lines = ""
    """PEM of further public keys that verify what was signed, one after another."""
    ledger_heads_file: str = ""
    """The file to which what was signed is appended, best where the database's administrators cannot write; empty: none."""


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long is kept what is not the books themselves, which are kept for ever."""

    journal_request_retention_days: Annotated[int, between(0, 36_500)] = 0
    """How long the answer to a request that posted entries by hand is kept under its key; 0: for ever, else at least 90 days."""
    hold_retention_days: Annotated[int, between(0, 36_500)] = 0
    """How long a hold is kept after it was captured, voided or expired; 0: for ever, else at least 90 days. Its id is then free
    again."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the ledger reads from its environment."""

    place: PlaceSettings = PlaceSettings()
    """Which place this is."""
    database: DatabaseSettings = DatabaseSettings()
    """Where it remembers."""
    broker: BrokerSettings = BrokerSettings()
    """How it exchanges messages."""
    tracing: TracingSettings = TracingSettings()
    """Where spans of traces go."""
    http: LedgerHttpSettings = LedgerHttpSettings()
    """Where it is checked."""
    reports: ReportSettings = ReportSettings()
    """How fresh reports are."""
    journal: JournalSettings = JournalSettings()
    """How entries that people make get into the books."""
    exchange: ExchangeSettings = ExchangeSettings()
    """How money is exchanged in the books."""
    proof: ProofSettings = ProofSettings()
    """How it is proved that the books are as they were written."""
    retention: RetentionSettings = RetentionSettings()
    """How long is kept what is not the books themselves."""


def check_settings(settings: Settings) -> list[str]:
    """Find settings that cannot be; one sentence each."""
    return [
        f"{name.upper()} must be 0 (for ever) or at least 90"
        for name in RetentionSettings.__struct_fields__
        if 0 != getattr(settings.retention, name) < 90
    ]
