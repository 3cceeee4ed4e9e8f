"""Discrepancies: what does not agree, once, whoever finds it and however often, and what people do about it."""

from services.gateway.reconciliation.discrepancies.commands import Seen, decide, note_repair, note_seen
from services.gateway.reconciliation.discrepancies.consumers import DiscrepancyConsumers
from services.gateway.reconciliation.discrepancies.domain import ADJUSTED, BY_RUN, Observation, first_seen
from services.gateway.reconciliation.discrepancies.sql import count_unsettled, locked

__all__ = [
    "ADJUSTED",
    "BY_RUN",
    "DiscrepancyConsumers",
    "Observation",
    "Seen",
    "count_unsettled",
    "decide",
    "first_seen",
    "locked",
    "note_repair",
    "note_seen",
]
