"""Tenants, users, roles and policies are administered."""

from services.api.administration.commands import Administration

__all__ = ["Administration"]
