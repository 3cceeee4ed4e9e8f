"""The gateway's commands on a real database: commands in, messages and attempts out, and money moved once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, PaymentCommand, PaymentMessage
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.gateway import metrics
from services.gateway.app import patience
from services.gateway.errors import AttemptConflict, ProcessorUnavailable, Unstorable
from services.gateway.operations import Attempt, AttemptStatus, AttemptStore, Commands
from services.gateway.operations.sql.attempts import Recording
from services.gateway.processors.port import Answer, Authorize, NotTaken, NotTakenReason, Operation, Processor
from services.gateway.processors.sandbox import SandboxProcessor
from services.gateway.resilience import Bulkhead, Circuit, ResilientProcessor, Retries
from services.gateway.settings import ResolutionSettings
from tests.support.databases import TestDatabase
from tests.support.processors import SoleProcessor
from tests.unit.gateway.processors.processor_suite import CountingProcessor

PATIENCE = patience(ResolutionSettings())
DEADLINE_SECONDS = 2.0


class Killed(BaseException):
    """Stands for the end of the process: nothing after it happens."""


class Dying:
    """A processor in front of which, or behind which, the process dies the first time."""

    name = "sandbox"

    def __init__(self, processor: Processor, *, before_the_call: bool) -> None:
        self._processor = processor
        self._before = before_the_call
        self._died = False

    async def authorize(self, request: Authorize) -> Answer:
        if self._died:
            return await self._processor.authorize(request)
        self._died = True
        if not self._before:
            await self._processor.authorize(request)
        raise Killed

    async def capture(self, request: Any) -> Answer:
        return await self._processor.capture(request)

    async def void(self, request: Any) -> Answer:
        return await self._processor.void(request)

    async def refund(self, request: Any) -> Answer:
        return await self._processor.refund(request)


class Gateway:
    """One process of the gateway, and the eyes on its schema."""

    def __init__(self, database: Database, clock: ManualClock, tenant_id: str, processor: Processor) -> None:
        self.database = database
        self.clock = clock
        self.tenant_id = tenant_id
        self.store = AttemptStore(database)
        self.processor = processor
        self.circuit = Circuit(name=f"c-{tenant_id}", failures_max=20, open_seconds=30, clock=clock)
        self.set_bulkhead(Bulkhead(places=100, wait_seconds=1))

    def set_bulkhead(self, bulkhead: Bulkhead) -> None:
        self.commands = Commands(
            store=self.store,
            processors=SoleProcessor(self._asking(self.processor, max_retries=3), bulkhead),
            resolvers=SoleProcessor(self._asking(self.processor, max_retries=0), bulkhead),
            patience=PATIENCE,
            deadline_seconds=DEADLINE_SECONDS,
            parked_after_retries=4,
            clock=self.clock,
        )

    def _asking(self, processor: Processor, *, max_retries: int) -> ResilientProcessor:
        retries = Retries(
            max_retries=max_retries, base_delay_seconds=0.001, max_delay_seconds=0.001, call_timeout_seconds=1
        )
        return ResilientProcessor(processor, circuit=self.circuit, retries=retries)

    def authorize_command(
        self, amount_minor: int, *, intent: UUID | None = None, retries: int = 0
    ) -> Received[AuthorizePayment]:
        return self._received(
            AuthorizePayment(
                payment_intent_id=intent or new_id(), amount_minor=amount_minor, currency="BRL", customer_ref="c-1"
            ),
            retries=retries,
        )

    def capture_command(self, amount_minor: int, *, intent: UUID, gateway_ref: str) -> Received[CapturePayment]:
        return self._received(
            CapturePayment(payment_intent_id=intent, amount_minor=amount_minor, currency="BRL", gateway_ref=gateway_ref)
        )

    def _received[M: PaymentMessage](self, body: M, *, retries: int = 0) -> Received[M]:
        return Received(
            id=new_id(),
            body=body,
            occurred_at=self.clock.now(),
            correlation=Correlation(correlation_id=f"corr-{body.payment_intent_id}", tenant_id=self.tenant_id),
            attempt=retries,
        )

    async def published(self, intent: UUID) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.database.fetch(
            "SELECT contract, body FROM outbox WHERE tenant_id = $1 AND body::jsonb ->> 'payment_intent_id' = $2 "
            "ORDER BY seq",
            self.tenant_id,
            str(intent),
        )
        return [(row["contract"], msgspec.json.decode(row["body"])) for row in rows]

    async def attempts(self, intent: UUID) -> list[Attempt]:
        return await self.store.of_intent(tenant_id=self.tenant_id, payment_intent_id=intent)

    async def resolve_after(self, by: timedelta) -> int:
        self.clock.advance(by)
        return await self.commands.resolve_due(limit=1_000)


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway") as opened:
        yield opened
        # The resolver takes whatever is due: leave nothing of this test to the next one.
        await opened.write("UPDATE attempts SET next_ask_at = NULL")


@pytest.fixture
def book() -> CountingProcessor:
    return CountingProcessor(SandboxProcessor(slow_seconds=0.001))


@pytest.fixture
def gateway(database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor) -> Gateway:
    return Gateway(database, clock, tenant_id, book)


async def test_an_authorization_is_held_and_published_once(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [(contract, body)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.authorized"
    assert body["amount_minor"] == 15_050
    assert body["gateway_ref"].startswith("sandbox_")
    [attempt] = await gateway.attempts(intent)
    assert attempt.status is AttemptStatus.APPROVED
    assert attempt.gateway_ref == body["gateway_ref"]
    assert (attempt.asks, attempt.next_ask_at, attempt.decided_at) == (1, None, gateway.clock.now())
    assert attempt.correlation_id == f"corr-{intent}"
    assert book.charges == {f"authorize {intent}": 1}


async def test_an_authorization_sent_twice_is_one_charge_and_one_event(
    gateway: Gateway, book: CountingProcessor
) -> None:
    command = gateway.authorize_command(15_050)
    await gateway.commands.authorize(command)
    await gateway.commands.authorize(gateway.authorize_command(15_050, intent=command.body.payment_intent_id))
    assert len(await gateway.published(command.body.payment_intent_id)) == 1
    assert sum(book.calls.values()) == 1


async def test_twenty_copies_at_once_in_two_processes_are_one_charge(
    gateway: Gateway, database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    other = Gateway(database, clock, tenant_id, book)
    commands = [gateway.authorize_command(15_050) for _ in range(10)]
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            for command in commands:
                group.create_task(gateway.commands.authorize(command))
                group.create_task(other.commands.authorize(command))
    for command in commands:
        intent = command.body.payment_intent_id
        assert len(await gateway.published(intent)) == 1
        assert len(await gateway.attempts(intent)) == 1
        assert book.charges[f"authorize {intent}"] == 1


async def test_many_commands_at_once_share_few_commits(gateway: Gateway, database: Database) -> None:
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    ended = database.after_commit(count)
    await asyncio.gather(*(gateway.commands.authorize(gateway.authorize_command(amount)) for amount in range(100, 300)))
    ended()
    assert commits <= 20


async def test_load_waits_in_line_and_nothing_is_postponed(gateway: Gateway, book: CountingProcessor) -> None:
    gateway.set_bulkhead(Bulkhead(places=8, wait_seconds=30, waiting_max=512))
    commands = [gateway.authorize_command(amount) for amount in range(15_000, 15_300)]
    await asyncio.gather(*(gateway.commands.authorize(command) for command in commands))
    outcomes = [await gateway.published(command.body.payment_intent_id) for command in commands]
    assert [[contract for contract, _ in published] for published in outcomes] == [
        ["event:gateway:payment.authorized"]
    ] * 300
    assert set(book.calls.values()) == {1}


async def test_beyond_the_line_the_attempts_table_waits_and_its_turn_comes_at_once(
    gateway: Gateway, book: CountingProcessor
) -> None:
    gateway.set_bulkhead(Bulkhead(places=8, wait_seconds=30, waiting_max=8))
    commands = [gateway.authorize_command(amount) for amount in range(15_000, 15_100)]
    await asyncio.gather(*(gateway.commands.authorize(command) for command in commands))
    intents = [command.body.payment_intent_id for command in commands]
    parked = [attempt for intent in intents for attempt in await gateway.attempts(intent) if not attempt.is_decided]
    assert len(parked) > 50
    assert {(a.asked_at, a.asks, a.next_ask_at) for a in parked} == {(None, 0, gateway.clock.now())}
    gateway.set_bulkhead(Bulkhead(places=100, wait_seconds=30))
    assert await gateway.commands.resolve_due(limit=1_000) == len(parked)
    for intent in intents:
        assert len(await gateway.published(intent)) == 1
    assert set(book.calls.values()) == {1}


async def test_a_repetition_with_other_money_is_refused(gateway: Gateway) -> None:
    command = gateway.authorize_command(15_050)
    await gateway.commands.authorize(command)
    with pytest.raises(AttemptConflict):
        await gateway.commands.authorize(gateway.authorize_command(15_051, intent=command.body.payment_intent_id))


@pytest.mark.parametrize(
    ("amount_minor", "currency"), [(0, "BRL"), (-1, "BRL"), (10**15 + 1, "BRL"), (2**70, "BRL"), (100, "XYZ")]
)
async def test_money_that_nobody_can_charge_is_refused(
    gateway: Gateway, book: CountingProcessor, amount_minor: int, currency: str
) -> None:
    command = gateway.authorize_command(100)
    body = msgspec.structs.replace(command.body, amount_minor=amount_minor, currency=currency)
    with pytest.raises(Invalid):
        await gateway.commands.authorize(msgspec.structs.replace(command, body=body))
    assert await gateway.attempts(command.body.payment_intent_id) == []
    assert not book.calls


async def test_a_command_that_cannot_be_stored_does_not_take_its_neighbours_with_it(gateway: Gateway) -> None:
    commands = [gateway.authorize_command(15_050) for _ in range(100)]
    commands[40] = msgspec.structs.replace(
        commands[40], body=msgspec.structs.replace(commands[40].body, customer_ref="a\x00b")
    )
    results = await asyncio.gather(
        *(gateway.commands.authorize(command) for command in commands), return_exceptions=True
    )
    assert [number for number, result in enumerate(results) if result is not None] == [40]
    assert isinstance(results[40], Unstorable)
    assert len(await gateway.published(commands[99].body.payment_intent_id)) == 1


async def test_the_same_intent_of_another_tenant_is_another_attempt(
    gateway: Gateway, database: Database, clock: ManualClock, book: CountingProcessor
) -> None:
    other = Gateway(database, clock, "another", book)
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    await other.commands.authorize(other.authorize_command(99, intent=intent))
    assert [a.amount_minor for a in await gateway.attempts(intent)] == [15_050]
    assert [a.amount_minor for a in await other.attempts(intent)] == [99]


async def test_a_decline_is_published_with_its_reason(gateway: Gateway) -> None:
    command = gateway.authorize_command(9_001)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [(contract, body)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.declined"
    assert body["reason"] == "insufficient_funds"
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.reason) == (AttemptStatus.DECLINED, "insufficient_funds")


async def test_a_capture_follows_its_authorization(gateway: Gateway, book: CountingProcessor) -> None:
    ref = await authorized(gateway, 15_050, intent := new_id())
    command = gateway.capture_command(15_050, intent=intent, gateway_ref=ref)
    await gateway.commands.capture(command)
    await gateway.commands.capture(command)
    published = await gateway.published(intent)
    assert [contract for contract, _ in published] == [
        "event:gateway:payment.authorized",
        "event:gateway:payment.captured",
    ]
    assert published[1][1]["gateway_ref"] == ref
    assert [a.operation for a in await gateway.attempts(intent)] == [Operation.AUTHORIZE, Operation.CAPTURE]
    assert book.charges == {f"authorize {intent}": 1, f"capture {intent}": 1}


async def test_a_refused_capture_is_published_with_its_reason(gateway: Gateway) -> None:
    ref = await authorized(gateway, 9_031, intent := new_id())
    await gateway.commands.capture(gateway.capture_command(9_031, intent=intent, gateway_ref=ref))
    contract, body = (await gateway.published(intent))[-1]
    assert (contract, body["reason"]) == ("event:gateway:payment.capture_failed", "authorization_expired")


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


async def test_unknown_outcome_is_left_to_a_person_and_never_guessed(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(9_014)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    before = (await gateway.store.count_open()).overdue
    alarms = metrics.OUTCOMES_OVERDUE.labels(Operation.AUTHORIZE)._value
    rung = alarms.get()
    began, calls = gateway.clock.now(), 0
    for age in PATIENCE.ages:
        gateway.clock.advance(began + age - gateway.clock.now())
        calls += await gateway.commands.resolve_due(limit=1_000)
    assert calls == len(PATIENCE.ages)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.UNKNOWN, None)
    assert await gateway.published(intent) == []
    assert (await gateway.store.count_open()).overdue == before + 1
    assert alarms.get() == rung + 1
    # A day later the processor may have forgotten the key, and the same question could be a second charge.
    gateway.clock.advance(timedelta(days=1))
    asks = sum(book.calls.values())
    await gateway.commands.authorize(command)
    assert await gateway.commands.resolve_due(limit=1_000) == 0
    assert sum(book.calls.values()) == asks


async def test_a_service_that_was_down_for_days_does_not_use_old_keys(
    gateway: Gateway, book: CountingProcessor
) -> None:
    command = gateway.authorize_command(9_013)
    await gateway.commands.authorize(command)
    asks = sum(book.calls.values())
    assert await gateway.resolve_after(timedelta(days=3)) == 1
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.UNKNOWN, None)
    assert sum(book.calls.values()) == asks


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


class Pausing(Dying):
    """A processor that answers an authorization when it is let go."""

    def __init__(self, processor: Processor) -> None:
        super().__init__(processor, before_the_call=True)
        self.called, self.let_go = asyncio.Event(), asyncio.Event()

    async def authorize(self, request: Authorize) -> Answer:
        self.called.set()
        await self.let_go.wait()
        return await self._processor.authorize(request)


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


async def open_circuit(gateway: Gateway) -> None:
    async def fail() -> None:
        raise TimeoutError

    for _ in range(20):
        with pytest.raises(TimeoutError):
            await gateway.circuit.call(fail, timeout_seconds=1)


async def test_while_the_circuit_is_open_a_command_waits_and_nothing_is_written(
    gateway: Gateway, book: CountingProcessor
) -> None:
    await open_circuit(gateway)
    command = gateway.authorize_command(15_050)
    with pytest.raises(ProcessorUnavailable):
        await gateway.commands.authorize(command)
    assert await gateway.attempts(command.body.payment_intent_id) == []
    gateway.clock.advance(timedelta(seconds=30))
    await gateway.commands.authorize(command)
    assert len(await gateway.published(command.body.payment_intent_id)) == 1
    assert sum(book.calls.values()) == 1


async def test_a_command_that_has_waited_long_waits_in_the_table_without_an_end(
    gateway: Gateway, book: CountingProcessor
) -> None:
    await open_circuit(gateway)
    command = gateway.authorize_command(15_050, retries=4)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.asked_at) == (AttemptStatus.PENDING, None)
    assert await gateway.resolve_after(timedelta(seconds=10)) == 0
    assert await gateway.resolve_after(timedelta(days=3)) == 1
    assert len(await gateway.published(intent)) == 1
    assert book.charges == {f"authorize {intent}": 1}


async def test_a_parked_attempt_is_left_to_the_resolver(gateway: Gateway, book: CountingProcessor) -> None:
    await open_circuit(gateway)
    command = gateway.authorize_command(15_050, retries=4)
    await gateway.commands.authorize(command)
    gateway.clock.advance(timedelta(seconds=30))
    await gateway.commands.authorize(command)
    assert sum(book.calls.values()) == 0
    assert await gateway.commands.resolve_due(limit=100) == 1
    assert len(await gateway.published(command.body.payment_intent_id)) == 1


async def test_a_request_that_was_not_taken_is_soon_made_again(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    class Deaf:
        name = "sandbox"
        deaf = True

        async def authorize(self, request: Authorize) -> Answer:
            return NotTaken(reason=NotTakenReason.UNREACHABLE) if self.deaf else await book.authorize(request)

        async def capture(self, request: Any) -> Answer:
            return await book.capture(request)

        async def void(self, request: Any) -> Answer:
            return await book.void(request)

        async def refund(self, request: Any) -> Answer:
            return await book.refund(request)

    deaf = Deaf()
    gateway = Gateway(database, clock, tenant_id, deaf)
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.reason) == (AttemptStatus.PENDING, "unreachable")
    deaf.deaf = False
    assert await gateway.resolve_after(timedelta(seconds=5)) == 1
    assert len(await gateway.published(intent)) == 1


async def test_a_refusal_to_listen_does_not_take_back_that_somebody_else_got_no_answer(gateway: Gateway) -> None:
    command = gateway.authorize_command(9_014)
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    stale = msgspec.structs.replace(attempt, status=AttemptStatus.PENDING, reason="circuit_open")
    await gateway.store.record(Recording(attempt=stale, publication=None, recorded_at=gateway.clock.now()))
    [after] = await gateway.attempts(command.body.payment_intent_id)
    assert after.status is AttemptStatus.UNKNOWN


async def test_the_outcome_event_has_the_same_id_whoever_publishes_it(gateway: Gateway, database: Database) -> None:
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    rows = "SELECT event_id FROM outbox WHERE body::jsonb ->> 'payment_intent_id' = $1"
    [first] = await database.fetch(rows, str(intent))
    # As if the attempt's outcome had been lost with a restored backup, and was found out anew.
    await database.write("UPDATE attempts SET status = 'PENDING' WHERE payment_intent_id = $1", intent)
    await gateway.commands.authorize(command)
    assert [row["event_id"] for row in await database.fetch(rows, str(intent))] == [first["event_id"]] * 2


async def test_lost_outcome_is_published_again_without_another_call(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [first] = await gateway.published(intent)
    asks = sum(book.calls.values())
    repeated = metrics.OUTCOMES_REPEATED.labels(Operation.AUTHORIZE)._value
    before = repeated.get()
    await gateway.commands.authorize(again(command))
    assert await gateway.published(intent) == [first, first]
    assert (sum(book.calls.values()), repeated.get()) == (asks, before + 1)


async def test_command_of_which_only_the_repetition_arrives_is_carried_out(
    gateway: Gateway, book: CountingProcessor
) -> None:
    intent = new_id()
    await gateway.commands.authorize(again(gateway.authorize_command(15_050, intent=intent)))
    [attempt] = await gateway.attempts(intent)
    capture = gateway.capture_command(15_050, intent=intent, gateway_ref=attempt.gateway_ref)
    await gateway.commands.capture(again(capture))
    # What is known of the payment is published again before.
    contracts = [contract.rpartition(".")[2] for contract, _ in await gateway.published(intent)]
    assert contracts == ["authorized", "authorized", "captured"]
    assert book.charges == {f"authorize {intent}": 1, f"capture {intent}": 1}


async def test_repetition_of_what_has_no_outcome_yet_is_left_to_the_schedule(
    gateway: Gateway, book: CountingProcessor
) -> None:
    command = gateway.authorize_command(9_013)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    asks = sum(book.calls.values())
    await gateway.commands.authorize(again(command))
    assert (await gateway.published(intent), sum(book.calls.values())) == ([], asks)
    assert await gateway.resolve_after(timedelta(seconds=5)) == 1
    assert len(await gateway.published(intent)) == 1


def again[M: PaymentCommand](command: Received[M]) -> Received[M]:
    """Send a command once more, because no outcome has come."""
    return msgspec.structs.replace(command, id=new_id(), body=msgspec.structs.replace(command.body, is_repeated=True))


async def authorized(gateway: Gateway, amount_minor: int, intent: UUID) -> str:
    await gateway.commands.authorize(gateway.authorize_command(amount_minor, intent=intent))
    [attempt] = await gateway.attempts(intent)
    assert attempt.status is AttemptStatus.APPROVED
    return attempt.gateway_ref
