"""How outbox rows become AMQP messages: one destination each, in packs for our own queues, one by one for `payments.x`.

Each message goes to exactly one queue that must have it, so that the broker's confirm is about that queue: of a message
routed to several queues the broker says "confirmed" when one of them is missing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts import PUBLIC_EXCHANGE, REGISTRY, Contract
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.frames import PublicMessage
from libs.common.messaging.topology import routing_key

type Row = asyncpg.Record
"""A row of `outbox` or of `outbox_refused`."""

EVERYWHERE = ""
"""The destination of a row that has not been sent anywhere."""
_UNTRACED: Mapping[UUID, str] = MappingProxyType({})


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """One AMQP message to publish, and the rows that it carries."""

    contract: Contract
    destination: str
    """The queue that must have it, the exchange of a broadcast, or `payments.x`."""
    rows: list[Any]
    traces: Mapping[UUID, str] = _UNTRACED
    """The trace context that each event is sent with, by its id, where traces are on; else the row's own."""

    def traced(self, traces: Mapping[UUID, str]) -> "Shipment":
        """Return the same message, its events with these trace contexts."""
        return msgspec.structs.replace(self, traces=traces)

    def traceparent_of(self, row: Row) -> str:
        """The trace context that an event is sent with."""
        traceparent: str = self.traces[row["event_id"]] if self.traces else row["traceparent"]
        return traceparent

    @property
    def is_public(self) -> bool:
        """Whether it is for other teams."""
        return self.destination == PUBLIC_EXCHANGE

    def public(self) -> PublicMessage:
        """Write the message for other teams: which of them subscribe is not ours to know."""
        row = self.rows[0]
        return PublicMessage(
            body=row["body"].encode(),
            exchange=PUBLIC_EXCHANGE,
            routing_key=self.contract.name,
            type=self.contract.name,
            message_id=str(row["event_id"]),
            correlation_id=row["correlation_id"],
            timestamp=row["occurred_at"],
            headers={
                "X-Correlation-Id": row["correlation_id"],
                "X-Tenant-Id": row["tenant_id"],
                "traceparent": self.traceparent_of(row),
            },
        )

    def pack(self) -> tuple[bytes, dict[str, Any]]:
        """Write the body and the keyword arguments of `Broker.publish`."""
        contract, first = self.contract, self.rows[0]
        events = [
            PackedEvent(
                id=row["event_id"],
                occurred_at=row["occurred_at"],
                tenant_id=row["tenant_id"],
                correlation_id=row["correlation_id"],
                traceparent=self.traceparent_of(row),
                body=msgspec.Raw(row["body"].encode()),
            )
            for row in self.rows
        ]
        return encode_pack(contract.name, events), {
            "message_type": contract.name,
            "timestamp": first["occurred_at"],
            "exchange": contract.exchange,
            "routing_key": contract.name if contract.broadcast else routing_key(contract, self.destination),
            # Nobody need be there for a broadcast: who starts later remembers nothing that it would make wrong.
            "mandatory": not contract.broadcast,
            # The driver finds a returned message by this id among those that are not confirmed: it must name one only.
            "message_id": f"{first['event_id']}/{self.destination}",
            "headers": {"x-events": len(events)},
        }


def destinations(contract: Contract) -> tuple[str, ...]:
    """Name every destination that must confirm a message of this contract."""
    public = (PUBLIC_EXCHANGE,) if contract.public else ()
    if contract.broadcast:
        return (*public, contract.exchange)
    return (*public, *(contract.queue(service) for service in contract.handled_by))


def shipments(rows: Sequence[Row], pack_max: int, *, destination: str = EVERYWHERE) -> tuple[list[Shipment], list[Row]]:
    """Arrange rows into AMQP messages, for all destinations or for one.

    Returns the shipments, in outbox order, and the rows whose contract this version does not know.
    """
    packed: dict[tuple[str, str], list[Row]] = defaultdict(list)
    public: list[Shipment] = []
    unknown: list[Row] = []
    for row in rows:
        message = REGISTRY.get(row["contract"])
        if message is None:
            unknown.append(row)
            continue
        for place in destinations(message.contract):
            if destination not in (EVERYWHERE, place):
                continue
            if place == PUBLIC_EXCHANGE:
                public.append(Shipment(contract=message.contract, destination=place, rows=[row]))
            else:
                packed[row["contract"], place].append(row)
    # What our own services wait for first: it is few messages, and a client may wait for the answer.
    plan: list[Shipment] = []
    for (name, place), pack in packed.items():
        contract = REGISTRY[name].contract
        plan.extend(
            Shipment(contract=contract, destination=place, rows=pack[i : i + pack_max])
            for i in range(0, len(pack), pack_max)
        )
    return plan + public, unknown
