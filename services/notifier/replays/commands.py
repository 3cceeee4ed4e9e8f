"""Decisions about replays: which deliveries are made again, once for each idempotency key."""

import hashlib
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.notifier import TEST_EVENT, CancelReplay, Replay, StartReplay
from libs.common.contracts.notifier.errors import (
    EndpointInactive,
    EndpointNotFound,
    InvalidReplay,
    ReplayDone,
    ReplayNotFound,
)
from libs.common.db import Connection, Database
from libs.common.errors import IdempotencyKeyReused
from libs.common.ids import derived_id, first_id
from services.notifier import deliveries, endpoints
from services.notifier.deliveries import Selection, types_of
from services.notifier.endpoints import EVENT_NAMES
from services.notifier.replays import sql
from services.notifier.replays.domain import ReplayState, ReplayStatus
from services.notifier.replays.schemas import replay_view

OUTCOMES = ("failed", "missing", "delivered")
"""What a delivery may have come to, as a replay names it."""
EVENT_IDS_MAX = 1_000
"""Most events that one replay may name."""
NOT_IN_FINGERPRINT = {"key": "names the replay, with its tenant and endpoint"}
"""Fields of a request that are not its selection, each with the reason."""
_KEY_CHARACTERS_MAX = 255
_FORGET_MAX = 5_000
"""Replays that one statement deletes at most, so that it never holds locks for long."""
_STEP = 500
"""Messages looked at in one transaction, at most."""
_ROUNDS_MAX = 20
"""Rounds, a step of each tenant, until the worker sees whether it is to stop."""


async def start_replay(database: Database, request: StartReplay, *, clock: Clock) -> Replay:
    """Remember a replay for the worker; the same key and selection again is the same replay, a dry run only counts.

    Raises:
        InvalidReplay: when the selection cannot be used.
        EndpointNotFound: when the tenant has no such endpoint.
        EndpointInactive: when it is switched off.
        IdempotencyKeyReused: when the key belongs to a replay of something else.
    """
    _check(request)
    now, tenant_id = clock.now(), request.tenant_id
    fingerprint = fingerprint_of(request)
    replay_id = derived_id(request.endpoint_id, f"replay {tenant_id} {request.key}")
    async with database.transaction() as tx:
        endpoint = await endpoints.find_endpoint(tx, tenant_id=tenant_id, endpoint_id=request.endpoint_id)
        if endpoint is None or endpoint[1]:
            raise EndpointNotFound("webhook endpoint not found")
        if not request.is_dry_run:
            known = await sql.find(tx, tenant_id=tenant_id, replay_id=replay_id)
            if known is not None:
                return _same(known, fingerprint)
            if not endpoint[0].is_active:
                raise EndpointInactive("the endpoint is switched off; switch it on first")
        selection = Selection(
            outcomes=request.outcomes,
            listed_types=types_of(endpoint[0].events, known=EVENT_NAMES),
            event_types=request.event_types,
            event_ids=request.event_ids,
        )
        # Events named one by one are replayed whenever they happened.
        is_named = bool(request.event_ids)
        begin = request.since or (None if is_named else endpoint[0].created_at)
        until = request.until or (None if is_named else now)
        after = UUID(int=0) if begin is None else UUID(int=max(0, first_id(begin).int - 1))
        last = UUID(int=(1 << 128) - 1) if until is None else first_id(until)
        total = await deliveries.count_selected(
            tx, selection, tenant_id=tenant_id, endpoint_id=request.endpoint_id, after=after, until=last
        )
        replay = ReplayState(
            tenant_id=tenant_id,
            id=replay_id,
            endpoint_id=request.endpoint_id,
            selection=selection,
            fingerprint=fingerprint,
            status=ReplayStatus.DRY_RUN if request.is_dry_run else ReplayStatus.RUNNING,
            total=total,
            scheduled=0,
            position=after,
            until=last,
            created_at=now,
        )
        if request.is_dry_run:
            return replay_view(replay)
        added = await sql.insert(tx, replay)
        if added is None:
            # Somebody with the same key was quicker by a moment.
            known = await sql.find(tx, tenant_id=tenant_id, replay_id=replay_id)
            assert known is not None
            return _same(known, fingerprint)
        return replay_view(added)


def fingerprint_of(request: StartReplay) -> str:
    """SHA-256 of everything that was requested but `NOT_IN_FINGERPRINT`."""
    selection = msgspec.structs.replace(request, **dict.fromkeys(NOT_IN_FINGERPRINT, ""))
    return hashlib.sha256(msgspec.json.encode(selection)).hexdigest()


