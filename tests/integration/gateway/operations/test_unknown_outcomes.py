"""What comes of an operation whose answer is lost, or whose process dies around the call."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_requests import ListUnknownOutcomes
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway import metrics
from services.gateway.operations import AttemptStatus
from services.gateway.operations.queries import list_unknown
from services.gateway.operations.sql.unknown import UNKNOWN
from services.gateway.processors.port import (
    Approved,
    DeclineReason,
    NotTaken,
    NotTakenReason,
    Operation,
    Unknown,
    UnknownReason,
)
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import (
    PATIENCE,
    Dying,
    Fixed,
    Gateway,
    Killed,
    Pausing,
    authorized,
)


@pytest.mark.parametrize("amount_minor", [9_011, 9_021, 9_022])
async def test_a_processor_that_fails_once_is_called_again_at_once(
    gateway: Gateway, book: CountingProcessor, amount_minor: int
) -> None:
    command = gateway.authorize_command(amount_minor)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [(contract, _)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.authorized"
    [attempt] = await gateway.attempts(intent)
    assert attempt.asks == 2
    assert book.calls == {attempt.idempotency_key: 2}
    assert book.charges == {f"authorize {intent}": 1}


async def test_a_lost_decline_is_not_taken_for_an_approval(gateway: Gateway) -> None:
    command = gateway.authorize_command(9_012)
    await gateway.commands.authorize(command)
    [(contract, _)] = await gateway.published(command.body.payment_intent_id)
    assert contract == "event:gateway:payment.declined"


async def test_an_unknown_outcome_is_found_out_with_the_same_key(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(9_013)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    assert await gateway.published(intent) == []
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.asks, attempt.reason) == (AttemptStatus.UNKNOWN, 4, "timeout")
    assert attempt.next_ask_at == gateway.clock.now() + timedelta(seconds=5)
    assert (await gateway.store.count_open()).unknown >= 1
    resolved = metrics.OUTCOMES_RESOLVED.labels(Operation.AUTHORIZE, AttemptStatus.APPROVED)._value
    before = resolved.get()
    assert await gateway.resolve_after(timedelta(seconds=4)) == 0
    assert await gateway.resolve_after(timedelta(seconds=1)) == 1
    [(contract, _)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.authorized"
    assert book.charges == {f"authorize {intent}": 1}
    assert len(book.calls) == 1
    # What is answered at once was never in doubt.
    await gateway.commands.authorize(gateway.authorize_command(15_050))
    assert resolved.get() == before + 1


async def test_a_lost_capture_is_found_out_with_the_same_key(gateway: Gateway, book: CountingProcessor) -> None:
    ref = await authorized(gateway, 9_034, intent := new_id())
    await gateway.commands.capture(gateway.capture_command(9_034, intent=intent, gateway_ref=ref))
    assert await gateway.resolve_after(timedelta(seconds=5)) == 1
    assert (await gateway.published(intent))[-1][0] == "event:gateway:payment.captured"
    assert book.charges[f"capture {intent}"] == 1


async def walk(gateway: Gateway, ages: Sequence[timedelta], *, since: datetime) -> int:
    """Resolve what is due at each of these ages; returns how many attempts that were."""
    due = 0
    for age in ages:
        gateway.clock.advance(since + age - gateway.clock.now())
        due += await gateway.commands.resolve_due(limit=1_000)
    return due


async def test_outcome_whose_key_is_old_is_looked_up_and_not_called_about(
    gateway: Gateway, book: CountingProcessor
) -> None:
    command = gateway.authorize_command(9_014)
    intent, began = command.body.payment_intent_id, gateway.clock.now()
    await gateway.commands.authorize(command)
    assert await walk(gateway, PATIENCE.ages, since=began) == len(PATIENCE.ages)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.next_ask_at) == (
        AttemptStatus.UNKNOWN,
        began + PATIENCE.key_lifetime + PATIENCE.look_up_ages[0],
    )
    assert await gateway.published(intent) == []
    calls = sum(book.calls.values())
    assert await walk(gateway, [PATIENCE.key_lifetime + PATIENCE.look_up_ages[0]], since=began) == 1
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, sum(book.calls.values())) == (AttemptStatus.APPROVED, calls)
    assert [contract for contract, _ in await gateway.published(intent)] == ["event:gateway:payment.authorized"]


async def test_outcome_that_nothing_shows_for_days_is_left_to_a_person(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    fixed = Fixed(book)
    gateway = Gateway(database, clock, tenant_id, fixed)
    command = gateway.authorize_command(9_014)
    intent, began = command.body.payment_intent_id, gateway.clock.now()
    await gateway.commands.authorize(command)
    await walk(gateway, PATIENCE.ages, since=began)
    before = (await gateway.store.count_open()).overdue
    alarms = metrics.OUTCOMES_OVERDUE.labels(Operation.AUTHORIZE)._value
    rung, calls = alarms.get(), sum(book.calls.values())
    fixed.answers["look_up"] = Unknown(reason=UnknownReason.TIMEOUT)
    ages = [PATIENCE.key_lifetime + age for age in PATIENCE.look_up_ages]
    assert await walk(gateway, ages, since=began) == len(ages)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.UNKNOWN, None)
    assert await gateway.published(intent) == []
    assert (await gateway.store.count_open()).overdue == before + 1
    assert alarms.get() == rung + 1
    await gateway.commands.authorize(command)
    assert await gateway.resolve_after(timedelta(days=1)) == 0
    assert sum(book.calls.values()) == calls
    # As the runbook has it: once the records can be read again, they decide.
    fixed.answers = {}
    await database.write("UPDATE attempts SET next_ask_at = $2 WHERE payment_intent_id = $1", intent, clock.now())
    assert await gateway.resolve_after(timedelta(seconds=1)) == 1
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, sum(book.calls.values())) == (AttemptStatus.APPROVED, calls)


async def test_service_that_was_down_for_days_looks_up_and_does_not_use_old_keys(
    gateway: Gateway, book: CountingProcessor, database: Database
) -> None:
    done, never = gateway.authorize_command(9_013), gateway.authorize_command(15_050)
    for command in (done, never):
        await gateway.commands.authorize(command)
    # As if the process had died before the second call went out: it is counted, and nothing came of it.
    never_id = never.body.payment_intent_id
    await database.write(
        "UPDATE attempts SET id = gen_random_uuid(), status = 'PENDING', decided_at = NULL, result_ref = '', next_ask_at = $2"
        " WHERE payment_intent_id = $1",
        never_id,
        gateway.clock.now(),
    )
    calls = sum(book.calls.values())
    assert await gateway.resolve_after(timedelta(days=3)) == 2
    [found], [absent] = await gateway.attempts(done.body.payment_intent_id), await gateway.attempts(never_id)
    assert found.status is AttemptStatus.APPROVED
    assert (absent.status, absent.reason) == (AttemptStatus.DECLINED, DeclineReason.NOT_RECEIVED)
    assert sum(book.calls.values()) == calls


async def test_refused_key_declines_an_authorization_and_no_capture(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    fixed = Fixed(book)
    gateway = Gateway(database, clock, tenant_id, fixed)
    intent = new_id()
    ref = await authorized(gateway, 15_050, intent)
    refused = NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED)
    fixed.answers = {"authorize": refused, "capture": refused}
    new, began = gateway.authorize_command(15_050), clock.now()
    await gateway.commands.authorize(new)
    await gateway.commands.capture(gateway.capture_command(15_050, intent=intent, gateway_ref=ref))
    await walk(gateway, [PATIENCE.authorization_wait / 2, PATIENCE.authorization_wait], since=began)
    [attempt] = await gateway.attempts(new.body.payment_intent_id)
    assert (attempt.status, attempt.reason) == (AttemptStatus.DECLINED, DeclineReason.PROCESSOR_REFUSED)
    _, capture = await gateway.attempts(intent)
    assert (capture.status, capture.in_doubt) == (AttemptStatus.PENDING, 0)
    await walk(gateway, [2 * PATIENCE.key_lifetime], since=began)
    # The key works again, after longer than the processor keeps one: nothing was ever taken, so it is requested now.
    fixed.answers = {}
    await gateway.resolve_after(PATIENCE.pause)
    _, capture = await gateway.attempts(intent)
    assert capture.status is AttemptStatus.APPROVED


async def test_authorization_in_doubt_is_not_declined_for_a_refused_key(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    dying = Dying(book, before_the_call=False)
    command = Gateway(database, clock, tenant_id, dying).authorize_command(15_050)
    with pytest.raises(Killed):
        await Gateway(database, clock, tenant_id, dying).commands.authorize(command)
    fixed = Fixed(book)
    gateway, began = Gateway(database, clock, tenant_id, fixed), clock.now()
    fixed.answers["authorize"] = NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED)
    await walk(gateway, [PATIENCE.authorization_wait, 2 * PATIENCE.authorization_wait], since=began)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.in_doubt) == (AttemptStatus.PENDING, 1)
    fixed.answers = {}
    await gateway.resolve_after(PATIENCE.pause)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert attempt.status is AttemptStatus.APPROVED
    assert book.charges == {f"authorize {command.body.payment_intent_id}": 1}


async def test_capture_of_another_amount_is_recorded_and_published_as_it_was(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    fixed, intent = Fixed(book), new_id()
    gateway = Gateway(database, clock, tenant_id, fixed)
    ref = await authorized(gateway, 15_050, intent)
    fixed.answers["capture"] = Approved(gateway_ref=ref, approved_at=clock.now(), amount_minor=9_900)
    await gateway.commands.capture(gateway.capture_command(15_050, intent=intent, gateway_ref=ref))
    _, capture = await gateway.attempts(intent)
    assert (capture.status, capture.amount_minor) == (AttemptStatus.APPROVED, 9_900)
    (_, body) = (await gateway.published(intent))[-1]
    assert body["amount_minor"] == 9_900


@pytest.mark.parametrize("before_the_call", [True, False], ids=["before the call", "after the call"])
async def test_a_death_around_the_call_is_healed_by_redelivery(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor, before_the_call: bool
) -> None:
    gateway = Gateway(database, clock, tenant_id, Dying(book, before_the_call=before_the_call))
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    with pytest.raises(Killed):
        await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.asks) == (AttemptStatus.PENDING, 0)
    await gateway.commands.authorize(command)
    assert len(await gateway.published(intent)) == 1
    assert book.charges == {f"authorize {intent}": 1}


@pytest.mark.parametrize("before_the_call", [True, False], ids=["before the call", "after the call"])
async def test_a_death_around_the_call_is_healed_by_the_resolver(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor, before_the_call: bool
) -> None:
    gateway = Gateway(database, clock, tenant_id, Dying(book, before_the_call=before_the_call))
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    with pytest.raises(Killed):
        await gateway.commands.authorize(command)
    assert await gateway.resolve_after(PATIENCE.lease - timedelta(seconds=1)) == 0
    assert await gateway.resolve_after(timedelta(seconds=1)) == 1
    assert len(await gateway.published(intent)) == 1
    assert book.charges == {f"authorize {intent}": 1}


async def test_whoever_still_asks_renews_the_lease_and_nobody_else_asks(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    slow = Pausing(book)
    requester, other = Gateway(database, clock, tenant_id, slow), Gateway(database, clock, tenant_id, book)
    command = requester.authorize_command(15_050)
    asking = asyncio.create_task(requester.commands.authorize(command))
    await slow.called.wait()
    for _ in range(4):
        clock.advance(PATIENCE.lease / 2)
        await requester.commands.hold_leases()
        await other.commands.resolve_due(limit=100)
        assert book.charges == {}
    slow.let_go.set()
    await asking
    assert book.charges == {f"authorize {command.body.payment_intent_id}": 1}
    # Nothing is held any more.
    await requester.commands.hold_leases()
    [attempt] = await requester.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.APPROVED, None)


async def test_two_resolvers_never_take_the_same_attempt(
    gateway: Gateway, database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    other = Gateway(database, clock, tenant_id, book)
    commands = [gateway.authorize_command(9_013) for _ in range(5)]
    for command in commands:
        await gateway.commands.authorize(command)
    clock.advance(timedelta(seconds=5))
    taken = await asyncio.gather(gateway.commands.resolve_due(limit=100), other.commands.resolve_due(limit=100))
    assert sum(taken) == 5
    for command in commands:
        assert len(await gateway.published(command.body.payment_intent_id)) == 1


async def test_command_that_comes_again_counts_its_call_as_in_doubt(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    fixed = Fixed(book)
    gateway, began = Gateway(database, clock, tenant_id, fixed), clock.now()
    command = gateway.authorize_command(15_050)
    fixed.answers["authorize"] = NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED)
    await gateway.commands.authorize(command)
    # The command comes again, its process dies behind the call, and the key is refused for as long as a key lives.
    dying = Gateway(database, clock, tenant_id, Dying(book, before_the_call=False))
    with pytest.raises(Killed):
        await dying.commands.authorize(command)
    ages = [PATIENCE.authorization_wait, 2 * PATIENCE.authorization_wait]
    await walk(gateway, ages, since=began)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.in_doubt) == (AttemptStatus.PENDING, 1)
    assert await gateway.published(command.body.payment_intent_id) == []
    # Its key is old now: the records decide, and nothing is requested.
    fixed.answers = {}
    await walk(gateway, [PATIENCE.key_lifetime + PATIENCE.look_up_ages[1]], since=began)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert attempt.status is AttemptStatus.APPROVED
    assert book.calls == {attempt.idempotency_key: 1}


async def test_records_decide_only_once_the_last_call_must_have_arrived(
    gateway: Gateway, database: Database, clock: ManualClock
) -> None:
    command, began = gateway.authorize_command(9_014), clock.now()
    await gateway.commands.authorize(command)
    await database.write(
        "UPDATE attempts SET id = gen_random_uuid(), next_ask_at = $2 WHERE payment_intent_id = $1",
        command.body.payment_intent_id,
        began + PATIENCE.key_lifetime,
    )
    await walk(gateway, [PATIENCE.key_lifetime], since=began)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.reason) == (AttemptStatus.UNKNOWN, UnknownReason.UNDECIDED)
    await walk(gateway, [PATIENCE.key_lifetime + PATIENCE.look_up_ages[0]], since=began)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.reason) == (AttemptStatus.DECLINED, DeclineReason.NOT_RECEIVED)


async def test_unknown_outcomes_of_a_tenant_are_listed_oldest_first(gateway: Gateway, database: Database) -> None:
    commands = [gateway.authorize_command(amount) for amount in (9_013, 9_014, 15_050, 9_043)]
    for command in commands:
        await gateway.commands.authorize(command)
        gateway.clock.advance(timedelta(seconds=1))
    unknown, left, _, waiting = (command.body.payment_intent_id for command in commands)
    leave = "UPDATE attempts SET next_ask_at = NULL WHERE payment_intent_id = $1"
    await database.write(leave, left)

    async def listed(tenant_id: str, limit: int = 50) -> list[tuple[UUID, str, bool]]:
        found = await list_unknown(database, ListUnknownOutcomes(tenant_id=tenant_id, limit=limit))
        return [(one.payment_intent_id, one.status, one.next_ask_at is None) for one in found.outcomes]

    both = [(unknown, "UNKNOWN", False), (left, "UNKNOWN", True)]
    assert await listed(gateway.tenant_id) == both
    assert await listed(gateway.tenant_id, limit=1) == both[:1]
    assert await listed(gateway.tenant_id, limit=0) == both[:1]
    assert await listed("another") == []
    # What waits for its customer is here only once nobody looks at it any more.
    await database.write(leave, waiting)
    assert await listed(gateway.tenant_id) == [*both, (waiting, "ACTION_REQUIRED", True)]


async def test_unknown_outcomes_are_found_by_their_own_index(database: Database, tenant_id: str) -> None:
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        await tx.execute("SET LOCAL enable_sort = off")
        plan = await tx.fetchval(
            f"EXPLAIN (FORMAT JSON) {UNKNOWN.text}", *UNKNOWN.arguments({"tenant_id": tenant_id, "limit": 50})
        )
    assert '"ix_attempts_unknown"' in plan
