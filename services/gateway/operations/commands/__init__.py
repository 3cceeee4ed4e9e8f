"""What is decided about operations: `attempts` calls a processor, `reporting` reports what our records have of captures,
`resolving` records what an operator decides."""

from services.gateway.operations.commands.attempts import Commands
from services.gateway.operations.commands.reporting import report_captures
from services.gateway.operations.commands.resolving import Resolving

__all__ = ["Commands", "Resolving", "report_captures"]
