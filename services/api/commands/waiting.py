"""Waiting for the issuer: whoever confirms waits, bounded, for the answer that a consumer writes under its key.

A consumer of this process hands its answers over as soon as they are committed. Those that another process wrote are read
from the rows of their keys, by one statement for everybody who waits here. Either way a client hears exactly the bytes
that a replay will repeat.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from libs.common.db import Database
from services.api.store import Answer, Claim
from services.api.store import keys as store

_POLL_SECONDS = 0.05
"""How often the rows of the keys are read while somebody waits."""

type _Key = tuple[str, str, str]
type _Intent = tuple[str, UUID]


class Answers:
    """Everybody in this process who waits for an answer under a key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[_Key, set[asyncio.Future[Answer]]] = {}
        self._keys: dict[_Intent, _Key] = {}
        self._somebody = asyncio.Event()

    @contextmanager
    def expecting(self, claim: Claim, intent_id: UUID) -> Iterator[asyncio.Future[Answer]]:
        """Wait for the answer under the key of `claim`: enter before the key is written, so that none is missed."""
        key, intent = (claim.tenant_id, claim.operation, claim.key), (claim.tenant_id, intent_id)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        together = self._waiting.setdefault(key, set())
        together.add(waiting)
        self._keys[intent] = key
        self._somebody.set()
        try:
            yield waiting
        finally:
            together.discard(waiting)
            if not together and self._waiting.get(key) is together:
                del self._waiting[key]
                self._keys.pop(intent, None)
            if not self._waiting:
                self._somebody.clear()

    def hand_over(self, tenant_id: str, intent_id: UUID, answer: Answer) -> None:
        """Give a committed answer to whoever waits for it in this process; nobody need."""
        key = self._keys.get((tenant_id, intent_id))
        if key is not None:
            self._resolve(key, answer)

    async def run(self) -> None:
        """Hand out the answers that other processes wrote, until cancelled."""
        while True:
            await self._somebody.wait()
            await asyncio.sleep(_POLL_SECONDS)
            if self._waiting:
                for key, answer in (await store.answered(self._database, list(self._waiting))).items():
                    self._resolve(key, answer)

    def _resolve(self, key: _Key, answer: Answer) -> None:
        for waiting in self._waiting.get(key, ()):
            if not waiting.done():
                waiting.set_result(answer)
