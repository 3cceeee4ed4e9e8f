"""The SQL of payments as other services compare them: in the order of their ids, each with its refunds and disputes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.api_facts import DisputeFact, PaymentColumns, PaymentFact, RefundFact
from libs.common.db import Database
from libs.common.db.statements import Statement, reader_of
from libs.common.ids import first_id

# One statement, so that a payment and its parts are of one instant: a refund that completes between two statements would
# look like one that its payment does not know. The parts are read payment by payment and no further than the limit, so that
# what a page costs is bounded, however many a payment has; only then are they aggregated.
_FACTS = """
WITH page AS MATERIALIZED (
    SELECT id, status, amount_minor, captured_minor, currency, coalesce(gateway_ref, '') AS gateway_ref,
           payment_method_type, created_at, updated_at
      FROM payment_intents WHERE tenant_id = :tenant_id AND {which} ORDER BY id LIMIT :limit),
refunded AS (
    SELECT r.payment_intent_id, max(r.updated_at) AS updated_at,
           json_agg(json_build_object('refund_id', r.id, 'amount_minor', r.amount_minor, 'status', r.status,
                                      'gateway_ref', coalesce(r.gateway_ref, '')) ORDER BY r.created_at, r.id)::text AS parts
      FROM (SELECT r.* FROM (SELECT id FROM page ORDER BY id) AS p
             CROSS JOIN LATERAL (
                   SELECT * FROM refunds WHERE payment_intent_id = p.id AND tenant_id = :tenant_id
                    ORDER BY created_at, id LIMIT :parts_max) AS r
             ORDER BY p.id LIMIT :parts_max) AS r
     GROUP BY r.payment_intent_id),
disputed AS (
    SELECT d.payment_intent_id, max(d.updated_at) AS updated_at,
           json_agg(json_build_object('dispute_id', d.id, 'amount_minor', d.amount_minor, 'status', d.status,
                                      'gateway_ref', d.gateway_ref) ORDER BY d.opened_at, d.id)::text AS parts
      FROM (SELECT d.* FROM (SELECT id FROM page ORDER BY id) AS p
             CROSS JOIN LATERAL (
                   SELECT * FROM disputes WHERE payment_intent_id = p.id AND tenant_id = :tenant_id
                    ORDER BY opened_at, id LIMIT :parts_max) AS d
             ORDER BY p.id LIMIT :parts_max) AS d
     GROUP BY d.payment_intent_id)
SELECT page.id, page.status, page.amount_minor, page.captured_minor, page.currency, page.gateway_ref,
       page.payment_method_type, page.created_at, greatest(page.updated_at, refunded.updated_at, disputed.updated_at),
       refunded.parts, disputed.parts
  FROM page
  LEFT JOIN refunded ON refunded.payment_intent_id = page.id
  LEFT JOIN disputed ON disputed.payment_intent_id = page.id
 ORDER BY page.id
"""
# A range of ids, which is one of time. `ix_payment_intents_tenant` begins with the tenant, so that others' payments are not
# passed over.
IN_RANGE = Statement(_FACTS, which="id > :after AND id <= :until")
# By the primary key: a few hundred at most.
BY_IDS = Statement(_FACTS, which="id = ANY(:ids::uuid[])")
# Older payments of which a refund was made, by `ix_refunds_created`, or a dispute changed, by `ix_disputes_changed`.
CHANGED = Statement(
    _FACTS,
    which="""id > :after AND id <= :until AND id < :first_id AND id IN (
        SELECT payment_intent_id FROM refunds
         WHERE tenant_id = :tenant_id AND created_at AT TIME ZONE 'UTC' >= :changed_from AT TIME ZONE 'UTC'
           AND created_at AT TIME ZONE 'UTC' < :changed_until AT TIME ZONE 'UTC'
        UNION
        SELECT payment_intent_id FROM disputes
         WHERE tenant_id = :tenant_id AND updated_at >= :changed_from AND updated_at < :changed_until)""",
)

# A page of a range as lists: what most payments are compared by needs no row of its own. All lists are made of the same rows in the
# same order. Whether something was given back or is in dispute is found by `ix_refunds_payment_intent` and `ix_disputes_payment_intent`.
COLUMNS = Statement("""
WITH page AS MATERIALIZED (
    SELECT p.id, p.captured_minor, p.currency, row_number() OVER (ORDER BY p.id) AS number,
           (SELECT true FROM refunds AS r WHERE r.payment_intent_id = p.id AND r.tenant_id = :tenant_id LIMIT 1) IS NULL
           AND (SELECT true FROM disputes AS d WHERE d.payment_intent_id = p.id AND d.tenant_id = :tenant_id LIMIT 1) IS NULL AS is_plain
      FROM payment_intents AS p
     WHERE p.tenant_id = :tenant_id AND p.id > :after AND p.id <= :until ORDER BY p.id LIMIT :limit::bigint + 1)
