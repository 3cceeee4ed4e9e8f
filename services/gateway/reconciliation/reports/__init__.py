"""Reports: what an accountant reads of a window, from the opening of each account to what is still open."""

from services.gateway.reconciliation.reports.commands import forget_carried, make_report
from services.gateway.reconciliation.reports.domain import Books
from services.gateway.reconciliation.reports.sources import BookSources

__all__ = ["BookSources", "Books", "forget_carried", "make_report"]
