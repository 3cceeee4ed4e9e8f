"""What protects one account at a processor from our insistence, and all others from it: its pace, and a circuit of its own.

The circuit of a processor is for what is the processor's fault; here counts what is the account's: a key that is refused,
and more calls than it may make. What one endpoint takes is less: its pace and its pauses are for calls of one kind alone, and
no circuit. Kept in this process alone, for as many accounts as there is room for.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from libs.common.clock import Clock
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.processors.port import Finding, NotTaken, NotTakenReason
from services.gateway.resilience.bucket import Bucket, NotSentError
from services.gateway.resilience.circuit import Circuit, CircuitOpenError

log = get_logger("gateway.accounts")

_PAUSE_SECONDS = 1.0
"""How long an account is left alone that has made too many calls, where the processor names no time."""
_ENDPOINT_WAIT_SECONDS = 1.0
_ENDPOINT_WAIT_TURNS = 2
"""How long a call waits for the turn of its endpoint while it holds a place of the bulkhead: a second, or so many turns."""
_GUARDS_MAX = 10_000
"""Accounts that are remembered; the one that was used longest ago makes room."""
_ACCOUNTS_FAULTS = frozenset({NotTakenReason.CREDENTIALS_REFUSED, NotTakenReason.RATE_LIMITED})
"""What an account is answered because of itself."""


class _Failed(Exception):
    """Carries an answer that counts as a failure of the account through its circuit."""

    def __init__(self, answer: NotTaken) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class AccountGuard:
    """The pace and the circuit of one account, and the pace of each kind of calls to it."""

    def __init__(
        self,
        name: str,
        *,
        per_second: float,
        per_second_of_endpoint: float,
        failures_max: int,
        open_seconds: float,
        clock: Clock,
    ) -> None:
        self._name = name
        self.bucket = Bucket(per_second=per_second)
        self._per_second_of_endpoint = per_second_of_endpoint
        self._endpoint_wait_seconds = max(_ENDPOINT_WAIT_SECONDS, _ENDPOINT_WAIT_TURNS / per_second_of_endpoint)
        self._endpoints: dict[str, Bucket] = {}
        self._open_seconds = open_seconds
        self._new_circuit = partial(
            Circuit, name=name, failures_max=failures_max, open_seconds=open_seconds, clock=clock, is_shown=False
        )
        self._circuit = self._new_circuit()
        self._last = NotTakenReason.RATE_LIMITED

    @property
    def circuit(self) -> Circuit:
        """Whether its calls go out."""
        return self._circuit

    def close(self) -> None:
        """Let calls go out again: the key may be another one."""
        self._circuit = self._new_circuit()

    def limited(self, met: NotTaken, *, endpoint: str) -> None:
        """Let nothing go out for a while: where it is the account that has had too many calls, whatever they are for."""
        seconds = met.retry_after_seconds or _PAUSE_SECONDS
        metrics.ACCOUNTS_PAUSED.inc()
        what = endpoint if met.is_of_endpoint else "all"
        log.warning("account.paused", processor=self._name, endpoint=what, seconds=seconds)
        (self._endpoint(endpoint) if met.is_of_endpoint else self.bucket).pause(seconds)

    async def turn(
        self, endpoint: str, line: str, *, within_seconds: float, at_endpoint_seconds: float | None = None
    ) -> None:
        """Wait for the turn at an endpoint, and then for that of the account. `endpoint` is a word of a closed set.

        `at_endpoint_seconds` bounds the wait for the first of them.

        Raises:
            NotSentError: when one of them does not come in time.
        """
        own, began = self._endpoint(endpoint), time.monotonic()
        bound = within_seconds if at_endpoint_seconds is None else min(within_seconds, at_endpoint_seconds)
        try:
            await own.turn(line, within_seconds=bound)
        except NotSentError as fault:
            raise NotSentError(fault.wait_seconds, is_of_endpoint=True) from fault
        try:
            await self.bucket.turn(line, within_seconds=max(0.0, within_seconds - (time.monotonic() - began)))
        except BaseException:
            own.give_back()
            raise

    def _endpoint(self, endpoint: str) -> Bucket:
        if (found := self._endpoints.get(endpoint)) is None:
            found = self._endpoints[endpoint] = Bucket(per_second=self._per_second_of_endpoint)
        return found

    async def call(
        self,
        call: Callable[[], Awaitable[Finding]],
        *,
        endpoint: str,
        line: str,
        within_seconds: float,
    ) -> Finding:
        """Make a call when its turn has come; where it does not come in time, the answer is that nothing was sent.

        The call has a deadline of its own, which its answer comes from: a second one here would fire beside it where the
        process stood still, and then nobody would make an answer of it.

        Whoever calls holds a place that others could use, so that the wait for an endpoint is short: what is behind it at the
        same processor must not wait for it.
        """
        wait = self._endpoint_wait_seconds
        try:
            self._circuit.ensure_closed()
            await self.turn(endpoint, line, within_seconds=within_seconds, at_endpoint_seconds=wait)
        except CircuitOpenError:
            return self._paused()
        except NotSentError as fault:
            metrics.CALLS_NOT_SENT.labels("endpoint_pace" if fault.is_of_endpoint else "pace").inc()
            reason = NotTakenReason.ENDPOINT_PACE if fault.is_of_endpoint else NotTakenReason.RATE_LIMITED
            return NotTaken(reason=reason, calls=0, retry_after_seconds=fault.wait_seconds, is_worth_repeating=False)
        self.bucket.give_back()
        return await self._counted(call, endpoint=endpoint)

    async def _counted(self, call: Callable[[], Awaitable[Finding]], *, endpoint: str) -> Finding:
        async def judged() -> Finding:
            answer = await call()
            if isinstance(answer, NotTaken) and answer.reason in _ACCOUNTS_FAULTS and not answer.is_of_object:
                if not answer.is_of_endpoint:
                    raise _Failed(answer)
                self.limited(answer, endpoint=endpoint)
            return answer

        try:
            return await self._circuit.call(judged, timeout_seconds=None)
        except CircuitOpenError:
            return self._paused()
        except _Failed as failed:
            self._last = failed.answer.reason
            if self._last is NotTakenReason.RATE_LIMITED:
                self.limited(failed.answer, endpoint=endpoint)
            return failed.answer

    def _paused(self) -> NotTaken:
        metrics.CALLS_NOT_SENT.labels("circuit").inc()
        return NotTaken(reason=self._last, calls=0, retry_after_seconds=self._open_seconds, is_worth_repeating=False)


class AccountGuards:
    """The guards of all accounts, made when they are first used."""

    def __init__(self, make: Callable[[str, bool], AccountGuard], *, size_max: int = _GUARDS_MAX) -> None:
        """`make` makes the guard of an account, given its name and whether it is of live mode."""
        self._make = make
        self._size_max = size_max
        self._guards: OrderedDict[str, AccountGuard] = OrderedDict()

    def of(self, name: str, *, is_live: bool) -> AccountGuard:
        """Return the guard of an account."""
        found = self._guards.get(name)
        if found is None:
            found = self._guards[name] = self._make(name, is_live)
            if len(self._guards) > self._size_max:
                self._guards.popitem(last=False)
        self._guards.move_to_end(name)
        return found

    def all(self) -> list[tuple[str, AccountGuard]]:
        """List those that were made, by the name of their account."""
        return [*self._guards.items()]

    def forget(self, name: str) -> None:
        """Forget what is known of an account but its pace: its key has changed, perhaps the one that was refused."""
        if name in self._guards:
            self._guards[name].close()
