"""The sandbox: its table, its documentation, and the port's suite."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_actions import BoletoDisplayDetails, PixDisplayQrCode
from libs.common.contracts.gateway_methods import PaymentMethodType
from services.gateway.processors.port import (
    Answer,
    Applied,
    Approved,
    AuthorizedNotice,
    CapturedNotice,
    Declined,
    DeclinedNotice,
    DeclineReason,
    DisputeNotice,
    Notice,
    NotTaken,
    Operation,
    Pending,
    Processor,
    RefundFailedNotice,
    RefundSucceededNotice,
    RequiresAction,
    Unknown,
    UnknownReason,
)
from services.gateway.processors.sandbox import SandboxProcessor, sandbox_page
from services.gateway.processors.sandbox.book import MemoryBook
from services.gateway.processors.sandbox.cases import CASES, Case, Start, Trouble
from tests.support.counting import CountingProcessor
from tests.unit.gateway.processors.processor_suite import (
    REQUESTED_AT,
    Cue,
    ProcessorSuite,
    a_capture,
    a_refund,
    a_void,
    an_authorization,
    captured,
    held,
)

SANDBOX_AMOUNTS = {
    Cue.APPROVE: 15_050,
    Cue.DECLINE_INSUFFICIENT_FUNDS: 9_001,
    Cue.DECLINE_CARD: 129_002,
    Cue.TIMEOUT_AFTER_APPROVAL: 9_011,
    Cue.TIMEOUT_AFTER_DECLINE: 9_012,
    Cue.CAPTURE_TIMEOUT_AFTER_SUCCESS: 9_033,
    Cue.CAPTURE_REFUSED: 9_031,
    Cue.ACTION_REQUIRED: 9_043,
    Cue.REFUND_REFUSED: 9_051,
    Cue.REFUND_PENDING: 9_052,
    Cue.REFUND_TIMEOUT_AFTER_SUCCESS: 9_055,
    Cue.VOID_TIMEOUT_AFTER_SUCCESS: 9_062,
}


class TestSandbox(ProcessorSuite):
    @pytest.fixture(autouse=True)
    def one_account(self) -> None:
        """All processors of one test have the same account."""
        self.book = MemoryBook()

    def make(self) -> Processor:
        return SandboxProcessor(book=self.book, slow_seconds=0.001)

    def amount_for(self, cue: Cue) -> int:
        return SANDBOX_AMOUNTS[cue]


class TestCountingFake(TestSandbox):
    def make(self) -> Processor:
        return CountingProcessor(SandboxProcessor(book=self.book, slow_seconds=0.001))


async def _requester(case: Case) -> Callable[[int], Awaitable[Answer]]:
    """Lead a payment to where the operation of a case is due, and return what asks for it."""
    sandbox = SandboxProcessor(slow_seconds=0.001, later_seconds=3_600)
    request: Any
    call: Any
    match case.operation:
        case Operation.AUTHORIZE:
            kind = PaymentMethodType.PIX if case.by_slip else PaymentMethodType.CARD
            call = sandbox.authorize
            request = msgspec.structs.replace(an_authorization(case.ending), payment_method_type=kind)
        case Operation.CAPTURE:
            call, request = sandbox.capture, a_capture(case.ending, gateway_ref=await held(sandbox, case.ending))
        case Operation.VOID | Operation.EXPIRE:
            call, request = sandbox.void, a_void(case.ending, gateway_ref=await held(sandbox, case.ending))
        case Operation.REFUND:
            call, request = sandbox.refund, a_refund(case.ending, gateway_ref=await captured(sandbox, case.ending))
    return lambda number: call(msgspec.structs.replace(request, call=number))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.ending))
async def test_every_amount_does_what_the_table_says(case: Case) -> None:
    call = await _requester(case)
    if case.trouble is not None and case.trouble is not Trouble.SLOW:
        troubled = NotTaken if case.trouble is Trouble.RATE_LIMIT else Unknown
        assert isinstance(await call(1), troubled)
        assert isinstance(await call(case.calls), troubled)
    truth = await call(case.calls + 1)
    starts = {Start.ACTION: RequiresAction, Start.PENDING: Pending}
    decided = Declined if case.decline else Approved
    expected: Any = decided if case.start is None else starts[case.start]
    assert isinstance(truth, expected)
    if isinstance(truth, Declined):
        assert truth.reason is case.decline


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.ending))
async def test_the_other_operations_of_a_special_amount_succeed(case: Case) -> None:
    sandbox = SandboxProcessor(slow_seconds=0.001, later_seconds=3_600)
    if case.operation is not Operation.AUTHORIZE:
        assert isinstance(await sandbox.authorize(an_authorization(case.ending)), Approved)
    if case.operation is not Operation.CAPTURE:
        ref = await held(sandbox, 10_000)
        assert isinstance(await sandbox.capture(a_capture(case.ending, gateway_ref=ref)), Approved)
    if case.operation is not Operation.REFUND:
        ref = await captured(sandbox, 10_000)
        assert isinstance(await sandbox.refund(a_refund(case.ending, gateway_ref=ref)), Approved)


async def _reported(sandbox: SandboxProcessor) -> list[Notice]:
    reported: list[Notice] = []

    async def take(notice: Notice) -> Applied:
        reported.append(notice)
        return Applied.APPLIED

    await sandbox.report(take, limit=100)
    return reported


@pytest.mark.parametrize(
    ("amount_minor", "expected"), [(9_041, AuthorizedNotice), (9_042, DeclinedNotice), (9_043, None)]
)
async def test_an_action_of_the_customer_ends_by_itself(
    clock: ManualClock, amount_minor: int, expected: type[Notice] | None
) -> None:
    sandbox = SandboxProcessor(clock=clock)
    request = an_authorization(amount_minor)
    assert isinstance(await sandbox.authorize(request), RequiresAction)
    assert await _reported(sandbox) == []
    clock.advance(timedelta(seconds=2))
    assert [type(notice) for notice in await _reported(sandbox)] == ([] if expected is None else [expected])
    assert await _reported(sandbox) == []
    answer = await sandbox.authorize(msgspec.structs.replace(request, call=2))
    ends: dict[Any, type[Any]] = {AuthorizedNotice: Approved, DeclinedNotice: Declined, None: RequiresAction}
    assert isinstance(answer, ends[expected])


@pytest.mark.parametrize("kind", [PaymentMethodType.PIX, PaymentMethodType.BOLETO])
@pytest.mark.parametrize(
    ("amount_minor", "notices", "end"),
    [
        (15_050, [CapturedNotice], Approved),
        (9_045, [], RequiresAction),
        (9_046, [DeclinedNotice], Declined),
        (9_047, [DeclinedNotice, CapturedNotice], Approved),
    ],
)
async def test_a_slip_is_paid_by_itself_or_expires_or_both(
    clock: ManualClock,
    kind: PaymentMethodType,
    amount_minor: int,
    notices: list[type[Notice]],
    end: type[Answer],
) -> None:
    sandbox = SandboxProcessor(clock=clock)
    request = msgspec.structs.replace(an_authorization(amount_minor), payment_method_type=kind)
    answer = await sandbox.authorize(request)
    assert isinstance(answer, RequiresAction)
    shown = PixDisplayQrCode if kind is PaymentMethodType.PIX else BoletoDisplayDetails
    assert isinstance(answer.next_action, shown)
    reported: list[Notice] = []
    for _ in range(3):
        clock.advance(timedelta(seconds=2))
        reported += await _reported(sandbox)
    assert [type(notice) for notice in reported] == notices
    last = await sandbox.authorize(msgspec.structs.replace(request, call=2))
    assert isinstance(last, end)
    if isinstance(last, Declined):
        assert last.reason is DeclineReason.PAYMENT_EXPIRED
    if isinstance(last, Approved):
        # It is taken already; whoever takes it once more finds that.
        capture = a_capture(amount_minor, gateway_ref=last.gateway_ref)
        assert isinstance(await sandbox.capture(capture), Approved)


@pytest.mark.parametrize(
    ("amount_minor", "first", "notice", "last"),
    [
        (9_052, Pending, RefundSucceededNotice, Approved),
        (9_053, Pending, RefundFailedNotice, Declined),
        (9_054, Approved, RefundFailedNotice, Declined),
    ],
)
async def test_a_refund_ends_by_itself(
    clock: ManualClock, amount_minor: int, first: type[Answer], notice: type[Notice], last: type[Answer]
) -> None:
    sandbox = SandboxProcessor(clock=clock)
    ref = await captured(sandbox, 20_000)
    request = a_refund(amount_minor, gateway_ref=ref)
    assert isinstance(await sandbox.refund(request), first)
    clock.advance(timedelta(seconds=2))
    [reported] = await _reported(sandbox)
    assert isinstance(reported, notice)
    assert isinstance(await sandbox.refund(msgspec.structs.replace(request, call=2)), last)
    # What failed can be given back again.
    left = 20_000 if last is Declined else 20_000 - amount_minor
    assert isinstance(await sandbox.refund(a_refund(left, gateway_ref=ref)), Approved)


@pytest.mark.parametrize(
    ("amount_minor", "states"), [(9_071, ["open"]), (9_072, ["open", "won"]), (9_073, ["open", "lost"])]
)
async def test_a_dispute_takes_back_what_is_left_and_ends(
    clock: ManualClock, amount_minor: int, states: list[str]
) -> None:
    sandbox = SandboxProcessor(clock=clock)
    ref = await captured(sandbox, amount_minor)
    assert isinstance(await sandbox.refund(a_refund(71, gateway_ref=ref)), Approved)
    reported: list[Notice] = []
    for _ in range(3):
        clock.advance(timedelta(seconds=2))
        reported += await _reported(sandbox)
    assert all(isinstance(notice, DisputeNotice) for notice in reported)
    assert [(n.state, n.amount_minor) for n in reported if isinstance(n, DisputeNotice)] == [
        (state, amount_minor - 71) for state in states
    ]
    answer = await sandbox.refund(a_refund(1, gateway_ref=ref))
    if states[-1] == "won":
        assert isinstance(answer, Approved)
    else:
        assert isinstance(answer, Declined)
        assert answer.reason is DeclineReason.DISPUTED


async def test_a_hold_that_ends_soon_cannot_be_taken_afterwards() -> None:
    sandbox = SandboxProcessor()
    ref = await held(sandbox, 9_044)
    late = msgspec.structs.replace(a_capture(9_044, gateway_ref=ref), requested_at=REQUESTED_AT + timedelta(seconds=2))
    answer = await sandbox.capture(late)
    assert isinstance(answer, Declined)
    assert answer.reason is DeclineReason.AUTHORIZATION_EXPIRED


def test_no_ending_stands_twice() -> None:
    assert len({case.ending for case in CASES}) == len(CASES)


async def test_an_answer_later_than_the_timeout_is_unknown() -> None:
    late = SandboxProcessor(slow_seconds=60)
    async with asyncio.timeout(5):
        answer = await late.authorize(an_authorization(9_023, timeout_seconds=0.001))
    assert answer == Unknown(reason=UnknownReason.TIMEOUT)


async def test_a_latency_delays_every_answer() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert isinstance(await SandboxProcessor(latency_seconds=0.01).authorize(an_authorization(100)), Approved)
    assert loop.time() - began >= 0.009


def test_the_page_about_the_sandbox_is_what_the_code_says() -> None:
    page = Path(__file__).parents[4] / "docs" / "sandbox.md"
    assert page.read_text() == sandbox_page(), "run: python -m services.gateway sandbox-table > docs/sandbox.md"
