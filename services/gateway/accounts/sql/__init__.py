"""The SQL of accounts: `configs` of tenants, `owners` of Stripe accounts, and which `circuits` are open."""

from services.gateway.accounts.sql.configs import ConfigStore
from services.gateway.accounts.sql.owners import AccountStore, Move

__all__ = ["AccountStore", "ConfigStore", "Move"]
