"""What the ledger decides.

`books` posts what happened and opens accounts, `roles` says which account plays which role, `exchange` records rates and
exchanges money.
"""

from services.ledger.commands.books import Commands
from services.ledger.commands.exchange import ExchangeCommands
from services.ledger.commands.roles import RoleCommands

__all__ = ["Commands", "ExchangeCommands", "RoleCommands"]
