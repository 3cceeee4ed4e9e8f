"""The relay: takes what the outbox holds, packs it by destination, publishes with confirms, deletes what was confirmed.

Woken in-process after each commit, with a short gap in which packs form; a slow poll is the net under the wake-up.
Several relays may run: rows are claimed with SKIP LOCKED. The claim's transaction stays open during the publish, so a
process that dies gives its rows back at once; no decision is made in that transaction.

What one destination refuses (a full queue, a queue that is missing) waits for that destination alone in
`outbox_refused`, and is tried again with growing pauses for as long as it takes: nothing is dropped.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic
from typing import NamedTuple

from aio_pika.exceptions import DeliveryError, PublishError

from libs.common import outages
from libs.common.contracts import PUBLIC_EXCHANGE
from libs.common.db import Connection, Database
from libs.common.errors import Transient, Unavailable
from libs.common.ids import new_id
from libs.common.messaging import spans
from libs.common.messaging.broker import Broker
from libs.common.messaging.claims import (
    BACKLOG,
    BY_INDEX,
    CLAIM,
    CLAIM_AND_KEEP,
    CLAIM_REFUSED,
    DESTINATIONS,
    LOOK,
    REFUSE,
    SOMETHING,
)
from libs.common.messaging.frames import UnwritableMessage
from libs.common.messaging.published import FIELD_TYPES
from libs.common.messaging.publisher import AT_ONCE, PUBLIC_AT_ONCE
from libs.common.messaging.shipments import EVERYWHERE, Row, Shipment, shipments
from libs.common.messaging.watermark import Watermark
from libs.common.observability import metrics, tracing
from libs.common.observability.logging import get_logger
from libs.common.settings import BrokerSettings
from libs.common.tasks import stop_if_cancelled

log = get_logger("messaging.relay")

_PAUSES_SECONDS = (1, 5, 30, 60)
"""Pauses after one of our own queues refused a message, by number of refusals: somebody waits for it."""
_PUBLIC_PAUSES_SECONDS = (1, 5, 30, 60, 300, 900)
"""Pauses after `payments.x` refused a message: which queue of another team is full is not ours to mend."""
_BUSY_ROWS = 8
"""A round of so many rows makes the gap after it twice as long: under load a round costs everybody who waits a turn."""
_GAPS_MAX = 3.0
_APART_SECONDS = 5
"""Pause of public events while the virtual host of other teams cannot be reached: their host waits for nobody else, nor we for it."""
_OUTAGE_SECONDS = 1.0
"""Pause after the broker or the database did not answer."""
_FAILED_SECONDS = 5.0
"""Pause after an error that nobody foresaw."""
_MEASURE_SECONDS = 2.0
"""How often the backlog is measured."""
_MEASURE_SHARE = 20
"""Measuring takes at most one part in so many of the time."""

_IN_VAIN = 3
"""Commits in a row that published nothing, after which a round looks before it claims: a notifier publishes hardly ever."""

_REFUSED = DeliveryError | UnwritableMessage
"""Of one message: the others have gone through."""

type Outcome = BaseException | None
"""What became of a message: nothing when it was confirmed."""


class Refusal(NamedTuple):
    """A row that one destination did not take."""

    destination: str
    row: Row
    is_away: bool = False
    """Whether nothing was refused, but the virtual host of other teams could not be reached."""


class Relay:
    """Carries one service's outbox to the broker: public events to `partners`, where other teams have a virtual host of their own.

    What cannot be sent there waits by itself, as if it were refused; everything else goes on.

    `unroutable` is called when a queue that must have a message is missing: whoever knows the topology declares it again.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        settings: BrokerSettings,
        *,
        partners: Broker | None = None,
        unroutable: Callable[[], None] = lambda: None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._broker = broker
        self._partners = partners
        self._settings = settings
        self._unroutable = unroutable
        self._now = now
        self._wake = asyncio.Event()
        self._in_vain = 0
        self._watermark = Watermark()
        self._refused_at = 0.0
        self._destinations: set[str] = set()

    def wake(self) -> None:
        """Say that something was committed; costs nothing when the relay is awake already."""
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            try:
                sent = await self.round()
                if self._now() >= self._refused_at:
                    await self.retry_refused()
                    self._refused_at = self._now() + self._settings.outbox_poll_seconds
                if sent == 0:
                    await self._sleep_until_woken()
                else:
                    # What is committed during the gap shares the next packs. It follows a round and does not precede
                    # one, so that a lone message on an idle system leaves at once.
                    await asyncio.sleep(self._settings.outbox_gap_seconds * min(1 + sent / _BUSY_ROWS, _GAPS_MAX))
            except Exception as fault:
                stop_if_cancelled()
                self._watermark.reset()
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

    async def measure(self) -> None:
        """Measure the backlog until cancelled, whether or not the broker is there."""
        while True:
            began = self._now()
            try:
                await self.measure_once()
            except Transient as fault:
                log.warning("outbox.not_measured", reason=fault.detail)
            await asyncio.sleep(max(_MEASURE_SECONDS, (self._now() - began) * _MEASURE_SHARE))

    async def measure_once(self) -> None:
        """Measure the backlog.

        Raises:
            Unavailable: when the database does not answer.
        """
        rows = await self._database.fetch(BACKLOG)
        metrics.OUTBOX_PENDING.set(sum(row["pending"] for row in rows))
        # What other teams' queues refuse is theirs to mend; it counts by its destination alone.
        ours = [float(row["oldest"] or 0) for row in rows if row["destination"] != PUBLIC_EXCHANGE]
        metrics.OUTBOX_LAG.set(max(0.0, *ours, 0.0))
        refused = {row["destination"]: row for row in rows if row["destination"]}
        for destination in self._destinations | refused.keys():
            row = refused.get(destination)
            metrics.OUTBOX_REFUSED.labels(destination).set(0 if row is None else row["pending"])
            metrics.OUTBOX_REFUSED_OLDEST.labels(destination).set(
                0.0 if row is None else max(0.0, float(row["oldest"]))
            )
        self._destinations |= refused.keys()

    async def round(self) -> int:
        """Send one batch to all its destinations; returns how many rows left the outbox.

        Raises:
            Unavailable: when the broker or the database does not answer; every row stays.
        """
        is_woken = self._wake.is_set()
        self._wake.clear()
        if not self._broker.is_started:
            raise Unavailable("RabbitMQ is not connected yet")
        if not self._broker.is_open:
            # Nothing is sent to other teams either: its row would stay, and they would get it again each round.
            raise Unavailable("RabbitMQ is not connected")
        if self._broker.blocked:
            # Before anything is copied only to be taken back: an alarm lasts for hours, with a round every second.
            raise Unavailable(f"RabbitMQ takes no messages for now: {self._broker.blocked}")
        began = self._now()
        above = self._watermark.start(began)
        looks_first = not is_woken or self._in_vain >= _IN_VAIN
        async with self._database.connection() as connection:
            rows = await self._send_claimed(connection, above, began=began, looks_first=looks_first)
        if not rows:
            self._in_vain += is_woken
            return 0
        self._in_vain = 0
        self._watermark.sent([row["seq"] for row in rows], self._now())
        metrics.OUTBOX_BATCH.observe(len(rows))
        return len(rows)

    async def _send_claimed(
        self, connection: Connection, above: int, *, began: float, looks_first: bool
    ) -> Sequence[Row]:
        """Claim and send rows above a `seq`; returns those that left the outbox.

        To claim takes three round trips, and to look one, after which one that has found something claims.
        """
        if looks_first and await connection.execute(LOOK.format(above=above)) != SOMETHING:
            if above == 0:
                self._watermark.scanned(began=began, now=self._now())
            return ()
        async with _by_index(connection):
            claimed = await self._claim(connection, above)
            if above == 0:
                self._watermark.scanned(began=began, now=self._now())
            rows = sorted(claimed, key=lambda row: row["seq"])
            if rows and (refusals := await self._send(*shipments(rows, self._settings.pack_events_max))):
                await self._keep(connection, refusals)
        return rows

    async def _claim(self, connection: Connection, above: int) -> list[Row]:
        """Take rows, and keep a copy of each for those who lose it."""
        if self._settings.outbox_kept_days == 0:
            return await CLAIM.fetch(connection, limit=self._settings.outbox_batch_max, above=above)
        return await CLAIM_AND_KEEP.fetch(
            connection, limit=self._settings.outbox_batch_max, above=above, batch_id=new_id()
        )

    async def retry_refused(self) -> None:
        """Send again what destinations refused, a pack of each at first: one that still refuses costs no more than that.

        Raises:
            Unavailable: when the broker or the database does not answer; every row stays.
        """
        rows = await self._database.fetch(DESTINATIONS)
        for destination in [row["destination"] for row in rows]:
            if destination == PUBLIC_EXCHANGE and self._partners is not None and not self._partners.answers:
                continue
            for _ in range(max(1, self._settings.outbox_batch_max // self._settings.pack_events_max)):
                if not await self._retry(destination):
                    break

    async def _retry(self, destination: str) -> bool:
        """Send one pack's worth of what `destination` refused; returns whether there may be more that it takes."""
        pack_max = self._settings.pack_events_max
        async with self._database.connection() as connection, _by_index(connection):
            claimed = await CLAIM_REFUSED.fetch(connection, limit=pack_max, destination=destination)
            if not claimed:
                return False
            rows = sorted(claimed, key=lambda row: row["seq"])
            refusals = await self._send(*shipments(rows, pack_max, destination=destination))
            if refusals:
                await self._keep(connection, refusals)
        return len(claimed) == pack_max and not refusals

    async def _send(self, plan: Sequence[Shipment], unknown: Sequence[Row]) -> list[Refusal]:
        started_ns = tracing.started()
        if started_ns:
            plan = spans.begin_sending(plan)
        outcomes = await self._publish_all(plan)
        refusals = [Refusal(EVERYWHERE, row) for row in unknown]
        away = ""
        for row in unknown:
            log.error("outbox.contract_unknown", contract=row["contract"])
        for shipment, outcome in zip(plan, outcomes, strict=True):
            name = shipment.contract.name
            if outcome is None:
                metrics.OUTBOX_PUBLISHED.labels(name).inc(len(shipment.rows))
                if started_ns:
                    spans.sent(shipment, started_ns=started_ns)
            elif isinstance(outcome, _REFUSED):
                metrics.OUTBOX_FAILED.labels(name).inc(len(shipment.rows))
                log.error("outbox.message_refused", message=name, destination=shipment.destination, reason=str(outcome))
                refusals.extend(Refusal(shipment.destination, row) for row in shipment.rows)
                if isinstance(outcome, PublishError):
                    self._unroutable()
            elif outages.is_outage(outcome) and shipment.is_public and self._partners is not None:
                away = outages.cause_of(outcome.__cause__ or outcome)
                refusals.extend(Refusal(shipment.destination, row, is_away=True) for row in shipment.rows)
            elif outages.is_outage(outcome):
                raise Unavailable("RabbitMQ does not answer") from outcome
            else:
                raise outcome
        if away:
            log.warning("outbox.partners_away", reason=away)
        return refusals

    async def _publish_all(self, plan: Sequence[Shipment]) -> list[Outcome]:
        """Publish everything; returns what became of each shipment, packs first, as in the plan."""
        packs = [[shipment] for shipment in plan if not shipment.is_public]
        public = [shipment for shipment in plan if shipment.is_public]
        slices = [public[start : start + PUBLIC_AT_ONCE] for start in range(0, len(public), PUBLIC_AT_ONCE)]
        if self._partners is None:
            return await self._publish_parts(packs + slices)
        # Other teams after us: while our own host is away every row stays, and what they had confirmed would go out again.
        ours = await self._publish_parts(packs)
        lost = next((each for each in ours if each is not None and not isinstance(each, _REFUSED)), None)
        return ours + (await self._publish_parts(slices) if lost is None else [lost] * len(public))

    async def _publish_parts(self, parts: Sequence[Sequence[Shipment]]) -> list[Outcome]:
        """Publish parts of a plan at the same time; returns what became of each shipment, in their order."""
        sending: list[asyncio.Task[Sequence[Outcome]]] = []
        try:
            for start in range(0, len(parts), AT_ONCE):
                sending += [asyncio.create_task(self._publish(part)) for part in parts[start : start + AT_ONCE]]
                await asyncio.sleep(0)
        except BaseException:
            for task in sending:
                task.cancel()
            raise
        outcomes: list[Outcome] = []
        for part, result in zip(parts, await asyncio.gather(*sending, return_exceptions=True), strict=True):
            outcomes += [result] * len(part) if isinstance(result, BaseException) else result
        return outcomes

    async def _publish(self, part: Sequence[Shipment]) -> Sequence[Outcome]:
        """Publish one pack, or public messages together."""
        if part[0].is_public:
            messages = [shipment.public() for shipment in part]
            if self._partners is None:
                return await self._broker.publish_all(messages)
            if not self._partners.answers:
                # Our own messages share the round: it must not wait for a connection that is away.
                raise Unavailable("the virtual host of other teams does not answer")
            return await self._partners.publish_all(messages)
        body, properties = part[0].pack()
        await self._broker.publish(body, **properties)
        return [None]

    async def _keep(self, connection: Connection, refusals: Sequence[Refusal]) -> None:
        rows = [refusal.row for refusal in refusals]
        await REFUSE.execute(
            connection,
            destination=[refusal.destination for refusal in refusals],
            **{column: [row[column] for row in rows] for column in FIELD_TYPES},
            attempts=[max(row["attempts"], 0) + 1 for row in rows],
            wait=[_pause(refusal) for refusal in refusals],
        )


@asynccontextmanager
async def _by_index(connection: Connection) -> AsyncIterator[None]:
    """Open a transaction whose claims walk an index, in one round trip; the driver's own `transaction` needs one of its own."""
    await connection.execute(f"BEGIN; {BY_INDEX}")
    try:
        yield
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


def _pause(refusal: Refusal) -> timedelta:
    if refusal.is_away:
        return timedelta(seconds=_APART_SECONDS)
    pauses = _PUBLIC_PAUSES_SECONDS if refusal.destination == PUBLIC_EXCHANGE else _PAUSES_SECONDS
    return timedelta(seconds=pauses[min(max(refusal.row["attempts"], 0), len(pauses) - 1)])
