"""Identity providers of tenants: users log in there, and here they are who they are there (OpenID Connect)."""

from services.api.identity_providers.commands import IdentityProviders, ProviderSecrets
from services.api.identity_providers.domain import Attempt
from services.api.identity_providers.login import ATTEMPT_SECONDS, Begun, ProviderLogin
from services.api.identity_providers.provider import Provider
from services.api.identity_providers.workers import Resealer, identity_provider_workers

__all__ = [
    "ATTEMPT_SECONDS",
    "Attempt",
    "Begun",
    "IdentityProviders",
    "Provider",
    "ProviderLogin",
    "ProviderSecrets",
    "Resealer",
    "identity_provider_workers",
]
