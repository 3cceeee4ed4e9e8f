"""What carries runs out."""

from services.gateway.reconciliation.runs.commands.running import Reconciling, Schedule

__all__ = ["Reconciling", "Schedule"]
