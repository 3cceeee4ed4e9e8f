"""Every write honours its `Idempotency-Key` or refuses it."""

import asyncio
from importlib import import_module
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts import Message
from libs.common.contracts.ledger_books import PlaceHold
from libs.common.contracts.ledger_journal import PostEntries, ProposeEntries
from libs.common.contracts.notifier import RegisterEndpoint, SendTestEvent
from libs.common.errors import Conflict, Unavailable
from tests.integration.api.conftest import Api
from tests.integration.api.idempotency.conftest import (
    ALL,
    BODIES,
    IN_LEDGER,
    KEPT_HERE,
    OPTIONAL,
    SECRET,
    Owner,
    Write,
    made,
    send,
)
from tests.support.platform import Client


def test_every_write_says_what_it_does_with_a_key() -> None:
    assert len(ALL) >= 29
    assert [write.operation for write in ALL if not write.required and write.key not in ("optional", "refused")] == []


@pytest.mark.parametrize("write", [w for w in ALL if w.required], ids=lambda w: w.operation)
async def test_write_that_requires_a_key_is_refused_without_one(client: Client, write: Write) -> None:
    body = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"} if write.operation.startswith("create") else {}
    answer = await client.call(write.method, write.path, body)
    assert (answer.status, answer.json["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize("write", [w for w in ALL if w.key == "refused"], ids=lambda w: w.operation)
async def test_write_that_takes_no_key_refuses_one(api: Api, client: Client, owner: Owner, write: Write) -> None:
    answer = await send(client, write, key="k")
    assert (answer.status, answer.json["code"]) == (400, "idempotency_key_refused")
    assert owner.done == []


@pytest.mark.parametrize("write", KEPT_HERE, ids=lambda w: w.operation)
async def test_key_is_honoured(api: Api, client: Client, owner: Owner, tenant_id: str, write: Write) -> None:
    owner.held = asyncio.Event()
    first = asyncio.create_task(send(client, write, key="k"))
    async with asyncio.timeout(60):
        await owner.reached.wait()
    meanwhile = await send(client, write, key="k")
    assert (meanwhile.status, meanwhile.json["code"]) == (409, "idempotency_in_progress")
    assert int(meanwhile.headers["Retry-After"]) > 0
    owner.held.set()
    answer = await first
    assert answer.status < 300, answer.raw
    assert "Idempotency-Replayed" not in answer.headers
    again = await send(client, write, key='"k"')
    assert (again.status, again.headers["Idempotency-Replayed"]) == (answer.status, "true")
    assert again.raw == answer.raw.replace(f',"secret":"{SECRET}"'.encode(), b"")
    other = await send(client, write, key="k", other=True)
    # A write without a body may refuse one as such.
    assert other.status == 422
    assert other.json["code"] == "idempotency_key_reused" or write.operation not in BODIES
    malformed = await send(client, write, key="k k")
    assert (malformed.status, malformed.json["code"]) == (400, "idempotency_key_invalid")
    assert len(owner.done) == 1
    kept = await api.database.fetch(
        "SELECT convert_from(response_body, 'UTF8') AS body FROM idempotency_keys WHERE tenant_id = $1", tenant_id
    )
    assert len(kept) == 1 and SECRET not in kept[0]["body"]


@pytest.mark.parametrize("write", KEPT_HERE, ids=lambda w: w.operation)
async def test_lost_reply_is_requested_again_with_the_same_id(client: Client, owner: Owner, write: Write) -> None:
    owner.fails = Unavailable("the owner does not answer")
    lost = await send(client, write, key="k")
    assert lost.status == 503
    owner.fails = None
    answer = await send(client, write, key="k")
    assert answer.status < 300
    assert len(owner.done) == 2
    assert owner.done[0] == owner.done[1]
    other = await send(client, write, key="k", other=True)
    # A write without a body may refuse one as such.
    assert other.status == 422
    assert other.json["code"] == "idempotency_key_reused" or write.operation not in BODIES


async def test_refusal_does_not_use_a_key_up(client: Client, owner: Owner) -> None:
    write = next(w for w in KEPT_HERE if w.operation == "createWebhook")
    owner.fails = Conflict("no", code="webhook_endpoint_conflict")
    assert (await send(client, write, key="k")).status == 409
    owner.fails = None
    assert (await send(client, write, key="k", other=True)).status == 201


@pytest.mark.parametrize("too_large", [0, 1])
async def test_answer_that_is_too_large_to_keep_leaves_its_key_free(
    client: Client, owner: Owner, monkeypatch: pytest.MonkeyPatch, too_large: int
) -> None:
    write = next(w for w in KEPT_HERE if w.operation == "placeHold")
    size = len(msgspec.json.encode(made(PlaceHold.contract.reply)))
    monkeypatch.setattr(import_module("services.api.idempotency.requests"), "_ANSWER_BYTES_MAX", size - too_large)
    answers = [await send(client, write, key="k") for _ in range(2)]
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, None if too_large else "true"]
    assert len(owner.done) == 1 + too_large


async def test_without_a_key_each_request_creates(client: Client, owner: Owner) -> None:
    for operation in ("createWebhook", "testWebhook"):
        write = next(w for w in KEPT_HERE if w.operation == operation)
        owner.done.clear()
        assert [(await send(client, write, key=None)).status < 300 for _ in range(2)] == [True, True]
        ids = {_minted(message) for message in owner.done}
        assert len(ids) == 2


def _minted(message: Message) -> UUID | None:
    if isinstance(message, RegisterEndpoint):
        return message.endpoint_id
    assert isinstance(message, SendTestEvent)
    return message.event_id


async def test_keys_that_the_ledger_keeps_are_handed_over(client: Client, owner: Owner) -> None:
    for write in OPTIONAL:
        if write.operation in IN_LEDGER:
            owner.done.clear()
            await send(client, write, key="mine")
            (message,) = owner.done
            assert isinstance(message, PostEntries | ProposeEntries)
            assert message.key == "mine"
