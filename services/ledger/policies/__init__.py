"""Policies: what a tenant lets nobody do alone in its books, and how that is changed by two people."""

from services.ledger.policies.commands import Policies
from services.ledger.policies.consumers import PolicyConsumers
from services.ledger.policies.queries import PolicyQueries, needs_approval

__all__ = ["Policies", "PolicyConsumers", "PolicyQueries", "needs_approval"]
