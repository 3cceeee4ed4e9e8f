"""What the gateway decides: `attempts` asks a processor, `notices` applies what a processor tells unasked."""

from services.gateway.commands.attempts import Commands
from services.gateway.commands.notices import Notices

__all__ = ["Commands", "Notices"]
