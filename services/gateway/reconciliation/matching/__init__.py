"""Matching: lines of statements belong to payouts and movements, by rules of their source or by hand."""

from services.gateway.reconciliation.matching.commands import Look, Looked, Matching, MatchingByHand, Written
from services.gateway.reconciliation.matching.consumers import MatchingConsumers
from services.gateway.reconciliation.matching.domain import Patience

__all__ = ["Look", "Looked", "Matching", "MatchingByHand", "MatchingConsumers", "Patience", "Written"]
