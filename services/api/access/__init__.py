"""Who may do what, for which tenant: tokens, passwords, policies, and the admission that checks them all."""

from services.api.access.admission import Access
from services.api.access.commands import (
    provision,
    provision_within,
    require_enabled,
    require_operator_at_home,
    switch_feature,
)
from services.api.access.consumers import AccessConsumers
from services.api.access.directory import Directory
from services.api.access.domain import Account, Policy, Tenant, TenantOrigin, TenantStatus, refused_for
from services.api.access.features import EVERY_TENANT, FEATURES, FeatureKind, FlagState, enabled_of, states_of
from services.api.access.jwks import KeySet
from services.api.access.keys import unusable_keys
from services.api.access.login import Login, Session
from services.api.access.own_password import OwnPassword
from services.api.access.passwords import Passwords
from services.api.access.seeds import unsafe_seeds, write_seeds
from services.api.access.tokens import Tokens
from services.api.access.workers import READ_EVERY_SECONDS, access_workers, read_again

__all__ = [
    "EVERY_TENANT",
    "FEATURES",
    "READ_EVERY_SECONDS",
    "Access",
    "AccessConsumers",
    "Account",
    "Directory",
    "FeatureKind",
    "FlagState",
    "KeySet",
    "Login",
    "OwnPassword",
    "Passwords",
    "Policy",
    "Session",
    "Tenant",
    "TenantOrigin",
    "TenantStatus",
    "Tokens",
    "access_workers",
    "enabled_of",
    "provision",
    "provision_within",
    "read_again",
    "refused_for",
    "require_enabled",
    "require_operator_at_home",
    "states_of",
    "switch_feature",
    "unsafe_seeds",
    "unusable_keys",
    "write_seeds",
]
