"""The SQL of accounts: `configs` of tenants, `owners` of Stripe accounts, and which `circuits` are open."""

from services.gateway.accounts.sql.owners import Move

__all__ = ["Move"]
