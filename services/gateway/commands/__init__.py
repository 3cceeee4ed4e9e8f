"""What the gateway decides: `attempts` asks a processor, `notices` applies what a processor tells unasked,
`configs` says through which account a tenant charges, `reporting` tells what our records have."""

from services.gateway.commands.attempts import Commands
from services.gateway.commands.configs import Configs
from services.gateway.commands.notices import Notices
from services.gateway.commands.reporting import CaptureReports

__all__ = ["CaptureReports", "Commands", "Configs", "Notices"]
