"""What matching does: steps of runs, and what people request."""

from services.gateway.reconciliation.matching.commands.looking import Matching
from services.gateway.reconciliation.matching.commands.requests import MatchingByHand
from services.gateway.reconciliation.matching.commands.steps import Look, Looked, Written

__all__ = ["Look", "Looked", "Matching", "MatchingByHand", "Written"]
