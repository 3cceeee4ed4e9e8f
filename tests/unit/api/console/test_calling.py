"""Answers of the API that are passed on part by part."""

import asyncio
from typing import Any

import pytest

from services.api.console.calling import Inside, Refused
from services.api.console.operations import Operation, Operations
from services.api.routing import RESOURCES, document

STATEMENT = Operations(RESOURCES, lambda: document(RESOURCES))["reportStatement"]
PARTS = 1000


class Table:
    """An application that answers with many parts, and breaks off before one of them."""

    def __init__(self, *, status: int = 200, breaks_at: int = PARTS) -> None:
        self.status = status
        self.breaks_at = breaks_at
        self.sent = 0
        self.was_left = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"x-name", b"statement")]})
        try:
            for number in range(PARTS):
                if number == self.breaks_at:
                    raise ConnectionError("the ledger is away")
                await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
                self.sent += 1
        except asyncio.CancelledError:
            self.was_left = True
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _stream(app: Any, operation: Operation = STATEMENT) -> Any:
    inside = Inside()
    inside.enclose(app)
    return await inside.stream(operation, client=None, headers={}, path={}, query=[("account", "CASH")])


async def test_all_parts_come_in_their_order() -> None:
    answer = await _stream(Table())

    assert answer.headers == {"x-name": "statement"}
    assert b"".join([part async for part in answer.parts]) == b"".join(b"%d\n" % n for n in range(PARTS))


async def test_whoever_leaves_ends_the_call_of_which_few_parts_wait() -> None:
    app = Table()
    answer = await _stream(app)
    assert await anext(answer.parts) == b"0\n"
    await answer.parts.aclose()
    for _ in range(5):
        await asyncio.sleep(0)

    assert app.was_left
    assert app.sent < 10


async def test_what_breaks_off_never_passes_for_the_whole() -> None:
    answer = await _stream(Table(breaks_at=700))

    with pytest.raises(ConnectionError):
        async for _ in answer.parts:
            pass


async def test_a_refusal_is_read_as_a_whole() -> None:
    with pytest.raises(Refused) as refused:
        await _stream(Table(status=422))

    assert refused.value.status == 422
