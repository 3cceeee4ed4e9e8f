"""Passwords: argon2id (RFC 9106), off the event loop, a bounded number at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from libs.common.errors import Overloaded

_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1
"""OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, 2 passes, 1 lane; one core is busy for about 20 ms."""
_THREADS = 1
"""Hashes at a time in one process: a flood of logins must not take the cores from payments."""
_WAITING_MAX = 50
"""Logins that may wait for their turn, about a second's worth; more are refused and may retry."""


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = self._hasher.hash("a password that nobody has")

    def hash(self, password: str) -> str:
        """Hash a password; blocks for about 20 ms."""
        return self._hasher.hash(password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare a password with its hash; for an unknown user, None, the same work is done and the answer is no.

        Raises:
            Unavailable: when too many logins wait already.
        """
        matched = await self._in_turn(partial(self._check, password_hash or self._nobody, password))
        return matched and password_hash is not None

    async def hashed(self, password: str) -> str:
        """Hash a password in its turn, off the event loop.

        Raises:
            Unavailable: when too many logins wait already.
        """
        return await self._in_turn(partial(self.hash, password))

    async def _in_turn[T](self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING_MAX:
            raise Overloaded("too many logins at once; try again shortly")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def _check(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
