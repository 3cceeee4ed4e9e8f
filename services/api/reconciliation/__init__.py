"""Reconciliation: REST for runs and discrepancies, which the gateway owns, and what is announced of them."""

from services.api.reconciliation.consumers import ReconciliationConsumers

__all__ = ["ReconciliationConsumers"]
