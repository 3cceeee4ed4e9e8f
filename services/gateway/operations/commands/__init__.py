"""What is decided about operations: `attempts` calls a processor, `reporting` reports what our records have of captures,
`resolving` records what an operator decides, `restoring` which time a restored database has lost."""

from services.gateway.operations.commands.attempts import Commands
from services.gateway.operations.commands.reporting import report_captures
from services.gateway.operations.commands.resolving import Resolving
from services.gateway.operations.commands.restoring import Restoring, restored

__all__ = ["Commands", "Resolving", "Restoring", "report_captures", "restored"]
