"""Pacts of messages: what each consumer reads is written down, and what each producer's own code makes is held to it.

A new edge without a pact fails here, and so does a message that lacks what somebody reads.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest
from pact import Verifier
from pact.types import Message

from deploy.local.bootstrap import SERVICES
from libs.common.clock import ManualClock
from libs.common.contracts.base import key
from libs.common.contracts.foreign import ForeignMessage, subscriptions_of
from libs.common.errors import Invalid
from libs.common.messaging.envelope import open_pack, received
from libs.common.messaging.foreign import Reading
from libs.common.messaging.requests import Reply, _refused
from libs.common.messaging.topology import topology
from services.api.orders.reports import read_order
from services.api.tenants.reports import reader
from tests.contract.answers import answered, handlers, refused
from tests.contract.pacts import (
    FOLDER,
    Edge,
    by_pair,
    edges,
    interactions,
    pact_of,
    sent_to,
    sources,
)
from tests.contract.publications import on_the_wire, publications
from tests.support.fields import NOW
from tests.support.partners import body_of

PAIRS = by_pair()
PROVIDERS = sorted({edge.provider for edge in edges()})


# --- No hole -----------------------------------------------------------------------------------------------------------


def test_every_edge_has_a_pact_and_no_pact_is_left_over() -> None:
    files = [path for path in FOLDER.glob("*.json") if path not in sources("api", http=True)]
    kept = {(path.name, each["description"]) for path in files for each in interactions(path)}
    expected = {(f"{edge.pair}.json", edge.name) for edge in edges()}
    assert kept == expected, "run `just docs`; a pair that is new gets an empty file first"


def test_every_binding_of_every_queue_is_an_edge() -> None:
    known = {(edge.exchange, edge.routing_key) for edge in edges()}
    for service in SERVICES:
        subscriptions = subscriptions_of(service)
        own = {queue.name for queue in topology(service).queues} | {each.queue for each in subscriptions}
        for queue in topology(service, subscriptions).queues:
            if queue.name not in own or queue.name.endswith((".dead", ".postponed")) or ".wait." in queue.name:
                continue
            for exchange, routing_key in queue.bindings:
                # By its own name a queue gets from the publisher what it gets by the message's.
                plain = routing_key.removeprefix(f"{queue.name.partition('.')[0]}.")
                matching = {key for at, key in known if at == exchange and _binds(plain, key)}
                assert matching, f"{queue.name} is bound to {exchange} by {routing_key}, and nobody has a pact of it"


def _binds(pattern: str, routing_key: str) -> bool:
    words, of_key = pattern.split("."), routing_key.split(".")
    return len(words) == len(of_key) and all(word in ("*", other) for word, other in zip(words, of_key, strict=True))


# --- Consumers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", sorted(PAIRS))
def test_consumer_reads_the_example_of_its_pact(pair: str) -> None:
    some = {edge.name: edge for edge in PAIRS[pair]}
    pact = pact_of(PAIRS[pair])
    read: list[str] = []

    def consume(body: str | bytes | None, metadata: dict[str, object]) -> None:
        edge = some[f"{metadata['exchange']} {metadata['routing_key']}"]
        _read(edge, str(body).encode())
        read.append(edge.name)

    pact.verify(consume, kind="Async")
    pact.verify(consume, kind="Sync")
    # A request that is refused is the same one.
    assert sorted(read) == sorted(name.partition(" refused: ")[0] for name in some)
    for each in interactions(FOLDER / f"{pair}.json"):
        if "response" in each:
            [response] = each["response"]
            _read_reply(some[each["description"]], msgspec.json.encode(response["contents"]["content"]))


def _read_reply(edge: Edge, body: bytes) -> None:
    """Read a reply as its requester does: what it raises of a refusal is what clients of its routes get."""
    assert edge.message is not None
    assert edge.message.contract.reply is not None
    reply = msgspec.json.decode(body, type=Reply)
    if edge.refusal is None:
        msgspec.json.decode(reply.answer, type=edge.message.contract.reply)
        return
    assert reply.refusal is not None
    raised = _refused(reply.refusal)
    assert (raised.reason, raised.status) == (edge.refusal.code, edge.refusal.status)
    assert raised.detail
    assert bool(getattr(raised, "errors", ())) is isinstance(raised, Invalid)


def _read(edge: Edge, body: bytes) -> None:
    """Read a message as its consumer does."""
    if edge.form is not None:
        foreign = ForeignMessage(exchange=edge.exchange, routing_key=edge.routing_key, content=body.decode())
        subscription = next(each for each in subscriptions_of(edge.consumer) if edge.form in each.forms)
        read: dict[str, Callable[[ForeignMessage], Reading]] = {
            "orders": lambda m: read_order(m, currencies=frozenset()),
            "tenants": reader(ManualClock(NOW)),
        }
        assert read[subscription.name](foreign).tenant_id
        return
    assert edge.message is not None
    if edge.is_public:
        assert json.loads(body)["order_id"]
    elif edge.is_request:
        msgspec.json.decode(body, type=edge.message)
    else:
        [packed], malformed = open_pack(body)
        assert not malformed
        received(packed, msgspec.json.Decoder(edge.message))


# --- Providers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_provider_sends_what_its_consumers_read(provider: str) -> None:
    verifier = Verifier(provider, host="127.0.0.1")
    sent: dict[str, Edge] = {}
    for path in sources(provider, http=False):
        verifier.add_source(path)
        consumer = path.stem.removesuffix(f"-{provider}")
        for each in interactions(path):
            sent[each["description"]] = sent_to(each, provider, consumer)

    def produce(name: str, metadata: dict[str, Any] | None) -> Message:
        edge = sent[name]
        metadata = {"exchange": edge.exchange, "routing_key": edge.routing_key}
        return Message(contents=_sent(edge), metadata=metadata, content_type="application/json")

    verifier.message_handler(produce)
    verifier.verify()


def _sent(edge: Edge) -> bytes:
    """Return what the provider sends, made by its own code."""
    if edge.form is not None:
        return body_of(edge.exchange, edge.routing_key)
    assert edge.message is not None
    contract = edge.message.contract
    if edge.refusal is not None:
        return refused(edge.provider, edge.message, edge.refusal)
    if edge.is_request:
        return answered(_handlers(edge.provider)[key(contract)])
    made = _publications()[key(contract)]
    destination = edge.exchange if edge.is_public or contract.broadcast else contract.queue(edge.consumer)
    return on_the_wire(made[0], destination)


@cache
def _publications() -> dict[str, Any]:
    return publications()


@cache
def _handlers(service: str) -> dict[str, Any]:
    return handlers(service)
