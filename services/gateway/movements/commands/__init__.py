"""What is decided about a statement: `recording` what it shows, `reading` it page by page, `resending`."""

from services.gateway.movements.commands.reading import StatementReading
from services.gateway.movements.commands.recording import StatementRecording
from services.gateway.movements.commands.resending import resend

__all__ = ["StatementReading", "StatementRecording", "resend"]
