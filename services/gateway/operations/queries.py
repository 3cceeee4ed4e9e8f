"""Reads of attempts."""

from collections.abc import Awaitable, Callable

from libs.common.contracts.gateway_requests import (
    AttemptList,
    AttemptRecord,
    ClientSecret,
    ListAttempts,
    ListUnknownOutcomes,
    ReadClientSecret,
    UnknownOutcome,
    UnknownOutcomeList,
)
from libs.common.db import Database
from services.gateway.operations.domain import Attempt, AttemptStatus
from services.gateway.operations.sql import AttemptStore
from services.gateway.operations.sql.unknown import unknown_outcomes

UNKNOWN_MAX = 500
"""Unknown outcomes that one list has at most."""

type FetchWay = Callable[[str, str], Awaitable[tuple[str, str] | None]]
"""Fetches the client secret and the address of a payment's customer: the processor's name, its reference. Empty where there is
none to be had, None where the processor has no secrets; raises `Transient` when it cannot be had at the moment."""


async def list_attempts(store: AttemptStore, request: ListAttempts) -> AttemptList:
    """List the attempts of a payment, as the api may show them, oldest first."""
    attempts = await store.of_intent(tenant_id=request.tenant_id, payment_intent_id=request.payment_intent_id)
    return AttemptList(attempts=[_record(attempt) for attempt in attempts])


async def list_unknown(database: Database, request: ListUnknownOutcomes) -> UnknownOutcomeList:
    """List a tenant's operations whose outcome is not known, oldest first."""
    limit = max(1, min(request.limit, UNKNOWN_MAX))
    attempts = await unknown_outcomes(database, tenant_id=request.tenant_id, limit=limit)
    return UnknownOutcomeList(outcomes=[_unknown(attempt) for attempt in attempts])


async def client_secret(store: AttemptStore, request: ReadClientSecret, *, fetch: FetchWay) -> ClientSecret:
    """Fetch what a customer goes on with, from the processor that waits for them: we have it nowhere."""
    attempts = await store.of_intent(tenant_id=request.tenant_id, payment_intent_id=request.payment_intent_id)
    waiting = [attempt for attempt in attempts if attempt.status is AttemptStatus.ACTION_REQUIRED]
    if not waiting:
        return ClientSecret(client_secret="")
    way = await fetch(waiting[-1].processor, waiting[-1].result_ref)
    secret, url = ("", waiting[-1].action_url) if way is None else way
    return ClientSecret(client_secret=secret, action_url=url)


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


def _unknown(attempt: Attempt) -> UnknownOutcome:
    return UnknownOutcome(
        id=attempt.id,
        payment_intent_id=attempt.payment_intent_id,
        refund_id=attempt.refund_id,
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
        next_ask_at=attempt.next_ask_at,
    )
