"""The pacts of all messages: for each edge what its consumer reads, by the type that it decodes.

`python -m tests.contract.pacts CONSUMER-PROVIDER` prints one of them; `just docs` writes those that are in `pacts/`.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from pact import Pact, match

from libs.common.contracts import PUBLIC_EXCHANGE, REGISTRY, Contract, Kind, Message
from libs.common.contracts.foreign import PARTNERS, Form, Partner
from libs.common.errors import PlatformError
from tests.contract.forms import INSTANT, expected, sample
from tests.contract.refusals import ALWAYS, expected_refusal, refusals_of
from tests.contract.web_suite import PAIR, web_suite

FOLDER = Path(__file__).parent / "pacts"
PARTNERS_OWN = FOLDER / "partners"
"""Pacts that other teams have written, each verified as ours are."""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """One message between who sends it and who reads it; of a request, its requester reads the reply."""

    consumer: str
    provider: str
    exchange: str
    """Where the consumer's queue is bound; of a request, the provider's."""
    routing_key: str
    message: type[Message] | None = None
    """Our contract of it; None: it is in a partner's own form."""
    form: Form | None = None
    refusal: type[PlatformError] | None = None
    """Of a request that is refused: by which error."""

    @property
    def pair(self) -> str:
        """The name of the file that it stands in."""
        return f"{self.consumer}-{self.provider}"

    @property
    def name(self) -> str:
        """What its interaction is called, unique in its pair."""
        return f"{self.exchange} {self.routing_key}" + (f" refused: {self.refusal.code}" if self.refusal else "")

    @property
    def is_request(self) -> bool:
        """Whether it is answered."""
        return self.message is not None and self.message.contract.kind is Kind.REQUEST

    @property
    def is_public(self) -> bool:
        """Whether a partner reads it, alone and flat."""
        return self.message is not None and self.exchange == PUBLIC_EXCHANGE


@cache
def edges() -> list[Edge]:
    """Derive every edge from the contracts and from what partners publish and handle."""
    found = [edge for message in REGISTRY.values() for edge in _of(message, message.contract)]
    for partner in PARTNERS:
        found += [
            Edge(consumer="api", provider=partner.name, exchange=form.exchange, routing_key=form.routing_key, form=form)
            for form in partner.forms
        ]
        found += [_public(partner.name, message) for message in REGISTRY.values() if _handles(partner, message)]
    return found + list(_refused([edge for edge in found if edge.is_request]))


def sent_to(interaction: dict[str, Any], provider: str, consumer: str) -> Edge:
    """Return the edge at which a provider's message reaches a consumer; any public event may reach anybody."""
    address = exchange, routing_key = address_of(interaction)
    there = [
        edge
        for edge in edges()
        if (edge.provider, edge.consumer, edge.exchange, edge.routing_key) == (provider, consumer, *address)
    ]
    if there:
        # One that a team wrote itself has another description.
        return next((edge for edge in there if edge.name == interaction["description"]), there[0])
    for message in REGISTRY.values():
        if message.contract.public and (message.contract.owner, message.contract.name) == (provider, routing_key):
            return _public(consumer, message)
    raise AssertionError(f"{provider} sends nothing to {consumer} by {exchange} {routing_key}")


def _handles(partner: Partner, message: type[Message]) -> bool:
    return message.contract.public and message.contract.name in partner.handles


def _public(consumer: str, message: type[Message]) -> Edge:
    contract = message.contract
    return Edge(
        consumer=consumer,
        provider=contract.owner,
        exchange=PUBLIC_EXCHANGE,
        routing_key=contract.name,
        message=message,
    )


def _of(message: type[Message], contract: Contract) -> Iterable[Edge]:
    asks = contract.kind is Kind.REQUEST
    for consumer in contract.published_by if asks else contract.handled_by:
        for provider in contract.handled_by if asks else contract.published_by:
            yield Edge(
                consumer=consumer,
                provider=provider,
                exchange=contract.exchange,
                routing_key=contract.name,
                message=message,
            )


def _refused(requests: Sequence[Edge]) -> Iterable[Edge]:
    """What may be refused, and by which error; what any request may be refused by stands at one of each pair."""
    met: set[str] = set()
    for edge in requests:
        assert edge.message is not None
        for error in (*(() if edge.pair in met else ALWAYS), *refusals_of(edge.message)):
            yield msgspec.structs.replace(edge, refusal=error)
        met.add(edge.pair)


def interactions(path: Path) -> list[dict[str, Any]]:
    """Return the interactions of a pact file."""
    every: list[dict[str, Any]] = json.loads(path.read_text())["interactions"]
    return every


def sources(provider: str, *, http: bool) -> list[Path]:
    """Return the files of pacts with a provider: those of requests over HTTP, or those of messages."""
    every = [*FOLDER.glob(f"*-{provider}.json"), *PARTNERS_OWN.glob(f"*-{provider}.json")]
    return sorted(path for path in every if http is (interactions(path)[0]["type"] == "Synchronous/HTTP"))


