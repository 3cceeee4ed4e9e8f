"""What the ledger decides.

`books` posts what happened and opens accounts, `roles` says which account plays which role, `exchange` records rates and
exchanges money, `journal` posts what people enter, `reports` keeps the report views fresh.
"""

from services.ledger.commands.books import Commands
from services.ledger.commands.exchange import ExchangeCommands
from services.ledger.commands.journal import JournalCommands
from services.ledger.commands.reports import ReportCommands
from services.ledger.commands.roles import RoleCommands

__all__ = ["Commands", "ExchangeCommands", "JournalCommands", "ReportCommands", "RoleCommands"]
