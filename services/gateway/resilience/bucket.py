"""The token bucket: so many calls a second to one account at a processor. The others wait in line, one line for each tenant.

Waiting is not an outcome: whoever finds no token in time has sent nothing. Tokens go to the lines in turn, so a tenant with
a long line at a shared account holds nobody else up.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable

_BURST_SECONDS = 0.1
"""How much of a second's tokens are kept for calls that come together: beyond the rate by a tenth at most."""


_AGAIN_MAX_SECONDS = 60.0
"""Nobody is sent away for longer than this because of the others that were."""


class NotSentError(Exception):
    """No token became free in time; nothing was sent.

    `wait_seconds` is when to come again: after a pause, and after those that were sent away before.
    `is_of_endpoint` shows whether the token of one endpoint was missing, and not the account's.
    """

    def __init__(self, wait_seconds: float, *, is_of_endpoint: bool = False) -> None:
        super().__init__(f"no call goes out for {wait_seconds:.1f} s")
        self.wait_seconds = wait_seconds
        self.is_of_endpoint = is_of_endpoint


class Bucket:
    """Tokens of one account, given out in turn to the tenants that wait for one."""

    def __init__(self, *, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._monotonic = monotonic
        self._size = max(1.0, per_second * _BURST_SECONDS)
        self._tokens = self._size
        self._filled_at = self._paused_until = self._again_at = monotonic()
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def per_second(self) -> float:
        """How many tokens there are in a second."""
        return self._per_second

    @property
    def waiting(self) -> int:
        """How many wait for a token."""
        return sum(map(len, self._lines.values()))

    @property
    def paused_seconds(self) -> float:
        """For how long nothing goes out, because the processor wants it so."""
        return max(0.0, self._paused_until - self._monotonic())

    async def turn(self, line: str, *, within_seconds: float) -> None:
        """Take a token, after having waited for it in a line.

        Raises:
            NotSentError: when none becomes free in time, at once where that is certain.
        """
        self._fill()
        if not self._lines and self._wait_seconds(ahead=0) <= 0:
            self._tokens -= 1
            return
        least = self._wait_seconds(ahead=len(self._lines.get(line, ())))
        if least > within_seconds:
            raise self._not_sent(least)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(line, deque()).append(turn)
        self._arm()
        try:
            async with asyncio.timeout(within_seconds):
                await turn
        except BaseException as fault:
            if turn.done() and not turn.cancelled():
                # The token was given at the very moment in which the wait ended.
                self._tokens += 1
            self._leave(line, turn)
            if isinstance(fault, TimeoutError):
                raise self._not_sent(self._wait_seconds(ahead=0)) from fault
            raise

    def give_back(self) -> None:
        """Give back the token of a turn: the calls that are made in it count one by one."""
        self._tokens += 1

    def count(self) -> None:
        """Count a call that goes out in a turn. There may be several, and none of them waits: later turns do."""
        self._fill()
        self._tokens -= 1

    def pause(self, seconds: float) -> None:
        """Let nothing go out for so long, because the processor wants it so."""
        self._fill()
        self._paused_until = max(self._paused_until, self._monotonic() + seconds)
        self._tokens = min(self._tokens, 1.0)

    def _not_sent(self, least: float) -> NotSentError:
        """Send somebody away. Those that are come again one after the other, as fast as there are tokens, and not all at once."""
        now = self._monotonic()
        soonest = now + least
        self._again_at = min(max(self._again_at + 1 / self._per_second, soonest), soonest + _AGAIN_MAX_SECONDS)
        return NotSentError(self._again_at - now)

    def _fill(self) -> None:
        now = self._monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now

    def _wait_seconds(self, *, ahead: int) -> float:
        """How long it takes at least until a token is there for whoever has so many before them."""
        paused = self._paused_until - self._monotonic()
        return max(paused, (ahead + 1 - self._tokens) / self._per_second, 0.0)

    def _arm(self) -> None:
        if self._timer is None and self._lines:
            self._timer = asyncio.get_running_loop().call_later(self._wait_seconds(ahead=0), self._hand_on)

    def _hand_on(self) -> None:
        self._timer = None
        self._fill()
        while self._lines and self._wait_seconds(ahead=0) <= 0:
            line = next(iter(self._lines))
            turn = self._lines[line][0]
            # Behind all other tenants, for the next token.
            self._lines.move_to_end(line)
            self._leave(line, turn)
            if not turn.done():
                self._tokens -= 1
                turn.set_result(None)
        self._arm()

    def _leave(self, line: str, turn: "asyncio.Future[None]") -> None:
        waiting = self._lines.get(line)
        if waiting is None or turn not in waiting:
            return
        waiting.remove(turn)
        if not waiting:
            del self._lines[line]
