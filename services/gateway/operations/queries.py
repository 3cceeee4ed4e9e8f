"""Reads of attempts."""

from libs.common.contracts.gateway_requests import AttemptList, AttemptRecord, ListAttempts
from services.gateway.operations.domain import Attempt
from services.gateway.operations.sql import AttemptStore


async def list_attempts(store: AttemptStore, request: ListAttempts) -> AttemptList:
    """List the attempts of a payment, as the api may show them, oldest first."""
    attempts = await store.of_intent(tenant_id=request.tenant_id, payment_intent_id=request.payment_intent_id)
    return AttemptList(attempts=[_record(attempt) for attempt in attempts])


def _record(attempt: Attempt) -> AttemptRecord:
    return AttemptRecord(
        id=attempt.id,
        operation=attempt.operation,
        processor=attempt.processor,
        status=attempt.status,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        gateway_ref=attempt.result_ref or attempt.gateway_ref,
        reason=attempt.reason,
        detail=attempt.detail,
        asks=attempt.asks,
        created_at=attempt.created_at,
        asked_at=attempt.asked_at,
        next_ask_at=attempt.next_ask_at,
        decided_at=attempt.decided_at,
    )
