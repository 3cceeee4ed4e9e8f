"""Payment intents, one or a list of them."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.db import Database
from services.api.errors import PaymentIntentNotFound
from services.api.http.cursors import Position, decode_cursor, encode_cursor
from services.api.payments.domain import Dispute, IntentFilter, PaymentIntent, Refund, Status, TimelineEvent
from services.api.payments.queries.totals import Totals
from services.api.payments.sql import intents
from services.api.payments.sql import refunds as store_refunds
from services.api.payments.sql import timeline as store

TIMELINE_MAX = 1000
"""Events of one timeline; a payment has about ten."""

PARTS_MAX = 1000
"""Refunds or disputes of one payment that are listed."""

STATUS_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{status.value: (status.value,) for status in Status},
        # The words of clients whose screens know an older vocabulary.
        "PENDING": (Status.CREATED.value, Status.PROCESSING.value),
        "CONFIRMED": (Status.AUTHORIZED.value, Status.SETTLED.value),
        "CANCELLED": (Status.VOIDED.value,),
    }
)
"""What each name in a status filter means."""


class IntentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a tenant's intents, newest first."""

    intents: list[PaymentIntent]
    """The intents of this page."""
    total: int | None
    """How many there are on all pages; None where nothing was counted, as after a cursor."""
    next_cursor: str | None
    """Where the next page begins; None on the last one."""


async def get(database: Database, tenant_id: str, intent_id: UUID) -> PaymentIntent:
    """Read one intent.

    Raises:
        PaymentIntentNotFound: when the tenant has no such intent.
    """
    found = await intents.get(database, tenant_id, intent_id)
    if found is None:
        raise PaymentIntentNotFound
    return found


async def timeline(database: Database, tenant_id: str, intent_id: UUID) -> list[TimelineEvent]:
    """Read what happened to one intent, oldest first.

    Raises:
        PaymentIntentNotFound: when the tenant has no such intent.
    """
    found = await store.timeline(database, tenant_id, intent_id, limit=TIMELINE_MAX)
    if not found:
        await get(database, tenant_id, intent_id)
    return found


async def refunds_of(database: Database, tenant_id: str, intent_id: UUID) -> list[Refund]:
    """Read the refunds of an intent, newest first.

    Raises:
        PaymentIntentNotFound: when the tenant has no such intent.
    """
    found = await store_refunds.refunds_of(database, tenant_id, intent_id, limit=PARTS_MAX)
    if not found:
        await get(database, tenant_id, intent_id)
    return found


async def disputes_of(database: Database, tenant_id: str, intent_id: UUID) -> list[Dispute]:
    """Read the disputes of an intent, newest first.

    Raises:
        PaymentIntentNotFound: when the tenant has no such intent.
    """
    found = await store_refunds.disputes_of(database, tenant_id, intent_id, limit=PARTS_MAX)
    if not found:
        await get(database, tenant_id, intent_id)
    return found


async def by_order(database: Database, tenant_id: str, order_id: str) -> list[PaymentIntent]:
    """Read the intent that a charge request of this order created, if there is one."""
    return await intents.page(database, tenant_id, IntentFilter(order_id=order_id), limit=1)


async def references(
    database: Database, tenant_id: str, ids: Collection[UUID]
) -> Mapping[UUID, tuple[str | None, str]]:
    """Return the order and the merchant's reference of the customer of some payments, those of one page at most."""
    return await intents.references(database, tenant_id, ids) if ids else {}


async def numbered_page(
    database: Database,
    totals: Totals | None,
    tenant_id: str,
    filters: IntentFilter,
    *,
    given: IntentFilter,
    page: int,
    page_size: int,
) -> IntentPage:
    """Read page `page` (from 1), and count all with `totals`; the cost grows with the number of the page.

    A cursor belongs to the filters as they were given, whatever they were completed with.
    """
    rows = await intents.page(database, tenant_id, filters, limit=page_size + 1, offset=(page - 1) * page_size)
    total = None if totals is None else await totals.count(tenant_id, filters)
    return _page(rows, tenant_id, given, size=page_size, total=total)


async def cursor_page(
    database: Database, tenant_id: str, filters: IntentFilter, *, given: IntentFilter, cursor: str, page_size: int
) -> IntentPage:
    """Read the page after `cursor`, at the same cost however deep it is.

    Raises:
        InvalidCursor: when the cursor belongs to another list.
    """
    after = decode_cursor(cursor, tenant_id=tenant_id, filters=given)
    rows = await intents.page(database, tenant_id, filters, limit=page_size + 1, after=after)
    return _page(rows, tenant_id, given, size=page_size, total=None)


def _page(
    rows: list[PaymentIntent], tenant_id: str, filters: IntentFilter, *, size: int, total: int | None
) -> IntentPage:
    # One row more than the page was read: it shows whether there is a next page.
    shown, more = rows[:size], len(rows) > size
    last = Position(shown[-1].created_at, shown[-1].id) if more else None
    return IntentPage(
        intents=shown,
        total=total,
        next_cursor=None if last is None else encode_cursor(last, tenant_id=tenant_id, filters=filters),
    )
