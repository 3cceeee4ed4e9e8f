"""What we decide about an endpoint's health after attempts: rest, warning, end."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.db import Connection
from libs.common.messaging.outbox import say
from libs.common.observability.logging import get_logger
from services.notifier.domain import Answer, Claimed, EndReason
from services.notifier.outbox import endpoint_disabled, endpoint_failing
from services.notifier.schedule import Decision, Delivered, Failed, Gate, HealthPolicy, Outcome, disables_at, judge
from services.notifier.store import deliveries, endpoints, gates
from services.notifier.store.gates import EndpointKey

log = get_logger("notifier.health")

_GONE = "gone"
_FAILING = "failing"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that was made and is not yet recorded."""

    claimed: Claimed
    """The delivery, under the fence it was claimed with."""
    answer: Answer
    """What came of it."""
    attempted_at: datetime
    """When it began."""
    duration_ms: int
    """How long the exchange took."""
    chance: float
    """The random number, 0 to 1, that places a retry within its jitter."""


async def follow(
    tx: Connection, recorded: Sequence[tuple[Attempt, Decision]], *, policy: HealthPolicy, now: datetime
) -> None:
    """Decide what recorded attempts mean for their endpoints, in the transaction that records them."""
    outcomes: dict[EndpointKey, list[Outcome]] = {}
    gone: set[EndpointKey] = set()
    urls: dict[EndpointKey, str] = {}
    for made, decision in recorded:
        key = (made.claimed.tenant_id, made.claimed.endpoint_id)
        error = None if isinstance(decision, Delivered) else made.answer.error or f"status_{made.answer.status_code}"
        outcomes.setdefault(key, []).append(Outcome(attempted_at=made.attempted_at, error=error))
        urls[key] = made.claimed.url
        if isinstance(decision, Failed) and decision.disables:
            gone.add(key)
    failed = {key for key, found in outcomes.items() if all(outcome.error is not None for outcome in found)}
    held = await gates.locked(tx, attempted=outcomes, failed=failed)
    verdicts = {key: judge(policy, gate, outcomes[key], now=now) for key, gate in held.items()}
    await gates.save(tx, [(key, verdict.gate) for key, verdict in verdicts.items() if verdict.gate != held[key]])
    for key in sorted(gone | {key for key, verdict in verdicts.items() if verdict.disables}):
        verdict = verdicts.get(key)
        await disable(
            tx, key, gate=verdict.gate if verdict else Gate(), reason=_GONE if key in gone else _FAILING, now=now
        )
    warned = [key for key, verdict in verdicts.items() if verdict.warns and key not in gone]
    for key in warned:
        log.warning("endpoint.failing", tenant_id=key[0], endpoint_id=key[1], failures=verdicts[key].gate.failures)
    await say(
        tx,
        [
            endpoint_failing(
                key,
                url=urls[key],
                gate=verdicts[key].gate,
                ends_at=disables_at(policy, verdicts[key].gate, now=now),
                now=now,
            )
            for key in warned
        ],
    )


async def disable(tx: Connection, key: EndpointKey, *, gate: Gate, reason: str, now: datetime) -> None:
    """Switch an endpoint off on our own account, end what waits for it, and say so; once only."""
    tenant_id, endpoint_id = key
    url = await endpoints.disable(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, reason=reason, at=now)
    if url is None:
        return
    await end_waiting(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, now=now)
    await say(tx, [endpoint_disabled(key, url=url, gate=gate, reason=reason, now=now)])
    log.warning("endpoint.disabled", tenant_id=tenant_id, endpoint_id=endpoint_id, reason=reason)


async def end_waiting(tx: Connection, *, tenant_id: str, endpoint_id: UUID, now: datetime) -> None:
    """Give up what waits for an endpoint that was switched off; a replay can take it up again."""
    await deliveries.abandon_waiting(
        tx, tenant_id=tenant_id, endpoint_id=endpoint_id, reason=EndReason.ENDPOINT_DISABLED, at=now
    )
