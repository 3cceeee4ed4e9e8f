"""What the ledger decides: `books` posts what happened and opens accounts, `roles` says which account plays which role."""

from services.ledger.commands.books import Commands
from services.ledger.commands.roles import RoleCommands

__all__ = ["Commands", "RoleCommands"]
