"""What is decided about accounts: `configs` through which one a tenant charges, `moving` whose a Stripe account is."""

from services.gateway.accounts.commands.configs import Configs
from services.gateway.accounts.commands.moving import move_account

__all__ = ["Configs", "move_account"]
