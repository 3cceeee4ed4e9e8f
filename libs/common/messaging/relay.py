"""The relay: takes what the outbox holds, packs it by destination, publishes with confirms, deletes what was confirmed.

Woken in-process after each commit, with a short gap in which packs form; a slow poll is the net under the wake-up.
Several relays may run: rows are claimed with SKIP LOCKED. The claim's transaction stays open during the publish, so a
process that dies gives its rows back at once; no decision is made in that transaction.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from aio_pika.exceptions import DeliveryError

from libs.common import outages
from libs.common.contracts import PUBLIC_EXCHANGE, REGISTRY, Contract
from libs.common.db import Connection, Database
from libs.common.errors import Unavailable
from libs.common.messaging.broker import Broker
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger
from libs.common.settings import BrokerSettings

log = get_logger("messaging.relay")

_REFUSED_DELAYS_SECONDS = (1, 5, 30, 60)
"""Pauses after a row was refused by the broker, by number of refusals."""
_BUSY_ROWS = 8
"""A round of so many rows makes the gap after it twice as long: under load a round costs everybody who waits a turn."""
_GAPS_MAX = 3.0
_OUTAGE_SECONDS = 1.0
"""Pause after the broker or the database did not answer."""
_FAILED_SECONDS = 5.0
"""Pause after an error that nobody foresaw."""

_CLAIM = """
DELETE FROM outbox WHERE seq = ANY(ARRAY(
    SELECT seq FROM outbox WHERE available_at <= now() ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING seq, event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body, attempts
"""
_PUT_BACK = """
INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body, attempts, available_at)
SELECT event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body, attempts + 1, now() + wait
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::int[],
            $9::interval[])
    AS t(event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body, attempts, wait)
