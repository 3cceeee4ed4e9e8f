"""The posting rules: what each business event of payments and payouts, and each conversion, debits and credits."""

from services.ledger.posting_rules.commands import PaymentCommands, RoleCommands
from services.ledger.posting_rules.consumers import PaymentConsumers, RoleConsumers
from services.ledger.posting_rules.domain import Conversion, conversion_entries, page

__all__ = [
    "Conversion",
    "PaymentCommands",
    "PaymentConsumers",
    "RoleCommands",
    "RoleConsumers",
    "conversion_entries",
    "page",
]
