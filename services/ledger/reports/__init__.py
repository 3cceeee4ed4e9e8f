"""Reports: revenue and balances from views with a known age; trial balance, statement and journal from the books."""

from services.ledger.reports.commands import ReportCommands
from services.ledger.reports.consumers import ReportConsumers
from services.ledger.reports.queries import ReportQueries

__all__ = ["ReportCommands", "ReportConsumers", "ReportQueries"]
