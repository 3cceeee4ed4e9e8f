"""The routes of reconciliation."""

from services.api.reconciliation.routes.discrepancies import Discrepancies
from services.api.reconciliation.routes.periods import ReconciliationPeriods
from services.api.reconciliation.routes.runs import Runs

__all__ = ["Discrepancies", "ReconciliationPeriods", "Runs"]
