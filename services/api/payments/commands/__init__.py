"""What the api decides about payments: load and lock, ask the domain, save, publish.

`intents` creates and confirms, `operations` captures, voids and refunds, `outcomes` records how things ended; `sweeping`
publishes again what payments wait for too long, `abandoning` cancels what waits for a customer too long.
"""

from services.api.payments.commands.abandoning import Abandoner
from services.api.payments.commands.intents import NewIntent, PaymentCommands
from services.api.payments.commands.operations import Caller, Operations
from services.api.payments.commands.outcomes import Outcomes, Render, RenderRefund
from services.api.payments.commands.sweeping import Sweeper
from services.api.payments.commands.waiting import Answers

__all__ = [
    "Abandoner",
    "Answers",
    "Caller",
    "NewIntent",
    "Operations",
    "Outcomes",
    "PaymentCommands",
    "Render",
    "RenderRefund",
    "Sweeper",
]
