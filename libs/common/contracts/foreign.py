"""What other teams publish in their own form, on exchanges of their own: the suite's tenants, and the orders service.

These are no contracts of ours: nobody there takes one of them for a promise, so they stand beside the registry. Each subscription has a
queue of ours, and its messages are read leniently, where they are handled. The structs below say what the partners send today;
they are the documentation, and nothing is decoded with them.
"""

from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.base import PUBLIC_EXCHANGE, Message


class ForeignMessage(Message, frozen=True, kw_only=True):
    """A message of another team, as it came."""

    exchange: str
    """The exchange to which it was published."""
    routing_key: str
    """With which routing key."""
    message_id: str = ""
    """As its sender named it, if it did."""
    sent_at: float = 0
    """The AMQP property `timestamp`, in seconds since 1970; 0 where it has none."""
    correlation_id: str = ""
    """The header `X-Correlation-Id`, if there is one."""
    content: str
    """The body."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One form in which a partner sends something."""

    exchange: str
    routing_key: str
    content_type: str
    body: type[msgspec.Struct]
    """Its members."""
    example: dict[str, Any]
    """One body, as it was captured."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What one service of ours receives of another team."""

    name: str
    """What it is called in metrics and dead letters: `orders`."""
    service: str
    """The service that handles it."""
    queue: str
    """The queue, which that service owns, with its dead letters in `<queue>.dead`."""
    bindings: tuple[tuple[str, str], ...]
    """(exchange, routing key) pairs; the exchanges are the other team's, topic and durable."""
    setting: str
    """The setting that names the queue."""
    forms: tuple[Form, ...] = ()
    """What comes."""


class OrderBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order: flat in camelCase, flat in snake_case, or in the member `payload` of an envelope."""

    orderId: str  # noqa: N815 - the partner's name
    """The order; 1 to 128 characters."""
    tenantId: str  # noqa: N815
    """The tenant; 1 to 64 visible characters."""
    correlationId: str = ""  # noqa: N815
    """Ties it to its cause."""


class ChargeBody(OrderBody, frozen=True, kw_only=True, omit_defaults=True):
    """An order that is to be charged."""

    totalAmount: float | str  # noqa: N815
    """The amount, in major units."""
    currency: str = "BRL"
    """ISO 4217 code, upper case."""
    customerId: str = ""  # noqa: N815
    """The customer; `customerRef` counts before it."""
    items: list[Any] = []
    """Not read."""


class TenantBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tenant, flat; `tenantId` and `tenantName` are read too."""

    tenant_id: str
    """1 to 64 visible characters."""
    name: str = ""
    """Its name, for people."""
    plan: str = ""
    """`free`, `starter`, `pro`, `enterprise` or another one."""
    region: str = ""
    """Any region."""
    status: str = ""
    """`ACTIVE`, `SUSPENDED` or `DELETED`."""


class TenantPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the suite says of a tenant: only what it says changes."""

    name: str = ""
    """Its name, for people."""
    plan: str = ""
    """Its plan."""
    region: str = ""
    """Its region, on creation."""


class TenantEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant, as the suite's outbox sends it."""

    id: UUID
    """Identifies the event."""
    aggregateType: str  # noqa: N815
    """Always `TENANT`."""
    aggregateId: str  # noqa: N815
    """The tenant."""
    eventType: str  # noqa: N815
    """`tenant.created`, `tenant.updated` or `tenant.deleted`."""
    payload: TenantPayload
    """What has changed."""
    createdAt: str  # noqa: N815
    """When; of two that contradict each other the later one counts."""


ORDERS_EXCHANGE = "orders.x"
"""Where the orders service publishes what does not begin with `payment.`; that goes to `payments.x`."""
CHARGE_REQUESTED, ORDER_CONFIRMED, ORDER_CANCELLED = "payment.charge_requested", "order.confirmed", "order.cancelled"
ORDER_KEYS = (CHARGE_REQUESTED, ORDER_CONFIRMED, ORDER_CANCELLED)
SAAS_EXCHANGE, SUITE_EXCHANGE = "saas.x", "saas.events"
"""Where tenants are published: flat to the first, by the suite's own outbox to the second."""
SUITE_TENANTS = "saas.TENANT.tenant.*"
"""The routing keys of tenants at the suite's exchange."""
TENANT_KEYS = ("tenant.created", "tenant.updated", "tenant.deleted")

