"""A gateway that dies at any point of an operation at Stripe: one key, one outcome, and no refusal of what may have been done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.gateway.operations import AttemptStatus, AttemptStore
from services.gateway.processors.port import Answer, Applied, Finding, Notice, Operation, Processor
from tests.integration.gateway.operations.test_parity import FINAL, ROW_OF, STATUS, published
from tests.support.databases import TestDatabase
from tests.support.gateway_process import Killed
from tests.support.parity import OURS, PATIENCE, Adopt, Payment, World, a_world, lead_to
from tests.support.samples import some
from tests.support.stripe_answers import Moment, Pair, Point, Reply, State
from tests.support.stripe_outcomes import Outcome

pytestmark = pytest.mark.integration

SHOWS = {
    Operation.AUTHORIZE: (State.HELD, "payment.authorized"),
    Operation.CAPTURE: (State.TAKEN, "payment.captured"),
    Operation.VOID: (State.CANCELED, "payment.voided"),
    Operation.EXPIRE: (State.CANCELED, "payment.authorization_expired"),
    Operation.CLOSE: (State.CANCELED, ""),
    Operation.REFUND: (State.TAKEN, "refund.succeeded"),
}
"""What an operation shows that was carried out, and what is published then; empty: nothing."""


CALLING = tuple(point for point in Point if point is not Point.ADOPTED)
"""Where a process dies by which an operation is carried out."""
AGES = {
    Moment.READ: PATIENCE.reading_ages[0],
    Moment.LOOK_UP: PATIENCE.key_lifetime + PATIENCE.look_up_ages[0],
}
"""When a call is due to be read about, after it."""


class DyingStore(AttemptStore):
    """The attempts of a process that dies before or after it has written something down."""

    point: Point | None = None

    async def _around(self, write: Callable[[], Awaitable[Any]], *, before: Point, after: Point) -> Any:
        if self.point is before:
            raise Killed
        written = await write()
        if self.point is after:
            raise Killed
        return written

    async def open(self, *args: Any, **kwargs: Any) -> Any:
        return await self._counting(lambda: super(DyingStore, self).open(*args, **kwargs))

    async def count_call(self, *args: Any, **kwargs: Any) -> Any:
        return await self._counting(lambda: super(DyingStore, self).count_call(*args, **kwargs))

    async def claim(self, *args: Any, **kwargs: Any) -> Any:
        return await self._counting(lambda: super(DyingStore, self).claim(*args, **kwargs))

    async def record(self, *args: Any, **kwargs: Any) -> Any:
        return await self._around(
            lambda: super(DyingStore, self).record(*args, **kwargs),
            before=Point.BEFORE_RECORDING,
            after=Point.RECORDED,
        )

    async def _counting(self, write: Callable[[], Awaitable[Any]]) -> Any:
        return await self._around(write, before=Point.BEFORE_COUNTING, after=Point.COUNTED)


class DyingProcessor:
    """The processor of a process that dies with the answer in its hands."""

    def __init__(self, processor: Processor) -> None:
        self.name = processor.name
        self._processor = processor

    async def authorize(self, request: Any) -> Answer:
        await self._processor.authorize(request)
        raise Killed

    async def capture(self, request: Any) -> Answer:
        await self._processor.capture(request)
        raise Killed

    async def void(self, request: Any) -> Answer:
        await self._processor.void(request)
        raise Killed

    async def refund(self, request: Any) -> Answer:
        await self._processor.refund(request)
        raise Killed

    async def look_up(self, request: Any) -> Finding:
        await self._processor.look_up(request)
        raise Killed


@pytest.fixture(scope="module")
async def world(gateway_database: TestDatabase) -> AsyncIterator[World]:
    async with gateway_database.open("gateway") as database, a_world(database) as running:
        yield running


@pytest.mark.parametrize("operation", Operation)
async def test_whatever_dies_and_is_answered_an_operation_happens_once(world: World, operation: Operation) -> None:
    every = product(CALLING, (Reply.OK, Reply.UNAUTHORIZED, Reply.NO_CONNECTION, *CALLING))
    async with asyncio.TaskGroup() as together:
        for point, second in some(every, name=operation, by=lambda case: (case[0], type(case[1]))):
            together.create_task(lives_through(world, operation, point, second))


async def lives_through(world: World, operation: Operation, point: Point, second: Reply | Point) -> None:
    """Let a process die at a point, another one be answered or die too, and a last one carry the operation out."""
    payment = Payment(world, operation)
    payment.script.state, message = SHOWS[operation]
    case = f"{operation}, {point}, then {second}"
    if operation in OURS:
        await payment.write_down()
    await die(payment, point)
    may_have_been_sent = point is not Point.BEFORE_COUNTING
    if isinstance(second, Point):
        await die(payment, second)
        may_have_been_sent = may_have_been_sent or second is not Point.BEFORE_COUNTING
    else:
        payment.script.reply = second
        payment.start(connects=second is not Reply.NO_CONNECTION)
        await payment.deliver_again(PATIENCE.lease)
    if second in {Reply.UNAUTHORIZED, Reply.NO_CONNECTION} and point is not Point.RECORDED:
        # A refused key, long after an authorization may be declined that was never sent.
        assert await payment.published() == (), case
        payment.script.reply = Reply.UNAUTHORIZED
        payment.start()
        await payment.deliver_again(PATIENCE.authorization_wait)
        attempt = await payment.attempt()
        if operation is Operation.AUTHORIZE and not may_have_been_sent:
            assert (attempt.status, await payment.published()) == (AttemptStatus.DECLINED, ("payment.declined",)), case
            return
        assert (attempt.status, await payment.published()) == (AttemptStatus.PENDING, ()), case
        assert (attempt.in_doubt > 0) == may_have_been_sent, case
    payment.script.reply = Reply.OK
    payment.start()
    await payment.deliver_again(timedelta(minutes=1))
    attempt = await payment.attempt()
    published = (message,) if message else ()
    assert (attempt.status, await payment.published()) == (AttemptStatus.APPROVED, published), case
    assert set(payment.script.keys) == {attempt.idempotency_key}, case


@pytest.mark.parametrize("operation", Operation)
async def test_death_that_learns_of_an_outcome_changes_none(world: World, operation: Operation) -> None:
    every = [
        (pair, point)
        for pair, row in ROW_OF.items()
        if pair.operation is operation
        and pair.reply is Reply.OK
        and pair.moment is not Moment.AGAIN
        and row.outcome in FINAL
        for point in (Point if row.outcome is Outcome.ADOPTED else CALLING)
    ]
    # The command comes again that has captured what somebody else had taken, of another amount.
    always = [case for case in every if (case[0].state, case[1]) == (State.OTHER_AMOUNT, Point.RECORDED)]
    drawn = some(every, name=f"deaths-{operation}", by=lambda case: (case[0].moment, case[1]), always=always)
    async with asyncio.TaskGroup() as together:
        for pair, point in drawn:
            together.create_task(dies_learning(world, pair, point))


async def dies_learning(world: World, pair: Pair, point: Point) -> None:
    """Let a process die that learns what became of an operation, by its call or by reading, and another one go on."""
    payment, row, case = Payment(world, pair.operation), ROW_OF[pair], f"{pair}, {point}"
    if pair.moment is not Moment.CALL:
        await lead_to(payment, pair.moment)
    elif pair.operation in OURS:
        await payment.write_down()
    payment.script.reply, payment.script.state = Reply.OK, pair.state
    after = AGES.get(pair.moment)
    assert await die(payment, point, after=after), case
    since = len(payment.script.called)
    payment.start()
    if pair.moment is Moment.CALL:
        await payment.deliver_again(PATIENCE.lease)
    else:
        payment.clock.advance(PATIENCE.lease)
        await payment.commands.resolve_due(limit=10)
    attempt = await payment.attempt()
    expected = published(pair, row)
    if (pair.operation, pair.moment, point) == (Operation.CAPTURE, Moment.CALL, Point.RECORDED):
        # A refusal is published again when the command comes again, which may be a client's next one.
        expected *= 1 if row.outcome is Outcome.DONE else 2
    assert (attempt.status, await payment.published()) == (STATUS[row.outcome], expected), case
    if row.outcome is Outcome.DONE:
        assert bool(payment.script.called[since:]) == (point is not Point.RECORDED), case
    every = await payment.store.of_intent(tenant_id=payment.name, payment_intent_id=payment.intent_id)
    # What was declined is cancelled under a key of its own.
    assert set(payment.script.keys) <= {each.idempotency_key for each in every}, case


def dying(adopt: Adopt) -> Adopt:
    """The adoption of a process that dies once it has adopted."""

    async def adopt_and_die(notice: Notice) -> Applied:
        await adopt(notice)
        raise Killed

    return adopt_and_die


async def die(payment: Payment, point: Point, *, after: timedelta | None = None) -> bool:
    """Begin a process and let it die at a point; returns whether it has come there.

    It is handed the command, or looks, `after` so long, for what is due.
    """
    store = DyingStore(payment.world.database)
    store.point = point
    payment.start(store=store)
    if point is Point.ANSWERED:
        payment.commands = payment.commands_over(DyingProcessor(payment.adapter()))
    if point is Point.ADOPTED:
        payment.commands = payment.commands_over(payment.adapter(), adopt=dying(payment.adopt))
    try:
        if after is None:
            await payment.deliver_again(PATIENCE.lease)
        else:
            payment.clock.advance(after)
            await payment.commands.resolve_due(limit=10)
    except Killed:
        return True
    # It was over before.
    assert (await payment.attempt()).is_decided
    return False


@pytest.mark.parametrize("operation", Operation)
async def test_a_person_decides_only_once_reading_has_failed_for_days(world: World, operation: Operation) -> None:
    payment = Payment(world, operation)
    payment.script.reply = payment.script.reads = Reply.DOWN
    await payment.request()
    before = _overdue(operation)
    for age in PATIENCE.look_up_ages:
        assert (await payment.attempt()).next_ask_at is not None
        payment.start()
        since = (await payment.attempt()).asked_at
        assert since is not None
        await payment.resolve_after(since + PATIENCE.key_lifetime + age - payment.clock.now())
    attempt = await payment.attempt()
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.UNKNOWN, None)
    assert await payment.published() == ()
    assert _overdue(operation) == before + 1


async def test_authorization_that_was_never_sent_is_declined_after_minutes(world: World) -> None:
    payment = Payment(world, Operation.AUTHORIZE)
    payment.script.reply = Reply.FORBIDDEN
    await payment.request()
    payment.start()
    await payment.resolve_after(PATIENCE.authorization_wait - timedelta(seconds=1))
    assert (await payment.attempt()).status is AttemptStatus.PENDING
    payment.start()
    await payment.resolve_after(timedelta(minutes=1))
    assert await payment.published() == ("payment.declined",)


def _overdue(operation: Operation) -> float:
    return REGISTRY.get_sample_value("gateway_outcomes_overdue_total", {"operation": operation}) or 0.0
