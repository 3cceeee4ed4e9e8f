"""Reading what the orders service publishes: flat in camelCase or snake_case, or in the `payload` of an envelope."""

from typing import Any

from libs.common.cards import has_card_number
from libs.common.contracts.foreign import CHARGE_REQUESTED, ORDER_CANCELLED, ORDER_CONFIRMED, ForeignMessage
from libs.common.errors import Invalid
from libs.common.messaging.loose import Loose
from libs.common.money import UnsupportedCurrency, parse_amount
from services.api.orders.domain import OrderEvent, OrderEventKind
from services.api.tenants.reports import tenant_id_of

_TEXT_MAX = 128
_DEFAULT_CURRENCY = "BRL"
"""Of a charge that names no currency: the reference system's own default, and what the orders service always writes."""
_KINDS = {
    CHARGE_REQUESTED: OrderEventKind.CHARGE,
    ORDER_CONFIRMED: OrderEventKind.CHARGE,
    ORDER_CANCELLED: OrderEventKind.CANCEL,
}


def read_order(message: ForeignMessage, *, currencies: frozenset[str]) -> OrderEvent:
    """Read an event of an order; `currencies` are accepted, all of them where it is empty.

    Raises:
        Undecodable: when the body is no JSON object.
        Invalid: when it requests something impossible.
    """
    kind = _KINDS.get(message.routing_key, OrderEventKind.OTHER)
    if kind is OrderEventKind.OTHER:
        return OrderEvent(kind=kind)
    members = Loose(message.content)
    tenant_id = tenant_id_of(members, "tenant_id", "tenantId")
    order_id = members.text("order_id", "orderId", longest=_TEXT_MAX)
    if not order_id:
        raise Invalid("order_id is missing")
    common: dict[str, Any] = {
        "tenant_id": tenant_id,
        "order_id": order_id,
        "occurred_at": members.instant("occurred_at", "occurredAt", "createdAt", "timestamp"),
        "message_id": members.text("event_id", "eventId", "message_id", "messageId", longest=_TEXT_MAX),
        "correlation_id": members.text("correlation_id", "correlationId", longest=200),
    }
    if kind is OrderEventKind.CANCEL:
        return OrderEvent(kind=kind, **common)
    currency = members.text("currency", longest=_TEXT_MAX) if members.has("currency") else _DEFAULT_CURRENCY
    amount_minor = parse_amount(members.amount("total_amount", "totalAmount", "amount"), currency)
    if currencies and currency not in currencies:
        raise UnsupportedCurrency("unsupported currency")
    return OrderEvent(
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        customer_ref=_customer_ref(members, order_id),
        **common,
    )


def _customer_ref(members: Loose, order_id: str) -> str:
    found = members.text("customer_ref", "customerRef", "customer_id", "customerId", longest=_TEXT_MAX)
    if has_card_number(found):
        raise Invalid("customer_ref has the number of a card in it")
    return found or f"order:{order_id}"[:_TEXT_MAX]
