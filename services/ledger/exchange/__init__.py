"""Exchange rates, conversions between currencies, and balances in one currency."""

from services.ledger.exchange.commands import ExchangeCommands
from services.ledger.exchange.consumers import ExchangeConsumers
from services.ledger.exchange.queries import ExchangeQueries, known_quote, rates_by_day

__all__ = ["ExchangeCommands", "ExchangeConsumers", "ExchangeQueries", "known_quote", "rates_by_day"]
