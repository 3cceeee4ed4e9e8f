"""What is decided about operations: `attempts` calls a processor, `reporting` reports what our records have of captures."""

from services.gateway.operations.commands.attempts import Commands
from services.gateway.operations.commands.reporting import report_captures

__all__ = ["Commands", "report_captures"]
