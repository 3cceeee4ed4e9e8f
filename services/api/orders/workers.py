"""Payments of cancelled orders are looked at again, and orders that are over are forgotten, on a clock."""

from datetime import timedelta
from functools import partial

from libs.common.service import Worker
from services.api.orders.commands import Orders

_RELEASE_EVERY_SECONDS = 2.0
"""How often cancelled orders are looked for whose payments have not ended."""
_FORGET_EVERY_SECONDS = 3600.0
"""How often orders are looked for that are kept no longer."""


def order_workers(orders: Orders, *, kept_days: int) -> list[Worker]:
    """Build the workers of orders; 0 days: they are kept for ever."""
    workers = [Worker(name="release cancelled orders", every_seconds=_RELEASE_EVERY_SECONDS, run=orders.release_due)]
    if kept_days:
        forget = partial(orders.forget_old, kept=timedelta(days=kept_days))
        workers.append(Worker(name="forget old orders", every_seconds=_FORGET_EVERY_SECONDS, run=forget))
    return workers
