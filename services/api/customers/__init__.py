"""Customers of a tenant: who pays more than once, and what the merchant calls them."""

from services.api.customers import queries
from services.api.customers.commands import Customers
from services.api.customers.domain import Customer

__all__ = ["Customer", "Customers", "queries"]