def address_of(interaction: dict[str, Any]) -> tuple[str, str]:
    """Return the exchange and the routing key of a message in a pact file; without an exchange it is a public event."""
    metadata = interaction.get("metadata") or interaction["request"]["metadata"]
    return metadata.get("exchange", PUBLIC_EXCHANGE), metadata["routing_key"]


def by_pair() -> dict[str, list[Edge]]:
    """Return the edges by the file that they stand in."""
    pairs: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges():
        pairs[edge.pair].append(edge)
    return pairs


def pact_of(some: Sequence[Edge]) -> Pact:
    """Write down what a consumer reads of one provider's messages."""
    pact = Pact(some[0].consumer, some[0].provider).with_specification("V4")
    for edge in some:
        if edge.is_request:
            _add_request(pact, edge)
        else:
            pact.upon_receiving(edge.name, "Async").with_body(_body(edge), "application/json").with_metadata(
                {"exchange": edge.exchange, "routing_key": edge.routing_key}
            )
    return pact


def example_of(message: type[Message]) -> dict[str, Any]:
    """Return a body with every member that is read."""
    return dict(sample(message) | message.example)


def _body(edge: Edge) -> Any:
    if edge.form is not None:
        return expected(edge.form.body, edge.form.example)
    assert edge.message is not None
    if edge.is_public:
        return _read_by_partner(edge)
    event = {
        "id": match.uuid("0190f3a4-5b6c-7d8e-9f01-23456789abdf"),
        "occurred_at": match.regex("2026-11-22T17:57:07.701598Z", regex=INSTANT),
        "correlation_id": match.like("4be3c5a8f0d94f0c8f3f6c6f6a3c2b10"),
        "body": expected(edge.message, example_of(edge.message)),
    }
    if "tenant_id" in edge.message.__struct_fields__:
        # A body about another tenant than its event is refused.
        event["tenant_id"] = match.like(example_of(edge.message)["tenant_id"])
    return {"type": edge.routing_key, "events": match.each_like(event, min=1)}


def _read_by_partner(edge: Edge) -> dict[str, Any]:
    assert edge.consumer == "orders", f"what {edge.consumer} reads of {edge.name} is not known"
    # At the top level, and nothing else of it; the amount with a point (the orders service's own contract test).
    return {
        "order_id": match.like("ord-1"),
        "tenant_id": match.uuid("00000000-0000-0000-0000-000000000002"),
        "correlation_id": match.like("corr-1"),
        "payment_intent_id": match.uuid("0190f3a4-5b6c-7d8e-9f01-23456789abcd"),
        "status": match.regex("SETTLED", regex="^SETTLED$"),
        "amount": match.regex("100.00", regex=r"^\d+\.\d+$"),
        "currency": match.regex("BRL", regex="^[A-Z]{3}$"),
    }


def _add_request(pact: Pact, edge: Edge) -> None:
    message = edge.message
    assert message is not None
    assert message.contract.reply is not None
    reply = message.contract.reply
    (
        pact.upon_receiving(edge.name, "Sync")
        .with_body(message.example, "application/json")
        .with_metadata({"exchange": edge.exchange, "routing_key": edge.routing_key})
        .will_respond_with()
        .with_body(
            {"answer": expected(reply, sample(reply))}
            if edge.refusal is None
            else {"refusal": expected_refusal(edge.refusal)},
            "application/json",
        )
    )


def written(pact: Pact, pair: str) -> dict[str, Any]:
    """Return a pact as it stands in its file: without the versions of the tools that wrote it."""
    with TemporaryDirectory() as folder:
        pact.write_file(folder, overwrite=True)
        document: dict[str, Any] = json.loads((Path(folder) / f"{pair}.json").read_text())
    document["metadata"] = {"pactSpecification": document["metadata"]["pactSpecification"]}
    return document


def text(document: dict[str, Any]) -> str:
    """Return a document as its file has it: one interaction a line, so that a change shows which one it is."""
    head = {name: value for name, value in document.items() if name != "interactions"}
    lines = [json.dumps(each, sort_keys=True) for each in document["interactions"]]
    return json.dumps(head, sort_keys=True)[:-1] + ',\n"interactions": [\n' + ",\n".join(lines) + "\n]}\n"


def printed(name: str) -> str:
    """Return the file of a pair, or of the web suite.

    Raises:
        SystemExit: when the contracts have no such pair.
    """
    if name == PAIR:
        return text(written(web_suite(), PAIR))
    some = by_pair().get(name)
    if some is None:
        raise SystemExit(f"no message goes between {name}: delete {FOLDER / name}.json")
    return text(written(pact_of(some), name))


if __name__ == "__main__":
    print(printed(sys.argv[1]), end="")
