"""Payment intents: created, confirmed, captured, voided, refunded and disputed; and what waits too long."""

from services.api.payments.commands import Abandoner, Answers, Operations, Outcomes, PaymentCommands, Sweeper
from services.api.payments.consumers import FactConsumers, PaymentConsumers
from services.api.payments.queries import Activity, Totals, references
from services.api.payments.sql.sweeps import stuck
from services.api.payments.sql.versions import versions
from services.api.payments.workers import payment_workers

__all__ = [
    "Abandoner",
    "Activity",
    "Answers",
    "FactConsumers",
    "Operations",
    "Outcomes",
    "PaymentCommands",
    "PaymentConsumers",
    "Sweeper",
    "Totals",
    "payment_workers",
    "references",
    "stuck",
    "versions",
]
