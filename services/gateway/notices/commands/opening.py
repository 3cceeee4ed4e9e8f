"""Is a genuine event for us, and may what it shows be read as it stands? Otherwise the object is read from Stripe.

An endpoint shows objects in the version that it was created with, and Stripe's list of events in the account's default
(https://docs.stripe.com/webhooks/versioning); a thin event shows no object at all. What is read is how it stands now.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from libs.common.db import Database
from services.gateway import metrics
from services.gateway.accounts import account_of
from services.gateway.notices.sql.events import RawEvent
from services.gateway.processors.stripe import API_VERSION, Envelope, Meaning, events

type ReadObject = Callable[[str, str, str], Awaitable[dict[str, Any] | None]]
"""Reads an object in the pinned version: the account's name, the kind of object, its id; None where the account has none.
Raises `Transient` when it cannot."""
type IsLive = Callable[[str], Awaitable[bool | None]]
"""Returns the mode of an account's key; None where this place has none. Raises `Transient` when it cannot be opened."""


class NotForUs(Exception):
    """An event of another account or mode than its configuration is of; `reason` is a word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ObjectAbsent(Exception):
    """The account has no object of the id that an event names."""


class Opening:
    """Opens events."""

    def __init__(self, *, database: Database, read: ReadObject, is_live: IsLive) -> None:
        self._database = database
        self._read = read
        self._is_live = is_live

    async def open(self, event: RawEvent) -> Meaning:
        """Read what an event means.

        Raises:
            NotForUs: `wrong_mode` or `foreign_account`.
            ObjectAbsent: when the account has not what the event names.
            Transient: when the key or the object cannot be had at the moment.
        """
        envelope = msgspec.json.decode(event.body, type=Envelope)
        await self._check(event, envelope)
        kind = envelope.kind
        named = events.object_of(kind)
        is_shown = not envelope.is_thin and envelope.api_version in {None, API_VERSION}
        metrics.STRIPE_ENVELOPES.labels("thin" if envelope.is_thin else "shown" if is_shown else "other_version").inc()
        if named is None:
            return Meaning(object={}, is_known_type=False)
        if is_shown:
            return events.read(event.body, kind, tenant_id=event.tenant_id)
        found = await self._read(event.processor, named, envelope.object_id())
        if found is None:
            raise ObjectAbsent
        return events.meaning(found, kind, tenant_id=event.tenant_id)

    async def as_it_stands(self, event: RawEvent, meaning: Meaning) -> tuple[str, Meaning] | None:
        """Read how the payment, the refund or the dispute stands now that an event is about.

        With the type of event as which that is to be read.
        None where the account has none of it, or the event is about something else.

        Raises:
            Transient: when it cannot be read at the moment.
        """
        kind = event.type.removeprefix("v1.")
        named, reference = events.object_of(kind), str(meaning.object.get("id") or "")
        if named in {"payment_intent", "charge"} and meaning.subject is not None:
            # Of a payment the intent says how it stands, whatever its charges are.
            kind, named, reference = "payment_intent.succeeded", "payment_intent", meaning.subject.gateway_ref
        if named not in {"payment_intent", "refund", "dispute"} or not reference:
            return None
        found = await self._read(event.processor, named, reference)
        return None if found is None else (kind, events.meaning(found, kind, tenant_id=event.tenant_id))

    async def _check(self, event: RawEvent, envelope: Envelope) -> None:
        is_live = None if envelope.livemode is None else await self._is_live(event.processor)
        if is_live is not None and is_live is not envelope.livemode:
            metrics.STRIPE_ENVELOPES.labels("wrong_mode").inc()
            raise NotForUs("wrong_mode")
        if not envelope.account_id:
            return
        own = await account_of(self._database, tenant_id=event.tenant_id, processor=event.processor)
        if own != envelope.account_id:
            metrics.STRIPE_ENVELOPES.labels("foreign_account").inc()
            raise NotForUs("foreign_account")
