"""Payments as other services compare them with what they have."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from itertools import batched
from uuid import UUID

import msgspec

from libs.common.contracts.api_facts import (
    PAYMENT_IDS_MAX,
    PAYMENT_PARTS_MAX,
    PAYMENTS_MAX,
    ListPaymentFacts,
    PaymentFact,
    PaymentFactPage,
)
from libs.common.db import Database
from libs.common.db.tenancy import across_tenants
from libs.common.errors import Invalid
from libs.common.slices import one_slice
from services.api.payments.sql import facts

_ROWS = 200
"""Rows that become facts without a pause: two milliseconds, in a process that answers clients at the same time."""
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


async def payment_facts(
    database: Database, request: ListPaymentFacts, *, parts_max: int = PAYMENT_PARTS_MAX
) -> PaymentFactPage:
    """Read payments of a tenant in the order of their ids, with at most `parts_max` refunds and disputes of them.

    Raises:
        Invalid: for a limit out of range, too many ids, half a time, or columns of anything but a range.
    """
    if not 1 <= request.limit <= PAYMENTS_MAX:
        raise _refused("limit", f"must be 1 to {PAYMENTS_MAX}")
    if (request.changed_from is None) is not (request.changed_until is None):
        raise _refused("changed_until", "must be there with changed_from, and only then")
    if len(request.ids) > PAYMENT_IDS_MAX:
        raise _refused("ids", f"must have at most {PAYMENT_IDS_MAX} items")
    after, until = request.after or _FIRST, request.until or _LAST
    if request.in_columns:
        if request.ids or request.changed_from is not None:
            raise _refused("in_columns", "is for a range alone")
        columns, next_after = await facts.columns_of_range(
            database, request.tenant_id, after=after, until=until, limit=request.limit
        )
        return PaymentFactPage(items=(), next_after=next_after, columns=columns)
    # One more of each than is sent shows whether there are more.
    if request.ids:
        limit = len(request.ids)
        rows = await facts.facts_by_ids(database, request.tenant_id, request.ids, parts_max=parts_max + 1)
    else:
        limit = request.limit
        read = facts.facts_in_range
        if request.changed_from is not None and request.changed_until is not None:
            read = partial(facts.facts_changed, changed=(request.changed_from, request.changed_until))
        # `ix_refunds_created` is on a computed column, by which nothing is searched where row-level security holds.
        with nullcontext() if request.changed_from is None else across_tenants():
            rows = await read(
                database,
                request.tenant_id,
                after=after,
                until=until,
                limit=limit + 1,
                parts_max=parts_max + 1,
            )
    items: list[PaymentFact] = []
    for some in batched(rows[:limit], _ROWS):
        async with one_slice():
            items += map(facts.fact_of, some)
    kept = _whole(items, parts_max)
    return PaymentFactPage(
        items=tuple(kept), next_after=kept[-1].payment_intent_id if kept and len(kept) < len(rows) else None
    )


def _whole(items: Sequence[PaymentFact], parts_max: int) -> Sequence[PaymentFact]:
    """Keep the payments whose parts were all read; the first in any case, with as many as there may be."""
    refunds = disputes = 0
    for place, item in enumerate(items):
        refunds += len(item.refunds)
        disputes += len(item.disputes)
        if max(refunds, disputes) > parts_max:
            # What follows has none of its parts, as reading ended here.
            return items[:place] or [
                msgspec.structs.replace(
                    item, refunds=item.refunds[:parts_max], disputes=item.disputes[:parts_max], is_whole=False
                )
            ]
    return items


def _refused(member: str, sentence: str) -> Invalid:
    return Invalid(f"{member} {sentence}", errors=((f"/{member}", sentence),))
