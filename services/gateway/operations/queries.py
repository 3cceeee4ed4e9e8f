"""Reads of attempts."""

from collections.abc import Awaitable, Callable

from libs.common.contracts.gateway_requests import (
    AttemptList,
    AttemptRecord,
    ClientSecret,
    ListAttempts,
    ReadClientSecret,
)
from services.gateway.operations.domain import Attempt, AttemptStatus
from services.gateway.operations.sql import AttemptStore

type FetchSecret = Callable[[str, str], Awaitable[str]]
"""Fetches the client secret of a payment: the processor's name, its reference. Empty where there is none to be had; raises
`Transient` when it cannot be had at the moment."""


async def list_attempts(store: AttemptStore, request: ListAttempts) -> AttemptList:
    """List the attempts of a payment, as the api may show them, oldest first."""
    attempts = await store.of_intent(tenant_id=request.tenant_id, payment_intent_id=request.payment_intent_id)
    return AttemptList(attempts=[_record(attempt) for attempt in attempts])


async def client_secret(store: AttemptStore, request: ReadClientSecret, *, fetch: FetchSecret) -> ClientSecret:
    """Fetch what a customer goes on with, from the processor that waits for them: we have it nowhere."""
    attempts = await store.of_intent(tenant_id=request.tenant_id, payment_intent_id=request.payment_intent_id)
    waiting = [attempt for attempt in attempts if attempt.status is AttemptStatus.ACTION_REQUIRED]
    found = await fetch(waiting[-1].processor, waiting[-1].result_ref) if waiting else ""
    return ClientSecret(client_secret=found)


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
