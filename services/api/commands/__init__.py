"""What the api decides: load and lock, ask the domain, save, say.

`payments` creates and confirms, `operations` captures, voids and refunds, `outcomes` hears how things ended; `features`
switches what tenants may use; `sweeping` publishes again what payments wait for too long.
"""

from services.api.commands.features import switch_feature
from services.api.commands.operations import Caller, Operations
from services.api.commands.outcomes import Known, News, Outcomes, Render, RenderRefund
from services.api.commands.payments import NewIntent, PaymentCommands
from services.api.commands.sweeping import Sweeper
from services.api.commands.tenants import provision
from services.api.commands.waiting import Answers

__all__ = [
    "Answers",
    "Caller",
    "Known",
    "NewIntent",
    "News",
    "Operations",
    "Outcomes",
    "PaymentCommands",
    "Render",
    "RenderRefund",
    "Sweeper",
    "provision",
    "switch_feature",
]
