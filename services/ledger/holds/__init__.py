"""HoldCommands: amounts set aside, then captured, voided or left to expire."""

from services.ledger.holds.commands import HoldCommands
from services.ledger.holds.consumers import HoldConsumers
from services.ledger.holds.workers import EXPIRE_EVERY_SECONDS, FORGET_EVERY_SECONDS, Expirer, HoldArchivist

__all__ = ["EXPIRE_EVERY_SECONDS", "FORGET_EVERY_SECONDS", "Expirer", "HoldArchivist", "HoldCommands", "HoldConsumers"]
