"""The SQL of accounts: `configs` of tenants, and `owners` of Stripe accounts."""

from services.gateway.accounts.sql.configs import ConfigStore
from services.gateway.accounts.sql.owners import AccountStore, Move

__all__ = ["AccountStore", "ConfigStore", "Move"]
