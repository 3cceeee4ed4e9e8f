"""How an attempt becomes a request to its processor."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, assert_never
from uuid import UUID

from libs.common.contracts.gateway_methods import PaymentMethodType, decode_billing_details
from services.gateway.customers import Chargeable
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.processors.port import (
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Finding,
    Operation,
    Processor,
    Refund,
    Void,
)

type FindChargeable = Callable[[str, UUID, UUID], Awaitable[Chargeable | None]]
"""Finds with what a saved payment method is charged, by tenant, customer and method; None where it is not there."""


async def nothing_saved(tenant_id: str, customer_id: UUID, method_id: UUID) -> Chargeable | None:  # noqa: ARG001
    """Find nothing: for a place in which nothing is saved."""
    return None


class InProgress:
    """The attempts about which this process calls now; it renews their leases, so that they end soon after it does."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, UUID]] = set()

    @property
    def keys(self) -> list[tuple[str, UUID]]:
        """The tenant and id of each."""
        return sorted(self._keys)

    @contextmanager
    def holding(self, attempt: Attempt) -> Iterator[None]:
        """Count an attempt as in progress inside the block."""
        self._keys.add((attempt.tenant_id, attempt.id))
        try:
            yield
        finally:
            self._keys.discard((attempt.tenant_id, attempt.id))


async def find_out(processor: Processor, attempt: Attempt, *, may_call: bool, timeout_seconds: float) -> Finding:
    """Call the processor for an attempt, under its key; where another call could do it twice, read its records."""
    if attempt.is_method_gone:
        # Nothing else may be charged in its stead, and no processor has taken a call about it.
        return Declined(
            reason=DeclineReason.PAYMENT_METHOD_DETACHED, detail="The saved payment method is detached.", calls=0
        )
    request = _request(attempt, timeout_seconds=timeout_seconds)
    if not may_call:
        return await processor.look_up(request)
    match request:
        case Authorize():
            return await processor.authorize(request)
        case Capture():
            return await processor.capture(request)
        case Void():
            return await processor.void(request)
        case Refund():
            return await processor.refund(request)
        case _:
            assert_never(request)


def _request(attempt: Attempt, *, timeout_seconds: float) -> Authorize | Capture | Void | Refund:
    common = _common(attempt, timeout_seconds=timeout_seconds)
    match attempt.operation:
        case Operation.AUTHORIZE:
            return Authorize(
                **common,
                customer_ref=attempt.customer_ref,
                payment_method=attempt.payment_method,
                return_url=attempt.return_url,
                payment_method_type=PaymentMethodType(attempt.payment_method_type),
                billing_details=decode_billing_details(attempt.billing_details),
                processor_customer=attempt.processor_customer,
                off_session=attempt.off_session,
                number=attempt.number,
            )
        case Operation.CAPTURE:
            return Capture(**common, gateway_ref=attempt.gateway_ref)
        case Operation.VOID | Operation.EXPIRE | Operation.CLOSE:
            return Void(**common, gateway_ref=attempt.gateway_ref, reason=attempt.note)
        case Operation.REFUND:
            assert attempt.refund_id is not None, (
                "a refund's attempt names the refund; the table's check requires it too"
            )
            return Refund(**common, refund_id=attempt.refund_id, gateway_ref=attempt.gateway_ref, reason=attempt.note)
        case _:
            assert_never(attempt.operation)


def _common(attempt: Attempt, *, timeout_seconds: float) -> dict[str, Any]:
    return {
        "tenant_id": attempt.tenant_id,
        "payment_intent_id": attempt.payment_intent_id,
        "idempotency_key": attempt.idempotency_key,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "requested_at": attempt.created_at,
        "call": attempt.asks + 1,
        "timeout_seconds": timeout_seconds,
        "known_ref": attempt.known_ref,
    }