SELECT coalesce(string_agg(id::text, ',') FILTER (WHERE is_plain), '') AS payment_intent_ids,
       coalesce(string_agg(captured_minor::text, ',') FILTER (WHERE is_plain), '') AS captured_minor,
       coalesce(string_agg(currency, ',') FILTER (WHERE is_plain), '') AS currencies,
       coalesce(string_agg(id::text, ',') FILTER (WHERE NOT is_plain), '') AS others,
       (SELECT id FROM page WHERE number = :limit AND EXISTS (SELECT FROM page WHERE number > :limit)) AS next_after
  FROM page WHERE number <= :limit
""")

_columns = reader_of(PaymentColumns)
_refunds = msgspec.json.Decoder(tuple[RefundFact, ...])
_disputes = msgspec.json.Decoder(tuple[DisputeFact, ...])


async def facts_in_range(
    database: Database, tenant_id: str, *, after: UUID, until: UUID, limit: int, parts_max: int
) -> list[asyncpg.Record]:
    """Read payments with greater ids than `after`, up to `until`; no more than `parts_max` refunds and disputes of them."""
    return await IN_RANGE.fetch(
        database, tenant_id=tenant_id, after=after, until=until, limit=limit, parts_max=parts_max
    )


async def columns_of_range(
    database: Database, tenant_id: str, *, after: UUID, until: UUID, limit: int
) -> tuple[PaymentColumns, UUID | None]:
    """Read payments with greater ids than `after`, up to `until`, as lists; and the last of them, where more follow."""
    [row] = await COLUMNS.fetch(database, tenant_id=tenant_id, after=after, until=until, limit=limit)
    return _columns(row), row["next_after"]


async def facts_changed(
    database: Database,
    tenant_id: str,
    *,
    changed: tuple[datetime, datetime],
    after: UUID,
    until: UUID,
    limit: int,
    parts_max: int,
) -> list[asyncpg.Record]:
    """Read payments of a range that were made before a time, and of which something was given back in it."""
    return await CHANGED.fetch(
        database,
        tenant_id=tenant_id,
        after=after,
        until=until,
        first_id=first_id(changed[0]),
        changed_from=changed[0],
        changed_until=changed[1],
        limit=limit,
        parts_max=parts_max,
    )


async def facts_by_ids(
    database: Database, tenant_id: str, ids: Sequence[UUID], *, parts_max: int
) -> list[asyncpg.Record]:
    """Read these payments; no more than `parts_max` refunds and disputes of them."""
    return await BY_IDS.fetch(database, tenant_id=tenant_id, ids=list(ids), limit=len(ids), parts_max=parts_max)


def fact_of(row: asyncpg.Record) -> PaymentFact:
    """Read a payment from a row."""
    (
        payment_intent_id,
        status,
        amount_minor,
        captured_minor,
        currency,
        gateway_ref,
        payment_method_type,
        created_at,
        updated_at,
        refunds,
        disputes,
    ) = row
    return PaymentFact(
        payment_intent_id=payment_intent_id,
        status=status,
        amount_minor=amount_minor,
        captured_minor=captured_minor,
        currency=currency,
        gateway_ref=gateway_ref,
        payment_method_type=payment_method_type,
        created_at=created_at,
        updated_at=updated_at,
        refunds=() if refunds is None else _refunds.decode(refunds),
        disputes=() if disputes is None else _disputes.decode(disputes),
    )
