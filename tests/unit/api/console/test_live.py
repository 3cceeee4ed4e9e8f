"""Streams of changes: each version once, bounded, and nothing is looked for while nobody looks."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from libs.common.errors import Overloaded
from services.api.console.live import Changes

TOPIC = ("tenant_a", "a payment")


class Book:
    """Versions of topics, and how often they were read."""

    def __init__(self) -> None:
        self.versions = {TOPIC: "1"}
        self.looks = 0

    async def look(self, topics: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Read them."""
        self.looks += 1
        return {topic: self.versions.get(topic, "0") for topic in topics}


async def _changes(stream: AsyncIterator[bytes], number: int) -> list[str]:
    found = []
    async for lines in stream:
        if lines.startswith(b"event: changed"):
            found.append(lines.decode().split("id: ")[1].split("\n")[0])
        if len(found) == number:
            break
    return found


async def test_a_stream_has_each_version_once_and_goes_on_where_it_was() -> None:
    book = Book()
    changes = Changes(book.look, streams_max=2)
    running = asyncio.create_task(changes.run())
    async with asyncio.timeout(20):
        stream = await changes.follow(TOPIC, "", user="ops")
        assert await _changes(stream, 1) == ["1"]
        book.versions[TOPIC] = "2"
        assert await _changes(stream, 1) == ["2"]
        await stream.aclose()  # type: ignore[attr-defined]
        book.versions[TOPIC] = "3"
        again = await changes.follow(TOPIC, "2", user="ops")
        assert await _changes(again, 1) == ["3"]
        await again.aclose()  # type: ignore[attr-defined]

        # Nobody looks any more; one turn may have begun.
        await asyncio.sleep(1)
        looks = book.looks
        await asyncio.sleep(1)
        assert book.looks == looks
    running.cancel()


async def test_streams_are_bounded() -> None:
    changes = Changes(Book().look, streams_max=1)
    stream = await changes.follow(TOPIC, "", user="ops")
    await anext(stream)

    with pytest.raises(Overloaded):
        await changes.follow(TOPIC, "", user="ops")

    await stream.aclose()  # type: ignore[attr-defined]
    await anext(await changes.follow(TOPIC, "", user="ops"))


async def test_streams_that_begin_together_are_bounded_too() -> None:
    changes = Changes(Book().look, streams_max=1)
    first, second = [await changes.follow(TOPIC, "", user=user) for user in ("ops", "sales")]

    assert await anext(first)
    assert [lines async for lines in second] == []

    await first.aclose()  # type: ignore[attr-defined]


async def test_the_oldest_stream_of_a_user_with_too_many_ends() -> None:
    book = Book()
    changes = Changes(book.look, streams_max=100)
    running = asyncio.create_task(changes.run())
    async with asyncio.timeout(20):
        other = await changes.follow(TOPIC, "", user="sales")
        streams = [await changes.follow(TOPIC, "", user="ops") for _ in range(13)]
        for stream in (other, *streams):
            await anext(stream)

        # It comes back later, and not at once, when it would end another.
        assert [lines async for lines in streams[0]] == [b"retry: 30000\n\n"]
        for stream in (other, *streams[1:]):
            assert await _changes(stream, 1) == ["1"]
            await stream.aclose()  # type: ignore[attr-defined]
    running.cancel()
