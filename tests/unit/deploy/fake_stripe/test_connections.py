"""Connections that are lost: before the request runs, after it has run, and at each byte of the answer."""

import asyncio
from urllib.parse import urlsplit

import aiohttp
import pytest

from deploy.fake_stripe import Fault, FaultKind
from tests.support.fake_stripe import KEY, PAYMENT, Caller


async def raw(caller: Caller) -> bytes:
    """Make a payment over a connection of its own and return every byte that arrives."""
    address = urlsplit(caller.fake.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        body = "&".join(f"{name}={value}" for name, value in PAYMENT.items())
        head = (
            f"POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body.encode())
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(("kind", "made"), [(FaultKind.DROP_BEFORE, 0), (FaultKind.DROP_AFTER, 1)])
async def test_lost_connection_has_run_or_not(caller: Caller, kind: FaultKind, made: int) -> None:
    caller.fake.faults.add(Fault(kind=kind))
    with pytest.raises(aiohttp.ClientError):
        await caller.post("/v1/payment_intents", PAYMENT)
    assert len(caller.books.charges) == made


async def test_answer_is_cut_at_the_byte_that_was_given(caller: Caller) -> None:
    for at_byte in (1, 12, 80, 200, 1_000):
        caller.fake.faults.clear()
        caller.fake.faults.add(Fault(kind=FaultKind.DROP_WITHIN, at_byte=at_byte))
        received = await raw(caller)
        assert len(received) == at_byte
        assert b"HTTP/1.1 200".startswith(received[:12])
    assert len(caller.books.charges) == 5
    caller.fake.faults.clear()
    assert len(await raw(caller)) > 1_000


async def test_cut_answer_is_an_error_to_a_client_and_the_key_tells_more(caller: Caller) -> None:
    caller.fake.faults.add(Fault(kind=FaultKind.DROP_WITHIN, at_byte=400, times=1))
    with pytest.raises(aiohttp.ClientError):
        await caller.post("/v1/payment_intents", PAYMENT, key="k")
    again = await caller.post("/v1/payment_intents", PAYMENT, key="k")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert len(caller.books.charges) == 1
