"""What the ledger decides.

`books` posts what happened and opens accounts, `journal` posts what people enter, `reports` keeps the report views fresh.
"""

from services.ledger.commands.books import Commands
from services.ledger.commands.journal import JournalCommands
from services.ledger.commands.reports import ReportCommands

__all__ = ["Commands", "JournalCommands", "ReportCommands"]
