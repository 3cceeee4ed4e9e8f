"""What is decided about a statement: `recording` what it shows, and `reading` it page by page."""

from services.gateway.movements.commands.reading import StatementReading
from services.gateway.movements.commands.recording import StatementRecording

__all__ = ["StatementReading", "StatementRecording"]
