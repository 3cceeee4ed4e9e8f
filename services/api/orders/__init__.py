"""Orders of the orders service: charged exactly once each, and released when they are cancelled."""

from services.api.orders.commands import Orders
from services.api.orders.consumers import OrderConsumers, subscription
from services.api.orders.workers import order_workers

__all__ = ["OrderConsumers", "Orders", "order_workers", "subscription"]
