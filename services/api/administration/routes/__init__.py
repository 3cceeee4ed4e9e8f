"""Routes of tenants, users, roles and policies."""

from services.api.administration.routes.rules import Rules
from services.api.administration.routes.tenants import Tenants
from services.api.administration.routes.users import Users

__all__ = ["Rules", "Tenants", "Users"]
