"""What the ledger decides: `books` posts what happened and opens accounts."""

from services.ledger.commands.books import Commands

__all__ = ["Commands"]
