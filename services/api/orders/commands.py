"""Orders are charged, and released when they are cancelled.

The row of an order is held by whoever decides about it, so that of any number of requests one creates the payment, and that a
cancellation and a charge never miss each other: a charge that comes after the cancellation is not carried out. A cancellation
ends only when its payment has: it is looked at again until the processor has answered.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from libs.common.ids import new_id
from libs.common.messaging import Publication
from libs.common.money import format_minor
from libs.common.observability.correlation import Correlation, new_correlation_id
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.access import Tenant, TenantOrigin, TenantStatus, provision_within, refused_for
from services.api.audit import AuditRecord, write_lines
from services.api.errors import TenantNotYet
from services.api.orders import sql
from services.api.orders.domain import OrderEvent, OrderEventKind, Step, next_look, next_step
from services.api.orders.sql import Order
from services.api.payments import domain
from services.api.payments.commands import NewIntent
from services.api.payments.commands.intents import intent_of_request
from services.api.payments.commands.publications import publications_of
from services.api.payments.commands.records import audit_of, events_of
from services.api.payments.domain import Decision, Fact, PaymentIntent, TimelineEvent
from services.api.payments.sql import intents as stored
from services.api.payments.sql import orders as collected
from services.api.payments.sql import refunds
from services.api.payments.sql.orders import Collecting
from services.api.settings import CancelPolicy
from services.api.tenants.domain import PLAN, REGION

log = get_logger("api.orders")

_ACTOR = "orders"
_DUE_MAX = 200
"""Cancelled orders that one transaction looks at, at most."""
_FORGET_MAX = 2_000
"""Orders that one statement deletes, at most."""
_REASON = "order_cancelled"


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an order, and what it belongs to."""

    event: OrderEvent
    correlation: Correlation


