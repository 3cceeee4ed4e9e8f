"""Repairs: what is safe to do about a discrepancy, and waiting for an entry that adjusts the books."""

from services.gateway.reconciliation.repairs.commands import Repairing
from services.gateway.reconciliation.repairs.consumers import RepairConsumers
from services.gateway.reconciliation.repairs.sources import Proposals
from services.gateway.reconciliation.repairs.workers import repair_workers

__all__ = ["Proposals", "RepairConsumers", "Repairing", "repair_workers"]
