"""Payments of cancelled orders are looked at again, on a clock."""

from libs.common.service import Worker
from services.api.orders.commands import Orders

RELEASE_EVERY_SECONDS = 2.0
"""How often cancelled orders are looked for whose payments have not ended."""


def order_workers(orders: Orders) -> list[Worker]:
    """Build the workers of orders."""
    return [Worker(name="release cancelled orders", every_seconds=RELEASE_EVERY_SECONDS, run=orders.release_due)]
