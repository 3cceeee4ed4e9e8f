"""Every pair of an operation and an answer of Stripe has the outcome that the table names, over real HTTP and a real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import Operation
from services.gateway.processors.stripe.failures import CREDENTIALS_PAUSE_SECONDS
from tests.support.databases import TestDatabase
from tests.support.parity import PATIENCE, Seen, World, a_world, play
from tests.support.scripted_stripe import WAIT_SECONDS
from tests.support.stripe_answers import CALLS, READABLE, Moment, Pair, Reply, State, pairs
from tests.support.stripe_outcomes import ROWS, Circuit, Outcome, Reading, Row, expanded

pytestmark = pytest.mark.integration

ROW_OF = {pair: row for row in ROWS for pair in expanded(row)}
_AT_A_TIME = 64
"""Pairs that are played together."""

STATUS = {
    Outcome.DONE: AttemptStatus.APPROVED,
    Outcome.DECLINED: AttemptStatus.DECLINED,
    Outcome.STILL_HELD: AttemptStatus.DECLINED,
    Outcome.PENDING: AttemptStatus.ACCEPTED,
    Outcome.ACTION: AttemptStatus.ACTION_REQUIRED,
    Outcome.UNKNOWN: AttemptStatus.UNKNOWN,
    Outcome.NOT_TAKEN: AttemptStatus.PENDING,
    Outcome.WAITS: AttemptStatus.PENDING,
    Outcome.READ_AGAIN: AttemptStatus.ACCEPTED,
}
"""How the attempt stands afterwards, where nothing was in doubt before."""

PUBLISHED = {
    (Operation.AUTHORIZE, True): ("payment.authorized",),
    (Operation.AUTHORIZE, False): ("payment.declined",),
    (Operation.CAPTURE, True): ("payment.captured",),
    (Operation.CAPTURE, False): ("payment.capture_failed",),
    (Operation.VOID, True): ("payment.voided",),
    (Operation.VOID, False): ("payment.void_failed",),
    (Operation.EXPIRE, True): ("payment.authorization_expired",),
    (Operation.EXPIRE, False): (),
    (Operation.REFUND, True): ("refund.succeeded",),
    (Operation.REFUND, False): ("refund.failed",),
}
"""What an operation publishes that was carried out, or not."""


@pytest.fixture(scope="module")
async def world(gateway_database: TestDatabase) -> AsyncIterator[World]:
    async with gateway_database.open("gateway") as database, a_world(database) as running:
        yield running


@pytest.fixture(scope="module")
async def played(world: World) -> dict[Pair, Seen | BaseException]:
    """Every pair, played once."""
    every = list(pairs())
    places = asyncio.Semaphore(_AT_A_TIME)

    async def one(pair: Pair) -> Seen:
        async with places:
            return await play(world, pair)

    seen = await asyncio.gather(*(one(pair) for pair in every), return_exceptions=True)
    return dict(zip(every, seen, strict=True))


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("operation", Operation)
async def test_pairs_have_the_outcomes_of_their_rows(
    played: dict[Pair, Seen | BaseException], operation: Operation, moment: Moment
) -> None:
    chosen = [pair for pair in played if (pair.operation, pair.moment) == (operation, moment)]
    assert chosen or operation not in READABLE
    assert {str(pair): found for pair in chosen if (found := difference(pair, played[pair]))} == {}


def difference(pair: Pair, seen: Seen | BaseException) -> dict[str, tuple[object, object]] | BaseException:
    """What a pair became and what its row says it should, where they differ."""
    if isinstance(seen, BaseException):
        return seen
    row = ROW_OF[pair]
    in_doubt = pair.moment in {Moment.AGAIN, Moment.LOOK_UP} and STATUS[row.outcome] is AttemptStatus.PENDING
    found = {
        "status": (seen.attempt.status, AttemptStatus.UNKNOWN if in_doubt else STATUS[row.outcome]),
        "published": (seen.published, published(pair, row)),
        "requests": (set(seen.called), requests(pair, row)),
        "has one key": (len(seen.keys) <= 1, True),
        "counted by Stripe's circuit": (seen.is_counted_by_stripe, row.circuit is Circuit.STRIPE),
        "counted by the account's": (seen.is_counted_by_account, row.circuit is Circuit.ACCOUNT),
        "waits": (seen.waits, waits(pair, row)),
        "is released later": (seen.attempt.expires_at is not None, is_released_later(pair, row)),
    }
    return {name: values for name, values in found.items() if values[0] != values[1]}


def published(pair: Pair, row: Row) -> tuple[str, ...]:
    """What a pair publishes."""
    if row.outcome is Outcome.ACTION and pair.moment is not Moment.READ:
        return ("payment.action_required",)
    is_final = STATUS[row.outcome] in {AttemptStatus.APPROVED, AttemptStatus.DECLINED}
    return PUBLISHED[pair.operation, row.outcome is Outcome.DONE] if is_final else ()


def requests(pair: Pair, row: Row) -> set[str]:
    """The methods with which Stripe is called."""
    if not row.sent:
        return set()
    if pair.moment not in CALLS:
        return {"GET"}
    is_read = pair.reply is not Reply.OK and pair.state is not State.NOTHING
    assert is_read or row.reading is not Reading.NOW
    return {"POST", "GET"} if is_read else {"POST"}


def waits(pair: Pair, row: Row) -> timedelta | None:
    """How long it is until the next call or reading."""
    asks_to_wait = pair.reply in {Reply.RATE_LIMIT_WAIT, Reply.DOWN_WAIT}
    pause = timedelta(seconds=WAIT_SECONDS if asks_to_wait else 0)
    # The first call of a pair was made at the age of zero.
    age = {
        Moment.CALL: timedelta(0),
        Moment.AGAIN: PATIENCE.ages[0],
        Moment.READ: PATIENCE.reading_ages[0],
        Moment.LOOK_UP: PATIENCE.key_lifetime + PATIENCE.look_up_ages[0],
    }[pair.moment]
    match row.outcome:
        case Outcome.DONE | Outcome.DECLINED | Outcome.STILL_HELD:
            return None
        case Outcome.PENDING | Outcome.ACTION | Outcome.READ_AGAIN:
            return next(then for then in PATIENCE.reading_ages if then > age) - age
        case Outcome.UNKNOWN if pair.moment is Moment.LOOK_UP:
            return PATIENCE.look_up_ages[1] - PATIENCE.look_up_ages[0]
        case Outcome.UNKNOWN:
            return next(then for then in PATIENCE.ages if then > age + pause) - age
        case Outcome.WAITS:
            return timedelta(seconds=CREDENTIALS_PAUSE_SECONDS)
        case Outcome.NOT_TAKEN:
            return max(PATIENCE.pause, pause)


def is_released_later(pair: Pair, row: Row) -> bool:
    """Whether funds that are still held are released by the gateway itself."""
    return row.outcome is Outcome.STILL_HELD and pair.operation in {Operation.CAPTURE, Operation.EXPIRE}
