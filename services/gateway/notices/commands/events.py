"""Stripe's webhooks: stored raw when they come, worked on later, once each, in whatever order they came."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import Message
from libs.common.contracts.gateway import ProcessorFeeCharged
from libs.common.db import Database
from libs.common.errors import Transient
from libs.common.ids import derived_id
from libs.common.messaging import Publication
from libs.common.money import UnsupportedCurrency
from libs.common.observability.correlation import Correlation, correlated
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.accounts import config_of, owns_account
from services.gateway.errors import AccountUnknown
from services.gateway.movements import StatementAccount, StatementRecording
from services.gateway.notices.commands.contradictions import decide
from services.gateway.notices.commands.notices import Notices
from services.gateway.notices.commands.opening import NotForUs, ObjectAbsent, Opening
from services.gateway.notices.sql import payments as payments_sql
from services.gateway.notices.sql.events import EventStatus, EventStore, Finished, RawEvent
from services.gateway.processors.port import Applied
from services.gateway.processors.port.reading import StatementMovement
from services.gateway.processors.stripe import (
    Envelope,
    Meaning,
    NotGenuine,
    Subject,
    UnknownStatus,
    UnsupportedAmount,
    events,
    movement_of,
    payout_of,
)

log = get_logger("gateway.stripe_events")

_LEASE = timedelta(seconds=60)
"""How long an event belongs to whoever works on it: longer than its balance transactions may take to fetch."""
_TOGETHER_MAX = 16
"""Events that one process works on at a time."""
_PAUSES = tuple(timedelta(seconds=s) for s in (1, 2, 5, 15, 60, 300, 900, 3_600, 7_200, 21_600))
"""When an event is tried again that came too early, or whose balance transaction could not be fetched; ten and a half hours
in all."""
_ACCOUNT_UNKNOWN = "account_unknown"
"""Why an event waits: Stripe has not reported yet of which account its configuration is."""
_EARLY_TRIES_MAX = 5
"""How often an event about an unknown payment is tried: a minute and a half covers what our own commit may be late."""

_CREATED_MAX = 253_402_300_799
"""The last second of the year 9999."""
_AHEAD_MAX = timedelta(minutes=5)
"""How far Stripe's clock may be before ours, as far as the tolerance of its signatures."""
_CRASH_TRIES_MAX = 3
"""How often an event is tried that met an error which nothing here expects."""
_UNREADABLE = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError, RecursionError),
    *(UnsupportedAmount, UnsupportedCurrency),
)
"""What reading an event raises whose shape is another than the pinned version of the API promises."""

type FetchMovement = Callable[[str, str], Awaitable[dict[str, Any] | None]]
"""Fetches a balance transaction with what moved it: the account's name, the transaction's id; None where the account has none
of it. Raises `Transient` when it cannot."""


class NoticeSaving(Protocol):
    """Learns what a processor reports of saved payment methods."""

    async def __call__(self, *, tenant_id: str, processor: str, kind: str, found: dict[str, Any]) -> bool:
        """Learn it; False where it is about nothing of ours. Raises `Transient` when it cannot."""
        ...


def named_account(body: str) -> tuple[str, bool]:
    """Read which connected account an event names, empty where none, and whether it is of live mode.

    Raises:
        NotGenuine: `malformed`, when it is not an event at all.
    """
    try:
        envelope = msgspec.json.decode(body, type=Envelope)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise NotGenuine("malformed") from fault
    return envelope.account_id, bool(envelope.livemode)