_ORDER = {
    "orderId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "tenantId": "00000000-0000-0000-0000-000000000002",
    "correlationId": "0f6fd3d2-2f0e-4c0e-9a53-6a2a0d9a7d11",
}
_CHARGE = _ORDER | {
    "customerId": "buyer@example.com",
    "items": [{"sku": "ELET-003", "qty": 2, "price": 489.9}],
    "totalAmount": 979.8,
    "currency": "BRL",
}
_FLAT = {"tenant_id": "t_new", "name": "New Tenant", "plan": "enterprise", "region": "region-b"}
_ENVELOPE = {
    "id": "7f3c2d52-7b6f-4b3e-8c49-0a7c9b2c1d11",
    "aggregateType": "TENANT",
    "aggregateId": "9b2f6a0e-2b4d-4c64-9f6c-2a1c3f6d7e55",
    "createdAt": "2026-02-28T16:10:51.123456Z",
}
_STATED = {
    "tenant.created": {"name": "Acme Corp", "plan": "pro", "region": "us-east-1"},
    "tenant.updated": {"name": "Acme Corp", "plan": "enterprise"},
    "tenant.deleted": {"name": "Acme Corp", "plan": "pro"},
}


def _json(exchange: str, routing_key: str, body: type[msgspec.Struct], example: dict[str, Any]) -> Form:
    return Form(exchange=exchange, routing_key=routing_key, content_type="application/json", body=body, example=example)


TENANTS = Subscription(
    name="tenants",
    service="api",
    queue="payments.saas.events",
    bindings=(*((SAAS_EXCHANGE, key) for key in TENANT_KEYS), (SUITE_EXCHANGE, SUITE_TENANTS)),
    setting="SAAS_QUEUE",
    forms=(
        *(_json(SAAS_EXCHANGE, key, TenantBody, _FLAT) for key in TENANT_KEYS),
        *(
            Form(
                exchange=SUITE_EXCHANGE,
                routing_key=f"saas.TENANT.{key}",
                content_type="text/plain",
                body=TenantEnvelope,
                example=_ENVELOPE | {"eventType": key, "payload": _STATED[key]},
            )
            for key in TENANT_KEYS
        ),
    ),
)
"""Tenants of the suite, as settings leave them."""

ORDERS = Subscription(
    name="orders",
    service="api",
    queue="payments.orders.events",
    bindings=(*((ORDERS_EXCHANGE, key) for key in ORDER_KEYS), (PUBLIC_EXCHANGE, CHARGE_REQUESTED)),
    setting="ORDERS_QUEUE",
    forms=(
        _json(PUBLIC_EXCHANGE, CHARGE_REQUESTED, ChargeBody, _CHARGE),
        _json(ORDERS_EXCHANGE, CHARGE_REQUESTED, ChargeBody, _CHARGE),
        _json(ORDERS_EXCHANGE, ORDER_CONFIRMED, ChargeBody, _CHARGE),
        _json(ORDERS_EXCHANGE, ORDER_CANCELLED, OrderBody, _ORDER),
    ),
)
"""Orders that are to be charged, or no longer, as settings leave them."""

SUBSCRIPTIONS: tuple[Subscription, ...] = (TENANTS, ORDERS)
"""Every subscription to other teams' messages, as settings leave it."""
FORMS: tuple[Form, ...] = tuple(form for each in SUBSCRIPTIONS for form in each.forms)
"""Everything that they send."""


def subscriptions_of(service: str) -> list[Subscription]:
    """Every subscription of one service, as settings leave it."""
    return [each for each in SUBSCRIPTIONS if each.service == service]


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """Another team: what it publishes that we handle, and what of ours it handles."""

    name: str
    """What it is called: its pacts, and its user at RabbitMQ."""
    prefix: str
    """With which the names of its own exchanges and queues begin, followed by a dot."""
    publishes: tuple[tuple[str, str], ...]
    """(exchange, routing key) pairs of what we handle."""
    handles: tuple[str, ...] = ()
    """The names of the public events that it handles."""
    queues: tuple[tuple[str, str], ...] = ()
    """Its own queues, each with the one of its dead letters, to which the default exchange leads."""

    @property
    def forms(self) -> list[Form]:
        """What it publishes, form by form."""
        return [form for form in FORMS if (form.exchange, form.routing_key) in self.publishes]


PARTNERS: tuple[Partner, ...] = (
    Partner(
        name="orders",
        prefix="orders",
        publishes=tuple((form.exchange, form.routing_key) for form in ORDERS.forms),
        handles=("payment.settled",),
        queues=(("orders.events", "orders.dlq"), ("orders.payments", "orders.payments.dlq")),
    ),
    Partner(
        name="tenants",
        prefix="saas",
        publishes=tuple((form.exchange, form.routing_key) for form in TENANTS.forms),
    ),
)
"""Every team that publishes what we handle, or handles what we publish on `payments.x`."""
