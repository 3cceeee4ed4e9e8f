"""HoldCommands: amounts set aside, then captured, voided or left to expire."""

from services.ledger.holds.commands import HoldCommands
from services.ledger.holds.consumers import HoldConsumers
from services.ledger.holds.workers import hold_workers

__all__ = ["HoldCommands", "HoldConsumers", "hold_workers"]