"""
_BACKLOG = "SELECT count(*) AS pending, extract(epoch FROM now() - min(occurred_at)) AS oldest FROM outbox"

type Row = asyncpg.Record


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """One AMQP message to publish, and the outbox rows that it carries."""

    contract: Contract
    public: bool
    rows: list[Any]


def shipments(rows: Sequence[Row], pack_max: int) -> tuple[list[Shipment], list[Row]]:
    """Arrange rows into AMQP messages: packs for internal queues, one by one for the public exchange.

    Returns the shipments, in outbox order, and the rows whose contract this version does not know.
    """
    by_contract: dict[str, list[Row]] = defaultdict(list)
    plan: list[Shipment] = []
    unknown: list[Row] = []
    for row in rows:
        message = REGISTRY.get(row["contract"])
        if message is None:
            unknown.append(row)
            continue
        if message.contract.public:
            plan.append(Shipment(contract=message.contract, public=True, rows=[row]))
        if message.contract.heard_by:
            by_contract[row["contract"]].append(row)
    for name, packed in by_contract.items():
        contract = REGISTRY[name].contract
        plan.extend(
            Shipment(contract=contract, public=False, rows=packed[i : i + pack_max])
            for i in range(0, len(packed), pack_max)
        )
    return plan, unknown


class Relay:
    """Carries one service's outbox to the broker."""

    def __init__(self, database: Database, broker: Broker, settings: BrokerSettings) -> None:
        self._database = database
        self._broker = broker
        self._settings = settings
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that something was committed; costs nothing when the relay is awake already."""
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            try:
                sent = await self.round()
                if sent == 0:
                    await self._watch()
                    await self._sleep_until_woken()
                else:
                    # What is committed during the gap shares the next packs. It follows a round and does not precede
                    # one, so that a lone message on an idle system leaves at once.
                    await asyncio.sleep(self._settings.outbox_gap_seconds * min(1 + sent / _BUSY_ROWS, _GAPS_MAX))
            except Exception as fault:
                if outages.is_outage(fault) or outages.is_contention(fault):
                    log.warning("outbox.relay_paused", reason=outages.cause_of(fault.__cause__ or fault))
                    await asyncio.sleep(_OUTAGE_SECONDS)
                else:
                    log.exception("outbox.relay_failed")
                    await asyncio.sleep(_FAILED_SECONDS)

    async def _sleep_until_woken(self) -> None:
        try:
            async with asyncio.timeout(self._settings.outbox_poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _watch(self) -> None:
        if self._wake.is_set():
            return
        row = await self._database.fetchrow(_BACKLOG)
        assert row is not None
        metrics.OUTBOX_PENDING.set(row["pending"])
        metrics.OUTBOX_LAG.set(float(row["oldest"] or 0))

    async def round(self) -> int:
        """Send one batch; returns how many rows were confirmed.

        Raises:
            Unavailable: when the broker or the database does not answer; every row stays.
        """
        self._wake.clear()
        if not self._broker.is_started:
            raise Unavailable("RabbitMQ is not connected yet")
        async with self._database.connection() as connection, connection.transaction():
            claimed = await connection.fetch(_CLAIM, self._settings.outbox_batch_max)
            if not claimed:
                return 0
            rows = sorted(claimed, key=lambda row: row["seq"])
            refused = await self._send(rows)
            if refused:
                await self._put_back(connection, refused)
        return len(rows) - len(refused)

    async def _send(self, rows: Sequence[Row]) -> list[Row]:
        plan, unknown = shipments(rows, self._settings.pack_events_max)
        outcomes = await asyncio.gather(*(self._publish(shipment) for shipment in plan), return_exceptions=True)
        refused: dict[int, Row] = {row["seq"]: row for row in unknown}
        for shipment, outcome in zip(plan, outcomes, strict=True):
            name = shipment.contract.name
            if outcome is None:
                metrics.OUTBOX_PUBLISHED.labels(name).inc(len(shipment.rows))
            elif isinstance(outcome, DeliveryError):
                metrics.OUTBOX_FAILED.labels(name).inc(len(shipment.rows))
                log.error("outbox.message_refused", message=name, exchange=shipment.contract.exchange)
                refused.update((row["seq"], row) for row in shipment.rows)
            elif outages.is_outage(outcome):
                raise Unavailable("RabbitMQ does not answer") from outcome
            else:
                raise outcome
        for row in unknown:
            log.error("outbox.contract_unknown", contract=row["contract"])
        return list(refused.values())

    async def _publish(self, shipment: Shipment) -> None:
        contract, first = shipment.contract, shipment.rows[0]
        if shipment.public:
            await self._broker.publish(
                first["body"].encode(),
                exchange=PUBLIC_EXCHANGE,
                routing_key=contract.name,
                mandatory=False,
                message_id=str(first["event_id"]),
                message_type=contract.name,
                timestamp=first["occurred_at"],
                correlation_id=first["correlation_id"],
                headers={
                    "X-Correlation-Id": first["correlation_id"],
                    "X-Tenant-Id": first["tenant_id"],
                    "traceparent": first["traceparent"],
                },
            )
            return
        events = [
            PackedEvent(
                id=row["event_id"],
                occurred_at=row["occurred_at"],
                tenant_id=row["tenant_id"],
                correlation_id=row["correlation_id"],
                traceparent=row["traceparent"],
                body=msgspec.Raw(row["body"].encode()),
            )
            for row in shipment.rows
        ]
        await self._broker.publish(
            encode_pack(contract.name, events),
            exchange=contract.exchange,
            routing_key=contract.name,
            # Nobody need be there for a broadcast: who starts later remembers nothing that it would make wrong.
            mandatory=not contract.broadcast,
            message_id=str(first["event_id"]),
            message_type=contract.name,
            timestamp=first["occurred_at"],
            headers={"x-events": len(events)},
        )

    async def _put_back(self, connection: Connection, refused: Sequence[Row]) -> None:
        waits = [
            timedelta(seconds=_REFUSED_DELAYS_SECONDS[min(row["attempts"], len(_REFUSED_DELAYS_SECONDS) - 1)])
            for row in refused
        ]
        columns = (
            "event_id",
            "contract",
            "tenant_id",
            "correlation_id",
            "traceparent",
            "occurred_at",
            "body",
            "attempts",
        )
        await connection.execute(_PUT_BACK, *([row[column] for row in refused] for column in columns), waits)
