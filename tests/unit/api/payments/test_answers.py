"""Whose answers are looked up in the database: of those alone who wait for longer than an answer takes that is handed over."""

import asyncio
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from libs.common.clock import SystemClock
from services.api.idempotency import Answer, Claim
from services.api.payments.commands import Answers

_DONE = Answer(200, b"{}")


class _Waiting:
    """Requests that wait, and a clock that is turned; no database is read."""

    def __init__(self) -> None:
        nobody: Any = None
        self.seconds = 100.0
        self.answers = Answers(nobody, clock=SystemClock(), timeout_seconds=60, now=lambda: self.seconds)

    def claim(self, key: str) -> Claim:
        now = SystemClock().now()
        return Claim(
            tenant_id="t",
            operation="confirm",
            key=key,
            fingerprint=b"",
            fingerprint_earlier=b"",
            claimed_at=now,
            lease_until=now,
            expires_at=now,
        )

    async def answered(self, after: float) -> None:
        """Let one request be answered that has waited for so many seconds."""
        claim, subject = self.claim("handed over"), uuid4()
        with self.answers.expecting(claim, subject) as future:
            waiting = asyncio.create_task(self.answers.wait(future, claim, since=0, otherwise=_DONE))
            await asyncio.sleep(0)
            self.seconds += after
            self.answers.hand_over("t", subject, _DONE, version=1)
            assert await waiting == _DONE

    def late(self) -> list[str]:
        return [key for _, _, key in self.answers.late()]


@pytest.mark.parametrize(("usual", "in_time", "late"), [(0.0, 0.04, 0.06), (0.05, 0.09, 0.11), (3.0, 0.24, 0.26)])
async def test_only_who_waits_longer_than_usual_is_looked_up(usual: float, in_time: float, late: float) -> None:
    waiting = _Waiting()
    for _ in range(100):
        await waiting.answered(usual)
    began = waiting.seconds
    with ExitStack() as stack:
        stack.enter_context(waiting.answers.expecting(waiting.claim("first"), uuid4()))
        waiting.seconds = began + in_time
        stack.enter_context(waiting.answers.expecting(waiting.claim("second"), uuid4()))
        assert waiting.late() == []
        waiting.seconds = began + late
        assert waiting.late() == ["first"]
    assert waiting.late() == []


async def test_what_another_process_answers_is_looked_up_sooner_from_then_on() -> None:
    waiting = _Waiting()
    for _ in range(100):
        await waiting.answered(0.2)
    claim = waiting.claim("elsewhere")
    with waiting.answers.expecting(claim, uuid4()) as future:
        waiting.answers.found({("t", "confirm", "elsewhere"): _DONE})
        assert await future == _DONE
    with waiting.answers.expecting(waiting.claim("next"), uuid4()):
        waiting.seconds += 0.06
        assert waiting.late() == ["next"]


async def test_all_who_wait_for_a_payment_get_its_answer() -> None:
    waiting, subject = _Waiting(), uuid4()
    confirm, void = waiting.claim("confirm"), waiting.claim("void")
    with waiting.answers.expecting(confirm, subject) as first:
        # A repetition under the same key, which is refused, and another command that comes and goes.
        with waiting.answers.expecting(confirm, uuid4()), waiting.answers.expecting(void, subject) as second:
            tasks = [
                asyncio.create_task(waiting.answers.wait(future, claim, since=1, otherwise=Answer(202, b"")))
                for future, claim in ((first, confirm), (second, void))
            ]
            await asyncio.sleep(0)
            waiting.answers.hand_over("t", subject, _DONE, version=1)
            assert not first.done()
            waiting.answers.hand_over("t", subject, _DONE, version=2)
            assert await asyncio.gather(*tasks) == [_DONE, _DONE]
        assert list(waiting.answers._keys) == [("t", subject)]
    assert waiting.answers._keys == {}