async def cancel_replay(database: Database, request: CancelReplay, *, clock: Clock) -> Replay:
    """Schedule no more of a replay; what is scheduled stays so, and cancelling again is success.

    Raises:
        ReplayNotFound: when the tenant has no such replay.
        ReplayDone: when everything is scheduled already.
    """
    tenant_id, replay_id = request.tenant_id, request.replay_id
    async with database.transaction() as tx:
        cancelled = await sql.cancel(tx, tenant_id=tenant_id, replay_id=replay_id, now=clock.now())
        replay = cancelled or await sql.find(tx, tenant_id=tenant_id, replay_id=replay_id)
    if replay is None:
        raise ReplayNotFound("webhook replay not found")
    if replay.status is ReplayStatus.DONE:
        raise ReplayDone("the replay is done: everything that it selects is scheduled")
    return replay_view(replay)


async def advance_replays(database: Database, *, clock: Clock, rounds: int = _ROUNDS_MAX) -> bool:
    """Go on with the replays that run; says whether more may be left.

    Tenants take turns, a step each: however many replays of one run, another's waits for one step of each tenant.
    """
    for _ in range(rounds):
        async with database.connection() as connection:
            tenants = await sql.running_tenants(connection)
        steps = [await _step(database, tenant_id, clock=clock) for tenant_id in tenants]
        if not any(steps):
            return False
    return True


async def _step(database: Database, tenant_id: str, *, clock: Clock) -> bool:
    """Schedule one step of one replay of a tenant, in a transaction of its own; False where none is to go on."""
    async with database.transaction() as tx:
        replay = await sql.next_running(tx, tenant_id=tenant_id, now=clock.now())
        if replay is None:
            return False
        endpoint = await endpoints.find_endpoint(tx, tenant_id=replay.tenant_id, endpoint_id=replay.endpoint_id)
        if endpoint is None or not endpoint[0].is_active:
            await sql.cancel(tx, tenant_id=replay.tenant_id, replay_id=replay.id, now=clock.now())
        else:
            await _advance(tx, replay, is_ordered=endpoint[0].is_ordered, now=clock.now())
    return True


async def _advance(tx: Connection, replay: ReplayState, *, is_ordered: bool, now: datetime) -> None:
    # One at least, so that it goes on where the room was taken since it was looked for.
    limit = min(_STEP, max(1, await sql.room(tx, replay, now=now)))
    messages = await deliveries.choose(
        tx,
        replay.selection,
        tenant_id=replay.tenant_id,
        endpoint_id=replay.endpoint_id,
        after=replay.position,
        until=replay.until,
        limit=limit,
    )
    scheduled = await deliveries.schedule_again(
        tx,
        [row for row in messages if row["is_chosen"]],
        tenant_id=replay.tenant_id,
        endpoint_id=replay.endpoint_id,
        is_ordered=is_ordered,
        now=now,
    )
    await sql.move(
        tx,
        replay,
        scheduled=scheduled,
        position=messages[-1]["event_id"] if messages else None,
        ended_at=now if len(messages) < limit else None,
    )


async def forget_replays(database: Database, *, before: datetime) -> int:
    """Delete replays that ended before an instant; returns how many. Their keys may then be used for others."""
    forgotten = 0
    while True:
        async with database.connection() as connection:
            round_ = await sql.forget(connection, before=before, limit=_FORGET_MAX)
        forgotten += round_
        if round_ < _FORGET_MAX:
            return forgotten


def _same(known: ReplayState, fingerprint: str) -> Replay:
    if known.fingerprint != fingerprint:
        raise IdempotencyKeyReused("this Idempotency-Key belongs to a replay of something else")
    return replay_view(known)


def _check(request: StartReplay) -> None:
    faults: list[tuple[str, str]] = []
    if not request.is_dry_run and not 1 <= len(request.key) <= _KEY_CHARACTERS_MAX:
        faults.append(("/key", f"1 to {_KEY_CHARACTERS_MAX} characters"))
    if not request.outcomes or not set(request.outcomes) <= set(OUTCOMES):
        faults.append(("/outcomes", f"one or more of {', '.join(OUTCOMES)}"))
    if len(request.event_ids) > EVENT_IDS_MAX:
        faults.append(("/event_ids", f"at most {EVENT_IDS_MAX} events"))
    known = {*EVENT_NAMES, TEST_EVENT}
    faults += [
        (f"/event_types/{i}", f"unknown event; known are {', '.join(EVENT_NAMES)}")
        for i, name in enumerate(request.event_types)
        if name not in known
    ]
    if request.since is not None and request.until is not None and request.since >= request.until:
        faults.append(("/until", "must be after the beginning"))
    if faults:
        raise InvalidReplay(faults[0][1], errors=tuple(faults))
