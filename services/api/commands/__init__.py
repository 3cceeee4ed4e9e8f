"""What the api decides: load and lock, ask the domain, save, say."""

from services.api.commands.features import switch_feature
from services.api.commands.payments import NewIntent, News, PaymentCommands, Render
from services.api.commands.tenants import provision
from services.api.commands.waiting import Answers

__all__ = ["Answers", "NewIntent", "News", "PaymentCommands", "Render", "provision", "switch_feature"]