class Orders:
    """Charges and releases orders."""

    def __init__(self, database: Database, *, clock: Clock, policy: CancelPolicy, auto_provision: bool) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._auto_provision = auto_provision

    async def handle(self, tx: Connection, requests: Sequence[OrderRequest]) -> Callable[[], None] | None:
        """Charge and cancel orders, in the caller's transaction; returns what counts them afterwards.

        Raises:
            TenantNotYet: when a tenant is not known, and tenants are not made known by their orders.
            TenantRefused: when a tenant is suspended or deleted, and an order of it is to be charged.
        """
        concerned = [request for request in requests if request.event.kind is not OrderEventKind.OTHER]
        if not concerned:
            return None
        now = self._clock.now()
        await self._admit(tx, concerned, at=now)
        keys = list(dict.fromkeys(request.event.key for request in concerned))
        held = await sql.lock(tx, keys, at=now)
        orders = dict(held)
        payments = await collected.of_orders(tx, keys)
        for key, payment in payments.items():
            orders[key] = msgspec.structs.replace(orders[key], payment_intent_id=payment.id)
        written = _Written(payments)
        for request in concerned:
            order = orders[request.event.key]
            orders[order.key] = self._decide(order, request, written, at=now)
        if written.intents:
            await collected.create(tx, written.intents, publications=written.publications, events=written.timeline)
        causes = {request.event.key: request.correlation for request in concerned}
        after = await self._release(tx, [orders[key] for key in keys], causes=causes, at=now)
        # The second request of an order changes nothing, and each order has two.
        if changed := [order for order in after if order != held[order.key]]:
            await sql.save(tx, changed)
        if written.audit:
            await write_lines(tx, written.audit)
        return written.count

    async def release_due(self) -> None:
        """Look again at the payments of orders that were cancelled, a bounded number in each transaction."""
        while await self._release_some() == _DUE_MAX:
            pass

    async def forget_old(self, *, kept: timedelta) -> None:
        """Delete orders that are over for longer than they are kept, a bounded number at a time."""
        before = self._clock.now() - kept
        while await sql.forget(self._database, before=before, limit=_FORGET_MAX) == _FORGET_MAX:
            pass

    async def _release_some(self) -> int:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            orders = await sql.due(tx, at=now, limit=_DUE_MAX)
            if orders:
                await sql.save(tx, await self._release(tx, orders, causes={}, at=now))
        return len(orders)

    async def _admit(self, tx: Connection, requests: Sequence[OrderRequest], *, at: datetime) -> None:
        charging = [request for request in requests if request.event.kind is OrderEventKind.CHARGE]
        statuses = await sql.statuses(tx, sorted({request.event.tenant_id for request in charging}))
        unknown: dict[str, OrderRequest] = {}
        for request in charging:
            status = statuses.get(request.event.tenant_id)
            if status is None:
                unknown.setdefault(request.event.tenant_id, request)
            elif status is not TenantStatus.ACTIVE:
                raise refused_for(status)
        if unknown and not self._auto_provision:
            raise TenantNotYet(f"the tenant {min(unknown)} is not known")
        for tenant_id, request in sorted(unknown.items()):
            met = Tenant(id=tenant_id, name=tenant_id, plan=PLAN, region=REGION, origin=TenantOrigin.TOKEN)
            await provision_within(tx, met, at=at, correlation=request.correlation)

    def _decide(self, order: Order, request: OrderRequest, written: "_Written", *, at: datetime) -> Order:
        event = request.event
        if event.kind is OrderEventKind.CANCEL:
            if self._policy is CancelPolicy.IGNORE or order.cancelled_at is not None:
                return order
            written.audit.append(_audit(order, "order.cancelled", request.correlation, at=at))
            due_at = None if order.payment_intent_id is None else at
            return msgspec.structs.replace(order, cancelled_at=at, due_at=due_at)
        if order.cancelled_at is not None:
            log.info("order.not_charged", order_id=order.order_id, reason="cancelled")
            return order
        if order.payment_intent_id is not None:
            written.compare(order, request, at=at)
            return order
        intent = written.charge(event, request.correlation, at=at)
        return msgspec.structs.replace(order, payment_intent_id=intent.id)

    async def _release(
        self, tx: Connection, orders: Sequence[Order], *, causes: dict[tuple[str, str], Correlation], at: datetime
    ) -> list[Order]:
        """Do the next step for each payment whose order was cancelled; returns the orders as they are then."""
        ids = [(o.tenant_id, o.payment_intent_id) for o in orders if o.due_at is not None and o.payment_intent_id]
        found = await stored.lock(tx, ids) if ids else {}
        after: list[Order] = []
        decisions: list[tuple[Decision, Correlation, Step]] = []
        for order in orders:
            if order.due_at is None or order.payment_intent_id is None:
                after.append(order)
                continue
            intent = found.get((order.tenant_id, order.payment_intent_id))
            step = Step.DONE if intent is None else next_step(intent, self._policy)
            if intent is not None and step in (Step.VOID, Step.REFUND):
                cause = causes.get(order.key) or Correlation(
                    correlation_id=new_correlation_id(), tenant_id=order.tenant_id
                )
                decisions.append((_step(intent, step, at=at), cause, step))
            due_at = next_look(order.cancelled_at or at, at=at, step=step)
            after.append(msgspec.structs.replace(order, due_at=due_at))
        if decisions:
            await _save(tx, decisions, at=at)
        return after


def _step(intent: PaymentIntent, step: Step, *, at: datetime) -> Decision:
    if step is Step.VOID:
        return domain.request_void(intent, at=at)
    return domain.request_refund(intent, refund_id=new_id(at), amount_minor=None, reason=_REASON, at=at)


