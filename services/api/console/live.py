"""Changes as they happen: a browser learns that what it shows has changed, and reads it again by the page's own address.

However many look, each process asks the database once per turn, and only while somebody looks. A stream ends by itself after
a while, so that a process can stop; the browser comes back with the version that it knows, so that nothing is missed between.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from time import monotonic

from libs.common.errors import Overloaded
from libs.common.observability.logging import get_logger

log = get_logger("api.console")

type Topic = tuple[str, str]
"""A tenant, and what of it is looked at: the id of a payment, or empty for its newest payments."""
type Look = Callable[[Sequence[Topic]], Awaitable[Mapping[Topic, str]]]
"""Reads the version of each topic; whatever changes changes its version."""

_EVERY_SECONDS = 0.4
_STREAM_SECONDS = 20.0
_QUIET_SECONDS = 5.0
"""How often a stream without changes sends a comment, which shows whether somebody is there still."""
_AFTER_FAILURE_SECONDS = 2.0
_STREAMS_OF_ONE_MAX = 12
"""Pages that one user has open with changes, at this process."""
_AGAIN_MILLISECONDS = 30_000
"""When a page that lost its stream to a newer one asks for it again."""


class Changes:
    """Whatever is looked at, and its versions."""

    def __init__(self, look: Look, *, streams_max: int) -> None:
        """Look for changes by `look`, for at most so many streams of this process."""
        self._look = look
        self._streams_max = streams_max
        self._watched: dict[Topic, int] = {}
        self._streams: dict[str, list[object]] = {}
        """The streams of each user, the oldest first."""
        self._versions: dict[Topic, str] = {}
        self._somebody = asyncio.Event()
        self._turn = asyncio.Condition()

    async def run(self) -> None:
        """Look for changes, for ever, while somebody waits for them."""
        while True:
            await self._somebody.wait()
            try:
                async with asyncio.timeout(_AFTER_FAILURE_SECONDS):
                    self._versions = dict(await self._look(list(self._watched)))
            except Exception:  # the pages stay as they are until it works again
                log.warning("console.look_failed", exc_info=True)
                await asyncio.sleep(_AFTER_FAILURE_SECONDS)
            async with self._turn:
                self._turn.notify_all()
            await asyncio.sleep(_EVERY_SECONDS)

    async def follow(self, topic: Topic, known: str, *, user: str) -> AsyncIterator[bytes]:
        """Yield the lines of a stream of server-sent events: `changed`, with the version, whenever it is another.

        Args:
            topic: what is looked at.
            known: the version that the browser has seen; empty: none.
            user: who looks; of too many streams of one user the oldest ends.

        Raises:
            Overloaded: when too many look already.
        """
        if self._is_full():
            raise Overloaded("too many pages look for changes; the page shows them when it is read again")
        return self._stream(topic, known, user)

    def _is_full(self) -> bool:
        return sum(self._watched.values()) >= self._streams_max

    async def _stream(self, topic: Topic, known: str, user: str) -> AsyncIterator[bytes]:
        if self._is_full():
            # Others began between the answer's headers and now.
            return
        stream = object()
        own = self._streams.setdefault(user, [])
        own.append(stream)
        del own[:-_STREAMS_OF_ONE_MAX]
        self._watched[topic] = self._watched.get(topic, 0) + 1
        self._somebody.set()
        try:
            yield b"retry: 250\n\n"
            ends, quiet = monotonic() + _STREAM_SECONDS, monotonic()
            while (now := monotonic()) < ends:
                if stream not in own:
                    yield f"retry: {_AGAIN_MILLISECONDS}\n\n".encode()
                    return
                version = self._versions.get(topic, "")
                if version and version != known:
                    # The first one too: what is shown may be older than this stream.
                    yield f"event: changed\nid: {version}\ndata: {version}\n\n".encode()
                    known, quiet = version, now
                elif now - quiet > _QUIET_SECONDS:
                    yield b": nothing\n\n"
                    quiet = now
                await self._next_turn()
        finally:
            if stream in own:
                own.remove(stream)
            if not own and self._streams.get(user) is own:
                del self._streams[user]
            self._watched[topic] -= 1
            if not self._watched[topic]:
                del self._watched[topic]
                self._versions.pop(topic, None)
            if not self._watched:
                self._somebody.clear()

    async def _next_turn(self) -> None:
        try:
            async with asyncio.timeout(_QUIET_SECONDS), self._turn:
                await self._turn.wait()
        except TimeoutError:
            return
