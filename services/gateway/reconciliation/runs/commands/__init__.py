"""What carries runs out."""

from services.gateway.reconciliation.runs.commands.running import Reconciling
from services.gateway.reconciliation.runs.commands.schedule import Schedule

__all__ = ["Reconciling", "Schedule"]
