"""Discrepancies: what does not agree, once, whoever finds it and however often, and what people do about it."""

from services.gateway.reconciliation.discrepancies.commands import Seen, decide, note_seen
from services.gateway.reconciliation.discrepancies.consumers import DiscrepancyConsumers
from services.gateway.reconciliation.discrepancies.domain import Observation, first_seen
from services.gateway.reconciliation.discrepancies.sql import count_unsettled

__all__ = ["DiscrepancyConsumers", "Observation", "Seen", "count_unsettled", "decide", "first_seen", "note_seen"]
