"""The SQL of reports about payments."""

from collections.abc import Sequence

from libs.common.db import Database
from libs.common.db.statements import Statement
from services.api.payments.domain import InStage, PeriodTotals, Span

# One range of `ix_payment_intents_created` for each period, so that no row has to be compared with the periods.
_TOTALS = Statement("""
SELECT w.number, s.*
  FROM unnest(:spans[].begins_at::timestamptz[], :spans[].ends_at::timestamptz[]) WITH ORDINALITY AS w(begins_at, ends_at, number)
 CROSS JOIN LATERAL (
       SELECT currency, count(*) AS payments, sum(amount_minor)::bigint AS amount_minor, count(authorized_at) AS authorized,
              count(*) FILTER (WHERE status = 'FAILED') AS failed, sum(captured_minor)::bigint AS captured_minor,
              sum(refunded_minor)::bigint AS refunded_minor, sum(disputed_minor)::bigint AS disputed_minor
         FROM payment_intents
        WHERE tenant_id = :tenant_id AND created_at >= w.begins_at AND created_at < w.ends_at
        GROUP BY currency) AS s
 ORDER BY w.number, s.currency
""")

# By `ix_payment_intents_status` and `ix_refunds_pending`: what is over is not read.
_IN_FLIGHT = Statement("""
SELECT stage, currency, count(*) AS number, sum(amount_minor)::bigint AS amount_minor, min(since) AS since
  FROM (SELECT CASE WHEN is_voiding THEN 'voiding'
                    WHEN status = 'AUTHORIZED' AND (capture_method = 'automatic' OR capturing_minor > 0 OR captured_minor > 0)
                    THEN 'capturing' ELSE lower(status) END AS stage, currency, amount_minor, updated_at AS since
          FROM payment_intents
         WHERE tenant_id = :tenant_id AND status IN ('PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED')
         UNION ALL
        SELECT 'refunding', currency, amount_minor, created_at FROM refunds
         WHERE tenant_id = :tenant_id AND status = 'PENDING') AS waiting
 GROUP BY stage, currency ORDER BY stage, currency
""")


async def totals(database: Database, tenant_id: str, spans: Sequence[Span]) -> list[list[PeriodTotals]]:
    """Add up the payments of each period, by currency."""
    found: list[list[PeriodTotals]] = [[] for _ in spans]
    for row in await _TOTALS.fetch(database, tenant_id=tenant_id, spans=spans):
        number, *_ = values = tuple(row.values())
        found[number - 1].append(PeriodTotals(**dict(zip(_TOTALS_MEMBERS, values[1:], strict=True))))
    return found


async def in_flight(database: Database, tenant_id: str) -> list[InStage]:
    """Add up what is not over, by stage and currency."""
    rows = await _IN_FLIGHT.fetch(database, tenant_id=tenant_id)
    return [InStage(**dict(row.items())) for row in rows]


_TOTALS_MEMBERS = PeriodTotals.__struct_fields__