class StripeInbox:
    """Keeps events and works on them."""

    def __init__(
        self,
        *,
        store: EventStore,
        database: Database,
        notices: Notices,
        recording: StatementRecording,
        fetch: FetchMovement,
        saving: NoticeSaving,
        opening: Opening,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._notices = notices
        self._recording = recording
        self._fetch = fetch
        self._saving = saving
        self._opening = opening
        self._clock = clock
        self._places = asyncio.Semaphore(_TOGETHER_MAX)

    async def keep(self, body: str, *, tenant_id: str, processor: str) -> None:
        """Store an event whose signature was verified; one that came before changes nothing.

        Raises:
            NotGenuine: `malformed`, when it is not an event at all; `stale`, when it is of a time to come.
        """
        try:
            envelope = msgspec.json.decode(body, type=Envelope)
        except (msgspec.DecodeError, RecursionError) as fault:
            raise NotGenuine("malformed") from fault
        now = self._clock.now()
        happened_at = _instant(envelope.created)
        if happened_at is None or not (envelope.is_thin or "object" in envelope.data) or "\\u0000" in body:
            raise NotGenuine("malformed")
        if happened_at > now + _AHEAD_MAX:
            raise NotGenuine("stale")
        await self._store.keep(
            RawEvent(
                tenant_id=tenant_id,
                processor=processor,
                id=envelope.id,
                type=envelope.type,
                body=events.without_secrets(body),
                happened_at=happened_at,
                received_at=now,
            )
        )

    async def work(self, *, limit: int) -> int:
        """Work on events that are due; returns how many there were."""
        due = await self._store.claim(now=self._clock.now(), lease=_LEASE, limit=limit)
        # Not a task group: one event that trips over a bug must not cancel its neighbours.
        results = await asyncio.gather(*(self._one(event) for event in due), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result
        return len(due)

    async def _one(self, event: RawEvent) -> None:
        async with self._places:
            with correlated(Correlation(correlation_id=event.id, tenant_id=event.tenant_id)):
                finished = await self._finished(event)
                await self._store.finish(finished)
        metrics.STRIPE_EVENTS.labels(finished.status).inc()
        if finished.status not in {EventStatus.HANDLED, EventStatus.IGNORED, EventStatus.RECEIVED}:
            log.warning(
                "stripe_event.kept", event_id=event.id, type=event.type, status=finished.status, reason=finished.reason
            )

    async def _finished(self, event: RawEvent) -> Finished:
        try:
            return await self._handled(event, await self._opening.open(event))
        except NotForUs as fault:
            # Stripe would send it for days to come; nothing that it could tell later makes it ours.
            log.warning("stripe_event.not_ours", event_id=event.id, processor=event.processor, reason=fault.reason)
            return self._done(event, EventStatus.IGNORED, reason=fault.reason)
        except ObjectAbsent:
            return self._later(event, EventStatus.UNMATCHED, reason="object_unknown", tries_max=_EARLY_TRIES_MAX)
        except AccountUnknown:
            return self._later(event, EventStatus.FAILED, reason=_ACCOUNT_UNKNOWN, tries_max=len(_PAUSES))
        except Transient as fault:
            return self._later(event, EventStatus.FAILED, reason=fault.reason, tries_max=len(_PAUSES))
        except UnknownStatus as fault:
            # Of a newer version than this: what moved is recorded, what it means a person decides.
            log.error("stripe_event.unknown_status", event_id=event.id, type=event.type, detail=str(fault))
            return self._done(event, EventStatus.FAILED, reason="unknown_status")
        except _UNREADABLE:
            # Its shape is not what the pinned version of the API promises; a person looks at it.
            log.error("stripe_event.unreadable", event_id=event.id, type=event.type, exc_info=True)
            return self._done(event, EventStatus.FAILED, reason="unreadable")
        except Exception:
            # A bug of ours, perhaps a passing one: tried a few times, then kept for a person. It never comes back for ever.
            log.error("stripe_event.crashed", event_id=event.id, type=event.type, tries=event.tries, exc_info=True)
            return self._later(event, EventStatus.FAILED, reason="unexpected", tries_max=_CRASH_TRIES_MAX)

    async def _handled(self, event: RawEvent, meaning: Meaning) -> Finished:
        if not meaning.is_known_type:
            return self._done(event, EventStatus.IGNORED)
        if meaning.saving:
            # In an account of a tenant's own, that tenant writes the metadata: it counts for no other.
            named = str((meaning.object.get("metadata") or {}).get("tenant_id") or event.tenant_id)
            is_ours = await self._saving(
                tenant_id=event.tenant_id if config_of(event.processor) else named,
                processor=event.processor,
                kind=meaning.saving,
                found=meaning.object,
            )
            return self._done(event, EventStatus.HANDLED if is_ours else EventStatus.IGNORED)
        if meaning.subject is None:
            # It is about the account, which may have several configurations, and is one tenant's.
            owns = await owns_account(self._database, tenant_id=event.tenant_id, processor=event.processor)
            if owns is None:
                return self._later(event, EventStatus.FAILED, reason=_ACCOUNT_UNKNOWN, tries_max=len(_PAUSES))
            if not owns:
                return self._of_another(event)
            return await self._of_account(event, meaning)
        whose = await self._whose(event, meaning.subject)
        if whose is None:
            if await self._is_of_another(event):
                return self._of_another(event)
            return self._later(event, EventStatus.UNMATCHED, reason="unknown_payment", tries_max=_EARLY_TRIES_MAX)
        tenant_id, intent_id = whose
        try:
            reported = events.notice(
                event.type.removeprefix("v1."),
                meaning,
                tenant_id=tenant_id,
                payment_intent_id=intent_id,
                processor=event.processor,
                happened_at=event.happened_at,
            )
            applied = None
            if reported is not None:
                applied = await decide(
                    event, meaning, reported, opening=self._opening, notices=self._notices, clock=self._clock
                )
        except UnknownStatus:
            await self._record(event, meaning, intent_id=intent_id)
            raise
        if reported is None and "refund" in event.type and not (meaning.object.get("metadata") or {}).get("refund_id"):
            if await self._is_of_another(event):
                return self._of_another(event, intent_id)
            if not meaning.movement_refs:
                # Made at the processor by hand, and nothing moved yet that could be booked.
                return self._done(event, EventStatus.UNMATCHED, reason="refund_not_ours", intent_id=intent_id)
            # By hand, or what a capture has left: the statement books either.
            await self._record(event, meaning, intent_id=intent_id)
            return self._done(event, EventStatus.HANDLED, reason="by_statement", intent_id=intent_id)
        if applied is None:
            knows = await payments_sql.knows(
                self._database, tenant_id=tenant_id, payment_intent_id=intent_id, processor=event.processor
            )
            applied = Applied.KNOWN if knows else Applied.UNKNOWN_PAYMENT
        match applied:
            case Applied.UNKNOWN_PAYMENT if await self._is_of_another(event):
                return self._of_another(event, intent_id)
            case Applied.UNKNOWN_PAYMENT:
                return self._later(
                    event,
                    EventStatus.UNMATCHED,
                    reason="unknown_payment",
                    tries_max=_EARLY_TRIES_MAX,
                    intent_id=intent_id,
                )
            case Applied.CONTRADICTS:
                return self._done(event, EventStatus.CONTRADICTED, reason="contradicts", intent_id=intent_id)
            case _:
                publications = tuple(
                    self._publication(event, tenant_id, message)
                    for moved in await self._record(event, meaning, intent_id=intent_id)
                    if (message := _fee_message(moved, intent_id)) is not None
                )
                return self._done(event, EventStatus.HANDLED, intent_id=intent_id, publications=publications)

    async def _is_of_another(self, event: RawEvent) -> bool:
        return await owns_account(self._database, tenant_id=event.tenant_id, processor=event.processor) is False

    def _of_another(self, event: RawEvent, intent_id: UUID | None = None) -> Finished:
        """Ignore what is for the configuration that owns the account, which receives it too."""
        metrics.STRIPE_EVENTS_OF_ANOTHER.inc()
        return self._done(event, EventStatus.IGNORED, reason="account_of_another_configuration", intent_id=intent_id)

    async def _whose(self, event: RawEvent, subject: Subject) -> tuple[str, UUID] | None:
        if subject.payment_intent_id is not None:
            # In an account of a tenant's own, that tenant writes the metadata: it counts for no other.
            tenant_id = event.tenant_id if config_of(event.processor) else subject.tenant_id
            return tenant_id, subject.payment_intent_id
        found = await payments_sql.find(self._database, processor=event.processor, gateway_ref=subject.gateway_ref)
        if found is None or (config_of(event.processor) and found[0] != event.tenant_id):
            return None
        return found

    async def _of_account(self, event: RawEvent, meaning: Meaning) -> Finished:
        """Record a payout; what is older than the statement that is booked is published as it was before, or is in the opening
        balance."""
        account = await self._account(event)
        if event.happened_at < account.booked_from and not account.has_opening:
            payout = () if meaning.payout is None else (self._publication(event, event.tenant_id, meaning.payout),)
            return self._done(event, EventStatus.HANDLED, publications=payout)
        await self._record(event, meaning)
        await self._recording.payouts(account, [payout_of(meaning.object)])
        return self._done(event, EventStatus.HANDLED)

    async def _record(
        self, event: RawEvent, meaning: Meaning, *, intent_id: UUID | None = None
    ) -> list[StatementMovement]:
        """Record what an event shows and names of the statement; returns what is older than what is booked from there."""
        if not meaning.movement_refs and not meaning.movements:
            return []
        account = await self._account(event)
        is_older = event.happened_at < account.booked_from and not account.has_opening
        refs = meaning.movement_refs if is_older else await self._recording.unknown(account, meaning.movement_refs)
        shown = [
            *(movement_of(each, source=meaning.object) for each in meaning.movements),
            *[movement_of(await self._moved(event.processor, ref)) for ref in refs],
        ]
        shown = [msgspec.structs.replace(m, payment_intent_id=m.payment_intent_id or intent_id) for m in shown]
        await self._recording.movements(account, shown)
        return [moved for moved in shown if moved.created_at < account.booked_from and not account.has_opening]

    async def _moved(self, processor: str, ref: str) -> dict[str, Any]:
        found = await self._fetch(processor, ref)
        if found is None:
            # The account's own events name its own movements, which its statement shows too.
            raise ObjectAbsent
        return found

    async def _account(self, event: RawEvent) -> StatementAccount:
        account = await self._recording.account_of(tenant_id=event.tenant_id, processor=event.processor)
        if account is None:
            raise AccountUnknown(f"it is not known of which account {event.processor} is")
        return account

    def _publication(self, event: RawEvent, tenant_id: str, message: Message) -> Publication:
        source = getattr(message, "fee_id", None) or getattr(message, "payout_id", None)
        assert source is not None
        return Publication(
            # Of this tenant: what another account reports under the same reference is another event.
            event_id=derived_id(source, f"{message.contract.name}:{tenant_id}"),
            message=message,
            occurred_at=event.happened_at,
            correlation=Correlation(correlation_id=event.id, tenant_id=tenant_id),
        )

    def _done(
        self,
        event: RawEvent,
        status: EventStatus,
        *,
        reason: str = "",
        intent_id: UUID | None = None,
        publications: tuple[Publication, ...] = (),
    ) -> Finished:
        return Finished(
            event=event,
            status=status,
            reason=reason,
            payment_intent_id=intent_id,
            publications=publications,
            at=self._clock.now(),
        )

    def _later(
        self, event: RawEvent, at_last: EventStatus, *, reason: str, tries_max: int, intent_id: UUID | None = None
    ) -> Finished:
        if event.tries >= tries_max:
            return self._done(event, at_last, reason=reason, intent_id=intent_id)
        now = self._clock.now()
        return Finished(
            event=event,
            status=EventStatus.RECEIVED,
            reason=reason,
            payment_intent_id=intent_id,
            next_try_at=now + _PAUSES[min(event.tries, len(_PAUSES)) - 1],
            at=now,
        )


def _instant(created: int | datetime) -> datetime | None:
    """When an event happened; None where that is no instant."""
    if isinstance(created, datetime):
        return created if created.tzinfo is not None else None
    return datetime.fromtimestamp(created, UTC) if 0 <= created <= _CREATED_MAX else None


def _fee_message(moved: StatementMovement, intent_id: UUID) -> ProcessorFeeCharged | None:
    amount_minor = moved.amount_minor - moved.net_minor
    if amount_minor <= 0:
        return None
    return ProcessorFeeCharged(
        payment_intent_id=intent_id,
        amount_minor=amount_minor,
        currency=moved.currency,
        fee_id=derived_id(intent_id, f"fee:{moved.ref}"),
        gateway_ref=moved.ref,
        charged_at=moved.created_at,
    )
