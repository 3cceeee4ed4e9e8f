"""What is decided about entries that people make."""

from services.ledger.manual_entries.commands.journal import Journal

__all__ = ["Journal"]
