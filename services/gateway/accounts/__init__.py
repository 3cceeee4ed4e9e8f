"""The processor accounts of tenants, and through which of them a payment goes."""

from services.gateway.accounts.commands.configs import Configs
from services.gateway.accounts.commands.moving import move_account
from services.gateway.accounts.connect import ConnectedAccounts
from services.gateway.accounts.consumers import AccountConsumers
from services.gateway.accounts.domain import ProcessorKind, config_of
from services.gateway.accounts.guards import account_guards
from services.gateway.accounts.routing import place_processors
from services.gateway.accounts.secrets import KeyRing
from services.gateway.accounts.sql.owners import account_of, owns_account
from services.gateway.accounts.stripe_accounts import StripeAccounts
from services.gateway.accounts.workers import account_workers

__all__ = [
    "AccountConsumers",
    "Configs",
    "ConnectedAccounts",
    "KeyRing",
    "ProcessorKind",
    "StripeAccounts",
    "account_guards",
    "account_of",
    "account_workers",
    "config_of",
    "move_account",
    "owns_account",
    "place_processors",
]
