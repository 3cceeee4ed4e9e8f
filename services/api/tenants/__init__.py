"""Tenants as the suite publishes them: created, updated and deleted by its events."""

from services.api.tenants.consumers import TenantConsumers, subscription

__all__ = ["TenantConsumers", "subscription"]