async def _save(tx: Connection, decisions: Sequence[tuple[Decision, Correlation, Step]], *, at: datetime) -> None:
    publications: list[Publication] = []
    timeline: list[TimelineEvent] = []
    for decision, cause, _ in decisions:
        published = publications_of(decision, at=at, correlation=cause)
        publications += published
        timeline += events_of(decision.intent, published, actor=_ACTOR, cause_id=None)
    await stored.save(
        tx,
        [decision.intent for decision, _, _ in decisions],
        answers=[],
        publications=publications,
        events=timeline,
        at=at,
    )
    requested = [decision.refund for decision, _, _ in decisions if decision.refund is not None]
    if requested:
        await refunds.save_refunds(tx, requested)
    await write_lines(
        tx,
        [
            audit_of(decision.intent, f"payment_intent.{step}", actor=_ACTOR, correlation=cause, at=at)
            for decision, cause, step in decisions
        ],
    )


class _Written:
    """What is written for the orders of one transaction that are charged."""

    def __init__(self, payments: Mapping[tuple[str, str], Collecting]) -> None:
        self._payments = dict(payments)
        self._contradicted = 0
        self.intents: list[PaymentIntent] = []
        self.publications: list[Publication] = []
        self.timeline: list[TimelineEvent] = []
        self.audit: list[AuditRecord] = []

    def charge(self, event: OrderEvent, correlation: Correlation, *, at: datetime) -> PaymentIntent:
        """Create a payment of an order and request its authorization."""
        new = NewIntent(
            amount_minor=event.amount_minor,
            currency=event.currency,
            customer_ref=event.customer_ref,
            description=None,
            metadata={},
        )
        created = intent_of_request(new, tenant_id=event.tenant_id, intent_id=new_id(at), at=at)
        created = msgspec.structs.replace(created, order_id=event.order_id)
        confirmed = domain.confirm(created, at=at)
        for decision in (Decision(created, (Fact.CREATED,)), confirmed):
            published = publications_of(decision, at=at, correlation=correlation)
            self.publications += published
            self.timeline += events_of(decision.intent, published, actor=_ACTOR, cause_id=None)
        self.intents.append(confirmed.intent)
        self._payments[event.key] = Collecting(
            tenant_id=event.tenant_id,
            order_id=event.order_id,
            id=created.id,
            amount_minor=event.amount_minor,
            currency=event.currency,
        )
        detail = {"order_id": event.order_id}
        self.audit.append(
            audit_of(created, "payment_intent.charge", actor=_ACTOR, correlation=correlation, at=at, detail=detail)
        )
        return confirmed.intent

    def compare(self, order: Order, request: OrderRequest, *, at: datetime) -> None:
        """Note where an order that is collected already is to be charged with another amount; the first one counts."""
        event, payment = request.event, self._payments.get(order.key)
        if payment is None or (payment.amount_minor, payment.currency) == (event.amount_minor, event.currency):
            return
        amounts = {
            name: f"{format_minor(found.amount_minor, found.currency)} {found.currency}"
            for name, found in (("charged", payment), ("requested", event))
        }
        log.warning("order.contradicted", order_id=order.order_id, **amounts)
        self.audit.append(
            _audit(order, "order.contradicted", request.correlation, at=at, outcome="denied", detail=amounts)
        )
        self._contradicted += 1

    def count(self) -> None:
        """Count what was written, once it is committed."""
        metrics.ORDERS_CONTRADICTED.inc(self._contradicted)
        for intent in self.intents:
            metrics.created(intent.currency).inc()
            metrics.INTENTS_CONFIRMED.inc()
            metrics.transition(intent.status.value).inc()


def _audit(
    order: Order,
    action: str,
    correlation: Correlation,
    *,
    at: datetime,
    outcome: str = "success",
    detail: Mapping[str, str] = MappingProxyType({}),
) -> AuditRecord:
    return AuditRecord(
        tenant_id=order.tenant_id,
        id=new_id(at),
        actor=_ACTOR,
        action=action,
        target=order.order_id,
        outcome=outcome,
        detail=dict(detail),
        correlation_id=correlation.correlation_id,
        at=at,
    )
