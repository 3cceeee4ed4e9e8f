"""Events of orders, from the orders service's exchange and from `payments.x`."""

from collections.abc import Callable, Sequence
from functools import partial

from libs.common.contracts import PUBLIC_EXCHANGE, foreign
from libs.common.contracts.foreign import ForeignMessage, Subscription
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from services.api.orders.commands import OrderRequest, Orders
from services.api.orders.reports import read_order
from services.api.settings import CancelPolicy, OrderSettings


def subscription(settings: OrderSettings) -> Subscription:
    """Return which events of orders are received, and where."""
    keys = [*settings.orders_routing_keys]
    if settings.orders_cancel_policy is not CancelPolicy.IGNORE:
        keys.append(foreign.ORDER_CANCELLED)
    bindings = [*((settings.orders_exchange, key) for key in keys), (PUBLIC_EXCHANGE, foreign.CHARGE_REQUESTED)]
    return Subscription(
        name=foreign.ORDERS.name,
        service=foreign.ORDERS.service,
        queue=settings.orders_queue,
        bindings=tuple(dict.fromkeys(bindings)),
        setting=foreign.ORDERS.setting,
    )


class OrderConsumers:
    """Handles events of orders."""

    def __init__(self, orders: Orders, settings: OrderSettings, *, currencies: frozenset[str]) -> None:
        self._orders = orders
        self._settings = settings
        self._read = partial(read_order, currencies=currencies)

    def register(self, bus: Bus) -> None:
        """Subscribe to orders, unless that is switched off."""
        if self._settings.orders_integration_enabled:
            bus.handle_foreign(subscription(self._settings), self.on_orders, read=self._read)

    async def on_orders(self, tx: Connection, events: Sequence[Received[ForeignMessage]]) -> Callable[[], None] | None:
        """Charge the orders that are to be charged, and release those that were cancelled."""
        requests = [OrderRequest(event=self._read(event.body), correlation=event.correlation) for event in events]
        return await self._orders.handle(tx, requests)
