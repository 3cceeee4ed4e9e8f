"""What the gateway decides: `attempts` asks a processor, `notices` applies what a processor tells unasked,
`configs` says through which account a tenant charges."""

from services.gateway.commands.attempts import Commands
from services.gateway.commands.configs import Configs
from services.gateway.commands.notices import Notices

__all__ = ["Commands", "Configs", "Notices"]
