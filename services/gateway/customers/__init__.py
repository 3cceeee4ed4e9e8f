"""What processors keep of customers: who they are there, setups, and saved payment methods."""

from services.gateway.customers.commands import Saving
from services.gateway.customers.consumers import CustomerConsumers
from services.gateway.customers.domain import Chargeable
from services.gateway.customers.sql import chargeable
from services.gateway.customers.workers import customer_workers

__all__ = ["Chargeable", "CustomerConsumers", "Saving", "chargeable", "customer_workers"]
