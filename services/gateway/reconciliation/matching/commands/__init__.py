"""What matching does: steps of runs, and what people request."""

from services.gateway.reconciliation.matching.commands.looking import Look, Looked, Matching, Written
from services.gateway.reconciliation.matching.commands.requests import MatchingByHand

__all__ = ["Look", "Looked", "Matching", "MatchingByHand", "Written"]
