"""The circuit breaker: aiobreaker counts and changes states, and what it gets wrong is put right here."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum

import aiobreaker

from libs.common.clock import Clock
from services.gateway import metrics


class CircuitState(StrEnum):
    """Whether calls go out."""

    CLOSED = "closed"
    """They do."""
    HALF_OPEN = "half_open"
    """A single one does, as a probe."""
    OPEN = "open"
    """They do not."""


_ORDINALS = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}
_STATES = {
    aiobreaker.CircuitBreakerState.CLOSED: CircuitState.CLOSED,
    aiobreaker.CircuitBreakerState.HALF_OPEN: CircuitState.HALF_OPEN,
    aiobreaker.CircuitBreakerState.OPEN: CircuitState.OPEN,
}


class CircuitOpenError(Exception):
    """The call did not go out."""


class _Breaker(aiobreaker.CircuitBreaker):  # type: ignore[misc] # the library has no types
    """aiobreaker without its clock.

    Of its own it notes the moment of opening with `datetime.utcnow()`, which is deprecated (under `-W error` the circuit
    then never opens) and naive (compared with local time). Its storage never learns that moment from us, so it never looks
    at a clock; `Circuit` does, at the one it was given.
    """

    def __init__(self, *, fail_max: int, opened: Callable[[], None], opens_at: Callable[[], datetime]) -> None:
        super().__init__(fail_max=fail_max)
        self._opened = opened
        self._when = opens_at

    def open(self) -> None:
        """Open the circuit; a straggler that fails afterwards does not prolong it."""
        if self.current_state is not aiobreaker.CircuitBreakerState.OPEN:
            self._opened()
            self.state = self._state_storage.state = aiobreaker.CircuitBreakerState.OPEN

    @property
    def opens_at(self) -> datetime:
        """When a probe may pass; part of the text of the library's own error."""
        return self._when()


class Circuit:
    """A circuit breaker: after so many failures in a row calls stop for a while, then a single one probes.

    aiobreaker counts and changes states. What it gets wrong is put right here: only one call passes a half-open circuit,
    the error of the call that trips it reaches its caller, timeouts are counted, and time is the given clock's.
    """

    def __init__(
        self, *, name: str, failures_max: int, open_seconds: float, clock: Clock, is_shown: bool = True
    ) -> None:
        """`is_shown` makes its state a metric: only where the name is a word of a closed set."""
        self._name = name
        self._is_shown = is_shown
        self._clock = clock
        self._open_for = timedelta(seconds=open_seconds)
        self._opened_at = clock.now()
        self._probing = False
        self._breaker = _Breaker(fail_max=failures_max, opened=self._note_opening, opens_at=lambda: self.probe_at)
        self._shown: CircuitState | None = None
        self._show()

    @property
    def state(self) -> CircuitState:
        """Whether calls go out."""
        return _STATES[self._breaker.current_state]

    @property
    def opened_at(self) -> datetime:
        """When it opened last."""
        return self._opened_at

    @property
    def probe_at(self) -> datetime:
        """When the next call goes out at the earliest, where it is open."""
        return self._opened_at + self._open_for

    def ensure_closed(self) -> None:
        """Return when a call made now would go out.

        Raises:
            CircuitOpenError: when it would not.
        """
        if self.state is CircuitState.CLOSED:
            return
        if self._probing or (self.state is CircuitState.OPEN and self._clock.now() < self.probe_at):
            raise CircuitOpenError(f"the circuit {self._name} is {self.state}")

    async def call[T](self, call: Callable[[], Awaitable[T]], *, timeout_seconds: float | None) -> T:
        """Let a call pass, and learn from how it ends: any exception is a failure, `TimeoutError` included.

        Without a timeout the call has a deadline of its own.

        Raises:
            CircuitOpenError: when the call did not go out.
            TimeoutError: when it took longer than its timeout.
        """
        self.ensure_closed()
        probe = self.state is not CircuitState.CLOSED

        async def timed() -> T:
            # Inside the breaker, because it does not count a cancellation that comes from outside.
            async with asyncio.timeout(timeout_seconds):
                return await call()

        self._probing = self._probing or probe
        try:
            result: T = await self._breaker.call_async(timed)
        except aiobreaker.CircuitBreakerError as opened:
            # The library raises its own error in place of the one that tripped the circuit.
            if opened.__cause__ is None:
                raise CircuitOpenError(str(opened)) from opened
            raise opened.__cause__ from opened.__cause__.__cause__
        else:
            return result
        finally:
            if probe:
                # Also after a cancelled probe, which decides nothing: the next call probes.
                self._probing = False
            self._show()

    def _note_opening(self) -> None:
        self._opened_at = self._clock.now()

    def _show(self) -> None:
        state = self.state
        if state is self._shown or not self._is_shown:
            return
        self._shown = state
        for each in CircuitState:
            metrics.CIRCUIT_STATE.labels(self._name, each).set(each is state)
        metrics.CIRCUIT_STATE_ORDINAL.labels(self._name).set(_ORDINALS[state])
