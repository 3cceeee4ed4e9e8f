"""Holds: amounts set aside, then captured, voided or left to expire."""

from services.ledger.holds.commands import Holds
from services.ledger.holds.consumers import HoldConsumers
from services.ledger.holds.workers import EXPIRE_EVERY_SECONDS, FORGET_EVERY_SECONDS, Expirer, HoldArchivist

__all__ = ["EXPIRE_EVERY_SECONDS", "FORGET_EVERY_SECONDS", "Expirer", "HoldArchivist", "HoldConsumers", "Holds"]
