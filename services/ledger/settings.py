"""What differs by place for the ledger."""

import msgspec

from libs.common.settings import BrokerSettings, DatabaseSettings, HttpSettings, PlaceSettings


class LedgerHttpSettings(HttpSettings, frozen=True, kw_only=True):
    """Where the ledger is asked about its health."""

    http_port: int = 8001
    """Port to listen on."""


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
