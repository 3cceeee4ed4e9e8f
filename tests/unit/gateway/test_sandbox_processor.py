"""The sandbox: its table, its documentation, and the port's suite."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from services.gateway.domain import Operation
from services.gateway.processor import Answer, Approved, Declined, NotTaken, Processor, Unknown, UnknownReason
from services.gateway.sandbox_processor import CASES, Case, SandboxProcessor, Trouble, sandbox_page
from tests.unit.gateway.processor_suite import (
    CountingProcessor,
    Cue,
    ProcessorSuite,
    a_capture,
    an_authorization,
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
}


class TestSandbox(ProcessorSuite):
    def make(self) -> Processor:
        return SandboxProcessor(slow_seconds=0.001)

    def amount_for(self, cue: Cue) -> int:
        return SANDBOX_AMOUNTS[cue]


class TestCountingFake(TestSandbox):
    def make(self) -> Processor:
        return CountingProcessor(SandboxProcessor(slow_seconds=0.001))


async def _answer(case: Case, *, ask: int) -> Answer:
    sandbox = SandboxProcessor(slow_seconds=0.001)
    if case.operation is Operation.AUTHORIZE:
        return await sandbox.authorize(msgspec.structs.replace(an_authorization(case.ending), ask=ask))
    ref = await held(sandbox, case.ending)
    return await sandbox.capture(msgspec.structs.replace(a_capture(case.ending, gateway_ref=ref), ask=ask))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.ending))
async def test_every_amount_does_what_the_table_says(case: Case) -> None:
    if case.trouble is not None and case.trouble is not Trouble.SLOW:
        expected = NotTaken if case.trouble is Trouble.RATE_LIMIT else Unknown
        assert isinstance(await _answer(case, ask=1), expected)
        assert isinstance(await _answer(case, ask=case.asks), expected)
    truth = await _answer(case, ask=case.asks + 1)
    assert isinstance(truth, Declined if case.decline else Approved)
    if isinstance(truth, Declined):
        assert truth.reason is case.decline


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.ending))
async def test_the_other_operation_of_a_special_amount_succeeds(case: Case) -> None:
    sandbox = SandboxProcessor()
    if case.operation is Operation.CAPTURE:
        assert isinstance(await sandbox.authorize(an_authorization(case.ending)), Approved)
    else:
        ref = await held(sandbox, 100)
        assert isinstance(await sandbox.capture(a_capture(case.ending, gateway_ref=ref)), Approved)


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
    page = Path(__file__).parents[3] / "docs" / "sandbox.md"
    assert page.read_text() == sandbox_page(), "run: python -m services.gateway sandbox-table > docs/sandbox.md"
