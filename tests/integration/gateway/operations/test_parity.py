"""Every pair of an operation and an answer of Stripe has the outcome that the table names, over real HTTP and a real database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from prometheus_client import REGISTRY

from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import Operation
from services.gateway.processors.stripe.failures import CREDENTIALS_PAUSE_SECONDS
from tests.support.databases import TestDatabase
from tests.support.parity import OURS, PATIENCE, Seen, World, a_world, play
from tests.support.samples import some
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
    Outcome.STILL_OPEN: AttemptStatus.DECLINED,
    Outcome.ADOPTED: AttemptStatus.DECLINED,
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
    (Operation.CLOSE, True): (),
    (Operation.CLOSE, False): (),
}
"""What an operation publishes that was carried out, or not."""


FINAL = {Outcome.DONE, Outcome.DECLINED, Outcome.STILL_HELD, Outcome.STILL_OPEN, Outcome.ADOPTED}
ANSWER = {
    Outcome.DONE: "approved",
    Outcome.DECLINED: "declined",
    Outcome.STILL_HELD: "declined",
    Outcome.STILL_OPEN: "declined",
    Outcome.ADOPTED: "declined",
    Outcome.PENDING: "pending",
    Outcome.ACTION: "requires_action",
    Outcome.UNKNOWN: "unknown",
    Outcome.NOT_TAKEN: "not_taken",
    Outcome.WAITS: "not_taken",
    Outcome.READ_AGAIN: "unknown",
}
"""What `gateway_requests_total` calls the answer to a call."""
NOT_TAKEN = {
    *(Reply.UNAUTHORIZED, Reply.FORBIDDEN, Reply.MISSING, Reply.LOCKED, Reply.LOCK_TIMEOUT, Reply.ENDPOINT_LIMIT),
    *(Reply.RATE_LIMIT, Reply.RATE_LIMIT_WAIT, Reply.NO_CONNECTION),
}
"""The replies that it calls so whenever they come to a reading."""
KEY_REFUSED = {Reply.UNAUTHORIZED, Reply.FORBIDDEN, Reply.MISSING}
REQUESTS, REFUSED = "gateway_requests_total", "gateway_credentials_refused_total"
RESOLVED = "gateway_outcomes_resolved_total"
LABELS: dict[str, tuple[str, ...]] = {REQUESTS: ("operation", "status"), REFUSED: (), RESOLVED: ("operation", "status")}
"""The metrics that are watched here, and their labels."""


@pytest.fixture(scope="module")
async def world(gateway_database: TestDatabase) -> AsyncIterator[World]:
    async with gateway_database.open("gateway") as database, a_world(database) as running:
        yield running


class Played(msgspec.Struct, frozen=True):
    """Every pair that is run, played once, and what that added to the metrics."""

    seen: dict[Pair, Seen | BaseException]
    counted: Counter[tuple[str, ...]]


@pytest.fixture(scope="module")
async def played(world: World) -> Played:
    before = samples()
    # Some of each row at each operation and moment.
    every = some(pairs(), name="pairs", by=lambda pair: (pair.operation, pair.moment, ROW_OF[pair]))
    places = asyncio.Semaphore(_AT_A_TIME)

    async def one(pair: Pair) -> Seen:
        async with places:
            return await play(world, pair)

    seen = await asyncio.gather(*(one(pair) for pair in every), return_exceptions=True)
    return Played(dict(zip(every, seen, strict=True)), samples() - before)


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("operation", Operation)
async def test_pairs_have_the_outcomes_of_their_rows(played: Played, operation: Operation, moment: Moment) -> None:
    chosen = [pair for pair in played.seen if (pair.operation, pair.moment) == (operation, moment)]
    assert chosen or operation not in READABLE
    assert {str(pair): found for pair in chosen if (found := difference(pair, played.seen[pair]))} == {}


def test_metrics_agree_with_the_rows(played: Played) -> None:
    expected: Counter[tuple[str, ...]] = Counter()
    for pair in played.seen:
        row = ROW_OF[pair]
        # The end of a hold, and of what was declined, is called as a void.
        call = Operation.VOID if pair.operation in OURS else pair.operation
        if pair.moment is not Moment.CALL:
            # The call before: in doubt, or taken on.
            expected[REQUESTS, call, "pending" if pair.moment is Moment.READ else "unknown"] += 1
        expected[REQUESTS, "look_up" if pair.moment is Moment.LOOK_UP else call, answer(pair, row)] += 1
        # Without a payment before, what an account does not have is the payment method.
        is_method = pair.reply is Reply.MISSING and pair.operation is Operation.AUTHORIZE and pair.moment in CALLS
        if pair.reply in KEY_REFUSED and not is_method:
            expected[(REFUSED,)] += 1
        if pair.moment in {Moment.AGAIN, Moment.LOOK_UP} and row.outcome in FINAL:
            expected[RESOLVED, pair.operation, STATUS[row.outcome]] += 1
    assert played.counted == expected


def answer(pair: Pair, row: Row) -> str:
    """What the metric calls the answer."""
    if row.outcome in FINAL and pair.moment is Moment.LOOK_UP and is_absent(pair):
        return "absent"
    if pair.reply in NOT_TAKEN and pair.moment not in CALLS:
        return "not_taken"
    return ANSWER[row.outcome]


def is_absent(pair: Pair) -> bool:
    """Whether a state shows that the operation was not carried out."""
    match pair.operation:
        case Operation.AUTHORIZE | Operation.REFUND:
            return pair.state is State.ABSENT
        case Operation.CAPTURE:
            return pair.state not in {State.TAKEN, State.OTHER_AMOUNT, State.CANCELED, State.EXPIRED}
        case _:
            return pair.state not in {State.CANCELED, State.EXPIRED, State.TAKEN}


def samples() -> Counter[tuple[str, ...]]:
    """What the metrics count now, without zeros."""
    found: Counter[tuple[str, ...]] = Counter()
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name in LABELS and sample.value:
                found[(sample.name, *(sample.labels[name] for name in LABELS[sample.name]))] = int(sample.value)
    return found


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
    if row.outcome is Outcome.ADOPTED:
        # Of a hold that was to be released it is known that it was authorized.
        adopted = ("payment.authorized",) if pair.operation is Operation.CLOSE else ()
        return (*adopted, "payment.captured", *PUBLISHED[pair.operation, False])
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
        case Outcome.DONE | Outcome.DECLINED | Outcome.STILL_HELD | Outcome.STILL_OPEN | Outcome.ADOPTED:
            return None
        case Outcome.PENDING | Outcome.ACTION:
            return next(then for then in PATIENCE.reading_ages if then > age) - age
        case Outcome.READ_AGAIN:
            # A reading that failed was none: it is repeated long before the next age.
            following = next(then for then in PATIENCE.reading_ages if then > age) - age
            if pair.reply in {Reply.UNAUTHORIZED, Reply.FORBIDDEN, Reply.MISSING}:
                pause = timedelta(seconds=CREDENTIALS_PAUSE_SECONDS)
            return min(following, max(PATIENCE.pause, pause, age / 10))
        case Outcome.UNKNOWN if pair.moment is Moment.LOOK_UP:
            return PATIENCE.look_up_ages[1] - PATIENCE.look_up_ages[0]
        case Outcome.UNKNOWN:
            return next(then for then in PATIENCE.ages if then > age + pause) - age
        case Outcome.WAITS:
            return timedelta(seconds=CREDENTIALS_PAUSE_SECONDS)
        case Outcome.NOT_TAKEN:
            return max(PATIENCE.pause, pause)


def is_released_later(pair: Pair, row: Row) -> bool:
    """Whether funds that are still held, or what is still open, are released by the gateway itself."""
    if row.outcome is Outcome.STILL_OPEN:
        return True
    return row.outcome is Outcome.STILL_HELD and pair.operation in {Operation.CAPTURE, Operation.EXPIRE}
