"""Waiting for a fact, with a deadline for the whole and one for each question."""

import asyncio
from collections.abc import Awaitable, Callable

WAIT_SECONDS = 60
_QUESTION_SECONDS = 10
"""A question that takes longer is put again: a connection that is never made must not use up the whole wait."""
_PAUSE_SECONDS = 0.02


async def until[T](fact: Callable[[], Awaitable[T | None]], *, seconds: float = WAIT_SECONDS, sentence: str = "") -> T:
    """Ask until the answer is true, and return it.

    Raises:
        AssertionError: after `seconds`, with `sentence` or the name of the fact, and its last answer.
    """
    answer: object = "no answer yet"
    try:
        async with asyncio.timeout(seconds) as whole:
            while True:
                try:
                    async with asyncio.timeout(_QUESTION_SECONDS) as question:
                        answer = found = await fact()
                except TimeoutError:
                    if not question.expired():
                        raise
                    answer = f"none within {_QUESTION_SECONDS} s"
                    continue
                if found:
                    return found
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError as fault:
        if not whole.expired():
            raise
        name = getattr(fact, "__name__", str(fact))
        raise AssertionError(f"{sentence or name}: not after {seconds} s; last answer: {answer}") from fault
