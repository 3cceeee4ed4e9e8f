"""Where the sandbox remembers its payments: in the database, so that all processes know the same, or in memory, for tests."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from services.gateway.processors.sandbox.nouns import SandboxPayment
from services.gateway.processors.sandbox.sql import SandboxRow, SandboxStore

type Decide[R] = Callable[[SandboxPayment | None], tuple[SandboxPayment | None, R]]
"""What is made of a payment: the payment as it is to stand, None to leave it, and the caller's result."""

_decoder = msgspec.json.Decoder(SandboxPayment)


class Book(Protocol):
    """The sandbox's memory."""

    async def change[R](self, ref: str, decide: Decide[R]) -> R:
        """Change the payment of a reference; two changes of one payment never happen at the same time.

        `decide` may be called more than once, and only its last result counts.
        """
        ...

    async def claim(self, *, now: datetime, lease: timedelta, limit: int) -> list[str]:
        """Name payments to which something is to happen now, each for one process at a time, until the lease ends."""
        ...


class StoredBook:
    """The book in the database."""

    def __init__(self, store: SandboxStore) -> None:
        self._store = store

    async def change[R](self, ref: str, decide: Decide[R]) -> R:
        """Change the payment of a reference, committed."""

        def decide_body(body: str | None) -> tuple[SandboxRow | None, R]:
            payment, result = decide(None if body is None else _decoder.decode(body))
            if payment is None:
                return None, result
            return SandboxRow(body=msgspec.json.encode(payment).decode(), due_at=payment.due_at), result

        return await self._store.change(ref, decide_body)

    async def claim(self, *, now: datetime, lease: timedelta, limit: int) -> list[str]:
        """Name payments to which something is to happen now."""
        return await self._store.claim(now=now, lease=lease, limit=limit)


class MemoryBook:
    """The book in memory: for one process, as long as it lives."""

    def __init__(self) -> None:
        self.payments: dict[str, SandboxPayment] = {}
        """Every payment, by reference."""

    async def change[R](self, ref: str, decide: Decide[R]) -> R:
        """Change the payment of a reference."""
        # A turn of the loop, as any other book would take: nobody may rely on an answer without one.
        await asyncio.sleep(0)
        payment, result = decide(self.payments.get(ref))
        if payment is not None:
            self.payments[ref] = payment
        return result

    async def claim(self, *, now: datetime, lease: timedelta, limit: int) -> list[str]:  # noqa: ARG002 - nobody to share with
        """Name payments to which something is to happen now."""
        due = [
            payment.ref for payment in self.payments.values() if payment.due_at is not None and payment.due_at <= now
        ]
        return due[:limit]
